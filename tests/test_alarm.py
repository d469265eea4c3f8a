"""An alarm that may ring too early, and never too late."""

from __future__ import annotations

import asyncio
from time import monotonic

from sttp.alarm import Alarm


async def test_it_rings_not_later_than_the_earliest_time_that_was_set() -> None:
    rung = asyncio.Event()
    alarm = Alarm(rung.set)
    begin = monotonic()
    alarm.set(begin + 60)
    alarm.set(begin + 0.001)
    alarm.set(begin + 50)
    await rung.wait()
    assert monotonic() - begin < 30


async def test_it_can_be_set_again_by_whom_it_rings_up() -> None:
    rings: list[float] = []
    over = asyncio.Event()

    def ring() -> None:
        rings.append(monotonic())
        if len(rings) < 3:
            alarm.set(monotonic())
        else:
            over.set()

    alarm = Alarm(ring)
    alarm.set(monotonic() - 1)
    await over.wait()
    assert len(rings) == 3


async def test_it_is_silent_once_it_is_cancelled() -> None:
    rings: list[int] = []
    alarm = Alarm(lambda: rings.append(1))
    alarm.cancel()
    alarm.set(monotonic())
    alarm.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert rings == []
