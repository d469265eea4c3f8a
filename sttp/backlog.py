"""The backlog: what was published and somebody has yet to take, kept once, however many are to take it.

It is a chain of numbered *parts*, whose last one is empty: what is published next goes there. Everyone who takes has a
*place* in the chain. What lies before the places of all is forgotten, because nothing leads there any more. So what is
published is queued once, and only those are called who had nothing more to take. Who falls behind is looked for where
as much has come since the last look as may wait.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import numpy as np

from sttp.errors import OverrunError
from sttp.measurement import Columns, MeasurementBatch, SignalTable
from sttp.queues import MOST_BATCHES, Overflow

__all__ = ["PART_SIZE", "Backlog", "Part", "Place", "Run", "Runs", "Taker"]

PART_SIZE: Final = 16_384
"""Most measurements that are encoded at one go, so that one subscriber never holds up the others for long."""


class Part:
    """Measurements that are encoded at one go, or the empty end of the chain.

    Attributes:
        number: parts are numbered in the order in which they are published.
        before: how many measurements were published before it.
        batch: the measurements; None at the end.
        following: the part behind it; None at the end.
    """

    __slots__ = ("__weakref__", "batch", "before", "following", "number")

    def __init__(self, number: int, before: int) -> None:
        self.number = number
        self.before = before
        self.batch: MeasurementBatch | None = None
        self.following: Part | None = None


class Run(NamedTuple):
    """Parts that follow one another, with measurements of one table.

    Attributes:
        first: number of the first part.
        last: number of the last part.
        signals: what a signal index means.
        columns: their measurements.
    """

    first: int
    last: int
    signals: SignalTable
    columns: Columns


class Runs:
    """Makes runs. The newest is kept while its first part is: several streams come to it one after another."""

    def __init__(self) -> None:
        # several parts are put together here: new memory for each run would take longer than to fill it
        self._room = Columns.empty(PART_SIZE)
        self._newest: Run | None = None
        self._first: weakref.ref[Part] | None = None

    def at(self, first: Part) -> Run:
        """A part with those behind it, if they fit: one that is full costs less than many that are not.

        Args:
            first: not the end.

        Returns:
            The run; its columns are as they are until the next one is made.
        """
        batch = first.batch
        assert batch is not None, "the end of the backlog has no measurements"
        signals, last, limit = batch.signals, first, first.before + PART_SIZE
        several: list[Columns] = [batch.columns]
        while (
            (part := last.following) is not None
            and (batch := part.batch) is not None
            and batch.signals is signals
            and part.following is not None
            and part.following.before <= limit
        ):
            several.append(batch.columns)
            last = part
        if last is first:
            return Run(first.number, first.number, signals, several[0])
        newest = self._newest
        if newest is None or (newest.first, newest.last) != (first.number, last.number):
            newest = self._newest = Run(first.number, last.number, signals, self._together(several))
            self._first = weakref.ref(first, self._forget)
        return newest

    def _together(self, several: list[Columns]) -> Columns:
        size = sum(len(columns.signal_index) for columns in several)
        together = self._room.select(slice(size))
        for column, *pieces in zip(together, *several, strict=True):
            np.concatenate(pieces, out=column)
        return together

    def _forget(self, first: weakref.ref[Part]) -> None:
        if first is self._first:
            self._newest = self._first = None


class Backlog:
    """What one publisher has published.

    Args:
        limit: most measurements that may wait at each place. What is published at one go may be more, for one where
            nothing waits.
        overflow: what happens at a place where more would wait.
    """

    def __init__(self, limit: int, overflow: Overflow) -> None:
        self._limit = limit
        self._overflow = overflow
        self._end = Part(0, 0)
        self._places: dict[Place, None] = {}
        self._exhausted: dict[Place, None] = {}
        # no place was before this part when they were looked at last; only its numbers, it is not to be kept
        self._oldest, self._before_oldest = 0, 0
        self._room = asyncio.Event()
        #: whether somebody waits for room
        self.is_waited_for = False

    def append(self, batch: MeasurementBatch) -> bool:
        """Publish measurements, and tell those who had nothing more to take.

        Returns:
            False when the policy is to wait, and too much waits at some place: nothing was published. See `room`.
        """
        size = len(batch.columns.signal_index)
        end = self._end
        is_much = end.before + size - self._before_oldest > self._limit or end.number - self._oldest >= MOST_BATCHES
        if is_much and not self._make_room(size):
            return False
        if size <= PART_SIZE:
            self._link(batch, size)
        else:
            for begin in range(0, size, PART_SIZE):
                columns = batch.columns.select(slice(begin, begin + PART_SIZE))
                self._link(replace(batch, columns=columns), len(columns.signal_index))
        if self._exhausted and size:
            exhausted, self._exhausted = self._exhausted, {}
            for place in exhausted:
                place.taker.more_came()
        return True

    async def room(self) -> None:
        """Wait until somebody has taken something, or has left. One waits at a time."""
        self._room.clear()
        self.is_waited_for = True
        await self._room.wait()

    def enter(self, place: Place) -> Part:
        """Have a place among those that are to take all that is published from now on; return the end."""
        self._places[place] = None
        self._exhausted[place] = None
        return self._end

    def leave(self, place: Place) -> None:
        """Have no place any more."""
        self._places.pop(place, None)
        self._exhausted.pop(place, None)
        self.look_again()

    def tell_when_more(self, place: Place) -> None:
        """Tell a taker, who has taken everything, when there is more."""
        self._exhausted[place] = None

    def look_again(self) -> None:
        """Let those who wait for room look whether they still have to."""
        self.is_waited_for = False
        self._room.set()

    def _link(self, batch: MeasurementBatch, size: int) -> None:
        if size:  # any number of empty ones would not fill it
            end = self._end
            end.batch = batch
            end.following = self._end = Part(end.number + 1, end.before + size)

    def _make_room(self, size: int) -> bool:
        for place in tuple(self._places):
            while (waiting := self._too_many(place, size)) is not None:
                if not place.taker.active:
                    place.leave()
                elif self._overflow is Overflow.WAIT:
                    return False
                elif self._overflow is Overflow.DROP_OLDEST:
                    place.drop()
                else:
                    place.leave()
                    place.taker.overran(OverrunError(f"more than {waiting} are waiting to be taken"))
        parts = [place.part for place in self._places if place.part is not None]
        oldest = min(parts, key=lambda part: part.number, default=self._end)
        self._oldest, self._before_oldest = oldest.number, oldest.before
        return True

    def _too_many(self, place: Place, size: int) -> str | None:
        """What waits at a place where `size` measurements more would be too many; else None."""
        part, end = place.part, self._end
        if part is None or part is end:
            return None
        if end.number - part.number >= MOST_BATCHES:
            return f"{MOST_BATCHES} batches"
        return f"{self._limit} measurements" if end.before + size - part.before > self._limit else None


class Taker(Protocol):
    """Whoever stands at a place."""

    @property
    def active(self) -> bool:
        """Whether anything is still to be taken. Where it is not, the place is left instead of being too slow."""
        ...

    def more_came(self) -> None:
        """Something was published, where there was nothing more to take."""
        ...

    def overran(self, error: OverrunError) -> None:
        """So much has waited that the policy is to disconnect; the place has been left."""
        ...

    def count(self, batch: MeasurementBatch) -> int:
        """How many measurements of a batch it would have got; what is dropped is counted by it."""
        ...


class Place:
    """Where somebody stands in a backlog.

    Args:
        backlog: what is taken.
        taker: who stands there.

    Attributes:
        taker: who stands there.
        part: what is to be taken next, or the end of the backlog; None before `enter` and after `leave`.
        dropped: measurements that were lost, because too many waited.
    """

    __slots__ = ("_backlog", "dropped", "part", "taker")

    def __init__(self, backlog: Backlog, taker: Taker) -> None:
        self._backlog = backlog
        self.taker = taker
        self.part: Part | None = None
        self.dropped = 0

    def enter(self) -> None:
        """Take all that is published from now on; who is there already stays where it is."""
        if self.part is None:
            self.part = self._backlog.enter(self)

    def leave(self) -> None:
        """Take nothing more. What waits is forgotten, and does not count as dropped."""
        self.part = None
        self._backlog.leave(self)

    def look(self) -> Part | None:
        """The part to be taken next; None when there is none, and then the taker is told as soon as there is."""
        part = self.part
        if part is not None and part.batch is None:
            self._backlog.tell_when_more(self)
            return None
        return part

    def go_behind(self, number: int) -> None:
        """Have taken everything up to the part with this number."""
        part = self.part
        while part is not None and part.number <= number:
            part = part.following
        self.part = part
        if self._backlog.is_waited_for:
            self._backlog.look_again()

    def drop(self) -> None:
        """Lose the part that was to be taken next."""
        part = self.part
        if part is not None and part.batch is not None:
            self.dropped += self.taker.count(part.batch)
            self.part = part.following
