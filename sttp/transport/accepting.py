"""Streams that have arrived at a listener and that nobody has accepted yet."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar

from sttp.errors import TransportError
from sttp.transport.contract import ByteStream

__all__ = ["BACKLOG", "AcceptQueue"]

StreamT = TypeVar("StreamT", bound=ByteStream)

BACKLOG: Final = 128
"""Most streams that wait for `accept`. Each costs a file; the usual backlog of the system is as long."""


class AcceptQueue(Generic[StreamT]):
    """What a listener needs whose streams arrive by themselves: bounded, and safe to cancel."""

    def __init__(self) -> None:
        self._waiting: deque[StreamT] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def offer(self, stream: StreamT) -> bool:
        """Let `stream` wait to be accepted. False, and not taken, when the queue is full or closed."""
        if self._closed or len(self._waiting) >= BACKLOG:
            return False
        self._waiting.append(stream)
        self._changed.set()
        return True

    async def take(self) -> StreamT:
        """Wait for a stream. Cancelling loses none.

        Raises:
            TransportError: the queue is closed.
        """
        while not self._waiting:
            if self._closed:
                raise TransportError("the listener is closed")
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Abort the streams that wait and end every `take`."""
        self._closed = True
        while self._waiting:
            self._waiting.popleft().abort()
        self._changed.set()
