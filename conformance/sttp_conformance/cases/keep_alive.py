"""Keep-alive (wire.md 7.8): NoOP, silence that is allowed, and silence that is not."""

from __future__ import annotations

import time

from sttp.codes import Response, Role
from sttp.wire import responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.scripted_peer import frame
from sttp_conformance.sessions import cache_goes_on, goes_on, said, streaming

_PERIOD = 0.5
_DEAD = 1.0
_LONG_DEAD = 4.0
"""Seconds: this end must not fall silent for so long itself, on a machine that has other things to do."""

_SILENCE = 35.0
"""Seconds: some publishers take a subscriber that says nothing for thirty for dead, and must not."""


@check(PUBLISHER, timers={"keep-alive": _PERIOD}, topic="")
async def sends_noop_while_idle(case: Case) -> None:
    """A publisher sends empty NoOPs about every five seconds, or as often as it was told to, while it has no data."""
    period = case.timer("keep-alive")
    async with case.subscriber() as peer:
        await peer.begin()
        moments: list[float] = []
        while len(moments) < 3:
            await peer.find(responses.NoOP, within=2 * period + case.grace.reply)
            moments.append(time.monotonic())
        took = (moments[-1] - moments[0]) / 2
        case.require(
            period / 2 <= took <= 1.5 * period + case.grace.quiet, f"a NoOP about every {period:g} s", f"{took:.2f} s"
        )
        for each in said(peer.recording, Role.PUBLISHER):
            case.require(each[0] != Response.NOOP or len(each) == 6, "NoOPs without a payload", each.hex(" "))


@check(PUBLISHER, timers={"keep-alive": _PERIOD}, topic="")
async def sends_noop_before_the_modes_and_while_streaming(case: Case) -> None:
    """A publisher sends NoOPs from the moment of connection, and also while data flows."""
    longest = 2 * case.timer("keep-alive") + case.grace.quiet
    async with case.subscriber() as peer:
        await peer.find(responses.NoOP, within=longest, what="NoOP before the modes")
        await peer.begin()
        subscription = await peer.subscribe()
        before = _noops(peer.recording.said_by(Role.PUBLISHER))
        deadline = time.monotonic() + longest
        while _noops(peer.recording.said_by(Role.PUBLISHER)) == before:
            case.require(time.monotonic() < deadline, f"a NoOP within {longest:.1f} s while data flows", "none")
            await goes_on(case, peer, subscription)


def _noops(data: bytes) -> int:
    return data.count(frame(b"\xff\x02", bytes(4)))


@check(PUBLISHER, slow=True, topic="")
async def keeps_a_silent_subscriber(case: Case) -> None:
    """A publisher does not drop a subscriber that says nothing, as subscribers do."""
    async with streaming(case) as (peer, subscription):
        await peer.expect_silence(during=_SILENCE, what="that the connection stays up")
        await goes_on(case, peer, subscription)


@check(SUBSCRIBER, topic="negotiates")
async def takes_noop_at_any_time(case: Case) -> None:
    """A subscriber takes NoOP at any time, before it has said anything that was answered too, whatever is in it."""
    async with case.publisher() as peer:
        await peer.say(responses.NoOP())
        await peer.accept_modes()
        await peer.say(responses.NoOP(), responses.NoOP())
        await peer.wait_for_subscribe()
        await peer.say(frame(b"\xff\x02\0\0\0\x05hello"))
        await peer.offer()
        await peer.say(frame(b"\xff\x02\0\0\0\x01\xff"))
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, topic="negotiates")
async def sends_nothing_while_idle(case: Case) -> None:
    """A subscriber sends no keep-alive of its own, and answers none."""
    async with case.publisher() as peer:
        await peer.serve()
        before = len(said(peer.recording, Role.SUBSCRIBER))
        for _ in range(3):
            await peer.say(responses.NoOP())
            await peer.expect_silence(during=case.grace.quiet / 2, what="nothing")
        later = said(peer.recording, Role.SUBSCRIBER)[before:]
        case.require(not later, "nothing while there is nothing to say", [each.hex(" ") for each in later])


@check(SUBSCRIBER, timers={"dead-peer": _LONG_DEAD}, topic="")
async def noop_keeps_the_session_alive(case: Case) -> None:
    """A subscriber keeps a session in which nothing but NoOP comes for longer than it would bear silence."""
    limit = case.timer("dead-peer")
    async with case.publisher() as peer:
        await peer.serve()
        end = time.monotonic() + 1.5 * limit
        while time.monotonic() < end:
            await peer.say(responses.NoOP())
            await peer.expect_silence(during=limit / 8, what="that the connection stays up")
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, timers={"dead-peer": _DEAD}, topic="")
async def gives_up_a_silent_publisher(case: Case) -> None:
    """A subscriber closes the connection when no byte has come for as long as it says."""
    limit = case.timer("dead-peer")
    async with case.publisher() as peer:
        await peer.serve()
        began = time.monotonic()
        await peer.expect_end(within=2 * limit + case.grace.reply, why=f"after more than {limit:g} s of silence")
        took = time.monotonic() - began
        case.require(took > limit / 2, f"the end after about {limit:g} s", f"after {took:.1f} s")
