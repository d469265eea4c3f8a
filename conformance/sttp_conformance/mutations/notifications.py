"""Wrong about notifications."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, added_before, dropped, edited, replaced
from sttp_conformance.ways import Direction

_NOTIFY = Response.NOTIFY


def _tail_of_a_longer_one(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A text that is shorter than the last ends with what stood there before, as gsfapi does (G13)."""
    if frame[0] != _NOTIFY:
        return (frame,)
    payload = frame[6:] + conversation.memory.get("last", b"")[len(frame) - 6 :]
    conversation.memory["last"] = payload
    return (frame[:2] + len(payload).to_bytes(4, "big") + payload,)


def _fails_confirms(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The Confirm is heard as an unknown command, and answered with Failed."""
    if frame[0] == Command.CONFIRM_NOTIFICATION:
        conversation.memory["due"] = True
    return (frame,)


def _failed(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (b"\x81\x07\0\0\0\1?", frame) if conversation.memory.pop("due", False) else (frame,)


def _text_of_the_hash(payload: bytes) -> bytes:
    return payload.decode("utf-8", "replace").encode()[:4].ljust(4, b"\0")


MUTANTS = (
    Mutant(
        "publisher_leaves_the_tail_of_a_longer_notification",
        PUBLISHER,
        caught_by=("notifications_are_well_formed",),
        says=_tail_of_a_longer_one,
    ),
    Mutant(
        "publisher_sends_notifications_without_a_hash",
        PUBLISHER,
        caught_by=("notifications_are_well_formed",),
        says=edited(_NOTIFY, lambda payload: payload[4:]),
    ),
    Mutant(
        "publisher_puts_a_length_before_the_text_of_notifications",
        PUBLISHER,
        caught_by=("notifications_are_well_formed",),
        says=edited(_NOTIFY, lambda payload: payload[:4] + (len(payload) - 4).to_bytes(4, "big") + payload[4:]),
    ),
    Mutant(
        "publisher_sends_notifications_in_another_encoding",
        PUBLISHER,
        caught_by=("notifications_are_well_formed",),
        says=edited(_NOTIFY, lambda payload: payload[:4] + payload[4:].decode("utf-8", "replace").encode("utf-16le")),
    ),
    Mutant(
        "publisher_answers_a_needless_notification_confirm",
        PUBLISHER,
        caught_by=("ignores_a_needless_notification_confirm",),
        hears=_fails_confirms,
        says=_failed,
    ),
    Mutant(
        "publisher_ends_the_connection_at_a_needless_notification_confirm",
        PUBLISHER,
        caught_by=("ignores_a_needless_notification_confirm",),
        hears=replaced(Command.CONFIRM_NOTIFICATION, lambda frame: CLOSE),
    ),
    Mutant(
        "subscriber_confirms_no_notification",
        SUBSCRIBER,
        caught_by=("confirms_notifications",),
        says=dropped(Command.CONFIRM_NOTIFICATION),
    ),
    Mutant(
        "subscriber_takes_the_hash_of_a_notification_for_text",
        SUBSCRIBER,
        caught_by=("confirms_notifications",),
        says=edited(Command.CONFIRM_NOTIFICATION, _text_of_the_hash),
    ),
    Mutant(
        "subscriber_turns_the_hash_of_a_notification_round",
        SUBSCRIBER,
        caught_by=("confirms_notifications",),
        says=edited(Command.CONFIRM_NOTIFICATION, lambda payload: payload[::-1]),
    ),
    Mutant(
        "subscriber_ends_the_connection_at_a_notification",
        SUBSCRIBER,
        caught_by=("tolerates_notifications",),
        hears=replaced(_NOTIFY, lambda frame: CLOSE),
    ),
    Mutant(
        "subscriber_is_deaf_after_an_empty_notification",
        SUBSCRIBER,
        caught_by=("tolerates_notifications",),
        hears=replaced(_NOTIFY, lambda frame: CLOSE if len(frame) == 10 else frame),
    ),
    *(
        Mutant(
            f"publisher_that_{who}_tells_of_a_change_with_each_notification",
            PUBLISHER,
            caught_by=("publisher_announces_changes_alike_in_both_directions[notifications_are_well_formed]",),
            says=added_before(_NOTIFY, b"\x8a\2\0\0\0\0"),
            only=direction,
        )
        for who, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
    *(
        Mutant(
            f"subscriber_that_{who}_confirms_notifications_twice",
            SUBSCRIBER,
            caught_by=("subscriber_takes_other_messages_alike_in_both_directions[confirms_notifications]",),
            says=replaced(Command.CONFIRM_NOTIFICATION, lambda frame: (frame, frame)),
            only=direction,
        )
        for who, direction in (("listens", Direction.REVERSE), ("dials", Direction.FORWARD))
    ),
)
