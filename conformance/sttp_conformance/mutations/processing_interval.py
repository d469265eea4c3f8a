"""Wrong about the processing interval."""

from __future__ import annotations

import struct

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import (
    CLOSE,
    Conversation,
    Item,
    Mutant,
    Rewrite,
    added_after,
    dropped,
    edited,
    replaced,
)
from sttp_conformance.ways import Direction

_INTERVAL = Command.UPDATE_PROCESSING_INTERVAL


def _spoils_the_stream(spoil: Rewrite) -> Rewrite:
    """Once an interval was said that is not the default, the next data packet is not what it should be."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[0] != Response.DATA_PACKET or not conversation.memory.pop("hurt", False):
            return (frame,)
        return tuple(spoil(frame, conversation))

    return rewrite


def _is_hurt(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == _INTERVAL and frame[1:] != b"\xff\xff\xff\xff":
        conversation.memory["hurt"] = True
    return (frame,)


def _as_a_double(payload: bytes) -> bytes:
    return struct.pack(">d", int.from_bytes(payload, "big", signed=True) / 1000)


MUTANTS = (
    Mutant(
        "publisher_is_silent_about_the_processing_interval",
        PUBLISHER,
        caught_by=("answers_update_processing_interval",),
        says=dropped(None, answering=_INTERVAL),
    ),
    Mutant(
        "publisher_ends_the_connection_at_the_processing_interval_0",
        PUBLISHER,
        caught_by=("answers_update_processing_interval",),
        hears=replaced(_INTERVAL, lambda frame: CLOSE if frame[1:] == bytes(4) else frame),
    ),
    Mutant(
        "publisher_takes_a_short_processing_interval",
        PUBLISHER,
        caught_by=("refuses_a_short_processing_interval",),
        hears=edited(_INTERVAL, lambda payload: payload.rjust(4, b"\0")),
    ),
    Mutant(
        "publisher_ends_the_connection_at_a_short_processing_interval",
        PUBLISHER,
        caught_by=("refuses_a_short_processing_interval",),
        hears=replaced(_INTERVAL, lambda frame: CLOSE if len(frame) < 5 else frame),
    ),
    Mutant(
        "publisher_loses_a_packet_at_another_processing_interval",
        PUBLISHER,
        caught_by=("processing_interval_leaves_the_stream_alone",),
        hears=_is_hurt,
        says=_spoils_the_stream(lambda frame, conversation: ()),
    ),
    Mutant(
        "publisher_repeats_a_packet_at_another_processing_interval",
        PUBLISHER,
        caught_by=("processing_interval_leaves_the_stream_alone",),
        hears=_is_hurt,
        says=_spoils_the_stream(lambda frame, conversation: (frame, frame)),
    ),
    Mutant(
        "subscriber_sends_the_processing_interval_as_a_double",
        SUBSCRIBER,
        caught_by=("processing_interval_is_four_bytes",),
        says=edited(_INTERVAL, _as_a_double),
    ),
    Mutant(
        "subscriber_sends_the_processing_interval_with_its_low_byte_first",
        SUBSCRIBER,
        caught_by=("processing_interval_is_four_bytes",),
        says=edited(_INTERVAL, lambda payload: payload[::-1]),
    ),
    Mutant(
        "subscriber_keeps_the_processing_interval_to_itself",
        SUBSCRIBER,
        caught_by=("processing_interval_is_four_bytes",),
        says=dropped(_INTERVAL),
    ),
    *(
        Mutant(
            f"publisher_that_{who}_answers_a_processing_interval_with_another_text",
            PUBLISHER,
            caught_by=("publisher_announces_changes_alike_in_both_directions[answers_update_processing_interval]",),
            says=edited(Response.SUCCEEDED, lambda text: b"so be it", answering=_INTERVAL),
            only=direction,
        )
        for who, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
    *(
        Mutant(
            f"subscriber_that_{who}_subscribes_anew_after_a_processing_interval",
            SUBSCRIBER,
            caught_by=("subscriber_takes_other_messages_alike_in_both_directions[processing_interval_is_four_bytes]",),
            says=added_after(_INTERVAL, b"\x0a"),
            only=direction,
        )
        for who, direction in (("listens", Direction.REVERSE), ("dials", Direction.FORWARD))
    ),
)
