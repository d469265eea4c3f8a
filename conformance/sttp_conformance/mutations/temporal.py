"""Wrong about replays of the past."""

from __future__ import annotations

import re
from collections.abc import Callable

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, added_after, dropped, edited, replaced

_SUBSCRIBE = Command.SUBSCRIBE


def _strings(change: Callable[[str], str]) -> Callable[[bytes, Conversation], tuple[Item, ...]]:
    """Connection strings become others, in what a publisher hears or a subscriber says."""

    def changed(payload: bytes) -> bytes:
        text = change(payload[5:].decode()).encode()
        return payload[:1] + len(text).to_bytes(4, "big") + text

    return edited(_SUBSCRIBE, changed)  # type: ignore[return-value]


def _without_constraints(text: str) -> str:
    return re.sub(r"st(art|op)TimeConstraint=[^;]*;?", "", text)


def _unsubscribes(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """ProcessingComplete is answered with Unsubscribe, in place of what the honest one says to a notification."""
    return (frame, b"\x89\2\0\0\0\5hash!") if frame[0] == Response.PROCESSING_COMPLETE else (frame,)


MUTANTS = (
    mutant(
        "publisher_serves_the_past_in_real_time",
        PUBLISHER,
        Hears(_strings(_without_constraints)),
        caught_by=("serves_the_past_or_refuses_it",),
    ),
    mutant(
        "publisher_ends_the_connection_at_the_end_of_a_replay",
        PUBLISHER,
        Says(replaced(Response.PROCESSING_COMPLETE, lambda frame: CLOSE)),
        caught_by=("tells_the_end_of_a_replay",),
    ),
    mutant(
        "publisher_does_not_tell_the_end_of_a_replay",
        PUBLISHER,
        Says(dropped(Response.PROCESSING_COMPLETE)),
        caught_by=("tells_the_end_of_a_replay",),
    ),
    mutant(
        "publisher_knows_absolute_times_of_a_replay_only",
        PUBLISHER,
        Hears(_strings(lambda text: text.replace("=*", "=yesterday"))),
        caught_by=("reads_every_form_of_replay_times",),
    ),
    mutant(
        "publisher_takes_minutes_of_a_replay_for_seconds",
        PUBLISHER,
        Hears(_strings(lambda text: re.sub(r"(Constraint=\*-\d+)m", r"\1s", text))),
        caught_by=("reads_every_form_of_replay_times",),
    ),
    mutant(
        "publisher_takes_days_of_a_replay_for_hours",
        PUBLISHER,
        Hears(_strings(lambda text: re.sub(r"(Constraint=\*-\d+)d", r"\1h", text))),
        caught_by=("reads_every_form_of_replay_times",),
    ),
    mutant(
        "publisher_takes_now_of_a_replay_for_the_beginning_of_time",
        PUBLISHER,
        Hears(
            _strings(
                lambda text: re.sub(
                    r"startTimeConstraint=\*-30s;stopTimeConstraint=\*;",
                    "startTimeConstraint=0001-01-01;stopTimeConstraint=0001-01-02;",
                    text,
                )
            )
        ),
        caught_by=("reads_every_form_of_replay_times",),
    ),
    mutant(
        "subscriber_writes_replay_parameters_bare",
        SUBSCRIBER,
        Says(
            _strings(
                lambda text: re.sub(r"timeConstraintParameters={(speed=.*?})}", r"timeConstraintParameters=\1", text)
            )
        ),
        caught_by=("replay_parameters_are_wrapped_in_braces",),
    ),
    mutant(
        "subscriber_leaves_the_end_of_a_replay_out",
        SUBSCRIBER,
        Says(_strings(lambda text: text.replace("stopTimeConstraint", "stopTime"))),
        caught_by=("replay_parameters_are_wrapped_in_braces",),
    ),
    mutant(
        "subscriber_unsubscribes_at_processing_complete_behind_a_refused_replay",
        SUBSCRIBER,
        Hears(_unsubscribes),
        Says(replaced(Command.CONFIRM_NOTIFICATION, lambda frame: bytes((Command.UNSUBSCRIBE,)))),
        caught_by=("ignores_processing_complete_behind_a_refusal",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_processing_complete_behind_a_refused_replay",
        SUBSCRIBER,
        Hears(replaced(Response.PROCESSING_COMPLETE, lambda frame: CLOSE)),
        caught_by=("ignores_processing_complete_behind_a_refusal",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_tells_the_end_of_a_replay_that_it_refuses",
        PUBLISHER,
        Says(added_after(None, b"\x87\2\0\0\0\0", answering=_SUBSCRIBE, first=True)),
        caught_by=("publisher_refuses_subscriptions_alike_in_both_directions[serves_the_past_or_refuses_it]",),
    ),
)
