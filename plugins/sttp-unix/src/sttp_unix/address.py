"""Addresses of Unix sockets: paths, and on Linux also names that are no files."""

from __future__ import annotations

import os
from typing import Final

from sttp.transport import EndpointError

__all__ = ["checked", "is_abstract", "sockaddr"]

LONGEST: Final = 103
"""Bytes of a path that every system takes; Linux takes 107."""

_ABSTRACT: Final = "@"


def checked(address: str) -> str:
    """`address`, if it can be one.

    Raises:
        EndpointError: it is empty, too long, or has a character that no path has.
    """
    if not address or address == _ABSTRACT:
        raise EndpointError("the address is empty; write a path, such as unix:///run/sttp.sock, or @NAME on Linux")
    if "\0" in address:
        raise EndpointError("a path cannot contain a zero character")
    if len(os.fsencode(address)) > LONGEST:
        raise EndpointError(
            f"the path is {len(os.fsencode(address))} bytes long, and the system takes {LONGEST}: {address}"
        )
    return address


def is_abstract(address: str) -> bool:
    """Whether it is a name in the kernel and not a file."""
    return address.startswith(_ABSTRACT)


def sockaddr(address: str) -> str:
    """What the system calls it."""
    return "\0" + address[1:] if is_abstract(address) else address
