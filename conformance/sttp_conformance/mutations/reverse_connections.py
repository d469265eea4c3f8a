"""Wrong about reverse connections. What a man in the middle cannot do, such as never to dial again, timers do."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, KeepsHalf, Says, Timers, reports
from sttp_conformance.mutants import mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, dropped, replaced
from sttp_conformance.ways import Direction


def _only_once(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A connection that is not the first one is closed at the first word."""
    return (frame,) if conversation.number == 1 else (CLOSE,)


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
        mutant(f"{role.value}_{name}", role, fault, caught_by=(f"dialing_{role.value}_{each}" for each in caught))
        for role in (PUBLISHER, SUBSCRIBER)
        for name, caught, fault in (
            ("serves_one_connection_only", ("dials_again", "finds_a_listener_again"), Says(_only_once)),
            (
                "never_dials_again",
                ("dials_again", "finds_a_late_listener", "finds_a_listener_again", "backs_off"),
                Timers(_NEVER),
            ),
            ("dials_without_any_pause", ("does_not_hammer", "backs_off"), Timers(_AT_ONCE)),
            ("pauses_always_the_same", ("backs_off",), Timers(_SAME)),
            ("doubles_without_an_end", ("backs_off",), Timers(_NO_LIMIT)),
        )
    ),
    *(
        mutant(f"{role.value}_that_listens_serves_one_connection_only", role, Says(_only_once), caught_by=caught)
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
    mutant(
        "subscriber_comes_again_at_once_when_it_is_refused",
        SUBSCRIBER,
        Timers(_SAME),
        caught_by=("refusal_keeps_the_back_off",),
    ),
    mutant(
        "publisher_that_dials_greets",
        PUBLISHER,
        Says(replaced(Response.NOOP, lambda frame: (frame, b"\x80\2\0\0\0\2hi"))),
        Timers({"keep-alive": 0.1}),
        caught_by=("dialing_publisher_serves_a_whole_session",),
    ),
    mutant(
        "publisher_that_dials_offers_no_cache",
        PUBLISHER,
        Says(dropped(Response.UPDATE_SIGNAL_INDEX_CACHE)),
        caught_by=("dialing_publisher_serves_a_whole_session",),
        only=Direction.REVERSE,
    ),
    mutant(
        "subscriber_that_listens_confirms_nothing",
        SUBSCRIBER,
        Says(dropped(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE)),
        caught_by=("listening_subscriber_holds_a_whole_session",),
        only=Direction.REVERSE,
    ),
    mutant(
        "publisher_gives_its_connection_up",
        PUBLISHER,
        Hears(_closes_now_and_then),
        caught_by=("dialing_publisher_keeps_one_connection",),
    ),
    mutant(
        "publisher_waits_for_modes_for_ever",
        PUBLISHER,
        Timers({"first-command": 3600.0}),
        caught_by=("dialing_publisher_gives_up_a_silent_listener",),
    ),
    mutant(
        "subscriber_keeps_a_dead_publisher",
        SUBSCRIBER,
        Timers({"dead-peer": 3600.0}),
        caught_by=("new_publisher_replaces_a_dead_one",),
    ),
    mutant(
        "subscriber_leaves_its_publisher_for_a_second_one",
        SUBSCRIBER,
        Hears(lambda frame, conversation: (CLOSE,) if conversation.process.connections > 1 else (frame,)),
        caught_by=("second_publisher_leaves_the_first_alone",),
    ),
    mutant(
        "subscriber_reports_twice_what_it_received",
        SUBSCRIBER,
        reports(lambda rows: rows * 2),
        caught_by=(
            "second_publisher_leaves_the_first_alone",
            "old_caches_do_not_survive_the_connection",
            "old_decoders_do_not_survive_the_connection",
        ),
    ),
    *(
        mutant(f"{role.value}_keeps_half_of_a_connection", role, KeepsHalf(), caught_by=(check,))
        for role, check in (
            (PUBLISHER, "publisher_closes_when_the_subscriber_has_closed"),
            (SUBSCRIBER, "subscriber_closes_when_the_publisher_has_closed"),
        )
    ),
    mutant(
        "publisher_streams_into_the_next_connection",
        PUBLISHER,
        Says(_greets),
        caught_by=("new_session_gets_nothing_before_it_asks",),
    ),
    *(
        mutant(
            f"{role.value}_does_not_resume",
            role,
            Says(_nothing_on_later_connections),
            caught_by=(f"killed_{role.value}_resumes_in_reverse",),
        )
        for role in (PUBLISHER, SUBSCRIBER)
    ),
)
