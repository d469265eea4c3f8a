"""TCP as a transport: dialing and listening."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from typing import Final

from sttp.transport import BACKLOG, EndpointError, SocketListener, translated
from sttp_tcp.address import ALL_INTERFACES, DEFAULT_PORT, HostPort, label
from sttp_tcp.stream import TcpStream

__all__ = ["TcpTransport"]

_WORDS: Final[Mapping[int, str]] = {
    errno.EADDRINUSE: "address already in use (another program listens there; choose another port or stop it)",
    errno.EACCES: "permission denied (ports below 1024 need privileges)",
}
"""What the system says of ports."""

_NEXT_ADDRESS_S: Final = 0.25
"""When a name has several addresses: how long one may take before the next is tried beside it (RFC 8305)."""

_TURNS_TO_END: Final = 5
"""Of the event loop: a cancelled attempt has ended after three, but asyncio does not wait for that (CPython 3.11)."""


class TcpTransport:
    """Transport `tcp`. Addresses are `host:port`; see `HostPort`."""

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """See `Transport.complete`. The port is 7165 unless a layer has another."""
        return str(HostPort.parse(address, default_port=DEFAULT_PORT if port is None else port))

    async def dial(self, address: str, /) -> TcpStream:
        """See `Transport.dial`. A name that has several addresses is tried at each."""
        to = HostPort.parse(address, default_port=DEFAULT_PORT)
        if not to.host or not to.port:
            raise EndpointError(f"{to} can be listened on but not dialed: name a host and a port")
        try:
            return await _connected(to)
        except OSError as error:
            raise translated(error, f"cannot connect to {to}") from error
        except asyncio.CancelledError:
            for _ in range(_TURNS_TO_END):
                await asyncio.sleep(0)
            raise

    async def listen(self, address: str, /) -> SocketListener:
        """See `Transport.listen`. `:port` and `[::]:port` are every interface, with IPv4 where the system can."""
        at = HostPort.parse(address, default_port=DEFAULT_PORT)
        try:
            bound = await _bound(at)
            return await SocketListener.serving(bound, address=label(bound.getsockname()), stream=TcpStream)
        except OSError as error:
            raise translated(error, f"cannot listen on {at}", words=_WORDS) from error


async def _connected(to: HostPort) -> TcpStream:
    loop = asyncio.get_running_loop()
    # trying addresses side by side can leak a socket when it is cancelled (CPython 3.11), so only where it helps; and
    # uvloop cannot, it tries one after another
    if to.is_number or not isinstance(loop, asyncio.BaseEventLoop):
        _, stream = await loop.create_connection(TcpStream, to.host, to.port)
    else:
        _, stream = await loop.create_connection(TcpStream, to.host, to.port, happy_eyeballs_delay=_NEXT_ADDRESS_S)
    return stream


async def _bound(at: HostPort) -> socket.socket:
    if at.host in ALL_INTERFACES and socket.has_dualstack_ipv6():
        return socket.create_server(("::", at.port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(at.host or "0.0.0.0", at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name that has both is bound as IPv4: many peers speak nothing else, and those that do try both.
    family, _, _, _, sockaddr = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server(sockaddr, family=family, backlog=BACKLOG)
