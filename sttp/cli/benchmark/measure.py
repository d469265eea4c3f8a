"""Plays a scenario: starts both ends, lets them warm up, and looks at them once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any, Final

from sttp.cli.benchmark.processes import OURS, BenchmarkError, End, end_process
from sttp.cli.benchmark.result import EndResult, Latency, Result, about_here
from sttp.cli.benchmark.scenario import Direction, Scenario
from sttp.metadata import simulated_metadata

__all__ = ["measure"]

_WARM_UP: Final = 0.5
_PATIENCE: Final = 30.0
"""Seconds within which every subscriber must have had its first measurement."""

_LOOK: Final = 0.02
_EACH: Final = 1.0
"""Seconds between looks while it is counted."""

Look = list[dict[str, Any]]
"""What the ends say at one time: the publisher, then the subscribers."""


async def measure(
    scenario: Scenario,
    progress: Callable[[str, float], None] = lambda text, share: None,
    *,
    commands: Mapping[str, Sequence[str]] = OURS,
) -> Result:
    """Play a scenario.

    Args:
        scenario: what is measured.
        progress: told now and then what happens, and which share of the time is over.
        commands: what runs a publisher and a subscriber.

    Raises:
        BenchmarkError: an end did not start, or nothing came through.
    """
    about = about_here()
    async with AsyncExitStack() as stack:
        progress("starting ...", 0.0)
        ends = await _start(scenario, stack, commands)
        await _until_all_receive(ends)
        await asyncio.sleep(min(_WARM_UP, scenario.seconds))
        looks = [await _look(ends)]
        latencies: list[float] = []
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while (left := scenario.seconds - (loop.time() - begin)) > 0:
            await asyncio.sleep(min(left, _EACH) if left < 2 * _EACH else _EACH)
            looks.append(await _look(ends))
            latencies += [each for end in looks[-1][1:] for each in end["latencies"]]
            progress(f"{_rate(looks[-2], looks[-1]) / 1e6:.2f} million/s", (loop.time() - begin) / scenario.seconds)
    return _result(scenario, about, looks, latencies)


async def _start(scenario: Scenario, stack: AsyncExitStack, commands: Mapping[str, Sequence[str]]) -> list[End]:
    """All ends, the publisher first. Whoever listens is started first, and says where."""
    tags = simulated_metadata(scenario.subscribers).dataset.table("MeasurementDetail").column("PointTag")
    filters = [scenario.filter_of(number, list(map(str, tags))) for number in range(scenario.subscribers)]

    async def start(role: str, *arguments: str) -> End:
        command = (*commands[role], scenario.to_json(), *arguments)
        return await stack.enter_async_context(end_process(role, *command))

    if scenario.direction is Direction.FORWARD:
        publisher = await start("publisher", scenario.url)
        url = (await publisher.hear())["url"]
        subscribers = [await start("subscriber", url, each) for each in filters]
        for each in subscribers:
            await each.hear()
    else:
        subscribers = [await start("subscriber", scenario.url, each) for each in filters]
        publisher = await start("publisher", *[(await each.hear())["url"] for each in subscribers])
        await publisher.hear()
    return [publisher, *subscribers]


async def _look(ends: list[End]) -> Look:
    return await asyncio.gather(*(end.ask() for end in ends))


async def _until_all_receive(ends: list[End]) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            while not all(end["measurements"] for end in await _look(ends)):  # noqa: ASYNC110 - in other processes
                await asyncio.sleep(_LOOK)
    except TimeoutError:
        raise BenchmarkError(f"not all subscribers got measurements within {_PATIENCE:g} s") from None


def _rate(before: Look, after: Look) -> float:
    """Measurements a second that all subscribers received between two looks."""
    return sum(EndResult.between(*pair).per_second for pair in zip(before[1:], after[1:], strict=True))


def _result(scenario: Scenario, about: dict[str, Any], looks: list[Look], latencies: list[float]) -> Result:
    first, last = looks[0], looks[-1]
    publisher, *subscribers = (EndResult.between(*pair) for pair in zip(first, last, strict=True))
    received = sum(end["measurements"] for end in last[1:]) - sum(end["measurements"] for end in first[1:])
    if not received:
        raise BenchmarkError("nothing came through")
    return Result(
        scenario=scenario,
        about=about,
        seconds=last[0]["time"] - first[0]["time"],
        rates=tuple(_rate(*pair) for pair in pairwise(looks)),
        bytes_per_measurement=(sum(end["bytes"] for end in last[1:]) - sum(end["bytes"] for end in first[1:]))
        / received,
        publisher=publisher,
        subscribers=tuple(subscribers),
        latency=Latency.of(latencies) if latencies else None,
        lost=sum(end["dropped"] for end in last) + sum(end["gaps"] for end in last[1:]),
    )
