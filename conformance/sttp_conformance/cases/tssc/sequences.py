"""How a subscriber follows a stream (tssc.md 9): gaps, the wrap of the sequence, and the decoder of each cache."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import numpy as np

from sttp.codes import Command
from sttp.measurement import Columns
from sttp.wire import commands, responses
from sttp.wire.tssc import TsscEncoder
from sttp_conformance.aftermath import recovers, report
from sttp_conformance.case import Case
from sttp_conformance.cases.tssc.by_hand import LAST_SEQUENCE, encoded, packet_of, serve
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.sessions import cache_goes_on, interleaved
from sttp_conformance.violation import NotSupported, Violation

_OUT_OF_STEP = 30.0
"""Seconds in which a subscriber that is out of step is to connect anew."""


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def decodes_nothing_behind_a_gap(case: Case) -> None:
    """Behind a gap in the sequence nothing is decoded; sequence 0, or a new connection, brings the stream back."""
    async with case.publisher() as peer:
        await serve(peer)
        sent = [case.frame(0, 1, 2) for _ in range(5)]
        blocks = encoded(TsscEncoder(), sent)
        await peer.say(*(packet_of(blocks[number]) for number in (0, 1, 3, 4)))
        got = await recovers(case, peer, tssc=True)
        wanted = rows(Columns.concatenate(sent[:2]), SIGNALS)
        case.require(got == wanted, f"only what came before the gap, {wanted}", got)


@check(SUBSCRIBER, slow=True, topic="")
async def connects_anew_when_no_reset_comes(case: Case) -> None:
    """A subscriber that is out of step connects anew when no packet with sequence 0 comes."""
    async with case.publisher() as peer:
        await serve(peer)
        encoder = TsscEncoder()
        first, _ = encoded(encoder, [case.frame(0), case.frame(0)])
        await peer.say(packet_of(first))
        deadline = time.monotonic() + _OUT_OF_STEP
        while time.monotonic() < deadline:
            # NoOP too, so that nobody takes what is dropped for silence
            await peer.say(*map(packet_of, encoded(encoder, [case.frame(0)])), responses.NoOP())
            try:
                if await peer.hear(within=0.2) is None:
                    break
            except TimeoutError:
                continue
        else:
            raise Violation(f"expected the end of the connection within {_OUT_OF_STEP:g} s of a gap, but it is up")
    async with case.publisher() as peer:
        await serve(peer)
        if case.can("report"):
            await report(case)  # what came before the gap
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, needs=("control:report",), slow=True, topic="")
async def follows_the_sequence_over_its_wrap(case: Case) -> None:
    """A subscriber takes the sequence number 1 behind 65535 for the next one."""
    async with case.publisher() as peer:
        await serve(peer)
        encoder, left = TsscEncoder(), LAST_SEQUENCE + 5
        while left:
            sent = [case.frame(left % 3) for _ in range(min(left, 1_000))]
            await peer.say(*map(packet_of, encoded(encoder, sent)))
            wanted, left = rows(Columns.concatenate(sent), SIGNALS), left - len(sent)
            received = await case.received(len(wanted))
            case.require(
                received == wanted, f"the measurements of {len(sent)} packets, {left} before the end", "others"
            )


@check(SUBSCRIBER, needs=("control:report",))
async def each_cache_has_a_decoder_of_its_own(case: Case) -> None:
    """Each cache has a decoder of its own, and a new cache one that begins with sequence 0."""
    async with case.publisher() as peer:
        await serve(peer)
        if not peer.modes.double_buffered:
            raise NotSupported("it asks for version 1, which has one signal index cache")
        for _ in range(3):
            await peer.send(case.frame(0, 1, 2), tssc=True)
        await case.received(9)
        sent = await interleaved(case, peer, SIGNALS.select(np.arange(len(SIGNALS))[::-1]), tssc=True)
        received = await case.received(len(sent))
        case.require(received == sent, f"both streams: {sent}", received)


@check(SUBSCRIBER, needs=("control:report", "control:subscribe"), fresh=True)
async def keeps_its_decoder_when_no_new_cache_comes(case: Case) -> None:
    """A Subscribe that brings no new cache leaves the decoder alone."""
    async with case.publisher() as peer:
        await serve(peer)
        await peer.send(case.frame(0, 1, 2), tssc=True)
        await case.received(3)
        asking = asyncio.create_task(case.control.ask("subscribe", filter="FILTER ActiveMeasurements WHERE True"))
        try:
            said = await peer.expect((commands.Unsubscribe, commands.Subscribe))
            if isinstance(said, commands.Unsubscribe):
                case.note("it sends Unsubscribe before it subscribes anew, and is given a new cache")
                await peer.say(responses.Succeeded(command=Command.UNSUBSCRIBE))
                await peer.wait_for_subscribe()
                await peer.offer(cache_index=1)
            else:
                await peer.say(responses.Succeeded(command=Command.SUBSCRIBE, text="Client subscribed as before."))
            sent = case.frame(0, 1, 2)
            await peer.send(sent, tssc=True)
            received = await case.received(3)
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, ControlError):
                await asking
        case.require(received == rows(sent, SIGNALS), f"the stream to go on: {rows(sent, SIGNALS)}", received)
