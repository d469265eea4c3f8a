"""Wrong about malformed input: what costs too much, and what is believed."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, Rewrite, replaced
from sttp_conformance.ways import Direction

_TRUE = b"filterExpression={FILTER ActiveMeasurements WHERE True}"
_EVERYTHING = b"\2\2" + len(_TRUE).to_bytes(4, "big") + _TRUE
_KNOWN = {int(code) for code in (*Command, *Response)}


def _closes_at(condition: Any) -> Rewrite:
    return lambda frame, conversation: (CLOSE,) if frame and condition(frame) else (frame,)


def _is_malformed(frame: bytes) -> bool:
    """Whether it is a Subscribe that says less than it has to."""
    return frame[0] == Command.SUBSCRIBE and len(frame) < 20


def _never_recovers(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Once something strange has come, on whatever connection, nothing is heard any more."""
    strange = conversation.numbers[0] < 0 or not frame or frame[0] not in _KNOWN
    if strange:
        conversation.numbers[0] = -1
        return (CLOSE,)
    return (frame,)


def _one_connection(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (frame,) if conversation.number == 1 else (CLOSE,)


def _invents(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    """There is always one measurement more."""
    if request != "report":
        return answer
    return {**answer, "measurements": [*answer["measurements"], ["00000000-0000-0000-0000-000000000000", 0, 0.0, 0]]}


def _swallows_it(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Metadata of mebibytes are never digested. The list of numbers is shared by all connections."""
    stuck = conversation.numbers
    if len(frame) > 2**22 or stuck[0] < 0:
        stuck[0] = -1
        return ()
    return (frame,)


MUTANTS = (
    Mutant(
        "subscriber_inflates_until_it_is_dead",
        SUBSCRIBER,
        caught_by=("gives_up_gzip_that_inflates_without_end",),
        hears=_swallows_it,
    ),
    Mutant(
        "publisher_ends_the_connection_at_an_unknown_command",
        PUBLISHER,
        caught_by=("keeps_the_connection_on_an_unknown_command",),
        hears=_closes_at(lambda frame: frame[0] == 0x7F),
    ),
    Mutant(
        "publisher_ends_the_connection_at_a_response",
        PUBLISHER,
        caught_by=("publisher_ignores_responses",),
        hears=_closes_at(lambda frame: frame[0] == Response.NOOP),
    ),
    Mutant(
        "publisher_takes_a_malformed_subscribe_for_all",
        PUBLISHER,
        caught_by=("subscribes_nothing_with_a_malformed_subscribe", "answers_a_malformed_subscribe"),
        hears=lambda frame, conversation: (_EVERYTHING,) if _is_malformed(frame) else (frame,),
    ),
    Mutant(
        "publisher_hangs_up_at_a_malformed_subscribe",
        PUBLISHER,
        caught_by=("answers_a_malformed_subscribe", "malformed_subscribe_leaves_the_subscription"),
        hears=_closes_at(_is_malformed),
    ),
    Mutant(
        "publisher_unsubscribes_at_a_malformed_subscribe",
        PUBLISHER,
        caught_by=("malformed_subscribe_leaves_the_subscription",),
        hears=lambda frame, conversation: (b"\3",) if _is_malformed(frame) else (frame,),
    ),
    Mutant(
        "publisher_fills_short_modes_up",
        PUBLISHER,
        caught_by=("accepts_no_short_modes",),
        hears=replaced(Command.DEFINE_OPERATIONAL_MODES, lambda frame: frame + b"\0\0\2\2"[len(frame) - 1 :]),
    ),
    Mutant(
        "publisher_drops_a_metadata_filter_with_a_wrong_length",
        PUBLISHER,
        caught_by=("refuses_a_metadata_filter_with_a_wrong_length",),
        hears=replaced(Command.METADATA_REFRESH, lambda frame: b"\1"),
    ),
    Mutant(
        "publisher_ends_with_an_exception_in_one_reader",
        PUBLISHER,
        caught_by=("garbage_costs_its_own_connection_only",),
        hears=_never_recovers,
    ),
    Mutant(
        "publisher_serves_nobody_after_an_end",
        PUBLISHER,
        caught_by=("publisher_survives_whatever_ends_a_connection",),
        hears=_one_connection,
    ),
    Mutant(
        "subscriber_ends_the_connection_at_an_unknown_response",
        SUBSCRIBER,
        caught_by=("ignores_an_unknown_response",),
        hears=_closes_at(lambda frame: frame[0] == 0x9E),
    ),
    Mutant(
        "subscriber_ends_the_connection_at_an_unknown_command_code",
        SUBSCRIBER,
        caught_by=("ignores_an_unknown_response",),
        hears=_closes_at(lambda frame: frame[1:2] == b"\x55"),
    ),
    Mutant(
        "subscriber_unsubscribes_at_a_reply_that_it_did_not_ask_for",
        SUBSCRIBER,
        caught_by=("ignores_replies_to_what_it_did_not_ask",),
        hears=_closes_at(lambda frame: frame[:2] == b"\x80\3"),
    ),
    Mutant(
        "subscriber_ends_the_connection_at_a_command",
        SUBSCRIBER,
        caught_by=("subscriber_ignores_commands",),
        hears=_closes_at(lambda frame: frame[0] in (2, 6)),
    ),
    Mutant(
        "subscriber_invents_measurements",
        SUBSCRIBER,
        caught_by=(
            "takes_nothing_from_a_frame_with_a_wrong_inner_length",
            "survives_a_response_shorter_than_its_header",
            "reports_nothing_beyond_the_records_of_a_packet",
        ),
        answers=_invents,
    ),
    Mutant(
        "subscriber_serves_nobody_after_an_end",
        SUBSCRIBER,
        caught_by=(
            "subscriber_survives_whatever_ends_a_connection",
            "survives_base_times_and_start_time_of_wrong_length",
            "survives_metadata_with_broken_gzip",
            "garbage_costs_the_connection_only",
        ),
        hears=_one_connection,
    ),
    *(
        Mutant(
            f"{role.value}_that_{who}_ends_the_connection_at_the_unknown",
            role,
            caught_by=(f"{role.value}_meets_malformed_input_alike_in_both_directions[{check}]",),
            hears=_closes_at(lambda frame: frame[0] in (0x7F, 0x9E)),
            only=direction,
        )
        for role, check, ends in (
            (
                PUBLISHER,
                "keeps_the_connection_on_an_unknown_command",
                {"dials": Direction.REVERSE, "is_dialed": Direction.FORWARD},
            ),
            (
                SUBSCRIBER,
                "ignores_an_unknown_response",
                {"listens": Direction.REVERSE, "dials": Direction.FORWARD},
            ),
        )
        for who, direction in ends.items()
    ),
)
