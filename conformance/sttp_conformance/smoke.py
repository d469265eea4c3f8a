"""The smoke test: in seconds it tells a broken adapter from a broken implementation, and measures the round trip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sttp.codes import Role
from sttp.errors import STTPError
from sttp.transport import ByteStream
from sttp_conformance.adapter import QUICK_TIMERS, Adapter
from sttp_conformance.control import ControlError, UnsupportedRequest
from sttp_conformance.grace import Grace
from sttp_conformance.implementation import Implementation
from sttp_conformance.launcher import LaunchError
from sttp_conformance.recording import Recording
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import ScriptedSubscriber
from sttp_conformance.violation import Violation
from sttp_conformance.ways import ENDS, Way

__all__ = ["UNKNOWN_REQUEST", "Smoke", "SmokeLine", "smoke"]

UNKNOWN_REQUEST: Final = "do-what-nobody-knows"
"""A request that no implementation knows: it must be answered with `unsupported`."""

_AT_ONCE: Final = 2
_SAMPLES: Final = 5
_LAST_WORDS: Final = 1.0
"""Seconds that a process has to end after it has closed its connection, and to say why."""


@dataclass(frozen=True, slots=True)
class SmokeLine:
    """What came of one end.

    Attributes:
        end: what the adapter calls it.
        way: how it was met.
        works: whether it does.
        adapter_is_broken: whether the adapter is to blame, not the implementation.
        text: one line for people.
        round_trip: seconds until it answered; 0 when it did not.
        start: seconds until it was up; 0 when it was not.
    """

    end: str
    way: Way
    works: bool
    adapter_is_broken: bool
    text: str
    round_trip: float = 0.0
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class Smoke:
    """What came of all ends."""

    lines: tuple[SmokeLine, ...]

    @property
    def round_trip(self) -> float:
        """The longest round trip, in seconds; 0 when nothing answered."""
        return round(max((line.round_trip for line in self.lines), default=0.0), 6)

    @property
    def grace(self) -> Grace:
        """How long checks wait."""
        return Grace.of(self.round_trip, max((line.start for line in self.lines), default=0.0))

    def broken(self, end: str, way: Way) -> str:
        """Why the adapter does not work for an end; empty when it does, or when it was not tried."""
        return next(
            (line.text for line in self.lines if (line.end, line.way) == (end, way) and line.adapter_is_broken), ""
        )


async def smoke(adapter: Adapter, ways: list[Way], run: Path, roles: Collection[Role] = tuple(Role)) -> Smoke:
    """Try every end of some roles that the adapter has, in every way."""
    gate = asyncio.Semaphore(1 if adapter.addresses else _AT_ONCE)

    async def one(end: str, role: Role, way: Way) -> SmokeLine:
        async with gate:
            return await _try(adapter, end, role, way, run)

    wanted = [
        (end, role, way)
        for way in ways
        for end, (role, direction) in ENDS.items()
        if role in roles and direction is way.direction and adapter.has_end(role, direction)
    ]
    return Smoke(tuple(await asyncio.gather(*(one(*each) for each in wanted))))


async def _try(adapter: Adapter, end: str, role: Role, way: Way, run: Path) -> SmokeLine:
    began = time.monotonic()
    try:
        async with Implementation(adapter, role, way, QUICK_TIMERS, run) as implementation:
            stream = await implementation.connect()
            try:
                took = time.monotonic() - began
                await _ask_the_unknown(implementation)
                round_trip = await _greet(role, stream)
            except ControlError:
                raise
            except Violation as error:
                ended = await implementation.has_ended(within=_LAST_WORDS)
                how = f"; its process ended with {ended}" if ended else ""
                text = f"{end} ({way}): the implementation does not answer: {error}{how}"
                return SmokeLine(end, way, False, False, text)
            finally:
                await stream.close()
    except (LaunchError, ControlError, Violation, STTPError) as error:
        text = str(error).removeprefix(f"{end}: ")
        return SmokeLine(end, way, False, True, f"{end} ({way}): the adapter does not work: {text}")
    text = f"{end} ({way}): works; up after {took:.2f} s, answers within {1000 * round_trip:.1f} ms"
    return SmokeLine(end, way, True, False, text, round_trip, took)


async def _ask_the_unknown(implementation: Implementation) -> None:
    if implementation.control is not None:
        with suppress(UnsupportedRequest):
            await implementation.control.ask(UNKNOWN_REQUEST)
            raise ControlError(f"the unknown request {UNKNOWN_REQUEST!r} is not answered with unsupported")


async def _greet(role: Role, stream: ByteStream) -> float:
    if role is Role.PUBLISHER:
        return await _greet_publisher(ScriptedSubscriber(stream, Grace(), Recording()))
    return await _greet_subscriber(ScriptedPublisher(stream, Grace(), Recording()))


async def _greet_publisher(subscriber: ScriptedSubscriber) -> float:
    """The median time that a publisher takes to answer."""
    await subscriber.begin()
    samples = []
    for _ in range(_SAMPLES):
        began = time.monotonic()
        await subscriber.fence()
        samples.append(time.monotonic() - began)
    return sorted(samples)[_SAMPLES // 2]


async def _greet_subscriber(publisher: ScriptedPublisher) -> float:
    """The time that a subscriber takes from the answer to its modes to its next command."""
    await publisher.accept_modes()
    began = time.monotonic()
    await publisher.wait_for_subscribe()
    return time.monotonic() - began
