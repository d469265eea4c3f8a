"""Wrong about frames."""

from __future__ import annotations

import time

from sttp.codes import Command, DataPacketFlags, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says, WantsWholeFrames
from sttp_conformance.mutants import mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Raw, added_before, replaced, with_payload

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
    return (with_payload(frame, body),)


MUTANTS = (
    mutant(
        "publisher_puts_two_responses_in_a_frame",
        PUBLISHER,
        Says(replaced(Response.SUCCEEDED, lambda frame: frame + _NOOP)),
        caught_by=("sends_one_response_per_frame",),
    ),
    mutant(
        "publisher_counts_the_header_in_the_inner_length",
        PUBLISHER,
        Says(replaced(None, lambda frame: frame[:2] + (len(frame)).to_bytes(4, "big") + frame[6:])),
        caught_by=("sends_one_response_per_frame",),
    ),
    mutant(
        "publisher_sends_an_undefined_response",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"\x9e\x02\x00\x00\x00\x00")),
        caught_by=("uses_only_defined_codes",),
    ),
    mutant(
        "publisher_answers_an_undefined_command",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"\x81\x7e\x00\x00\x00\x00", answering=_INTERVAL)),
        caught_by=("uses_only_defined_codes",),
    ),
    mutant(
        "publisher_handles_each_command_twice",
        PUBLISHER,
        Says(replaced(None, lambda frame: Raw(len(frame + frame).to_bytes(4, "big") + frame + frame))),
        caught_by=("sends_one_response_per_frame",),
    ),
    mutant(
        "publisher_writes_lengths_in_little_endian",
        PUBLISHER,
        Says(replaced(None, lambda frame: Raw(len(frame).to_bytes(4, "little") + frame))),
        caught_by=("publisher_sends_nothing_but_frames",),
    ),
    mutant(
        "publisher_sends_an_empty_frame_in_place_of_noop",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"", answering=_INTERVAL)),
        caught_by=("publisher_sends_nothing_but_frames",),
    ),
    mutant(
        "publisher_asks_for_metadata_itself",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"\x01" + bytes(5), answering=_INTERVAL)),
        caught_by=("publisher_sends_nothing_but_frames",),
    ),
    mutant(
        "publisher_answers_unsubscribe_for_whatever_is_asked",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"\x80\x03\x00\x00\x00\x00", answering=_INTERVAL)),
        caught_by=("replies_name_the_command_that_they_answer",),
    ),
    mutant(
        "publisher_leaves_byte_1_of_a_cache_zero",
        PUBLISHER,
        Says(replaced(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda frame: frame[:1] + b"\0" + frame[2:])),
        caught_by=("replies_name_the_command_that_they_answer",),
    ),
    mutant(
        "publisher_leaves_byte_1_of_noop_zero",
        PUBLISHER,
        Says(added_before(Response.SUCCEEDED, b"\xff\0\0\0\0\0", answering=_INTERVAL)),
        caught_by=("replies_name_the_command_that_they_answer",),
    ),
    mutant(
        "subscriber_counts_the_length_in_itself",
        SUBSCRIBER,
        Says(replaced(None, lambda frame: Raw((len(frame) + 4).to_bytes(4, "big") + frame))),
        caught_by=("subscriber_sends_nothing_but_frames",),
    ),
    mutant(
        "subscriber_sends_empty_frames_to_stay_alive",
        SUBSCRIBER,
        Says(added_before(Command.SUBSCRIBE, b"")),
        caught_by=("subscriber_sends_nothing_but_frames",),
    ),
    mutant(
        "subscriber_answers_like_a_publisher",
        SUBSCRIBER,
        Says(added_before(Command.SUBSCRIBE, _NOOP)),
        caught_by=("subscriber_sends_nothing_but_frames",),
    ),
    mutant(
        "subscriber_pads_its_connection_string",
        SUBSCRIBER,
        Says(
            replaced(
                Command.SUBSCRIBE,
                lambda frame: with_payload(frame, frame[6:] + b" " * 40_000),
            )
        ),
        caught_by=("subscriber_sends_nothing_but_frames",),
    ),
    mutant(
        "subscriber_sends_a_private_command",
        SUBSCRIBER,
        Says(added_before(Command.SUBSCRIBE, b"\x20")),
        caught_by=("sends_only_defined_commands",),
    ),
    mutant(
        "subscriber_asks_for_a_schema",
        SUBSCRIBER,
        Says(added_before(Command.SUBSCRIBE, b"\x0c")),
        caught_by=("sends_only_defined_commands",),
    ),
    mutant(
        "subscriber_confirms_with_a_number",
        SUBSCRIBER,
        Says(replaced(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, lambda frame: frame + b"\0\0\0\1")),
        caught_by=("sends_only_defined_commands",),
    ),
    mutant(
        "publisher_ends_the_connection_at_an_empty_frame",
        PUBLISHER,
        Hears(lambda frame, conversation: (frame,) if frame else (CLOSE,)),
        caught_by=("publisher_skips_an_empty_frame",),
    ),
    mutant(
        "subscriber_ends_the_connection_at_an_empty_frame",
        SUBSCRIBER,
        Hears(lambda frame, conversation: (frame,) if frame else (CLOSE,)),
        caught_by=("subscriber_skips_an_empty_frame",),
    ),
    mutant(
        "publisher_takes_a_piece_of_a_frame_for_the_end",
        PUBLISHER,
        WantsWholeFrames(),
        caught_by=("publisher_reads_commands_sent_byte_by_byte", "publisher_reads_on_after_a_stall_in_mid_frame"),
    ),
    mutant(
        "subscriber_takes_a_piece_of_a_frame_for_the_end",
        SUBSCRIBER,
        WantsWholeFrames(),
        caught_by=("subscriber_reads_responses_sent_byte_by_byte", "subscriber_reads_on_after_a_stall_in_mid_frame"),
    ),
    mutant(
        "publisher_drops_what_stands_behind_the_first_frame",
        PUBLISHER,
        Hears(_first_of_a_segment),
        caught_by=("publisher_reads_commands_sent_in_one_segment",),
    ),
    mutant(
        "subscriber_drops_what_stands_behind_the_first_frame",
        SUBSCRIBER,
        Hears(_first_of_a_segment),
        caught_by=("subscriber_reads_responses_sent_in_one_segment",),
    ),
    mutant(
        "subscriber_reads_one_response_of_a_frame",
        SUBSCRIBER,
        Hears(replaced(None, lambda frame: frame[: 6 + int.from_bytes(frame[2:6], "big")])),
        caught_by=("reads_two_responses_in_one_frame",),
    ),
    mutant(
        "publisher_waits_for_a_first_command_of_any_length",
        PUBLISHER,
        Hears(lambda frame, conversation: (frame,)),
        caught_by=("closes_on_an_oversized_first_command", "publisher_closes_on_an_absurd_length"),
    ),
    mutant(
        "subscriber_waits_for_a_response_of_any_length",
        SUBSCRIBER,
        Hears(lambda frame, conversation: (frame,)),
        caught_by=("subscriber_closes_on_an_absurd_length",),
    ),
    mutant(
        "publisher_takes_no_command_over_8_kib",
        PUBLISHER,
        Hears(replaced(None, lambda frame: CLOSE if len(frame) > 8192 else frame)),
        caught_by=("takes_a_command_of_32768_bytes",),
    ),
    mutant(
        "subscriber_takes_no_response_over_64_kib",
        SUBSCRIBER,
        Hears(replaced(None, lambda frame: CLOSE if len(frame) > 2**16 else frame)),
        caught_by=("takes_a_response_of_a_mebibyte",),
    ),
    mutant(
        "subscriber_takes_no_response_over_8_mib",
        SUBSCRIBER,
        Hears(replaced(None, lambda frame: CLOSE if len(frame) > 2**23 else frame)),
        caught_by=("takes_metadata_of_sixteen_mebibytes",),
    ),
    mutant(
        "publisher_does_not_cut_what_is_published_at_once",
        PUBLISHER,
        Says(_gathered),
        caught_by=("keeps_data_packets_below_32_kib",),
    ),
)
