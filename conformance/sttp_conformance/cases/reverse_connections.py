"""Reverse connections: who dials changes nothing, and whoever dials keeps dialing (wire.md 9.5, 9.7)."""

from __future__ import annotations

import asyncio
import time

from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.violation import Violation
from sttp_conformance.ways import Direction

REVERSE = (Direction.REVERSE,)
_TOO_OFTEN = 4.0
"""How many times as many attempts as back-off with jitter makes on average are too many."""


@check(PUBLISHER, directions=REVERSE)
async def dialing_publisher_dials_again(case: Case) -> None:
    """A publisher that dials comes again after an established connection was lost, and serves as before."""
    for lose in ("close", "abort"):
        async with case.subscriber() as peer:
            await peer.define_modes()
            await peer.subscribe()
            if lose == "abort":
                peer.abort()
    async with case.subscriber() as peer:
        await peer.define_modes()
        await peer.subscribe()


@check(PUBLISHER, directions=REVERSE, listen_first=False)
async def dialing_publisher_finds_a_late_listener(case: Case) -> None:
    """A publisher that dials keeps trying while nobody listens, and finds a listener that comes late."""
    case.require(not case.implementation.ended, "a process that keeps trying", case.implementation.ended)
    await asyncio.sleep(case.grace.start)  # its first attempt has failed
    await case.implementation.listen()
    async with case.subscriber() as peer:
        await peer.define_modes()


@check(PUBLISHER, directions=REVERSE, fresh=True)
async def dialing_publisher_finds_a_listener_again(case: Case) -> None:
    """A publisher that dials finds a subscriber again that stopped listening for a while."""
    async with case.subscriber() as peer:
        await peer.define_modes()
        await case.implementation.stop_listening()
    await asyncio.sleep(case.grace.quiet)
    await case.implementation.listen()
    async with case.subscriber() as peer:
        await peer.define_modes()


@check(PUBLISHER, directions=REVERSE, timers={"redial-base": 0.2, "redial-cap": 0.4})
async def dialing_publisher_does_not_hammer(case: Case) -> None:
    """A publisher that is turned away again and again waits longer and longer between its attempts."""
    implementation = case.implementation
    cap, during = case.timer("redial-cap"), 10 * case.timer("redial-cap")
    began = time.monotonic()
    while (left := during - (time.monotonic() - began)) > 0:
        try:
            stream = await implementation.connect(within=left + cap)
        except Violation:
            break  # no attempt within the time is what is wanted
        stream.abort()
    attempts = sum(began <= arrived <= began + during for arrived in implementation.arrivals)
    most = _TOO_OFTEN * during / (cap / 2)
    case.require(attempts <= most, f"at most {most:.0f} attempts within {during:.1f} s of being turned away", attempts)
    case.note(f"{attempts} attempts within {during:.1f} s")


@check(SUBSCRIBER, directions=REVERSE)
async def listening_subscriber_outlives_its_publishers(case: Case) -> None:
    """A subscriber that listens serves one publisher after another, however each leaves."""
    for lose in ("close", "abort", "close"):
        async with case.publisher() as peer:
            await peer.serve()
            if lose == "abort":
                peer.abort()


@check(SUBSCRIBER, directions=REVERSE, needs=("control:report",))
async def second_publisher_leaves_the_first_alone(case: Case) -> None:
    """A subscriber that listens serves its publisher on while another one comes and is turned away."""
    async with case.publisher() as first:
        await first.serve()
        second = await case.implementation.connect()
        await first.send(case.frame(0))
        frame = case.frame(1)
        await first.send(frame)
        received = await case.received(2)
        await second.close()
        case.require(received[1:] == rows(frame, SIGNALS), "the measurements of the first publisher", received)


@check(SUBSCRIBER, directions=REVERSE, needs=("control:report",))
async def old_caches_do_not_survive_the_connection(case: Case) -> None:
    """A subscriber forgets signal index caches and everything else of a session when its connection ends."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.send(case.frame(0))
        await case.received(1)
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        stale = case.frame(0)
        await peer.say(*peer.data_packets(stale, tssc=False))
        await peer.offer()
        fresh = case.frame(0)
        await peer.send(fresh)
        received = await case.received(1)
        case.require(received == rows(fresh, SIGNALS), "only measurements of the new session", received)
