"""Wrong about operational modes and who speaks first."""

from __future__ import annotations

from collections.abc import Callable

from sttp.codes import Command, DataPacketFlags, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import (
    CLOSE,
    Conversation,
    Item,
    Mutant,
    Rewrite,
    added_before,
    dropped,
    edited,
    replaced,
)
from sttp_conformance.scripted_subscriber import TSSC
from sttp_conformance.ways import Direction

_MODES = Command.DEFINE_OPERATIONAL_MODES
_GREETING = b"\x80\x02\x00\x00\x00\x02hi"


def _other_bits(change: Callable[[int], int]) -> Rewrite:
    """The operational modes are others than those that were meant."""
    return replaced(
        _MODES,
        lambda frame: frame[:1] + change(int.from_bytes(frame[1:5], "big")).to_bytes(4, "big") + frame[5:],
    )


def _alone(bit: int, other: int) -> Rewrite:
    """One bit is enough to mean two."""
    return _other_bits(lambda bits: bits | other if bits & 1 << bit else bits)


def _modes_answered_last(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The answer to the modes comes behind what is said next."""
    kept = conversation.memory.pop("kept", None)
    if frame[:2] == bytes((Response.SUCCEEDED, _MODES)):
        conversation.memory["kept"] = frame
        return ()
    return (frame,) if kept is None else (frame, kept)


def _metadata_later(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Metadata comes behind the answer to Subscribe."""
    if frame[:2] == bytes((Response.SUCCEEDED, Command.METADATA_REFRESH)):
        conversation.memory["kept"] = frame
        return ()
    kept = conversation.memory.get("kept")
    if kept is not None and frame[:2] == bytes((Response.SUCCEEDED, Command.SUBSCRIBE)):
        del conversation.memory["kept"]
        return (frame, kept)
    return (frame,)


def _first_modes_for_all(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """What one connection defines holds for the later ones. The list of numbers is shared by all of them."""
    if frame[0] != _MODES:
        return (frame,)
    shared = _SHARED.setdefault(id(conversation.numbers), frame)
    return (shared,)


def _everything_in_utf_16be(frame: bytes) -> bytes:
    """A filter that stands in UTF-16BE is lost, and everything is selected."""
    if not frame[6:].startswith("t".encode("utf-16-be")):
        return frame
    text = "filterExpression={FILTER ActiveMeasurements WHERE True};".encode("utf-16-be")
    return frame[:2] + len(text).to_bytes(4, "big") + text


_SHARED: dict[int, bytes] = {}

MUTANTS = (
    Mutant(
        "publisher_ignores_the_extension",
        PUBLISHER,
        caught_by=("refuses_an_unknown_extension",),
        hears=_other_bits(lambda bits: bits & 0xFF00FFFF),
    ),
    Mutant(
        "publisher_refuses_an_extension_in_other_words",
        PUBLISHER,
        caught_by=("refuses_an_unknown_extension",),
        says=edited(Response.FAILED, lambda text: b"Sorry: " + text, answering=_MODES),
    ),
    Mutant(
        "publisher_never_answers_the_modes",
        PUBLISHER,
        caught_by=("answers_operational_modes",),
        says=dropped(Response.SUCCEEDED, answering=_MODES),
    ),
    Mutant(
        "publisher_answers_the_modes_with_failed",
        PUBLISHER,
        caught_by=("answers_operational_modes",),
        says=replaced(Response.SUCCEEDED, lambda frame: b"\x81" + frame[1:], answering=_MODES),
    ),
    Mutant(
        "publisher_greets_behind_each_noop",
        PUBLISHER,
        caught_by=("waits_for_operational_modes",),
        says=replaced(Response.NOOP, lambda frame: (frame, _GREETING)),
        settings={"keep-alive": 0.1},
    ),
    Mutant(
        "publisher_takes_every_version",
        PUBLISHER,
        caught_by=("refuses_unknown_versions",),
        hears=replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 2,))),
    ),
    Mutant(
        "publisher_refuses_versions_without_a_word",
        PUBLISHER,
        caught_by=("refuses_unknown_versions",),
        says=replaced(Response.FAILED, lambda frame: CLOSE, answering=_MODES),
    ),
    Mutant(
        "publisher_leaves_out_the_cache_index",
        PUBLISHER,
        caught_by=("accepts_version_2", "accepts_version_3"),
        says=edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: payload[1:]),
    ),
    Mutant(
        "publisher_writes_a_cache_index_in_version_1",
        PUBLISHER,
        caught_by=("accepts_version_1",),
        says=edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: b"\0" + payload),
    ),
    Mutant(
        "publisher_takes_every_text_for_utf_8",
        PUBLISHER,
        caught_by=("reads_a_utf16le_connection_string",),
        hears=replaced(_MODES, lambda frame: frame[:3] + bytes((frame[3] & 0xFC | 2,)) + frame[4:]),
    ),
    Mutant(
        "subscriber_subscribes_before_it_defines_its_modes",
        SUBSCRIBER,
        caught_by=("speaks_first_with_operational_modes",),
        says=added_before(_MODES, b"\x02\x02\x00\x00\x00\x00"),
    ),
    Mutant(
        "publisher_that_dials_answers_modes_with_another_text",
        PUBLISHER,
        caught_by=("publisher_negotiates_alike_in_both_directions[answers_operational_modes]",),
        says=edited(Response.SUCCEEDED, lambda text: b"ok", answering=_MODES),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_that_is_dialed_answers_modes_with_another_text",
        PUBLISHER,
        caught_by=("publisher_negotiates_alike_in_both_directions[answers_operational_modes]",),
        says=edited(Response.SUCCEEDED, lambda text: b"ok", answering=_MODES),
        only=Direction.FORWARD,
    ),
    Mutant(
        "subscriber_that_listens_asks_for_version_1",
        SUBSCRIBER,
        caught_by=("subscriber_negotiates_alike_in_both_directions[speaks_first_with_operational_modes]",),
        says=replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 1,))),
        only=Direction.REVERSE,
    ),
    Mutant(
        "subscriber_that_dials_asks_for_version_1",
        SUBSCRIBER,
        caught_by=("subscriber_negotiates_alike_in_both_directions[speaks_first_with_operational_modes]",),
        says=replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 1,))),
        only=Direction.FORWARD,
    ),
    *(
        Mutant(
            f"subscriber_{name}",
            SUBSCRIBER,
            caught_by=caught_by,
            says=_other_bits(change),
        )
        for name, caught_by, change in (
            ("leaves_the_version_zero", ("operational_modes_are_well_formed",), lambda bits: bits & ~0x1F),
            ("asks_for_the_undefined_encoding", ("operational_modes_are_well_formed",), lambda bits: bits | 0x300),
            ("sets_bit_28", ("operational_modes_are_well_formed",), lambda bits: bits | 1 << 28),
            ("asks_for_version_3_unasked", ("asks_for_version_2_by_default",), lambda bits: bits & ~0x1F | 3),
            ("asks_for_utf_16le", ("asks_for_utf8",), lambda bits: bits & ~0x300),
            ("asks_for_gzip_without_its_bit", ("compression_bits_come_in_pairs",), lambda bits: bits & ~0x20),
            ("asks_for_tssc_without_compression", ("compression_bits_come_in_pairs",), lambda bits: bits & ~(1 << 29)),
        )
    ),
    Mutant(
        "subscriber_appends_a_parameter_string_to_its_modes",
        SUBSCRIBER,
        caught_by=("operational_modes_are_well_formed",),
        says=replaced(_MODES, lambda frame: frame + bytes(4)),
    ),
    Mutant(
        "subscriber_repeats_its_modes_before_each_subscribe",
        SUBSCRIBER,
        caught_by=("sends_operational_modes_once",),
        says=added_before(Command.SUBSCRIBE, b"\x06" + TSSC.to_bits().to_bytes(4, "big")),
    ),
    Mutant(
        "subscriber_waits_for_an_answer_to_its_modes",
        SUBSCRIBER,
        caught_by=("goes_on_without_a_reply_to_the_modes",),
        says=lambda frame, conversation: (frame,) if conversation.heard or frame[0] == _MODES else (),
    ),
    Mutant(
        "subscriber_of_version_3_does_not_wait",
        SUBSCRIBER,
        caught_by=("waits_for_the_reply_in_version_3",),
        says=replaced(_MODES, lambda frame: (frame, b"\x01" + bytes(4))),
    ),
    Mutant(
        "subscriber_of_version_3_never_goes_on",
        SUBSCRIBER,
        caught_by=("waits_for_the_reply_in_version_3",),
        says=lambda frame, conversation: (frame,) if frame[0] == _MODES else (),
    ),
    Mutant(
        "subscriber_takes_any_answer_for_acceptance",
        SUBSCRIBER,
        caught_by=("closes_when_its_modes_are_refused", "closes_when_its_connection_is_refused"),
        hears=replaced(Response.FAILED, lambda frame: b"\x80\x06\0\0\0\0"),
    ),
    Mutant(
        "subscriber_that_listens_stays_connected_after_a_refusal",
        SUBSCRIBER,
        caught_by=("subscriber_meets_refusals_alike_in_both_directions[closes_when_its_modes_are_refused]",),
        hears=replaced(Response.FAILED, lambda frame: b"\x80\x06\0\0\0\0"),
        only=Direction.REVERSE,
    ),
    Mutant(
        "subscriber_that_dials_stays_connected_after_a_refusal",
        SUBSCRIBER,
        caught_by=("subscriber_meets_refusals_alike_in_both_directions[closes_when_its_modes_are_refused]",),
        hears=replaced(Response.FAILED, lambda frame: b"\x80\x06\0\0\0\0"),
        only=Direction.FORWARD,
    ),
    *(
        Mutant(
            f"subscriber_ends_the_connection_at_an_early_{code.name.lower()}",
            SUBSCRIBER,
            caught_by=("tolerates_early_messages",),
            hears=replaced(code, lambda frame: CLOSE),
        )
        for code in (Response.NOOP, Response.CONFIGURATION_CHANGED, Response.NOTIFY)
    ),
    Mutant(
        "subscriber_reads_gzip_only",
        SUBSCRIBER,
        caught_by=("recognises_gzip_by_its_first_bytes",),
        hears=replaced(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda frame: frame if frame[7:9] == b"\x1f\x8b" else CLOSE),
    ),
    Mutant(
        "subscriber_loses_compact_packets",
        SUBSCRIBER,
        caught_by=("reads_compact_packets_between_tssc_packets",),
        hears=replaced(Response.DATA_PACKET, lambda frame: () if frame[6] & DataPacketFlags.COMPACT else frame),
    ),
    Mutant(
        "publisher_tells_everybody_of_changes_at_once",
        PUBLISHER,
        caught_by=("sends_only_noop_before_operational_modes",),
        says=replaced(Response.NOOP, lambda frame: (frame, b"\x8a\x02\0\0\0\0")),
        settings={"keep-alive": 0.1},
    ),
    Mutant(
        "publisher_answers_the_modes_later",
        PUBLISHER,
        caught_by=("answers_operational_modes",),
        says=_modes_answered_last,
    ),
    Mutant(
        "publisher_has_a_long_welcome",
        PUBLISHER,
        caught_by=("reply_to_operational_modes_is_short",),
        says=edited(Response.SUCCEEDED, lambda text: text + b" Welcome!" * 1000, answering=_MODES),
    ),
    Mutant(
        "publisher_never_answers_modes_of_version_3",
        PUBLISHER,
        caught_by=("answers_operational_modes_of_version_3",),
        says=dropped(Response.SUCCEEDED, answering=_MODES),
    ),
    Mutant(
        "publisher_refuses_version_1",
        PUBLISHER,
        caught_by=("accepts_version_1",),
        hears=replaced(_MODES, lambda frame: CLOSE if frame[4] & 0x1F == 1 else frame),
    ),
    Mutant(
        "publisher_takes_version_4_for_3",
        PUBLISHER,
        caught_by=("refuses_unknown_versions",),
        hears=replaced(_MODES, lambda frame: frame[:4] + b"\3" if frame[4] & 0x1F == 4 else frame),
    ),
    Mutant(
        "publisher_wants_exactly_four_bytes_of_modes",
        PUBLISHER,
        caught_by=("ignores_bytes_behind_the_modes",),
        hears=replaced(_MODES, lambda frame: frame if len(frame) == 5 else CLOSE),
    ),
    Mutant(
        "publisher_is_silent_after_the_undefined_encoding",
        PUBLISHER,
        caught_by=("answers_the_undefined_encoding",),
        says=lambda frame, conversation: (),
    ),
    Mutant(
        "publisher_serves_before_the_modes",
        PUBLISHER,
        caught_by=("refuses_commands_before_operational_modes",),
        hears=lambda frame, conversation: (
            (b"\x06" + TSSC.to_bits().to_bytes(4, "big"), frame)
            if not conversation.heard and frame[0] != _MODES
            else (frame,)
        ),
    ),
    Mutant(
        "publisher_does_not_answer_repeated_modes",
        PUBLISHER,
        caught_by=("answers_repeated_operational_modes",),
        hears=lambda frame, conversation: () if conversation.heard and frame[0] == _MODES else (frame,),
    ),
    Mutant(
        "publisher_answers_metadata_last",
        PUBLISHER,
        caught_by=("handles_commands_in_order",),
        says=_metadata_later,
    ),
    Mutant(
        "publisher_keeps_the_modes_of_its_first_connection",
        PUBLISHER,
        caught_by=("each_connection_has_modes_of_its_own",),
        hears=_first_modes_for_all,
    ),
    Mutant(
        "publisher_writes_texts_in_utf_8_only",
        PUBLISHER,
        caught_by=("reads_a_utf16le_connection_string", "reads_a_utf16be_connection_string"),
        says=replaced(None, lambda frame: frame[:2] + b"\0\0\0\5hello" if frame[0] == Response.FAILED else frame),
    ),
    Mutant(
        "publisher_loses_filters_in_utf_16be",
        PUBLISHER,
        caught_by=("reads_a_utf16be_connection_string",),
        hears=replaced(Command.SUBSCRIBE, _everything_in_utf_16be),
    ),
    *(
        Mutant(
            f"publisher_looks_at_bit_{bit}_alone",
            PUBLISHER,
            caught_by=(check,),
            hears=_alone(bit, other),
        )
        for bit, other, check in (
            (30, 0x20, "cache_is_gzip_only_if_both_bits_are_set"),
            (31, 0x20, "metadata_is_gzip_only_if_both_bits_are_set"),
            (29, 0x40, "data_is_tssc_only_if_both_bits_are_set"),
        )
    ),
    Mutant(
        "publisher_compresses_nothing",
        PUBLISHER,
        caught_by=("compresses_what_is_asked_for",),
        hears=_other_bits(lambda bits: bits & ~0xE0000060),
    ),
    Mutant(
        "publisher_leaves_the_checksum_of_gzip_zero",
        PUBLISHER,
        caught_by=("gzip_streams_are_whole",),
        says=edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: payload[:-8] + bytes(4) + payload[-4:]),
    ),
    Mutant(
        "publisher_stops_before_the_end_of_gzip",
        PUBLISHER,
        caught_by=("gzip_streams_are_whole",),
        says=edited(Response.SUCCEEDED, lambda payload: payload[:-8], answering=Command.METADATA_REFRESH),
    ),
    *(
        Mutant(
            f"publisher_that_{who}_closes_without_a_word",
            PUBLISHER,
            caught_by=("publisher_refuses_modes_alike_in_both_directions[refuses_unknown_versions]",),
            says=replaced(Response.FAILED, lambda frame: CLOSE, answering=_MODES),
            only=direction,
        )
        for who, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
)
