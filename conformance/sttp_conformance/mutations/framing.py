"""Wrong about frames."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Delay, Mutant, Raw, added_after, added_before, replaced

_NOOP = b"\xff\x02\x00\x00\x00\x00"
_INTERVAL = Command.UPDATE_PROCESSING_INTERVAL

MUTANTS = (
    Mutant(
        "publisher_puts_two_responses_in_a_frame",
        PUBLISHER,
        caught_by=("sends_one_response_per_frame",),
        says=replaced(Response.SUCCEEDED, lambda frame: frame + _NOOP),
    ),
    Mutant(
        "publisher_counts_the_header_in_the_inner_length",
        PUBLISHER,
        caught_by=("sends_one_response_per_frame",),
        says=replaced(None, lambda frame: frame[:2] + (len(frame)).to_bytes(4, "big") + frame[6:]),
    ),
    Mutant(
        "publisher_sends_an_undefined_response",
        PUBLISHER,
        caught_by=("uses_only_defined_codes",),
        says=added_before(Response.SUCCEEDED, b"\x9e\x02\x00\x00\x00\x00"),
    ),
    Mutant(
        "publisher_answers_an_undefined_command",
        PUBLISHER,
        caught_by=("uses_only_defined_codes",),
        says=added_before(Response.SUCCEEDED, b"\x81\x7e\x00\x00\x00\x00", answering=_INTERVAL),
    ),
    Mutant(
        "publisher_handles_each_command_twice",
        PUBLISHER,
        caught_by=("sends_one_response_per_frame",),
        says=replaced(None, lambda frame: Raw(len(frame + frame).to_bytes(4, "big") + frame + frame)),
    ),
    Mutant(
        "noops_come_all_the_time",
        PUBLISHER,
        says=added_after(None, _NOOP, _NOOP),
        harmless=True,
    ),
    Mutant(
        "everything_comes_a_little_later",
        PUBLISHER,
        says=added_before(None, Delay(0.002)),
        harmless=True,
    ),
    Mutant(
        "commands_come_a_little_later",
        SUBSCRIBER,
        says=added_before(None, Delay(0.002)),
        harmless=True,
    ),
    Mutant(
        "subscriber_ends_the_connection_at_an_unknown_response",
        SUBSCRIBER,
        caught_by=("ignores_an_unknown_response",),
        hears=lambda frame, conversation: (CLOSE,) if frame[:1] == b"\x9e" else (frame,),
    ),
    Mutant(
        "publisher_ends_the_connection_at_an_unknown_command",
        PUBLISHER,
        caught_by=("keeps_the_connection_on_an_unknown_command",),
        hears=lambda frame, conversation: (CLOSE,) if frame[:1] == b"\x7e" else (frame,),
    ),
)
