"""A link that breaks without a word, neither reset nor error: both ends have to notice, and to return by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from network import INSIDE, OUTSIDE
from program import PATIENCE, Program
from recording import longest_gap
from stage import Stage

__all__ = ["both_ends_notice_and_return"]

_SUBSCRIBER_NOTICES: Final = (19.0, 23.0)
"""Seconds of silence after which a subscriber must have noticed: 20 by default, counted from the last byte."""

_PUBLISHER_NOTICES: Final = (24.0, 30.0)
"""The same for a publisher: 25 by default, counted from the first byte that nobody acknowledges."""

_DIAL_SECONDS: Final = 20.0
"""How long it may take until a dialing end has tried in vain: a wait of up to a second, and an attempt of 10."""

_BACK_SECONDS: Final = 15.0
"""How long it may take until measurements flow again: the wait between two attempts, and TCP's between two packets."""

_SLOWLY: Final = ("--simulate", "40@10")
"""40 signals, 10 times a second."""

_SOME_ROWS: Final = 400
"""Lines after which a stream counts as running."""


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a stream.

    Attributes:
        name: for people.
        program: what runs there.
        reason: what it must say when it notices that the other end is gone.
        seconds: the earliest and the latest that it may say so.
    """

    name: str
    program: Program
    reason: str
    seconds: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Stream:
    """The two ends of a stream that runs."""

    publisher: _End
    subscriber: _End


async def both_ends_notice_and_return(stage: Stage) -> None:
    """Let a stream run in reverse and one forward, break the link, and mend it when all four ends have noticed.

    Raises:
        SceneError: an end notices too early or too late, says so in other than one line, or does not come back.
    """
    async with _in_reverse(stage) as reverse, _forward(stage) as forward:
        ends = [reverse.subscriber, forward.subscriber, reverse.publisher, forward.publisher]
        stage.nft("-f", "silence.nft")
        broken = time.monotonic()
        stage.story.tell("router", "drops every packet from here on")
        for end in ends:
            await _notices(stage, end, broken)
        for dialing in (reverse.publisher, forward.subscriber):
            await dialing.program.says("no answer within 10 s", within=_DIAL_SECONDS, since=broken)
        stage.story.hold(True, "the two ends that dial have tried in vain")
        lines = [len(end.program.lines("disconnected", since=broken)) for end in ends]
        stage.story.hold(lines == [1, 1, 1, 1], "each end has reported the loss in one line")

        stage.nft("delete table inet silence")
        mended = time.monotonic()
        stage.story.tell("router", "lets packets pass again")
        await asyncio.gather(*(_returns(stage, each.subscriber, mended) for each in (reverse, forward)))
        for end in (reverse.publisher, forward.publisher, reverse.subscriber, forward.subscriber):
            await end.program.stop()


@asynccontextmanager
async def _in_reverse(stage: Stage) -> AsyncIterator[_Stream]:
    async with (
        stage.outside("subscribe", "reverse+tcp://:7165", "--format", "csv", listens=True) as subscriber,
        stage.inside("publish", f"reverse+tcp://{OUTSIDE}:7165", *_SLOWLY) as publisher,
    ):
        await subscriber.writes(_SOME_ROWS, within=PATIENCE)
        yield _stream("reverse", publisher, subscriber)


@asynccontextmanager
async def _forward(stage: Stage) -> AsyncIterator[_Stream]:
    """For comparison: it needs an opening in the filter, and the filter's counter for that has to count it."""
    stage.nft(f"insert rule inet secure_zone inward ip saddr {OUTSIDE} ip daddr {INSIDE} tcp dport 7165 accept")
    async with (
        stage.inside("publish", "tcp://:7165", *_SLOWLY, listens=True) as publisher,
        stage.outside("subscribe", f"tcp://{INSIDE}:7165", "--format", "csv") as subscriber,
    ):
        await subscriber.writes(_SOME_ROWS, within=PATIENCE)
        stage.story.hold(
            stage.net.counters()["inward_opened"] > 0, "this one was opened inward, and inward_opened has it"
        )
        yield _stream("forward", publisher, subscriber)


def _stream(direction: str, publisher: Program, subscriber: Program) -> _Stream:
    return _Stream(
        _End(f"{direction} publisher", publisher, "timed out", _PUBLISHER_NOTICES),
        _End(f"{direction} subscriber", subscriber, "the publisher sent nothing for 20 s", _SUBSCRIBER_NOTICES),
    )


async def _notices(stage: Stage, end: _End, broken: float) -> None:
    earliest, latest = end.seconds
    line = await end.program.says("disconnected", end.reason, within=latest + PATIENCE, since=broken)
    after = line.at - broken
    stage.story.hold(
        earliest <= after <= latest, f"the {end.name} noticed after {after:.1f} s ({earliest:g} to {latest:g} allowed)"
    )


async def _returns(stage: Stage, end: _End, mended: float) -> None:
    await end.program.writes(len(end.program.rows) + 1, within=_BACK_SECONDS)
    after, gap = time.monotonic() - mended, longest_gap(end.program.rows)
    stage.story.hold(
        True, f"the {end.name} had measurements again after {after:.1f} s; those of {gap:.1f} s are missing"
    )
