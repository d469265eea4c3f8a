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
from sttp_conformance.faults import Hears, Says, reports
from sttp_conformance.grid import SIGNALS
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, added_before, edited, replaced, with_payload

_DATA = Response.DATA_PACKET
_COMPACT = 0x02
_BITS_OF_23, _BITS_OF_24 = 0x41B80000, 0x41C00000
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
    return () if frame[0] == _DATA and conversation.count("packets") == 12 else (frame,)


def _swapped(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The fifth and the sixth packet change places, where they are compact."""
    if frame[0] == _DATA and frame[6] & _COMPACT:
        number = conversation.count("packets")
        if number == 5:
            conversation.memory["kept"] = frame
            return ()
        if number == 6:
            return frame, conversation.memory["kept"]
    return (frame,)


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
    return with_payload(frame, text)


MUTANTS = (
    mutant(
        "publisher_sets_a_flag_without_a_meaning",
        PUBLISHER,
        Says(_flagged(0x20)),
        caught_by=("compact_packets_have_the_compact_flag",),
    ),
    mutant(
        "publisher_leaves_the_compact_flag_clear",
        PUBLISHER,
        Says(_flagged(0, clear=_COMPACT)),
        caught_by=("compact_packets_have_the_compact_flag",),
    ),
    mutant(
        "publisher_sets_the_compact_flag_on_tssc",
        PUBLISHER,
        Says(_flagged(_COMPACT)),
        caught_by=("tssc_packets_do_not_have_the_compact_flag",),
    ),
    mutant(
        "publisher_writes_no_count",
        PUBLISHER,
        Says(edited(_DATA, lambda payload: payload[:1] + payload[5:])),
        caught_by=("compact_count_is_exact",),
    ),
    mutant(
        "publisher_pads_compact_packets",
        PUBLISHER,
        Says(edited(_DATA, lambda payload: payload + bytes(-len(payload) % 4 or 4))),
        caught_by=("compact_count_is_exact",),
    ),
    mutant(
        "publisher_rounds_values",
        PUBLISHER,
        Says(_each(lambda record: record._replace(bits=_rounded(record.bits)))),
        caught_by=("compact_values_are_exact",),
    ),
    mutant(
        "publisher_forgets_the_sign_of_zero",
        PUBLISHER,
        Says(
            _each(
                lambda record: record._replace(bits=record.bits & 0x7FFFFFFF if record.bits == 1 << 31 else record.bits)
            )
        ),
        caught_by=("compact_values_are_exact",),
    ),
    mutant(
        "publisher_takes_compact_times_through_a_double",
        PUBLISHER,
        Says(_each(lambda record: record._replace(time=record.time[:-1] + bytes((record.time[-1] & 0xF0,))))),
        caught_by=("compact_times_are_exact",),
    ),
    mutant(
        "publisher_ignores_include_time",
        PUBLISHER,
        Says(_each(lambda record: record._replace(time=bytes(8)), include_time=False)),
        caught_by=("records_without_time_are_nine_bytes",),
    ),
    mutant(
        "publisher_forgets_a_state_of_the_time",
        PUBLISHER,
        Says(
            _each(lambda record: record._replace(flags=record.flags & ~0x04) if record.bits == _BITS_OF_23 else record)
        ),
        caught_by=("states_become_compact_flags",),
    ),
    mutant(
        "publisher_takes_user_flags_for_states",
        PUBLISHER,
        Says(
            _each(lambda record: record._replace(flags=record.flags | 0x08) if record.bits == _BITS_OF_24 else record)
        ),
        caught_by=("states_become_compact_flags",),
    ),
    mutant(
        "publisher_drops_the_last_record_of_each_packet",
        PUBLISHER,
        Says(_recorded(lambda records: records[:-1])),
        caught_by=("every_measurement_arrives_once_and_in_order",),
    ),
    mutant(
        "publisher_loses_a_packet",
        PUBLISHER,
        Says(_one_lost),
        caught_by=("every_measurement_arrives_once_and_in_order",),
    ),
    mutant(
        "publisher_sends_each_packet_twice",
        PUBLISHER,
        Says(replaced(_DATA, lambda frame: (frame, frame) if frame[6] & _COMPACT else frame)),
        caught_by=("every_measurement_arrives_once_and_in_order",),
    ),
    mutant(
        "publisher_mixes_the_order_up",
        PUBLISHER,
        Says(_swapped),
        caught_by=("every_measurement_arrives_once_and_in_order",),
    ),
    mutant(
        "publisher_writes_an_index_for_signals_that_it_does_not_know",
        PUBLISHER,
        Says(_recorded(lambda records: [*records, records[0]._replace(signal_index=0x7FFFFFFF)])),
        caught_by=("sends_no_index_outside_of_the_cache",),
    ),
    mutant(
        "publisher_sends_empty_packets",
        PUBLISHER,
        Says(added_before(_DATA, _EMPTY)),
        caught_by=("sends_no_packet_without_measurements",),
    ),
    mutant(
        "publisher_compresses_data_packets_with_gzip",
        PUBLISHER,
        Says(edited(_DATA, lambda payload: payload[:5] + deflate(payload[5:]) if payload[0] & _COMPACT else payload)),
        caught_by=("data_packets_are_never_gzip",),
    ),
    mutant(
        "publisher_compresses_whole_payloads_with_gzip",
        PUBLISHER,
        Says(edited(_DATA, lambda payload: payload[:1] + deflate(payload[1:]))),
        caught_by=("data_packets_are_never_gzip",),
    ),
    mutant(
        "subscriber_takes_all_records_to_be_as_wide_as_the_first",
        SUBSCRIBER,
        Hears(edited(_DATA, _as_wide_as_the_first)),
        caught_by=("reads_records_of_mixed_widths",),
    ),
    mutant(
        "subscriber_drops_what_is_not_finite",
        SUBSCRIBER,
        reports(lambda rows: [row for row in rows if not isinstance(row[2], str)]),
        caught_by=("reads_compact_values_exactly",),
    ),
    mutant(
        "subscriber_forgets_the_sign_of_zero",
        SUBSCRIBER,
        reports(lambda rows: [row if row[2] else _row(row, value=0.0) for row in rows]),
        caught_by=("reads_compact_values_exactly",),
    ),
    mutant(
        "subscriber_takes_times_through_a_double",
        SUBSCRIBER,
        reports(lambda rows: [_row(row, ticks=int(float(row[1]))) for row in rows]),
        caught_by=("reads_full_times_exactly",),
    ),
    mutant(
        "subscriber_reports_the_compact_byte",
        SUBSCRIBER,
        reports(lambda rows: [_row(row, flags=_to_byte(row[3])) for row in rows]),
        caught_by=("compact_flags_become_whole_masks", "ignores_the_time_index_of_full_times"),
    ),
    mutant(
        "subscriber_fails_on_the_time_index",
        SUBSCRIBER,
        Hears(replaced(_DATA, lambda frame: CLOSE if frame[6] & _COMPACT and frame[11:12] >= b"\x80" else frame)),
        caught_by=("ignores_the_time_index_of_full_times",),
    ),
    mutant(
        "subscriber_takes_the_time_index_for_a_state",
        SUBSCRIBER,
        Hears(_each(lambda record: record._replace(flags=record.flags & 0x7F | (record.flags & 0x80) >> 4))),
        caught_by=("ignores_the_time_index_of_full_times",),
    ),
    mutant(
        "subscriber_closes_at_an_empty_packet",
        SUBSCRIBER,
        Hears(replaced(_DATA, lambda frame: CLOSE if frame[7:11] == bytes(4) else frame)),
        caught_by=("tolerates_an_empty_compact_packet",),
    ),
    mutant(
        "subscriber_reads_to_the_end_of_the_payload",
        SUBSCRIBER,
        Hears(edited(_DATA, _uncounted)),
        caught_by=("reads_no_more_records_than_counted",),
    ),
    mutant(
        "subscriber_looks_indexes_up_modulo_its_table",
        SUBSCRIBER,
        Hears(_recorded(_modulo)),
        caught_by=("reports_no_unknown_index_as_a_signal", "skips_records_of_unknown_indexes"),
    ),
    mutant(
        "subscriber_drops_packets_with_an_unknown_index",
        SUBSCRIBER,
        Hears(_recorded(_known_only)),
        caught_by=("skips_records_of_unknown_indexes",),
    ),
    mutant(
        "subscriber_reports_times_before_the_year_1",
        SUBSCRIBER,
        reports(lambda rows: [_row(row, ticks=row[1] % 2**62 - 2**62) for row in rows if row[1]]),
        caught_by=("tells_leap_second_bits_from_the_time",),
    ),
    mutant(
        "subscriber_reads_full_fidelity_packets_as_compact",
        SUBSCRIBER,
        Hears(edited(_DATA, lambda payload: payload if payload[0] & 0x0A else bytes((payload[0] | 2,)) + payload[1:])),
        caught_by=("reports_nothing_from_a_full_fidelity_packet",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_sets_a_state",
        PUBLISHER,
        Says(_each(lambda record: record._replace(flags=record.flags | 0x10))),
        caught_by=("publisher_streams_compact_alike_in_both_directions[compact_count_is_exact]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_asks_for_milliseconds",
        SUBSCRIBER,
        Says(replaced(Command.SUBSCRIBE, _asking_for_milliseconds)),
        caught_by=("subscriber_reads_compact_alike_in_both_directions[reads_compact_values_exactly]",),
    ),
)
