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
from sttp_conformance.mutants import (
    CLOSE,
    Conversation,
    Item,
    Mutant,
    Rewrite,
    added_after,
    added_before,
    dropped,
    edited,
    replaced,
)
from sttp_conformance.ways import Direction

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
    Mutant(
        "publisher_puts_255_before_a_plain_cache",
        PUBLISHER,
        caught_by=("cache_index_is_0_or_1",),
        says=edited(_CACHE, lambda payload: payload if is_gzip(payload[1:]) else b"\xff" + payload[1:]),
    ),
    Mutant(
        "publisher_compresses_the_cache_index_too",
        PUBLISHER,
        caught_by=("cache_index_is_0_or_1",),
        says=edited(
            _CACHE,
            lambda payload: gzipped(payload[:1] + _plain(payload[1:])) if is_gzip(payload[1:]) else payload,
        ),
    ),
    Mutant(
        "publisher_writes_the_cache_index_in_every_version",
        PUBLISHER,
        caught_by=("version_1_cache_has_no_index_byte",),
        says=edited(_CACHE, lambda payload: b"\0" + payload),
    ),
    Mutant(
        "publisher_leaves_the_size_out_of_the_size",
        PUBLISHER,
        caught_by=("cache_size_counts_itself",),
        says=edited(_CACHE, _imaged(lambda image: (len(image) - 4).to_bytes(4, "big") + image[4:])),
    ),
    Mutant(
        "publisher_counts_compressed_bytes_as_the_size",
        PUBLISHER,
        caught_by=("cache_size_counts_itself",),
        says=edited(_CACHE, _imaged(lambda image: len(deflate(image)).to_bytes(4, "big") + image[4:])),
    ),
    Mutant(
        "publisher_pads_its_caches",
        PUBLISHER,
        caught_by=("cache_records_fill_the_image",),
        says=edited(_CACHE, _imaged(lambda image: image + b"\0\0\0")),
    ),
    Mutant(
        "publisher_writes_no_count_of_unauthorised_signals",
        PUBLISHER,
        caught_by=("cache_has_a_count_of_unauthorised_signals",),
        says=edited(_CACHE, _imaged(_without_count)),
    ),
    Mutant(
        "publisher_writes_signal_ids_as_dotnet_has_them",
        PUBLISHER,
        caught_by=("cache_holds_what_was_selected", "cache_keys_match_the_metadata"),
        says=edited(
            _CACHE,
            _referenced(
                lambda each, number: each._replace(signal_id=type(each.signal_id)(bytes=each.signal_id.bytes_le))
            ),
        ),
    ),
    Mutant(
        "publisher_numbers_every_other_signal_from_zero_again",
        PUBLISHER,
        caught_by=("cache_holds_what_was_selected",),
        says=edited(_CACHE, _referenced(lambda each, number: each._replace(signal_index=each.signal_index // 2))),
    ),
    Mutant(
        "publisher_leaves_sources_empty",
        PUBLISHER,
        caught_by=("cache_keys_match_the_metadata",),
        says=edited(_CACHE, _referenced(lambda each, number: each._replace(source=b""))),
    ),
    Mutant(
        "publisher_writes_the_index_for_the_number_of_a_key",
        PUBLISHER,
        caught_by=("cache_keys_match_the_metadata",),
        says=edited(_CACHE, _referenced(lambda each, number: each._replace(number=each.signal_index))),
    ),
    Mutant(
        "publisher_offers_everything_whatever_was_selected",
        PUBLISHER,
        caught_by=("cache_holds_what_was_selected",),
        says=lambda frame, conversation: (
            (_recached(conversation.memory.setdefault("first", frame), frame[6]),) if frame[0] == _CACHE else (frame,)
        ),
    ),
    Mutant(
        "publisher_begins_with_the_cache_index_1",
        PUBLISHER,
        caught_by=("first_cache_has_index_0",),
        says=edited(_CACHE, lambda payload: bytes((payload[0] ^ 1,)) + payload[1:]),
    ),
    Mutant(
        "publisher_always_says_cache_index_0",
        PUBLISHER,
        caught_by=("new_caches_alternate_between_the_slots", "offers_one_cache_at_a_time"),
        says=edited(_CACHE, lambda payload: b"\0" + payload[1:]),
    ),
    Mutant(
        "publisher_sends_every_cache_at_once",
        PUBLISHER,
        caught_by=("offers_one_cache_at_a_time",),
        hears=_sends_what_waits,
    ),
    Mutant(
        "publisher_prefers_the_oldest_cache_that_waits",
        PUBLISHER,
        caught_by=("offers_one_cache_at_a_time",),
        hears=_oldest_waiting,
    ),
    Mutant(
        "publisher_changes_the_slot_at_each_confirm",
        PUBLISHER,
        caught_by=("ignores_a_needless_confirm",),
        says=_changes_slot_at_needless_confirms,
        hears=_counts_needless_confirms,
    ),
    Mutant(
        "publisher_closes_at_a_needless_confirm",
        PUBLISHER,
        caught_by=("ignores_a_needless_confirm",),
        says=_changes_slot_at_needless_confirms,
        hears=lambda frame, conversation: (
            (CLOSE,)
            if [*_counts_needless_confirms(frame, conversation)] and conversation.memory.get("needless")
            else (frame,)
        ),
    ),
    Mutant(
        "publisher_waits_for_the_confirm_of_a_cache_that_nobody_needs",
        PUBLISHER,
        caught_by=("forgets_unconfirmed_caches_at_unsubscribe",),
        says=_keeps_unconfirmed_caches,
        hears=_HEARS_CONFIRMS,
    ),
    Mutant(
        "publisher_never_sets_the_cache_bit",
        PUBLISHER,
        caught_by=("packets_name_the_cache_that_made_them", "streams_on_during_a_handover"),
        says=replaced(_DATA, lambda frame: _slotted(frame, 0)),
    ),
    Mutant(
        "publisher_changes_the_cache_before_the_confirm",
        PUBLISHER,
        caught_by=("streams_on_during_a_handover",),
        hears=_sends_what_waits,
    ),
    Mutant(
        "publisher_never_changes_the_cache",
        PUBLISHER,
        caught_by=("packets_name_the_cache_that_made_them", "streams_on_during_a_handover"),
        hears=lambda frame, conversation: (
            () if frame[:1] == b"\x0a" and conversation.memory.setdefault("confirm", frame) is not frame else (frame,)
        ),
    ),
    Mutant(
        "publisher_stops_until_the_confirm",
        PUBLISHER,
        caught_by=("streams_on_during_a_handover",),
        says=_SAYS_NOTHING,
        hears=_HEARS_CONFIRMS,
    ),
    Mutant(
        "publisher_streams_the_old_cache_after_unsubscribe",
        PUBLISHER,
        caught_by=("holds_data_of_a_new_subscription_until_confirmed",),
        hears=dropped(Command.UNSUBSCRIBE),
    ),
    Mutant(
        "publisher_waits_for_a_confirm_in_version_1",
        PUBLISHER,
        caught_by=("version_1_streams_without_a_confirm",),
        says=dropped(_DATA),
    ),
    Mutant(
        "publisher_sets_the_cache_bit_in_version_1",
        PUBLISHER,
        caught_by=("version_1_streams_without_a_confirm",),
        says=replaced(_DATA, lambda frame: _slotted(frame, 1)),
    ),
    Mutant(
        "subscriber_confirms_twice",
        SUBSCRIBER,
        caught_by=("confirms_each_cache_once",),
        says=added_after(_CONFIRM, b"\x0a"),
    ),
    Mutant(
        "subscriber_adds_the_index_to_the_confirm",
        SUBSCRIBER,
        caught_by=("confirms_each_cache_once",),
        says=replaced(_CONFIRM, lambda frame: b"\x0a\0"),
    ),
    Mutant(
        "subscriber_confirms_a_cache_that_it_cannot_read",
        SUBSCRIBER,
        caught_by=("does_not_confirm_a_broken_cache",),
        hears=_confirms_whatever_comes,
    ),
    Mutant(
        "subscriber_reads_everything_with_the_newest_cache",
        SUBSCRIBER,
        caught_by=("reads_each_packet_with_the_cache_that_it_names",),
        hears=_reads_with_the_newest,
    ),
    Mutant(
        "subscriber_keeps_the_first_cache_of_each_slot",
        SUBSCRIBER,
        caught_by=("follows_a_handover_that_it_did_not_ask_for",),
        hears=_keeps_the_first_of_each_slot,
    ),
    Mutant(
        "subscriber_takes_a_cache_only_after_its_subscribe",
        SUBSCRIBER,
        caught_by=(
            "confirms_each_cache_once",
            "follows_a_handover_that_it_did_not_ask_for",
            "reads_each_packet_with_the_cache_that_it_names",
        ),
        hears=lambda frame, conversation: (
            () if frame[0] == _CACHE and conversation.memory.setdefault("cache", frame) is not frame else (frame,)
        ),
    ),
    Mutant(
        "subscriber_reads_packets_of_an_empty_slot_with_the_other",
        SUBSCRIBER,
        caught_by=("drops_packets_of_an_empty_slot",),
        hears=_keeps_a_cache_in_every_slot,
    ),
    Mutant(
        "subscriber_reports_measurements_of_stale_caches",
        SUBSCRIBER,
        caught_by=("drops_packets_of_stale_slots",),
        answers=_shows_stale_rows(),
    ),
    Mutant(
        "subscriber_takes_the_position_for_the_index",
        SUBSCRIBER,
        caught_by=("reads_sparse_indexes_in_any_order",),
        hears=edited(_CACHE, _imaged(_by_position)),
    ),
    Mutant(
        "subscriber_insists_on_a_count_of_unauthorised_signals",
        SUBSCRIBER,
        caught_by=("reads_a_cache_whatever_follows_its_references",),
        hears=edited(_CACHE, _cut_where(_has_no_count)),
    ),
    Mutant(
        "subscriber_cannot_read_unauthorised_signals",
        SUBSCRIBER,
        caught_by=("reads_a_cache_whatever_follows_its_references",),
        hears=edited(_CACHE, _cut_where(_has_refused)),
    ),
    Mutant(
        "subscriber_insists_on_the_size_of_a_cache",
        SUBSCRIBER,
        caught_by=("tolerates_a_cache_size_that_excludes_itself",),
        hears=edited(_CACHE, _cut_where(_has_small_size)),
    ),
    Mutant(
        "subscriber_has_two_slots_and_no_more",
        SUBSCRIBER,
        caught_by=("takes_any_other_cache_index_for_1",),
        hears=_closed_where(lambda payload: payload[0] > 1),
    ),
    Mutant(
        "subscriber_takes_any_other_cache_index_for_0",
        SUBSCRIBER,
        caught_by=("takes_any_other_cache_index_for_1",),
        hears=edited(_CACHE, lambda payload: b"\0" + payload[1:] if payload[0] > 1 else payload),
    ),
    Mutant(
        "subscriber_skips_ten_bytes_for_every_gzip_header",
        SUBSCRIBER,
        caught_by=("reads_gzip_with_optional_fields",),
        hears=_closed_where(lambda payload: payload[1:4] == b"\x1f\x8b\x08" and payload[4] != 0),
    ),
    Mutant(
        "subscriber_counts_characters_of_sources",
        SUBSCRIBER,
        caught_by=("reads_sources_beyond_ascii",),
        hears=edited(_CACHE, _cut_where(_has_foreign_source)),
    ),
    Mutant(
        "subscriber_has_room_for_65536_signals",
        SUBSCRIBER,
        caught_by=("reads_a_cache_of_100000_signals", "reads_sparse_indexes_in_any_order"),
        hears=replaced(
            _DATA,
            lambda frame: (
                frame[:7] + struct.pack(">i", 0) if max(_compact_indexes(frame), default=0) > 0xFFFF else frame
            ),
        ),
    ),
    Mutant(
        "publisher_that_dials_answers_subscribe_with_another_text",
        PUBLISHER,
        caught_by=("publisher_hands_over_alike_in_both_directions[new_caches_alternate_between_the_slots]",),
        says=edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.SUBSCRIBE),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_that_is_dialed_answers_subscribe_with_another_text",
        PUBLISHER,
        caught_by=("publisher_hands_over_alike_in_both_directions[new_caches_alternate_between_the_slots]",),
        says=edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.SUBSCRIBE),
        only=Direction.FORWARD,
    ),
    Mutant(
        "subscriber_that_listens_says_more_than_confirms",
        SUBSCRIBER,
        caught_by=("subscriber_follows_handovers_alike_in_both_directions[confirms_each_cache_once]",),
        says=added_before(_CONFIRM, b"\x05\xff\xff\xff\xff"),
        only=Direction.REVERSE,
    ),
    Mutant(
        "subscriber_that_dials_says_more_than_confirms",
        SUBSCRIBER,
        caught_by=("subscriber_follows_handovers_alike_in_both_directions[confirms_each_cache_once]",),
        says=added_before(_CONFIRM, b"\x05\xff\xff\xff\xff"),
        only=Direction.FORWARD,
    ),
)
