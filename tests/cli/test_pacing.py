from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from sttp import ticks
from sttp.cli.pacing import MOST_MEASUREMENTS, Pace, at_once, at_own_times, at_rate
from sttp.measurement import Columns

START = ticks.from_iso("2026-03-14T12:00:00Z")
SECOND = ticks.TICKS_PER_SECOND


def row(seconds: float = 0.0, width: int = 1) -> Columns:
    return Columns.empty(width)._replace(ticks=np.full(width, START + round(seconds * SECOND), np.int64))


class Clock:
    """Time that passes only when somebody sleeps, and somewhat longer than asked for."""

    def __init__(self, oversleep: float = 0.0) -> None:
        self.time = 100.0
        self.oversleep = oversleep

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds + self.oversleep

    def now(self) -> int:
        return START + round(self.time * SECOND)

    def pace(self, *, restamp: bool = False) -> Pace:
        return Pace(restamp=restamp, clock=self, sleep=self.sleep, now=self.now)


def test_at_rate() -> None:
    assert [due.seconds for due in at_rate([row()] * 3, 50)] == [0, 0.02, 0.04]


def test_at_once() -> None:
    assert [due.seconds for due in at_once([row()] * 2)] == [None, None]


def test_at_own_times_keeps_the_distance_and_repeats_the_last_step_where_time_steps_back() -> None:
    rows = [row(5), row(5.5), row(6.5), row(5), row(5.5), row(0, width=0), row(6.5)]
    assert [due.seconds for due in at_own_times(rows)] == [0, 0.5, 1.5, 2.5, 3.0, 3.0, 4.0]


async def test_deadlines_do_not_drift() -> None:
    clock = Clock(oversleep=0.001)
    times = [clock.time async for _ in clock.pace().batches(at_rate([row()] * 1000, 100))]
    assert len(times) == 1000
    assert times[-1] - times[0] == pytest.approx(9.99, abs=0.01)


async def test_rows_that_are_due_together_share_a_batch_and_keep_their_order() -> None:
    clock = Clock()
    pace = clock.pace()
    rows = [row(n / 10) for n in range(10)]
    seen = []
    async for columns in pace.batches(at_own_times(rows)):
        seen.append(columns.ticks.tolist())
        clock.time += 0.35 if len(seen) == 1 else 0  # whoever sends is slow, once
    assert [len(batch) for batch in seen] == [1, 3, 1, 1, 1, 1, 1, 1]
    assert list(chain.from_iterable(seen)) == [int(each.ticks[0]) for each in rows]


async def test_no_batch_grows_without_end() -> None:
    rows = [row(width=MOST_MEASUREMENTS // 4)] * 10
    sizes = [len(columns.ticks) async for columns in Clock().pace().batches(at_once(rows))]
    assert sizes == [MOST_MEASUREMENTS, MOST_MEASUREMENTS, MOST_MEASUREMENTS // 2]


async def test_time_lost_in_a_pause_is_not_caught_up() -> None:
    clock = Clock()
    pace = clock.pace()
    times = []
    async for _ in pace.batches(at_rate([row()] * 5, 1)):
        times.append(clock.time - 100)
        if len(times) == 2:
            clock.time += 60
            pace.pause()
    assert times == [0, 1, 61, 62, 63]


async def test_restamped_rows_bear_the_time_at_which_they_are_due() -> None:
    clock = Clock(oversleep=0.005)
    stamps = [int(c.ticks[0]) async for c in clock.pace(restamp=True).batches(at_rate([row(width=2)] * 4, 10))]
    assert np.diff(stamps) == pytest.approx(SECOND / 10, abs=5)
    assert stamps[0] == START + 100 * SECOND


async def test_rows_that_are_due_at_once_are_restamped_with_the_time_of_sending() -> None:
    clock = Clock()
    (columns,) = [c async for c in clock.pace(restamp=True).batches(at_once([row(), row()]))]
    assert columns.ticks.tolist() == [clock.now()] * 2


async def test_no_rows_no_batches() -> None:
    assert [c async for c in Clock().pace().batches([])] == []
