"""Publishers that are wrong about TSSC."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from sttp.codes import Command, Response
from sttp.measurement import Columns
from sttp_conformance.checks import PUBLISHER
from sttp_conformance.faults import Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.mutations.tssc.recoding import is_tssc, recoded, with_ticks
from sttp_conformance.rewrites import Conversation, Item, Rewrite, edited, with_payload

_DATA = Response.DATA_PACKET
_CACHE = Response.UPDATE_SIGNAL_INDEX_CACHE


def _headed(change: Callable[[int, int], tuple[int, int]]) -> Rewrite:
    """TSSC packets have another version, or another sequence number."""

    def changed(payload: bytes) -> bytes:
        if not payload[0] & 0x08:
            return payload
        version, sequence = change(payload[5], int.from_bytes(payload[6:8], "big"))
        return payload[:5] + struct.pack(">BH", version, sequence) + payload[8:]

    return edited(_DATA, changed)


def _same(columns: Columns) -> Columns:
    return columns


def _values(change: Callable[[Any], Any]) -> Callable[[Columns], Columns]:
    return lambda columns: columns._replace(value=change(columns.value))


def _flags(mask: int) -> Callable[[Columns], Columns]:
    return lambda columns: columns._replace(flags=columns.flags & np.uint32(mask))


def _as_double(ticks: Any) -> Any:
    return ticks.astype(np.float64).astype(np.int64)


def _with_end_code(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The end code is written always: a byte too many where no bits are pending."""
    if not is_tssc(frame):
        return (frame,)
    return (with_payload(frame, frame[6:] + b"\0"),)


def _numbered(frame: bytes, memory: dict[str, Any]) -> bytes:
    """TSSC packets are numbered from 0, whatever numbers they had, as far as a memory reaches."""
    if not is_tssc(frame):
        return frame
    sequence: int = memory.get("sequence", 0)
    memory["sequence"] = sequence + 1
    return frame[:12] + sequence.to_bytes(2, "big") + frame[14:]


def _late_joiner(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """All subscribers share one stream: one that joins later does not get its beginning."""
    return (_numbered(frame, conversation.process.memory),)


def _resets_in_silence(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The state of a stream is reset at a handover, but its numbers go on."""
    return (_numbered(frame, conversation.memory),)


def _shortened(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Subscribers that repeat their Subscribe are given no new cache, and a stream that is not what it was."""
    memory = conversation.memory
    if frame[0] == _CACHE:
        conversation.count("caches")
    if is_tssc(frame) and memory.get("caches", 0) > 1:
        return (frame[:12] + b"\0\x63" + frame[14:],)
    return (frame,)


def _empty_first(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """An empty block comes before each packet."""
    return (b"\x82\x02\0\0\0\x08" + frame[6:7] + bytes(4) + b"\x55\0\0", frame) if is_tssc(frame) else (frame,)


def _wraps_to_0(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The sequence counts modulo 65536."""
    if not is_tssc(frame):
        return (frame,)
    memory = conversation.memory
    if "wrapped" not in memory:
        memory["wrapped"] = memory.get("last") == b"\xff\xff"
        memory["last"] = frame[12:14]
        if not memory.pop("wrapped"):
            return (frame,)
        memory["wrapped"] = True
    return (frame[:12] + (int.from_bytes(frame[12:14], "big") - 1).to_bytes(2, "big") + frame[14:],)


MUTANTS = (
    mutant(
        "publisher_wraps_the_sequence_to_0",
        PUBLISHER,
        Says(_wraps_to_0),
        caught_by=("tssc_sequence_skips_0_when_it_wraps",),
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
        Says(recoded(_same, honest=False, size="connection")),
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
        Says(recoded(with_ticks(_as_double))),
        caught_by=("tssc_measurements_are_exact",),
    ),
    mutant(
        "publisher_keeps_eight_bits_of_the_state",
        PUBLISHER,
        Says(recoded(_flags(0xFF))),
        caught_by=("tssc_measurements_are_exact",),
    ),
    mutant(
        "publisher_writes_negative_zero_as_zero",
        PUBLISHER,
        Says(recoded(_values(lambda value: value + np.float32(0)))),
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
        Says(recoded(lambda columns: Columns.concatenate([columns, columns]), block_size=2**20)),
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
        Says(recoded(with_ticks(np.zeros_like))),
        caught_by=("tssc_carries_times_always",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_streams_tssc_with_another_text",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.SUBSCRIBE)),
        caught_by=("publisher_streams_tssc_alike_in_both_directions[tssc_packets_are_numbered_from_0]",),
    ),
)
