"""Wrong about the processing interval."""

from __future__ import annotations

import struct

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, added_after, dropped, edited, replaced

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
    mutant(
        "publisher_is_silent_about_the_processing_interval",
        PUBLISHER,
        Says(dropped(None, answering=_INTERVAL)),
        caught_by=("answers_update_processing_interval",),
    ),
    mutant(
        "publisher_ends_the_connection_at_the_processing_interval_0",
        PUBLISHER,
        Hears(replaced(_INTERVAL, lambda frame: CLOSE if frame[1:] == bytes(4) else frame)),
        caught_by=("answers_update_processing_interval",),
    ),
    mutant(
        "publisher_takes_a_short_processing_interval",
        PUBLISHER,
        Hears(edited(_INTERVAL, lambda payload: payload.rjust(4, b"\0"))),
        caught_by=("refuses_a_short_processing_interval",),
    ),
    mutant(
        "publisher_ends_the_connection_at_a_short_processing_interval",
        PUBLISHER,
        Hears(replaced(_INTERVAL, lambda frame: CLOSE if len(frame) < 5 else frame)),
        caught_by=("refuses_a_short_processing_interval",),
    ),
    mutant(
        "publisher_loses_a_packet_at_another_processing_interval",
        PUBLISHER,
        Hears(_is_hurt),
        Says(_spoils_the_stream(lambda frame, conversation: ())),
        caught_by=("processing_interval_leaves_the_stream_alone",),
    ),
    mutant(
        "publisher_repeats_a_packet_at_another_processing_interval",
        PUBLISHER,
        Hears(_is_hurt),
        Says(_spoils_the_stream(lambda frame, conversation: (frame, frame))),
        caught_by=("processing_interval_leaves_the_stream_alone",),
    ),
    mutant(
        "subscriber_sends_the_processing_interval_as_a_double",
        SUBSCRIBER,
        Says(edited(_INTERVAL, _as_a_double)),
        caught_by=("processing_interval_is_four_bytes",),
    ),
    mutant(
        "subscriber_sends_the_processing_interval_with_its_low_byte_first",
        SUBSCRIBER,
        Says(edited(_INTERVAL, lambda payload: payload[::-1])),
        caught_by=("processing_interval_is_four_bytes",),
    ),
    mutant(
        "subscriber_keeps_the_processing_interval_to_itself",
        SUBSCRIBER,
        Says(dropped(_INTERVAL)),
        caught_by=("processing_interval_is_four_bytes",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_answers_a_processing_interval_with_another_text",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: b"so be it", answering=_INTERVAL)),
        caught_by=("publisher_announces_changes_alike_in_both_directions[answers_update_processing_interval]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_subscribes_anew_after_a_processing_interval",
        SUBSCRIBER,
        Says(added_after(_INTERVAL, b"\x0a")),
        caught_by=("subscriber_takes_other_messages_alike_in_both_directions[processing_interval_is_four_bytes]",),
    ),
)
