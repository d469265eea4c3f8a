"""Subscribers that are wrong about TSSC."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from sttp.codes import Command, Response
from sttp.errors import ProtocolError
from sttp.measurement import Columns
from sttp.wire.tssc import TsscDecoder, TsscEncoder, write_tssc_payload
from sttp_conformance.checks import SUBSCRIBER
from sttp_conformance.faults import Hears, Says, reports
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.mutations.tssc.recoding import is_tssc, recoded, with_ticks
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, added_before, replaced

_DATA = Response.DATA_PACKET


def _decodes_behind_a_gap(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A gap in the sequence is not noticed, and what comes behind it is read as something else."""
    if not is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    sequence = int.from_bytes(frame[12:14], "big")
    expected, memory["expected"] = memory.get("expected", 0), sequence + 1
    return (frame,) if sequence in (0, expected) else (_with_something(frame),)


def _deaf(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Once it is out of step, nothing is decoded any more on any connection."""
    if not is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    sequence = int.from_bytes(frame[12:14], "big")
    if sequence not in (0, memory.get("expected", 0)):
        memory["deaf"] = True
    memory["expected"] = sequence + 1
    return () if memory.get("deaf") else (frame,)


def _one_decoder(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """There is one decoder: packets of another slot than the last are out of step."""
    if not is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    last, memory["last"] = memory.get("last", frame[6]), frame[6]
    return (frame,) if last == frame[6] or frame[12:14] == b"\0\0" else ()


def _forgets_at_subscribe() -> tuple[Rewrite, Rewrite]:
    def says(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[:1] == bytes((Command.SUBSCRIBE,)):
            conversation.count("subscribed")
        return (frame,)

    def hears(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        again = conversation.memory.get("subscribed", 0) > 1
        return () if again and is_tssc(frame) else (frame,)

    return says, hears


_SUBSCRIBES, _FORGETS = _forgets_at_subscribe()


def _any_version(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (frame[:11] + b"\x55" + frame[12:],) if is_tssc(frame) else (frame,)


def _with_something(frame: bytes) -> bytes:
    """A block of a fresh stream with one measurement in place of another."""
    columns = Columns(np.zeros(1, np.int32), np.ones(1, np.int64), np.zeros(1, np.uint32), np.ones(1, np.float32))
    body = write_tssc_payload(TsscEncoder().encode(columns)[0])
    return frame[:2] + struct.pack(">iBi", 5 + len(body), frame[6], 1) + body


def _invents(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """What is wrong with the first block of a stream is read as something."""
    if not is_tssc(frame) or frame[12:14] != b"\0\0":
        return (frame,)
    count = int.from_bytes(frame[7:11], "big", signed=True)
    try:
        TsscDecoder(signal_indexes=np.ones(8, np.bool_)).decode(frame[14:], sequence=0, count=count)
    except ProtocolError:
        return (_with_something(frame),)
    return (frame,)


def _goes_on(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A broken block is passed over, and what follows is decoded anew."""
    if not is_tssc(frame):
        return (frame,)
    sequence = int.from_bytes(frame[12:14], "big")
    if sequence == 1:
        return ()
    return (frame[:12] + b"\0\0" + frame[14:],) if sequence > 1 else (frame,)


def _insists(wrong: Callable[[bytes], bool]) -> Rewrite:
    """It gives the connection up at a block that it does not like."""
    return replaced(_DATA, lambda frame: CLOSE if is_tssc(frame) and wrong(frame) else frame)


def _first_state(columns: Columns) -> Columns:
    """A state that comes again is taken for none."""
    return columns._replace(flags=np.where(columns.flags == np.roll(columns.flags, 1), 0, columns.flags))


def _expects_0(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """What comes behind 65535 and is not 0 is dropped."""
    if is_tssc(frame):
        if "wrapped" in conversation.memory:
            return ()
        if frame[12:14] == b"\xff\xff":
            conversation.memory["wrapped"] = True
    return (frame,)


def _out_of_step(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Packets behind a gap are dropped, and nothing else is done about it."""
    if not is_tssc(frame):
        return (frame,)
    memory, sequence = conversation.memory, int.from_bytes(frame[12:14], "big")
    if sequence not in (0, memory.get("next", 0)):
        return ()
    memory["next"] = sequence + 1
    return (frame,)


MUTANTS = (
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
        "subscriber_rounds_tssc_values",
        SUBSCRIBER,
        reports(lambda rows: [[*r[:2], r[2] if isinstance(r[2], str) else round(r[2], 1), r[3]] for r in rows]),
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
        reports(lambda rows: [row for row in rows if not isinstance(row[2], str)]),
        caught_by=("decodes_random_bits", "decodes_special_values"),
    ),
    mutant(
        "subscriber_takes_tssc_times_through_a_double",
        SUBSCRIBER,
        reports(lambda rows: [[row[0], int(float(row[1])), *row[2:]] for row in rows]),
        caught_by=("decodes_jitter", "decodes_times_that_go_back"),
    ),
    mutant(
        "subscriber_sorts_measurements_by_time",
        SUBSCRIBER,
        reports(lambda rows: sorted(rows, key=lambda row: row[1])),
        caught_by=("decodes_times_that_go_back",),
    ),
    mutant(
        "subscriber_keeps_eight_bits_of_the_state",
        SUBSCRIBER,
        reports(lambda rows: [[*row[:3], row[3] & 0xFF] for row in rows]),
        caught_by=("decodes_changing_flags",),
    ),
    mutant(
        "subscriber_takes_a_repeated_state_for_none",
        SUBSCRIBER,
        Hears(recoded(_first_state)),
        caught_by=("decodes_changing_flags",),
    ),
    mutant(
        "subscriber_keeps_its_state_at_sequence_0",
        SUBSCRIBER,
        Hears(
            lambda frame, conversation: (
                ()
                if is_tssc(frame)
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
        Hears(lambda frame, conversation: () if is_tssc(frame) and frame[12:14] == b"\0\x01" else (frame,)),
        caught_by=("decodes_tiny_blocks", "decodes_full_buffers", "decodes_constant_values", "decodes_slow_signals"),
    ),
    mutant(
        "subscriber_has_room_for_few_points",
        SUBSCRIBER,
        Hears(recoded(lambda columns: columns.select(columns.signal_index < 4096))),
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
        Hears(recoded(with_ticks(lambda ticks: np.clip(ticks, 0, 2**62)))),
        caught_by=("wraps_tssc_times",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_says_more_about_tssc",
        SUBSCRIBER,
        Says(added_before(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, b"\x05\xff\xff\xff\xff")),
        caught_by=("subscriber_reads_tssc_alike_in_both_directions[decodes_constant_values]",),
    ),
)
