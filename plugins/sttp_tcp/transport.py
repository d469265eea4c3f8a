"""TCP as a transport: dialing and listening."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final

from sttp.transport import BACKLOG, AcceptQueue, EndpointError
from sttp_tcp.address import ALL_INTERFACES, DEFAULT_PORT, HostPort, label
from sttp_tcp.failures import translated
from sttp_tcp.stream import TcpStream

__all__ = ["TcpListener", "TcpTransport"]

_log = logging.getLogger("sttp.transport")

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

    async def listen(self, address: str, /) -> TcpListener:
        """See `Transport.listen`. `:port` and `[::]:port` are every interface, with IPv4 where the system can."""
        at = HostPort.parse(address, default_port=DEFAULT_PORT)
        listener = TcpListener()
        try:
            await listener.open(await _bound(at))
        except OSError as error:
            raise translated(error, f"cannot listen on {at}") from error
        return listener


class TcpListener:
    """A bound socket and the connections that nobody has accepted yet."""

    def __init__(self) -> None:
        self._arrivals: AcceptQueue[TcpStream] = AcceptQueue()
        self._server: asyncio.Server
        self._address = ""

    async def open(self, bound: socket.socket) -> None:
        """Let connections in at a bound socket, which then belongs to this listener."""
        self._address = label(bound.getsockname())
        loop = asyncio.get_running_loop()
        # asyncio takes the backlog also for how often it tries to accept in one go, and complains as often when files
        # run out (CPython 3.11). So it is told 1, and the system the truth.
        self._server = await loop.create_server(lambda: TcpStream(self._arrived), sock=bound, backlog=1)
        bound.listen(BACKLOG)

    @property
    def address(self) -> str:
        """`host:port` in numbers."""
        return self._address

    async def accept(self) -> TcpStream:
        """See `Listener.accept`."""
        return await self._arrivals.take()

    async def close(self) -> None:
        """See `Listener.close`."""
        self._server.close()
        self._arrivals.close()

    def _arrived(self, stream: TcpStream) -> None:
        if not self._arrivals.offer(stream):
            _log.warning("%s: %s turned away, nobody accepts connections", self._address, stream.peer)
            stream.abort()


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
