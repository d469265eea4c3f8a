"""Wrong about frames."""

from __future__ import annotations

import time

from sttp.codes import Command, DataPacketFlags, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import (
    CLOSE,
    Conversation,
    Item,
    Mutant,
    Raw,
    added_before,
    replaced,
)

_NOOP = b"\xff\x02\x00\x00\x00\x00"
_MOMENT = 0.002
_LARGE = 4000 * 17
_INTERVAL = Command.UPDATE_PROCESSING_INTERVAL


def _first_of_a_segment(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Of frames that come within a moment of each other the first is handled."""
    last, conversation.memory["last"] = conversation.memory.get("last", 0.0), time.monotonic()
    return (frame,) if conversation.memory["last"] - last > _MOMENT else ()


def _gathered(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Compact data packets are kept back until they make a large one."""
    if frame[0] != Response.DATA_PACKET or not frame[6] & DataPacketFlags.COMPACT:
        return (frame,)
    kept = conversation.memory.setdefault("kept", bytearray())
    kept += frame[11:]
    if len(kept) < _LARGE:
        return ()
    body = frame[6:7] + (len(kept) // 17).to_bytes(4, "big") + bytes(kept)
    conversation.memory["kept"] = bytearray()
    return (frame[:2] + len(body).to_bytes(4, "big") + body,)


MUTANTS = (
    Mutant(
        "publisher_puts_two_responses_in_a_frame",
        PUBLISHER,
        caught_by=("sends_one_response_per_frame",),
        says=replaced(Response.SUCCEEDED, lambda frame: frame + _NOOP),
    ),
    Mutant(
        "publisher_counts_the_header_in_the_inner_length",
        PUBLISHER,
        caught_by=("sends_one_response_per_frame",),
        says=replaced(None, lambda frame: frame[:2] + (len(frame)).to_bytes(4, "big") + frame[6:]),
    ),
    Mutant(
        "publisher_sends_an_undefined_response",
        PUBLISHER,
        caught_by=("uses_only_defined_codes",),
        says=added_before(Response.SUCCEEDED, b"\x9e\x02\x00\x00\x00\x00"),
    ),
    Mutant(
        "publisher_answers_an_undefined_command",
        PUBLISHER,
        caught_by=("uses_only_defined_codes",),
        says=added_before(Response.SUCCEEDED, b"\x81\x7e\x00\x00\x00\x00", answering=_INTERVAL),
    ),
    Mutant(
        "publisher_handles_each_command_twice",
        PUBLISHER,
        caught_by=("sends_one_response_per_frame",),
        says=replaced(None, lambda frame: Raw(len(frame + frame).to_bytes(4, "big") + frame + frame)),
    ),
    Mutant(
        "publisher_writes_lengths_in_little_endian",
        PUBLISHER,
        caught_by=("publisher_sends_nothing_but_frames",),
        says=replaced(None, lambda frame: Raw(len(frame).to_bytes(4, "little") + frame)),
    ),
    Mutant(
        "publisher_sends_an_empty_frame_in_place_of_noop",
        PUBLISHER,
        caught_by=("publisher_sends_nothing_but_frames",),
        says=added_before(Response.SUCCEEDED, b"", answering=_INTERVAL),
    ),
    Mutant(
        "publisher_asks_for_metadata_itself",
        PUBLISHER,
        caught_by=("publisher_sends_nothing_but_frames",),
        says=added_before(Response.SUCCEEDED, b"\x01" + bytes(5), answering=_INTERVAL),
    ),
    Mutant(
        "publisher_answers_unsubscribe_for_whatever_is_asked",
        PUBLISHER,
        caught_by=("replies_name_the_command_that_they_answer",),
        says=added_before(Response.SUCCEEDED, b"\x80\x03\x00\x00\x00\x00", answering=_INTERVAL),
    ),
    Mutant(
        "publisher_leaves_byte_1_of_a_cache_zero",
        PUBLISHER,
        caught_by=("replies_name_the_command_that_they_answer",),
        says=replaced(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda frame: frame[:1] + b"\0" + frame[2:]),
    ),
    Mutant(
        "publisher_leaves_byte_1_of_noop_zero",
        PUBLISHER,
        caught_by=("replies_name_the_command_that_they_answer",),
        says=added_before(Response.SUCCEEDED, b"\xff\0\0\0\0\0", answering=_INTERVAL),
    ),
    Mutant(
        "subscriber_counts_the_length_in_itself",
        SUBSCRIBER,
        caught_by=("subscriber_sends_nothing_but_frames",),
        says=replaced(None, lambda frame: Raw((len(frame) + 4).to_bytes(4, "big") + frame)),
    ),
    Mutant(
        "subscriber_sends_empty_frames_to_stay_alive",
        SUBSCRIBER,
        caught_by=("subscriber_sends_nothing_but_frames",),
        says=added_before(Command.SUBSCRIBE, b""),
    ),
    Mutant(
        "subscriber_answers_like_a_publisher",
        SUBSCRIBER,
        caught_by=("subscriber_sends_nothing_but_frames",),
        says=added_before(Command.SUBSCRIBE, _NOOP),
    ),
    Mutant(
        "subscriber_pads_its_connection_string",
        SUBSCRIBER,
        caught_by=("subscriber_sends_nothing_but_frames",),
        says=replaced(
            Command.SUBSCRIBE,
            lambda frame: frame[:2] + (len(frame) - 6 + 40_000).to_bytes(4, "big") + frame[6:] + b" " * 40_000,
        ),
    ),
    Mutant(
        "subscriber_sends_a_private_command",
        SUBSCRIBER,
        caught_by=("sends_only_defined_commands",),
        says=added_before(Command.SUBSCRIBE, b"\x20"),
    ),
    Mutant(
        "subscriber_asks_for_a_schema",
        SUBSCRIBER,
        caught_by=("sends_only_defined_commands",),
        says=added_before(Command.SUBSCRIBE, b"\x0c"),
    ),
    Mutant(
        "subscriber_confirms_with_a_number",
        SUBSCRIBER,
        caught_by=("sends_only_defined_commands",),
        says=replaced(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, lambda frame: frame + b"\0\0\0\1"),
    ),
    Mutant(
        "publisher_ends_the_connection_at_an_empty_frame",
        PUBLISHER,
        caught_by=("publisher_skips_an_empty_frame",),
        hears=lambda frame, conversation: (frame,) if frame else (CLOSE,),
    ),
    Mutant(
        "subscriber_ends_the_connection_at_an_empty_frame",
        SUBSCRIBER,
        caught_by=("subscriber_skips_an_empty_frame",),
        hears=lambda frame, conversation: (frame,) if frame else (CLOSE,),
    ),
    Mutant(
        "publisher_takes_a_piece_of_a_frame_for_the_end",
        PUBLISHER,
        caught_by=("publisher_reads_commands_sent_byte_by_byte", "publisher_reads_on_after_a_stall_in_mid_frame"),
        wants_whole_frames=True,
    ),
    Mutant(
        "subscriber_takes_a_piece_of_a_frame_for_the_end",
        SUBSCRIBER,
        caught_by=("subscriber_reads_responses_sent_byte_by_byte", "subscriber_reads_on_after_a_stall_in_mid_frame"),
        wants_whole_frames=True,
    ),
    Mutant(
        "publisher_drops_what_stands_behind_the_first_frame",
        PUBLISHER,
        caught_by=("publisher_reads_commands_sent_in_one_segment",),
        hears=_first_of_a_segment,
    ),
    Mutant(
        "subscriber_drops_what_stands_behind_the_first_frame",
        SUBSCRIBER,
        caught_by=("subscriber_reads_responses_sent_in_one_segment",),
        hears=_first_of_a_segment,
    ),
    Mutant(
        "subscriber_reads_one_response_of_a_frame",
        SUBSCRIBER,
        caught_by=("reads_two_responses_in_one_frame",),
        hears=replaced(None, lambda frame: frame[: 6 + int.from_bytes(frame[2:6], "big")]),
    ),
    Mutant(
        "publisher_waits_for_a_first_command_of_any_length",
        PUBLISHER,
        caught_by=("closes_on_an_oversized_first_command", "publisher_closes_on_an_absurd_length"),
        hears=lambda frame, conversation: (frame,),
    ),
    Mutant(
        "subscriber_waits_for_a_response_of_any_length",
        SUBSCRIBER,
        caught_by=("subscriber_closes_on_an_absurd_length",),
        hears=lambda frame, conversation: (frame,),
    ),
    Mutant(
        "publisher_takes_no_command_over_8_kib",
        PUBLISHER,
        caught_by=("takes_a_command_of_32768_bytes",),
        hears=replaced(None, lambda frame: CLOSE if len(frame) > 8192 else frame),
    ),
    Mutant(
        "subscriber_takes_no_response_over_64_kib",
        SUBSCRIBER,
        caught_by=("takes_a_response_of_a_mebibyte",),
        hears=replaced(None, lambda frame: CLOSE if len(frame) > 2**16 else frame),
    ),
    Mutant(
        "subscriber_takes_no_response_over_8_mib",
        SUBSCRIBER,
        caught_by=("takes_metadata_of_sixteen_mebibytes",),
        hears=replaced(None, lambda frame: CLOSE if len(frame) > 2**23 else frame),
    ),
    Mutant(
        "publisher_does_not_cut_what_is_published_at_once",
        PUBLISHER,
        caught_by=("keeps_data_packets_below_32_kib",),
        says=_gathered,
    ),
)
