"""Wrong about buffer blocks."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Answers, Fault, Hears, Says, is_told
from sttp_conformance.mutants import Mutant, in_each_direction, mutant
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
    with_payload,
)

_BLOCK = Response.BUFFER_BLOCK
_CONFIRM = Command.CONFIRM_BUFFER_BLOCK
_ASKS = 0x01
_SLOT_1 = 0x10


def _flags(change: Callable[[int], int]) -> Rewrite:
    return edited(_BLOCK, lambda payload: payload[:4] + bytes((change(payload[4]),)) + payload[5:])


def _index(change: Callable[[int], int]) -> Rewrite:
    def changed(payload: bytes) -> bytes:
        index = change(int.from_bytes(payload[5:9], "big"))
        return payload[:5] + index.to_bytes(4, "big") + payload[9:]

    return edited(_BLOCK, changed)


def _counts(first: int = 0, step: int = 1) -> Rewrite:
    """Buffer blocks are counted in another way."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[0] != _BLOCK:
            return (frame,)
        number = first * conversation.number + step * int.from_bytes(frame[6:10], "big")
        return (frame[:6] + number.to_bytes(4, "big") + frame[10:],)

    return rewrite


def _broadcasts(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A block of another signal comes before each; it has the number of the first one."""
    if frame[0] != _BLOCK:
        return (frame,)
    return (with_payload(frame, frame[6:15] + b"not for you"), frame)


def _once(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A block is sent once, confirmed or not."""
    if frame[0] != _BLOCK:
        return (frame,)
    seen = conversation.memory.setdefault("seen", set())
    known = frame[6:10] in seen
    seen.add(frame[6:10])
    return () if known else (frame,)


def _blocks(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Answers:
    """The blocks that the application is told of become others."""

    def changed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        blocks = [each for each in events if each["event"] == "buffer-block"]
        others = [each for each in events if each["event"] != "buffer-block"]
        return others + change(blocks)

    return is_told(changed)


def _each(change: Callable[[bytes], bytes]) -> Answers:
    return _blocks(
        lambda blocks: [{**each, "payload": change(bytes.fromhex(each["payload"])).hex()} for each in blocks]
    )


def _hands_over_as_they_come(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Whatever number a block has, it is taken for the next: for whoever orders them that is no order at all."""
    if frame[0] != _BLOCK:
        return (frame,)
    number = conversation.count("blocks") - 1
    return (frame[:6] + number.to_bytes(4, "big") + frame[10:],)


def _once_confirmed(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] != _CONFIRM:
        return (frame,)
    seen = conversation.memory.setdefault("confirmed", set())
    known = frame in seen
    seen.add(frame)
    return () if known else (frame,)


def _mutant(name: str, check: str, *faults: Fault) -> Mutant:
    role = PUBLISHER if name.startswith("publisher") else SUBSCRIBER
    return mutant(name, role, *faults, caught_by=(check,))


_PUBLISHERS = (
    _mutant(
        "publisher_writes_the_cache_index_in_place_of_the_flags_of_buffer_blocks",
        "buffer_blocks_are_well_formed",
        Says(_flags(lambda flags: 0x02 | flags)),
    ),
    _mutant(
        "publisher_names_the_other_cache_in_buffer_blocks",
        "buffer_blocks_are_well_formed",
        Says(_flags(lambda flags: flags ^ _SLOT_1)),
    ),
    _mutant(
        "publisher_names_another_signal_in_buffer_blocks",
        "buffer_blocks_are_well_formed",
        Says(_index(lambda index: index + 1)),
    ),
    _mutant(
        "publisher_appends_six_zeros_to_buffer_blocks",
        "buffer_blocks_are_well_formed",
        Says(edited(_BLOCK, lambda payload: payload + bytes(6))),
    ),
    _mutant(
        "publisher_compresses_buffer_blocks_without_saying_so",
        "buffer_blocks_are_well_formed",
        Says(edited(_BLOCK, lambda payload: payload[:9] + gzip.compress(payload[9:]))),
    ),
    _mutant(
        "publisher_says_that_plain_buffer_blocks_are_compressed",
        "buffer_blocks_are_well_formed",
        Says(_flags(lambda flags: flags | 0x08)),
    ),
    _mutant(
        "publisher_counts_buffer_blocks_from_1_and_over_connections",
        "buffer_blocks_count_from_0",
        Says(_counts(1)),
    ),
    _mutant("publisher_counts_buffer_blocks_by_two", "buffer_blocks_count_from_0", Says(_counts(0, 2))),
    _mutant(
        "publisher_sends_buffer_blocks_to_everybody",
        "buffer_blocks_go_to_their_subscribers_only",
        Says(_broadcasts),
    ),
    _mutant("publisher_sends_each_buffer_block_once", "repeats_unconfirmed_buffer_blocks", Says(_once)),
    _mutant(
        "publisher_repeats_unconfirmed_buffer_blocks_with_other_numbers",
        "repeats_unconfirmed_buffer_blocks",
        Says(_hands_over_as_they_come),
    ),
    _mutant(
        "publisher_is_deaf_to_confirmations_of_buffer_blocks",
        "leaves_confirmed_buffer_blocks_alone",
        Hears(dropped(_CONFIRM)),
    ),
    _mutant(
        "publisher_ends_the_connection_at_a_needless_confirmation_of_a_buffer_block",
        "ignores_a_needless_buffer_block_confirm",
        Hears(replaced(_CONFIRM, lambda frame: CLOSE if frame[1:] == b"\0\0\x30\x39" else frame)),
    ),
    _mutant(
        "publisher_answers_a_needless_confirmation_of_a_buffer_block",
        "ignores_a_needless_buffer_block_confirm",
        Hears(replaced(_CONFIRM, lambda frame: (frame, bytes((Command.GET_PRIMARY_METADATA_SCHEMA,))))),
        Says(replaced(Response.FAILED, lambda frame: frame[:1] + bytes((_CONFIRM,)) + frame[2:])),
    ),
)

_SUBSCRIBERS = (
    _mutant("subscriber_confirms_no_buffer_block", "confirms_buffer_blocks_that_ask", Says(dropped(_CONFIRM))),
    _mutant(
        "subscriber_confirms_the_next_buffer_block",
        "confirms_buffer_blocks_that_ask",
        Says(edited(_CONFIRM, lambda payload: (int.from_bytes(payload, "big") + 1).to_bytes(4, "big"))),
    ),
    _mutant(
        "subscriber_confirms_a_buffer_block_once",
        "confirms_duplicate_buffer_blocks",
        Says(_once_confirmed),
    ),
    _mutant(
        "subscriber_confirms_every_buffer_block",
        "leaves_other_buffer_blocks_unconfirmed",
        Hears(_flags(lambda flags: flags | _ASKS)),
    ),
    _mutant("subscriber_hands_over_empty_buffer_blocks", "hands_over_buffer_blocks", _each(lambda _: b"")),
    _mutant("subscriber_keeps_buffer_blocks_to_itself", "hands_over_buffer_blocks", _blocks(lambda _: [])),
    _mutant(
        "subscriber_takes_a_buffer_block_for_one_of_another_signal",
        "hands_over_buffer_blocks",
        Hears(_index(lambda index: index + 1)),
    ),
    _mutant(
        "subscriber_hands_over_duplicate_buffer_blocks_each_time",
        "hands_over_duplicate_buffer_blocks_once",
        Hears(_hands_over_as_they_come),
    ),
    _mutant(
        "subscriber_leaves_buffer_blocks_compressed",
        "inflates_buffer_blocks",
        Hears(_flags(lambda flags: flags & ~0x08)),
    ),
    _mutant(
        "subscriber_hands_over_buffer_blocks_as_they_come", "orders_buffer_blocks", Hears(_hands_over_as_they_come)
    ),
    _mutant(
        "subscriber_ends_the_connection_at_a_buffer_block_far_ahead",
        "survives_a_buffer_block_far_ahead",
        Hears(replaced(_BLOCK, lambda frame: CLOSE if frame[6] >= 0x80 else frame)),
    ),
    _mutant(
        "subscriber_unsubscribes_at_a_buffer_block",
        "tolerates_buffer_blocks",
        Says(added_before(_CONFIRM, bytes((Command.UNSUBSCRIBE,)))),
    ),
    _mutant(
        "subscriber_ends_the_connection_at_a_buffer_block_of_an_unknown_signal",
        "tolerates_buffer_blocks",
        Hears(replaced(_BLOCK, lambda frame: CLOSE if frame[11:15] == (4711).to_bytes(4, "big") else frame)),
    ),
)


MUTANTS = (
    *_PUBLISHERS,
    *_SUBSCRIBERS,
    *in_each_direction(
        "publisher_that_{dials}_asks_for_no_confirmation_of_buffer_blocks",
        PUBLISHER,
        Says(_flags(lambda flags: flags & ~_ASKS)),
        caught_by=("publisher_sends_buffer_blocks_alike_in_both_directions[buffer_blocks_count_from_0]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_asks_for_another_interval_with_each_buffer_block",
        SUBSCRIBER,
        Says(added_after(_CONFIRM, bytes((Command.UPDATE_PROCESSING_INTERVAL, 0, 0, 0, 33)))),
        caught_by=("subscriber_takes_buffer_blocks_alike_in_both_directions[confirms_buffer_blocks_that_ask]",),
    ),
)
