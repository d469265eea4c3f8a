"""Malformed input (wire.md 1.3 to 1.5, 3.6, 4.1, 9.2 to 9.4): what costs nothing, and what costs one connection."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

from sttp.codes import Command, Response, Role
from sttp.wire import commands, responses
from sttp.wire.fields import deflate
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.metadata_samples import gzip_without_end
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import TSSC
from sttp_conformance.sessions import cache_goes_on, goes_on, said, streaming
from sttp_conformance.violation import NotSupported, Violation
from sttp_conformance.ways import Direction

_SEED = 2664
"""Of all that is random here, so that it can be said again."""

_MEMORY = 2**31
"""Bytes that nobody needs to see that he has been sent too much."""

_DIGESTING = 120.0
"""Seconds in which he is to see it."""

_MALFORMED = {
    "without a connection string": b"\x02\x02\0\0\0\0",
    "with a length above what arrived": b"\x02\x02\0\0\x03\xe8filterExp",
    "shorter than five bytes": b"\x02\x02\0\0",
    "without a payload": b"\x02",
}
"""Subscribe in ways in which it subscribes nothing."""


def _garbage(role: Role) -> Iterator[bytes]:
    """Random bytes, frames with random content, frames with a good code and random content, half a frame."""
    chance = random.Random(_SEED)
    codes = list(Command)[:14] if role is Role.PUBLISHER else list(Response)[:11]
    yield chance.randbytes(200)
    for _ in range(3):
        yield b"".join(frame(chance.randbytes(chance.randrange(1, 60))) for _ in range(10))
    for code in codes:
        yield frame(bytes((code, 2)), chance.randbytes(chance.randrange(0, 40)))
    yield struct.pack(">I", 100) + bytes(10)


# --- a publisher


@check(PUBLISHER)
async def keeps_the_connection_on_an_unknown_command(case: Case) -> None:
    """A publisher keeps the connection and its subscription when commands come that nobody has defined."""
    async with streaming(case) as (peer, subscription):
        for code in (0x40, 0x7F, 0xC0, 0xFE):
            await peer.say(commands.UnknownCommand(code=code, payload=b"what is this?"))
        await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def publisher_ignores_responses(case: Case) -> None:
    """A publisher takes responses for unknown commands, and goes on."""
    async with streaming(case) as (peer, subscription):
        await peer.say(frame(b"\xff\x02", bytes(4)), frame(b"\x80\x06", bytes(4)))
        await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def subscribes_nothing_with_a_malformed_subscribe(case: Case) -> None:
    """A publisher subscribes nothing for a Subscribe without a connection string, or with a wrong length."""
    for what, command in _MALFORMED.items():
        async with case.subscriber() as peer:
            await peer.begin()
            await peer.fence()
            await peer.say(frame(command), commands.UpdateProcessingInterval(milliseconds=-1))
            await peer.expect_answer_or_end(Command.UPDATE_PROCESSING_INTERVAL)
            for each in said(peer.recording, Role.PUBLISHER):
                case.require(each[:2] != b"\x80\x02", f"no success for a Subscribe {what}", "Succeeded")
                if each[0] == Response.UPDATE_SIGNAL_INDEX_CACHE:
                    count = int(peer.cache_in(each).signals.present.sum())
                    case.require(not count, f"no signal for a Subscribe {what}", count)


@check(PUBLISHER)
async def answers_a_malformed_subscribe(case: Case) -> None:
    """A publisher answers a malformed Subscribe with Failed, and keeps the connection."""
    async with case.subscriber() as peer:
        await peer.begin()
        for what, command in _MALFORMED.items():
            await peer.say(frame(command))
            await peer.expect(
                responses.Failed,
                lambda answer: answer.command == Command.SUBSCRIBE,
                what=f"Failed for a Subscribe {what}",
            )
        subscription = await peer.subscribe()
        await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def malformed_subscribe_leaves_the_subscription(case: Case) -> None:
    """A malformed Subscribe leaves the running subscription as it is."""
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)
        await peer.say(frame(_MALFORMED["with a length above what arrived"]))
        await goes_on(case, peer, subscription)


@check(PUBLISHER, topic="refuses_modes")
async def accepts_no_short_modes(case: Case) -> None:
    """A publisher never accepts operational modes of fewer than four bytes."""
    modes = struct.pack(">I", TSSC.to_bits())
    for size in range(4):
        async with case.subscriber() as peer:
            interval = peer.written(commands.UpdateProcessingInterval(milliseconds=-1))
            await peer.say(frame(bytes((Command.DEFINE_OPERATIONAL_MODES,)), modes[:size]), interval)
            await peer.settle(Command.UPDATE_PROCESSING_INTERVAL)
            for each in said(peer.recording, Role.PUBLISHER):
                case.require(each[:2] != b"\x80\x06", f"no success for modes of {size} bytes", "Succeeded")


@check(PUBLISHER)
async def refuses_a_metadata_filter_with_a_wrong_length(case: Case) -> None:
    """A publisher gives no metadata for a MetadataRefresh whose length is above what arrived."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.fence()
        await peer.say(frame(b"\x01\0\0\x03\xe8FILTER ABC"), commands.UpdateProcessingInterval(milliseconds=-1))
        await peer.expect_answer_or_end(Command.METADATA_REFRESH, Command.UPDATE_PROCESSING_INTERVAL)
        answers = [each for each in said(peer.recording, Role.PUBLISHER) if each[:2] == b"\x80\x01"]
        case.require(not answers, "no metadata", "all of it")


@check(PUBLISHER, topic="", directions=(Direction.FORWARD,))
async def garbage_costs_its_own_connection_only(case: Case) -> None:
    """What one connection sends costs that connection only: others stream on, and new ones are served."""
    async with streaming(case) as (peer, subscription):
        for garbage in _garbage(Role.PUBLISHER):
            for with_modes in (False, True):
                async with case.subscriber() as other:
                    if with_modes:
                        await other.begin()
                    await other.say(garbage)
            await goes_on(case, peer, subscription)
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)


@check(PUBLISHER, topic="")
async def publisher_survives_whatever_ends_a_connection(case: Case) -> None:
    """A publisher takes the end of a stream within a frame, or a reset, for an end like any other."""
    for lose in ("in mid-frame", "reset", "close", "reset"):
        async with streaming(case) as (peer, _):
            if lose == "in mid-frame":
                await peer.say(b"\0\0\0\x20\x02\x02")
                await peer.end()
            elif lose == "reset":
                peer.abort()
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)


# --- a subscriber


@check(SUBSCRIBER)
async def ignores_an_unknown_response(case: Case) -> None:
    """A subscriber ignores responses that nobody has defined, and those to commands that nobody has defined."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.say(responses.UnknownResponse(code=0x9E, payload=b"what is this?"))
        await peer.wait_for_subscribe()
        await peer.say(responses.UnknownResponse(code=0x42, command=0x7E), frame(b"\xff\x55", bytes(4)))
        await peer.offer()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def ignores_replies_to_what_it_did_not_ask(case: Case) -> None:
    """A subscriber ignores replies to commands that it did not send."""
    async with case.publisher() as peer:
        await peer.serve()
        for command in (Command.UNSUBSCRIBE, Command.UPDATE_PROCESSING_INTERVAL, Command.USER_COMMAND_03):
            await peer.say(responses.Succeeded(command=command, text="done"))
            await peer.say(responses.Failed(command=command, text="not done"))
        await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def subscriber_ignores_commands(case: Case) -> None:
    """A subscriber takes commands for unknown responses, if they are long enough to be some, and goes on."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(frame(b"\x02\x02", bytes(4)), frame(b"\x06\x02\0\0\0\x01A"))
        await cache_goes_on(case, peer)


async def _costs_the_connection_at_most(case: Case, *said_in_stream: bytes) -> None:
    """Check that nothing is reported of what is said in a stream, and that a good session can be held afterwards."""
    for data in said_in_stream:
        async with case.publisher() as peer:
            await peer.serve()
            await peer.say(data)
            if case.can("report"):
                await case.received_nothing(what=f"nothing of {data[:40].hex(' ')}")
            case.require(not await case.implementation.has_ended(), "a process that goes on", case.implementation.ended)
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, topic="")
async def survives_a_response_shorter_than_its_header(case: Case) -> None:
    """A response that is shorter than its header costs at most the connection."""
    short = [bytes((Response.DATA_PACKET, 2, 0, 0, 0))[:size] for size in (1, 3, 5)]
    await _costs_the_connection_at_most(case, *map(frame, short))


@check(SUBSCRIBER, topic="")
async def takes_nothing_from_a_frame_with_a_wrong_inner_length(case: Case) -> None:
    """A subscriber takes nothing from a response whose inner length is negative, or larger than its frame."""
    await _costs_the_connection_at_most(
        case,
        *(frame(b"\x82\x02", struct.pack(">i", length), b"\x02\0\0\0\x01", bytes(17)) for length in (-1, 2**31 - 1)),
    )


@check(SUBSCRIBER, topic="")
async def reports_nothing_beyond_the_records_of_a_packet(case: Case) -> None:
    """A subscriber reports nothing that was not sent, though a packet counts more measurements than it has."""
    bodies = [b"\x02" + struct.pack(">i", count) for count in (2**31 - 1, -1, 1)]
    await _costs_the_connection_at_most(case, *(frame(b"\x82\x02", struct.pack(">i", 5), body) for body in bodies))


@check(SUBSCRIBER, topic="")
async def survives_base_times_and_start_time_of_wrong_length(case: Case) -> None:
    """Base times or a start time of a wrong length cost at most the connection."""
    payloads = [(code, bytes(size)) for code in (0x84, 0x86) for size in (0, 3)]
    await _costs_the_connection_at_most(
        case, *(frame(bytes((code, 2)), struct.pack(">i", len(data)), data) for code, data in payloads)
    )


@check(SUBSCRIBER, topic="")
async def survives_metadata_with_broken_gzip(case: Case) -> None:
    """Metadata with a damaged gzip stream cost at most the connection."""
    async with case.publisher() as peer:
        whole = bytearray(deflate(peer.document))
    for place in (3, len(whole) // 2, len(whole) - 6):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        async with case.publisher() as peer:
            await peer.accept_modes()
            peer.polite = False
            if not isinstance(await peer.hear(), commands.MetadataRefresh):
                continue  # it does not ask for metadata
            await peer.say(responses.Metadata(document=bytes(damaged)))
            await peer.expect_silence_or_end()
            case.require(not await case.implementation.has_ended(), "a process that goes on", case.implementation.ended)
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, slow=True, fresh=True, topic="")
async def gives_up_gzip_that_inflates_without_end(case: Case) -> None:
    """Metadata of ten mebibytes that inflate to ten gibibytes are given up before memory is."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        peer.polite = False
        if not isinstance(await peer.hear(), commands.MetadataRefresh):
            raise NotSupported("it subscribes before it asks for metadata, if it does so at all")
        saying = asyncio.create_task(peer.say(responses.Metadata(document=gzip_without_end())))
        try:
            await _gives_up(case, peer)
        finally:
            saying.cancel()
    if case.can("report"):
        await case.control.ask("report")
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)


async def _gives_up(case: Case, peer: ScriptedPublisher) -> None:
    """Wait until a subscriber goes on without its metadata, or ends the connection, and watch its memory."""
    deadline = time.monotonic() + _DIGESTING
    while time.monotonic() < deadline:
        if (taken := case.implementation.memory) > _MEMORY:
            await case.implementation.kill()  # before it takes that of everybody else
            raise Violation(f"expected that it gives up in time, but it has taken {taken >> 20} MiB of memory")
        with suppress(TimeoutError):
            await peer.hear(within=0.02)
            return
    raise Violation(f"expected a Subscribe, or the end of the connection, but neither came within {_DIGESTING:g} s")


@check(SUBSCRIBER, topic="")
async def garbage_costs_the_connection_only(case: Case) -> None:
    """Whatever a publisher sends costs at most the connection: the subscriber dials again, or listens on."""
    for garbage in _garbage(Role.SUBSCRIBER):
        async with case.publisher() as peer:
            await peer.accept_modes()
            await peer.say(garbage)
        case.require(not await case.implementation.has_ended(), "a process that goes on", case.implementation.ended)
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, topic="")
async def subscriber_survives_whatever_ends_a_connection(case: Case) -> None:
    """A subscriber takes the end of a stream within a frame, or a reset, for an end like any other."""
    for lose in ("in mid-frame", "reset", "close", "reset"):
        async with case.publisher() as peer:
            await peer.serve()
            if lose == "in mid-frame":
                await peer.say(b"\0\0\0\x20\x82\x02")
                await peer.end()
            elif lose == "reset":
                peer.abort()
    async with case.publisher() as peer:
        await peer.serve()
        await cache_goes_on(case, peer)
