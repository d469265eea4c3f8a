"""What a subscriber reads (metadata.md 2 to 5, 9), when it is told to ask."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sttp.codes import Command
from sttp.wire import commands, responses
from sttp.wire.fields import deflate, is_gzip
from sttp_conformance.case import Case
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.grid import METADATA, SIGNALS
from sttp_conformance.metadata_samples import (
    MUST_BE_READ,
    as_dotnet_writes_it,
    bomb,
    in_any_order,
    with_entity,
    with_external_entity,
)
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.violation import Violation

_IDS = sorted(str(signal.signal_id) for signal in SIGNALS)

_REFRESH = Command.METADATA_REFRESH


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
