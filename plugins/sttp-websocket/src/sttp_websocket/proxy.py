"""Dialing through an HTTP proxy that allows CONNECT."""

from __future__ import annotations

import base64
import ipaddress
import os
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from sttp.transport import ByteStream, EndpointError, Listener, Transport, TransportError

__all__ = ["PROXY", "Proxy", "ThroughProxy", "proxy_for"]

PROXY: Final = "STTP_WEBSOCKET_PROXY"
"""The environment variable that names a proxy for every WebSocket; empty for none at all."""

_LONGEST_HEAD: Final = 16 * 2**10
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        address: `host:port`.
        authorization: value of the header that says who we are; empty for nobody.
    """

    address: str
    authorization: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `http://[USER:PASSWORD@]HOST:PORT`.

        Raises:
            EndpointError: it is something else.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError as error:
            raise EndpointError(f"the proxy {url!r} cannot be understood: {error}") from None
        if parts.scheme != "http" or not parts.hostname:
            raise EndpointError(f"the proxy must be http://HOST:PORT, not {url!r}")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        authorization = ""
        if parts.username:
            who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = f"Basic {base64.b64encode(who.encode()).decode()}"
        return cls(f"{host}:{port}", authorization)


def proxy_for(address: str) -> Proxy | None:
    """The proxy that the user wants for an address, or None.

    `STTP_WEBSOCKET_PROXY` wins. Without it the usual variables count, `https_proxy`, `http_proxy` and `no_proxy`;
    addresses of this machine are then dialed directly.

    Raises:
        EndpointError: the proxy cannot be understood.
    """
    chosen = os.environ.get(PROXY)
    if chosen is None:
        host = address.rpartition(":")[0].strip("[]")
        if _is_this_machine(host) or proxy_bypass(host):
            return None
        proxies = getproxies()
        chosen = proxies.get("https") or proxies.get("http") or ""
    return Proxy.parse(chosen) if chosen else None


class ThroughProxy:
    """A transport that dials through a proxy where the user wants one, and is `inner` otherwise."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """See `Transport.complete`."""
        return self._inner.complete(address, port=port)

    async def dial(self, address: str, /) -> ByteStream:
        """See `Transport.dial`."""
        proxy = proxy_for(address)
        if proxy is None:
            return await self._inner.dial(address)
        try:
            stream = await self._inner.dial(proxy.address)
        except TransportError as error:
            raise TransportError(f"{error} (that is the proxy)") from error
        try:
            await _connect(stream, address, proxy)
        except BaseException:
            stream.abort()
            await stream.close()
            raise
        return stream

    async def listen(self, address: str, /) -> Listener:
        """See `Transport.listen`. Nobody listens through a proxy."""
        return await self._inner.listen(address)


async def _connect(stream: ByteStream, address: str, proxy: Proxy) -> None:
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    await stream.send(["\r\n".join(lines).encode(), _END])
    head = bytearray()
    one = bytearray(1)
    while not head.endswith(_END):
        # one by one, for what comes after the head belongs to somebody else
        if not await stream.receive_into(one) or len(head) > _LONGEST_HEAD:
            raise TransportError(f"cannot connect to {address}: the proxy {proxy.address} does not answer as one")
        head += one
    status = head.partition(b"\r\n")[0].decode("latin-1")
    _, _, words = status.partition(" ")
    if not (status.startswith("HTTP/1.") and words.startswith("2")):
        raise TransportError(f"cannot connect to {address}: the proxy {proxy.address} answers {words or repr(status)}")


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
