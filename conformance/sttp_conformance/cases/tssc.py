"""TSSC (wire.md 6.4, tssc.md): blocks and their numbers, what is in them, how streams begin, what may be wrong."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from sttp.codes import Command, DataPacketFlags
from sttp.errors import ProtocolError
from sttp.measurement import Columns, SignalTable
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscBlock, TsscDecoder, TsscEncoder, write_tssc_payload
from sttp_conformance.aftermath import recovers, report
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.exact import SPECIAL_VALUES, publish_exactly, series
from sttp_conformance.golden import golden_streams
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.overheard import data_packets
from sttp_conformance.picking import everything, only, publish_and_compare
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import TSSC, ScriptedSubscriber
from sttp_conformance.sessions import cache_goes_on
from sttp_conformance.violation import NotSupported, Skip, Violation
from sttp_conformance.ways import Direction

_LARGEST_BLOCK = 32_768
_INDEXES = np.ones(2**20, np.bool_)
_LAST_SEQUENCE = 65_535
_AT_ONCE = 500
"""Measurements that are published one by one until their packets are looked at."""

_LONGEST = 600.0
"""Seconds that it may take until the sequence wraps."""

_OUT_OF_STEP = 30.0
"""Seconds in which a subscriber that is out of step is to connect anew."""

_IMPOSSIBLE = 2**28
"""Measurements that no block can hold; a peer that takes memory for them shall not take that of the computer."""


# --- publishers


def _compressed(peer: ScriptedSubscriber) -> list[DataPacket]:
    """The TSSC packets that have come."""
    found = [packet for packet in data_packets(peer) if DataPacketFlags.COMPRESSED in packet.flags]
    if not found:
        raise NotSupported("it sends compact packets, though TSSC was asked for")
    return found


def _blocks(peer: ScriptedSubscriber) -> list[TsscBlock]:
    """The blocks that have come."""
    return [
        TsscBlock(sequence=int.from_bytes(packet.body[1:3], "big"), count=packet.count, block=bytes(packet.body[3:]))
        for packet in _compressed(peer)
    ]


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_packets_are_numbered_from_0(case: Case) -> None:
    """TSSC packets have the version 85, and sequence numbers that begin with 0 and grow by one."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for _ in range(12):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
        versions = {packet.body[0] for packet in _compressed(peer)}
        case.require(versions == {85}, "the version 85", versions)
        got = [block.sequence for block in _blocks(peer)]
        case.require(got == [*range(len(got))], f"the sequence numbers 0 to {len(got) - 1}", got)


async def _restarts(case: Case, version: int) -> None:
    async with case.subscriber() as peer:
        await peer.begin(replace(TSSC, version=version))
        signals = await everything(case, peer)
        for chosen in ((0, 1), (2,)):
            for _ in range(3):
                await publish_and_compare(case, peer, signals, *range(len(signals)))
            before = len(_blocks(peer))
            await peer.subscribe(only(signals, *chosen))
            await peer.fence()
            for _ in range(2):
                await publish_and_compare(case, peer, signals, *chosen)
            got = _blocks(peer)[before].sequence
            case.require(got == 0, "the sequence number 0 in the first packet of a new cache", got)
            await peer.subscribe()
            await peer.fence()


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_restarts_at_a_handover(case: Case) -> None:
    """A confirmed handover begins the stream anew: the first packet of the new cache has sequence 0."""
    await _restarts(case, 2)


@check(PUBLISHER, needs=("control:publish", "tssc", "version:1"))
async def version_1_tssc_restarts_with_each_cache(case: Case) -> None:
    """In version 1 each cache begins the stream anew."""
    await _restarts(case, 1)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_stays_readable_over_a_repeated_subscribe(case: Case) -> None:
    """A Subscribe to the same again leaves the stream readable: it goes on, or begins anew with sequence 0."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for _ in range(2):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            await _subscribe_again(peer)
            await peer.fence()
            await publish_and_compare(case, peer, signals, *range(len(signals)))


async def _subscribe_again(peer: ScriptedSubscriber) -> None:
    """Subscribe to everything once more; there may be a new cache, or none."""
    wanted = SubscriptionOptions(filter_expression="FILTER ActiveMeasurements WHERE True")
    await peer.say(commands.Subscribe(connection_string=wanted.to_connection_string()))
    await peer.say(commands.UpdateProcessingInterval(milliseconds=-1))
    while True:
        answer = await peer.expect((responses.Succeeded, responses.Failed, responses.UpdateSignalIndexCache))
        if isinstance(answer, responses.UpdateSignalIndexCache):
            peer.packets.response(answer)
            await peer.say(commands.ConfirmUpdateSignalIndexCache())
        elif getattr(answer, "command", None) == Command.UPDATE_PROCESSING_INTERVAL:
            return


@check(PUBLISHER, needs=("control:publish", "tssc"), directions=(Direction.FORWARD,))
async def each_subscriber_has_a_tssc_stream_of_its_own(case: Case) -> None:
    """Every connection has a stream of its own that begins afresh, whenever it joins."""
    async with case.subscriber() as first, case.subscriber() as second:
        await first.begin(TSSC)
        signals = await everything(case, first)
        await publish_and_compare(case, first, signals, *range(len(signals)))
        await second.begin(TSSC)
        await everything(case, second)
        for _ in range(2):
            sent = await publish_and_compare(case, first, signals, *range(len(signals)))
            got = await second.measurements(len(signals))
            case.require(sorted(got.lines()) == sorted(sent.lines()), "the same measurements", "; ".join(got.lines()))


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_measurements_are_exact(case: Case) -> None:
    """TSSC carries times that jitter and go back, all 32 state bits and the bits of values without loss."""
    steps = [0, 7, -61, 40, -12_345, 100_000_000, -1_000_000_000, 1, 2, 3] * 4
    states = [1 << number % 32 for number in range(40)]
    values = np.resize(SPECIAL_VALUES, 40)
    await publish_exactly(case, series(case, values, steps=steps, flags=states), TSSC)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_blocks_end_where_their_bits_end(case: Case) -> None:
    """A block has as many records as counted, and ends with the last bit that is needed: nothing follows."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for count in (1, 2, 3, 1, 2, 3, 3, 1):
            index = tuple(range(count))
            await publish_and_compare(case, peer, signals, *index, published=index)
        blocks = _blocks(peer)
        for number, block in enumerate(blocks):
            case.require(
                not _decodes([*blocks[:number], replace(block, block=block.block[:-1])]),
                f"that the last byte of the block {block.block.hex(' ')} is needed",
            )


def _decodes(blocks: Sequence[TsscBlock]) -> bool:
    decoder = TsscDecoder(signal_indexes=_INDEXES)
    try:
        for each in blocks:
            decoder.decode(each.block, sequence=each.sequence, count=each.count)
    except ProtocolError:
        return False
    return True


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_blocks_stay_within_32768_bytes(case: Case) -> None:
    """A block is at most 32768 bytes long."""
    count = 20_000
    chance = np.random.default_rng(2664)
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        values = chance.integers(0, 2**23, count).astype(np.float32)
        index = chance.integers(0, len(signals), count).astype(np.int32)
        times = case.clock.tick() + np.arange(count, dtype=np.int64) * 333
        await case.publish(Columns(index, times, np.zeros(count, np.uint32), values), signals)
        await peer.measurements(count, within=4 * case.grace.reply)
        got = max(len(block.block) for block in _blocks(peer))
        case.require(got <= _LARGEST_BLOCK, f"blocks of at most {_LARGEST_BLOCK} bytes", got)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def sends_no_empty_tssc_block(case: Case) -> None:
    """No TSSC packet without measurements is sent."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        await peer.subscribe(only(signals, 1))
        await peer.fence()
        for _ in range(3):
            await case.publish(case.frame(0, 2), signals)
        await case.publish(case.frame(1), signals)
        await peer.expect(DataPacket)
        counts = [packet.count for packet in _compressed(peer)]
        case.require(0 not in counts, "no packet before one with a measurement", counts)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_blocks_are_those_of_the_reference(case: Case) -> None:
    """The encoder makes the choices of the reference encoders, byte for byte."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for _ in range(10):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
        decoder, encoder = TsscDecoder(signal_indexes=_INDEXES), TsscEncoder()
        for block in _blocks(peer):
            columns = decoder.decode(block.block, sequence=block.sequence, count=block.count)
            wanted = encoder.encode(columns)[0].block
            case.require(block.block == wanted, f"the block {wanted.hex(' ')}", block.block.hex(" "))


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_carries_times_always(case: Case) -> None:
    """TSSC carries whole times, also to a subscriber that asked for none."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer, include_time=False)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        _compressed(peer)


@check(PUBLISHER, needs=("control:publish", "tssc"), slow=True, topic="")
async def tssc_sequence_skips_0_when_it_wraps(case: Case) -> None:
    """After the sequence number 65535 follows 1, and the stream stays readable."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        before, wrapped, began = -1, False, time.monotonic()
        for turn in range(_LAST_SEQUENCE // _AT_ONCE + 2):
            peer.recording.taken.clear()  # all that is looked at is what comes next
            for number in range(_AT_ONCE):  # one by one, so that none shares a packet with another
                await case.publish(case.frame(number % 3), signals)
                await peer.measurements(1)
            for sequence in (block.sequence for block in _blocks(peer)):
                wanted = 1 if before == _LAST_SEQUENCE else before + 1
                case.require(sequence == wanted, f"the sequence number {wanted} behind {before}", sequence)
                wrapped |= before == _LAST_SEQUENCE
                before = sequence
            if turn == 0 and (ahead := (time.monotonic() - began) * _LAST_SEQUENCE / _AT_ONCE) > _LONGEST:
                raise Skip(f"so many packets, one by one, would take {ahead / 60:.0f} minutes")
        if not wrapped:
            raise Skip(f"its sequence number is only {before} after {_LAST_SEQUENCE} measurements, one by one")


# --- subscribers: golden streams


async def _serve(peer: ScriptedPublisher, signals: SignalTable = SIGNALS) -> None:
    await peer.serve(signals)
    if not peer.modes.compress_payload_data:
        raise NotSupported("it does not ask for TSSC")


def _packet(block: TsscBlock, *, slot: int = 0) -> DataPacket:
    flags = DataPacketFlags.COMPRESSED | (DataPacketFlags.CACHE_INDEX if slot else DataPacketFlags(0))
    return DataPacket(flags=flags, count=block.count, body=write_tssc_payload(block))


def _unsigned(found: list[list[Any]]) -> list[list[Any]]:
    """Rows whose times are taken modulo 2^64, because some have them signed and some have not."""
    return [[row[0], row[1] % 2**64, *row[2:]] for row in found]


def _golden(name: str, stream: str, title: str) -> None:
    """Make the check that sends a golden stream."""

    async def body(case: Case) -> None:
        golden = golden_streams()[stream]
        async with case.publisher() as peer:
            await _serve(peer, golden.signals)
            await peer.say(*map(_packet, golden.blocks))
            sent = _unsigned(rows(Columns.concatenate(golden.measurements), golden.signals))
            received = _unsigned(await case.received(len(sent), within=4 * case.grace.reply))
            case.require(len(received) == len(sent), f"{len(sent)} measurements", len(received))
            for number, (wanted, got) in enumerate(zip(sent, received, strict=True)):
                case.require(repr(got) == repr(wanted), f"{wanted} as measurement {number} of {stream}", got)

    body.__name__, body.__doc__ = name, title
    check(SUBSCRIBER, needs=("control:report",))(body)


for _name, _stream, _what in (
    ("decodes_constant_values", "01-constant", "constant values"),
    ("decodes_slow_signals", "02-slow-30hz-25-signals", "signals that change slowly"),
    ("decodes_random_bits", "03-random-bits", "values of random bits"),
    ("decodes_special_values", "04-special-values", "zeros, infinities, NaNs and repeated values"),
    ("decodes_times_that_go_back", "05-time-backwards", "times that go back and leap"),
    ("decodes_changing_flags", "07-flags-changing", "changing states of all lengths"),
    ("decodes_streams_with_resets", "08-resets", "resets: sequence 0 begins a fresh decoder"),
    ("decodes_jitter", "10-jitter", "times that jitter"),
    ("decodes_tiny_blocks", "11-tiny-blocks", "tiny blocks, with and without an end code"),
    ("decodes_full_buffers", "12-mixed-full-buffers", "blocks that fill the whole buffer"),
):
    _golden(_name, _stream, f"A stream of others is decoded bit for bit: {_what}.")


@check(SUBSCRIBER, needs=("control:report",))
async def decodes_sparse_indexes(case: Case) -> None:
    """Blocks with signal indexes that are far apart are decoded."""
    ids = np.zeros((100_001, 16), np.uint8)
    indexes = (7, 0, 100_000, 42, 4_711, 65_536)
    for number, index in enumerate(indexes):
        ids[index] = np.frombuffer(SIGNALS[number].signal_id.bytes, np.uint8)
    signals = SignalTable(ids, tuple("SUITE:1" if row.any() else "" for row in ids))
    async with case.publisher() as peer:
        await _serve(peer, signals)
        sent = [case.frame(*indexes), case.frame(*reversed(indexes)), case.frame(*indexes)]
        for each in sent:
            await peer.send(each)
        wanted = rows(Columns.concatenate(sent), signals)
        received = await case.received(len(wanted))
        case.require(received == wanted, f"{wanted}", received)


# --- subscribers: sequence numbers and caches


def _encoded(encoder: TsscEncoder, sent: Sequence[Columns]) -> list[TsscBlock]:
    return [block for each in sent for block in encoder.encode(each)]


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def decodes_nothing_behind_a_gap(case: Case) -> None:
    """Behind a gap in the sequence nothing is decoded; sequence 0, or a new connection, brings the stream back."""
    async with case.publisher() as peer:
        await _serve(peer)
        sent = [case.frame(0, 1, 2) for _ in range(5)]
        blocks = _encoded(TsscEncoder(), sent)
        await peer.say(*(_packet(blocks[number]) for number in (0, 1, 3, 4)))
        got = await recovers(case, peer, tssc=True)
        wanted = rows(Columns.concatenate(sent[:2]), SIGNALS)
        case.require(got == wanted, f"only what came before the gap, {wanted}", got)


@check(SUBSCRIBER, slow=True, topic="")
async def connects_anew_when_no_reset_comes(case: Case) -> None:
    """A subscriber that is out of step connects anew when no packet with sequence 0 comes."""
    async with case.publisher() as peer:
        await _serve(peer)
        encoder = TsscEncoder()
        first, _ = _encoded(encoder, [case.frame(0), case.frame(0)])
        await peer.say(_packet(first))
        deadline = time.monotonic() + _OUT_OF_STEP
        while time.monotonic() < deadline:
            # NoOP too, so that nobody takes what is dropped for silence
            await peer.say(*map(_packet, _encoded(encoder, [case.frame(0)])), responses.NoOP())
            try:
                if await peer.hear(within=0.2) is None:
                    break
            except TimeoutError:
                continue
        else:
            raise Violation(f"expected the end of the connection within {_OUT_OF_STEP:g} s of a gap, but it is up")
    async with case.publisher() as peer:
        await _serve(peer)
        if case.can("report"):
            await report(case)  # what came before the gap
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, needs=("control:report",), slow=True, topic="")
async def follows_the_sequence_over_its_wrap(case: Case) -> None:
    """A subscriber takes the sequence number 1 behind 65535 for the next one."""
    async with case.publisher() as peer:
        await _serve(peer)
        encoder, left = TsscEncoder(), _LAST_SEQUENCE + 5
        while left:
            sent = [case.frame(left % 3) for _ in range(min(left, 1_000))]
            await peer.say(*map(_packet, _encoded(encoder, sent)))
            wanted, left = rows(Columns.concatenate(sent), SIGNALS), left - len(sent)
            received = await case.received(len(wanted))
            case.require(
                received == wanted, f"the measurements of {len(sent)} packets, {left} before the end", "others"
            )


@check(SUBSCRIBER, needs=("control:report",))
async def each_cache_has_a_decoder_of_its_own(case: Case) -> None:
    """Each cache has a decoder of its own, and a new cache one that begins with sequence 0."""
    async with case.publisher() as peer:
        await _serve(peer)
        if not peer.modes.double_buffered:
            raise NotSupported("it asks for version 1, which has one signal index cache")
        for _ in range(3):
            await peer.send(case.frame(0, 1, 2), tssc=True)
        await case.received(9)
        other = SIGNALS.select(np.arange(len(SIGNALS))[::-1])
        await peer.offer(other, cache_index=1, succeed=False)
        sent = []
        for active in (0, 1, 1, 0, 1, 0):
            peer.active = active
            each = case.frame(0, 1, 2)
            await peer.send(each, tssc=True)
            sent += rows(each, other if active else SIGNALS)
        received = await case.received(len(sent))
        case.require(received == sent, f"both streams: {sent}", received)


@check(SUBSCRIBER, needs=("control:report", "control:subscribe"), fresh=True)
async def keeps_its_decoder_when_no_new_cache_comes(case: Case) -> None:
    """A Subscribe that brings no new cache leaves the decoder alone."""
    async with case.publisher() as peer:
        await _serve(peer)
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


# --- subscribers: what is wrong with a block


async def _met(case: Case, *packets: DataPacket) -> list[list[Any]]:
    """What is reported of packets that are not as they should be."""
    async with case.publisher() as peer:
        await _serve(peer)
        await peer.say(*packets)
        return await recovers(case, peer, tssc=True)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def decodes_no_other_tssc_version(case: Case) -> None:
    """A packet whose version byte is not 85 is not decoded."""
    packet = _packet(TsscEncoder().encode(case.frame(0, 1))[0])
    got = await _met(case, replace(packet, body=b"\x56" + bytes(packet.body[1:])))
    case.require(not got, "nothing from a packet of version 86", got)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def takes_a_wrong_tssc_count_for_corruption(case: Case) -> None:
    """From a block with more or fewer records than counted nothing is reported that was not sent."""
    for more in (-1, 1):
        sent = case.frame(0, 1, 2)
        packet = _packet(TsscEncoder().encode(sent)[0])
        got = await _met(case, replace(packet, count=packet.count + more))
        invented = [row for row in got if row not in rows(sent, SIGNALS)]
        case.require(not invented, "nothing that was not sent", invented)


def _cuts(block: TsscBlock) -> Iterator[TsscBlock]:
    for length in range(len(block.block) // 4, len(block.block), max(len(block.block) // 4, 1)):
        yield replace(block, block=block.block[:length])


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def survives_a_truncated_tssc_block(case: Case) -> None:
    """From a block that is cut nothing is invented, and a later stream is decoded."""
    sent = case.frame(*range(7))
    block = TsscEncoder().encode(sent)[0]
    for cut in _cuts(block):
        got = await _met(case, _packet(cut))
        invented = [row for row in got if row not in rows(sent, SIGNALS)]
        case.require(not invented, f"nothing that the whole block does not have, from {len(cut.block)} bytes", invented)


_POINT_8, _TIME_7_BIT, _FLAGS_7_BIT, _VALUE_1, _VALUE_32 = (bytes((code,)) for code in (2, 17, 19, 20, 31))
"""Codes of a point that has coded little: three zero bits before five that are the code, which is a byte."""


def _seven_bit(number: int) -> bytes:
    """A number of 64 bits, seven bits to a byte; the ninth byte has eight."""
    out = b""
    while number > 0x7F and len(out) < 8:
        out += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return out + bytes((number,))


def _value(value: float) -> bytes:
    return _VALUE_32 + struct.pack("<f", value)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def refuses_tssc_codes_out_of_order(case: Case) -> None:
    """Codes of a record that go back are noticed: nothing of such a record is reported."""
    time = _TIME_7_BIT + _seven_bit(case.clock.tick())
    backwards = TsscBlock(sequence=0, count=1, block=_FLAGS_7_BIT + b"\x05" + time + _value(1.0))
    got = await _met(case, _packet(backwards))
    case.require(not got, "nothing from a block with a time behind the state", got)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def recovers_after_a_broken_tssc_block(case: Case) -> None:
    """After a broken block nothing is decoded until sequence 0 or a new connection."""
    sent = [case.frame(*range(5)) for _ in range(4)]
    blocks = _encoded(TsscEncoder(), sent)
    broken = replace(blocks[1], block=blocks[1].block[: len(blocks[1].block) // 2])
    got = await _met(case, *map(_packet, (blocks[0], broken, *blocks[2:])))
    known = rows(Columns.concatenate(sent[:2]), SIGNALS)
    late = [row for row in got if row not in known]
    case.require(not late, "nothing from the blocks behind the broken one", late)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def survives_tssc_indexes_outside_of_the_cache(case: Case) -> None:
    """Signal indexes that are not in the cache cost the block, not the process."""
    time = _TIME_7_BIT + _seven_bit(case.clock.tick())
    for index in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x08\0\0\0"):
        got = await _met(case, _packet(TsscBlock(sequence=0, count=1, block=b"\x07" + index + time + _value(1.0))))
        known = {str(signal.signal_id) for signal in SIGNALS}
        invented = [row for row in got if row[0] in known]
        case.require(not invented, "nothing under a signal of the cache", invented)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def survives_an_impossible_tssc_count(case: Case) -> None:
    """A count that no block can hold is refused, before memory is taken for it."""
    sent = case.frame(0, 1)
    packet = _packet(TsscEncoder().encode(sent)[0])
    for count in (_IMPOSSIBLE, -1):
        got = await _met(case, replace(packet, count=count))
        invented = [row for row in got if row not in rows(sent, SIGNALS)]
        case.require(not invented, "nothing that was not sent", invented)


# --- subscribers: what no encoder writes and every decoder reads


async def _decoded(case: Case, blocks: Sequence[TsscBlock], wanted: list[list[Any]]) -> None:
    async with case.publisher() as peer:
        await _serve(peer)
        await peer.say(*map(_packet, blocks))
        received = _unsigned(await case.received(len(wanted)))
        case.require(received == _unsigned(wanted), f"{wanted}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def accepts_tssc_choices_of_other_encoders(case: Case) -> None:
    """What an encoder would have coded otherwise is read: over-long numbers, no difference, long forms, wide values."""
    time = case.clock.tick()
    first = _POINT_8 + b"\0" + _TIME_7_BIT + _seven_bit(time) + _FLAGS_7_BIT + b"\x85\x80\x80\x80\0" + _value(1.0)
    second = _TIME_7_BIT + b"\x85\x80\0" + _VALUE_1
    ids = [str(signal.signal_id) for signal in SIGNALS]
    await _decoded(
        case,
        [TsscBlock(sequence=0, count=2, block=first + second)],
        [[ids[0], time, 1.0, 5], [ids[1], time ^ 5, 0.0, 0]],
    )


@check(SUBSCRIBER, needs=("control:report",))
async def accepts_an_empty_tssc_block(case: Case) -> None:
    """A block of zero bytes is accepted, and bytes behind an end code are ignored."""
    zero = case.frame(0)._replace(value=np.zeros(1, np.float32))  # a code of one bit, so that there is an end code
    sent = [zero, case.frame(1), case.frame(2)]
    first, *others = _encoded(TsscEncoder(), sent)
    with_rest = replace(first, block=first.block + b"\xff\xff")
    assert _decodes([with_rest]), "the block has an end code"
    shifted = [replace(block, sequence=block.sequence + 1) for block in others]
    await _decoded(
        case,
        [with_rest, TsscBlock(sequence=1, count=0, block=b""), *shifted],
        rows(Columns.concatenate(sent), SIGNALS),
    )


@check(SUBSCRIBER, needs=("control:report",))
async def wraps_tssc_times(case: Case) -> None:
    """Arithmetic of times wraps at 64 bits."""
    count = 8
    extremes = np.resize(np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max], np.int64), count)
    columns = Columns(
        np.zeros(count, np.int32), extremes, np.zeros(count, np.uint32), np.arange(count, dtype=np.float32)
    )
    await _decoded(case, TsscEncoder().encode(columns), rows(columns, SIGNALS))
