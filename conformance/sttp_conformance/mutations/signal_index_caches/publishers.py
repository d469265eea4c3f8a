"""Publishers that are wrong about signal index caches."""

from __future__ import annotations

from collections.abc import Callable

from sttp.codes import Command, Response
from sttp.wire.fields import deflate, is_gzip
from sttp_conformance.cache_images import Image, Reference, gzipped, walk, write_image
from sttp_conformance.checks import PUBLISHER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.mutations.signal_index_caches.images import imaged, plain_image, slotted
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, dropped, edited, replaced

_CACHE = Response.UPDATE_SIGNAL_INDEX_CACHE
_DATA = Response.DATA_PACKET
_CONFIRM = Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE


def _referenced(change: Callable[[Reference, int], Reference]) -> Callable[[bytes], bytes]:
    """The payload of a cache with other references; given each and its position."""

    def changed(image: bytes) -> bytes:
        references = walk(image).references
        return write_image([change(each, number) for number, each in enumerate(references)])

    return imaged(changed)


def _without_count(image: bytes) -> bytes:
    found: Image = walk(image)
    return (found.size - len(found.rest)).to_bytes(4, "big") + image[4 : len(image) - len(found.rest)]


def _recached(frame: bytes, index: int) -> bytes:
    """A cache for another slot."""
    return frame[:6] + bytes((index,)) + frame[7:]


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
        conversation.count("caches")
        return (_recached(frame, frame[6] ^ memory.get("needless", 0) % 2),)
    return (frame,)


def _counts_needless_confirms(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    memory = conversation.memory
    if frame[:1] == bytes((_CONFIRM,)):
        memory["needless"] = max(conversation.count("confirms") - memory.get("caches", 0), memory.get("needless", 0))
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
                lambda payload: gzipped(payload[:1] + plain_image(payload[1:])) if is_gzip(payload[1:]) else payload,
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
        Says(edited(_CACHE, imaged(lambda image: (len(image) - 4).to_bytes(4, "big") + image[4:]))),
        caught_by=("cache_size_counts_itself",),
    ),
    mutant(
        "publisher_counts_compressed_bytes_as_the_size",
        PUBLISHER,
        Says(edited(_CACHE, imaged(lambda image: len(deflate(image)).to_bytes(4, "big") + image[4:]))),
        caught_by=("cache_size_counts_itself",),
    ),
    mutant(
        "publisher_pads_its_caches",
        PUBLISHER,
        Says(edited(_CACHE, imaged(lambda image: image + b"\0\0\0"))),
        caught_by=("cache_records_fill_the_image",),
    ),
    mutant(
        "publisher_writes_no_count_of_unauthorised_signals",
        PUBLISHER,
        Says(edited(_CACHE, imaged(_without_count))),
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
        Says(replaced(_DATA, lambda frame: slotted(frame, 0))),
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
        Says(replaced(_DATA, lambda frame: slotted(frame, 1))),
        caught_by=("version_1_streams_without_a_confirm",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_answers_subscribe_with_another_text",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: b"ok", answering=Command.SUBSCRIBE)),
        caught_by=("publisher_hands_over_alike_in_both_directions[new_caches_alternate_between_the_slots]",),
    ),
)
