"""Wrong about TSSC."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sttp.codes import Command, Response
from sttp.errors import ProtocolError
from sttp.measurement import Columns
from sttp.wire.tssc import TsscDecoder, TsscEncoder, write_tssc_payload
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Answers, Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, added_before, edited, replaced

_DATA = Response.DATA_PACKET
_CACHE = Response.UPDATE_SIGNAL_INDEX_CACHE
_INDEXES = np.ones(2**18, np.bool_)


def _is_tssc(frame: bytes) -> bool:
    return frame[0] == _DATA and bool(frame[6] & 0x08)


def _headed(change: Callable[[int, int], tuple[int, int]]) -> Rewrite:
    """TSSC packets have another version, or another sequence number."""

    def changed(payload: bytes) -> bytes:
        if not payload[0] & 0x08:
            return payload
        version, sequence = change(payload[5], int.from_bytes(payload[6:8], "big"))
        return payload[:5] + struct.pack(">BH", version, sequence) + payload[8:]

    return edited(_DATA, changed)


def _recoded(
    change: Callable[[Columns], Columns], *, block_size: int = 32_768, honest: bool = True, size: str = "slot"
) -> Rewrite:
    """TSSC streams carry other measurements.

    Args:
        change: from those of a packet to others.
        block_size: size of the buffer that is encoded into.
        honest: whether the stream begins anew with sequence 0 where the honest one does.
        size: what shares one encoder: each slot, or the connection.
    """

    def rewrite(frame: bytes, conversation: Conversation) -> Iterable[Item]:
        if not _is_tssc(frame):
            return (frame,)
        slot, sequence = frame[6] & 0x10, int.from_bytes(frame[12:14], "big")
        memory = conversation.memory
        decoder = memory.setdefault(f"decoder {slot}", TsscDecoder(signal_indexes=_INDEXES))
        key = f"encoder {slot if size == 'slot' else ''}"
        if key not in memory or (sequence == 0 and honest):
            memory[key] = TsscEncoder(block_size=block_size)
        count = int.from_bytes(frame[7:11], "big")
        try:
            columns = decoder.decode(frame[14:], sequence=sequence, count=count)
        except ProtocolError:
            return (frame,)
        return [
            frame[:2] + struct.pack(">iBi", 5 + len(body), frame[6], block.count) + body
            for block in memory[key].encode(change(columns))
            for body in (write_tssc_payload(block),)
        ]

    return rewrite


def _same(columns: Columns) -> Columns:
    return columns


def _ticks(change: Callable[[Any], Any]) -> Callable[[Columns], Columns]:
    return lambda columns: columns._replace(ticks=change(columns.ticks))


def _values(change: Callable[[Any], Any]) -> Callable[[Columns], Columns]:
    return lambda columns: columns._replace(value=change(columns.value))


def _flags(mask: int) -> Callable[[Columns], Columns]:
    return lambda columns: columns._replace(flags=columns.flags & np.uint32(mask))


def _as_double(ticks: Any) -> Any:
    return ticks.astype(np.float64).astype(np.int64)


def _with_end_code(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The end code is written always: a byte too many where no bits are pending."""
    if not _is_tssc(frame):
        return (frame,)
    return (frame[:2] + (len(frame) - 5).to_bytes(4, "big") + frame[6:] + b"\0",)


def _late_joiner(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """All subscribers share one stream: one that joins later does not get its beginning."""
    if _is_tssc(frame):
        _STREAMS.setdefault(str(conversation.way), 0)
        sequence = _STREAMS[str(conversation.way)]
        _STREAMS[str(conversation.way)] = sequence + 1
        return (frame[:12] + sequence.to_bytes(2, "big") + frame[14:],)
    return (frame,)


_STREAMS: dict[str, int] = {}
"""How many packets have been sent in each way; connections share nothing else."""


def _resets_in_silence(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The state of a stream is reset at a handover, but its numbers go on."""
    if _is_tssc(frame):
        memory = conversation.memory
        sequence = memory.get("sequence", 0)
        memory["sequence"] = sequence + 1
        return (frame[:12] + sequence.to_bytes(2, "big") + frame[14:],)
    return (frame,)


def _shortened(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Subscribers that repeat their Subscribe are given no new cache, and a stream that is not what it was."""
    memory = conversation.memory
    if frame[0] == _CACHE:
        memory["caches"] = memory.get("caches", 0) + 1
    if _is_tssc(frame) and memory.get("caches", 0) > 1:
        return (frame[:12] + b"\0\x63" + frame[14:],)
    return (frame,)


def _empty_first(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """An empty block comes before each packet."""
    return (b"\x82\x02\0\0\0\x08" + frame[6:7] + bytes(4) + b"\x55\0\0", frame) if _is_tssc(frame) else (frame,)


def _rows(change: Callable[[list[list[Any]]], list[list[Any]]]) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """The application reports other measurements."""
    return lambda request, answer: (
        answer | {"measurements": change(answer["measurements"])} if request == "report" else answer
    )


def _decodes_behind_a_gap(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A gap in the sequence is not noticed, and what comes behind it is read as something else."""
    if not _is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    sequence = int.from_bytes(frame[12:14], "big")
    expected, memory["expected"] = memory.get("expected", 0), sequence + 1
    return (frame,) if sequence in (0, expected) else (_with_something(frame),)


def _deaf(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Once it is out of step, nothing is decoded any more on any connection."""
    if not _is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    sequence = int.from_bytes(frame[12:14], "big")
    if sequence not in (0, memory.get("expected", 0)):
        memory["deaf"] = True
    memory["expected"] = sequence + 1
    return () if memory.get("deaf") else (frame,)


def _one_decoder(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """There is one decoder: packets of another slot than the last are out of step."""
    if not _is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    last, memory["last"] = memory.get("last", frame[6]), frame[6]
    return (frame,) if last == frame[6] or frame[12:14] == b"\0\0" else ()


def _forgets_at_subscribe() -> tuple[Rewrite, Rewrite]:
    def says(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[:1] == bytes((Command.SUBSCRIBE,)):
            conversation.memory["subscribed"] = conversation.memory.get("subscribed", 0) + 1
        return (frame,)

    def hears(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        again = conversation.memory.get("subscribed", 0) > 1
        return () if again and _is_tssc(frame) else (frame,)

    return says, hears


_SUBSCRIBES, _FORGETS = _forgets_at_subscribe()


def _any_version(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (frame[:11] + b"\x55" + frame[12:],) if _is_tssc(frame) else (frame,)


def _with_something(frame: bytes) -> bytes:
    """A block of a fresh stream with one measurement in place of another."""
    columns = Columns(np.zeros(1, np.int32), np.ones(1, np.int64), np.zeros(1, np.uint32), np.ones(1, np.float32))
    body = write_tssc_payload(TsscEncoder().encode(columns)[0])
    return frame[:2] + struct.pack(">iBi", 5 + len(body), frame[6], 1) + body


def _invents(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """What is wrong with the first block of a stream is read as something."""
    if not _is_tssc(frame) or frame[12:14] != b"\0\0":
        return (frame,)
    count = int.from_bytes(frame[7:11], "big", signed=True)
    try:
        TsscDecoder(signal_indexes=np.ones(8, np.bool_)).decode(frame[14:], sequence=0, count=count)
    except ProtocolError:
        return (_with_something(frame),)
    return (frame,)


def _goes_on(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A broken block is passed over, and what follows is decoded anew."""
    if not _is_tssc(frame):
        return (frame,)
    sequence = int.from_bytes(frame[12:14], "big")
    if sequence == 1:
        return ()
    return (frame[:12] + b"\0\0" + frame[14:],) if sequence > 1 else (frame,)


def _insists(wrong: Callable[[bytes], bool]) -> Rewrite:
    """It gives the connection up at a block that it does not like."""
    return replaced(_DATA, lambda frame: CLOSE if _is_tssc(frame) and wrong(frame) else frame)


def _first_state(columns: Columns) -> Columns:
    """A state that comes again is taken for none."""
    return columns._replace(flags=np.where(columns.flags == np.roll(columns.flags, 1), 0, columns.flags))


def _wraps_to_0(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The sequence counts modulo 65536."""
    if not _is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    if "wrapped" not in memory:
        memory["wrapped"] = memory.get("last") == b"\xff\xff"
        memory["last"] = frame[12:14]
        if not memory.pop("wrapped"):
            return (frame,)
        memory["wrapped"] = True
    return (frame[:12] + (int.from_bytes(frame[12:14], "big") - 1).to_bytes(2, "big") + frame[14:],)


def _expects_0(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """What comes behind 65535 and is not 0 is dropped."""
    if _is_tssc(frame):
        if "wrapped" in conversation.memory:
            return ()
        if frame[12:14] == b"\xff\xff":
            conversation.memory["wrapped"] = True
    return (frame,)


def _out_of_step(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Packets behind a gap are dropped, and nothing else is done about it."""
    if not _is_tssc(frame):
        return (frame,)
    memory, sequence = conversation.memory, int.from_bytes(frame[12:14], "big")
    if sequence not in (0, memory.get("next", 0)):
        return ()
    memory["next"] = sequence + 1
    return (frame,)


MUTANTS = (
    mutant(
        "publisher_wraps_the_sequence_to_0",
        PUBLISHER,
        Says(_wraps_to_0),
        caught_by=("tssc_sequence_skips_0_when_it_wraps",),
    ),
    mutant(
        "subscriber_expects_0_behind_65535",
        SUBSCRIBER,
        Hears(_expects_0),
        caught_by=("follows_the_sequence_over_its_wrap",),
    ),
    mutant(
        "subscriber_drops_packets_behind_a_gap_for_ever",
        SUBSCRIBER,
        Hears(_out_of_step),
        caught_by=("connects_anew_when_no_reset_comes",),
    ),
    mutant(
        "publisher_writes_tssc_version_84",
        PUBLISHER,
        Says(_headed(lambda version, sequence: (84, sequence))),
        caught_by=("tssc_packets_are_numbered_from_0",),
    ),
    mutant(
        "publisher_begins_tssc_with_sequence_1",
        PUBLISHER,
        Says(_headed(lambda version, sequence: (version, sequence + 1))),
        caught_by=("tssc_packets_are_numbered_from_0",),
    ),
    mutant(
        "publisher_counts_measurements_instead_of_packets",
        PUBLISHER,
        Says(_headed(lambda version, sequence: (version, sequence * 8))),
        caught_by=("tssc_packets_are_numbered_from_0",),
    ),
    mutant(
        "publisher_goes_on_counting_into_a_new_cache",
        PUBLISHER,
        Says(_recoded(_same, honest=False, size="connection")),
        caught_by=("tssc_restarts_at_a_handover", "version_1_tssc_restarts_with_each_cache"),
    ),
    mutant(
        "publisher_resets_tssc_without_sequence_0",
        PUBLISHER,
        Says(_resets_in_silence),
        caught_by=(
            "tssc_restarts_at_a_handover",
            "version_1_tssc_restarts_with_each_cache",
            "tssc_stays_readable_over_a_repeated_subscribe",
        ),
    ),
    mutant(
        "publisher_leaves_a_gap_after_a_repeated_subscribe",
        PUBLISHER,
        Says(_shortened),
        caught_by=("tssc_stays_readable_over_a_repeated_subscribe",),
    ),
    mutant(
        "publisher_shares_one_encoder_among_all_subscribers",
        PUBLISHER,
        Says(_late_joiner),
        caught_by=("each_subscriber_has_a_tssc_stream_of_its_own",),
    ),
    mutant(
        "publisher_calculates_tssc_times_with_doubles",
        PUBLISHER,
        Says(_recoded(_ticks(_as_double))),
        caught_by=("tssc_measurements_are_exact",),
    ),
    mutant(
        "publisher_keeps_eight_bits_of_the_state",
        PUBLISHER,
        Says(_recoded(_flags(0xFF))),
        caught_by=("tssc_measurements_are_exact",),
    ),
    mutant(
        "publisher_writes_negative_zero_as_zero",
        PUBLISHER,
        Says(_recoded(_values(lambda value: value + np.float32(0)))),
        caught_by=("tssc_measurements_are_exact",),
    ),
    mutant(
        "publisher_counts_the_record_that_did_not_fit",
        PUBLISHER,
        Says(edited(_DATA, lambda payload: payload[:1] + (payload[4] + 1).to_bytes(4, "big") + payload[5:])),
        caught_by=("tssc_blocks_end_where_their_bits_end",),
    ),
    mutant(
        "publisher_always_writes_the_end_code",
        PUBLISHER,
        Says(_with_end_code),
        caught_by=("tssc_blocks_end_where_their_bits_end",),
    ),
    mutant(
        "publisher_puts_a_batch_into_one_block",
        PUBLISHER,
        Says(_recoded(lambda columns: Columns.concatenate([columns, columns]), block_size=2**20)),
        caught_by=("tssc_blocks_stay_within_32768_bytes",),
    ),
    mutant(
        "publisher_sends_empty_blocks",
        PUBLISHER,
        Says(_empty_first),
        caught_by=("sends_no_empty_tssc_block",),
    ),
    mutant(
        "publisher_begins_tssc_anew_with_each_packet",
        PUBLISHER,
        Says(_headed(lambda version, sequence: (version, 0))),
        caught_by=("tssc_packets_are_numbered_from_0",),
    ),
    mutant(
        "publisher_writes_tssc_otherwise_than_the_reference",
        PUBLISHER,
        Says(_with_end_code),
        caught_by=("tssc_blocks_are_those_of_the_reference",),
    ),
    mutant(
        "publisher_encodes_time_0_where_none_was_asked_for",
        PUBLISHER,
        Says(_recoded(_ticks(np.zeros_like))),
        caught_by=("tssc_carries_times_always",),
    ),
    mutant(
        "subscriber_rounds_tssc_values",
        SUBSCRIBER,
        Answers(_rows(lambda rows: [[*r[:2], r[2] if isinstance(r[2], str) else round(r[2], 1), r[3]] for r in rows])),
        caught_by=(
            "decodes_constant_values",
            "decodes_slow_signals",
            "decodes_random_bits",
            "decodes_tiny_blocks",
            "decodes_full_buffers",
        ),
    ),
    mutant(
        "subscriber_drops_values_that_are_no_numbers",
        SUBSCRIBER,
        Answers(_rows(lambda rows: [row for row in rows if not isinstance(row[2], str)])),
        caught_by=("decodes_random_bits", "decodes_special_values"),
    ),
    mutant(
        "subscriber_takes_tssc_times_through_a_double",
        SUBSCRIBER,
        Answers(_rows(lambda rows: [[row[0], int(float(row[1])), *row[2:]] for row in rows])),
        caught_by=("decodes_jitter", "decodes_times_that_go_back"),
    ),
    mutant(
        "subscriber_sorts_measurements_by_time",
        SUBSCRIBER,
        Answers(_rows(lambda rows: sorted(rows, key=lambda row: row[1]))),
        caught_by=("decodes_times_that_go_back",),
    ),
    mutant(
        "subscriber_keeps_eight_bits_of_the_state",
        SUBSCRIBER,
        Answers(_rows(lambda rows: [[*row[:3], row[3] & 0xFF] for row in rows])),
        caught_by=("decodes_changing_flags",),
    ),
    mutant(
        "subscriber_takes_a_repeated_state_for_none",
        SUBSCRIBER,
        Hears(_recoded(_first_state)),
        caught_by=("decodes_changing_flags",),
    ),
    mutant(
        "subscriber_keeps_its_state_at_sequence_0",
        SUBSCRIBER,
        Hears(
            lambda frame, conversation: (
                ()
                if _is_tssc(frame)
                and frame[12:14] == b"\0\0"
                and conversation.memory.setdefault("first", frame) is not frame
                else (frame,)
            )
        ),
        caught_by=("decodes_streams_with_resets",),
    ),
    mutant(
        "subscriber_loses_blocks_without_an_end_code",
        SUBSCRIBER,
        Hears(lambda frame, conversation: () if _is_tssc(frame) and frame[12:14] == b"\0\x01" else (frame,)),
        caught_by=("decodes_tiny_blocks", "decodes_full_buffers", "decodes_constant_values", "decodes_slow_signals"),
    ),
    mutant(
        "subscriber_has_room_for_few_points",
        SUBSCRIBER,
        Hears(_recoded(lambda columns: columns.select(columns.signal_index < 4096))),
        caught_by=("decodes_sparse_indexes", "decodes_full_buffers"),
    ),
    mutant(
        "subscriber_decodes_behind_a_gap",
        SUBSCRIBER,
        Hears(_decodes_behind_a_gap),
        caught_by=("decodes_nothing_behind_a_gap",),
    ),
    mutant(
        "subscriber_stays_deaf_after_a_gap",
        SUBSCRIBER,
        Hears(_deaf),
        caught_by=("decodes_nothing_behind_a_gap",),
    ),
    mutant(
        "subscriber_has_one_decoder",
        SUBSCRIBER,
        Hears(_one_decoder),
        caught_by=("each_cache_has_a_decoder_of_its_own",),
    ),
    mutant(
        "subscriber_resets_its_decoder_when_it_subscribes",
        SUBSCRIBER,
        Says(_SUBSCRIBES),
        Hears(_FORGETS),
        caught_by=("keeps_its_decoder_when_no_new_cache_comes",),
    ),
    mutant(
        "subscriber_does_not_look_at_the_tssc_version",
        SUBSCRIBER,
        Hears(_any_version),
        caught_by=("decodes_no_other_tssc_version",),
    ),
    mutant(
        "subscriber_invents_what_it_cannot_decode",
        SUBSCRIBER,
        Hears(_invents),
        caught_by=(
            "takes_a_wrong_tssc_count_for_corruption",
            "survives_a_truncated_tssc_block",
            "refuses_tssc_codes_out_of_order",
            "survives_tssc_indexes_outside_of_the_cache",
            "survives_an_impossible_tssc_count",
        ),
    ),
    mutant(
        "subscriber_goes_on_after_a_broken_block",
        SUBSCRIBER,
        Hears(_goes_on),
        caught_by=("recovers_after_a_broken_tssc_block",),
    ),
    mutant(
        "subscriber_insists_on_short_numbers",
        SUBSCRIBER,
        Hears(_insists(lambda frame: b"\x80\x80\x80\0" in frame)),
        caught_by=("accepts_tssc_choices_of_other_encoders",),
    ),
    mutant(
        "subscriber_insists_on_measurements_in_a_block",
        SUBSCRIBER,
        Hears(_insists(lambda frame: len(frame) == 14)),
        caught_by=("accepts_an_empty_tssc_block",),
    ),
    mutant(
        "subscriber_saturates_times",
        SUBSCRIBER,
        Hears(_recoded(_ticks(lambda ticks: np.clip(ticks, 0, 2**62)))),
        caught_by=("wraps_tssc_times",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_streams_tssc_with_another_text",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.SUBSCRIBE)),
        caught_by=("publisher_streams_tssc_alike_in_both_directions[tssc_packets_are_numbered_from_0]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_says_more_about_tssc",
        SUBSCRIBER,
        Says(added_before(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, b"\x05\xff\xff\xff\xff")),
        caught_by=("subscriber_reads_tssc_alike_in_both_directions[decodes_constant_values]",),
    ),
)
