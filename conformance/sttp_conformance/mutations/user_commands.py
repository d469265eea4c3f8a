"""Wrong about user commands and user responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sttp.codes import Command
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Answers, Hears, Says, is_told
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, added_before, with_payload

_COMMANDS = range(Command.USER_COMMAND_00, Command.USER_COMMAND_15 + 1)
_RESPONSES = range(0xE0, 0xF0)


def _commands(change: Any) -> Rewrite:
    """User commands become something else."""
    return lambda frame, conversation: (change(frame) if frame[:1] and frame[0] in _COMMANDS else frame,)


def _responses(change: Any) -> Rewrite:
    """User responses become something else, in what the publisher says."""
    return lambda frame, conversation: (change(frame) if frame[:1] and frame[0] in _RESPONSES else frame,)


def _events(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Answers:
    """What the application is told of user commands and responses becomes something else."""
    return is_told(lambda events: [change(each) if "payload" in each else each for each in events])


def _without_a_length(event: dict[str, Any]) -> dict[str, Any]:
    payload = bytes.fromhex(event["payload"])
    return {**event, "payload": payload[4:].hex() if payload[:4] == b"\0\0\0\2" else payload.hex()}


def _holds_up(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """While a user command is unanswered nothing else is heard."""
    waits = conversation.memory.get("waits") and not (frame[:1] and frame[0] in _RESPONSES)
    return () if waits else (frame,)


def _waits(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    conversation.memory["waits"] = conversation.memory.get("waits") or frame[0] in _COMMANDS
    return (frame,)


def _answers_otherwise(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A notification that nobody ordered comes before each user response."""
    return (b"\x8a\2\0\0\0\0", frame) if frame[0] in _RESPONSES else (frame,)


MUTANTS = (
    mutant(
        "publisher_ends_the_connection_at_a_user_command",
        PUBLISHER,
        Hears(_commands(lambda frame: CLOSE if frame[0] == 0xDF else frame)),
        caught_by=("tolerates_user_commands",),
    ),
    mutant(
        "publisher_ends_the_connection_at_an_empty_user_command",
        PUBLISHER,
        Hears(_commands(lambda frame: CLOSE if len(frame) == 1 else frame)),
        caught_by=("tolerates_user_commands",),
    ),
    mutant(
        "publisher_takes_a_length_off_user_commands",
        PUBLISHER,
        _events(_without_a_length),
        caught_by=("hands_over_user_commands",),
    ),
    mutant(
        "publisher_counts_user_commands_from_1",
        PUBLISHER,
        _events(lambda event: {**event, "number": event["number"] + 1}),
        caught_by=("hands_over_user_commands",),
    ),
    mutant(
        "publisher_keeps_user_commands_to_itself",
        PUBLISHER,
        Hears(_commands(lambda frame: b"\xd9")),
        caught_by=("hands_over_user_commands",),
    ),
    mutant(
        "publisher_answers_user_commands_in_the_name_of_subscribe",
        PUBLISHER,
        Says(_responses(lambda frame: frame[:1] + b"\2" + frame[2:])),
        caught_by=("user_responses_name_their_command",),
    ),
    mutant(
        "publisher_gives_user_responses_the_number_of_the_command",
        PUBLISHER,
        Says(_responses(lambda frame: bytes((frame[1] + 0x10,)) + frame[1:])),
        caught_by=("user_responses_name_their_command",),
    ),
    mutant(
        "publisher_puts_a_length_into_user_responses",
        PUBLISHER,
        Says(_responses(lambda frame: with_payload(frame, frame[2:6] + frame[6:]))),
        caught_by=("user_responses_name_their_command",),
    ),
    mutant(
        "subscriber_does_not_know_user_responses",
        SUBSCRIBER,
        Hears(_responses(lambda frame: b"\xff\2\0\0\0\0")),
        caught_by=("hands_over_user_responses",),
    ),
    mutant(
        "subscriber_takes_a_length_off_user_responses",
        SUBSCRIBER,
        _events(_without_a_length),
        caught_by=("hands_over_user_responses",),
    ),
    mutant(
        "subscriber_puts_a_length_into_user_commands",
        SUBSCRIBER,
        Says(_commands(lambda frame: frame[:1] + (len(frame) - 1).to_bytes(4, "big") + frame[1:])),
        caught_by=("sends_user_commands_bare",),
    ),
    mutant(
        "subscriber_sends_user_commands_without_their_bytes",
        SUBSCRIBER,
        Says(_commands(lambda frame: frame[:1])),
        caught_by=("sends_user_commands_bare",),
    ),
    mutant(
        "subscriber_waits_for_a_user_response",
        SUBSCRIBER,
        Hears(_holds_up),
        Says(_waits),
        caught_by=("goes_on_without_a_user_response",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_tells_of_a_change_before_user_responses",
        PUBLISHER,
        Says(_answers_otherwise),
        caught_by=("publisher_exchanges_user_commands_alike_in_both_directions[user_responses_name_their_command]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_confirms_its_cache_before_user_commands",
        SUBSCRIBER,
        Says(added_before(Command.USER_COMMAND_00 + 3, b"\x0a")),
        caught_by=("subscriber_takes_other_messages_alike_in_both_directions[goes_on_without_a_user_response]",),
    ),
)
