"""The man in the middle: a stream with the honest implementation, on which frames are rewritten as they pass."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from sttp.limits import DEFAULT_LIMITS
from sttp.transport import ByteStream, PeerIdentity
from sttp.wire.frame import FrameReader, write_frame
from sttp_conformance.faults import Fault, Gathers, Hears, HoldsOn, KeepsHalf, Overhears, Says, WantsWholeFrames
from sttp_conformance.rewrites import CLOSE, Close, Conversation, Delay, Item, Raw, all_of

__all__ = ["Middle"]

_LENGTH: Final = 4

_HELD: Final[list[ByteStream]] = []
"""Streams that nobody has closed, until the processes behind them are gone."""


class Middle:
    """A stream with an implementation, through the hands of the man in the middle.

    Args:
        inner: the stream with the honest implementation.
        faults: what is to be wrong. Rewrites come one after another; what is no fault of a stream is left alone.
        conversation: what he knows of it.
    """

    def __init__(self, inner: ByteStream, faults: Sequence[Fault], conversation: Conversation) -> None:
        self._inner = inner
        self._conversation = conversation
        says = [each.rewrite for each in faults if isinstance(each, Says)]
        hears = [each.rewrite for each in faults if isinstance(each, Hears)]
        self._says = all_of(*says) if says else None
        self._hears = all_of(*hears) if hears else None
        self._overhears = [each.told for each in faults if isinstance(each, Overhears)]
        self._gathers = sum(each.seconds for each in faults if isinstance(each, Gathers))
        self._wants_whole_frames = any(isinstance(each, WantsWholeFrames) for each in faults)
        self._keeps_half = any(isinstance(each, KeepsHalf) for each in faults)
        self._holds_on = any(isinstance(each, HoldsOn) for each in faults)
        self._from = FrameReader(DEFAULT_LIMITS.response)
        self._to = bytearray()  # of a frame that has not come whole; no limit holds here
        self._said: deque[Item] = deque()  # what takes the place of what it said
        self._due = bytearray()
        self._over = False
        self._buffer = bytearray(256 * 1024)

    @property
    def peer(self) -> str:
        """See `ByteStream.peer`."""
        return self._inner.peer

    @property
    def identity(self) -> PeerIdentity | None:
        """See `ByteStream.identity`."""
        return self._inner.identity

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """What the implementation says, rewritten."""
        if self._gathers:
            await asyncio.sleep(self._gathers)
        if self._says is None:
            return 0 if self._over else await self._inner.receive_into(buffer)
        while not self._due:
            if not self._said:
                count = 0 if self._over else await self._inner.receive_into(self._buffer)
                if not count:
                    return 0
                self._from.feed(self._buffer[:count])
                for frame in self._from:
                    self._said.extend(self._says(bytes(frame), self._conversation))
                    self._conversation.said += 1
            # what stands before a pause is heard before it
            while self._said and not (self._due and isinstance(self._said[0], Delay)):
                await self._pass(self._said.popleft(), self._due)
        count = min(len(buffer), len(self._due))
        buffer[:count] = self._due[:count]
        del self._due[:count]
        return count

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """What the implementation is to hear, rewritten."""
        rewrites = self._hears is not None or self._wants_whole_frames
        if not rewrites and not self._overhears:
            await self._inner.send(buffers)
            return
        out = bytearray()
        self._to += b"".join(buffers)
        while (frame := self._next_to_hear()) is not None:
            for told in self._overhears:
                told(frame, self._conversation)
            for item in self._hears(frame, self._conversation) if self._hears else (frame,):
                await self._pass(item, out)
            self._conversation.heard += 1
        if not rewrites:
            await self._inner.send(buffers)
            return
        if self._to and self._wants_whole_frames:
            await self._pass(CLOSE, out)
        if out and not self._over:
            await self._inner.send([bytes(out)])

    def _next_to_hear(self) -> bytes | None:
        end = _LENGTH + int.from_bytes(self._to[:_LENGTH], "big")
        if len(self._to) < max(end, _LENGTH):
            return None
        frame = bytes(self._to[_LENGTH:end])
        del self._to[:end]
        return frame

    async def _pass(self, item: Item, out: bytearray) -> None:
        match item:
            case Raw():
                out += item.data
            case Delay():
                await asyncio.sleep(item.seconds)
            case Close():
                self._over = True
                await self._inner.close()
            case _ if not self._over:
                out += write_frame(item)

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`."""
        if not self._keeps_half:
            await self._inner.send_eof()

    async def close(self) -> None:
        """See `ByteStream.close`."""
        if self._holds_on:
            _HELD.append(self._inner)
        else:
            await self._inner.close()

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        if self._holds_on:
            _HELD.append(self._inner)
        else:
            self._inner.abort()
