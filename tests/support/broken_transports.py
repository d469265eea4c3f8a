"""Ten transports, each broken in one way that authors fall into. The kit must find every one of them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sttp.transport import ByteStream, Listener, PeerIdentity, Transport, TransportError, load_plugins
from sttp.transport.memory import MemoryTransport

__all__ = ["BROKEN", "EndsBothWays", "Wrapping"]


class Wrapped:
    """A stream that does what another does."""

    def __init__(self, inner: ByteStream) -> None:
        self.inner = inner

    @property
    def peer(self) -> str:
        return self.inner.peer

    @property
    def identity(self) -> PeerIdentity | None:
        return self.inner.identity

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        return await self.inner.receive_into(buffer)

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        await self.inner.send(buffers)

    async def send_eof(self) -> None:
        await self.inner.send_eof()

    async def close(self) -> None:
        await self.inner.close()

    def abort(self) -> None:
        self.inner.abort()


class Wrapping:
    """A transport whose streams are wrapped in something."""

    def __init__(self, inner: Transport, wrap: Callable[[ByteStream], ByteStream]) -> None:
        self.inner = inner
        self.wrap = wrap

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        return self.inner.complete(address, port=port)

    async def dial(self, address: str, /) -> ByteStream:
        return self.wrap(await self.inner.dial(address))

    async def listen(self, address: str, /) -> Listener:
        return _Listener(await self.inner.listen(address), self.wrap)


class _Listener:
    def __init__(self, inner: Listener, wrap: Callable[[ByteStream], ByteStream]) -> None:
        self.inner = inner
        self.wrap = wrap

    @property
    def address(self) -> str:
        return self.inner.address

    async def accept(self) -> ByteStream:
        return self.wrap(await self.inner.accept())

    async def close(self) -> None:
        await self.inner.close()


class EndsBothWays(Wrapped):
    """Not broken, but of a medium that has no half-close: the end of one direction is that of both."""

    over = False

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        if self.over:
            return 0
        count = await self.inner.receive_into(buffer)
        self.over = self.over or not count
        return count

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        await self.inner.send(buffers)
        if self.over:
            raise TransportError("the other end no longer reads")

    async def send_eof(self) -> None:
        await self.inner.send_eof()
        self.over = True

    async def close(self) -> None:
        self.over = False
        await self.inner.close()

    def abort(self) -> None:
        self.over = False
        self.inner.abort()


class LosesTheRest(Wrapped):
    """Takes a message from its medium and drops what the receiver's buffer has no room for."""

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        if not len(buffer):
            return await self.inner.receive_into(buffer)
        message = bytearray(1000)
        count = min(await self.inner.receive_into(message), len(buffer))
        buffer[:count] = message[:count]
        return count


class EndsWithAnError(Wrapped):
    """Takes the end of the stream for a failure."""

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        count = await self.inner.receive_into(buffer)
        if not count:
            raise ConnectionResetError("the other end has gone")
        return count


class Reorders(Wrapped):
    """Sends short buffers ahead of long ones."""

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        await self.inner.send(sorted(buffers, key=len))


class Blocks(Wrapped):
    """Waits for its medium without letting anyone else have a turn."""

    blocked = False

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        if not self.blocked:
            self.blocked = True
            time.sleep(0.6)  # noqa: ASYNC251 - that is what is wrong with it
        await self.inner.send(buffers)


class SwallowsCancellation(Wrapped):
    """Catches too much while it waits."""

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                return await self.inner.receive_into(buffer)
        return await self.inner.receive_into(buffer)


class SaysItTwice(Wrapped):
    """After a receive that was cancelled it keeps what comes next for another try, also when it has been taken."""

    again = b""
    interrupted = False

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        if self.again and len(buffer):
            count = min(len(buffer), len(self.again))
            buffer[:count], self.again = self.again[:count], self.again[count:]
            return count
        try:
            count = await self.inner.receive_into(buffer)
        except asyncio.CancelledError:
            self.interrupted = True
            raise
        if self.interrupted:
            self.interrupted = False
            self.again = bytes(buffer[:count])
        return count


class KnowsOnlyItself(Wrapped):
    """Says who it is, and not who the other end is."""

    @property
    def identity(self) -> PeerIdentity | None:
        return PeerIdentity(name="myself")


class Lazy(Wrapped):
    """Connects at its first use."""

    def __init__(self, transport: Transport, address: str) -> None:
        self.connecting = lambda: transport.dial(address)
        self.address = address
        self.ended = False

    @property
    def peer(self) -> str:
        return self.address

    @property
    def identity(self) -> PeerIdentity | None:
        return None

    async def connected(self) -> ByteStream:
        if not hasattr(self, "inner"):
            self.inner = await self.connecting()
        return self.inner

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        return await (await self.connected()).receive_into(buffer)

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        await (await self.connected()).send(buffers)

    async def send_eof(self) -> None:
        await (await self.connected()).send_eof()

    async def close(self) -> None:
        if hasattr(self, "inner"):
            await self.inner.close()

    def abort(self) -> None:
        if hasattr(self, "inner"):
            self.inner.abort()


class ReportsLate(Wrapping):
    """Does not complain in dial that nobody listens, but at the first use of the stream."""

    async def dial(self, address: str, /) -> ByteStream:
        try:
            return await self.inner.dial(address)
        except Exception:  # noqa: BLE001 - that is what is wrong with it
            return Lazy(self.inner, address)


class Leaks(Wrapping):
    """Opens a socket more than it closes."""

    forgotten: list[socket.socket] = []  # noqa: RUF012 - they outlive the transport

    async def dial(self, address: str, /) -> ByteStream:
        stream = await self.inner.dial(address)
        self.forgotten.append(socket.socket())
        return stream


def _over_memory(wrap: Callable[[ByteStream], ByteStream]) -> Callable[[], tuple[Transport, str]]:
    return lambda: (Wrapping(MemoryTransport(), wrap), "hub")


BROKEN: dict[str, tuple[Callable[[], tuple[Transport, str]], str, str]] = {
    "lost short reads": (_over_memory(LosesTheRest), "any_cut", "what was sent is not what came"),
    "no backpressure": (lambda: (MemoryTransport(capacity=10**12), "hub"), "backpressure", "no backpressure"),
    "wrong end of stream": (
        _over_memory(EndsWithAnError),
        "half_close",
        "is taken for a broken stream: the other end has gone",
    ),
    "leaking sockets": (
        lambda: (Leaks(load_plugins().transports["tcp"], lambda stream: stream), "127.0.0.1:0"),
        "a_thousand_connects",
        "have left 1000 files",
    ),
    "reordering": (_over_memory(Reorders), "order", "what was sent is not what came"),
    "blocking the loop": (_over_memory(Blocks), "turns_of_others", "the event loop stood still for 0.6 s"),
    "swallowed cancellation": (
        _over_memory(SwallowsCancellation),
        "cancelling_is_heeded",
        "receive_into swallows cancellation",
    ),
    "duplicated bytes": (_over_memory(SaysItTwice), "a_cancelled_receive", "after cancelled receives comes b'p'"),
    "late errors": (
        lambda: (ReportsLate(MemoryTransport(), lambda stream: stream), "hub"),
        "nobody_listens",
        "a dial to nobody succeeds",
    ),
    "wrong identity": (_over_memory(KnowsOnlyItself), "identity", "of the listener a stream says .*myself"),
}
"""By name: makes one with an address to listen at, the check that is meant for it, and what that check must say."""
