"""Wrong about reverse connections. What a man in the middle cannot do, such as never to dial again, timers do."""

from __future__ import annotations

from typing import Any

from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant


def _only_once(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A connection that is not the first one is closed at the first word."""
    return (frame,) if conversation.number == 1 else (CLOSE,)


def _doubled(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    """What was received once is reported twice."""
    return {**answer, "measurements": answer["measurements"] * 2} if request == "report" else answer


MUTANTS = (
    Mutant(
        "publisher_serves_one_connection_only",
        PUBLISHER,
        caught_by=("dialing_publisher_dials_again", "dialing_publisher_finds_a_listener_again"),
        says=_only_once,
    ),
    Mutant(
        "publisher_never_dials_again",
        PUBLISHER,
        caught_by=(
            "dialing_publisher_dials_again",
            "dialing_publisher_finds_a_late_listener",
            "dialing_publisher_finds_a_listener_again",
        ),
        settings={"redial-base": 3600.0, "redial-cap": 3600.0},
    ),
    Mutant(
        "publisher_dials_without_any_pause",
        PUBLISHER,
        caught_by=("dialing_publisher_does_not_hammer",),
        settings={"redial-base": 1e-9, "redial-cap": 1e-9},
    ),
    Mutant(
        "subscriber_serves_one_connection_only",
        SUBSCRIBER,
        caught_by=("listening_subscriber_outlives_its_publishers",),
        says=_only_once,
    ),
    Mutant(
        "subscriber_leaves_its_publisher_for_a_second_one",
        SUBSCRIBER,
        caught_by=("second_publisher_leaves_the_first_alone",),
        hears=lambda frame, conversation: (CLOSE,) if len(conversation.numbers) > 1 else (frame,),
    ),
    Mutant(
        "subscriber_reports_twice_what_it_received",
        SUBSCRIBER,
        caught_by=("second_publisher_leaves_the_first_alone", "old_caches_do_not_survive_the_connection"),
        answers=_doubled,
    ),
)
