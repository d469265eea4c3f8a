from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from sttp.catalogue import OWNERSHIP, SMALL, Catalogue
from sttp.codes import ModeFlags, OperationalModes
from sttp.errors import FilterError, UsageError
from sttp.measurement import SignalTable
from sttp.metadata import Metadata, simulated_metadata
from sttp.metadata.records import DeviceRecord
from sttp.wire.fields import inflate, is_gzip

GRID = simulated_metadata(45)
EVERYTHING = "FILTER ActiveMeasurements WHERE True"


def read(document: bytes) -> Metadata:
    return Metadata.read(inflate(document, limit=1 << 30, name="metadata"))


# --- signals


def test_a_subscription_gets_the_signals_numbered_anew_in_the_order_asked_for() -> None:
    signals = Catalogue(GRID).select("SIM:7;SIM:3")
    assert [signal.key for signal in signals] == ["SIM:7", "SIM:3"]
    assert signals[0] == GRID.signals[6]


def test_everything_is_everything() -> None:
    assert Catalogue(GRID).select(EVERYTHING) == GRID.signals


def test_nothing_is_nothing() -> None:
    assert len(Catalogue(GRID).select("")) == 0
    assert len(Catalogue(Metadata()).select(EVERYTHING)) == 0


@pytest.mark.parametrize("expression", ["FILTER Elsewhere WHERE True", "nobody", "FILTER ActiveMeasurements WHERE"])
def test_what_cannot_be_selected(expression: str) -> None:
    with pytest.raises(FilterError):
        Catalogue(GRID).select(expression)


async def test_who_asks_for_the_same_at_the_same_time_gets_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2)

    select = Metadata.select

    def select_together(metadata: Metadata, expression: str) -> SignalTable:
        together.wait(timeout=10)
        return select(metadata, expression)

    monkeypatch.setattr(Metadata, "select", select_together)
    catalogue = Catalogue(GRID)
    first, second = await asyncio.gather(*(asyncio.to_thread(catalogue.select, EVERYTHING) for _ in range(2)))
    assert first is second


# --- documents


def modes(compress: bool, owned: ModeFlags = OWNERSHIP) -> OperationalModes:
    """Modes that ask for everything, or for what is internal or external."""
    return OperationalModes(flags=owned | (ModeFlags.EVERYTHING_COMPRESSED if compress else ModeFlags(0)))


@pytest.mark.parametrize("compress", [False, True])
async def test_the_whole_document(compress: bool) -> None:
    document = await Catalogue(GRID).document("", modes(compress))
    assert is_gzip(document) is compress
    assert read(document) == GRID


async def test_the_whole_document_is_made_once_for_each_form() -> None:
    catalogue = Catalogue(GRID)
    plain, packed = await catalogue.document("", modes(False)), await catalogue.document("", modes(True))
    assert await catalogue.document("  ", modes(False)) is plain
    assert await catalogue.document("", modes(True)) is packed


@pytest.mark.parametrize("compress", [False, True])
async def test_a_part_of_the_document(compress: bool) -> None:
    catalogue = Catalogue(GRID)
    part = read(await catalogue.document("FILTER TOP 2 MeasurementDetail WHERE True", modes(compress)))
    assert len(part.signals) == 2
    assert part.devices == GRID.devices
    assert read(await catalogue.document("", modes(compress))) == GRID, "the whole is kept apart from parts"


@pytest.mark.parametrize("expression", ["FILTER Elsewhere WHERE True", "SIM:1", "FILTER"])
async def test_a_document_that_cannot_be_asked_for(expression: str) -> None:
    with pytest.raises(FilterError):
        await Catalogue(GRID).document(expression, modes(False))


async def test_what_xml_cannot_carry_is_an_error_of_the_caller() -> None:
    with pytest.raises(UsageError):
        await Catalogue(Metadata.of(devices=[DeviceRecord(acronym="\0")])).document("", modes(True))


async def test_a_large_document_does_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made beside the loop, which turns meanwhile."""
    made_by: list[threading.Thread] = []
    turned = threading.Event()
    write = Metadata.write

    def seen(metadata: Metadata) -> bytes:
        made_by.append(threading.current_thread())
        assert turned.wait(10), "the loop stood still"
        return write(metadata)

    monkeypatch.setattr(Metadata, "write", seen)
    large = simulated_metadata(SMALL + 1)
    making = asyncio.create_task(Catalogue(large).document("", modes(True)))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(turned.set)
    assert read(await making) == large
    assert made_by != [threading.main_thread()]


@pytest.mark.parametrize(
    ("owned", "expected"),
    [
        (ModeFlags(0), ["own"]),
        (ModeFlags.RECEIVE_INTERNAL_METADATA, ["own"]),
        (ModeFlags.RECEIVE_EXTERNAL_METADATA, ["other"]),
        (OWNERSHIP, ["own", "other"]),
    ],
)
async def test_metadata_of_whom_the_modes_ask_for(owned: ModeFlags, expected: list[str]) -> None:
    records = simulated_metadata(2).measurements
    signals = [replace(records[0], tag="own", internal=True), replace(records[1], tag="other", internal=False)]
    catalogue = Catalogue(Metadata.of(measurements=signals))
    for expression in ("", "FILTER MeasurementDetail WHERE True"):
        document = read(await catalogue.document(expression, modes(True, owned)))
        assert [record.tag for record in document.measurements] == expected
