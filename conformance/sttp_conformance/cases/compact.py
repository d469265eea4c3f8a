"""Compact data packets (wire.md 6.1, 6.2, 6.3): flags, counts, values, times and states of measurements."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sttp.codes import DataPacketFlags, ModeFlags
from sttp.measurement import Columns
from sttp.wire import responses
from sttp.wire.fields import is_gzip
from sttp.wire.responses import DataPacket
from sttp_conformance.aftermath import recovers
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.compact_records import GROUPS, Record, compact_packet, walk_records
from sttp_conformance.exact import SPECIAL_VALUES, publish_exactly, series
from sttp_conformance.grid import SIGNALS, rows, wire_value
from sttp_conformance.measurements import Measurements
from sttp_conformance.overheard import data_packets, frames
from sttp_conformance.picking import everything, only, publish_and_compare, publish_one_behind_others
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, TSSC, ScriptedSubscriber
from sttp_conformance.violation import NotSupported

_NEITHER = int(DataPacketFlags.CACHE_INDEX | DataPacketFlags.CIPHER_INDEX)
"""Flags that say nothing about the format."""

# --- publishers


async def _compact(case: Case, peer: ScriptedSubscriber, sent: Columns, **options: Any) -> list[Record]:
    """Publish measurements in a session without TSSC, and return the records that arrive."""
    await peer.begin(COMPACT)
    signals = await everything(case, peer, **options)
    await case.publish(sent, signals)
    records: list[Record] = []
    while len(records) < len(sent.ticks):
        what = f"{len(sent.ticks)} compact measurements, of which {len(records)} came"
        packet = await peer.expect(DataPacket, what=what)
        records += walk_records(packet, include_time=options.get("include_time", True))
    return records


@check(PUBLISHER, needs=("control:publish",))
async def compact_packets_have_the_compact_flag(case: Case) -> None:
    """Without TSSC each data packet has the Compact flag, and no other but those for cache and cipher keys."""
    async with case.subscriber() as peer:
        await peer.begin(COMPACT)
        signals = await everything(case, peer)
        for _ in range(2):
            await case.publish(case.frame(*range(len(signals))), signals)
            packet = await peer.expect(DataPacket)
            case.require(
                int(packet.flags) & ~_NEITHER == DataPacketFlags.COMPACT, "the Compact flag alone", packet.flags
            )


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_packets_do_not_have_the_compact_flag(case: Case) -> None:
    """A packet of TSSC has the Compressed flag and not the Compact flag."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        for packet in data_packets(peer):
            both = int(packet.flags) & ~_NEITHER
            case.require(
                both in (DataPacketFlags.COMPRESSED, DataPacketFlags.COMPACT), "one of the two flags", packet.flags
            )


@check(PUBLISHER, needs=("control:publish",))
async def compact_count_is_exact(case: Case) -> None:
    """The count of a compact packet is there, is the number of its records, and nothing follows the last of them."""
    async with case.subscriber() as peer:
        await _compact(case, peer, case.frame(0, 1, 2))


@check(PUBLISHER, needs=("control:publish",))
async def compact_values_are_exact(case: Case) -> None:
    """Values are the binary32 that was published, infinities and negative zero included."""
    await publish_exactly(case, series(case, SPECIAL_VALUES), COMPACT)


@check(PUBLISHER, needs=("control:publish",))
async def compact_times_are_exact(case: Case) -> None:
    """Times are the ticks that were published, to the last."""
    await publish_exactly(case, series(case, [1, 2, 3, 4, 5], steps=[0, 1, 7, 12_345, 9_999_999]), COMPACT)


@check(PUBLISHER, needs=("control:publish",))
async def records_without_time_are_nine_bytes(case: Case) -> None:
    """Where no times were asked for, records have none, and are nine bytes long."""
    sent = case.frame(0, 1, 2)
    async with case.subscriber() as peer:
        records = await _compact(case, peer, sent, include_time=False)
        got = sorted(np.array([record.bits for record in records], np.uint32).view(np.float32).tolist())
        case.require(got == sorted(sent.value.tolist()), f"the values {sent.value.tolist()}", got)


@check(PUBLISHER, needs=("control:publish",))
async def states_become_compact_flags(case: Case) -> None:
    """A bit of the compact flags is set exactly if any bit of its mask is set in the full flags."""
    states = [1 << bit for bit in range(32)] + [*GROUPS.values(), 0, 0xFFFFFFFF]
    async with case.subscriber() as peer:
        records = await _compact(case, peer, series(case, [*range(len(states))], flags=states))
        values = np.array([record.bits for record in records], np.uint32).view(np.float32).tolist()
        got = {int(value): record.flags & 0x3F for value, record in zip(values, records, strict=True)}
        for number, state in enumerate(states):
            wanted = sum(bit for bit, mask in GROUPS.items() if state & mask)
            case.require(
                got.get(number) == wanted, f"the compact flags {wanted:#04x} for {state:#010x}", got.get(number)
            )


@check(PUBLISHER, needs=("control:publish",))
async def every_measurement_arrives_once_and_in_order(case: Case) -> None:
    """While subscribed, every measurement that is published arrives once, in the order of publication of its signal."""
    for modes in (COMPACT, TSSC):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            sent = [case.frame(*range(len(signals))) for _ in range(30)]
            for each in sent:
                await case.publish(each, signals)
            wanted = Measurements.of(Columns.concatenate(sent), signals)
            got = await peer.measurements(len(wanted))
            order = [np.argsort(each.rows["signal_id"], kind="stable") for each in (wanted, got)]
            case.require(
                wanted.rows[order[0]].tobytes() == got.rows[order[1]].tobytes(),
                f"{len(wanted)} measurements as they were published, those of each signal in order",
                f"{len(got)}: {'; '.join(got.lines())[:500]}",
            )


@check(PUBLISHER, needs=("control:publish",))
async def sends_no_index_outside_of_the_cache(case: Case) -> None:
    """No packet has a signal index that is not in the cache that it names."""
    for modes in (COMPACT, TSSC):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            await peer.subscribe(only(signals, 1))
            await peer.fence()
            for _ in range(2):
                await publish_and_compare(case, peer, signals, 1)


@check(PUBLISHER, needs=("control:publish",))
async def sends_no_packet_without_measurements(case: Case) -> None:
    """Packets without measurements are not sent."""
    async with case.subscriber() as peer:
        await peer.begin(COMPACT)
        await publish_one_behind_others(case, peer)
        packet = await peer.expect(DataPacket)
        case.require(len(packet.body), "no packet before one with a measurement", packet)


@check(PUBLISHER, needs=("control:publish",))
async def data_packets_are_never_gzip(case: Case) -> None:
    """Data packets are compact or TSSC by their flags and never gzip, whatever the modes say."""
    without_tssc = replace(TSSC, flags=TSSC.flags & ~ModeFlags.TSSC)
    without_payload = replace(TSSC, flags=TSSC.flags & ~ModeFlags.COMPRESS_PAYLOAD_DATA)
    for modes in (TSSC, without_tssc, without_payload):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            await case.publish(case.frame(*range(len(signals))), signals)
            packet = await peer.expect(DataPacket)
            payload = frames(peer)[-1][6:]
            case.require(
                packet.flags & (DataPacketFlags.COMPACT | DataPacketFlags.COMPRESSED),
                "a flag of a format",
                packet.flags,
            )
            case.require(not any(is_gzip(payload[at:]) for at in (0, 1, 5, 6)), "no gzip stream", payload[:16].hex(" "))


# --- subscribers


async def _serve(peer: ScriptedPublisher) -> None:
    await peer.serve()
    if not peer.asked.include_time:
        raise NotSupported("it asks for measurements without time")


def _ticks(case: Case, *, plus: int = 0) -> bytes:
    return struct.pack(">q", case.clock.tick() + plus)


def _bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def _row(record: Record, *, ticks: int | None = None, flags: int = 0) -> list[Any]:
    """What must be reported of a record with a time of eight bytes."""
    value = float(np.uint32(record.bits).view(np.float32))
    time = struct.unpack(">q", record.time)[0] if ticks is None else ticks
    return [str(SIGNALS[record.signal_index].signal_id), time, wire_value(value), flags]


async def _reported(case: Case, records: Sequence[Record], wanted: list[list[Any]], what: str) -> None:
    async with case.publisher() as peer:
        await _serve(peer)
        await peer.say(compact_packet(records))
        received = await case.received(len(wanted))
        case.require(repr(received) == repr(wanted), f"{what}: {wanted}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def reads_records_of_mixed_widths(case: Case) -> None:
    """Records of all widths are read, mixed in one packet."""
    async with case.publisher() as peer:
        await _serve(peer)
        base = case.clock.tick()
        await peer.say(responses.UpdateBaseTimes(active=0, times=(base, base + 4_200_000_000)))
        milliseconds = peer.asked.milliseconds
        short, step = (struct.pack(">H", 15), 150_000) if milliseconds else (struct.pack(">I", 150_000), 150_000)
        full = _ticks(case)
        records = [
            Record(0, 0, _bits(1.5), full), Record(0x40, 1, _bits(2.5), short), Record(0x40, 2, _bits(3.5), short),
            Record(0, 3, _bits(4.5), full), Record(0x40, 4, _bits(5.5), short), Record(0, 5, _bits(6.5), full),
        ]  # fmt: skip
        await peer.say(compact_packet(records))
        wanted = [_row(record, ticks=base + step if record.flags else None) for record in records]
        received = await case.received(len(wanted))
        case.require(received == wanted, f"{wanted}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def reads_compact_values_exactly(case: Case) -> None:
    """Values are reported as the binary32 that was sent."""
    records = [Record(0, 0, bits, _ticks(case)) for bits in SPECIAL_VALUES.view(np.uint32).tolist()]
    await _reported(case, records, [_row(record) for record in records], "the values that were sent")


@check(SUBSCRIBER, needs=("control:report",))
async def reads_full_times_exactly(case: Case) -> None:
    """Times of eight bytes are reported as ticks, to the last."""
    records = [Record(0, 0, _bits(1), _ticks(case, plus=plus)) for plus in (0, 1, 7, 12_345, 9_999_999)]
    await _reported(case, records, [_row(record) for record in records], "the times that were sent")


@check(SUBSCRIBER, needs=("control:report",))
async def compact_flags_become_whole_masks(case: Case) -> None:
    """Each compact flag becomes all bits of its mask."""
    flags = [0, *GROUPS, 0x3F]
    records = [Record(each, 0, _bits(1), _ticks(case)) for each in flags]
    wanted = [_row(record, flags=sum(mask for bit, mask in GROUPS.items() if record.flags & bit)) for record in records]
    await _reported(case, records, wanted, "all states of each compact flag")


@check(SUBSCRIBER, needs=("control:report",))
async def ignores_the_time_index_of_full_times(case: Case) -> None:
    """On a time of eight bytes the TimeIndex bit means nothing."""
    records = [Record(0x80, 0, _bits(1), _ticks(case)), Record(0x81, 1, _bits(2), _ticks(case))]
    wanted = [_row(records[0]), _row(records[1], flags=GROUPS[0x01])]
    await _reported(case, records, wanted, "measurements whose flags have 0x80")


@check(SUBSCRIBER, needs=("control:report",))
async def tolerates_an_empty_compact_packet(case: Case) -> None:
    """A compact packet without records does no harm."""
    async with case.publisher() as peer:
        await _serve(peer)
        sent = case.frame(0, 1)
        await peer.say(compact_packet([]), *peer.data_packets(sent, tssc=False))
        received = await case.received(2)
        case.require(received == rows(sent, SIGNALS), "the measurements behind an empty packet", received)


async def _met(case: Case, packet: DataPacket) -> list[list[Any]]:
    """What is reported of a packet that is not as it should be."""
    async with case.publisher() as peer:
        await _serve(peer)
        await peer.say(packet)
        return await recovers(case, peer)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def reads_no_more_records_than_counted(case: Case) -> None:
    """Exactly as many records as counted are read; bytes behind them are ignored, or cost the packet."""
    records = [Record(0, index, _bits(index), _ticks(case)) for index in range(3)]
    got = await _met(case, compact_packet(records, count=2))
    wanted = [_row(record) for record in records[:2]]
    case.require(got in ([], wanted), f"{wanted}, or nothing", got)


_UNKNOWN = 0x7FFFFFFF


async def _with_unknown_index(case: Case) -> tuple[list[list[Any]], list[list[Any]]]:
    records = [Record(0, index, _bits(1), _ticks(case)) for index in (0, _UNKNOWN, 1, 8, 2)]
    return [_row(record) for record in records if record.signal_index < 3], await _met(case, compact_packet(records))


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def reports_no_unknown_index_as_a_signal(case: Case) -> None:
    """A record with an index that is not in the cache is not reported under any signal of the cache."""
    known, got = await _with_unknown_index(case)
    ids = {str(signal.signal_id) for signal in SIGNALS}
    invented = [row for row in got if row[0] in ids and row not in known]
    case.require(not invented, "nothing under a signal of the cache but what was sent", invented)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def skips_records_of_unknown_indexes(case: Case) -> None:
    """A record with an unknown index is skipped; the rest of its packet is reported."""
    known, got = await _with_unknown_index(case)
    case.require(got == known, f"{known}", got)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def tells_leap_second_bits_from_the_time(case: Case) -> None:
    """The leap-second bits of a time are kept apart from its value."""
    time = case.clock.tick()
    marked = time | 1 << 63
    got = await _met(case, compact_packet([Record(0, 0, _bits(1), struct.pack(">Q", marked))]))
    case.require(len(got) == 1, "one measurement", got)
    case.require(got[0][1] in (time, marked, marked - 2**64), f"the time {time}, or with its mark {marked}", got[0][1])


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def reports_nothing_from_a_full_fidelity_packet(case: Case) -> None:
    """From a packet that is neither Compact nor Compressed nothing is reported."""
    packet = compact_packet([Record(0, 0, _bits(1), _ticks(case))])
    got = await _met(case, replace(packet, flags=DataPacketFlags(0)))
    case.require(not got, "nothing", got)
