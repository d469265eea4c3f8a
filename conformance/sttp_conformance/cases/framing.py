"""Framing (wire.md 1): lengths, headers of responses, empty frames, cut frames, several in one segment."""

from __future__ import annotations

import struct

from sttp.codes import Command, Response, is_user_command, is_user_response
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_subscriber import TSSC

EMPTY = frame()
"""A frame without anything in it."""


@check(PUBLISHER)
async def sends_one_response_per_frame(case: Case) -> None:
    """A publisher puts exactly one response in a frame, and its inner length says so."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.MetadataRefresh(), commands.UpdateProcessingInterval(milliseconds=-1))
        for _ in range(3):
            heard = await peer.hear_frame()
            case.require(len(heard) >= 6, "a response of at least 6 bytes", f"{len(heard)}: {heard.hex(' ')}")
            inner = struct.unpack_from(">i", heard, 2)[0]
            case.require(inner == len(heard) - 6, f"an inner length of {len(heard) - 6}", inner)


@check(PUBLISHER)
async def uses_only_defined_codes(case: Case) -> None:
    """A publisher sends only response codes that are defined, and names a defined command in each."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.UnknownCommand(code=0x7E), commands.UpdateProcessingInterval(milliseconds=-1))
        while True:
            heard = await peer.hear_frame()
            code, answered = heard[0], heard[1]
            case.require(code in list(Response) or is_user_response(code), "a defined response code", f"{code:#04x}")
            case.require(
                answered in list(Command) or is_user_command(answered), "a defined command code", f"{answered:#04x}"
            )
            if answered == Command.UPDATE_PROCESSING_INTERVAL:
                break


@check(PUBLISHER)
async def publisher_skips_an_empty_frame(case: Case) -> None:
    """A publisher skips frames of length zero and goes on."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.fence()
        await peer.say(EMPTY, EMPTY)
        await peer.fence()


@check(SUBSCRIBER)
async def subscriber_skips_an_empty_frame(case: Case) -> None:
    """A subscriber skips frames of length zero and goes on."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.say(EMPTY, EMPTY)
        await peer.wait_for_subscribe()
        await peer.say(EMPTY)
        await peer.offer()


@check(PUBLISHER)
async def publisher_reads_commands_sent_byte_by_byte(case: Case) -> None:
    """A publisher reads a frame however the bytes are cut, and several frames that come at once."""
    async with case.subscriber() as peer:
        await peer.say_in_pieces(commands.DefineOperationalModes(modes=TSSC))
        asked = peer.written(commands.UpdateProcessingInterval(milliseconds=-1))
        await peer.say(asked + asked)
        for _ in range(2):
            await peer.find(
                responses.Succeeded,
                lambda answer: answer.command == Command.UPDATE_PROCESSING_INTERVAL,
                what="Succeeded for UpdateProcessingInterval",
            )
