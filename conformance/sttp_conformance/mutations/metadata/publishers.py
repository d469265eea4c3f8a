"""Publishers that are wrong about metadata."""

from __future__ import annotations

import re
from collections.abc import Callable

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.mutations.metadata.documents import rewritten
from sttp_conformance.rewrites import CLOSE, Conversation, Item, Rewrite, added_before, dropped, edited, replaced

_REFRESH = Command.METADATA_REFRESH
_SUCCEEDED = Response.SUCCEEDED
_CHANGED = Response.CONFIGURATION_CHANGED
_NOTICE = bytes((Response.NOTIFY, Command.SUBSCRIBE)) + (9).to_bytes(4, "big") + b"hash" + b"other"


def _substituted(pattern: str, by: str, *, count: int = 0) -> Rewrite:
    """A publisher gives a document in which something is something else."""
    return rewritten(lambda text: re.sub(pattern.encode(), by.encode(), text, count=count, flags=re.DOTALL))


def _given_once(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The first document is given for ever."""
    if frame[0] == _SUCCEEDED and frame[1] == _REFRESH:
        return (conversation.memory.setdefault("document", frame),)
    return (frame,)


def _without_filter(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (bytes((_REFRESH,)),) if frame[:1] == bytes((_REFRESH,)) else (frame,)


def _first_statement(payload: bytes) -> bytes:
    text = payload[4:].partition(b";")[0]
    return len(text).to_bytes(4, "big") + text if text else payload


def _last_statement(payload: bytes) -> bytes:
    text = payload[4:].rpartition(b";")[2]
    return len(text).to_bytes(4, "big") + text if text else payload


def _reduced(text: bytes) -> bytes:
    """Tables that a filter does not name are lost: where few rows are left, the devices are."""
    few = text.count(b"<MeasurementDetail>") < 8
    return re.sub(rb"<DeviceDetail>.*?</DeviceDetail>", b"", text, flags=re.DOTALL) if few else text


def _silent_behind(code: Response) -> Rewrite:
    """Nothing is published any more once something was said."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        if frame[0] == code and frame[1] == _REFRESH:
            conversation.memory["said"] = True
        return () if frame[0] == Response.DATA_PACKET and conversation.memory.get("said") else (frame,)

    return rewrite


def _modes(change: Callable[[int], int]) -> Rewrite:
    """The publisher understands other operational modes than those that were sent."""
    return edited(
        Command.DEFINE_OPERATIONAL_MODES,
        lambda payload: (change(int.from_bytes(payload[:4], "big")) & 0xFFFFFFFF).to_bytes(4, "big"),
    )


MUTANTS = (
    mutant(
        "publisher_answers_metadata_refresh_with_a_text",
        PUBLISHER,
        Says(edited(_SUCCEEDED, lambda payload: b"metadata follows", answering=_REFRESH)),
        caught_by=("answers_metadata_refresh", "answers_metadata_refresh_with_a_filter"),
    ),
    mutant(
        "publisher_puts_a_length_before_the_document",
        PUBLISHER,
        Says(edited(_SUCCEEDED, lambda payload: len(payload).to_bytes(4, "big") + payload, answering=_REFRESH)),
        caught_by=("answers_metadata_refresh",),
    ),
    mutant(
        "publisher_answers_metadata_refresh_only_without_a_filter",
        PUBLISHER,
        Hears(lambda frame, conversation: () if frame[:1] == b"\x01" and len(frame) > 1 else (frame,)),
        caught_by=("answers_metadata_refresh_with_a_filter",),
    ),
    mutant(
        "publisher_ignores_metadata_filters",
        PUBLISHER,
        Hears(_without_filter),
        caught_by=(
            "metadata_filter_narrows_its_table",
            "metadata_filters_narrow_a_table_each",
            "metadata_filter_that_matches_nothing_leaves_the_schema",
        ),
    ),
    mutant(
        "publisher_drops_tables_that_the_filter_does_not_name",
        PUBLISHER,
        Says(rewritten(_reduced)),
        caught_by=("metadata_filter_narrows_its_table",),
    ),
    mutant(
        "publisher_reads_the_first_statement_only",
        PUBLISHER,
        Hears(edited(_REFRESH, _first_statement)),
        caught_by=("metadata_filters_narrow_a_table_each",),
    ),
    mutant(
        "publisher_reads_the_last_statement_only",
        PUBLISHER,
        Hears(edited(_REFRESH, _last_statement)),
        caught_by=("metadata_filters_narrow_a_table_each",),
    ),
    mutant(
        "publisher_is_silent_about_a_filter_that_it_cannot_read",
        PUBLISHER,
        Hears(lambda frame, conversation: () if frame[:1] == b"\x01" and b"WHERE (" in frame else (frame,)),
        caught_by=("answers_an_unreadable_metadata_filter",),
    ),
    mutant(
        "publisher_closes_at_a_filter_that_it_cannot_read",
        PUBLISHER,
        Hears(lambda frame, conversation: (CLOSE,) if frame[:1] == b"\x01" and b"WHERE (" in frame else (frame,)),
        caught_by=("answers_an_unreadable_metadata_filter",),
    ),
    mutant(
        "publisher_answers_failed_when_no_row_is_left",
        PUBLISHER,
        Says(replaced(_SUCCEEDED, lambda frame: b"\x81\x01\0\0\0\x04none", answering=_REFRESH)),
        caught_by=("metadata_filter_that_matches_nothing_leaves_the_schema",),
    ),
    mutant(
        "publisher_calls_root_and_schema_differently",
        PUBLISHER,
        Says(_substituted('id="[^"]*"', 'id="NewDataSet"', count=1)),
        caught_by=("metadata_has_the_shape_that_readers_take",),
    ),
    mutant(
        "publisher_puts_an_annotation_before_the_complex_type",
        PUBLISHER,
        Says(_substituted("<(\\w+):complexType>", r"<\1:annotation/><\1:complexType>", count=1)),
        caught_by=("metadata_has_the_shape_that_readers_take",),
    ),
    mutant(
        "publisher_declares_the_schema_in_the_default_namespace",
        PUBLISHER,
        Says(rewritten(lambda text: re.sub(rb"(</?)xs:", rb"\1", text).replace(b"xmlns:xs=", b"xmlns=", 1))),
        caught_by=("metadata_has_the_shape_that_readers_take",),
    ),
    mutant(
        "publisher_puts_a_default_namespace_on_the_root",
        PUBLISHER,
        Says(rewritten(lambda text: re.sub(rb"(<\w+)>", rb'\1 xmlns="urn:sttp">', text, count=1))),
        caught_by=("metadata_has_the_shape_that_readers_take",),
    ),
    mutant(
        "publisher_writes_a_column_that_its_schema_forgot",
        PUBLISHER,
        Says(_substituted("</MeasurementDetail>", "<Adder>0</Adder></MeasurementDetail>", count=1)),
        caught_by=("metadata_has_the_shape_that_readers_take",),
    ),
    mutant(
        "publisher_writes_true_with_a_capital_letter",
        PUBLISHER,
        Says(_substituted("<Enabled>true", "<Enabled>True")),
        caught_by=("cells_fit_their_types",),
    ),
    mutant(
        "publisher_writes_the_number_of_a_key_alone",
        PUBLISHER,
        Says(_substituted("<ID>SUITE:", "<ID>")),
        caught_by=("cells_fit_their_types",),
    ),
    mutant(
        "publisher_writes_dates_that_end_in_z",
        PUBLISHER,
        Says(_substituted(r"<UpdatedOn>[^<]*<", "<UpdatedOn>2026-01-01T00:00:00Z<")),
        caught_by=("dates_are_readable_by_everyone",),
    ),
    mutant(
        "publisher_leaves_out_the_table_of_phasors",
        PUBLISHER,
        Says(_substituted('name="PhasorDetail"', 'name="Phasors"')),
        caught_by=("has_the_standard_tables",),
    ),
    mutant(
        "publisher_leaves_out_a_standard_column",
        PUBLISHER,
        Says(_substituted("SignalReference", "Reference")),
        caught_by=("has_the_standard_tables",),
    ),
    mutant(
        "publisher_gives_two_rows_the_same_signal_id",
        PUBLISHER,
        Says(
            rewritten(
                lambda text: re.sub(
                    rb"<SignalID>.*?</SignalID>", re.findall(rb"<SignalID>.*?</SignalID>", text)[0], text
                )
            )
        ),
        caught_by=("signal_ids_are_distinct",),
    ),
    mutant(
        "publisher_declares_utf_16_and_writes_utf_8",
        PUBLISHER,
        Says(rewritten(lambda text: b'<?xml version="1.0" encoding="utf-16"?>' + text.partition(b"?>")[2])),
        caught_by=("metadata_bytes_match_their_declaration",),
    ),
    mutant(
        "publisher_answers_nothing_while_it_has_no_metadata",
        PUBLISHER,
        Says(dropped(_SUCCEEDED, answering=_REFRESH)),
        caught_by=("answers_metadata_refresh_without_metadata",),
    ),
    mutant(
        "publisher_writes_empty_elements_for_null",
        PUBLISHER,
        Says(_substituted("<SignalAcronym>", "<Description></Description><SignalAcronym>", count=1)),
        caught_by=("null_cells_are_absent",),
    ),
    mutant(
        "publisher_leaves_out_empty_texts",
        PUBLISHER,
        Says(_substituted(r"<Description\s*/>|<Description></Description>", "")),
        caught_by=("null_cells_are_absent",),
    ),
    mutant(
        "publisher_writes_ascii_only",
        PUBLISHER,
        Says(rewritten(lambda text: text.decode().encode("ascii", "replace"))),
        caught_by=("metadata_texts_survive_the_journey",),
    ),
    mutant(
        "publisher_does_not_escape_ampersands",
        PUBLISHER,
        Says(_substituted("&amp;", "&")),
        caught_by=("metadata_texts_survive_the_journey",),
    ),
    mutant(
        "publisher_changes_its_metadata_in_silence",
        PUBLISHER,
        Says(dropped(_CHANGED)),
        caught_by=("announces_changed_metadata",),
    ),
    mutant(
        "publisher_says_what_has_changed",
        PUBLISHER,
        Says(edited(_CHANGED, lambda payload: b"metadata")),
        caught_by=("announces_changed_metadata",),
    ),
    mutant(
        "publisher_keeps_a_copy_of_its_first_document",
        PUBLISHER,
        Says(_given_once),
        caught_by=("refresh_gives_the_new_metadata",),
    ),
    mutant(
        "publisher_sends_internal_rows_only",
        PUBLISHER,
        Hears(_modes(lambda bits: bits & ~0x02000000)),
        caught_by=("both_ownership_bits_ask_for_all_rows", "ownership_bits_narrow_the_rows"),
    ),
    mutant(
        "publisher_takes_the_external_bit_for_the_internal_one",
        PUBLISHER,
        Hears(_modes(lambda bits: bits & ~0x06000000 | (bits & 0x02000000) << 1 | (bits & 0x04000000) >> 1)),
        caught_by=("ownership_bits_narrow_the_rows",),
    ),
    mutant(
        "publisher_ignores_the_ownership_bits",
        PUBLISHER,
        Hears(_modes(lambda bits: bits | 0x06000000)),
        caught_by=("ownership_bits_narrow_the_rows",),
    ),
    mutant(
        "publisher_stops_publishing_after_a_refresh",
        PUBLISHER,
        Says(_silent_behind(_SUCCEEDED)),
        caught_by=("serves_metadata_while_streaming",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_notifies_of_a_change_too",
        PUBLISHER,
        Says(added_before(_CHANGED, _NOTICE)),
        caught_by=("publisher_announces_changes_alike_in_both_directions[announces_changed_metadata]",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_gives_other_metadata",
        PUBLISHER,
        Says(_substituted("<Name>Bus 1", "<Name>Bus one")),
        caught_by=("publisher_gives_metadata_alike_in_both_directions[answers_metadata_refresh]",),
    ),
)
