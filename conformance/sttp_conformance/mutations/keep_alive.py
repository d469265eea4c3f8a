"""Wrong about keep-alive."""

from __future__ import annotations

import time

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, added_after, dropped, edited, replaced

_SILENCE = 30.0


def _drops_the_silent(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """NoOPs do not come to a subscriber that has said nothing for a while: it is gone."""
    began = conversation.memory.setdefault("began", time.monotonic())
    return (CLOSE,) if frame[0] == Response.NOOP and time.monotonic() - began > _SILENCE else (frame,)


MUTANTS = (
    Mutant(
        "publisher_sends_noop_every_minute",
        PUBLISHER,
        caught_by=("sends_noop_while_idle", "sends_noop_before_the_modes_and_while_streaming"),
        settings={"keep-alive": 60.0},
    ),
    Mutant(
        "publisher_sends_noop_all_the_time",
        PUBLISHER,
        caught_by=("sends_noop_while_idle",),
        settings={"keep-alive": 0.05},
    ),
    Mutant(
        "publisher_puts_the_time_into_noop",
        PUBLISHER,
        caught_by=("sends_noop_while_idle",),
        says=edited(Response.NOOP, lambda payload: b"12:00"),
    ),
    Mutant(
        "publisher_begins_with_noop_behind_the_modes",
        PUBLISHER,
        caught_by=("sends_noop_before_the_modes_and_while_streaming",),
        says=lambda frame, conversation: (frame,) if conversation.heard else (),
        hears=lambda frame, conversation: (frame,),
    ),
    Mutant(
        "publisher_drops_silent_subscribers",
        PUBLISHER,
        caught_by=("keeps_a_silent_subscriber",),
        says=_drops_the_silent,
    ),
    Mutant(
        "subscriber_ends_the_connection_at_noop",
        SUBSCRIBER,
        caught_by=("takes_noop_at_any_time",),
        hears=replaced(Response.NOOP, lambda frame: CLOSE),
    ),
    Mutant(
        "subscriber_reads_what_is_in_noop",
        SUBSCRIBER,
        caught_by=("takes_noop_at_any_time",),
        hears=replaced(Response.NOOP, lambda frame: CLOSE if len(frame) > 6 else frame),
    ),
    Mutant(
        "subscriber_sends_a_keep_alive",
        SUBSCRIBER,
        caught_by=("sends_nothing_while_idle",),
        says=added_after(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, b"\x0a"),
    ),
    Mutant(
        "subscriber_counts_data_only",
        SUBSCRIBER,
        caught_by=("noop_keeps_the_session_alive",),
        hears=dropped(Response.NOOP),
    ),
    Mutant(
        "subscriber_waits_for_ever",
        SUBSCRIBER,
        caught_by=("gives_up_a_silent_publisher",),
        settings={"dead-peer": 3600.0},
    ),
)
