"""When each row of a file is due, and sending it then: absolute deadlines, so that nothing drifts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from sttp import ticks
from sttp.measurement import Columns

__all__ = ["MOST_MEASUREMENTS", "Due", "Pace", "at_once", "at_own_times", "at_rate"]

MOST_MEASUREMENTS: Final = 4096
"""A batch is sent when it has as many: rows that are due together share batches, but none grows without end."""


class Due(NamedTuple):
    """A row, and when to send it.

    Attributes:
        seconds: after the start; none for as soon as possible.
        columns: the row.
    """

    seconds: float | None
    columns: Columns


def at_rate(rows: Iterable[Columns], per_second: float) -> Iterator[Due]:
    """So many rows a second, whatever their times."""
    return (Due(number / per_second, row) for number, row in enumerate(rows))


def at_once(rows: Iterable[Columns]) -> Iterator[Due]:
    """All rows, as fast as they can be sent."""
    return (Due(None, row) for row in rows)


def at_own_times(rows: Iterable[Columns]) -> Iterator[Due]:
    """Rows as far apart as their times say. Where time steps back, as in a loop, the last step is repeated."""
    seconds, step, last = 0.0, 0.0, None
    for row in rows:
        if len(row.ticks):
            moment = int(row.ticks[0])
            if last is not None:
                step = (moment - last) / ticks.TICKS_PER_SECOND if moment >= last else step
                seconds += step
            last = moment
        yield Due(seconds, row)


class Pace:
    """Waits for deadlines, and joins what is due to batches.

    Args:
        restamp: replace the times of the rows by those at which they are due.
        clock: seconds, never stepping back; for tests.
        sleep: waits for a number of seconds; for tests.
        now: the time in ticks; for tests.
    """

    def __init__(
        self,
        *,
        restamp: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], int] = ticks.now,
    ) -> None:
        self._restamp = restamp
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._start = clock()
        self._late = False

    def pause(self) -> None:
        """Say that time was lost that shall not be caught up: the next row is due now, and the others follow it."""
        self._late = True

    async def batches(self, rows: Iterable[Due]) -> AsyncIterator[Columns]:
        """The rows, each when it is due; rows that are due together in one batch."""
        waiting: list[Columns] = []
        count = 0
        for seconds, columns in rows:
            wait = self._wait(seconds)
            if waiting and (wait > 0 or count >= MOST_MEASUREMENTS):
                yield Columns.concatenate(waiting)
                waiting, count = [], 0
                wait = self._wait(seconds)
            if wait > 0:
                await self._sleep(wait)
            waiting.append(self._stamped(columns, seconds))
            count += len(columns.ticks)
        if waiting:
            yield Columns.concatenate(waiting)

    def _wait(self, seconds: float | None) -> float:
        if seconds is None:
            return 0.0
        if self._late:
            self._late = False
            self._start = self._clock() - seconds
        return self._start + seconds - self._clock()

    def _stamped(self, columns: Columns, seconds: float | None) -> Columns:
        if not self._restamp:
            return columns
        late = 0.0 if seconds is None else self._clock() - self._start - seconds
        moment = self._now() - round(late * ticks.TICKS_PER_SECOND)
        return columns._replace(ticks=np.full(len(columns.ticks), moment, np.int64))
