"""Wrong about signal index caches."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from sttp.codes import Command, OperationalModes, Response
from sttp.errors import ProtocolError
from sttp.wire.fields import deflate, inflate, is_gzip
from sttp.wire.signal_index_cache import read_signal_index_cache
from sttp_conformance.cache_images import Image, Reference, gzipped, walk, write_image
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Answers, Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import (
    CLOSE,
    Conversation,
    Item,
    Rewrite,
    added_after,
    added_before,
    dropped,
    edited,
    replaced,
)

_CACHE = Response.UPDATE_SIGNAL_INDEX_CACHE
_DATA = Response.DATA_PACKET
_CONFIRM = Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE
_DATA_FLAGS = 6
"""Where the flags of a data packet stand in its frame."""
_SLOT = 0x10


def _plain(image: bytes) -> bytes:
    return inflate(image, limit=2**26, name="signal index cache")


def _imaged(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The payload of a cache of version 2 with another image, compressed as the one before."""

    def changed(payload: bytes) -> bytes:
        image = payload[1:]
        altered = change(_plain(image))
        return payload[:1] + (deflate(altered) if is_gzip(image) else altered)

    return changed


def _referenced(change: Callable[[Reference, int], Reference]) -> Callable[[bytes], bytes]:
    """The payload of a cache with other references; given each and its position."""

    def changed(image: bytes) -> bytes:
        references = walk(image).references
        return write_image([change(each, number) for number, each in enumerate(references)])

    return _imaged(changed)


def _without_count(image: bytes) -> bytes:
    found: Image = walk(image)
    return (found.size - len(found.rest)).to_bytes(4, "big") + image[4 : len(image) - len(found.rest)]


def _slotted(frame: bytes, slot: int) -> bytes:
    """A data packet that names a slot."""
    return frame[:_DATA_FLAGS] + bytes((frame[_DATA_FLAGS] & ~_SLOT | slot * _SLOT,)) + frame[_DATA_FLAGS + 1 :]


def _recached(frame: bytes, index: int) -> bytes:
    """A cache for another slot."""
    return frame[:6] + bytes((index,)) + frame[7:]


# --- what publishers do


def _sends_what_waits(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """It confirms for the subscriber, so that every cache is sent at once."""
    return (frame, b"\x0a") if frame[:1] == bytes((Command.SUBSCRIBE,)) else (frame,)


def _oldest_waiting(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The second of three subscriptions in a row is the one that counts."""
    if frame[:1] != bytes((Command.SUBSCRIBE,)):
        return (frame,)
    subscribed = conversation.memory.setdefault("subscribed", [])
    subscribed.append(frame)
    return (subscribed[2],) if len(subscribed) == 4 else (frame,)


def _changes_slot_at_needless_confirms(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    memory = conversation.memory
    if frame[0] == _CACHE:
        memory["caches"] = memory.get("caches", 0) + 1
        return (_recached(frame, frame[6] ^ memory.get("needless", 0) % 2),)
    return (frame,)


def _counts_needless_confirms(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    memory = conversation.memory
    if frame[:1] == bytes((_CONFIRM,)):
        memory["confirms"] = memory.get("confirms", 0) + 1
        memory["needless"] = max(memory["confirms"] - memory.get("caches", 0), memory.get("needless", 0))
    return (frame,)


def _silent_during_a_handover() -> tuple[Rewrite, Rewrite]:
    def says(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        memory = conversation.memory
        if frame[0] == _CACHE:
            memory["outstanding"] = True
        return () if frame[0] == _DATA and memory.get("outstanding") else (frame,)

    def hears(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[:1] == bytes((_CONFIRM,)):
            conversation.memory["outstanding"] = False
        return (frame,)

    return says, hears


_SAYS_NOTHING, _HEARS_CONFIRMS = _silent_during_a_handover()


def _keeps_unconfirmed_caches(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """What comes between an unconfirmed cache and its confirm is held back, Unsubscribe or not."""
    memory = conversation.memory
    if frame[0] == _CACHE:
        outstanding, memory["outstanding"] = memory.get("outstanding", False), True
        return () if outstanding else (frame,)
    return (frame,)


# --- what subscribers do


def _confirms_whatever_comes(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """In place of a cache that cannot be read it takes an empty one."""
    if frame[0] != _CACHE:
        return (frame,)
    try:
        read_signal_index_cache(frame[7:], OperationalModes())
    except ProtocolError:
        empty = write_image([])
        return (frame[:2] + (len(empty) + 1).to_bytes(4, "big") + frame[6:7] + empty,)
    return (frame,)


def _reads_with_the_newest(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == _CACHE:
        conversation.memory["newest"] = frame[6]
    return (_slotted(frame, conversation.memory.get("newest", 0)),) if frame[0] == _DATA else (frame,)


def _keeps_the_first_of_each_slot(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == _CACHE:
        return (conversation.memory.setdefault(f"slot {frame[6]}", frame),)
    return (frame,)


def _keeps_a_cache_in_every_slot(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Slot 1 is never empty: what names it is read with slot 0 until it has a cache."""
    memory = conversation.memory
    if frame[0] == _CACHE and frame[6]:
        memory["both"] = True
    return (_slotted(frame, 0),) if frame[0] == _DATA and not memory.get("both") else (frame,)


def _shows_stale_rows() -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    def answers(request: str, answer: dict[str, Any]) -> dict[str, Any]:
        if request == "report":
            rows = answer["measurements"]
            return answer | {"measurements": [row for each in rows for row in ([*each[:3], 0], each)]}
        return answer

    return answers


def _by_position(image: bytes) -> bytes:
    """The position of a reference is its index."""
    return write_image([each._replace(signal_index=number) for number, each in enumerate(walk(image).references)])


def _cut_where(fits: Callable[[bytes], bool]) -> Callable[[bytes], bytes]:
    """A payload whose image cannot be read any more, where it was of some kind."""
    return lambda payload: payload[:20] if fits(payload[1:]) else payload


def _has_refused(image: bytes) -> bool:
    return len(walk(_plain(image)).rest) > 4


def _has_no_count(image: bytes) -> bool:
    return not walk(_plain(image)).rest


def _has_small_size(image: bytes) -> bool:
    plain = _plain(image)
    return walk(plain).size < len(plain)


def _has_foreign_source(image: bytes) -> bool:
    return any(not each.source.isascii() for each in walk(_plain(image)).references)


def _closed_where(fits: Callable[[bytes], bool]) -> Rewrite:
    """The connection ends at a cache whose payload is of some kind."""
    return lambda frame, conversation: (CLOSE,) if frame[0] == _CACHE and fits(frame[6:]) else (frame,)


def _compact_indexes(frame: bytes) -> list[int]:
    """Signal indexes of a compact data packet whose measurements have times of eight bytes."""
    return [struct.unpack_from(">i", frame, at + 1)[0] for at in range(11, len(frame), 17)]


MUTANTS = (
    mutant(
        "publisher_puts_255_before_a_plain_cache",
        PUBLISHER,
        Says(edited(_CACHE, lambda payload: payload if is_gzip(payload[1:]) else b"\xff" + payload[1:])),
        caught_by=("cache_index_is_0_or_1",),
    ),
    mutant(
        "publisher_compresses_the_cache_index_too",
        PUBLISHER,
        Says(
            edited(
                _CACHE,
                lambda payload: gzipped(payload[:1] + _plain(payload[1:])) if is_gzip(payload[1:]) else payload,
            )
        ),
        caught_by=("cache_index_is_0_or_1",),
    ),
    mutant(
        "publisher_writes_the_cache_index_in_every_version",
        PUBLISHER,
        Says(edited(_CACHE, lambda payload: b"\0" + payload)),
        caught_by=("version_1_cache_has_no_index_byte",),
    ),
    mutant(
        "publisher_leaves_the_size_out_of_the_size",
        PUBLISHER,
        Says(edited(_CACHE, _imaged(lambda image: (len(image) - 4).to_bytes(4, "big") + image[4:]))),
        caught_by=("cache_size_counts_itself",),
    ),
    mutant(
        "publisher_counts_compressed_bytes_as_the_size",
        PUBLISHER,
        Says(edited(_CACHE, _imaged(lambda image: len(deflate(image)).to_bytes(4, "big") + image[4:]))),
        caught_by=("cache_size_counts_itself",),
    ),
    mutant(
        "publisher_pads_its_caches",
        PUBLISHER,
        Says(edited(_CACHE, _imaged(lambda image: image + b"\0\0\0"))),
        caught_by=("cache_records_fill_the_image",),
    ),
    mutant(
        "publisher_writes_no_count_of_unauthorised_signals",
        PUBLISHER,
        Says(edited(_CACHE, _imaged(_without_count))),
        caught_by=("cache_has_a_count_of_unauthorised_signals",),
    ),
    mutant(
        "publisher_writes_signal_ids_as_dotnet_has_them",
        PUBLISHER,
        Says(
            edited(
                _CACHE,
                _referenced(
                    lambda each, number: each._replace(signal_id=type(each.signal_id)(bytes=each.signal_id.bytes_le))
                ),
            )
        ),
        caught_by=("cache_holds_what_was_selected", "cache_keys_match_the_metadata"),
    ),
    mutant(
        "publisher_numbers_every_other_signal_from_zero_again",
        PUBLISHER,
        Says(edited(_CACHE, _referenced(lambda each, number: each._replace(signal_index=each.signal_index // 2)))),
        caught_by=("cache_holds_what_was_selected",),
    ),
    mutant(
        "publisher_leaves_sources_empty",
        PUBLISHER,
        Says(edited(_CACHE, _referenced(lambda each, number: each._replace(source=b"")))),
        caught_by=("cache_keys_match_the_metadata",),
    ),
    mutant(
        "publisher_writes_the_index_for_the_number_of_a_key",
        PUBLISHER,
        Says(edited(_CACHE, _referenced(lambda each, number: each._replace(number=each.signal_index)))),
        caught_by=("cache_keys_match_the_metadata",),
    ),
    mutant(
        "publisher_offers_everything_whatever_was_selected",
        PUBLISHER,
        Says(
            lambda frame, conversation: (
                (_recached(conversation.memory.setdefault("first", frame), frame[6]),)
                if frame[0] == _CACHE
                else (frame,)
            )
        ),
        caught_by=("cache_holds_what_was_selected",),
    ),
    mutant(
        "publisher_begins_with_the_cache_index_1",
        PUBLISHER,
        Says(edited(_CACHE, lambda payload: bytes((payload[0] ^ 1,)) + payload[1:])),
        caught_by=("first_cache_has_index_0",),
    ),
    mutant(
        "publisher_always_says_cache_index_0",
        PUBLISHER,
        Says(edited(_CACHE, lambda payload: b"\0" + payload[1:])),
        caught_by=("new_caches_alternate_between_the_slots", "offers_one_cache_at_a_time"),
    ),
    mutant(
        "publisher_sends_every_cache_at_once",
        PUBLISHER,
        Hears(_sends_what_waits),
        caught_by=("offers_one_cache_at_a_time",),
    ),
    mutant(
        "publisher_prefers_the_oldest_cache_that_waits",
        PUBLISHER,
        Hears(_oldest_waiting),
        caught_by=("offers_one_cache_at_a_time",),
    ),
    mutant(
        "publisher_changes_the_slot_at_each_confirm",
        PUBLISHER,
        Says(_changes_slot_at_needless_confirms),
        Hears(_counts_needless_confirms),
        caught_by=("ignores_a_needless_confirm",),
    ),
    mutant(
        "publisher_closes_at_a_needless_confirm",
        PUBLISHER,
        Says(_changes_slot_at_needless_confirms),
        Hears(
            lambda frame, conversation: (
                (CLOSE,)
                if [*_counts_needless_confirms(frame, conversation)] and conversation.memory.get("needless")
                else (frame,)
            )
        ),
        caught_by=("ignores_a_needless_confirm",),
    ),
    mutant(
        "publisher_waits_for_the_confirm_of_a_cache_that_nobody_needs",
        PUBLISHER,
        Says(_keeps_unconfirmed_caches),
        Hears(_HEARS_CONFIRMS),
        caught_by=("forgets_unconfirmed_caches_at_unsubscribe",),
    ),
    mutant(
        "publisher_never_sets_the_cache_bit",
        PUBLISHER,
        Says(replaced(_DATA, lambda frame: _slotted(frame, 0))),
        caught_by=("packets_name_the_cache_that_made_them", "streams_on_during_a_handover"),
    ),
    mutant(
        "publisher_changes_the_cache_before_the_confirm",
        PUBLISHER,
        Hears(_sends_what_waits),
        caught_by=("streams_on_during_a_handover",),
    ),
    mutant(
        "publisher_never_changes_the_cache",
        PUBLISHER,
        Hears(
            lambda frame, conversation: (
                ()
                if frame[:1] == b"\x0a" and conversation.memory.setdefault("confirm", frame) is not frame
                else (frame,)
            )
        ),
        caught_by=("packets_name_the_cache_that_made_them", "streams_on_during_a_handover"),
    ),
    mutant(
        "publisher_stops_until_the_confirm",
        PUBLISHER,
        Says(_SAYS_NOTHING),
        Hears(_HEARS_CONFIRMS),
        caught_by=("streams_on_during_a_handover",),
    ),
    mutant(
        "publisher_streams_the_old_cache_after_unsubscribe",
        PUBLISHER,
        Hears(dropped(Command.UNSUBSCRIBE)),
        caught_by=("holds_data_of_a_new_subscription_until_confirmed",),
    ),
    mutant(
        "publisher_waits_for_a_confirm_in_version_1",
        PUBLISHER,
        Says(dropped(_DATA)),
        caught_by=("version_1_streams_without_a_confirm",),
    ),
    mutant(
        "publisher_sets_the_cache_bit_in_version_1",
        PUBLISHER,
        Says(replaced(_DATA, lambda frame: _slotted(frame, 1))),
        caught_by=("version_1_streams_without_a_confirm",),
    ),
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
        Answers(_shows_stale_rows()),
        caught_by=("drops_packets_of_stale_slots",),
    ),
    mutant(
        "subscriber_takes_the_position_for_the_index",
        SUBSCRIBER,
        Hears(edited(_CACHE, _imaged(_by_position))),
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
        "publisher_that_{dials}_answers_subscribe_with_another_text",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.SUBSCRIBE)),
        caught_by=("publisher_hands_over_alike_in_both_directions[new_caches_alternate_between_the_slots]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_says_more_than_confirms",
        SUBSCRIBER,
        Says(added_before(_CONFIRM, b"\x05\xff\xff\xff\xff")),
        caught_by=("subscriber_follows_handovers_alike_in_both_directions[confirms_each_cache_once]",),
    ),
)
