"""Wrong about malformed input: what costs too much, and what is believed."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, reports
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, harmed, replaced

_TRUE = b"filterExpression={FILTER ActiveMeasurements WHERE True}"
_EVERYTHING = b"\2\2" + len(_TRUE).to_bytes(4, "big") + _TRUE
_KNOWN = {int(code) for code in (*Command, *Response)}


def _closes_at(condition: Any) -> Rewrite:
    return lambda frame, conversation: (CLOSE,) if frame and condition(frame) else (frame,)


def _is_malformed(frame: bytes) -> bool:
    """Whether it is a Subscribe that says less than it has to."""
    return frame[0] == Command.SUBSCRIBE and len(frame) < 20


def _one_connection(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (frame,) if conversation.number == 1 else (CLOSE,)


def _invents(rows: list[list[Any]]) -> list[list[Any]]:
    """There is always one measurement more."""
    return [*rows, ["00000000-0000-0000-0000-000000000000", 0, 0.0, 0]]


MUTANTS = (
    mutant(
        "subscriber_inflates_until_it_is_dead",
        SUBSCRIBER,
        Hears(harmed(lambda frame, conversation: len(frame) > 2**22)),
        caught_by=("gives_up_gzip_that_inflates_without_end",),
    ),
    mutant(
        "publisher_ends_the_connection_at_an_unknown_command",
        PUBLISHER,
        Hears(_closes_at(lambda frame: frame[0] == 0x7F)),
        caught_by=("keeps_the_connection_on_an_unknown_command",),
    ),
    mutant(
        "publisher_ends_the_connection_at_a_response",
        PUBLISHER,
        Hears(_closes_at(lambda frame: frame[0] == Response.NOOP)),
        caught_by=("publisher_ignores_responses",),
    ),
    mutant(
        "publisher_takes_a_malformed_subscribe_for_all",
        PUBLISHER,
        Hears(lambda frame, conversation: (_EVERYTHING,) if _is_malformed(frame) else (frame,)),
        caught_by=("subscribes_nothing_with_a_malformed_subscribe", "answers_a_malformed_subscribe"),
    ),
    mutant(
        "publisher_hangs_up_at_a_malformed_subscribe",
        PUBLISHER,
        Hears(_closes_at(_is_malformed)),
        caught_by=("answers_a_malformed_subscribe", "malformed_subscribe_leaves_the_subscription"),
    ),
    mutant(
        "publisher_unsubscribes_at_a_malformed_subscribe",
        PUBLISHER,
        Hears(lambda frame, conversation: (b"\3",) if _is_malformed(frame) else (frame,)),
        caught_by=("malformed_subscribe_leaves_the_subscription",),
    ),
    mutant(
        "publisher_fills_short_modes_up",
        PUBLISHER,
        Hears(replaced(Command.DEFINE_OPERATIONAL_MODES, lambda frame: frame + b"\0\0\2\2"[len(frame) - 1 :])),
        caught_by=("accepts_no_short_modes",),
    ),
    mutant(
        "publisher_drops_a_metadata_filter_with_a_wrong_length",
        PUBLISHER,
        Hears(replaced(Command.METADATA_REFRESH, lambda frame: b"\1")),
        caught_by=("refuses_a_metadata_filter_with_a_wrong_length",),
    ),
    mutant(
        "publisher_ends_with_an_exception_in_one_reader",
        PUBLISHER,
        Hears(harmed(lambda frame, conversation: not frame or frame[0] not in _KNOWN, CLOSE)),
        caught_by=("garbage_costs_its_own_connection_only",),
    ),
    mutant(
        "publisher_serves_nobody_after_an_end",
        PUBLISHER,
        Hears(_one_connection),
        caught_by=("publisher_survives_whatever_ends_a_connection",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_an_unknown_response",
        SUBSCRIBER,
        Hears(_closes_at(lambda frame: frame[0] == 0x9E)),
        caught_by=("ignores_an_unknown_response",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_an_unknown_command_code",
        SUBSCRIBER,
        Hears(_closes_at(lambda frame: frame[1:2] == b"\x55")),
        caught_by=("ignores_an_unknown_response",),
    ),
    mutant(
        "subscriber_unsubscribes_at_a_reply_that_it_did_not_ask_for",
        SUBSCRIBER,
        Hears(_closes_at(lambda frame: frame[:2] == b"\x80\3")),
        caught_by=("ignores_replies_to_what_it_did_not_ask",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_a_command",
        SUBSCRIBER,
        Hears(_closes_at(lambda frame: frame[0] in (2, 6))),
        caught_by=("subscriber_ignores_commands",),
    ),
    mutant(
        "subscriber_invents_measurements",
        SUBSCRIBER,
        reports(_invents),
        caught_by=(
            "takes_nothing_from_a_frame_with_a_wrong_inner_length",
            "survives_a_response_shorter_than_its_header",
            "reports_nothing_beyond_the_records_of_a_packet",
        ),
    ),
    mutant(
        "subscriber_serves_nobody_after_an_end",
        SUBSCRIBER,
        Hears(_one_connection),
        caught_by=(
            "subscriber_survives_whatever_ends_a_connection",
            "survives_base_times_and_start_time_of_wrong_length",
            "survives_metadata_with_broken_gzip",
            "garbage_costs_the_connection_only",
        ),
    ),
    *in_each_direction(
        "publisher_that_{dials}_ends_the_connection_at_the_unknown",
        PUBLISHER,
        Hears(_closes_at(lambda frame: frame[0] == 0x7F)),
        caught_by=(
            "publisher_meets_malformed_input_alike_in_both_directions[keeps_the_connection_on_an_unknown_command]",
        ),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_ends_the_connection_at_the_unknown",
        SUBSCRIBER,
        Hears(_closes_at(lambda frame: frame[0] == 0x9E)),
        caught_by=("subscriber_meets_malformed_input_alike_in_both_directions[ignores_an_unknown_response]",),
    ),
)
