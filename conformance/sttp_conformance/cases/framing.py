"""Framing (wire.md 1): lengths, headers of responses, empty frames, cut frames, several in one segment."""

from __future__ import annotations

import struct

from sttp.codes import Command, OperationalModes, Response, Role, is_user_command, is_user_response
from sttp.errors import ProtocolError
from sttp.tolerances import Tolerances
from sttp.wire import commands, responses
from sttp.wire.commands import read_command
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import METADATA, numbered
from sttp_conformance.metadata_reading import parse
from sttp_conformance.metadata_samples import with_many_devices
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_subscriber import COMPACT, EVERYTHING, TSSC
from sttp_conformance.sessions import cache_goes_on, goes_on, publisher_frames, said, streaming, subscriber_frames
from sttp_conformance.violation import NotSupported

EMPTY = frame()
"""A frame without anything in it."""

_LONGEST_COMMAND = 32768
"""Bytes of the longest command that a publisher in the field reads, its code and its payload."""

_LARGE_METADATA = 2**24
_DIGESTING = 120.0
"""Seconds that a subscriber may take over metadata of so many bytes."""

_UNSOLICITED = (
    Response.DATA_PACKET,
    Response.UPDATE_SIGNAL_INDEX_CACHE,
    Response.UPDATE_BASE_TIMES,
    Response.DATA_START_TIME,
    Response.CONFIGURATION_CHANGED,
    Response.NOOP,
)
_STRICT = Tolerances(trailing_bytes=False)
_MEANINGLESS = (
    Command.CONNECT,
    Command.CONFIRM_UPDATE_CIPHER_KEYS,
    Command.GET_PRIMARY_METADATA_SCHEMA,
    Command.GET_SIGNAL_SELECTION_SCHEMA,
)


# --- what a publisher says


@check(PUBLISHER)
async def publisher_sends_nothing_but_frames(case: Case) -> None:
    """All that a publisher sends is frames, none of them empty, that begin with the code of a response."""
    for each in await publisher_frames(case):
        case.require(each, "no empty frame", "one")
        case.require(each[0] >= Response.SUCCEEDED, "the code of a response", f"{each[0]:#04x}")


@check(PUBLISHER)
async def sends_one_response_per_frame(case: Case) -> None:
    """A publisher puts exactly one response in a frame, and its inner length says so."""
    for each in await publisher_frames(case):
        case.require(len(each) >= 6, "a response of at least 6 bytes", f"{len(each)}: {each.hex(' ')}")
        inner = struct.unpack_from(">i", each, 2)[0]
        case.require(inner == len(each) - 6, f"an inner length of {len(each) - 6}", inner)


@check(PUBLISHER)
async def uses_only_defined_codes(case: Case) -> None:
    """A publisher sends only response codes that are defined, and names a defined command in each."""
    for each in await publisher_frames(case):
        code, answered = each[0], each[1]
        case.require(code in list(Response) or is_user_response(code), "a defined response code", f"{code:#04x}")
        case.require(
            answered in list(Command) or is_user_command(answered), "a defined command code", f"{answered:#04x}"
        )


@check(PUBLISHER)
async def replies_name_the_command_that_they_answer(case: Case) -> None:
    """A publisher names in each reply the command that it answers, and Subscribe in what answers nothing."""
    async with case.subscriber() as peer:
        await peer.begin()
        for command in (
            commands.MetadataRefresh(),
            commands.Subscribe(connection_string=f"filterExpression={{{EVERYTHING}}}"),
            commands.UpdateProcessingInterval(milliseconds=-1),
        ):
            await peer.say(command)
            while (heard := await peer.hear_frame())[:2] != bytes((Response.SUCCEEDED, command.code)):
                is_reply = heard[0] in (Response.SUCCEEDED, Response.FAILED)
                allowed = (command.code, Command.DEFINE_OPERATIONAL_MODES)
                case.require(
                    not is_reply or heard[1] in allowed, f"a reply to {command.code.name}", f"one to {heard[1]:#04x}"
                )
                if heard[0] == Response.FAILED:
                    break
    for each in said(peer.recording, Role.PUBLISHER):
        case.require(
            each[0] not in _UNSOLICITED or each[1] == Command.SUBSCRIBE,
            f"Subscribe in byte 1 of {Response(each[0]).name if each[0] in list(Response) else each[0]}",
            f"{each[1]:#04x}",
        )


# --- what a subscriber says


@check(SUBSCRIBER)
async def subscriber_sends_nothing_but_frames(case: Case) -> None:
    """All that a subscriber sends is frames, none of them empty or too long, that begin with the code of a command."""
    for each in await subscriber_frames(case):
        case.require(each, "no empty frame", "one")
        case.require(
            each[0] < Response.SUCCEEDED or is_user_command(each[0]), "the code of a command", f"{each[0]:#04x}"
        )
        case.require(
            len(each) <= _LONGEST_COMMAND, f"commands of at most {_LONGEST_COMMAND} bytes", f"one of {len(each)}"
        )


@check(SUBSCRIBER)
async def sends_only_defined_commands(case: Case) -> None:
    """A subscriber sends only commands that are defined and mean something, each with the payload that is defined."""
    modes = OperationalModes()
    for each in await subscriber_frames(case):
        case.require(each[0] in list(Command), "a defined command code", f"{each[0]:#04x}")
        case.require(each[0] not in _MEANINGLESS, "a command that means something", Command(each[0]).name)
        try:
            command = read_command(each, modes, _STRICT)
        except ProtocolError as error:
            case.require(False, f"a payload that fits {Command(each[0]).name}", f"{each.hex(' ')}: {error}")
            return
        if isinstance(command, commands.DefineOperationalModes):
            modes = command.modes


# --- cut and joined


@check(PUBLISHER)
async def publisher_skips_an_empty_frame(case: Case) -> None:
    """A publisher skips frames of length zero and goes on."""
    async with streaming(case) as (peer, subscription):
        await peer.say(EMPTY, EMPTY)
        await goes_on(case, peer, subscription)


@check(SUBSCRIBER)
async def subscriber_skips_an_empty_frame(case: Case) -> None:
    """A subscriber skips frames of length zero and goes on."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.say(EMPTY, EMPTY)
        await peer.wait_for_subscribe()
        await peer.say(EMPTY)
        await peer.offer()
        await cache_goes_on(case, peer)


@check(PUBLISHER)
async def publisher_reads_commands_sent_byte_by_byte(case: Case) -> None:
    """A publisher reads a frame however the bytes are cut."""
    async with case.subscriber() as peer:
        await peer.say_in_pieces(commands.DefineOperationalModes(modes=TSSC))
        await peer.say_in_pieces(commands.UpdateProcessingInterval(milliseconds=-1))
        await peer.find(
            responses.Succeeded,
            lambda answer: answer.command == Command.UPDATE_PROCESSING_INTERVAL,
            what="Succeeded for UpdateProcessingInterval",
        )


@check(SUBSCRIBER)
async def subscriber_reads_responses_sent_byte_by_byte(case: Case) -> None:
    """A subscriber reads a frame however the bytes are cut."""
    async with case.publisher() as peer:
        await peer.serve()
        packets = b"".join(peer.written(each) for each in peer.data_packets(case.frame(0, 1)))
        await peer.say_in_pieces(packets, 3)
        if case.can("report"):
            await case.received(2)
        await cache_goes_on(case, peer)


@check(PUBLISHER)
async def publisher_reads_commands_sent_in_one_segment(case: Case) -> None:
    """A publisher handles each of several commands that come at once, in order."""
    async with case.subscriber() as peer:
        asked = [commands.UpdateProcessingInterval(milliseconds=-1) for _ in range(20)]
        await peer.say(commands.DefineOperationalModes(modes=TSSC), *asked)
        for _ in asked:
            await peer.fenced()
        subscription = await peer.subscribe()
        await goes_on(case, peer, subscription)


@check(SUBSCRIBER, needs=("control:report",))
async def subscriber_reads_responses_sent_in_one_segment(case: Case) -> None:
    """A subscriber handles each of a hundred responses that come at once, in order."""
    async with case.publisher() as peer:
        await peer.serve()
        packets = [packet for _ in range(100) for packet in peer.data_packets(case.frame(0))]
        await peer.say(*packets)
        received = await case.received(100)
        ticks = [time for _, time, *_ in received]
        case.require(len(ticks) == 100 and ticks == sorted(ticks), "100 measurements in order", f"{len(ticks)}")


@check(PUBLISHER)
async def publisher_reads_on_after_a_stall_in_mid_frame(case: Case) -> None:
    """A publisher does not lose the framing when a frame stops in its middle for a while."""
    async with streaming(case) as (peer, subscription):
        asked = peer.written(commands.UpdateProcessingInterval(milliseconds=-1))
        for cut in (2, 6):
            await peer.say(asked[:cut])
            await case.stall()
            await peer.say(asked[cut:])
            await peer.fenced()
        await goes_on(case, peer, subscription)


@check(SUBSCRIBER)
async def subscriber_reads_on_after_a_stall_in_mid_frame(case: Case) -> None:
    """A subscriber does not lose the framing when a frame stops in its middle for a while."""
    async with case.publisher() as peer:
        await peer.serve()
        noop = peer.written(responses.NoOP())
        for cut in (2, 7):
            await peer.say(noop[:cut])
            await case.stall()
            await peer.say(noop[cut:])
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, needs=("control:report",))
async def reads_two_responses_in_one_frame(case: Case) -> None:
    """A subscriber tells several responses in one frame apart by their inner lengths."""
    async with case.publisher() as peer:
        await peer.serve()
        one, two = (b"".join(peer.written(each) for each in peer.data_packets(case.frame(0))) for _ in range(2))
        await peer.say(frame(one[4:], two[4:]))
        received = await case.received(2)
        case.require(len(received) == 2, "the measurements of both", received)


# --- limits


@check(PUBLISHER)
async def closes_on_an_oversized_first_command(case: Case) -> None:
    """A publisher closes the connection when a first command is announced that is longer than any can be."""
    async with case.subscriber() as peer:
        await peer.say(struct.pack(">I", 2**20) + b"\x06" + bytes(15))
        await peer.expect_end(why="after a first command of a mebibyte was announced")


@check(PUBLISHER)
async def takes_a_command_of_32768_bytes(case: Case) -> None:
    """A publisher takes commands of up to 32768 bytes once the modes are accepted."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.fence()
        wanted = f"filterExpression={{{EVERYTHING}}}; assemblyInfo={{source="
        filler = "x" * (_LONGEST_COMMAND - 6 - len(wanted) - len("}"))
        await peer.say(commands.Subscribe(connection_string=f"{wanted}{filler}}}"))
        case.require(len((await peer.subscribed()).signals), "the same signals as without a filler", "none")


@check(SUBSCRIBER)
async def takes_a_response_of_a_mebibyte(case: Case) -> None:
    """A subscriber takes a signal index cache of more than a mebibyte, and data under its last index."""
    signals = numbered(70_000)
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        await peer.offer(signals)
        await cache_goes_on(case, peer, signals)


@check(SUBSCRIBER, slow=True, topic="")
async def takes_metadata_of_sixteen_mebibytes(case: Case) -> None:
    """A subscriber takes metadata of sixteen mebibytes, and subscribes behind them."""
    document = with_many_devices(_LARGE_METADATA)
    async with case.publisher() as peer:
        await peer.accept_modes()
        peer.document = document
        wish = await peer.expect((commands.MetadataRefresh, commands.Subscribe), what="MetadataRefresh or Subscribe")
        if isinstance(wish, commands.Subscribe):
            raise NotSupported("it subscribes before it asks for metadata, if it does so at all")
        await peer.give_metadata()
        asked = await peer.expect(commands.Subscribe, within=_DIGESTING, what="Subscribe behind 16 MiB of metadata")
        peer.asked = SubscriptionOptions.from_connection_string(asked.connection_string)
        await peer.offer()
        await cache_goes_on(case, peer)
        if case.can("events"):
            wanted = sorted(map(str, parse(METADATA).signal_ids))
            told = sorted((await case.event("metadata"))["signals"])
            case.require(told == wanted, f"the signals of the metadata, {wanted}", told)


async def _absurd(case: Case, length: int) -> None:
    async with streaming(case) as (peer, _):
        await peer.say(struct.pack(">I", length) + bytes(16))
        await peer.expect_end(why=f"after a frame of {length} bytes was announced")


@check(PUBLISHER)
async def publisher_closes_on_an_absurd_length(case: Case) -> None:
    """A publisher closes the connection on a length above all limits, behind which no frame can be found."""
    for length in (0x7FFFFFFF, 0xFFFFFFFF):
        await _absurd(case, length)


@check(SUBSCRIBER)
async def subscriber_closes_on_an_absurd_length(case: Case) -> None:
    """A subscriber closes the connection on a length above all limits, behind which no frame can be found."""
    for length in (0x7FFFFFFF, 0xFFFFFFFF):
        async with case.publisher() as peer:
            await peer.serve()
            await peer.say(struct.pack(">I", length) + bytes(16))
            await peer.expect_end(why=f"after a frame of {length} bytes was announced")


@check(PUBLISHER, needs=("control:publish",), topic="")
async def keeps_data_packets_below_32_kib(case: Case) -> None:
    """A publisher keeps data packets below 32 KiB, however many measurements are published at once."""
    for modes in (TSSC, COMPACT):
        async with streaming(case, modes) as (peer, subscription):
            frames = [case.frame(*subscription.indexes) for _ in range(4_000 // len(subscription.indexes))]
            await case.publish_all(frames, subscription.signals)
            await peer.measurements(len(frames) * len(subscription.indexes))
            longest = max(len(each) for each in said(peer.recording, Role.PUBLISHER) if each[0] == Response.DATA_PACKET)
            case.require(longest - 6 <= _LONGEST_COMMAND, f"at most {_LONGEST_COMMAND} bytes of payload", longest - 6)
