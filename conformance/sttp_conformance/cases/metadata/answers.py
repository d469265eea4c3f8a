"""What a publisher answers (wire.md 8.1, 8.2, metadata.md 1 to 5, 8): the document, whole and filtered."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sttp.codes import Command, OperationalModes, TextEncoding
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.dataset import TABLES
from sttp_conformance.grid import SIGNALS
from sttp_conformance.metadata_reading import Document, cells_amiss, parse, shape_amiss
from sttp_conformance.picking import reads_metadata
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_subscriber import TSSC, ScriptedSubscriber
from sttp_conformance.violation import Skip, Violation

_ENCODINGS = {"utf-8": TextEncoding.UTF_8, "utf-16le": TextEncoding.UTF_16LE, "utf-16be": TextEncoding.UTF_16BE}
_REFRESH = Command.METADATA_REFRESH


async def ask(peer: ScriptedSubscriber, expression: str = "") -> Document:
    """Ask for metadata, and read what comes."""
    await peer.say(commands.MetadataRefresh(filter_expression=expression))
    answer = await peer.expect(responses.Metadata, what="Succeeded for MetadataRefresh")
    return parse(answer.document)


async def metadata(case: Case, modes: OperationalModes = TSSC) -> Document:
    """The whole metadata, in a session of its own."""
    async with case.subscriber() as peer:
        await peer.begin(modes)
        return await ask(peer)


@check(PUBLISHER)
async def answers_metadata_refresh(case: Case) -> None:
    """MetadataRefresh is answered with Succeeded, whose payload is the document itself, with all signals."""
    found = await metadata(case)
    wanted = {signal.signal_id for signal in SIGNALS} if reads_metadata(case) else set()
    case.require(
        found.signal_ids and found.signal_ids >= wanted, "a document with the signals of the metadata", found.signal_ids
    )


@check(PUBLISHER)
async def answers_metadata_refresh_with_a_filter(case: Case) -> None:
    """A length and a filter text are taken behind MetadataRefresh, an empty text included."""
    async with case.subscriber() as peer:
        await peer.begin()
        for text in (b"FILTER MeasurementDetail WHERE True", b""):
            await peer.say(frame(bytes((_REFRESH,)), len(text).to_bytes(4, "big"), text))
            answer = await peer.expect(responses.Metadata, what=f"Succeeded for MetadataRefresh with {text!r}")
            case.require(parse(answer.document).signal_ids, "a document with signals", "none")


async def _filtered(case: Case, *statements: tuple[str, str]) -> tuple[Document, Document]:
    """The whole metadata, and what is left with a filter for a column of some tables: that of the first row."""
    async with case.subscriber() as peer:
        await peer.begin()
        whole = await ask(peer)
        texts = []
        for table, column in statements:
            cells = whole.column(table, column)
            if not cells:
                raise Skip(f"its metadata has no {column} in {table}")
            texts.append(f"FILTER {table} WHERE {column} = '{cells[0]}'")
        return whole, await ask(peer, ";".join(texts))


def _require_narrowed(case: Case, whole: Document, narrow: Document, table: str, column: str) -> None:
    first = whole.column(table, column)[0]
    wanted = [row for row in whole.rows(table) if row.get(column) == first]
    if len(wanted) == len(whole.rows(table)):
        raise Skip(f"all rows of {table} have the same {column}")
    got = narrow.column(table, column)
    case.require(
        got == [first] * len(wanted), f"{len(wanted)} rows of {table} whose {column} is {first}", f"{len(got)}: {got}"
    )


@check(PUBLISHER)
async def metadata_filter_narrows_its_table(case: Case) -> None:
    """A filter statement narrows the table that it names, and no other."""
    whole, narrow = await _filtered(case, ("MeasurementDetail", "SignalAcronym"))
    _require_narrowed(case, whole, narrow, "MeasurementDetail", "SignalAcronym")
    before, after = (len(each.rows("DeviceDetail")) for each in (whole, narrow))
    case.require(after == before, f"all {before} devices, because no statement names DeviceDetail", after)


@check(PUBLISHER)
async def metadata_filters_narrow_a_table_each(case: Case) -> None:
    """Statements separated by semicolons narrow their own tables."""
    async with case.subscriber() as peer:
        await peer.begin()
        whole = await ask(peer)
        first = whole.column("MeasurementDetail", "SignalAcronym")[0]
        narrow = await ask(
            peer,
            "FILTER DeviceDetail WHERE Acronym = 'nobody has this';"
            f"FILTER MeasurementDetail WHERE SignalAcronym = '{first}'",
        )
    _require_narrowed(case, whole, narrow, "MeasurementDetail", "SignalAcronym")
    case.require(not narrow.rows("DeviceDetail"), "no device, as the first statement says", narrow.rows("DeviceDetail"))


@check(PUBLISHER)
async def answers_an_unreadable_metadata_filter(case: Case) -> None:
    """A filter that cannot be read is answered, with Failed or with a document, and the connection is kept."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.MetadataRefresh(filter_expression="FILTER WHERE ("))
        await peer.expect(
            (responses.Metadata, responses.Failed),
            lambda answer: getattr(answer, "command", None) == _REFRESH,
            what="Failed or a document for a filter that cannot be read",
        )
        await ask(peer)


@check(PUBLISHER)
async def metadata_filter_that_matches_nothing_leaves_the_schema(case: Case) -> None:
    """A filter that matches nothing leaves the schema, and an empty table."""
    async with case.subscriber() as peer:
        await peer.begin()
        found = await ask(peer, "FILTER MeasurementDetail WHERE SignalAcronym = 'NONE'")
    case.require("MeasurementDetail" in found.tables, "a schema with MeasurementDetail", [*found.tables])
    got = len(found.rows("MeasurementDetail"))
    case.require(got == 0, "no row of MeasurementDetail", got)


@check(PUBLISHER)
async def metadata_has_the_shape_that_readers_take(case: Case) -> None:
    """A document has its schema inline, in the shape that every reader takes, and rows that the schema declares."""
    for fault in shape_amiss(await metadata(case)):
        raise Violation(f"expected {fault}")


@check(PUBLISHER)
async def cells_fit_their_types(case: Case) -> None:
    """The text of each cell is one of the type of its column, and the ID of a measurement is a key."""
    found = await metadata(case)
    for fault in cells_amiss(found):
        raise Violation(f"expected a text for {fault}")
    for key in found.column("MeasurementDetail", "ID"):
        source, colon, number = key.rpartition(":")
        case.require(colon and source and number.isdecimal(), "an ID of the form SOURCE:number", repr(key))


@check(PUBLISHER)
async def dates_are_readable_by_everyone(case: Case) -> None:
    """Dates are written with a fraction and the offset +00:00, the one form that all readers take."""
    found = await metadata(case)
    for table, columns in found.tables.items():
        for column, kind in columns.items():
            for text in found.column(table, column) if kind == "dateTime" else ():
                time, _, offset = text.partition("+")
                case.require(
                    offset == "00:00" and time.rpartition(".")[2].isdecimal(), "a fraction and +00:00 in a date", text
                )


@check(PUBLISHER)
async def has_the_standard_tables(case: Case) -> None:
    """The standard tables are there, with the columns on which readers rely."""
    found = (await metadata(case)).tables
    version = "VersionInfo" if "VersionInfo" in found else "SchemaVersion"
    optional = {"DestinationPhasorID", "BaseKV", "NodeID", "ProtocolName", "FramesPerSecond"}
    for table, columns in {**TABLES, version: TABLES["SchemaVersion"]}.items():
        if table == "SchemaVersion" != version:
            continue
        missing = set(columns) - set(found.get(table, ())) - optional
        case.require(
            not missing, f"the table {table} with all its columns", f"one without {', '.join(sorted(missing))}"
        )


@check(PUBLISHER)
async def signal_ids_are_distinct(case: Case) -> None:
    """Signal IDs are distinct, and not all zero."""
    found = (await metadata(case)).column("MeasurementDetail", "SignalID")
    case.require(len(set(found)) == len(found), "distinct signal IDs", found)
    case.require(all(UUID(text).int for text in found), "no signal ID of zeros", found)


@check(PUBLISHER)
async def metadata_bytes_match_their_declaration(case: Case) -> None:
    """The bytes of a document are in the encoding that it declares, UTF-8 without one, in every session."""
    for name in case.implementation.adapter.capabilities.get("encodings", ("utf-8",)):
        found = await metadata(case, replace(TSSC, encoding=_ENCODINGS[name]))
        case.require(found.signal_ids, f"a document with signals in a session of {name}", "none")
