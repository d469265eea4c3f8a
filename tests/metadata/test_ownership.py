"""Whose measurements a subscriber wants to hear of (metadata.md 7, wire.md 8.3)."""

from __future__ import annotations

from uuid import UUID

import pytest

from sttp.codes import ModeFlags
from sttp.metadata import Column, ColumnType, DataSet, DeviceRecord, MeasurementRecord, Metadata, PhasorRecord, Table
from sttp.metadata.ownership import owned_as_asked, without_lone_rows

INTERNAL, EXTERNAL = ModeFlags.RECEIVE_INTERNAL_METADATA, ModeFlags.RECEIVE_EXTERNAL_METADATA
NEITHER = ModeFlags.COMPRESS_METADATA

METADATA = Metadata.of(
    devices=[DeviceRecord(acronym="OWN"), DeviceRecord(acronym="FOREIGN", original_source="ELSEWHERE")],
    measurements=[
        MeasurementRecord(signal_id=UUID(int=1), key="A:1", device_acronym="own", phasor_source_index=1),
        MeasurementRecord(signal_id=UUID(int=2), key="A:2", device_acronym="FOREIGN", internal=False),
        MeasurementRecord(signal_id=UUID(int=3), key="A:3"),
    ],
    phasors=[
        PhasorRecord(device_acronym="OWN", source_index=1),
        PhasorRecord(device_acronym="foreign", source_index=1),
    ],
)
DATASET = METADATA.dataset


def names(dataset: DataSet) -> tuple[list[str], list[str], list[str]]:
    found = Metadata(dataset)
    return (
        [device.acronym for device in found.devices],
        [measurement.key for measurement in found.measurements],
        [phasor.device_acronym for phasor in found.phasors],
    )


@pytest.mark.parametrize(
    ("modes", "devices", "measurements"),
    [
        (NEITHER, ["OWN"], ["A:1", "A:3"]),
        (INTERNAL, ["OWN"], ["A:1", "A:3"]),
        (EXTERNAL, ["FOREIGN"], ["A:2"]),
        (INTERNAL | EXTERNAL, ["OWN", "FOREIGN"], ["A:1", "A:2", "A:3"]),
    ],
)
def test_the_modes_say_whose(modes: ModeFlags, devices: list[str], measurements: list[str]) -> None:
    assert names(owned_as_asked(DATASET, modes)) == (devices, measurements, ["OWN", "foreign"])


def test_between_ends_that_publish_to_each_other_devices_are_not_told_apart() -> None:
    assert names(owned_as_asked(DATASET, INTERNAL, mutual=True))[:2] == (["OWN", "FOREIGN"], ["A:1", "A:3"])


def test_nothing_left_out_is_the_same_data_set() -> None:
    assert owned_as_asked(DATASET, INTERNAL | EXTERNAL) is DATASET
    assert owned_as_asked(DataSet(), NEITHER) == DataSet()
    internal = owned_as_asked(DATASET, INTERNAL)
    assert owned_as_asked(internal, INTERNAL) is internal


def test_tables_are_known_by_their_columns() -> None:
    flags = Table.of("Any", [Column("internal", ColumnType.INT64)], [{"internal": each} for each in (1, 0, None, 2)])
    sources = Table.of("Other", [Column("OriginalSource")], [{"OriginalSource": each} for each in ("x", "", None)])
    without = Table.of("Without", [Column("A")], [{"A": "x"}])
    dataset = DataSet(tables=(flags, sources, without))
    kept = owned_as_asked(dataset, INTERNAL)
    assert list(kept.table("Any").column("internal")) == [1, 2]
    assert list(kept.table("Other").column("OriginalSource")) == ["", None]
    assert kept.table("Without") is without
    kept = owned_as_asked(dataset, EXTERNAL)
    assert list(kept.table("Any").column("internal")) == [0, None]
    assert list(kept.table("Other").column("OriginalSource")) == ["x"]


def test_rows_that_have_lost_their_partners_are_left_out() -> None:
    assert names(without_lone_rows(owned_as_asked(DATASET, INTERNAL))) == (["OWN"], ["A:1", "A:3"], ["OWN"])
    assert names(without_lone_rows(owned_as_asked(DATASET, EXTERNAL))) == (["FOREIGN"], ["A:2"], ["foreign"])
    assert without_lone_rows(DATASET) is DATASET


def test_all_lone_rows_are_looked_for_before_any_is_left_out() -> None:
    lone = Metadata.of(
        devices=[DeviceRecord(acronym="A"), DeviceRecord(acronym="B")],
        measurements=[MeasurementRecord(signal_id=UUID(int=1), key="A:1", device_acronym="A", phasor_source_index=2)],
        phasors=[PhasorRecord(device_acronym="B", source_index=1), PhasorRecord(device_acronym="C", source_index=1)],
    )
    assert names(without_lone_rows(lone.dataset)) == (["A"], [], ["B"])


def test_without_all_three_tables_nothing_is_lone() -> None:
    dataset = DataSet(tables=(DATASET.table("MeasurementDetail"),))
    assert without_lone_rows(dataset) is dataset
