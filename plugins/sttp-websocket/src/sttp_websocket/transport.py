"""WebSockets over a transport: dialing and listening."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sttp.transport import AcceptQueue, ByteStream, Listener, Transport, TransportError
from sttp_websocket.address import Place
from sttp_websocket.handshake import answered, asked
from sttp_websocket.stream import WebSocketStream

__all__ = ["WebSocketListener", "WebSocketTransport"]

_log = logging.getLogger("sttp.transport")

_HANDSHAKES: Final = 128
"""Most handshakes at a time; whoever comes when so many have not finished has to wait in the backlog below."""

_HANDSHAKE_S: Final = 10.0
"""How long the other end may take for its handshake."""


class WebSocketTransport:
    """Streams of another transport as WebSockets. Addresses are those of the other transport, then a path.

    Args:
        inner: the transport below.
        port: the port to assume, where the transport below has ports.
        secure: whether there is TLS below.
    """

    def __init__(self, inner: Transport, *, port: int, secure: bool) -> None:
        self._inner = inner
        self._port = port
        self._secure = secure

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """See `Transport.complete`. The port is 80, over TLS 443; the path is `/`."""
        place = Place.parse(address)
        below = self._inner.complete(place.below, port=self._port if port is None else port)
        return str(Place(below, place.path))

    async def dial(self, address: str, /) -> WebSocketStream:
        """See `Transport.dial`."""
        place = Place.parse(address)
        return await asked(await self._inner.dial(place.below), place, secure=self._secure)

    async def listen(self, address: str, /) -> WebSocketListener:
        """See `Transport.listen`. Only the path of the address is served."""
        place = Place.parse(address)
        return WebSocketListener(await self._inner.listen(place.below), place.path)


class WebSocketListener:
    """A listener below, and the WebSockets that have come in there and that nobody has accepted yet."""

    def __init__(self, inner: Listener, path: str) -> None:
        self._inner = inner
        self._path = path
        self._arrivals: AcceptQueue[WebSocketStream] = AcceptQueue()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_HANDSHAKES)
        self._accepting = asyncio.create_task(self._accept())

    @property
    def address(self) -> str:
        """The address of the listener below, with the path."""
        return str(Place(self._inner.address, self._path))

    async def accept(self) -> WebSocketStream:
        """See `Listener.accept`."""
        return await self._arrivals.take()

    async def close(self) -> None:
        """See `Listener.close`."""
        self._arrivals.close()
        await self._inner.close()
        ours = {self._accepting, *self._handshakes}
        for task in ours:
            task.cancel()
        await asyncio.wait(ours)

    async def _accept(self) -> None:
        while True:
            await self._room.acquire()
            try:
                inner = await self._inner.accept()
            except TransportError:  # the listener below is closed
                self._arrivals.close()
                return
            task = asyncio.create_task(self._shake_hands(inner))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
            task.add_done_callback(lambda _: self._room.release())

    async def _shake_hands(self, inner: ByteStream) -> None:
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                stream = await answered(inner, self._path)
        except TransportError as error:
            _log.warning("%s: %s", self.address, error)
            return
        except TimeoutError:
            _log.warning("%s: %s: no handshake within %g s", self.address, inner.peer, _HANDSHAKE_S)
            return
        if not self._arrivals.offer(stream):
            _log.warning("%s: %s turned away, nobody accepts connections", self.address, stream.peer)
            stream.abort()
            await stream.close()
