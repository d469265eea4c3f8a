"""Subscribers that are wrong about metadata."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

from sttp.codes import Command, Response
from sttp.wire.fields import inflate
from sttp_conformance.checks import SUBSCRIBER
from sttp_conformance.faults import Answers, Hears, Says, reports
from sttp_conformance.mutants import mutant
from sttp_conformance.mutations.metadata.documents import rewritten
from sttp_conformance.rewrites import CLOSE, Conversation, Delay, Item, Rewrite, dropped, harmed, replaced

_REFRESH = Command.METADATA_REFRESH
_SUCCEEDED = Response.SUCCEEDED
_CHANGED = Response.CONFIGURATION_CHANGED


def _refuses(pattern: str) -> Rewrite:
    """A subscriber finds no rows in a document that has something in it."""
    found = re.compile(pattern.encode(), re.DOTALL)
    return rewritten(
        lambda text: (
            re.sub(rb"<MeasurementDetail>.*</MeasurementDetail>", b"", text, flags=re.DOTALL)
            if found.search(text)
            else text
        )
    )


def _loses_rows(pattern: str) -> Rewrite:
    """A subscriber loses the rows that have something in them."""
    found = re.compile(pattern.encode())
    return rewritten(
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


def _by_row(rows: list[list[Any]]) -> list[list[Any]]:
    """The signal of a measurement is taken from the row of the metadata that has its signal index."""
    return [[other[0], *row[1:]] for row, other in zip(rows, rows[::-1], strict=True)]


def _is_no_xml(frame: bytes, conversation: Conversation) -> bool:
    is_metadata = frame[:2] == bytes((_SUCCEEDED, _REFRESH))
    return is_metadata and b"no XML" in inflate(frame[6:], limit=2**26, name="metadata")


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
    mutant(
        "subscriber_waits_for_metadata_for_ever",
        SUBSCRIBER,
        Says(_waits_for_metadata),
        Hears(_metadata_come),
        caught_by=("subscribes_though_metadata_never_comes",),
    ),
    mutant(
        "subscriber_asks_with_a_wrong_length",
        SUBSCRIBER,
        Says(_counts_wrong),
        caught_by=("metadata_request_has_an_exact_length",),
    ),
    mutant(
        "subscriber_looks_for_a_root_called_dataset",
        SUBSCRIBER,
        Hears(_refuses("<NewDataSet")),
        caught_by=("reads_metadata_as_dotnet_writes_it",),
    ),
    mutant(
        "subscriber_insists_on_the_prefix_msdata",
        SUBSCRIBER,
        Hears(_refuses("xmlns:ext")),
        caught_by=("reads_metadata_as_cpp_writes_it",),
    ),
    mutant(
        "subscriber_reads_cells_by_their_position",
        SUBSCRIBER,
        Hears(_loses_rows("<MeasurementDetail><UpdatedOn>")),
        caught_by=("reads_metadata_in_any_order",),
    ),
    mutant(
        "subscriber_refuses_unknown_elements",
        SUBSCRIBER,
        Hears(_refuses("<Extra>")),
        caught_by=("ignores_unknown_metadata_elements",),
    ),
    mutant(
        "subscriber_cannot_read_dates_that_end_in_z",
        SUBSCRIBER,
        Hears(_loses_rows("Z</UpdatedOn>")),
        caught_by=("reads_every_form_of_dates",),
    ),
    mutant(
        "subscriber_cannot_read_guids_in_braces",
        SUBSCRIBER,
        Hears(_loses_rows(r"<SignalID>\{")),
        caught_by=("reads_every_form_of_guids",),
    ),
    mutant(
        "subscriber_loses_rows_with_a_cell_that_it_cannot_read",
        SUBSCRIBER,
        Hears(_loses_rows("<PhasorSourceIndex>abc")),
        caught_by=("keeps_metadata_with_an_unreadable_cell",),
    ),
    mutant(
        "subscriber_insists_on_all_tables",
        SUBSCRIBER,
        Hears(rewritten(lambda text: text if b"DeviceDetail" in text else b"<none/>")),
        caught_by=("tolerates_missing_metadata_tables",),
    ),
    mutant(
        "subscriber_reports_a_signal_of_zeros",
        SUBSCRIBER,
        Answers(_reports_zeros),
        caught_by=("skips_metadata_rows_without_a_signal_id",),
    ),
    mutant(
        "subscriber_cannot_read_utf_16",
        SUBSCRIBER,
        Hears(rewritten(lambda text: b"<none/>" if text.startswith((b"\xff\xfe", b"\xfe\xff")) else text)),
        caught_by=("reads_metadata_in_other_encodings",),
    ),
    mutant(
        "subscriber_takes_no_notice_of_a_dtd",
        SUBSCRIBER,
        Hears(rewritten(_expands)),
        caught_by=("refuses_metadata_with_a_dtd",),
    ),
    mutant(
        "subscriber_fetches_external_entities",
        SUBSCRIBER,
        Hears(_fetches),
        caught_by=("fetches_no_external_entity",),
    ),
    mutant(
        "subscriber_drops_the_connection_without_metadata",
        SUBSCRIBER,
        Hears(lambda frame, conversation: (CLOSE,) if frame == b"\x80\x01\0\0\0\0" else (frame,)),
        caught_by=("tolerates_empty_metadata",),
    ),
    mutant(
        "subscriber_closes_when_metadata_is_refused",
        SUBSCRIBER,
        Hears(lambda frame, conversation: (CLOSE,) if frame[:2] == b"\x81\x01" else (frame,)),
        caught_by=("goes_on_when_metadata_is_refused",),
    ),
    mutant(
        "subscriber_closes_when_its_configuration_changes",
        SUBSCRIBER,
        Hears(replaced(_CHANGED, lambda frame: CLOSE)),
        caught_by=("tolerates_configuration_changed", "asks_again_after_configuration_changed"),
    ),
    mutant(
        "subscriber_only_takes_note_of_changed_metadata",
        SUBSCRIBER,
        Hears(dropped(_CHANGED)),
        caught_by=("asks_again_after_configuration_changed",),
    ),
    mutant(
        "subscriber_numbers_signals_by_their_row",
        SUBSCRIBER,
        reports(_by_row),
        caught_by=("takes_signal_indexes_from_the_cache",),
    ),
    mutant(
        "subscriber_never_recovers_from_metadata_that_is_none",
        SUBSCRIBER,
        Hears(harmed(_is_no_xml, CLOSE)),
        caught_by=("survives_metadata_that_is_no_metadata",),
    ),
)
