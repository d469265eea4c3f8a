"""The host in an address, as a certificate would name it."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = ["host_of", "server_name"]

_PORT: Final = re.compile(r":\d*$")
_DNS_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


def host_of(address: str) -> str:
    """The host of `host:port` or `[ipv6]:port`, without brackets. Other transports' addresses stay as they are."""
    host = _PORT.sub("", address) if address.count(":") == 1 or address.startswith("[") else address
    return host.removeprefix("[").removesuffix("]")


def server_name(host: str) -> str | None:
    """What to send as server name (RFC 6066): a DNS name; None for what is none."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.rstrip(".") if _DNS_NAME.fullmatch(host) else None
    return None
