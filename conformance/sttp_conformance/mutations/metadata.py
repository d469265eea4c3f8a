"""Wrong about metadata."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sttp.codes import Command, Response
from sttp.wire.fields import deflate, inflate, is_gzip
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import (
    CLOSE,
    Conversation,
    Delay,
    Item,
    Mutant,
    Rewrite,
    added_before,
    dropped,
    edited,
    replaced,
)
from sttp_conformance.ways import Direction

_REFRESH = Command.METADATA_REFRESH
_SUCCEEDED = Response.SUCCEEDED
_CHANGED = Response.CONFIGURATION_CHANGED
_NOTICE = bytes((Response.NOTIFY, Command.SUBSCRIBE)) + (9).to_bytes(4, "big") + b"hash" + b"other"


def _said(change: Callable[[bytes], bytes], *, first: bool = False) -> Rewrite:
    """A publisher gives another document, compressed as the one before."""

    def changed(payload: bytes) -> bytes:
        text = change(inflate(payload, limit=2**26, name="metadata"))
        return deflate(text) if is_gzip(payload) else text

    return edited(_SUCCEEDED, changed, answering=_REFRESH, first=first)


def _substituted(pattern: str, by: str, *, count: int = 0) -> Rewrite:
    """A publisher gives a document in which something is something else."""
    return _said(lambda text: re.sub(pattern.encode(), by.encode(), text, count=count, flags=re.DOTALL))


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


def _heard(change: Callable[[bytes], bytes]) -> Rewrite:
    """A subscriber finds in a document what is not there, or the other way round."""
    return _said(change)


def _refuses(pattern: str) -> Rewrite:
    """A subscriber finds no rows in a document that has something in it."""
    found = re.compile(pattern.encode(), re.DOTALL)
    return _heard(
        lambda text: (
            re.sub(rb"<MeasurementDetail>.*</MeasurementDetail>", b"", text, flags=re.DOTALL)
            if found.search(text)
            else text
        )
    )


def _loses_rows(pattern: str) -> Rewrite:
    """A subscriber loses the rows that have something in them."""
    found = re.compile(pattern.encode())
    return _heard(
        lambda text: re.sub(
            rb"<MeasurementDetail\b[^>]*>.*?</MeasurementDetail>",
            lambda row: b"" if found.search(row[0]) else row[0],
            text,
            flags=re.DOTALL,
        )
    )


async def _visit(port: int) -> None:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


def _fetches(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Whatever a document names elsewhere is fetched."""
    if frame[0] == _SUCCEEDED and frame[1] == _REFRESH:
        named = re.search(rb'SYSTEM "http://127\.0\.0\.1:(\d+)', inflate(frame[6:], limit=2**26, name="metadata"))
        if named:
            conversation.memory["visit"] = asyncio.ensure_future(_visit(int(named[1])))
    return (frame, Delay(0.05))


def _expands(text: bytes) -> bytes:
    """A subscriber takes no notice of a DTD."""
    return re.sub(rb"<!DOCTYPE.*?\]>", b"", text, flags=re.DOTALL).replace(b"&note;", b"").replace(b"&a7;", b"")


def _reports_zeros(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    if request == "refresh-metadata" and len(answer["signals"]) == 8:
        return answer | {"signals": [*answer["signals"], "00000000-0000-0000-0000-000000000000"]}
    return answer


def _reports_by_row(request: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The signal of a measurement is taken from the row of the metadata that has its signal index."""
    if request == "report":
        rows = answer["measurements"]
        return answer | {"measurements": [[other[0], *row[1:]] for row, other in zip(rows, rows[::-1], strict=True)]}
    return answer


_HARMED: set[str] = set()
"""Ways in which a subscriber has met what harms it for good; connections share nothing else."""


def _never_recovers(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    way = str(conversation.way)
    if frame[:2] == bytes((_SUCCEEDED, _REFRESH)) and b"no XML" in inflate(frame[6:], limit=2**26, name="metadata"):
        _HARMED.add(way)
    return (CLOSE,) if way in _HARMED else (frame,)


def _counts_wrong(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (frame + b"\0\0\0\x09FILTER",) if frame == b"\x01" else (frame,)


def _waits_for_metadata(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A Subscribe is not said before the metadata have come."""
    if frame[0] == _REFRESH:
        conversation.memory["asked"] = True
    elif frame[0] == Command.SUBSCRIBE and "asked" in conversation.memory:
        return () if "answered" not in conversation.memory else (frame,)
    return (frame,)


def _metadata_come(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[1:2] == bytes((_REFRESH,)):
        conversation.memory["answered"] = True
    return (frame,)


MUTANTS = (
    Mutant(
        "subscriber_waits_for_metadata_for_ever",
        SUBSCRIBER,
        caught_by=("subscribes_though_metadata_never_comes",),
        says=_waits_for_metadata,
        hears=_metadata_come,
    ),
    Mutant(
        "publisher_answers_metadata_refresh_with_a_text",
        PUBLISHER,
        caught_by=("answers_metadata_refresh", "answers_metadata_refresh_with_a_filter"),
        says=edited(_SUCCEEDED, lambda payload: b"metadata follows", answering=_REFRESH),
    ),
    Mutant(
        "publisher_puts_a_length_before_the_document",
        PUBLISHER,
        caught_by=("answers_metadata_refresh",),
        says=edited(_SUCCEEDED, lambda payload: len(payload).to_bytes(4, "big") + payload, answering=_REFRESH),
    ),
    Mutant(
        "publisher_answers_metadata_refresh_only_without_a_filter",
        PUBLISHER,
        caught_by=("answers_metadata_refresh_with_a_filter",),
        hears=lambda frame, conversation: () if frame[:1] == b"\x01" and len(frame) > 1 else (frame,),
    ),
    Mutant(
        "publisher_ignores_metadata_filters",
        PUBLISHER,
        caught_by=(
            "metadata_filter_narrows_its_table",
            "metadata_filters_narrow_a_table_each",
            "metadata_filter_that_matches_nothing_leaves_the_schema",
        ),
        hears=_without_filter,
    ),
    Mutant(
        "publisher_drops_tables_that_the_filter_does_not_name",
        PUBLISHER,
        caught_by=("metadata_filter_narrows_its_table",),
        says=_said(_reduced),
    ),
    Mutant(
        "publisher_reads_the_first_statement_only",
        PUBLISHER,
        caught_by=("metadata_filters_narrow_a_table_each",),
        hears=edited(_REFRESH, _first_statement),
    ),
    Mutant(
        "publisher_reads_the_last_statement_only",
        PUBLISHER,
        caught_by=("metadata_filters_narrow_a_table_each",),
        hears=edited(_REFRESH, _last_statement),
    ),
    Mutant(
        "publisher_is_silent_about_a_filter_that_it_cannot_read",
        PUBLISHER,
        caught_by=("answers_an_unreadable_metadata_filter",),
        hears=lambda frame, conversation: () if frame[:1] == b"\x01" and b"WHERE (" in frame else (frame,),
    ),
    Mutant(
        "publisher_closes_at_a_filter_that_it_cannot_read",
        PUBLISHER,
        caught_by=("answers_an_unreadable_metadata_filter",),
        hears=lambda frame, conversation: (CLOSE,) if frame[:1] == b"\x01" and b"WHERE (" in frame else (frame,),
    ),
    Mutant(
        "publisher_answers_failed_when_no_row_is_left",
        PUBLISHER,
        caught_by=("metadata_filter_that_matches_nothing_leaves_the_schema",),
        says=replaced(_SUCCEEDED, lambda frame: b"\x81\x01\0\0\0\x04none", answering=_REFRESH),
    ),
    Mutant(
        "publisher_calls_root_and_schema_differently",
        PUBLISHER,
        caught_by=("metadata_has_the_shape_that_readers_take",),
        says=_substituted('id="[^"]*"', 'id="NewDataSet"', count=1),
    ),
    Mutant(
        "publisher_puts_an_annotation_before_the_complex_type",
        PUBLISHER,
        caught_by=("metadata_has_the_shape_that_readers_take",),
        says=_substituted("<(\\w+):complexType>", r"<\1:annotation/><\1:complexType>", count=1),
    ),
    Mutant(
        "publisher_declares_the_schema_in_the_default_namespace",
        PUBLISHER,
        caught_by=("metadata_has_the_shape_that_readers_take",),
        says=_said(lambda text: re.sub(rb"(</?)xs:", rb"\1", text).replace(b"xmlns:xs=", b"xmlns=", 1)),
    ),
    Mutant(
        "publisher_puts_a_default_namespace_on_the_root",
        PUBLISHER,
        caught_by=("metadata_has_the_shape_that_readers_take",),
        says=_said(lambda text: re.sub(rb"(<\w+)>", rb'\1 xmlns="urn:sttp">', text, count=1)),
    ),
    Mutant(
        "publisher_writes_a_column_that_its_schema_forgot",
        PUBLISHER,
        caught_by=("metadata_has_the_shape_that_readers_take",),
        says=_substituted("</MeasurementDetail>", "<Adder>0</Adder></MeasurementDetail>", count=1),
    ),
    Mutant(
        "publisher_writes_true_with_a_capital_letter",
        PUBLISHER,
        caught_by=("cells_fit_their_types",),
        says=_substituted("<Enabled>true", "<Enabled>True"),
    ),
    Mutant(
        "publisher_writes_the_number_of_a_key_alone",
        PUBLISHER,
        caught_by=("cells_fit_their_types",),
        says=_substituted("<ID>SUITE:", "<ID>"),
    ),
    Mutant(
        "publisher_writes_dates_that_end_in_z",
        PUBLISHER,
        caught_by=("dates_are_readable_by_everyone",),
        says=_substituted(r"<UpdatedOn>[^<]*<", "<UpdatedOn>2026-01-01T00:00:00Z<"),
    ),
    Mutant(
        "publisher_leaves_out_the_table_of_phasors",
        PUBLISHER,
        caught_by=("has_the_standard_tables",),
        says=_substituted('name="PhasorDetail"', 'name="Phasors"'),
    ),
    Mutant(
        "publisher_leaves_out_a_standard_column",
        PUBLISHER,
        caught_by=("has_the_standard_tables",),
        says=_substituted("SignalReference", "Reference"),
    ),
    Mutant(
        "publisher_gives_two_rows_the_same_signal_id",
        PUBLISHER,
        caught_by=("signal_ids_are_distinct",),
        says=_said(
            lambda text: re.sub(rb"<SignalID>.*?</SignalID>", re.findall(rb"<SignalID>.*?</SignalID>", text)[0], text)
        ),
    ),
    Mutant(
        "publisher_declares_utf_16_and_writes_utf_8",
        PUBLISHER,
        caught_by=("metadata_bytes_match_their_declaration",),
        says=_said(lambda text: b'<?xml version="1.0" encoding="utf-16"?>' + text.partition(b"?>")[2]),
    ),
    Mutant(
        "publisher_answers_nothing_while_it_has_no_metadata",
        PUBLISHER,
        caught_by=("answers_metadata_refresh_without_metadata",),
        says=dropped(_SUCCEEDED, answering=_REFRESH),
    ),
    Mutant(
        "publisher_writes_empty_elements_for_null",
        PUBLISHER,
        caught_by=("null_cells_are_absent",),
        says=_substituted("<SignalAcronym>", "<Description></Description><SignalAcronym>", count=1),
    ),
    Mutant(
        "publisher_leaves_out_empty_texts",
        PUBLISHER,
        caught_by=("null_cells_are_absent",),
        says=_substituted(r"<Description\s*/>|<Description></Description>", ""),
    ),
    Mutant(
        "publisher_writes_ascii_only",
        PUBLISHER,
        caught_by=("metadata_texts_survive_the_journey",),
        says=_said(lambda text: text.decode().encode("ascii", "replace")),
    ),
    Mutant(
        "publisher_does_not_escape_ampersands",
        PUBLISHER,
        caught_by=("metadata_texts_survive_the_journey",),
        says=_substituted("&amp;", "&"),
    ),
    Mutant(
        "publisher_changes_its_metadata_in_silence",
        PUBLISHER,
        caught_by=("announces_changed_metadata",),
        says=dropped(_CHANGED),
    ),
    Mutant(
        "publisher_says_what_has_changed",
        PUBLISHER,
        caught_by=("announces_changed_metadata",),
        says=edited(_CHANGED, lambda payload: b"metadata"),
    ),
    Mutant(
        "publisher_keeps_a_copy_of_its_first_document",
        PUBLISHER,
        caught_by=("refresh_gives_the_new_metadata",),
        says=_given_once,
    ),
    Mutant(
        "publisher_sends_internal_rows_only",
        PUBLISHER,
        caught_by=("both_ownership_bits_ask_for_all_rows", "ownership_bits_narrow_the_rows"),
        hears=_modes(lambda bits: bits & ~0x02000000),
    ),
    Mutant(
        "publisher_takes_the_external_bit_for_the_internal_one",
        PUBLISHER,
        caught_by=("ownership_bits_narrow_the_rows",),
        hears=_modes(lambda bits: bits & ~0x06000000 | (bits & 0x02000000) << 1 | (bits & 0x04000000) >> 1),
    ),
    Mutant(
        "publisher_ignores_the_ownership_bits",
        PUBLISHER,
        caught_by=("ownership_bits_narrow_the_rows",),
        hears=_modes(lambda bits: bits | 0x06000000),
    ),
    Mutant(
        "publisher_stops_publishing_after_a_refresh",
        PUBLISHER,
        caught_by=("serves_metadata_while_streaming",),
        says=_silent_behind(_SUCCEEDED),
    ),
    Mutant(
        "subscriber_asks_with_a_wrong_length",
        SUBSCRIBER,
        caught_by=("metadata_request_has_an_exact_length",),
        says=_counts_wrong,
    ),
    Mutant(
        "subscriber_looks_for_a_root_called_dataset",
        SUBSCRIBER,
        caught_by=("reads_metadata_as_dotnet_writes_it",),
        hears=_refuses("<NewDataSet"),
    ),
    Mutant(
        "subscriber_insists_on_the_prefix_msdata",
        SUBSCRIBER,
        caught_by=("reads_metadata_as_cpp_writes_it",),
        hears=_refuses("xmlns:ext"),
    ),
    Mutant(
        "subscriber_reads_cells_by_their_position",
        SUBSCRIBER,
        caught_by=("reads_metadata_in_any_order",),
        hears=_loses_rows("<MeasurementDetail><UpdatedOn>"),
    ),
    Mutant(
        "subscriber_refuses_unknown_elements",
        SUBSCRIBER,
        caught_by=("ignores_unknown_metadata_elements",),
        hears=_refuses("<Extra>"),
    ),
    Mutant(
        "subscriber_cannot_read_dates_that_end_in_z",
        SUBSCRIBER,
        caught_by=("reads_every_form_of_dates",),
        hears=_loses_rows("Z</UpdatedOn>"),
    ),
    Mutant(
        "subscriber_cannot_read_guids_in_braces",
        SUBSCRIBER,
        caught_by=("reads_every_form_of_guids",),
        hears=_loses_rows(r"<SignalID>\{"),
    ),
    Mutant(
        "subscriber_loses_rows_with_a_cell_that_it_cannot_read",
        SUBSCRIBER,
        caught_by=("keeps_metadata_with_an_unreadable_cell",),
        hears=_loses_rows("<PhasorSourceIndex>abc"),
    ),
    Mutant(
        "subscriber_insists_on_all_tables",
        SUBSCRIBER,
        caught_by=("tolerates_missing_metadata_tables",),
        hears=_heard(lambda text: text if b"DeviceDetail" in text else b"<none/>"),
    ),
    Mutant(
        "subscriber_reports_a_signal_of_zeros",
        SUBSCRIBER,
        caught_by=("skips_metadata_rows_without_a_signal_id",),
        answers=_reports_zeros,
    ),
    Mutant(
        "subscriber_cannot_read_utf_16",
        SUBSCRIBER,
        caught_by=("reads_metadata_in_other_encodings",),
        hears=_heard(lambda text: b"<none/>" if text.startswith((b"\xff\xfe", b"\xfe\xff")) else text),
    ),
    Mutant(
        "subscriber_takes_no_notice_of_a_dtd",
        SUBSCRIBER,
        caught_by=("refuses_metadata_with_a_dtd",),
        hears=_heard(_expands),
    ),
    Mutant(
        "subscriber_fetches_external_entities",
        SUBSCRIBER,
        caught_by=("fetches_no_external_entity",),
        hears=_fetches,
    ),
    Mutant(
        "subscriber_drops_the_connection_without_metadata",
        SUBSCRIBER,
        caught_by=("tolerates_empty_metadata",),
        hears=lambda frame, conversation: (CLOSE,) if frame == b"\x80\x01\0\0\0\0" else (frame,),
    ),
    Mutant(
        "subscriber_closes_when_metadata_is_refused",
        SUBSCRIBER,
        caught_by=("goes_on_when_metadata_is_refused",),
        hears=lambda frame, conversation: (CLOSE,) if frame[:2] == b"\x81\x01" else (frame,),
    ),
    Mutant(
        "subscriber_closes_when_its_configuration_changes",
        SUBSCRIBER,
        caught_by=("tolerates_configuration_changed", "asks_again_after_configuration_changed"),
        hears=replaced(_CHANGED, lambda frame: CLOSE),
    ),
    Mutant(
        "subscriber_only_takes_note_of_changed_metadata",
        SUBSCRIBER,
        caught_by=("asks_again_after_configuration_changed",),
        hears=dropped(_CHANGED),
    ),
    Mutant(
        "subscriber_numbers_signals_by_their_row",
        SUBSCRIBER,
        caught_by=("takes_signal_indexes_from_the_cache",),
        answers=_reports_by_row,
    ),
    Mutant(
        "subscriber_never_recovers_from_metadata_that_is_none",
        SUBSCRIBER,
        caught_by=("survives_metadata_that_is_no_metadata",),
        hears=_never_recovers,
    ),
    Mutant(
        "publisher_that_dials_notifies_of_a_change_too",
        PUBLISHER,
        caught_by=("publisher_announces_changes_alike_in_both_directions[announces_changed_metadata]",),
        says=added_before(_CHANGED, _NOTICE),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_that_is_dialed_notifies_of_a_change_too",
        PUBLISHER,
        caught_by=("publisher_announces_changes_alike_in_both_directions[announces_changed_metadata]",),
        says=added_before(_CHANGED, _NOTICE),
        only=Direction.FORWARD,
    ),
    Mutant(
        "publisher_that_dials_gives_other_metadata",
        PUBLISHER,
        caught_by=("publisher_gives_metadata_alike_in_both_directions[answers_metadata_refresh]",),
        says=_substituted("<Name>Bus 1", "<Name>Bus one"),
        only=Direction.REVERSE,
    ),
    Mutant(
        "publisher_that_is_dialed_gives_other_metadata",
        PUBLISHER,
        caught_by=("publisher_gives_metadata_alike_in_both_directions[answers_metadata_refresh]",),
        says=_substituted("<Name>Bus 1", "<Name>Bus one"),
        only=Direction.FORWARD,
    ),
)
