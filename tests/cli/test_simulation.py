from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.cli.simulation import Simulation


@pytest.mark.parametrize(("text", "signals", "rate"), [("10", 10, 60), ("1@1", 1, 1), ("1048576@1000", 2**20, 1000)])
def test_parse(text: str, signals: int, rate: int) -> None:
    assert Simulation.parse(text) == Simulation(signals, rate)


@pytest.mark.parametrize("text", ["", "0", "x", "10@", "10@0", "@60", "10@1001", "1048577", "-1", "1.5", "10@60 ", "٣"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        Simulation.parse(text)


def test_a_time_stamp_names_its_frame() -> None:
    simulation = Simulation(1, 60)
    assert simulation.ticks(0) == ticks.UNIX_EPOCH
    assert [simulation.ticks(n) - ticks.UNIX_EPOCH for n in (1, 2, 60, 61)] == [166667, 333333, 10**7, 10166667]


@given(st.integers(1, 50), st.integers(0, 2**40))
def test_values_follow_from_the_numbers_of_signal_and_frame(signals: int, frame: int) -> None:
    columns = Simulation(signals).columns(frame)
    alone = Simulation(signals + 1).columns(frame).select(slice(signals))
    assert all(np.array_equal(one, other) for one, other in zip(columns, alone, strict=True))
    assert columns.signal_index.tolist() == list(range(signals))
    assert set(columns.ticks.tolist()) == {Simulation(signals).ticks(frame)}
    assert np.abs(columns.value - 60).max() < 0.05


def test_values_are_the_same_everywhere() -> None:
    columns = Simulation(3, 60).columns(103_000_000_123)
    assert columns.value.view(np.uint32).tolist() == [1114641321, 1114643882, 1114646443]


class Clock:
    def __init__(self, time: float) -> None:
        self.time = time
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


async def _times(clock: Clock, jumps: dict[int, float]) -> list[int]:
    """Frame numbers of six frames; after some of them the clock jumps."""
    simulation = Simulation(1, 10)
    frames: list[int] = []
    async for columns in simulation.frames(clock=clock, sleep=clock.sleep):
        frames.append((int(columns.ticks[0]) - ticks.UNIX_EPOCH) // (ticks.TICKS_PER_SECOND // 10))
        clock.time += jumps.get(len(frames), 0.0)
        if len(frames) == 6:
            return frames
    raise AssertionError("it ends never")


async def test_frames_begin_at_the_next_one_and_come_when_it_is_time() -> None:
    clock = Clock(1000.05)
    assert await _times(clock, {}) == [10001, 10002, 10003, 10004, 10005, 10006]
    assert clock.slept == pytest.approx([0.05] + [0.1] * 5)


async def test_a_little_delay_is_caught_up() -> None:
    assert await _times(Clock(1000.0), {2: 0.35}) == [10000, 10001, 10002, 10003, 10004, 10005]


async def test_after_a_long_delay_frames_are_left_out() -> None:
    assert await _times(Clock(1000.0), {2: 5.0}) == [10000, 10001, 10051, 10052, 10053, 10054]


async def test_when_the_clock_is_set_back_it_goes_on_from_there() -> None:
    assert await _times(Clock(1000.0), {2: -500.0}) == [10000, 10001, 5001, 5002, 5003, 5004]
