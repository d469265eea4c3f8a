"""Addresses of WebSockets: the address of the transport below, then a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from sttp.transport import EndpointError

__all__ = ["Place"]

_NOT_IN_A_PATH: Final = re.compile(r"[^!-~]|#")
"""What would have to be escaped, or would begin a fragment, which WebSockets have not."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a WebSocket is.

    Attributes:
        below: the address for the transport below, such as `hub:80`.
        path: path and query, from the first slash on.
    """

    below: str
    path: str

    @classmethod
    def parse(cls, address: str) -> Self:
        """Read `host:port`, `host:port/path` or `host:port/path?query`.

        Raises:
            EndpointError: there is nothing before the path, or a character that no path has.
        """
        below, slash, path = address.partition("/")
        if not below:
            raise EndpointError("the address is empty; write host:port/path, or :port/path to listen everywhere")
        if found := _NOT_IN_A_PATH.search(path):
            raise EndpointError(f"the path cannot contain {found[0]!r}; escape it as in a web address")
        return cls(below, slash + path or "/")

    def __str__(self) -> str:
        return f"{self.below}{self.path}"
