"""Replays of the past (wire.md 9.9, 4.3, 7.3): spans of time, and how they are asked for and ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from sttp import ticks
from sttp.codes import Command, Role
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.grid import SIGNALS
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_subscriber import EVERYTHING, ScriptedSubscriber
from sttp_conformance.sessions import cache_goes_on, said
from sttp_conformance.violation import NotSupported

_START, _STOP = "2025-12-01 00:00:00", "2025-12-01 00:01:00"
_TOLERANCE: Final = 20 * ticks.TICKS_PER_SECOND
"""How far the clocks of the two ends may be apart, with the time that a Subscribe is under way."""


async def _ask(peer: ScriptedSubscriber, start: str, stop: str) -> str:
    """Ask for a span of the past, and confirm the signal index cache if it is granted.

    Returns:
        Why it is refused; empty if it is not.
    """
    options = SubscriptionOptions(filter_expression=EVERYTHING, start_time=start, stop_time=stop)
    await peer.say(commands.Subscribe(connection_string=options.to_connection_string()))
    succeeded = cached = False
    while not (succeeded and cached):
        answer = await peer.expect(
            (responses.Succeeded, responses.Failed, responses.UpdateSignalIndexCache),
            lambda each: getattr(each, "command", None) == Command.SUBSCRIBE,
            what=f"an answer to Subscribe from {start} to {stop}",
            harmless=(responses.NoOP, responses.Succeeded, responses.DataStartTime, responses.UpdateBaseTimes),
        )
        if isinstance(answer, responses.Failed):
            return answer.text or "refused without a reason"
        if isinstance(answer, responses.UpdateSignalIndexCache):
            peer.packets.response(answer)
            cached = True
        else:
            succeeded = True
    await peer.say(commands.ConfirmUpdateSignalIndexCache())
    return ""


async def _arriving(peer: ScriptedSubscriber, *, within: float) -> tuple[list[int], bool]:
    """Take measurements until the end of the replay is told, or for some seconds.

    Returns:
        Their times, and whether the end was told.
    """
    found: list[int] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while (message := await peer.hear()) is not None:
                if isinstance(message, responses.ProcessingComplete):
                    return found, True
                if isinstance(message, DataPacket | responses.UpdateBaseTimes):
                    measured = peer.packets.response(message)
                    if isinstance(measured, Measurements):
                        found += measured.rows["ticks"].tolist()
    return found, False


@check(PUBLISHER)
async def serves_the_past_or_refuses_it(case: Case) -> None:
    """A Subscribe for a span of the past is served from it or refused; it is not quietly served in real time."""
    async with case.subscriber() as peer:
        await peer.begin()
        refused = await _ask(peer, _START, _STOP)
        await peer.fence()
        if case.can("publish"):
            await case.publish(case.frame(0, 1), SIGNALS)
        times, _ = await _arriving(peer, within=case.grace.quiet)
        if refused:
            case.require(not times, "no data after a refusal", f"{len(times)} measurements")
        outside = [each for each in times if not _lies_in(each, _START, _STOP)]
        case.require(not outside, f"data from {_START} to {_STOP}", [ticks.to_iso(each) for each in outside[:3]])


def _lies_in(time: int, start: str, stop: str) -> bool:
    return ticks.from_iso(start.replace(" ", "T")) <= time <= ticks.from_iso(stop.replace(" ", "T"))


@check(PUBLISHER, needs=("temporal",))
async def tells_the_end_of_a_replay(case: Case) -> None:
    """A publisher tells the end of a replay with ProcessingComplete, and keeps the connection."""
    async with case.subscriber() as peer:
        await peer.begin()
        if refused := await _ask(peer, _START, _STOP):
            raise NotSupported(f"a replay is refused: {refused}")
        _, is_told = await _arriving(peer, within=case.grace.reply)
        case.require(is_told, "ProcessingComplete at the end of a replay", peer.ended or "silence")
        await peer.fence()
        await peer.say(commands.Unsubscribe())
        await peer.answer(Command.UNSUBSCRIBE, "Unsubscribe")


@check(PUBLISHER, needs=("temporal",), topic="")
async def reads_every_form_of_replay_times(case: Case) -> None:
    """Times of a replay are read in each form: absolute, * for now, and * with a distance in s, m, h or d."""
    async with case.subscriber() as peer:
        await peer.begin()
        for start, stop, ago, length in (
            (_written(3600), _written(3540), 3600, 60),
            ("*-3600s", "*-3540s", 3600, 60),
            ("*-60m", "*-59m", 3600, 60),
            ("*-1h", "*-59m", 3600, 60),
            ("*-1441m", "*-1d", 86460, 60),
            ("*-30s", "*", 30, 30),
            ("*-30s", "*-0s", 30, 30),
        ):
            begin = ticks.now() - ago * ticks.TICKS_PER_SECOND
            refused = await _ask(peer, start, stop)
            case.require(not refused, f"a replay from {start} to {stop}", f"a refusal: {refused}")
            times, _ = await _arriving(peer, within=case.grace.reply)
            first, last = begin - _TOLERANCE, begin + length * ticks.TICKS_PER_SECOND + _TOLERANCE
            outside = [each for each in times if not first <= each <= last]
            case.require(
                not outside,
                f"data from {ticks.to_iso(first)} to {ticks.to_iso(last)} for {start} to {stop}",
                [ticks.to_iso(each) for each in outside[:3]],
            )


def _written(ago: float) -> str:
    """A time so many seconds ago as gsfapi writes it, in UTC."""
    return f"{datetime.now(UTC) - timedelta(seconds=ago):%Y-%m-%d %H:%M:%S.%f}0"


# --- subscribers


@check(SUBSCRIBER, needs=("control:replay", "temporal"), fresh=True)
async def replay_parameters_are_wrapped_in_braces(case: Case) -> None:
    """Parameters of a replay with a semicolon or an equals sign are sent in braces, and read back unchanged."""
    parameters = "speed=2;from=archive {B;C=D}"
    async with case.publisher() as peer:
        await peer.serve()
        asking = asyncio.create_task(
            case.control.ask("replay", filter=EVERYTHING, start=_START, stop=_STOP, parameters=parameters)
        )
        try:
            asked = await peer.wait_for_subscribe()
            await peer.say(responses.Failed(command=Command.SUBSCRIBE, text="There is no archive."))
            with suppress(ControlError):
                await asking
        finally:
            asking.cancel()
        got = asked.constraint_parameters
        case.require(got == parameters, f"timeConstraintParameters {parameters!r}", repr(got))
        span = asked.start_time, asked.stop_time
        case.require(span == (_START, _STOP), f"the span {_START} to {_STOP}", f"{span[0]} to {span[1]}")


@check(SUBSCRIBER, needs=("control:subscribe",), fresh=True)
async def ignores_processing_complete_behind_a_refusal(case: Case) -> None:
    """ProcessingComplete behind a refused Subscribe, as cppapi sends it, ends neither session nor subscription."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
        asking = asyncio.create_task(case.control.ask("subscribe", filter=f"{EVERYTHING};{SIGNALS[0].signal_id}"))
        try:
            await peer.wait_for_subscribe()
            await peer.say(
                responses.Failed(command=Command.SUBSCRIBE, text="Temporal subscriptions are not supported."),
                responses.ProcessingComplete(text="00000000-0000-0000-0000-000000000000"),
            )
            with suppress(ControlError):
                await asking
        finally:
            asking.cancel()
        await cache_goes_on(case, peer)
        await peer.expect_silence(what="that the connection stays up")
        left = [each for each in said(peer.recording, Role.SUBSCRIBER) if each[0] == Command.UNSUBSCRIBE]
        case.require(not left, "no Unsubscribe of a subscription that goes on", len(left))
