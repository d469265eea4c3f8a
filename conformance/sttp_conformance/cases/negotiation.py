"""Negotiation (wire.md 3, 9.1): who speaks first, operational modes, versions, encodings, compression."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

from sttp.codes import Command, DataPacketFlags, ModeFlags, Response, Role, TextEncoding
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_subscriber import COMPACT, EVERYTHING, TSSC
from sttp_conformance.sessions import (
    cache_goes_on,
    catalogue,
    goes_on,
    is_readable,
    offered,
    said,
    streaming,
    subscriber_frames,
)
from sttp_conformance.violation import NotSupported

_UNASSIGNED = 0x19FFFC80
"""Bits 7, 10 to 24, 27 and 28."""

_UNKNOWN_EXTENSION = "UNSUPPORTED EXTENSION:"
_SHORT = 8 * 1024
_MAGIC = b"\x1f\x8b"


# --- what a subscriber asks for


async def _bits(case: Case) -> int:
    """The operational modes as they stand on the wire."""
    async with case.publisher() as peer:
        first = await peer.hear_frame()
        case.require(
            first[0] == Command.DEFINE_OPERATIONAL_MODES and len(first) == 5,
            "DefineOperationalModes with exactly 4 bytes",
            first[:32].hex(" "),
        )
        return int(struct.unpack_from(">I", first, 1)[0])


@check(SUBSCRIBER)
async def speaks_first_with_operational_modes(case: Case) -> None:
    """A subscriber sends DefineOperationalModes as the first thing, as soon as the connection is up."""
    async with case.publisher() as peer:
        await peer.accept_modes()


@check(SUBSCRIBER)
async def operational_modes_are_well_formed(case: Case) -> None:
    """The operational modes are four bytes: version 1 to 3, a defined encoding, and no bits without a meaning."""
    bits = await _bits(case)
    case.require(bits & 0x1F in (1, 2, 3), "version 1, 2 or 3", bits & 0x1F)
    case.require(bits >> 8 & 3 != 3, "one of three encodings", "the undefined one, 3")
    case.require(not bits & _UNASSIGNED, "no bit without a meaning", f"{bits & _UNASSIGNED:#010x}")


@check(SUBSCRIBER)
async def asks_for_version_2_by_default(case: Case) -> None:
    """A subscriber asks for version 2, unless it was told otherwise."""
    version = await _bits(case) & 0x1F
    case.require(version == 2, "version 2", version)


@check(SUBSCRIBER)
async def asks_for_utf8(case: Case) -> None:
    """A subscriber asks for UTF-8."""
    encoding = await _bits(case) >> 8 & 3
    case.require(encoding == TextEncoding.UTF_8, "UTF-8, which is 2", encoding)


@check(SUBSCRIBER)
async def compression_bits_come_in_pairs(case: Case) -> None:
    """A subscriber sets the bit of an algorithm where it sets the bit of what is to be compressed, and the reverse."""
    flags = ModeFlags(await _bits(case) & int(ModeFlags.EVERYTHING_COMPRESSED))
    gzip = bool(flags & (ModeFlags.COMPRESS_METADATA | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE))
    case.require(gzip is bool(flags & ModeFlags.GZIP), "GZip together with what it compresses", repr(flags))
    tssc = bool(flags & ModeFlags.COMPRESS_PAYLOAD_DATA)
    case.require(tssc is bool(flags & ModeFlags.TSSC), "TSSC together with compressed data", repr(flags))


@check(SUBSCRIBER)
async def sends_operational_modes_once(case: Case) -> None:
    """A subscriber defines its modes once on a connection."""
    count = sum(each[:1] == bytes((Command.DEFINE_OPERATIONAL_MODES,)) for each in await subscriber_frames(case))
    case.require(count == 1, "DefineOperationalModes once", f"{count} times")


# --- what a subscriber makes of the answer


@check(SUBSCRIBER)
async def goes_on_without_a_reply_to_the_modes(case: Case) -> None:
    """A subscriber goes on without an answer to its modes in versions 1 and 2."""
    async with case.publisher() as peer:
        defined = await peer.hear()
        assert isinstance(defined, commands.DefineOperationalModes)
        if defined.modes.version < 3:
            await peer.wait_for_subscribe()


@check(SUBSCRIBER, asks={"version": "3"})
async def waits_for_the_reply_in_version_3(case: Case) -> None:
    """A subscriber that asks for version 3 says nothing until its modes are accepted, and then goes on."""
    async with case.publisher() as peer:
        peer.polite = False
        defined = await peer.expect(commands.DefineOperationalModes)
        case.require(defined.modes.version == 3, "version 3", defined.modes.version)
        await peer.expect_silence(what="nothing before the modes are accepted")
        await peer.say(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="accepted"))
        peer.polite = True
        await peer.wait_for_subscribe()


async def _refused(case: Case, command: int) -> None:
    async with case.publisher() as peer:
        peer.polite = False
        await peer.expect(commands.DefineOperationalModes)
        await peer.say(responses.Failed(command=command, text="Not with you."))
        said_before = len(said(peer.recording, Role.SUBSCRIBER, whole=False))
        await peer.expect_end(why="after it was refused")
        later = said(peer.recording, Role.SUBSCRIBER, whole=False)[said_before:]
        # what was under way before the refusal was read is no fault
        case.require(len(later) <= 2, "no more commands after the refusal", [each[:1].hex() for each in later])


@check(SUBSCRIBER, topic="meets_refusals")
async def closes_when_its_modes_are_refused(case: Case) -> None:
    """A subscriber closes the connection when its modes are refused."""
    await _refused(case, Command.DEFINE_OPERATIONAL_MODES)


@check(SUBSCRIBER, topic="meets_refusals")
async def closes_when_its_connection_is_refused(case: Case) -> None:
    """A subscriber closes the connection when it is refused with Failed for command 0x00."""
    await _refused(case, Command.CONNECT)


@check(SUBSCRIBER)
async def tolerates_early_messages(case: Case) -> None:
    """A subscriber puts up with NoOP, ConfigurationChanged and Notify before its modes are answered."""
    async with case.publisher() as peer:
        await peer.say(responses.NoOP(), responses.ConfigurationChanged(), responses.NoOP())
        await peer.say(responses.Notify(hash=b"\xff\xfe\0\x01", text="early"))
        await peer.serve()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER)
async def recognises_gzip_by_its_first_bytes(case: Case) -> None:
    """A subscriber reads metadata and signal index caches compressed or plain, whatever it has asked for."""
    async with case.publisher() as peer:
        defined = await peer.accept_modes()
        peer.metadata_compressed = not defined.modes.compress_metadata
        await peer.wait_for_subscribe()
        await peer.offer(compressed=not defined.modes.compress_signal_index_cache)
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, needs=("control:report",))
async def reads_compact_packets_between_tssc_packets(case: Case) -> None:
    """A subscriber reads compact packets though it has asked for TSSC, and they do not disturb TSSC packets."""
    async with case.publisher() as peer:
        await peer.serve()
        if not peer.modes.compress_payload_data:
            raise NotSupported("the subscriber does not ask for TSSC")
        for tssc in (False, True, True, False, True):
            await peer.send(case.frame(0), tssc=tssc)
        received = await case.received(5)
        times = [time for _, time, *_ in received]
        case.require(times == sorted(set(times)) and len(times) == 5, "five measurements in order", received)


# --- how a publisher answers


@check(PUBLISHER)
async def waits_for_operational_modes(case: Case) -> None:
    """A publisher says nothing but NoOP before a subscriber has defined its modes."""
    async with case.subscriber() as peer:
        await peer.expect_silence(what="nothing but NoOP before DefineOperationalModes")
        await peer.define_modes()


@check(PUBLISHER, needs=("control:publish", "control:notify"))
async def sends_only_noop_before_operational_modes(case: Case) -> None:
    """A publisher says nothing but NoOP before the modes, also while its application publishes and notifies."""
    there = [str(row.signal_id) for row in await catalogue(case)]
    async with case.subscriber() as peer:
        await case.control.ask("notify", text="to those who know me")
        await case.publish_rows([[there[0], case.clock.tick(), 1.0, 0]])
        await peer.expect_silence(what="nothing but NoOP before DefineOperationalModes", only=(responses.NoOP,))
        await peer.define_modes()


@check(PUBLISHER)
async def answers_operational_modes(case: Case) -> None:
    """A publisher answers DefineOperationalModes with Succeeded, before anything else."""
    async with case.subscriber() as peer:
        await peer.say(
            commands.DefineOperationalModes(modes=TSSC),
            commands.MetadataRefresh(),
            commands.UpdateProcessingInterval(milliseconds=-1),
        )
        answer = await peer.hear_frame()
        while answer[:1] == bytes((Response.NOOP,)):
            answer = await peer.hear_frame()
        case.require(
            answer[:2] == bytes((Response.SUCCEEDED, Command.DEFINE_OPERATIONAL_MODES)),
            "Succeeded for DefineOperationalModes",
            answer[:32].hex(" "),
        )
        await peer.fenced()


@check(PUBLISHER)
async def reply_to_operational_modes_is_short(case: Case) -> None:
    """A publisher answers DefineOperationalModes, if at all, with less than 8 KiB."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.fence()
        for each in said(peer.recording, Role.PUBLISHER):
            if each[1] == Command.DEFINE_OPERATIONAL_MODES:
                case.require(len(each) < _SHORT, f"less than {_SHORT} bytes", len(each))


@check(PUBLISHER, needs=("version:3",))
async def answers_operational_modes_of_version_3(case: Case) -> None:
    """A publisher answers modes of version 3, with success or with failure: the subscriber waits for that."""
    async with case.subscriber() as peer:
        await peer.say(commands.DefineOperationalModes(modes=replace(TSSC, version=3)))
        await peer.answer(Command.DEFINE_OPERATIONAL_MODES, "DefineOperationalModes")


async def _version(case: Case, version: int) -> None:
    async with streaming(case, replace(TSSC, version=version)) as (peer, subscription):
        case.require(
            (subscription.cache_index is None) == (version == 1),
            "a signal index cache with a cache index" if version > 1 else "a signal index cache without cache index",
        )
        await goes_on(case, peer, subscription)


@check(PUBLISHER, needs=("version:1",))
async def accepts_version_1(case: Case) -> None:
    """A publisher that accepts version 1 serves a subscription of version 1."""
    await _version(case, 1)


@check(PUBLISHER, needs=("version:2",))
async def accepts_version_2(case: Case) -> None:
    """A publisher that accepts version 2 serves a subscription of version 2."""
    await _version(case, 2)


@check(PUBLISHER, needs=("version:3",))
async def accepts_version_3(case: Case) -> None:
    """A publisher that accepts version 3 serves a subscription of version 3."""
    await _version(case, 3)


@check(PUBLISHER, topic="refuses_modes")
async def refuses_unknown_versions(case: Case) -> None:
    """A publisher answers a version that nobody speaks with Failed and a text, and ends the connection."""
    for version in (0, 4, 31):
        async with case.subscriber() as peer:
            await peer.say(commands.DefineOperationalModes(modes=replace(TSSC, version=version)))
            refused = await peer.expect(
                responses.Failed,
                lambda answer: answer.command == Command.DEFINE_OPERATIONAL_MODES,
                what=f"Failed for DefineOperationalModes of version {version}",
            )
            case.require(refused.text, "a text that says why", "none")
            await peer.expect_end(why="after the modes were refused")


@check(PUBLISHER, topic="refuses_modes")
async def refuses_an_unknown_extension(case: Case) -> None:
    """A publisher answers an extension that it does not know with Failed and a text that begins as it should."""
    async with case.subscriber() as peer:
        await peer.say(commands.DefineOperationalModes(modes=replace(TSSC, extension=0x7F)))
        refused = await peer.expect(
            responses.Failed,
            lambda answer: answer.command == Command.DEFINE_OPERATIONAL_MODES,
            what="Failed for DefineOperationalModes with the extension 0x7F",
        )
        case.require(
            refused.text.startswith(_UNKNOWN_EXTENSION),
            f"a text that begins {_UNKNOWN_EXTENSION!r}",
            repr(refused.text),
        )


@check(PUBLISHER)
async def ignores_bytes_behind_the_modes(case: Case) -> None:
    """A publisher ignores what stands behind the four bytes of the modes."""
    async with case.subscriber() as peer:
        await peer.say(commands.DefineOperationalModes(modes=TSSC, parameters=bytes(range(100))))
        subscription = await peer.subscribe()
        await goes_on(case, peer, subscription)


@check(PUBLISHER, topic="refuses_modes")
async def answers_the_undefined_encoding(case: Case) -> None:
    """A publisher meets the undefined encoding 3 with Failed, with the end of the connection, or with UTF-8."""
    async with case.subscriber() as peer:
        modes = struct.pack(">I", TSSC.to_bits() | 0x300)
        interval = peer.written(commands.UpdateProcessingInterval(milliseconds=-1))
        await peer.say(frame(bytes((Command.DEFINE_OPERATIONAL_MODES,)), modes), interval)
        await peer.expect_answer_or_end(Command.DEFINE_OPERATIONAL_MODES, Command.UPDATE_PROCESSING_INTERVAL)


@check(PUBLISHER, topic="refuses_modes")
async def refuses_commands_before_operational_modes(case: Case) -> None:
    """A publisher does not serve a command that comes before DefineOperationalModes."""
    async with case.subscriber() as peer:
        await peer.say(commands.MetadataRefresh())
        for heard in await peer.expect_end(why="after a first command other than DefineOperationalModes"):
            case.require(not isinstance(heard, responses.Metadata), "no metadata", "Metadata")


@check(PUBLISHER)
async def answers_repeated_operational_modes(case: Case) -> None:
    """A publisher answers modes that are defined again, and a running subscription stays readable."""
    async with streaming(case) as (peer, subscription):
        await peer.say(commands.DefineOperationalModes(modes=TSSC))
        await peer.answer(Command.DEFINE_OPERATIONAL_MODES, "the second DefineOperationalModes")
        await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def handles_commands_in_order(case: Case) -> None:
    """A publisher handles commands in the order in which they arrive, though they come all at once."""
    async with case.subscriber() as peer:
        order = (Command.METADATA_REFRESH, Command.SUBSCRIBE, Command.UPDATE_PROCESSING_INTERVAL)
        await peer.say(
            commands.DefineOperationalModes(modes=TSSC),
            commands.MetadataRefresh(),
            commands.Subscribe(connection_string=f"filterExpression={{{EVERYTHING}}}"),
            commands.UpdateProcessingInterval(milliseconds=-1),
        )
        await peer.fenced()
        replies = [
            each[1]
            for each in said(peer.recording, Role.PUBLISHER)
            if each[0] in (Response.SUCCEEDED, Response.FAILED) and each[1] in order
        ]
        case.require(replies == list(order), "replies in the order of the commands", [hex(each) for each in replies])


@check(PUBLISHER, needs=("encoding:utf-16le",), topic="")
async def each_connection_has_modes_of_its_own(case: Case) -> None:
    """A publisher serves each connection by its own modes, whatever others have defined before or meanwhile."""
    other = replace(COMPACT, version=1, encoding=TextEncoding.UTF_16LE)
    for first, second in ((TSSC, other), (other, TSSC)):
        async with streaming(case, first) as (peer, subscription):
            if not case.implementation.dials:  # a publisher that dials has one connection
                async with streaming(case, second) as (guest, wanted):
                    case.require(is_readable(wanted.text), "a text in the encoding of the session", repr(wanted.text))
                    await guest.fence()
            case.require(
                is_readable(subscription.text), "a text in the encoding of the session", repr(subscription.text)
            )
            await goes_on(case, peer, subscription)


# --- encodings


async def _encoded(case: Case, encoding: TextEncoding) -> None:
    rows = await catalogue(case)
    wanted = rows[1]
    async with case.subscriber() as peer:
        await peer.begin(replace(TSSC, encoding=encoding))
        subscription = await peer.subscribe(str(wanted.signal_id))
        case.require(
            offered(subscription) == [wanted.signal_id],
            f"a signal index cache with {wanted.signal_id} only",
            f"{len(subscription.indexes)} signals",
        )
        source = subscription.signals[subscription.indexes[0]].key
        case.require(source == wanted.key, f"the source {wanted.key!r} in the encoding of the session", repr(source))
        await peer.say(commands.Subscribe(connection_string="filterExpression={FILTER Nowhere WHERE (}"))
        refused = await peer.find(responses.Failed)
        for text in (subscription.text, refused.text):
            case.require(is_readable(text), "texts in the encoding of the session", repr(text))


@check(PUBLISHER, needs=("encoding:utf-16le",))
async def reads_a_utf16le_connection_string(case: Case) -> None:
    """A publisher reads and writes all texts in UTF-16LE where a subscriber asks for it."""
    await _encoded(case, TextEncoding.UTF_16LE)


@check(PUBLISHER, needs=("encoding:utf-16be",))
async def reads_a_utf16be_connection_string(case: Case) -> None:
    """A publisher reads and writes all texts in UTF-16BE where a subscriber asks for it."""
    await _encoded(case, TextEncoding.UTF_16BE)


# --- compression


async def _compressed(case: Case, what: ModeFlags, by: ModeFlags, seen: Callable[[bytes], bool | None]) -> None:
    """Whether something is compressed if both bits are set, and else not."""
    for flags in (ModeFlags(0), what, by):
        async with case.subscriber() as peer:
            await peer.begin(replace(TSSC, flags=flags))
            await peer.say(commands.MetadataRefresh())
            await peer.fence()
            subscription = await peer.subscribe()
            await peer.fence()
            if what is ModeFlags.COMPRESS_PAYLOAD_DATA:
                await case.publish(case.frame(*subscription.indexes), subscription.signals)
                await peer.find(DataPacket)
            found = [seen(each) for each in said(peer.recording, Role.PUBLISHER)]
            case.require(True not in found, f"nothing compressed with the modes {flags!r}", "that it is")


def _metadata(heard: bytes) -> bool | None:
    is_metadata = heard[:2] == bytes((Response.SUCCEEDED, Command.METADATA_REFRESH))
    return heard[6:8] == _MAGIC if is_metadata else None


def _cache(heard: bytes) -> bool | None:
    return heard[7:9] == _MAGIC if heard[0] == Response.UPDATE_SIGNAL_INDEX_CACHE else None


def _data(heard: bytes) -> bool | None:
    return bool(heard[6] & DataPacketFlags.COMPRESSED) if heard[0] == Response.DATA_PACKET else None


@check(PUBLISHER)
async def cache_is_gzip_only_if_both_bits_are_set(case: Case) -> None:
    """A publisher compresses signal index caches only if both bits 30 and 5 are set."""
    await _compressed(case, ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE, ModeFlags.GZIP, _cache)


@check(PUBLISHER)
async def metadata_is_gzip_only_if_both_bits_are_set(case: Case) -> None:
    """A publisher compresses metadata only if both bits 31 and 5 are set."""
    await _compressed(case, ModeFlags.COMPRESS_METADATA, ModeFlags.GZIP, _metadata)


@check(PUBLISHER, needs=("control:publish",))
async def data_is_tssc_only_if_both_bits_are_set(case: Case) -> None:
    """A publisher sends TSSC only if both bits 29 and 6 are set."""
    await _compressed(case, ModeFlags.COMPRESS_PAYLOAD_DATA, ModeFlags.TSSC, _data)


@check(PUBLISHER)
async def compresses_what_is_asked_for(case: Case) -> None:
    """A publisher compresses metadata, signal index caches and data where both bits of each are set."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.MetadataRefresh())
        await peer.fence()
        subscription = await peer.subscribe()
        await goes_on(case, peer, subscription)
        frames = said(peer.recording, Role.PUBLISHER)
        for name, seen in (("metadata", _metadata), ("the signal index cache", _cache), ("data", _data)):
            case.require(False not in [seen(each) for each in frames], f"that {name} is compressed", "it is not")


@check(PUBLISHER)
async def gzip_streams_are_whole(case: Case) -> None:
    """A publisher writes gzip streams to their end, with the right checksum, and nothing behind them."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.MetadataRefresh())
        await peer.fence()
        await peer.subscribe()
        for each in said(peer.recording, Role.PUBLISHER):
            start = 6 if _metadata(each) else 7 if _cache(each) else 0
            if start:
                _inflate(case, each[start:])


def _inflate(case: Case, data: bytes) -> None:
    reader = zlib.decompressobj(wbits=31)
    try:
        reader.decompress(data)
    except zlib.error as error:
        case.require(False, "a gzip stream that can be read", error)
    case.require(reader.eof, "a gzip stream with its end", "one that is cut short")
    case.require(not reader.unused_data, "nothing behind a gzip stream", f"{len(reader.unused_data)} bytes")
