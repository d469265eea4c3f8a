"""Wrong about base times."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Answers, Hears, Says, reports
from sttp_conformance.mutants import mutant
from sttp_conformance.rewrites import (
    CLOSE,
    Conversation,
    Item,
    Rewrite,
    added_after,
    added_before,
    dropped,
    edited,
    replaced,
)

_BASE_TIMES = Response.UPDATE_BASE_TIMES
_DATA = Response.DATA_PACKET
_CACHE = Response.UPDATE_SIGNAL_INDEX_CACHE
_TIMES = struct.Struct(">iQQ")
_SOME = b"\x84\x02\0\0\0\x14" + _TIMES.pack(0, 639_000_000_000_000_000, 639_000_004_200_000_000)


def _based(change: Callable[[int, int, int], tuple[int, int, int]]) -> Rewrite:
    """Other base times; given the active index and both times."""
    return edited(_BASE_TIMES, lambda payload: _TIMES.pack(*change(*_TIMES.unpack(payload))))


def _at_the_end(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Base times are announced behind the packet that needs them."""
    memory = conversation.memory
    if frame[0] == _BASE_TIMES:
        memory["late"] = frame
        return ()
    if frame[0] == _DATA and "late" in memory:
        return frame, memory.pop("late")
    return (frame,)


def _first_only(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The first base times are kept."""
    return (conversation.memory.setdefault("first", frame),) if frame[0] == _BASE_TIMES else (frame,)


def _active_only(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Records are read with the active base time, whatever they name."""
    if frame[0] != _BASE_TIMES:
        return (frame,)
    active, *times = _TIMES.unpack(frame[6:])
    return (frame[:6] + _TIMES.pack(active, times[active], times[active]),)


def _cleared_by_the_cache(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Base times that came before the cache are forgotten."""
    if frame[0] == _CACHE:
        conversation.memory["cache"] = True
    return () if frame[0] == _BASE_TIMES and "cache" not in conversation.memory else (frame,)


def _confirms() -> tuple[Rewrite, Rewrite]:
    def hears(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[0] == _BASE_TIMES:
            conversation.memory["due"] = True
        return (frame,)

    def says(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        return (b"\x09", frame) if conversation.memory.pop("due", False) else (frame,)

    return hears, says


_HEARS, _CONFIRMS = _confirms()


def _times(change: Callable[[list[Any]], int]) -> Answers:
    """The application reports other times."""
    return reports(lambda rows: [[row[0], change(row), *row[2:]] for row in rows])


def _signed(row: list[Any]) -> int:
    """Offsets beyond the half are taken to be negative: those of the suite count from whole thirtieths of a second."""
    time: int = row[1]
    return time - 2**32 if row[2] >= 4 else time


def _kept_for_later(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Base times of one connection hold on the later ones."""
    kept = conversation.process.memory
    if frame[0] == _BASE_TIMES:
        kept["base times"] = frame
    return (kept["base times"], frame) if frame[0] == _DATA and "base times" in kept else (frame,)


MUTANTS = (
    mutant(
        "publisher_never_announces_base_times",
        PUBLISHER,
        Says(dropped(_BASE_TIMES)),
        caught_by=("announces_base_times",),
    ),
    mutant(
        "subscriber_keeps_base_times_for_the_next_connection",
        SUBSCRIBER,
        Hears(_kept_for_later),
        caught_by=("old_base_times_do_not_survive_the_connection",),
    ),
    mutant(
        "publisher_sends_one_base_time",
        PUBLISHER,
        Says(edited(_BASE_TIMES, lambda payload: payload[:12])),
        caught_by=("base_times_are_well_formed",),
    ),
    mutant(
        "publisher_makes_the_base_time_2_active",
        PUBLISHER,
        Says(_based(lambda active, first, second: (2, first, second))),
        caught_by=("base_times_are_well_formed",),
    ),
    mutant(
        "publisher_marks_base_times_as_leap_seconds",
        PUBLISHER,
        Says(_based(lambda active, first, second: (active, first, second | 1 << 63))),
        caught_by=("base_times_are_well_formed",),
    ),
    mutant(
        "publisher_announces_base_times_too_late",
        PUBLISHER,
        Says(_at_the_end),
        caught_by=("short_times_follow_their_base_time",),
    ),
    mutant(
        "publisher_uses_short_times_without_base_times",
        PUBLISHER,
        Says(dropped(_BASE_TIMES)),
        caught_by=("short_times_follow_their_base_time",),
    ),
    mutant(
        "publisher_adds_offsets_to_the_other_base_time",
        PUBLISHER,
        Says(_based(lambda active, first, second: (active, second, first))),
        caught_by=("short_times_add_up",),
    ),
    mutant(
        "publisher_ignores_the_wish_for_milliseconds",
        PUBLISHER,
        Hears(
            replaced(
                Command.SUBSCRIBE,
                lambda frame: frame.replace(b"useMillisecondResolution=True", b"useMillisecondResolution=None"),
            )
        ),
        caught_by=("short_times_add_up",),
    ),
    mutant(
        "publisher_sends_base_times_on_every_subscription",
        PUBLISHER,
        Says(added_after(_CACHE, _SOME)),
        caught_by=("sends_no_base_times_without_need",),
    ),
    mutant(
        "publisher_answers_a_confirm_of_base_times",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"\x81\x09\0\0\0\x02no", answering=Command.UPDATE_PROCESSING_INTERVAL)),
        caught_by=("ignores_confirm_of_base_times",),
    ),
    mutant(
        "publisher_closes_at_a_confirm_of_base_times",
        PUBLISHER,
        Hears(replaced(Command.CONFIRM_UPDATE_BASE_TIMES, lambda frame: CLOSE)),
        caught_by=("ignores_confirm_of_base_times",),
    ),
    mutant(
        "subscriber_reads_offsets_as_signed",
        SUBSCRIBER,
        _times(_signed),
        caught_by=("reads_offsets_from_base_times",),
    ),
    mutant(
        "subscriber_uses_the_active_base_time",
        SUBSCRIBER,
        Hears(_active_only),
        caught_by=("uses_the_base_time_that_each_record_names",),
    ),
    mutant(
        "subscriber_keeps_the_first_base_times",
        SUBSCRIBER,
        Hears(_first_only),
        caught_by=("follows_base_times_as_they_rotate",),
    ),
    mutant(
        "subscriber_adds_offsets_to_its_clock",
        SUBSCRIBER,
        _times(lambda row: row[1] or 639_000_000_000_000_000),
        caught_by=("invents_no_time_without_a_base",),
    ),
    mutant(
        "subscriber_confirms_base_times",
        SUBSCRIBER,
        Hears(_HEARS),
        Says(_CONFIRMS),
        caught_by=("does_not_confirm_base_times",),
    ),
    mutant(
        "subscriber_clears_base_times_at_the_cache",
        SUBSCRIBER,
        Hears(_cleared_by_the_cache),
        caught_by=("keeps_base_times_that_come_early",),
    ),
)
