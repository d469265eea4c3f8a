"""Wrong about operational modes and who speaks first."""

from __future__ import annotations

from collections.abc import Callable

from sttp.codes import Command, DataPacketFlags, Response
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says, Timers
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import (
    CLOSE,
    Conversation,
    Item,
    Rewrite,
    added_before,
    dropped,
    edited,
    replaced,
    with_payload,
)
from sttp_conformance.scripted_subscriber import TSSC

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
    """What one connection defines holds for the later ones."""
    return (conversation.process.memory.setdefault("modes", frame) if frame[0] == _MODES else frame,)


def _everything_in_utf_16be(frame: bytes) -> bytes:
    """A filter that stands in UTF-16BE is lost, and everything is selected."""
    if not frame[6:].startswith("t".encode("utf-16-be")):
        return frame
    text = "filterExpression={FILTER ActiveMeasurements WHERE True};".encode("utf-16-be")
    return with_payload(frame, text)


MUTANTS = (
    mutant(
        "publisher_ignores_the_extension",
        PUBLISHER,
        Hears(_other_bits(lambda bits: bits & 0xFF00FFFF)),
        caught_by=("refuses_an_unknown_extension",),
    ),
    mutant(
        "publisher_refuses_an_extension_in_other_words",
        PUBLISHER,
        Says(edited(Response.FAILED, lambda text: b"Sorry: " + text, answering=_MODES)),
        caught_by=("refuses_an_unknown_extension",),
    ),
    mutant(
        "publisher_never_answers_the_modes",
        PUBLISHER,
        Says(dropped(Response.SUCCEEDED, answering=_MODES)),
        caught_by=("answers_operational_modes",),
    ),
    mutant(
        "publisher_answers_the_modes_with_failed",
        PUBLISHER,
        Says(replaced(Response.SUCCEEDED, lambda frame: b"\x81" + frame[1:], answering=_MODES)),
        caught_by=("answers_operational_modes",),
    ),
    mutant(
        "publisher_greets_behind_each_noop",
        PUBLISHER,
        Says(replaced(Response.NOOP, lambda frame: (frame, _GREETING))),
        Timers({"keep-alive": 0.1}),
        caught_by=("waits_for_operational_modes",),
    ),
    mutant(
        "publisher_takes_every_version",
        PUBLISHER,
        Hears(replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 2,)))),
        caught_by=("refuses_unknown_versions",),
    ),
    mutant(
        "publisher_refuses_versions_without_a_word",
        PUBLISHER,
        Says(replaced(Response.FAILED, lambda frame: CLOSE, answering=_MODES)),
        caught_by=("refuses_unknown_versions",),
    ),
    mutant(
        "publisher_leaves_out_the_cache_index",
        PUBLISHER,
        Says(edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: payload[1:])),
        caught_by=("accepts_version_2", "accepts_version_3"),
    ),
    mutant(
        "publisher_writes_a_cache_index_in_version_1",
        PUBLISHER,
        Says(edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: b"\0" + payload)),
        caught_by=("accepts_version_1",),
    ),
    mutant(
        "publisher_takes_every_text_for_utf_8",
        PUBLISHER,
        Hears(replaced(_MODES, lambda frame: frame[:3] + bytes((frame[3] & 0xFC | 2,)) + frame[4:])),
        caught_by=("reads_a_utf16le_connection_string",),
    ),
    mutant(
        "subscriber_subscribes_before_it_defines_its_modes",
        SUBSCRIBER,
        Says(added_before(_MODES, b"\x02\x02\x00\x00\x00\x00")),
        caught_by=("speaks_first_with_operational_modes",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_answers_modes_with_another_text",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: b"ok", answering=_MODES)),
        caught_by=("publisher_negotiates_alike_in_both_directions[answers_operational_modes]",),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_asks_for_version_1",
        SUBSCRIBER,
        Says(replaced(_MODES, lambda frame: frame[:4] + bytes((frame[4] & 0xE0 | 1,)))),
        caught_by=("subscriber_negotiates_alike_in_both_directions[speaks_first_with_operational_modes]",),
    ),
    *(
        mutant(
            f"subscriber_{name}",
            SUBSCRIBER,
            Says(_other_bits(change)),
            caught_by=caught_by,
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
    mutant(
        "subscriber_appends_a_parameter_string_to_its_modes",
        SUBSCRIBER,
        Says(replaced(_MODES, lambda frame: frame + bytes(4))),
        caught_by=("operational_modes_are_well_formed",),
    ),
    mutant(
        "subscriber_repeats_its_modes_before_each_subscribe",
        SUBSCRIBER,
        Says(added_before(Command.SUBSCRIBE, b"\x06" + TSSC.to_bits().to_bytes(4, "big"))),
        caught_by=("sends_operational_modes_once",),
    ),
    mutant(
        "subscriber_waits_for_an_answer_to_its_modes",
        SUBSCRIBER,
        Says(lambda frame, conversation: (frame,) if conversation.heard or frame[0] == _MODES else ()),
        caught_by=("goes_on_without_a_reply_to_the_modes",),
    ),
    mutant(
        "subscriber_of_version_3_does_not_wait",
        SUBSCRIBER,
        Says(replaced(_MODES, lambda frame: (frame, b"\x01" + bytes(4)))),
        caught_by=("waits_for_the_reply_in_version_3",),
    ),
    mutant(
        "subscriber_of_version_3_never_goes_on",
        SUBSCRIBER,
        Says(lambda frame, conversation: (frame,) if frame[0] == _MODES else ()),
        caught_by=("waits_for_the_reply_in_version_3",),
    ),
    mutant(
        "subscriber_takes_any_answer_for_acceptance",
        SUBSCRIBER,
        Hears(replaced(Response.FAILED, lambda frame: b"\x80\x06\0\0\0\0")),
        caught_by=("closes_when_its_modes_are_refused", "closes_when_its_connection_is_refused"),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_stays_connected_after_a_refusal",
        SUBSCRIBER,
        Hears(replaced(Response.FAILED, lambda frame: b"\x80\x06\0\0\0\0")),
        caught_by=("subscriber_meets_refusals_alike_in_both_directions[closes_when_its_modes_are_refused]",),
    ),
    *(
        mutant(
            f"subscriber_ends_the_connection_at_an_early_{code.name.lower()}",
            SUBSCRIBER,
            Hears(replaced(code, lambda frame: CLOSE)),
            caught_by=("tolerates_early_messages",),
        )
        for code in (Response.NOOP, Response.CONFIGURATION_CHANGED, Response.NOTIFY)
    ),
    mutant(
        "subscriber_reads_gzip_only",
        SUBSCRIBER,
        Hears(
            replaced(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda frame: frame if frame[7:9] == b"\x1f\x8b" else CLOSE)
        ),
        caught_by=("recognises_gzip_by_its_first_bytes",),
    ),
    mutant(
        "subscriber_loses_compact_packets",
        SUBSCRIBER,
        Hears(replaced(Response.DATA_PACKET, lambda frame: () if frame[6] & DataPacketFlags.COMPACT else frame)),
        caught_by=("reads_compact_packets_between_tssc_packets",),
    ),
    mutant(
        "publisher_tells_everybody_of_changes_at_once",
        PUBLISHER,
        Says(replaced(Response.NOOP, lambda frame: (frame, b"\x8a\x02\0\0\0\0"))),
        Timers({"keep-alive": 0.1}),
        caught_by=("sends_only_noop_before_operational_modes",),
    ),
    mutant(
        "publisher_answers_the_modes_later",
        PUBLISHER,
        Says(_modes_answered_last),
        caught_by=("answers_operational_modes",),
    ),
    mutant(
        "publisher_has_a_long_welcome",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda text: text + b" Welcome!" * 1000, answering=_MODES)),
        caught_by=("reply_to_operational_modes_is_short",),
    ),
    mutant(
        "publisher_never_answers_modes_of_version_3",
        PUBLISHER,
        Says(dropped(Response.SUCCEEDED, answering=_MODES)),
        caught_by=("answers_operational_modes_of_version_3",),
    ),
    mutant(
        "publisher_refuses_version_1",
        PUBLISHER,
        Hears(replaced(_MODES, lambda frame: CLOSE if frame[4] & 0x1F == 1 else frame)),
        caught_by=("accepts_version_1",),
    ),
    mutant(
        "publisher_takes_version_4_for_3",
        PUBLISHER,
        Hears(replaced(_MODES, lambda frame: frame[:4] + b"\3" if frame[4] & 0x1F == 4 else frame)),
        caught_by=("refuses_unknown_versions",),
    ),
    mutant(
        "publisher_wants_exactly_four_bytes_of_modes",
        PUBLISHER,
        Hears(replaced(_MODES, lambda frame: frame if len(frame) == 5 else CLOSE)),
        caught_by=("ignores_bytes_behind_the_modes",),
    ),
    mutant(
        "publisher_is_silent_after_the_undefined_encoding",
        PUBLISHER,
        Says(lambda frame, conversation: ()),
        caught_by=("answers_the_undefined_encoding",),
    ),
    mutant(
        "publisher_serves_before_the_modes",
        PUBLISHER,
        Hears(
            lambda frame, conversation: (
                (b"\x06" + TSSC.to_bits().to_bytes(4, "big"), frame)
                if not conversation.heard and frame[0] != _MODES
                else (frame,)
            )
        ),
        caught_by=("refuses_commands_before_operational_modes",),
    ),
    mutant(
        "publisher_does_not_answer_repeated_modes",
        PUBLISHER,
        Hears(lambda frame, conversation: () if conversation.heard and frame[0] == _MODES else (frame,)),
        caught_by=("answers_repeated_operational_modes",),
    ),
    mutant(
        "publisher_answers_metadata_last",
        PUBLISHER,
        Says(_metadata_later),
        caught_by=("handles_commands_in_order",),
    ),
    mutant(
        "publisher_keeps_the_modes_of_its_first_connection",
        PUBLISHER,
        Hears(_first_modes_for_all),
        caught_by=("each_connection_has_modes_of_its_own",),
    ),
    mutant(
        "publisher_writes_texts_in_utf_8_only",
        PUBLISHER,
        Says(replaced(None, lambda frame: frame[:2] + b"\0\0\0\5hello" if frame[0] == Response.FAILED else frame)),
        caught_by=("reads_a_utf16le_connection_string", "reads_a_utf16be_connection_string"),
    ),
    mutant(
        "publisher_loses_filters_in_utf_16be",
        PUBLISHER,
        Hears(replaced(Command.SUBSCRIBE, _everything_in_utf_16be)),
        caught_by=("reads_a_utf16be_connection_string",),
    ),
    *(
        mutant(
            f"publisher_looks_at_bit_{bit}_alone",
            PUBLISHER,
            Hears(_alone(bit, other)),
            caught_by=(check,),
        )
        for bit, other, check in (
            (30, 0x20, "cache_is_gzip_only_if_both_bits_are_set"),
            (31, 0x20, "metadata_is_gzip_only_if_both_bits_are_set"),
            (29, 0x40, "data_is_tssc_only_if_both_bits_are_set"),
        )
    ),
    mutant(
        "publisher_compresses_nothing",
        PUBLISHER,
        Hears(_other_bits(lambda bits: bits & ~0xE0000060)),
        caught_by=("compresses_what_is_asked_for",),
    ),
    mutant(
        "publisher_leaves_the_checksum_of_gzip_zero",
        PUBLISHER,
        Says(edited(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda payload: payload[:-8] + bytes(4) + payload[-4:])),
        caught_by=("gzip_streams_are_whole",),
    ),
    mutant(
        "publisher_stops_before_the_end_of_gzip",
        PUBLISHER,
        Says(edited(Response.SUCCEEDED, lambda payload: payload[:-8], answering=Command.METADATA_REFRESH)),
        caught_by=("gzip_streams_are_whole",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_closes_without_a_word",
        PUBLISHER,
        Says(replaced(Response.FAILED, lambda frame: CLOSE, answering=_MODES)),
        caught_by=("publisher_refuses_modes_alike_in_both_directions[refuses_unknown_versions]",),
    ),
)
