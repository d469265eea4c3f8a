"""Wrong about notifications."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, added_before, dropped, edited, replaced, with_payload

_NOTIFY = Response.NOTIFY


def _tail_of_a_longer_one(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A text that is shorter than the last ends with what stood there before, as gsfapi does (G13)."""
    if frame[0] != _NOTIFY:
        return (frame,)
    payload = frame[6:] + conversation.memory.get("last", b"")[len(frame) - 6 :]
    conversation.memory["last"] = payload
    return (with_payload(frame, payload),)


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
    mutant(
        "publisher_leaves_the_tail_of_a_longer_notification",
        PUBLISHER,
        Says(_tail_of_a_longer_one),
        caught_by=("notifications_are_well_formed",),
    ),
    mutant(
        "publisher_sends_notifications_without_a_hash",
        PUBLISHER,
        Says(edited(_NOTIFY, lambda payload: payload[4:])),
        caught_by=("notifications_are_well_formed",),
    ),
    mutant(
        "publisher_puts_a_length_before_the_text_of_notifications",
        PUBLISHER,
        Says(edited(_NOTIFY, lambda payload: payload[:4] + (len(payload) - 4).to_bytes(4, "big") + payload[4:])),
        caught_by=("notifications_are_well_formed",),
    ),
    mutant(
        "publisher_sends_notifications_in_another_encoding",
        PUBLISHER,
        Says(edited(_NOTIFY, lambda payload: payload[:4] + payload[4:].decode("utf-8", "replace").encode("utf-16le"))),
        caught_by=("notifications_are_well_formed",),
    ),
    mutant(
        "publisher_answers_a_needless_notification_confirm",
        PUBLISHER,
        Hears(_fails_confirms),
        Says(_failed),
        caught_by=("ignores_a_needless_notification_confirm",),
    ),
    mutant(
        "publisher_ends_the_connection_at_a_needless_notification_confirm",
        PUBLISHER,
        Hears(replaced(Command.CONFIRM_NOTIFICATION, lambda frame: CLOSE)),
        caught_by=("ignores_a_needless_notification_confirm",),
    ),
    mutant(
        "subscriber_confirms_no_notification",
        SUBSCRIBER,
        Says(dropped(Command.CONFIRM_NOTIFICATION)),
        caught_by=("confirms_notifications",),
    ),
    mutant(
        "subscriber_takes_the_hash_of_a_notification_for_text",
        SUBSCRIBER,
        Says(edited(Command.CONFIRM_NOTIFICATION, _text_of_the_hash)),
        caught_by=("confirms_notifications",),
    ),
    mutant(
        "subscriber_turns_the_hash_of_a_notification_round",
        SUBSCRIBER,
        Says(edited(Command.CONFIRM_NOTIFICATION, lambda payload: payload[::-1])),
        caught_by=("confirms_notifications",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_a_notification",
        SUBSCRIBER,
        Hears(replaced(_NOTIFY, lambda frame: CLOSE)),
        caught_by=("tolerates_notifications",),
    ),
    mutant(
        "subscriber_is_deaf_after_an_empty_notification",
        SUBSCRIBER,
        Hears(replaced(_NOTIFY, lambda frame: CLOSE if len(frame) == 10 else frame)),
        caught_by=("tolerates_notifications",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_tells_of_a_change_with_each_notification",
        PUBLISHER,
        Says(added_before(_NOTIFY, b"\x8a\2\0\0\0\0")),
        caught_by=("publisher_announces_changes_alike_in_both_directions[notifications_are_well_formed]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_confirms_notifications_twice",
        SUBSCRIBER,
        Says(replaced(Command.CONFIRM_NOTIFICATION, lambda frame: (frame, frame))),
        caught_by=("subscriber_takes_other_messages_alike_in_both_directions[confirms_notifications]",),
    ),
)
