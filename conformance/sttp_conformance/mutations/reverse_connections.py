"""Wrong about reverse connections. What a man in the middle cannot do, such as never to dial again, timers do."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, dropped, replaced
from sttp_conformance.ways import Direction


def _only_once(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A connection that is not the first one is closed at the first word."""
    return (frame,) if conversation.number == 1 else (CLOSE,)


def _doubled(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    """What was received once is reported twice."""
    return {**answer, "measurements": answer["measurements"] * 2} if request == "report" else answer


def _closes_now_and_then(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The connection is given up as soon as its data could begin."""
    return (frame, CLOSE) if frame[0] == Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE else (frame,)


def _nothing_on_later_connections(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (frame,) if conversation.number == 1 else ()


def _greets(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """It sends data of the subscription before to whoever has defined its modes."""
    stale = b"\x82\2\0\0\0\x16\2\0\0\0\1" + bytes(17)
    return (frame, stale) if conversation.number > 1 and frame[:2] == b"\x80\6" else (frame,)


_NEVER = {"redial-base": 3600.0, "redial-cap": 3600.0}
_AT_ONCE = {"redial-base": 1e-9, "redial-cap": 1e-9}
_SAME = {"redial-base": 0.4, "redial-cap": 0.4}
_NO_LIMIT = {"redial-cap": 3600.0}

MUTANTS = (
    *(
        Mutant(
            f"{role.value}_{name}", role, caught_by=tuple(f"dialing_{role.value}_{each}" for each in caught), **wrong
        )
        for role in (PUBLISHER, SUBSCRIBER)
        for name, caught, wrong in (
            ("serves_one_connection_only", ("dials_again", "finds_a_listener_again"), {"says": _only_once}),
            (
                "never_dials_again",
                ("dials_again", "finds_a_late_listener", "finds_a_listener_again", "backs_off"),
                {"settings": _NEVER},
            ),
            ("dials_without_any_pause", ("does_not_hammer", "backs_off"), {"settings": _AT_ONCE}),
            ("pauses_always_the_same", ("backs_off",), {"settings": _SAME}),
            ("doubles_without_an_end", ("backs_off",), {"settings": _NO_LIMIT}),
        )
    ),
    *(
        Mutant(f"{role.value}_that_listens_serves_one_connection_only", role, caught_by=caught, says=_only_once)
        for role, caught in (
            (
                PUBLISHER,
                ("listening_publisher_outlives_its_subscribers", "listening_publisher_outlives_a_port_scan"),
            ),
            (
                SUBSCRIBER,
                (
                    "listening_subscriber_outlives_its_publishers",
                    "listening_subscriber_outlives_a_port_scan",
                    "subscribes_again_after_reconnecting",
                    "new_publisher_replaces_a_dead_one",
                    "silent_stranger_does_not_keep_the_publisher_out",
                ),
            ),
        )
    ),
    Mutant(
        "subscriber_comes_again_at_once_when_it_is_refused",
        SUBSCRIBER,
        caught_by=("refusal_keeps_the_back_off",),
        settings=_SAME,
    ),
    Mutant(
        "publisher_that_dials_greets",
        PUBLISHER,
        caught_by=("dialing_publisher_serves_a_whole_session",),
        says=replaced(Response.NOOP, lambda frame: (frame, b"\x80\2\0\0\0\2hi")),
        settings={"keep-alive": 0.1},
    ),
    Mutant(
        "publisher_that_dials_offers_no_cache",
        PUBLISHER,
        caught_by=("dialing_publisher_serves_a_whole_session",),
        says=dropped(Response.UPDATE_SIGNAL_INDEX_CACHE),
        only=Direction.REVERSE,
    ),
    Mutant(
        "subscriber_that_listens_confirms_nothing",
        SUBSCRIBER,
        caught_by=("listening_subscriber_holds_a_whole_session",),
        says=dropped(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_gives_its_connection_up",
        PUBLISHER,
        caught_by=("dialing_publisher_keeps_one_connection",),
        hears=_closes_now_and_then,
    ),
    Mutant(
        "publisher_waits_for_modes_for_ever",
        PUBLISHER,
        caught_by=("dialing_publisher_gives_up_a_silent_listener",),
        settings={"first-command": 3600.0},
    ),
    Mutant(
        "subscriber_keeps_a_dead_publisher",
        SUBSCRIBER,
        caught_by=("new_publisher_replaces_a_dead_one",),
        settings={"dead-peer": 3600.0},
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
        caught_by=(
            "second_publisher_leaves_the_first_alone",
            "old_caches_do_not_survive_the_connection",
            "old_decoders_do_not_survive_the_connection",
        ),
        answers=_doubled,
    ),
    *(
        Mutant(f"{role.value}_keeps_half_of_a_connection", role, caught_by=(check,), keeps_half=True)
        for role, check in (
            (PUBLISHER, "publisher_closes_when_the_subscriber_has_closed"),
            (SUBSCRIBER, "subscriber_closes_when_the_publisher_has_closed"),
        )
    ),
    Mutant(
        "publisher_streams_into_the_next_connection",
        PUBLISHER,
        caught_by=("new_session_gets_nothing_before_it_asks",),
        says=_greets,
    ),
    *(
        Mutant(
            f"{role.value}_does_not_resume",
            role,
            caught_by=(f"killed_{role.value}_resumes_in_reverse",),
            says=_nothing_on_later_connections,
        )
        for role in (PUBLISHER, SUBSCRIBER)
    ),
)
