"""Wrong about user commands and user responses."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, Rewrite, added_before
from sttp_conformance.ways import Direction

_COMMANDS = range(Command.USER_COMMAND_00, Command.USER_COMMAND_15 + 1)
_RESPONSES = range(0xE0, 0xF0)


def _commands(change: Any) -> Rewrite:
    """User commands become something else."""
    return lambda frame, conversation: (change(frame) if frame[:1] and frame[0] in _COMMANDS else frame,)


def _responses(change: Any) -> Rewrite:
    """User responses become something else, in what the publisher says."""
    return lambda frame, conversation: (change(frame) if frame[:1] and frame[0] in _RESPONSES else frame,)


def _with_payload(frame: bytes, payload: bytes) -> bytes:
    return frame[:2] + len(payload).to_bytes(4, "big") + payload


def _events(change: Any) -> Any:
    """What the application is told of user commands and responses becomes something else."""
    return lambda request, answer: (
        {**answer, "events": [change(each) if "payload" in each else each for each in answer["events"]]}
        if request == "events"
        else answer
    )


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
    Mutant(
        "publisher_ends_the_connection_at_a_user_command",
        PUBLISHER,
        caught_by=("tolerates_user_commands",),
        hears=_commands(lambda frame: CLOSE if frame[0] == 0xDF else frame),
    ),
    Mutant(
        "publisher_ends_the_connection_at_an_empty_user_command",
        PUBLISHER,
        caught_by=("tolerates_user_commands",),
        hears=_commands(lambda frame: CLOSE if len(frame) == 1 else frame),
    ),
    Mutant(
        "publisher_takes_a_length_off_user_commands",
        PUBLISHER,
        caught_by=("hands_over_user_commands",),
        answers=_events(_without_a_length),
    ),
    Mutant(
        "publisher_counts_user_commands_from_1",
        PUBLISHER,
        caught_by=("hands_over_user_commands",),
        answers=_events(lambda event: {**event, "number": event["number"] + 1}),
    ),
    Mutant(
        "publisher_keeps_user_commands_to_itself",
        PUBLISHER,
        caught_by=("hands_over_user_commands",),
        hears=_commands(lambda frame: b"\xd9"),
    ),
    Mutant(
        "publisher_answers_user_commands_in_the_name_of_subscribe",
        PUBLISHER,
        caught_by=("user_responses_name_their_command",),
        says=_responses(lambda frame: frame[:1] + b"\2" + frame[2:]),
    ),
    Mutant(
        "publisher_gives_user_responses_the_number_of_the_command",
        PUBLISHER,
        caught_by=("user_responses_name_their_command",),
        says=_responses(lambda frame: bytes((frame[1] + 0x10,)) + frame[1:]),
    ),
    Mutant(
        "publisher_puts_a_length_into_user_responses",
        PUBLISHER,
        caught_by=("user_responses_name_their_command",),
        says=_responses(lambda frame: _with_payload(frame, frame[2:6] + frame[6:])),
    ),
    Mutant(
        "subscriber_does_not_know_user_responses",
        SUBSCRIBER,
        caught_by=("hands_over_user_responses",),
        hears=_responses(lambda frame: b"\xff\2\0\0\0\0"),
    ),
    Mutant(
        "subscriber_takes_a_length_off_user_responses",
        SUBSCRIBER,
        caught_by=("hands_over_user_responses",),
        answers=_events(_without_a_length),
    ),
    Mutant(
        "subscriber_puts_a_length_into_user_commands",
        SUBSCRIBER,
        caught_by=("sends_user_commands_bare",),
        says=_commands(lambda frame: frame[:1] + (len(frame) - 1).to_bytes(4, "big") + frame[1:]),
    ),
    Mutant(
        "subscriber_sends_user_commands_without_their_bytes",
        SUBSCRIBER,
        caught_by=("sends_user_commands_bare",),
        says=_commands(lambda frame: frame[:1]),
    ),
    Mutant(
        "subscriber_waits_for_a_user_response",
        SUBSCRIBER,
        caught_by=("goes_on_without_a_user_response",),
        hears=_holds_up,
        says=_waits,
    ),
    *(
        Mutant(
            f"publisher_that_{who}_tells_of_a_change_before_user_responses",
            PUBLISHER,
            caught_by=(
                "publisher_exchanges_user_commands_alike_in_both_directions[user_responses_name_their_command]",
            ),
            says=_answers_otherwise,
            only=direction,
        )
        for who, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
    *(
        Mutant(
            f"subscriber_that_{who}_confirms_its_cache_before_user_commands",
            SUBSCRIBER,
            caught_by=("subscriber_takes_other_messages_alike_in_both_directions[goes_on_without_a_user_response]",),
            says=added_before(Command.USER_COMMAND_00 + 3, b"\x0a"),
            only=direction,
        )
        for who, direction in (("listens", Direction.REVERSE), ("dials", Direction.FORWARD))
    ),
)
