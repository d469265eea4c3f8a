"""Wrong about large numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Delay, Item, Mutant, Rewrite, replaced
from sttp_conformance.ways import Direction

_CACHE, _DATA = Response.UPDATE_SIGNAL_INDEX_CACHE, Response.DATA_PACKET
_LARGE = 2**20
_SLOWLY = 100.0


def _now_and_then(code: int) -> Rewrite:
    """Every ninety-seventh frame with a code is lost."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[0] != code:
            return (frame,)
        seen = conversation.memory["seen"] = conversation.memory.get("seen", 0) + 1
        return () if seen % 97 == 0 else (frame,)

    return rewrite


def _the_first(code: int, most: int) -> Rewrite:
    """Frames with a code are lost beyond a certain number."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[0] != code:
            return (frame,)
        seen = conversation.memory["seen"] = conversation.memory.get("seen", 0) + 1
        return (frame,) if seen <= most else ()

    return rewrite


def _connections(most: int) -> Rewrite:
    """Connections beyond a certain number are closed at once."""
    return lambda frame, conversation: (frame,) if conversation.number <= most else (CLOSE,)


def _counts_to_65535(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An application is told of 65535 signals at most."""
    return {**answer, "signals": answer["signals"][:65_535]} if "signals" in answer else answer


def _in_both(name: str, check: str, role: Any, **wrong: Any) -> tuple[Mutant, ...]:
    """Wrong in both directions, and in each alone."""
    does = {Direction.FORWARD: "in_forward_only", Direction.REVERSE: "in_reverse_only"}
    return (
        Mutant(name, role, caught_by=(check,), **wrong),
        *(Mutant(f"{name}_{words}", role, caught_by=(check,), only=way, **wrong) for way, words in does.items()),
    )


_HOLDS: Callable[[str], str] = "{}_serves_hundreds_of_connections_in_turn".format

MUTANTS = (
    Mutant(
        "publisher_loses_a_large_cache",
        PUBLISHER,
        caught_by=("serves_100000_signals",),
        says=replaced(_CACHE, lambda frame: () if len(frame) > _LARGE else frame),
    ),
    Mutant(
        "publisher_takes_the_square_of_the_time_for_a_large_cache",
        PUBLISHER,
        caught_by=("serves_100000_signals",),
        says=replaced(_CACHE, lambda frame: (Delay(_SLOWLY), frame) if len(frame) > _LARGE else frame),
    ),
    Mutant(
        "publisher_loses_large_metadata",
        PUBLISHER,
        caught_by=("gives_metadata_of_100000_signals",),
        says=replaced(
            Response.SUCCEEDED, lambda frame: () if len(frame) > _LARGE else frame, answering=Command.METADATA_REFRESH
        ),
    ),
    Mutant(
        "subscriber_closes_at_a_cache_of_a_mebibyte",
        SUBSCRIBER,
        caught_by=("takes_data_of_100000_signals",),
        hears=replaced(_CACHE, lambda frame: CLOSE if len(frame) > _LARGE else frame),
    ),
    Mutant(
        "subscriber_counts_signals_to_65535",
        SUBSCRIBER,
        caught_by=("reads_metadata_of_100000_signals",),
        answers=_counts_to_65535,
    ),
    *_in_both(
        "publisher_loses_a_packet_now_and_then", "streams_thousands_of_messages", PUBLISHER, says=_now_and_then(_DATA)
    ),
    *_in_both(
        "subscriber_loses_a_packet_now_and_then", "takes_thousands_of_messages", SUBSCRIBER, hears=_now_and_then(_DATA)
    ),
    *_in_both(
        "publisher_offers_a_hundred_caches", "hands_over_hundreds_of_times", PUBLISHER, says=_the_first(_CACHE, 100)
    ),
    *_in_both(
        "subscriber_takes_a_hundred_caches", "follows_hundreds_of_caches", SUBSCRIBER, hears=_the_first(_CACHE, 100)
    ),
    *(
        mutant
        for role in (PUBLISHER, SUBSCRIBER)
        for mutant in (
            Mutant(
                f"{role.value}_serves_a_hundred_connections",
                role,
                caught_by=(_HOLDS(role.value),),
                says=_connections(100),
            ),
            Mutant(
                f"{role.value}_keeps_what_belongs_to_a_connection",
                role,
                caught_by=(_HOLDS(role.value),),
                holds_on=True,
            ),
        )
    ),
    Mutant(
        "publisher_serves_forty_subscribers",
        PUBLISHER,
        caught_by=("serves_fifty_subscribers_at_once",),
        says=_connections(40),
    ),
    Mutant(
        "subscriber_leaves_its_publisher_when_dozens_have_come",
        SUBSCRIBER,
        caught_by=("many_second_publishers_leave_the_first_alone",),
        hears=lambda frame, conversation: (CLOSE,) if len(conversation.numbers) > 30 else (frame,),
    ),
)
