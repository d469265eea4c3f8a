"""How a subscriber follows (wire.md 5.4, 5.5): what it confirms, and the slots that it reads packets with."""

from __future__ import annotations

import asyncio

import numpy as np

from sttp.codes import Command
from sttp.wire import commands, responses
from sttp.wire.responses import UpdateSignalIndexCache
from sttp_conformance.cache_images import gzipped, references_of, write_image
from sttp_conformance.case import Case
from sttp_conformance.cases.signal_index_caches.sessions import _wrapped, double_buffered, permuted
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.picking import only
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.sessions import interleaved
from sttp_conformance.violation import Violation


@check(SUBSCRIBER)
async def confirms_each_cache_once(case: Case) -> None:
    """A subscriber confirms each cache once, as soon as it has read it, with an empty command."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        double_buffered(peer)
        await peer.wait_for_subscribe()
        for index in (0, 1, 0):
            await peer.say(
                UpdateSignalIndexCache(cache_index=index, image=_wrapped(peer, write_image(references_of(SIGNALS)))),
                *((responses.Succeeded(command=Command.SUBSCRIBE),) if index == 0 else ()),
            )
            await peer.expect(commands.ConfirmUpdateSignalIndexCache)
        await peer.expect_silence(what="one confirmation for each cache")
        said = [frame[4:] for speaker, frame in peer.recording.taken if speaker is not peer.role]
        confirms = [frame.hex(" ") for frame in said if frame[0] == Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE]
        case.require(confirms == ["0a"] * 3, "three confirmations without a payload", confirms)


@check(SUBSCRIBER, topic="")
async def does_not_confirm_a_broken_cache(case: Case) -> None:
    """A cache that cannot be read is not confirmed, and the next session is served."""
    good = write_image(references_of(SIGNALS))
    damaged = bytearray(gzipped(good))
    damaged[len(damaged) // 2] ^= 0xFF
    broken = {
        "an image that is cut": good[: len(good) // 2],
        "an image of 2^31-1 references": write_image(references_of(SIGNALS), count=2**31 - 1),
        "an image whose first source has a length of -1": good[:44] + b"\xff" * 4 + good[48:],
        "a gzip stream that is damaged": bytes(damaged),
    }
    for what, image in broken.items():
        async with case.publisher() as peer:
            await peer.accept_modes()
            double_buffered(peer)
            await peer.wait_for_subscribe()
            await peer.say(
                UpdateSignalIndexCache(cache_index=0, image=_wrapped(peer, image)),
                responses.Succeeded(command=Command.SUBSCRIBE),
            )
            await _no_confirm(case, peer, what)
    async with case.publisher() as peer:
        await peer.serve()


async def _no_confirm(case: Case, peer: ScriptedPublisher, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + case.grace.quiet
    try:
        while (command := await peer.hear(within=max(deadline - asyncio.get_running_loop().time(), 0))) is not None:
            if isinstance(command, commands.ConfirmUpdateSignalIndexCache):
                raise Violation(f"expected no confirmation of {what}, but it came")
    except TimeoutError:
        pass


@check(SUBSCRIBER, needs=("control:report",))
async def reads_each_packet_with_the_cache_that_it_names(case: Case) -> None:
    """Two caches are kept, and each packet is read with the one that it names, whatever came last."""
    async with case.publisher() as peer:
        await peer.serve()
        double_buffered(peer)
        sent = await interleaved(case, peer, permuted(3), tssc=False)
        received = await case.received(len(sent))
        case.require(received == sent, f"each measurement under the signal of its cache: {sent}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def follows_a_handover_that_it_did_not_ask_for(case: Case) -> None:
    """Handovers without a Subscribe are followed without loss; each cache replaces the one in its slot."""
    async with case.publisher() as peer:
        await peer.serve()
        sent: list[list[object]] = []
        for number in range(1, 5):
            signals = permuted(number)
            index = number % 2 if peer.modes.double_buffered else 0
            await peer.offer(signals, cache_index=index, succeed=False)
            for tssc in (False, peer.modes.compress_payload_data):
                frame = case.frame(*range(8))
                await peer.send(frame, tssc=tssc)
                sent += rows(frame, signals)
        received = await case.received(len(sent))
        case.require(received == sent, f"all measurements under their signals: {sent}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def drops_packets_of_an_empty_slot(case: Case) -> None:
    """From packets of a slot without a cache nothing is reported; what comes afterwards is."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        double_buffered(peer)
        await peer.wait_for_subscribe()
        await peer.send(case.frame(0, 1), tssc=False)
        await peer.offer()
        peer.active = 1
        await peer.send(case.frame(2, 3), tssc=False)
        peer.active = 0
        frame = case.frame(0, 1, 2)
        await peer.send(frame, tssc=False)
        received = await case.received(3)
        case.require(received == rows(frame, SIGNALS), f"only {rows(frame, SIGNALS)}", received)


@check(SUBSCRIBER, needs=("control:report", "control:subscribe", "control:unsubscribe"), fresh=True)
async def drops_packets_of_stale_slots(case: Case) -> None:
    """After Unsubscribe and Subscribe, packets of the cache from before are dropped until the new one is there."""
    async with case.publisher() as peer:
        await peer.serve()
        double_buffered(peer)
        await peer.send(case.frame(0), tssc=False)
        await case.received(1)
        await case.control.ask("unsubscribe")
        asking = asyncio.create_task(case.control.ask("subscribe", filter=only(SIGNALS, 3)))
        await peer.wait_for_subscribe()
        await peer.send(case.frame(0, 1), tssc=False)
        await peer.offer(SIGNALS.select(np.array([3])), cache_index=1)
        await asking
        frame = case.frame(0)
        await peer.send(frame, tssc=False)
        received = await case.received(1)
        wanted = rows(frame, SIGNALS.select(np.array([3])))
        case.require(received == wanted, f"only the measurement of the new subscription, {wanted}", received)
