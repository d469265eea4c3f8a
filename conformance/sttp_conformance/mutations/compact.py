"""Wrong about compact data packets."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sttp.codes import Command, DataPacketFlags, Response
from sttp.wire.fields import deflate
from sttp.wire.responses import DataPacket
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.compact_records import GROUPS, Record, walk_records
from sttp_conformance.grid import SIGNALS
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, Rewrite, added_before, edited, replaced
from sttp_conformance.ways import Direction

_DATA = Response.DATA_PACKET
_COMPACT = 0x02
_EMPTY = b"\x82\x02\0\0\0\x05\x02\0\0\0\0"


def _flagged(bit: int, *, clear: int = 0) -> Rewrite:
    return edited(_DATA, lambda payload: bytes((payload[0] & ~clear | bit,)) + payload[1:])


def _recorded(change: Callable[[list[Record]], Sequence[Record]], *, include_time: bool = True) -> Rewrite:
    """Compact packets have other records."""

    def changed(payload: bytes) -> bytes:
        if not payload[0] & _COMPACT:
            return payload
        packet = DataPacket(
            flags=DataPacketFlags(payload[0]), count=int.from_bytes(payload[1:5], "big"), body=payload[5:]
        )
        records = change(walk_records(packet, include_time=include_time))
        return payload[:1] + struct.pack(">i", len(records)) + b"".join(record.written() for record in records)

    return edited(_DATA, changed)


def _each(change: Callable[[Record], Record], *, include_time: bool = True) -> Rewrite:
    """Each record is another one."""
    return _recorded(lambda records: [change(record) for record in records], include_time=include_time)


def _rounded(bits: int) -> int:
    value = np.uint32(bits).view(np.float32)
    return int(np.float32(round(float(value), 1)).view(np.uint32)) if abs(value) < 1e6 else bits


def _one_lost(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The twelfth data packet of a connection is lost."""
    if frame[0] == _DATA:
        conversation.memory["packets"] = conversation.memory.get("packets", 0) + 1
        return () if conversation.memory["packets"] == 12 else (frame,)
    return (frame,)


def _swapped(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The fifth and the sixth packet change places, where they are compact."""
    if frame[0] == _DATA and frame[6] & _COMPACT:
        memory = conversation.memory
        memory["packets"] = memory.get("packets", 0) + 1
        if memory["packets"] == 5:
            memory["kept"] = frame
            return ()
        if memory["packets"] == 6:
            return frame, memory["kept"]
    return (frame,)


def _reports(change: Callable[[list[list[Any]]], list[list[Any]]]) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """The application reports other measurements."""
    return lambda request, answer: (
        answer | {"measurements": change(answer["measurements"])} if request == "report" else answer
    )


def _row(row: list[Any], *, ticks: int | None = None, value: Any = None, flags: int | None = None) -> list[Any]:
    given = (None, ticks, value, flags)
    return [old if new is None else new for old, new in zip(row, given, strict=True)]


def _to_byte(flags: int) -> int:
    return sum(bit for bit, mask in GROUPS.items() if flags & mask)


def _uncounted(payload: bytes) -> bytes:
    """Records are read up to the end of the payload."""
    return payload[:1] + struct.pack(">i", len(payload[5:]) // 17) + payload[5:] if payload[0] & _COMPACT else payload


def _modulo(records: list[Record]) -> list[Record]:
    return [record._replace(signal_index=record.signal_index % len(SIGNALS)) for record in records]


def _known_only(records: list[Record]) -> list[Record]:
    return [] if any(record.signal_index >= len(SIGNALS) for record in records) else records


def _as_wide_as_the_first(payload: bytes) -> bytes:
    """All records of a packet are taken to be as wide as the first."""
    if not payload[0] & _COMPACT:
        return payload
    count, body = int.from_bytes(payload[1:5], "big"), payload[5:]
    width = 17 if not body[:1] or not body[0] & 0x40 else 13
    return payload[:1] + struct.pack(">i", min(count, len(body) // width)) + body[: len(body) // width * width]


def _asking_for_milliseconds(frame: bytes) -> bytes:
    """Subscribe, with a wish that only what is sent with base times would show."""
    text = frame[6:].replace(b"useMillisecondResolution=False", b"useMillisecondResolution=True")
    return frame[:2] + len(text).to_bytes(4, "big") + text


MUTANTS = (
    Mutant(
        "publisher_sets_a_flag_without_a_meaning",
        PUBLISHER,
        caught_by=("compact_packets_have_the_compact_flag",),
        says=_flagged(0x20),
    ),
    Mutant(
        "publisher_leaves_the_compact_flag_clear",
        PUBLISHER,
        caught_by=("compact_packets_have_the_compact_flag",),
        says=_flagged(0, clear=_COMPACT),
    ),
    Mutant(
        "publisher_sets_the_compact_flag_on_tssc",
        PUBLISHER,
        caught_by=("tssc_packets_do_not_have_the_compact_flag",),
        says=_flagged(_COMPACT),
    ),
    Mutant(
        "publisher_writes_no_count",
        PUBLISHER,
        caught_by=("compact_count_is_exact",),
        says=edited(_DATA, lambda payload: payload[:1] + payload[5:]),
    ),
    Mutant(
        "publisher_pads_compact_packets",
        PUBLISHER,
        caught_by=("compact_count_is_exact",),
        says=edited(_DATA, lambda payload: payload + bytes(-len(payload) % 4 or 4)),
    ),
    Mutant(
        "publisher_rounds_values",
        PUBLISHER,
        caught_by=("compact_values_are_exact",),
        says=_each(lambda record: record._replace(bits=_rounded(record.bits))),
    ),
    Mutant(
        "publisher_forgets_the_sign_of_zero",
        PUBLISHER,
        caught_by=("compact_values_are_exact",),
        says=_each(
            lambda record: record._replace(bits=record.bits & 0x7FFFFFFF if record.bits == 1 << 31 else record.bits)
        ),
    ),
    Mutant(
        "publisher_takes_compact_times_through_a_double",
        PUBLISHER,
        caught_by=("compact_times_are_exact",),
        says=_each(lambda record: record._replace(time=record.time[:-1] + bytes((record.time[-1] & 0xF0,)))),
    ),
    Mutant(
        "publisher_ignores_include_time",
        PUBLISHER,
        caught_by=("records_without_time_are_nine_bytes",),
        says=_each(lambda record: record._replace(time=bytes(8)), include_time=False),
    ),
    Mutant(
        "publisher_forgets_a_state_of_the_time",
        PUBLISHER,
        caught_by=("states_become_compact_flags",),
        says=_each(
            lambda record: record._replace(flags=record.flags & ~0x04) if record.bits == 0x41B80000 else record  # 23.0
        ),
    ),
    Mutant(
        "publisher_takes_user_flags_for_states",
        PUBLISHER,
        caught_by=("states_become_compact_flags",),
        says=_each(
            lambda record: record._replace(flags=record.flags | 0x08) if record.bits == 0x41C00000 else record  # 24.0
        ),
    ),
    Mutant(
        "publisher_drops_the_last_record_of_each_packet",
        PUBLISHER,
        caught_by=("every_measurement_arrives_once_and_in_order",),
        says=_recorded(lambda records: records[:-1]),
    ),
    Mutant(
        "publisher_loses_a_packet",
        PUBLISHER,
        caught_by=("every_measurement_arrives_once_and_in_order",),
        says=_one_lost,
    ),
    Mutant(
        "publisher_sends_each_packet_twice",
        PUBLISHER,
        caught_by=("every_measurement_arrives_once_and_in_order",),
        says=replaced(_DATA, lambda frame: (frame, frame) if frame[6] & _COMPACT else frame),
    ),
    Mutant(
        "publisher_mixes_the_order_up",
        PUBLISHER,
        caught_by=("every_measurement_arrives_once_and_in_order",),
        says=_swapped,
    ),
    Mutant(
        "publisher_writes_an_index_for_signals_that_it_does_not_know",
        PUBLISHER,
        caught_by=("sends_no_index_outside_of_the_cache",),
        says=_recorded(lambda records: [*records, records[0]._replace(signal_index=0x7FFFFFFF)]),
    ),
    Mutant(
        "publisher_sends_empty_packets",
        PUBLISHER,
        caught_by=("sends_no_packet_without_measurements",),
        says=added_before(_DATA, _EMPTY),
    ),
    Mutant(
        "publisher_compresses_data_packets_with_gzip",
        PUBLISHER,
        caught_by=("data_packets_are_never_gzip",),
        says=edited(_DATA, lambda payload: payload[:5] + deflate(payload[5:]) if payload[0] & _COMPACT else payload),
    ),
    Mutant(
        "publisher_compresses_whole_payloads_with_gzip",
        PUBLISHER,
        caught_by=("data_packets_are_never_gzip",),
        says=edited(_DATA, lambda payload: payload[:1] + deflate(payload[1:])),
    ),
    Mutant(
        "subscriber_takes_all_records_to_be_as_wide_as_the_first",
        SUBSCRIBER,
        caught_by=("reads_records_of_mixed_widths",),
        hears=edited(_DATA, _as_wide_as_the_first),
    ),
    Mutant(
        "subscriber_drops_what_is_not_finite",
        SUBSCRIBER,
        caught_by=("reads_compact_values_exactly",),
        answers=_reports(lambda rows: [row for row in rows if not isinstance(row[2], str)]),
    ),
    Mutant(
        "subscriber_forgets_the_sign_of_zero",
        SUBSCRIBER,
        caught_by=("reads_compact_values_exactly",),
        answers=_reports(lambda rows: [row if row[2] else _row(row, value=0.0) for row in rows]),
    ),
    Mutant(
        "subscriber_takes_times_through_a_double",
        SUBSCRIBER,
        caught_by=("reads_full_times_exactly",),
        answers=_reports(lambda rows: [_row(row, ticks=int(float(row[1]))) for row in rows]),
    ),
    Mutant(
        "subscriber_reports_the_compact_byte",
        SUBSCRIBER,
        caught_by=("compact_flags_become_whole_masks", "ignores_the_time_index_of_full_times"),
        answers=_reports(lambda rows: [_row(row, flags=_to_byte(row[3])) for row in rows]),
    ),
    Mutant(
        "subscriber_fails_on_the_time_index",
        SUBSCRIBER,
        caught_by=("ignores_the_time_index_of_full_times",),
        hears=replaced(_DATA, lambda frame: CLOSE if frame[6] & _COMPACT and frame[11:12] >= b"\x80" else frame),
    ),
    Mutant(
        "subscriber_takes_the_time_index_for_a_state",
        SUBSCRIBER,
        caught_by=("ignores_the_time_index_of_full_times",),
        hears=_each(lambda record: record._replace(flags=record.flags & 0x7F | (record.flags & 0x80) >> 4)),
    ),
    Mutant(
        "subscriber_closes_at_an_empty_packet",
        SUBSCRIBER,
        caught_by=("tolerates_an_empty_compact_packet",),
        hears=replaced(_DATA, lambda frame: CLOSE if frame[7:11] == bytes(4) else frame),
    ),
    Mutant(
        "subscriber_reads_to_the_end_of_the_payload",
        SUBSCRIBER,
        caught_by=("reads_no_more_records_than_counted",),
        hears=edited(_DATA, _uncounted),
    ),
    Mutant(
        "subscriber_looks_indexes_up_modulo_its_table",
        SUBSCRIBER,
        caught_by=("reports_no_unknown_index_as_a_signal", "skips_records_of_unknown_indexes"),
        hears=_recorded(_modulo),
    ),
    Mutant(
        "subscriber_drops_packets_with_an_unknown_index",
        SUBSCRIBER,
        caught_by=("skips_records_of_unknown_indexes",),
        hears=_recorded(_known_only),
    ),
    Mutant(
        "subscriber_reports_times_before_the_year_1",
        SUBSCRIBER,
        caught_by=("tells_leap_second_bits_from_the_time",),
        answers=_reports(lambda rows: [_row(row, ticks=row[1] % 2**62 - 2**62) for row in rows if row[1]]),
    ),
    Mutant(
        "subscriber_reads_full_fidelity_packets_as_compact",
        SUBSCRIBER,
        caught_by=("reports_nothing_from_a_full_fidelity_packet",),
        hears=edited(_DATA, lambda payload: payload if payload[0] & 0x0A else bytes((payload[0] | 2,)) + payload[1:]),
    ),
    Mutant(
        "publisher_that_dials_sets_a_state",
        PUBLISHER,
        caught_by=("publisher_streams_compact_alike_in_both_directions[compact_count_is_exact]",),
        says=_each(lambda record: record._replace(flags=record.flags | 0x10)),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_that_is_dialed_sets_a_state",
        PUBLISHER,
        caught_by=("publisher_streams_compact_alike_in_both_directions[compact_count_is_exact]",),
        says=_each(lambda record: record._replace(flags=record.flags | 0x10)),
        only=Direction.FORWARD,
    ),
    Mutant(
        "subscriber_that_listens_asks_for_milliseconds",
        SUBSCRIBER,
        caught_by=("subscriber_reads_compact_alike_in_both_directions[reads_compact_values_exactly]",),
        says=replaced(Command.SUBSCRIBE, _asking_for_milliseconds),
        only=Direction.REVERSE,
    ),
    Mutant(
        "subscriber_that_dials_asks_for_milliseconds",
        SUBSCRIBER,
        caught_by=("subscriber_reads_compact_alike_in_both_directions[reads_compact_values_exactly]",),
        says=replaced(Command.SUBSCRIBE, _asking_for_milliseconds),
        only=Direction.FORWARD,
    ),
)
