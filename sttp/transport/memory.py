"""Streams inside one process: the reference implementation of the contract, and a double for tests."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final

from sttp.errors import EndpointError, TransportError, UsageError
from sttp.transport.accepting import AcceptQueue
from sttp.transport.contract import PeerIdentity

__all__ = ["CAPACITY", "MemoryListener", "MemoryStream", "MemoryTransport", "stream_pair"]

CAPACITY: Final = 64 * 2**10
"""Bytes that wait for the receiver in one direction, unless told otherwise."""


class _Pipe:
    """One direction of a pair. Whatever changes wakes whoever waits."""

    def __init__(self, capacity: int, cut: int | None) -> None:
        self.waiting = bytearray()
        self.capacity = capacity
        self.cut = cut
        self.ended = False
        self.failure: str | None = None
        self._changed = asyncio.Event()

    async def change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def put(self, data: memoryview) -> int:
        """Take as much of `data` as there is room for."""
        taken = data[: self.capacity - len(self.waiting)]
        self.waiting += taken
        self._changed.set()
        return len(taken)

    def get(self, buffer: memoryview | bytearray) -> int:
        """Move what waits into `buffer`."""
        count = min(len(buffer), len(self.waiting), self.cut or len(buffer))
        buffer[:count] = self.waiting[:count]
        del self.waiting[:count]
        self._changed.set()
        return count

    def end(self) -> None:
        self.ended = True
        self._changed.set()

    def fail(self, reason: str) -> None:
        self.failure = self.failure or reason
        self.waiting.clear()
        self._changed.set()


class MemoryStream:
    """One end of a pair."""

    def __init__(self, inward: _Pipe, outward: _Pipe, peer: str) -> None:
        self._in = inward
        self._out = outward
        self._peer = peer
        self._receiving = False
        self._closed = False

    @property
    def peer(self) -> str:
        """Where the other end is."""
        return self._peer

    @property
    def identity(self) -> PeerIdentity | None:
        """Nobody is authenticated."""
        return None

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """See `ByteStream.receive_into`."""
        if not len(buffer):
            raise UsageError("a receive needs a buffer that is not empty")
        if self._receiving:
            raise UsageError("another task is receiving")
        self._receiving = True
        try:
            while True:
                self._check(self._in)
                if self._in.waiting:
                    return self._in.get(buffer)
                if self._in.ended:
                    return 0
                await self._in.change()
        finally:
            self._receiving = False

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `ByteStream.send`."""
        self._check(self._out)
        if self._out.ended:
            raise UsageError("this end has already sent its end of stream")
        for buffer in buffers:
            rest = memoryview(buffer)
            while True:
                self._check(self._out)
                rest = rest[self._out.put(rest) :]
                if not rest:
                    break
                await self._out.change()
        await asyncio.sleep(0)

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`."""
        self._check(self._out)
        self._out.end()

    async def close(self) -> None:
        """See `ByteStream.close`. What was sent stays readable at the other end."""
        if not self._closed:
            self._closed = True
            self._out.end()
            self._in.fail("connection reset by peer")

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        if not self._closed:
            self._closed = True
            self._out.fail("connection reset by peer")
            self._in.fail("connection reset by peer")

    def _check(self, pipe: _Pipe) -> None:
        if self._closed:
            raise TransportError("this end has closed the stream")
        if pipe.failure is not None:
            raise TransportError(pipe.failure)


def stream_pair(
    *, capacity: int = CAPACITY, cut: int | None = None, peers: tuple[str, str] = ("memory:right", "memory:left")
) -> tuple[MemoryStream, MemoryStream]:
    """Two ends of one stream.

    Args:
        capacity: how many bytes wait for a receiver before the sender waits.
        cut: most bytes that one receive delivers, to try a reader on any cut.
        peers: what each end calls the other.
    """
    there, back = _Pipe(capacity, cut), _Pipe(capacity, cut)
    return MemoryStream(back, there, peers[0]), MemoryStream(there, back, peers[1])


class MemoryTransport:
    """Dials and listens by name, among the users of one instance.

    Args:
        capacity: see `stream_pair`.
        cut: see `stream_pair`.
    """

    def __init__(self, *, capacity: int = CAPACITY, cut: int | None = None) -> None:
        self._capacity = capacity
        self._cut = cut
        self._listeners: dict[str, MemoryListener] = {}
        self._dialed = itertools.count(1)

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """See `Transport.complete`. Any name will do."""
        if not address:
            raise EndpointError("the address is empty")
        return address

    async def dial(self, address: str, /) -> MemoryStream:
        """See `Transport.dial`."""
        listener = self._listeners.get(address)
        here, there = stream_pair(
            capacity=self._capacity, cut=self._cut, peers=(address, f"{address}#{next(self._dialed)}")
        )
        if listener is None or not listener.arrivals.offer(there):
            raise TransportError(f"cannot connect to {address}: connection refused")
        return here

    async def listen(self, address: str, /) -> MemoryListener:
        """See `Transport.listen`."""
        if address in self._listeners:
            raise TransportError(f"cannot listen on {address}: the address is in use; choose another")
        listener = self._listeners[address] = MemoryListener(address, self._listeners)
        return listener


class MemoryListener:
    """A name that is taken among the users of one `MemoryTransport`."""

    def __init__(self, address: str, listeners: dict[str, MemoryListener]) -> None:
        self.arrivals: AcceptQueue[MemoryStream] = AcceptQueue()
        self._address = address
        self._listeners = listeners

    @property
    def address(self) -> str:
        """The name."""
        return self._address

    async def accept(self) -> MemoryStream:
        """See `Listener.accept`."""
        return await self.arrivals.take()

    async def close(self) -> None:
        """See `Listener.close`."""
        if self._listeners.get(self._address) is self:
            del self._listeners[self._address]
        self.arrivals.close()
