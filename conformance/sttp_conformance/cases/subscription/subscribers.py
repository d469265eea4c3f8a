"""What a subscriber asks for, and what it makes of the replies (wire.md 4.1 to 4.8, 7.2, 9.3)."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

from sttp.codes import Command, DataPacketFlags, Role
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.grid import SIGNALS
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.sessions import cache_goes_on, said

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_TRUTH = {"true", "false", "1", "0"}
_TRUTHS = {
    "throttled", "includetime", "enabletimereasonabilitycheck", "uselocalclockasrealtime", "usemillisecondresolution",
    "requestnanvaluefilter",
}  # fmt: skip
_NUMBERS = {"publishinterval", "lagtime", "leadtime", "processinginterval"}


async def _subscribe(case: Case) -> bytes:
    """The Subscribe of a subscriber as it stands on the wire, its code first."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        frames = said(peer.recording, Role.SUBSCRIBER)
        return next(each for each in frames if each[0] == Command.SUBSCRIBE)


def _pieces(case: Case, text: str) -> list[tuple[str, str]]:
    """The pairs of a connection string, read strictly: what is in braces is no further looked at."""
    pieces, depth, piece = [], 0, ""
    for mark in text:
        depth += {"{": 1, "}": -1}.get(mark, 0)
        case.require(depth >= 0, "braces that match", text)
        if mark == ";" and not depth:
            pieces.append(piece)
            piece = ""
        else:
            piece += mark
    case.require(depth == 0, "braces that match", text)
    pairs = []
    for each in (*pieces, piece):
        outside = re.sub(r"{.*}", "", each, flags=re.DOTALL)
        if each.strip():
            case.require(outside.count("=") == 1, "exactly one equals sign in each piece", repr(each))
            key, _, value = each.partition("=")
            pairs.append((key.strip().lower(), value.strip()))
    return pairs


@check(SUBSCRIBER)
async def subscribe_is_well_formed(case: Case) -> None:
    """A Subscribe asks for compact, and has a connection string of the length that it names, with plain values."""
    heard = await _subscribe(case)
    flags, length, text = heard[1], int.from_bytes(heard[2:6], "big"), heard[6:]
    case.require(length == len(text), f"a connection string of {length} bytes", len(text))
    case.require(flags & DataPacketFlags.COMPACT and not flags & 0x01, "the flag Compact alone", f"{flags:#04x}")
    for key, value in _pieces(case, text.decode()):
        if key in _TRUTHS:
            case.require(value.lower() in _TRUTH, f"a truth value for {key}", repr(value))
        if key in _NUMBERS:
            case.require(_NUMBER.fullmatch(value), f"a number with a point for {key}", repr(value))
        if key == "datachannel":
            case.require(False, "no data channel that nobody has configured", repr(value))
        if key == "filterexpression":
            case.require(value.startswith("{") and value.endswith("}"), "a filter expression in braces", repr(value))


@check(SUBSCRIBER, needs=("control:subscribe",), fresh=True)
async def filter_expression_is_wrapped_in_braces(case: Case) -> None:
    """A subscriber sends a filter expression as it was given, in braces, whatever signs it has."""
    wanted = f"{SIGNALS[0].signal_id};{SIGNALS[1].signal_id};FILTER ActiveMeasurements WHERE Description = 'ä=b'"
    async with case.publisher() as peer:
        await peer.serve()
        asking = asyncio.create_task(case.control.ask("subscribe", filter=wanted))
        try:
            asked = await peer.wait_for_subscribe()
            case.require(asked.filter_expression == wanted, f"the filter {wanted!r}", repr(asked.filter_expression))
            await peer.say(responses.Succeeded(command=Command.SUBSCRIBE, text="subscribed"))
            await asking
        finally:
            asking.cancel()


# --- replies


async def _told(case: Case, *replies: bytes) -> None:
    """Check that a session goes on after a Subscribe that is answered in a certain way, without its usual success."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        await peer.say(*replies)
        await peer.offer(succeed=False)
        await cache_goes_on(case, peer)


def _reply(text: bytes) -> bytes:
    return frame(bytes((0x80, Command.SUBSCRIBE)), len(text).to_bytes(4, "big"), text)


@check(SUBSCRIBER)
async def tolerates_a_length_before_a_text(case: Case) -> None:
    """A subscriber puts up with a text that begins with its own length."""
    await _told(case, _reply(b"\0\0\0\x0asubscribed"))


@check(SUBSCRIBER)
async def tolerates_a_text_that_does_not_decode(case: Case) -> None:
    """A subscriber puts up with a text that is not valid in the encoding of the session."""
    await _told(case, _reply(b"\xff\xfe\xfd"))


@check(SUBSCRIBER)
async def takes_replies_in_any_order(case: Case) -> None:
    """A subscriber takes the reply to Subscribe, the signal index cache and DataStartTime in any order."""
    for order in ("reply cache start", "cache reply start", "start cache reply", "reply start cache"):
        async with case.publisher() as peer:
            await peer.accept_modes()
            await peer.wait_for_subscribe()
            for each in order.split():
                match each:
                    case "reply":
                        await peer.say(responses.Succeeded(command=Command.SUBSCRIBE, text="subscribed"))
                    case "start":
                        await peer.say(responses.DataStartTime(ticks=case.clock.tick()))
                    case _:
                        await peer.offer(succeed=False)
            await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def tolerates_a_repeated_reply_to_subscribe(case: Case) -> None:
    """A subscriber goes on as before when the success of its Subscribe is told again."""
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
        for _ in range(2):
            await peer.say(responses.Succeeded(command=Command.SUBSCRIBE, text="Rights have changed."))
            await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def tolerates_start_time_and_processing_complete_at_any_time(case: Case) -> None:
    """A subscriber takes DataStartTime and ProcessingComplete at any time, without a subscription too."""
    told = [responses.DataStartTime(ticks=638_712_864_000_000_000), responses.ProcessingComplete()]
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.say(*told)
        await peer.wait_for_subscribe()
        await peer.say(*told)
        await peer.offer()
        await cache_goes_on(case, peer)
        await peer.say(*told)
        await cache_goes_on(case, peer)
        peer.require_only(commands.ConfirmUpdateSignalIndexCache, commands.MetadataRefresh)


@check(SUBSCRIBER, needs=("control:events",), topic="meets_refusals", fresh=True)
async def reports_a_refused_subscription(case: Case) -> None:
    """A subscriber tells its application that its subscription was refused."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        await peer.say(responses.Failed(command=Command.SUBSCRIBE, text="Not for you."))
        event = await case.event("subscription-refused")
        case.require("Not for you." in event.get("reason", ""), "the publisher's reason", event)


# --- Unsubscribe


async def _unsubscribing(case: Case, peer: ScriptedPublisher) -> asyncio.Task[Any]:
    """Let a subscriber that is served unsubscribe. Nobody answers; what it says on the control channel is due."""
    await peer.serve()
    await cache_goes_on(case, peer)
    peer.polite = False
    asking = asyncio.create_task(case.control.ask("unsubscribe"))
    await peer.expect(commands.Unsubscribe)
    return asking


@check(SUBSCRIBER, needs=("control:unsubscribe", "control:report"), fresh=True)
async def ignores_data_after_unsubscribe(case: Case) -> None:
    """A subscriber reports nothing of the data that arrives after its Unsubscribe."""
    async with case.publisher() as peer:
        asking = await _unsubscribing(case, peer)
        await asking
        await peer.send(case.frame(0))
        await case.received_nothing(what="nothing after Unsubscribe")


@check(SUBSCRIBER, needs=("control:unsubscribe", "control:subscribe", "control:report"), fresh=True)
async def unsubscribes_and_subscribes_again(case: Case) -> None:
    """Unsubscribe is empty, and though nobody answers it Subscribe can be said again."""
    async with case.publisher() as peer:
        asking = await _unsubscribing(case, peer)
        with suppress(ControlError):
            await asking
        last = said(peer.recording, Role.SUBSCRIBER)[-1]
        case.require(last == b"\x03", "Unsubscribe without a payload", last.hex(" "))
        asking = asyncio.create_task(case.control.ask("subscribe", filter=str(SIGNALS[0].signal_id)))
        try:
            await peer.expect(commands.Subscribe, what="Subscribe after an Unsubscribe that nobody answered")
            await peer.offer(cache_index=1)
            await asking
            await cache_goes_on(case, peer)
        finally:
            asking.cancel()
