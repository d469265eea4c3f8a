"""Wrong about subscriptions."""

from __future__ import annotations

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER
from sttp_conformance.mutants import Conversation, Item, Mutant, dropped, replaced


def _old_cache_again(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Whatever is subscribed to later, the first cache is sent."""
    if frame[0] == Response.UPDATE_SIGNAL_INDEX_CACHE:
        first = conversation.memory.setdefault("cache", frame)
        return (frame[:7] + first[7:] if len(first) == len(frame) else first,)
    return (frame,)


MUTANTS = (
    Mutant(
        "publisher_sends_no_cache",
        PUBLISHER,
        caught_by=("offers_a_cache_for_a_subscription",),
        says=dropped(Response.UPDATE_SIGNAL_INDEX_CACHE),
    ),
    Mutant(
        "publisher_confirms_for_the_subscriber",
        PUBLISHER,
        caught_by=("holds_data_until_the_cache_is_confirmed",),
        hears=lambda frame, conversation: (frame, b"\x0a") if frame[0] == Command.SUBSCRIBE else (frame,),
    ),
    Mutant(
        "publisher_unsubscribes_without_a_word",
        PUBLISHER,
        caught_by=("answers_unsubscribe",),
        says=dropped(Response.SUCCEEDED, answering=Command.UNSUBSCRIBE),
    ),
    Mutant(
        "publisher_only_says_that_it_unsubscribes",
        PUBLISHER,
        caught_by=("sends_no_data_after_unsubscribe",),
        hears=replaced(Command.UNSUBSCRIBE, lambda frame: b"\x05\xff\xff\xff\xff"),
        says=replaced(
            Response.SUCCEEDED,
            lambda frame: b"\x80\x03\x00\x00\x00\x00",
            answering=Command.UPDATE_PROCESSING_INTERVAL,
        ),
    ),
    Mutant(
        "publisher_ignores_a_second_subscribe",
        PUBLISHER,
        caught_by=("accepts_subscribe_while_subscribed",),
        says=_old_cache_again,
    ),
)
