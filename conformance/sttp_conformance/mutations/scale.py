"""Wrong about large numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sttp.codes import Command, Response, Role
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Answers, Fault, Hears, HoldsOn, Says
from sttp_conformance.mutants import Mutant, mutant
from sttp_conformance.rewrites import CLOSE, Delay, Rewrite, replaced
from sttp_conformance.ways import Direction

_CACHE, _DATA = Response.UPDATE_SIGNAL_INDEX_CACHE, Response.DATA_PACKET
_LARGE = 2**20
_SLOWLY = 100.0


def _lost(code: int, which: Callable[[int], bool]) -> Rewrite:
    """Frames with a code are lost, by their number on a connection."""
    return lambda frame, conversation: () if frame[0] == code and which(conversation.count("seen")) else (frame,)


def _now_and_then(code: int) -> Rewrite:
    """Every ninety-seventh frame with a code is lost."""
    return _lost(code, lambda number: number % 97 == 0)


def _the_first(code: int, most: int) -> Rewrite:
    """Frames with a code are lost beyond a certain number."""
    return _lost(code, lambda number: number > most)


def _connections(most: int) -> Rewrite:
    """Connections beyond a certain number are closed at once."""
    return lambda frame, conversation: (frame,) if conversation.number <= most else (CLOSE,)


def _counts_to_65535(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An application is told of 65535 signals at most."""
    return {**answer, "signals": answer["signals"][:65_535]} if "signals" in answer else answer


def _in_both(name: str, role: Role, fault: Fault, check: str) -> tuple[Mutant, ...]:
    """Wrong in both directions, and in each alone."""
    return (
        mutant(name, role, fault, caught_by=(check,)),
        *(mutant(f"{name}_in_{way}_only", role, fault, caught_by=(check,), only=way) for way in Direction),
    )


def _of_many_connections(role: Role) -> tuple[Mutant, ...]:
    caught = (f"{role.value}_serves_hundreds_of_connections_in_turn",)
    return (
        mutant(f"{role.value}_serves_a_hundred_connections", role, Says(_connections(100)), caught_by=caught),
        mutant(f"{role.value}_keeps_what_belongs_to_a_connection", role, HoldsOn(), caught_by=caught),
    )


MUTANTS = (
    mutant(
        "publisher_loses_a_large_cache",
        PUBLISHER,
        Says(replaced(_CACHE, lambda frame: () if len(frame) > _LARGE else frame)),
        caught_by=("serves_100000_signals",),
    ),
    mutant(
        "publisher_takes_the_square_of_the_time_for_a_large_cache",
        PUBLISHER,
        Says(replaced(_CACHE, lambda frame: (Delay(_SLOWLY), frame) if len(frame) > _LARGE else frame)),
        caught_by=("serves_100000_signals",),
    ),
    mutant(
        "publisher_loses_large_metadata",
        PUBLISHER,
        Says(
            replaced(
                Response.SUCCEEDED,
                lambda frame: () if len(frame) > _LARGE else frame,
                answering=Command.METADATA_REFRESH,
            )
        ),
        caught_by=("gives_metadata_of_100000_signals",),
    ),
    mutant(
        "subscriber_closes_at_a_cache_of_a_mebibyte",
        SUBSCRIBER,
        Hears(replaced(_CACHE, lambda frame: CLOSE if len(frame) > _LARGE else frame)),
        caught_by=("takes_data_of_100000_signals",),
    ),
    mutant(
        "subscriber_counts_signals_to_65535",
        SUBSCRIBER,
        Answers(_counts_to_65535),
        caught_by=("reads_metadata_of_100000_signals",),
    ),
    *_in_both(
        "publisher_loses_a_packet_now_and_then", PUBLISHER, Says(_now_and_then(_DATA)), "streams_thousands_of_messages"
    ),
    *_in_both(
        "subscriber_loses_a_packet_now_and_then", SUBSCRIBER, Hears(_now_and_then(_DATA)), "takes_thousands_of_messages"
    ),
    *_in_both(
        "publisher_offers_a_hundred_caches", PUBLISHER, Says(_the_first(_CACHE, 100)), "hands_over_hundreds_of_times"
    ),
    *_in_both(
        "subscriber_takes_a_hundred_caches", SUBSCRIBER, Hears(_the_first(_CACHE, 100)), "follows_hundreds_of_caches"
    ),
    *_of_many_connections(PUBLISHER),
    *_of_many_connections(SUBSCRIBER),
    mutant(
        "publisher_serves_forty_subscribers",
        PUBLISHER,
        Says(_connections(40)),
        caught_by=("serves_fifty_subscribers_at_once",),
    ),
    mutant(
        "subscriber_leaves_its_publisher_when_dozens_have_come",
        SUBSCRIBER,
        Hears(lambda frame, conversation: (CLOSE,) if conversation.process.connections > 30 else (frame,)),
        caught_by=("many_second_publishers_leave_the_first_alone",),
    ),
)
