"""Metadata (wire.md 8, metadata.md): what a publisher gives, whole and filtered, and what a subscriber can read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import numpy as np

from sttp.codes import Command, ModeFlags, OperationalModes, TextEncoding
from sttp.wire import commands, responses
from sttp.wire.fields import deflate, is_gzip
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.dataset import TABLES, document
from sttp_conformance.grid import DEVICE, MEASUREMENTS, METADATA, SIGNALS, rows
from sttp_conformance.metadata_reading import Document, cells_amiss, parse, shape_amiss
from sttp_conformance.metadata_samples import (
    MUST_BE_READ,
    as_dotnet_writes_it,
    bomb,
    in_any_order,
    with_entity,
    with_external_entity,
)
from sttp_conformance.picking import everything, publish_and_compare, reads_metadata
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import TSSC, ScriptedSubscriber
from sttp_conformance.sessions import cache_goes_on
from sttp_conformance.violation import NotSupported, Skip, Violation

_ENCODINGS = {"utf-8": TextEncoding.UTF_8, "utf-16le": TextEncoding.UTF_16LE, "utf-16be": TextEncoding.UTF_16BE}
_INTERNAL, _EXTERNAL = ModeFlags.RECEIVE_INTERNAL_METADATA, ModeFlags.RECEIVE_EXTERNAL_METADATA
_IDS = sorted(str(signal.signal_id) for signal in SIGNALS)
_REFRESH = Command.METADATA_REFRESH
_PATIENCE = 120.0
"""Seconds in which a subscriber is to give up waiting for its metadata."""

_BACKWARDS = np.arange(len(SIGNALS))[::-1]


# --- publishers


async def _ask(peer: ScriptedSubscriber, expression: str = "") -> Document:
    """Ask for metadata, and read what comes."""
    await peer.say(commands.MetadataRefresh(filter_expression=expression))
    answer = await peer.expect(responses.Metadata, what="Succeeded for MetadataRefresh")
    return parse(answer.document)


async def _metadata(case: Case, modes: OperationalModes = TSSC) -> Document:
    """The whole metadata, in a session of its own."""
    async with case.subscriber() as peer:
        await peer.begin(modes)
        return await _ask(peer)


@check(PUBLISHER)
async def answers_metadata_refresh(case: Case) -> None:
    """MetadataRefresh is answered with Succeeded, whose payload is the document itself, with all signals."""
    found = await _metadata(case)
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
        whole = await _ask(peer)
        texts = []
        for table, column in statements:
            cells = whole.column(table, column)
            if not cells:
                raise Skip(f"its metadata has no {column} in {table}")
            texts.append(f"FILTER {table} WHERE {column} = '{cells[0]}'")
        return whole, await _ask(peer, ";".join(texts))


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
        whole = await _ask(peer)
        first = whole.column("MeasurementDetail", "SignalAcronym")[0]
        narrow = await _ask(
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
        await _ask(peer)


@check(PUBLISHER)
async def metadata_filter_that_matches_nothing_leaves_the_schema(case: Case) -> None:
    """A filter that matches nothing leaves the schema, and an empty table."""
    async with case.subscriber() as peer:
        await peer.begin()
        found = await _ask(peer, "FILTER MeasurementDetail WHERE SignalAcronym = 'NONE'")
    case.require("MeasurementDetail" in found.tables, "a schema with MeasurementDetail", [*found.tables])
    got = len(found.rows("MeasurementDetail"))
    case.require(got == 0, "no row of MeasurementDetail", got)


@check(PUBLISHER)
async def metadata_has_the_shape_that_readers_take(case: Case) -> None:
    """A document has its schema inline, in the shape that every reader takes, and rows that the schema declares."""
    for fault in shape_amiss(await _metadata(case)):
        raise Violation(f"expected {fault}")


@check(PUBLISHER)
async def cells_fit_their_types(case: Case) -> None:
    """The text of each cell is one of the type of its column, and the ID of a measurement is a key."""
    found = await _metadata(case)
    for fault in cells_amiss(found):
        raise Violation(f"expected a text for {fault}")
    for key in found.column("MeasurementDetail", "ID"):
        source, colon, number = key.rpartition(":")
        case.require(colon and source and number.isdecimal(), "an ID of the form SOURCE:number", repr(key))


@check(PUBLISHER)
async def dates_are_readable_by_everyone(case: Case) -> None:
    """Dates are written with a fraction and the offset +00:00, the one form that all readers take."""
    found = await _metadata(case)
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
    found = (await _metadata(case)).tables
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
    found = (await _metadata(case)).column("MeasurementDetail", "SignalID")
    case.require(len(set(found)) == len(found), "distinct signal IDs", found)
    case.require(all(UUID(text).int for text in found), "no signal ID of zeros", found)


@check(PUBLISHER)
async def metadata_bytes_match_their_declaration(case: Case) -> None:
    """The bytes of a document are in the encoding that it declares, UTF-8 without one, in every session."""
    for name in case.implementation.adapter.capabilities.get("encodings", ("utf-8",)):
        found = await _metadata(case, replace(TSSC, encoding=_ENCODINGS[name]))
        case.require(found.signal_ids, f"a document with signals in a session of {name}", "none")


# --- publishers whose metadata the suite defines


async def _redefine(case: Case, measurements: Sequence[Mapping[str, object]], *devices: Mapping[str, object]) -> None:
    defined: dict[str, Sequence[Mapping[str, object]]] = {
        "DeviceDetail": devices,
        "MeasurementDetail": measurements,
        "SchemaVersion": [{"VersionNumber": 14}],
    }
    await case.control.ask("redefine-metadata", document=document(defined).decode())


def _measurement(number: int, **cells: object) -> dict[str, object]:
    """A row of `MeasurementDetail` beyond those of the suite."""
    signal_id = uuid5(SIGNALS[0].signal_id, str(number))
    made = {"ID": f"SUITE:{number}", "SignalID": signal_id, "PointTag": f"SUITE!BUS1:{number}"}
    return {**MEASUREMENTS[0], **made, **cells}


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def answers_metadata_refresh_without_metadata(case: Case) -> None:
    """A publisher that has no metadata answers too: with an empty document, nothing, or Failed."""
    await case.control.ask("redefine-metadata", document=document({}).decode())
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.MetadataRefresh())
        answer = await peer.expect(
            (responses.Metadata, responses.Failed),
            lambda answer: getattr(answer, "command", None) == _REFRESH,
            what="an answer to MetadataRefresh",
        )
        if isinstance(answer, responses.Metadata) and answer.document:
            case.require(not parse(answer.document).signal_ids, "a document without signals", "one with some")


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def null_cells_are_absent(case: Case) -> None:
    """Null is an absent element, and an empty element is an empty text."""
    null = {name: cell for name, cell in _measurement(101).items() if name != "Description"}
    await _redefine(case, [null, _measurement(102, Description="")], DEVICE)
    got = [row.get("Description") for row in (await _metadata(case)).rows("MeasurementDetail")]
    case.require(got == [None, ""], "no element for a null description, and an empty one for an empty text", got)


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def metadata_texts_survive_the_journey(case: Case) -> None:
    """Texts come back as they were defined: letters beyond ASCII, what XML escapes, blanks and case."""
    texts = ["Übergabe ΔΦ 変電所", "<a & b> \"c\" 'd'", "two  blanks, MiXed case", "a-b_c!d.e:f;g{h}"]
    await _redefine(case, [_measurement(110 + n, Description=text) for n, text in enumerate(texts)], DEVICE)
    got = (await _metadata(case)).column("MeasurementDetail", "Description")
    case.require(got == texts, f"the texts {texts}", got)


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True, topic="announces_changes")
async def announces_changed_metadata(case: Case) -> None:
    """When its metadata changes, a publisher tells connected subscribers ConfigurationChanged, without a payload."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.fence()
        await _redefine(case, [*MEASUREMENTS, _measurement(120)], DEVICE)
        deadline = asyncio.get_running_loop().time() + case.grace.reply
        while True:
            heard = await peer.hear_frame(within=max(deadline - asyncio.get_running_loop().time(), 0.0))
            if heard[0] == responses.ConfigurationChanged.code:
                break
        case.require(heard[2:] == bytes(4), "ConfigurationChanged without a payload", heard.hex(" "))


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def refresh_gives_the_new_metadata(case: Case) -> None:
    """After its metadata has changed, a publisher gives the new document."""
    async with case.subscriber() as peer:
        await peer.begin()
        await _ask(peer)
        added = _measurement(121)
        await _redefine(case, [*MEASUREMENTS, added], DEVICE)
        found = await _ask(peer)
    wanted = {signal.signal_id for signal in SIGNALS} | {added["SignalID"]}
    case.require(found.signal_ids == wanted, f"the signals of the new metadata, {wanted}", found.signal_ids)


_OWNED = {**DEVICE, "Acronym": "OWNED", "UniqueID": uuid5(SIGNALS[0].signal_id, "owned")}
_FOREIGN = {
    **DEVICE, "Acronym": "FOREIGN", "UniqueID": uuid5(SIGNALS[0].signal_id, "foreign"), "OriginalSource": "ELSEWHERE"
}  # fmt: skip


async def _owned(case: Case, flags: ModeFlags) -> tuple[set[str], set[str]]:
    """Devices and measurements that come with certain bits, where there are internal and external ones."""
    internal = _measurement(130, Internal="true", DeviceAcronym="OWNED")
    external = _measurement(131, Internal="false", DeviceAcronym="FOREIGN")
    await _redefine(case, [internal, external], _OWNED, _FOREIGN)
    found = await _metadata(case, replace(TSSC, flags=TSSC.flags | flags))
    return set(found.column("DeviceDetail", "Acronym")), set(found.column("MeasurementDetail", "ID"))


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def both_ownership_bits_ask_for_all_rows(case: Case) -> None:
    """With both ownership bits, rows are not narrowed by ownership."""
    devices, measurements = await _owned(case, _INTERNAL | _EXTERNAL)
    case.require(devices == {"OWNED", "FOREIGN"}, "both devices", devices)
    case.require(measurements == {"SUITE:130", "SUITE:131"}, "both measurements", measurements)


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def ownership_bits_narrow_the_rows(case: Case) -> None:
    """With one ownership bit, or none, only internal or only external rows come, without what lost its partner."""
    for flags, device, measurement in (
        (_INTERNAL, "OWNED", "SUITE:130"),
        (ModeFlags(0), "OWNED", "SUITE:130"),
        (_EXTERNAL, "FOREIGN", "SUITE:131"),
    ):
        devices, measurements = await _owned(case, flags)
        case.require(
            measurements == {measurement}, f"the measurement {measurement} alone, with {flags!r}", measurements
        )
        case.require(devices == {device}, f"the device {device} alone, with {flags!r}", devices)


@check(PUBLISHER, needs=("control:publish",))
async def serves_metadata_while_streaming(case: Case) -> None:
    """Metadata is given while data flows, as often as it is asked for, and the data goes on."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        first = await _ask(peer)
        for _ in range(3):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            again = await _ask(peer)
            case.require(again.signal_ids == first.signal_ids, "the same signals each time", again.signal_ids)
        await publish_and_compare(case, peer, signals, *range(len(signals)))


# --- subscribers that are told to ask


async def _refreshed(case: Case, peer: ScriptedPublisher, given: bytes) -> list[str]:
    """Let the subscriber ask for its metadata, and answer with a document.

    Returns:
        The signals that it finds.
    """
    asking = asyncio.create_task(case.control.ask("refresh-metadata"))
    try:
        await peer.expect(commands.MetadataRefresh)
        packed = given and peer.modes.compress_metadata and not is_gzip(given)
        await peer.say(responses.Metadata(document=deflate(given) if packed else given))
        return sorted((await asking)["signals"])
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError, ControlError):
            await asking


async def _reads(case: Case, given: bytes, what: str) -> None:
    async with case.publisher() as peer:
        await peer.serve()
        found = await _refreshed(case, peer, given)
        case.require(found == _IDS, f"the eight signals of {what}", found)


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def metadata_request_has_an_exact_length(case: Case) -> None:
    """MetadataRefresh is empty, or a length with exactly that many bytes of text."""
    async with case.publisher() as peer:
        await peer.serve()
        await _refreshed(case, peer, METADATA)
        for speaker, data in peer.recording.taken:
            if speaker is not peer.role and data[4] == _REFRESH and len(data) > 5:
                length = int.from_bytes(data[5:9], "big")
                case.require(length == len(data) - 9, f"a length of {len(data) - 9} before the text", length)


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def reads_metadata_as_dotnet_writes_it(case: Case) -> None:
    """A document as .NET writes it is read: another root, and attributes of its own."""
    await _reads(case, as_dotnet_writes_it(), "a document as .NET writes it")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def reads_metadata_as_cpp_writes_it(case: Case) -> None:
    """A document as the C++ and Python implementations write it is read."""
    await _reads(case, METADATA, "a document with the root DataSet and the prefix ext")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def reads_metadata_in_any_order(case: Case) -> None:
    """The order of tables, rows and columns means nothing."""
    await _reads(case, in_any_order(), "a document in another order")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def ignores_unknown_metadata_elements(case: Case) -> None:
    """Elements and attributes that nobody has declared are ignored."""
    await _reads(case, MUST_BE_READ["unknown elements"], "a document with unknown elements")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def reads_every_form_of_dates(case: Case) -> None:
    """Dates are read with a fraction of no to seven digits, with Z, with an offset, and with none."""
    await _reads(case, MUST_BE_READ["dates of every form"], "a document with dates of every form")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def reads_every_form_of_guids(case: Case) -> None:
    """Guids are read in braces and in capital letters too."""
    await _reads(case, MUST_BE_READ["Guids of every form"], "a document with Guids of every form")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def keeps_metadata_with_an_unreadable_cell(case: Case) -> None:
    """A cell that cannot be read, or a column of an unknown type, costs no more than that cell."""
    await _reads(case, MUST_BE_READ["unreadable cells"], "a document with cells that cannot be read")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def tolerates_missing_metadata_tables(case: Case) -> None:
    """Tables and columns may be missing."""
    await _reads(case, MUST_BE_READ["few tables and columns"], "a document with MeasurementDetail alone")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def skips_metadata_rows_without_a_signal_id(case: Case) -> None:
    """A row whose signal ID is missing or all zero is skipped."""
    await _reads(case, MUST_BE_READ["rows without a signal ID"], "a document in which two rows have no signal ID")


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def reads_metadata_in_other_encodings(case: Case) -> None:
    """A byte order mark is no harm, and a document in UTF-16 is read by what it declares."""
    for what in ("a byte order mark", "UTF-16"):
        await _reads(case, MUST_BE_READ[what], f"a document with {what}")


@check(SUBSCRIBER, needs=("control:refresh-metadata",), topic="")
async def refuses_metadata_with_a_dtd(case: Case) -> None:
    """A document with a DTD is refused, and entities that multiply do no harm."""
    for given in (with_entity(), bomb()):
        async with case.publisher() as peer:
            await peer.serve()
            found: list[str] = []
            with suppress(Violation):
                found = await _refreshed(case, peer, given)
            case.require(not found, "no metadata from a document with a DTD", found)
    await _reads(case, METADATA, "a good document afterwards")


@check(SUBSCRIBER, needs=("control:refresh-metadata",), topic="")
async def fetches_no_external_entity(case: Case) -> None:
    """What an entity of a document names elsewhere is never fetched."""
    visits: list[object] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer)
        writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    async with server, case.publisher() as peer:
        await peer.serve()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/note"
        with suppress(Violation):
            await _refreshed(case, peer, with_external_entity(url))
        case.require(not visits, "that nobody fetches an external entity", "a connection")


# --- subscribers that ask by themselves


@asynccontextmanager
async def _answering(case: Case, *answer: Any) -> AsyncIterator[ScriptedPublisher]:
    """A publisher that answers each MetadataRefresh with something, up to the Subscribe."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        peer.polite = False
        asked = False
        while not isinstance(said := await _next_wish(peer), commands.Subscribe):
            if isinstance(said, commands.MetadataRefresh):
                asked = True
                await peer.say(*answer)
        if not asked:
            raise NotSupported("it subscribes before it asks for metadata, if it does so at all")
        peer.polite = True
        peer.asked = SubscriptionOptions.from_connection_string(said.connection_string)
        yield peer


async def _next_wish(peer: ScriptedPublisher) -> Any:
    return await peer.expect((commands.MetadataRefresh, commands.Unsubscribe, commands.Subscribe), what="Subscribe")


@check(SUBSCRIBER)
async def tolerates_empty_metadata(case: Case) -> None:
    """An empty answer to MetadataRefresh means that there is no metadata; the subscription follows all the same."""
    async with _answering(case, responses.Metadata(document=b"")) as peer:
        await peer.offer()


@check(SUBSCRIBER)
async def goes_on_when_metadata_is_refused(case: Case) -> None:
    """Failed for MetadataRefresh does not end the session; the subscription follows all the same."""
    async with _answering(case, responses.Failed(command=_REFRESH, text="Metadata is not available.")) as peer:
        await peer.offer()


@check(SUBSCRIBER, slow=True, topic="")
async def subscribes_though_metadata_never_comes(case: Case) -> None:
    """A MetadataRefresh that is never answered does not hold up the subscription for ever."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        peer.polite = False
        if isinstance(await _next_wish(peer), commands.Subscribe):
            raise NotSupported("it subscribes before it asks for metadata, if it does so at all")
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            await peer.say(responses.NoOP())
            with suppress(TimeoutError):
                said = await peer.hear(within=1.0)
                case.require(said is not None, "a Subscribe on this connection", "its end")
                if isinstance(said, commands.Subscribe):
                    break
        else:
            raise Violation(f"expected a Subscribe within {_PATIENCE:g} s of a MetadataRefresh that nobody answers")
        peer.asked = SubscriptionOptions.from_connection_string(said.connection_string)
        await peer.offer()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, topic="")
async def survives_metadata_that_is_no_metadata(case: Case) -> None:
    """A document without schema, or one that is no XML, does no more harm than to be refused."""
    schema = METADATA.index(b"<xs:schema"), METADATA.index(b"</xs:schema>") + len(b"</xs:schema>")
    for bad in (METADATA[: schema[0]] + METADATA[schema[1] :], b"this is no XML <at all"):
        with suppress(Violation, NotSupported):
            async with _answering(case, responses.Metadata(document=bad)) as peer:
                await peer.offer()
        async with case.publisher() as peer:
            await peer.serve()


# --- subscribers and changes


async def _follow(case: Case, peer: ScriptedPublisher) -> list[Any]:
    """Attend to what a subscriber does about changed metadata, for a while: it may subscribe anew.

    Returns:
        What it said.
    """
    said: list[Any] = []
    with suppress(TimeoutError):
        while (command := await peer.hear(within=case.grace.quiet)) is not None:
            said.append(command)
            match command:
                case commands.MetadataRefresh():
                    await peer.give_metadata()
                case commands.Unsubscribe():
                    await peer.say(responses.Succeeded(command=Command.UNSUBSCRIBE))
                case commands.Subscribe():
                    peer.asked = SubscriptionOptions.from_connection_string(command.connection_string)
                    await peer.offer(cache_index=1 - peer.active)
    return said


@check(SUBSCRIBER, needs=("control:report",))
async def tolerates_configuration_changed(case: Case) -> None:
    """ConfigurationChanged does no harm at any time: before the modes are answered, while idle, while streaming."""
    async with case.publisher() as peer:
        await peer.say(responses.ConfigurationChanged())
        await peer.serve()
        await peer.say(responses.ConfigurationChanged())
        await _follow(case, peer)
        sent = case.frame(0, 1)
        await peer.send(sent)
        received = await case.received(2)
        case.require(received == rows(sent, SIGNALS), "the stream to go on", received)


@check(SUBSCRIBER)
async def asks_again_after_configuration_changed(case: Case) -> None:
    """After ConfigurationChanged a subscriber asks for the metadata again."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(responses.ConfigurationChanged())
        await peer.find(commands.MetadataRefresh, what="another MetadataRefresh")


@check(SUBSCRIBER, needs=("control:report",))
async def takes_signal_indexes_from_the_cache(case: Case) -> None:
    """Signal indexes come from the signal index cache alone, whatever the order of the metadata."""
    backwards = SIGNALS.select(_BACKWARDS)
    async with case.publisher() as peer:
        await peer.serve(backwards)
        sent = case.frame(0, 1, 7)
        await peer.send(sent)
        received = await case.received(3)
        case.require(received == rows(sent, backwards), "the signals of the signal index cache", received)
