"""The processing interval (wire.md 7.9): the speed of a replay, which a live subscription may hear of too."""

from __future__ import annotations

from sttp.codes import Command, Role
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_subscriber import ScriptedSubscriber
from sttp_conformance.sessions import goes_on, said, same_rows, streaming

_INTERVALS = (33, 0, -1)
"""Milliseconds: one frame of thirty in a second, as fast as possible, and the default."""


@check(PUBLISHER)
async def answers_update_processing_interval(case: Case) -> None:
    """A publisher answers UpdateProcessingInterval, with Succeeded or Failed, subscribed or not."""
    async with case.subscriber() as peer:
        await peer.begin()
        for each in _INTERVALS:
            await peer.say(commands.UpdateProcessingInterval(milliseconds=each))
            await peer.fenced()
        subscription = await peer.subscribe()
        for each in _INTERVALS:
            await peer.say(commands.UpdateProcessingInterval(milliseconds=each))
            await peer.fenced()
        await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def refuses_a_short_processing_interval(case: Case) -> None:
    """A publisher answers UpdateProcessingInterval of fewer than four bytes with Failed, and keeps the connection."""
    async with case.subscriber() as peer:
        await peer.begin()
        for payload in (b"", b"\0", b"\0\x21", b"\0\0\x21"):
            await peer.say(frame(bytes((Command.UPDATE_PROCESSING_INTERVAL,)), payload))
            answer = await peer.answer(Command.UPDATE_PROCESSING_INTERVAL, "UpdateProcessingInterval")
            case.require(isinstance(answer, responses.Failed), f"Failed for {len(payload)} bytes", "Succeeded")
        await goes_on(case, peer, await peer.subscribe())


@check(PUBLISHER, needs=("control:publish",))
async def processing_interval_leaves_the_stream_alone(case: Case) -> None:
    """UpdateProcessingInterval does not disturb a live subscription: no measurement is lost, repeated or held back."""
    async with streaming(case) as (peer, subscription):
        for each in (*_INTERVALS, 1000):
            await _changes(peer, each)
            frame = case.frame(*subscription.indexes)
            await case.publish(frame, subscription.signals)
            arrived = await peer.measurements(len(subscription.indexes))
            same_rows(case, arrived, Measurements.of(frame, subscription.signals))
        await _changes(peer, -1)


async def _changes(peer: ScriptedSubscriber, milliseconds: int) -> None:
    """Ask for an interval. No measurement may come before the answer: all that were published have come."""
    await peer.say(commands.UpdateProcessingInterval(milliseconds=milliseconds))
    await peer.expect((responses.Succeeded, responses.Failed), what="an answer to UpdateProcessingInterval alone")


@check(SUBSCRIBER, needs=("control:processing-interval",))
async def processing_interval_is_four_bytes(case: Case) -> None:
    """A subscriber sends the processing interval as an i32 of milliseconds and nothing else."""
    async with case.publisher() as peer:
        await peer.serve()
        for each in (*_INTERVALS, 100_000):
            before = len(said(peer.recording, Role.SUBSCRIBER))
            await case.control.ask("processing-interval", milliseconds=each)
            wanted = bytes((Command.UPDATE_PROCESSING_INTERVAL,)) + each.to_bytes(4, "big", signed=True)
            code = wanted[0]
            while not (heard := [one for one in said(peer.recording, Role.SUBSCRIBER)[before:] if one[0] == code]):
                await peer.hear_frame()
            case.require(heard == [wanted], f"one frame [{wanted.hex(' ')}]", [one.hex(" ") for one in heard])
            await peer.say(responses.Succeeded(command=code, text="Processing interval changed."))
