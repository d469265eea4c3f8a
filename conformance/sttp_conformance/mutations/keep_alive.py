"""Wrong about keep-alive."""

from __future__ import annotations

import time

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says, Timers
from sttp_conformance.mutants import mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, added_after, dropped, edited, replaced

_SILENCE = 30.0


def _drops_the_silent(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """NoOPs do not come to a subscriber that has said nothing for a while: it is gone."""
    began = conversation.memory.setdefault("began", time.monotonic())
    return (CLOSE,) if frame[0] == Response.NOOP and time.monotonic() - began > _SILENCE else (frame,)


MUTANTS = (
    mutant(
        "publisher_sends_noop_every_minute",
        PUBLISHER,
        Timers({"keep-alive": 60.0}),
        caught_by=("sends_noop_while_idle", "sends_noop_before_the_modes_and_while_streaming"),
    ),
    mutant(
        "publisher_sends_noop_all_the_time",
        PUBLISHER,
        Timers({"keep-alive": 0.05}),
        caught_by=("sends_noop_while_idle",),
    ),
    mutant(
        "publisher_puts_the_time_into_noop",
        PUBLISHER,
        Says(edited(Response.NOOP, lambda payload: b"12:00")),
        caught_by=("sends_noop_while_idle",),
    ),
    mutant(
        "publisher_begins_with_noop_behind_the_modes",
        PUBLISHER,
        Says(lambda frame, conversation: (frame,) if conversation.heard else ()),
        Hears(lambda frame, conversation: (frame,)),
        caught_by=("sends_noop_before_the_modes_and_while_streaming",),
    ),
    mutant(
        "publisher_drops_silent_subscribers",
        PUBLISHER,
        Says(_drops_the_silent),
        caught_by=("keeps_a_silent_subscriber",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_noop",
        SUBSCRIBER,
        Hears(replaced(Response.NOOP, lambda frame: CLOSE)),
        caught_by=("takes_noop_at_any_time",),
    ),
    mutant(
        "subscriber_reads_what_is_in_noop",
        SUBSCRIBER,
        Hears(replaced(Response.NOOP, lambda frame: CLOSE if len(frame) > 6 else frame)),
        caught_by=("takes_noop_at_any_time",),
    ),
    mutant(
        "subscriber_sends_a_keep_alive",
        SUBSCRIBER,
        Says(added_after(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, b"\x0a")),
        caught_by=("sends_nothing_while_idle",),
    ),
    mutant(
        "subscriber_counts_data_only",
        SUBSCRIBER,
        Hears(dropped(Response.NOOP)),
        caught_by=("noop_keeps_the_session_alive",),
    ),
    mutant(
        "subscriber_waits_for_ever",
        SUBSCRIBER,
        Timers({"dead-peer": 3600.0}),
        caught_by=("gives_up_a_silent_publisher",),
    ),
)
