"""Addresses of TCP: `host:port`, with IPv6 in brackets."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final, Self

from sttp.transport import EndpointError

__all__ = ["ALL_INTERFACES", "DEFAULT_PORT", "HostPort", "label"]

DEFAULT_PORT: Final = 7165
"""The registered port of STTP."""

ALL_INTERFACES: Final = ("", "::")
"""Hosts that mean every interface, IPv4 and IPv6, at the listening end."""

_PARTS: Final = re.compile(r"(?:\[(?P<bracketed>[^\[\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>.*))?", re.DOTALL)
_NOT_IN_A_HOST: Final = re.compile(r"[\x00-\x20\x7f/\\@?#]")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host and a port.

    Attributes:
        host: name or number, IPv6 without brackets; empty for every interface.
        port: 0 to 65535; 0 lets the system choose.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, default_port: int) -> Self:
        """Read `host`, `host:port`, `:port`, `[ipv6]` or `[ipv6]:port`.

        Raises:
            EndpointError: it is none of these.
        """
        if not text:
            raise EndpointError("the address is empty; write host:port, or :port to listen on every interface")
        if text.count(":") > 1 and "[" not in text:
            raise EndpointError(f"an IPv6 address must stand in brackets, as in [{text}]:{default_port}")
        parts = _PARTS.fullmatch(text)
        if parts is None:
            raise EndpointError(f"{text!r} is not host:port or [ipv6]:port")
        if (host := parts["bracketed"]) is not None:
            _check_ipv6(host)
        else:
            host = parts["host"]
            _check_name(host)
        return cls(host, default_port if parts["port"] is None else _port(parts["port"]))

    @property
    def is_number(self) -> bool:
        """Whether the host is an address in numbers, not a name."""
        try:
            ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def label(sockaddr: tuple[Any, ...]) -> str:
    """A socket address of the standard library as text. IPv4 that arrives at an IPv6 socket is shown as IPv4."""
    host, port = sockaddr[:2]
    return str(HostPort(host.removeprefix("::ffff:") if "." in host else host, port))


def _check_name(text: str) -> None:
    if found := _NOT_IN_A_HOST.search(text):
        raise EndpointError(f"{text!r} cannot be a host: it contains {found[0]!r}")
    try:
        text.encode("idna")
    except UnicodeError as error:
        raise EndpointError(f"{text!r} cannot be a host name: {error}") from None


def _check_ipv6(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise EndpointError(f"[{text}] is not an IPv6 address") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise EndpointError(f"the port must be a number, not {text!r}")
    if len(text) > 5 or int(text) > 65535:
        raise EndpointError(f"the port must lie between 0 and 65535, not {text}")
    return int(text)
