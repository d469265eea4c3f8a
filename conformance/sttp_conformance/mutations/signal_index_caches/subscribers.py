"""Subscribers that are wrong about signal index caches."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from sttp.codes import Command, OperationalModes, Response
from sttp.errors import ProtocolError
from sttp.wire.signal_index_cache import read_signal_index_cache
from sttp_conformance.cache_images import walk, write_image
from sttp_conformance.checks import SUBSCRIBER
from sttp_conformance.faults import Hears, Says, reports
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.mutations.signal_index_caches.images import imaged, plain_image, slotted
from sttp_conformance.rewrites import (
    CLOSE,
    Conversation,
    Item,
    Rewrite,
    added_after,
    added_before,
    edited,
    replaced,
    with_payload,
)

_CACHE = Response.UPDATE_SIGNAL_INDEX_CACHE
_DATA = Response.DATA_PACKET
_CONFIRM = Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE


def _confirms_whatever_comes(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """In place of a cache that cannot be read it takes an empty one."""
    if frame[0] != _CACHE:
        return (frame,)
    try:
        read_signal_index_cache(frame[7:], OperationalModes())
    except ProtocolError:
        return (with_payload(frame, frame[6:7] + write_image([])),)
    return (frame,)


def _reads_with_the_newest(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == _CACHE:
        conversation.memory["newest"] = frame[6]
    return (slotted(frame, conversation.memory.get("newest", 0)),) if frame[0] == _DATA else (frame,)


def _keeps_the_first_of_each_slot(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == _CACHE:
        return (conversation.memory.setdefault(f"slot {frame[6]}", frame),)
    return (frame,)


def _keeps_a_cache_in_every_slot(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Slot 1 is never empty: what names it is read with slot 0 until it has a cache."""
    memory = conversation.memory
    if frame[0] == _CACHE and frame[6]:
        memory["both"] = True
    return (slotted(frame, 0),) if frame[0] == _DATA and not memory.get("both") else (frame,)


def _with_stale_rows(rows: list[list[Any]]) -> list[list[Any]]:
    return [row for each in rows for row in ([*each[:3], 0], each)]


def _by_position(image: bytes) -> bytes:
    """The position of a reference is its index."""
    return write_image([each._replace(signal_index=number) for number, each in enumerate(walk(image).references)])


def _cut_where(fits: Callable[[bytes], bool]) -> Callable[[bytes], bytes]:
    """A payload whose image cannot be read any more, where it was of some kind."""
    return lambda payload: payload[:20] if fits(payload[1:]) else payload


def _has_refused(image: bytes) -> bool:
    return len(walk(plain_image(image)).rest) > 4


def _has_no_count(image: bytes) -> bool:
    return not walk(plain_image(image)).rest


def _has_small_size(image: bytes) -> bool:
    plain = plain_image(image)
    return walk(plain).size < len(plain)


def _has_foreign_source(image: bytes) -> bool:
    return any(not each.source.isascii() for each in walk(plain_image(image)).references)


def _closed_where(fits: Callable[[bytes], bool]) -> Rewrite:
    """The connection ends at a cache whose payload is of some kind."""
    return lambda frame, conversation: (CLOSE,) if frame[0] == _CACHE and fits(frame[6:]) else (frame,)


def _compact_indexes(frame: bytes) -> list[int]:
    """Signal indexes of a compact data packet whose measurements have times of eight bytes."""
    return [struct.unpack_from(">i", frame, at + 1)[0] for at in range(11, len(frame), 17)]


MUTANTS = (
    mutant(
        "subscriber_confirms_twice",
        SUBSCRIBER,
        Says(added_after(_CONFIRM, b"\x0a")),
        caught_by=("confirms_each_cache_once",),
    ),
    mutant(
        "subscriber_adds_the_index_to_the_confirm",
        SUBSCRIBER,
        Says(replaced(_CONFIRM, lambda frame: b"\x0a\0")),
        caught_by=("confirms_each_cache_once",),
    ),
    mutant(
        "subscriber_confirms_a_cache_that_it_cannot_read",
        SUBSCRIBER,
        Hears(_confirms_whatever_comes),
        caught_by=("does_not_confirm_a_broken_cache",),
    ),
    mutant(
        "subscriber_reads_everything_with_the_newest_cache",
        SUBSCRIBER,
        Hears(_reads_with_the_newest),
        caught_by=("reads_each_packet_with_the_cache_that_it_names",),
    ),
    mutant(
        "subscriber_keeps_the_first_cache_of_each_slot",
        SUBSCRIBER,
        Hears(_keeps_the_first_of_each_slot),
        caught_by=("follows_a_handover_that_it_did_not_ask_for",),
    ),
    mutant(
        "subscriber_takes_a_cache_only_after_its_subscribe",
        SUBSCRIBER,
        Hears(
            lambda frame, conversation: (
                () if frame[0] == _CACHE and conversation.memory.setdefault("cache", frame) is not frame else (frame,)
            )
        ),
        caught_by=(
            "confirms_each_cache_once",
            "follows_a_handover_that_it_did_not_ask_for",
            "reads_each_packet_with_the_cache_that_it_names",
        ),
    ),
    mutant(
        "subscriber_reads_packets_of_an_empty_slot_with_the_other",
        SUBSCRIBER,
        Hears(_keeps_a_cache_in_every_slot),
        caught_by=("drops_packets_of_an_empty_slot",),
    ),
    mutant(
        "subscriber_reports_measurements_of_stale_caches",
        SUBSCRIBER,
        reports(_with_stale_rows),
        caught_by=("drops_packets_of_stale_slots",),
    ),
    mutant(
        "subscriber_takes_the_position_for_the_index",
        SUBSCRIBER,
        Hears(edited(_CACHE, imaged(_by_position))),
        caught_by=("reads_sparse_indexes_in_any_order",),
    ),
    mutant(
        "subscriber_insists_on_a_count_of_unauthorised_signals",
        SUBSCRIBER,
        Hears(edited(_CACHE, _cut_where(_has_no_count))),
        caught_by=("reads_a_cache_whatever_follows_its_references",),
    ),
    mutant(
        "subscriber_cannot_read_unauthorised_signals",
        SUBSCRIBER,
        Hears(edited(_CACHE, _cut_where(_has_refused))),
        caught_by=("reads_a_cache_whatever_follows_its_references",),
    ),
    mutant(
        "subscriber_insists_on_the_size_of_a_cache",
        SUBSCRIBER,
        Hears(edited(_CACHE, _cut_where(_has_small_size))),
        caught_by=("tolerates_a_cache_size_that_excludes_itself",),
    ),
    mutant(
        "subscriber_has_two_slots_and_no_more",
        SUBSCRIBER,
        Hears(_closed_where(lambda payload: payload[0] > 1)),
        caught_by=("takes_any_other_cache_index_for_1",),
    ),
    mutant(
        "subscriber_takes_any_other_cache_index_for_0",
        SUBSCRIBER,
        Hears(edited(_CACHE, lambda payload: b"\0" + payload[1:] if payload[0] > 1 else payload)),
        caught_by=("takes_any_other_cache_index_for_1",),
    ),
    mutant(
        "subscriber_skips_ten_bytes_for_every_gzip_header",
        SUBSCRIBER,
        Hears(_closed_where(lambda payload: payload[1:4] == b"\x1f\x8b\x08" and payload[4] != 0)),
        caught_by=("reads_gzip_with_optional_fields",),
    ),
    mutant(
        "subscriber_counts_characters_of_sources",
        SUBSCRIBER,
        Hears(edited(_CACHE, _cut_where(_has_foreign_source))),
        caught_by=("reads_sources_beyond_ascii",),
    ),
    mutant(
        "subscriber_has_room_for_65536_signals",
        SUBSCRIBER,
        Hears(
            replaced(
                _DATA,
                lambda frame: (
                    frame[:7] + struct.pack(">i", 0) if max(_compact_indexes(frame), default=0) > 0xFFFF else frame
                ),
            )
        ),
        caught_by=("reads_a_cache_of_100000_signals", "reads_sparse_indexes_in_any_order"),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_says_more_than_confirms",
        SUBSCRIBER,
        Says(added_before(_CONFIRM, b"\x05\xff\xff\xff\xff")),
        caught_by=("subscriber_follows_handovers_alike_in_both_directions[confirms_each_cache_once]",),
    ),
)
