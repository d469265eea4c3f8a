"""A publisher whose metadata the suite defines (wire.md 7.4, 8.3, metadata.md 3, 7): cells, changes, ownership."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid5

from sttp.codes import Command, ModeFlags
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.cases.metadata.answers import ask, metadata
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.dataset import document
from sttp_conformance.grid import DEVICE, MEASUREMENTS, SIGNALS
from sttp_conformance.metadata_reading import parse
from sttp_conformance.picking import everything, publish_and_compare
from sttp_conformance.scripted_subscriber import TSSC

_INTERNAL, _EXTERNAL = ModeFlags.RECEIVE_INTERNAL_METADATA, ModeFlags.RECEIVE_EXTERNAL_METADATA

_REFRESH = Command.METADATA_REFRESH


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
    got = [row.get("Description") for row in (await metadata(case)).rows("MeasurementDetail")]
    case.require(got == [None, ""], "no element for a null description, and an empty one for an empty text", got)


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def metadata_texts_survive_the_journey(case: Case) -> None:
    """Texts come back as they were defined: letters beyond ASCII, what XML escapes, blanks and case."""
    texts = ["Übergabe ΔΦ 変電所", "<a & b> \"c\" 'd'", "two  blanks, MiXed case", "a-b_c!d.e:f;g{h}"]
    await _redefine(case, [_measurement(110 + n, Description=text) for n, text in enumerate(texts)], DEVICE)
    got = (await metadata(case)).column("MeasurementDetail", "Description")
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
        await ask(peer)
        added = _measurement(121)
        await _redefine(case, [*MEASUREMENTS, added], DEVICE)
        found = await ask(peer)
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
    found = await metadata(case, replace(TSSC, flags=TSSC.flags | flags))
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
        first = await ask(peer)
        for _ in range(3):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            again = await ask(peer)
            case.require(again.signal_ids == first.signal_ids, "the same signals each time", again.signal_ids)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
