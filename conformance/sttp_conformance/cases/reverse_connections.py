"""Reverse connections: who dials changes nothing, and whoever dials keeps dialing (wire.md 9.1, 9.5, 9.7, 9.8)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

from sttp.codes import Role
from sttp.errors import TransportError
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.recording import Recording
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.sessions import cache_goes_on, goes_on, streaming
from sttp_conformance.violation import Violation
from sttp_conformance.ways import Direction

REVERSE = (Direction.REVERSE,)
FORWARD = (Direction.FORWARD,)

_QUICK = {"redial-base": 0.2, "redial-cap": 0.4}
_GROWING = {"redial-base": 0.1, "redial-cap": 1.6}
_PAUSES = 7
_AT_THE_LIMIT = 4
_ROWS = 3
_SURELY, _GROWN = 4.0, 2.0
"""How many times the first three pauses the next three must be: to be sure after one row, and in the end. Pauses that
double, drawn evenly from nothing up, are found wrong once in a thousand times; pauses that stay found right twice in a
hundred."""
_DEAD = 1.0


async def _session(case: Case) -> None:
    """A whole session, whatever is judged."""
    if case.check.role is Role.PUBLISHER:
        async with streaming(case) as (peer, subscription):
            await goes_on(case, peer, subscription)
    else:
        async with case.publisher() as peer:
            await peer.serve()
            await cache_goes_on(case, peer)


async def _lost(case: Case, how: str) -> None:
    """A session that is lost in a certain way."""
    if case.check.role is Role.PUBLISHER:
        async with streaming(case) as (subscriber, _):
            if how == "reset":
                subscriber.abort()
            elif how == "in mid-frame":
                await subscriber.say(b"\0\0\0\x20\x02")
    else:
        async with case.publisher() as publisher:
            await publisher.serve()
            if how == "reset":
                publisher.abort()
            elif how == "in mid-frame":
                await publisher.say(b"\0\0\0\x20\x82")


# --- sessions in reverse


@check(PUBLISHER, directions=REVERSE)
async def dialing_publisher_serves_a_whole_session(case: Case) -> None:
    """A publisher that dials lets the subscriber speak first, and serves it like one that has dialed."""
    async with case.subscriber() as peer:
        await peer.expect_silence(what="nothing but NoOP before the subscriber speaks")
        await peer.begin()
        subscription = await peer.subscribe()
        await peer.fence()
        await goes_on(case, peer, subscription)


@check(SUBSCRIBER, directions=REVERSE)
async def listening_subscriber_holds_a_whole_session(case: Case) -> None:
    """A subscriber that listens speaks first, asks, confirms and receives like one that has dialed."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
        await peer.offer(cache_index=1, succeed=False)
        await cache_goes_on(case, peer)


# --- dialing again


async def _dials_again(case: Case) -> None:
    for how in ("close", "reset", "in mid-frame"):
        await _lost(case, how)
    await _session(case)


@check(PUBLISHER, directions=REVERSE)
async def dialing_publisher_dials_again(case: Case) -> None:
    """A publisher that dials comes again after an established connection was lost, and serves as before."""
    await _dials_again(case)


@check(SUBSCRIBER, directions=FORWARD)
async def dialing_subscriber_dials_again(case: Case) -> None:
    """A subscriber that dials comes again after an established connection was lost, and subscribes as before."""
    await _dials_again(case)


async def _finds_a_late_listener(case: Case) -> None:
    case.require(not case.implementation.ended, "a process that keeps trying", case.implementation.ended)
    await asyncio.sleep(case.grace.start)  # its first attempt has failed
    await case.implementation.listen()
    await _session(case)


@check(PUBLISHER, directions=REVERSE, listen_first=False)
async def dialing_publisher_finds_a_late_listener(case: Case) -> None:
    """A publisher that dials keeps trying while nobody listens, and finds a listener that comes late."""
    await _finds_a_late_listener(case)


@check(SUBSCRIBER, directions=FORWARD, listen_first=False)
async def dialing_subscriber_finds_a_late_listener(case: Case) -> None:
    """A subscriber that dials keeps trying while nobody listens, and finds a listener that comes late."""
    await _finds_a_late_listener(case)


async def _finds_a_listener_again(case: Case) -> None:
    await _lost(case, "close")
    await case.implementation.stop_listening()
    await asyncio.sleep(case.grace.quiet)
    await case.implementation.listen()
    await _session(case)


@check(PUBLISHER, directions=REVERSE, fresh=True)
async def dialing_publisher_finds_a_listener_again(case: Case) -> None:
    """A publisher that dials finds a subscriber again that stopped listening for a while."""
    await _finds_a_listener_again(case)


@check(SUBSCRIBER, directions=FORWARD, fresh=True)
async def dialing_subscriber_finds_a_listener_again(case: Case) -> None:
    """A subscriber that dials finds a publisher again that stopped listening for a while."""
    await _finds_a_listener_again(case)


async def _does_not_hammer(case: Case) -> None:
    implementation = case.implementation
    base = case.timer("redial-base")
    during, began = min(10 * base, 10.0), time.monotonic()
    while (left := during - (time.monotonic() - began)) > 0:
        try:
            stream = await implementation.connect(within=left)
        except Violation:
            break  # no attempt within the time is what is wanted
        stream.abort()
    attempts = sum(began <= arrived <= began + during for arrived in implementation.arrivals)
    most = 2 * during / base
    case.require(attempts <= most, f"at most {most:.0f} attempts within {during:.1f} s of being turned away", attempts)
    case.note(f"{attempts} attempts within {during:.1f} s")


@check(PUBLISHER, directions=REVERSE, timers=_QUICK)
async def dialing_publisher_does_not_hammer(case: Case) -> None:
    """A publisher that is turned away again and again pauses between its attempts."""
    await _does_not_hammer(case)


@check(SUBSCRIBER, directions=FORWARD, timers=_QUICK)
async def dialing_subscriber_does_not_hammer(case: Case) -> None:
    """A subscriber that is turned away again and again pauses between its attempts."""
    await _does_not_hammer(case)


async def _grow(case: Case, turn_away: Callable[[], Awaitable[None]], when: str) -> None:
    """Hold that pauses grow. Where each is drawn by chance a row of them may not; several rows are no longer chance."""
    early = late = 0.0
    pauses = ""
    for number in range(_ROWS):
        if number:
            await _lost(case, "close")  # so that the pauses begin anew
        for _ in range(_PAUSES + 1):
            await turn_away()
        times = case.implementation.arrivals[-_PAUSES - 1 :]
        early, late = early + times[3] - times[0], late + times[6] - times[3]
        pauses += ", ".join(f"{second - first:.2f}" for first, second in pairwise(times)) + " s; "
        if late > _SURELY * early:
            break
    pauses = pauses.removesuffix("; ")
    case.note(f"pauses of {pauses}")
    case.require(late > _GROWN * early, f"pauses that grow while {when}", pauses)


async def _backs_off(case: Case) -> None:
    cap = case.timer("redial-cap")
    longest = 1.25 * cap + case.grace.quiet
    late: list[float] = []

    async def cut() -> None:
        before = time.monotonic()
        stream = await case.implementation.connect(within=longest + case.grace.reply)
        took = time.monotonic() - before
        if took > longest:
            late.append(took)
        # a machine that is busy may hold up one
        case.require(len(late) < 2, f"pauses of at most {cap:g} s", " and ".join(f"{each:.1f} s" for each in late))
        stream.abort()

    await _grow(case, cut, "connections are of no use")
    for _ in range(_AT_THE_LIMIT):
        await cut()
    await _lost(case, "close")
    before = time.monotonic()
    await case.implementation.connect()
    took = time.monotonic() - before
    case.require(took < cap / 2, f"a new attempt within {cap / 2:g} s after a session of use", f"after {took:.1f} s")


@check(PUBLISHER, directions=REVERSE, timers=_GROWING)
async def dialing_publisher_backs_off(case: Case) -> None:
    """The pauses of a publisher that dials grow up to a limit, and are forgotten after a session that was of use."""
    await _backs_off(case)


@check(SUBSCRIBER, directions=FORWARD, timers=_GROWING)
async def dialing_subscriber_backs_off(case: Case) -> None:
    """The pauses of a subscriber that dials grow up to a limit, and are forgotten after a session that was of use."""
    await _backs_off(case)


@check(SUBSCRIBER, directions=FORWARD, timers=_GROWING)
async def refusal_keeps_the_back_off(case: Case) -> None:
    """The pauses of a subscriber that dials grow while it is refused with Failed for command 0x00."""
    longest = 1.25 * case.timer("redial-cap") + case.grace.reply

    async def refuse() -> None:
        stream = await case.implementation.connect(within=longest)
        async with ScriptedPublisher(stream, case.grace, Recording()) as peer:
            await peer.expect(commands.DefineOperationalModes)
            await peer.say(responses.Failed(command=0, text="There is no place for you now."))

    await _grow(case, refuse, "it is refused")


@check(PUBLISHER, directions=REVERSE)
async def dialing_publisher_keeps_one_connection(case: Case) -> None:
    """A publisher that dials keeps exactly one connection to a listener."""
    async with streaming(case) as (peer, subscription):
        before = len(case.implementation.arrivals)
        await peer.expect_silence(during=4 * case.grace.quiet, what="that the connection stays up")
        more = len(case.implementation.arrivals) - before
        case.require(not more, "no further connection", more)
        await goes_on(case, peer, subscription)


@check(PUBLISHER, directions=REVERSE, timers={"first-command": _DEAD})
async def dialing_publisher_gives_up_a_silent_listener(case: Case) -> None:
    """A publisher that dialed closes when no modes come, and dials again."""
    limit = case.timer("first-command")
    async with case.subscriber() as peer:
        await peer.expect_end(within=2 * limit + case.grace.reply, why=f"after {limit:g} s without modes")
    await _session(case)


# --- listening on


@check(SUBSCRIBER, directions=REVERSE)
async def listening_subscriber_outlives_its_publishers(case: Case) -> None:
    """A subscriber that listens serves one publisher after another, however each leaves."""
    for how in ("close", "reset", "in mid-frame") * 3:
        await _lost(case, how)
    await _session(case)


@check(PUBLISHER, directions=FORWARD)
async def listening_publisher_outlives_its_subscribers(case: Case) -> None:
    """A publisher that listens serves one subscriber after another, however each leaves."""
    for how in ("close", "reset", "in mid-frame") * 3:
        await _lost(case, how)
    await _session(case)


async def _outlives_a_port_scan(case: Case) -> None:
    for number in range(20):
        stream = await case.implementation.connect()
        if number % 2:
            stream.abort()
        else:
            await stream.close()
    await _session(case)


@check(PUBLISHER, directions=FORWARD)
async def listening_publisher_outlives_a_port_scan(case: Case) -> None:
    """A publisher that listens is as before after many connections that are closed again at once."""
    await _outlives_a_port_scan(case)


@check(SUBSCRIBER, directions=REVERSE)
async def listening_subscriber_outlives_a_port_scan(case: Case) -> None:
    """A subscriber that listens is as before after many connections that are closed again at once."""
    await _outlives_a_port_scan(case)


@check(SUBSCRIBER, directions=REVERSE, needs=("control:report",))
async def second_publisher_leaves_the_first_alone(case: Case) -> None:
    """A subscriber that listens serves its publisher on while another comes, which is closed, or served as well."""
    async with case.publisher() as first:
        await first.serve()
        stream = await case.implementation.connect()
        async with ScriptedPublisher(stream, case.grace, Recording()) as second:
            with suppress(Violation):
                await second.accept_modes()
            await first.send(case.frame(0))
            frame = case.frame(1)
            await first.send(frame)
            received = await case.received(2)
            case.require(received[1:] == rows(frame, SIGNALS), "the measurements of the first publisher", received)
            heard = second.recording.said_by(Role.SUBSCRIBER)
            case.require(
                heard or second.ended, "a second connection that is closed or served", "one that is open and silent"
            )


@check(SUBSCRIBER, directions=REVERSE, timers={"dead-peer": _DEAD})
async def new_publisher_replaces_a_dead_one(case: Case) -> None:
    """A subscriber that listens takes a new publisher once it has heard nothing of the one before for long enough."""
    limit = case.timer("dead-peer")
    async with case.publisher() as silent:
        await silent.serve()
        deadline = time.monotonic() + 2 * limit + case.grace.reply
        while True:
            with suppress(Violation, TransportError):
                await _session(case)
                return
            case.require(time.monotonic() < deadline, f"a place for a new publisher after {limit:g} s", "none")
            await asyncio.sleep(case.grace.step)


@check(SUBSCRIBER, directions=REVERSE, timers={"dead-peer": _DEAD})
async def silent_stranger_does_not_keep_the_publisher_out(case: Case) -> None:
    """A stranger that connects and says nothing does not keep a publisher out for longer than silence is borne."""
    stranger = await case.implementation.connect()
    deadline = time.monotonic() + 2 * case.timer("dead-peer") + case.grace.reply
    try:
        while True:
            with suppress(Violation, TransportError):
                await _session(case)
                return
            case.require(time.monotonic() < deadline, "a place for a publisher besides a silent stranger", "none")
            await asyncio.sleep(case.grace.step)
    finally:
        await stranger.close()


# --- ends


@check(PUBLISHER)
async def publisher_closes_when_the_subscriber_has_closed(case: Case) -> None:
    """A publisher closes its side when the subscriber has closed its own."""
    async with streaming(case) as (peer, _):
        await peer.end()
        await peer.expect_end(why="after the subscriber has ended it")


@check(SUBSCRIBER)
async def subscriber_closes_when_the_publisher_has_closed(case: Case) -> None:
    """A subscriber closes its side when the publisher has closed its own."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.end()
        await peer.expect_end(why="after the publisher has ended it")


# --- nothing of the old session


@check(SUBSCRIBER, needs=("control:report",))
async def subscribes_again_after_reconnecting(case: Case) -> None:
    """A subscriber asks for its subscription again on a new connection, without anybody's help."""
    for _ in range(2):
        async with case.publisher() as peer:
            await peer.serve()
            await cache_goes_on(case, peer)


@check(PUBLISHER, needs=("control:publish",))
async def new_session_gets_nothing_before_it_asks(case: Case) -> None:
    """A publisher sends a new connection nothing of what the one before had subscribed to, and begins from nothing."""
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)
        peer.abort()
    async with case.subscriber() as peer:
        await peer.define_modes()
        await case.publish(case.frame(*subscription.indexes), subscription.signals)
        await peer.expect_silence(what="nothing before it subscribes")
        again = await peer.subscribe()
        case.require(again.cache_index == 0, "signal index cache 0", again.cache_index)
        await peer.fence()
        await goes_on(case, peer, again)


@check(SUBSCRIBER, needs=("control:report",))
async def old_caches_do_not_survive_the_connection(case: Case) -> None:
    """A subscriber reads nothing on a new connection by a signal index cache of the one before."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        await peer.say(*peer.data_packets(case.frame(0), tssc=False))
        await peer.offer()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, needs=("control:report",))
async def old_decoders_do_not_survive_the_connection(case: Case) -> None:
    """A subscriber reads the TSSC of a new connection from its beginning, sequence 0."""
    for _ in range(2):
        async with case.publisher() as peer:
            await peer.serve()
            for _ in range(3):
                await cache_goes_on(case, peer)


# --- killed


async def _resumes(case: Case) -> None:
    await _session(case)
    await case.implementation.kill()
    await case.implementation.start()
    await _session(case)


@check(PUBLISHER, directions=REVERSE, fresh=True)
async def killed_publisher_resumes_in_reverse(case: Case) -> None:
    """A publisher that dials can be killed, and serves as before when it is started again."""
    await _resumes(case)


@check(SUBSCRIBER, directions=REVERSE, fresh=True)
async def killed_subscriber_resumes_in_reverse(case: Case) -> None:
    """A subscriber that listens can be killed, and subscribes as before when it is started again."""
    await _resumes(case)
