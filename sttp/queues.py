"""Bounded queues of measurement batches, and the named policies for when one is full."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sized
from enum import StrEnum
from typing import Final, Generic, TypeVar

from sttp.errors import OverrunError, STTPError

__all__ = ["MOST_BATCHES", "BatchQueue", "Overflow"]

B = TypeVar("B", bound=Sized)

MOST_BATCHES: Final = 65_536
"""Batches that wait at most, whatever the limit. Each takes a kilobyte besides its measurements, and may have one."""


class Overflow(StrEnum):
    """What happens to measurements that come faster than they are taken."""

    WAIT = "wait"
    """Whoever has more waits. Loses nothing: for replay from files."""
    DROP_OLDEST = "drop-oldest"
    """The oldest give way. Never waits: for live data."""
    DISCONNECT = "disconnect"
    """The connection ends, what was waiting is lost, and all begins anew: for those who prefer one gap to many."""


class BatchQueue(Generic[B]):
    """Batches between one producer and one consumer, bounded by the number of measurements in them.

    Args:
        limit: most measurements. A batch may have more when the queue is empty.
        overflow: what to do when it is full.

    Attributes:
        dropped: measurements that were lost here.
    """

    def __init__(self, limit: int, overflow: Overflow) -> None:
        self._limit = limit
        self._overflow = overflow
        self._batches: deque[tuple[B, int]] = deque()  # with their lengths, which take a while to ask for
        self._size = 0
        self._putters: set[asyncio.Future[None]] = set()
        self._takers: set[asyncio.Future[None]] = set()
        self._closed = False
        self._error: STTPError | None = None
        self.dropped = 0

    def offer(self, batch: B) -> bool:
        """Put a batch in without waiting. An empty one is swallowed: any number of them would not fill the queue.

        Returns:
            False when the queue is full and its policy is to wait. Nothing was taken.

        Raises:
            OverrunError: the queue is full and its policy is to disconnect.
        """
        length = len(batch)
        if self._closed or not length:
            return True
        if self._batches and self._lacks_room(length):
            match self._overflow:
                case Overflow.WAIT:
                    return False
                case Overflow.DISCONNECT:
                    raise OverrunError(f"more than {self._most} are waiting to be taken")
                case Overflow.DROP_OLDEST:
                    while self._batches and self._lacks_room(length):
                        self.dropped += len(self._pop())
        self._batches.append((batch, length))
        self._size += length
        if self._takers:
            _wake(self._takers)
        return True

    def force(self, batch: B) -> None:
        """Put a batch in, whatever the limit."""
        if not self._closed and (length := len(batch)):
            self._batches.append((batch, length))
            self._size += length
            _wake(self._takers)

    async def room(self) -> None:
        """Wait until something has been taken from a full queue, it has been cleared or closed, or `look_again`."""
        await _woken(self._putters)

    def look_again(self) -> None:
        """Let those who wait for room look whether they still have to."""
        _wake(self._putters)

    async def batches(self) -> AsyncGenerator[B, None]:
        """Iterate over the batches as they come, until the queue was closed and is empty.

        Raises:
            STTPError: what the queue was closed with, once it is empty.
        """
        while True:
            while self._batches:
                yield self._pop()
            if self._closed:
                break
            await _woken(self._takers)
        if self._error is not None:
            raise self._error

    def close(self, error: STTPError | None = None) -> None:
        """Take no more, and let nobody wait. What is in the queue can still be taken."""
        if not self._closed:
            self._closed = True
            self._error = error
        _wake(self._putters)
        _wake(self._takers)

    def drop(self) -> None:
        """Lose everything in the queue, and count it as dropped."""
        while self._batches:
            self.dropped += len(self._pop())

    def clear(self) -> None:
        """Forget everything in the queue; that does not count as dropped."""
        self._batches.clear()
        self._size = 0
        _wake(self._putters)

    def _lacks_room(self, length: int) -> bool:
        return self._size + length > self._limit or len(self._batches) >= MOST_BATCHES

    @property
    def _most(self) -> str:
        if len(self._batches) >= MOST_BATCHES:
            return f"{MOST_BATCHES} batches"
        return f"{self._limit} measurements"

    def _pop(self) -> B:
        batch, length = self._batches.popleft()
        self._size -= length
        if self._putters:
            _wake(self._putters)
        return batch


# What follows is `asyncio.Event` without its state: what is waited for is looked at in the queue itself.


def _woken(waiting: set[asyncio.Future[None]]) -> asyncio.Future[None]:
    """What to await in order to be woken by the next `_wake`."""
    if waiting:  # those whose tasks were cancelled meanwhile
        waiting.difference_update([each for each in waiting if each.done()])
    mine: asyncio.Future[None] = asyncio.Future()
    waiting.add(mine)
    return mine


def _wake(waiting: set[asyncio.Future[None]]) -> None:
    for each in waiting:
        if not each.done():
            each.set_result(None)
    waiting.clear()
