from dataclasses import fields
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sttp.metadata import Column, ColumnType, DeviceRecord, MeasurementRecord, PhasorRecord, Table
from sttp.metadata.records import DEVICES, MEASUREMENTS, PHASORS, RecordTable

SIGNAL = UUID(int=1)


@pytest.mark.parametrize("standard", [DEVICES, MEASUREMENTS, PHASORS], ids=lambda each: each.name)
def test_every_attribute_has_its_column(standard: RecordTable[Any]) -> None:
    attributes = {each.name for each in fields(standard.record)}
    assert set(standard.columns) == attributes
    assert set(standard.required) <= attributes


def test_records_survive_a_round_trip() -> None:
    devices = (
        DeviceRecord(acronym="A", longitude=Decimal("-1.50"), frames_per_second=30, updated_on=5, unique_id=SIGNAL),
        DeviceRecord(acronym="B", is_concentrator=True, enabled=False),
    )
    assert DEVICES.from_table(DEVICES.to_table(devices)) == devices
    measurements = (MeasurementRecord(signal_id=SIGNAL, key="A:1", tag="é", phasor_source_index=2, internal=False),)
    assert MEASUREMENTS.from_table(MEASUREMENTS.to_table(measurements)) == measurements
    phasors = (PhasorRecord(device_acronym="A", source_index=1, id=0, type="V", phase="+", base_kv=230),)
    assert PHASORS.from_table(PHASORS.to_table(phasors)) == phasors


def test_an_empty_text_is_written_as_null() -> None:
    row = DEVICES.to_table([DeviceRecord(acronym="A")])[0]
    assert {name for name, value in row.items() if value is not None} == {"Acronym", "IsConcentrator", "Enabled"}


def test_numbers_are_adapted_to_their_column() -> None:
    device = DeviceRecord(acronym="A", longitude=-1.5)  # type: ignore[arg-type]
    assert DEVICES.to_table([device]).column("Longitude") == (Decimal("-1.5"),)


def test_missing_columns_and_other_types_are_tolerated() -> None:
    table = Table(
        "MeasurementDetail",
        (Column("signalid"), Column("Enabled", ColumnType.INT64), Column("PhasorSourceIndex", ColumnType.INT64)),
        ((str(SIGNAL), "no Guid", None), (0, 1, 1), (3, None, None)),
    )
    assert MEASUREMENTS.from_table(table) == (
        MeasurementRecord(signal_id=SIGNAL, enabled=False, phasor_source_index=3),
    )


def test_a_flag_that_is_null_is_false() -> None:
    table = Table(
        "MeasurementDetail",
        (Column("SignalID", ColumnType.GUID), Column("Enabled", ColumnType.BOOLEAN)),
        ((SIGNAL,), (None,)),
    )
    (record,) = MEASUREMENTS.from_table(table)
    assert (record.enabled, record.internal) == (False, True)


def test_rows_without_identity_are_skipped() -> None:
    signal_ids = Table("MeasurementDetail", (Column("SignalID", ColumnType.GUID),), ((UUID(int=0), None, SIGNAL),))
    assert MEASUREMENTS.from_table(signal_ids) == (MeasurementRecord(signal_id=SIGNAL),)
    acronyms = Table("DeviceDetail", (Column("Acronym"),), (("", None, "A"),))
    assert DEVICES.from_table(acronyms) == (DeviceRecord(acronym="A"),)
    assert DEVICES.from_table(Table("DeviceDetail", (Column("Name"),), (("x",),))) == ()
    assert PHASORS.from_table(Table("PhasorDetail")) == ()
