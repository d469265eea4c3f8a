"""A tap on streams: a layer that writes down every byte that passes, in the order in which it passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sttp.codes import Role
from sttp.transport import ByteStream, Listener, PeerIdentity, Transport

__all__ = ["Recording", "Tap"]


@dataclass(eq=False)
class Recording:
    """One stream.

    Attributes:
        chunks: who spoke, and the bytes of one read or write.
        over: set when this end has closed the stream.
    """

    chunks: list[tuple[Role, bytes]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, speaker: Role, data: bytes) -> None:
        """Write down what passes."""
        self.chunks.append((speaker, data))
        self._grown.set()

    async def ends_with(self, data: bytes) -> None:
        """Wait until the last chunk ends with `data`."""
        await self.until(lambda: bool(self.chunks) and self.chunks[-1][1].endswith(data))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is looked at whenever something passes."""
        while not condition():
            self._grown.clear()
            await self._grown.wait()

    def said_by(self, role: Role) -> bytes:
        """All bytes of one speaker."""
        return b"".join(data for speaker, data in self.chunks if speaker is role)


class Tap:
    """A layer that changes nothing. Both ends need not have it.

    Args:
        at: the role of the end that it is put at, so that a recording can say who spoke.

    Attributes:
        recordings: every stream that came up, whoever dialed.
        streams: the streams themselves.
    """

    def __init__(self, at: Role = Role.PUBLISHER) -> None:
        self.at = at
        self.recordings: list[Recording] = []
        self.streams: list[ByteStream] = []
        self._came_up = asyncio.Event()

    async def first(self) -> Recording:
        """The recording of the first stream, as soon as there is one."""
        await self._came_up.wait()
        return self.recordings[0]

    def over(self, inner: Transport, /) -> Transport:
        """See `Layer.over`."""
        return _Transport(inner, self)

    def record(self, stream: ByteStream) -> ByteStream:
        """The same stream, recorded from now on."""
        self.recordings.append(Recording())
        self.streams.append(stream)
        self._came_up.set()
        return _Stream(stream, self.at, self.recordings[-1])


class _Transport:
    def __init__(self, inner: Transport, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        return self._inner.complete(address, port=port)

    async def dial(self, address: str, /) -> ByteStream:
        return self._tap.record(await self._inner.dial(address))

    async def listen(self, address: str, /) -> Listener:
        return _Listener(await self._inner.listen(address), self._tap)


class _Listener:
    def __init__(self, inner: Listener, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap

    @property
    def address(self) -> str:
        return self._inner.address

    async def accept(self) -> ByteStream:
        return self._tap.record(await self._inner.accept())

    async def close(self) -> None:
        await self._inner.close()


class _Stream:
    def __init__(self, inner: ByteStream, at: Role, recording: Recording) -> None:
        self._inner = inner
        self._at = at
        self._recording = recording

    @property
    def peer(self) -> str:
        return self._inner.peer

    @property
    def identity(self) -> PeerIdentity | None:
        return self._inner.identity

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        count = await self._inner.receive_into(buffer)
        if count:
            self._recording.add(self._at.other, bytes(buffer[:count]))
        return count

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        self._recording.add(self._at, b"".join(buffers))
        await self._inner.send(buffers)

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def close(self) -> None:
        self._recording.over.set()
        await self._inner.close()

    def abort(self) -> None:
        self._recording.over.set()
        self._inner.abort()
