"""What the operating system says, in plain words: the one place where OSError becomes TransportError."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sttp.errors import TransportError

__all__ = ["translated"]

_WORDS: Final[Mapping[int, str]] = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.ECONNABORTED: "connection aborted",
    errno.EPIPE: "the other end no longer reads",
    errno.ETIMEDOUT: "timed out",
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTUNREACH: "host unreachable",
    errno.EADDRINUSE: "address already in use (another program listens there; choose another or stop it)",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.EACCES: "permission denied",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
}

_NUMBERED: Final = re.compile(r"\[Errno (\d+)\]")


def translated(error: OSError, doing: str, *, words: Mapping[int, str] = MappingProxyType({})) -> TransportError:
    """`error` in plain words.

    Args:
        error: what the system said.
        doing: what was being done, such as `cannot connect to hub:7165`.
        words: by error number, what is better said over this medium than the usual words.
    """
    return TransportError(f"{doing}: {_said(error, {**_WORDS, **words})}")


def _said(error: OSError, words: Mapping[int, str]) -> str:
    if isinstance(error, socket.gaierror):
        return "host name not found"
    # Where a name has several addresses asyncio joins the failures into one text, and the numbers are only there.
    numbers = [error.errno] if error.errno is not None else map(int, _NUMBERED.findall(str(error)))
    said = dict.fromkeys(words[number] for number in numbers if number in words)
    return ", ".join(said) or error.strerror or str(error) or type(error).__name__
