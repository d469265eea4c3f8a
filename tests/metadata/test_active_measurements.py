import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sttp.metadata import DataSet, DeviceRecord, MeasurementRecord, Metadata, PhasorRecord, Table, read_dataset
from sttp.metadata.active_measurements import derive_active_measurements, selectable_rows

VECTORS = Path(__file__).parent / "vectors"
NODE = UUID("68e575d2-f1da-58c5-b0b4-d7f3a4a250fc")


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads((VECTORS / "fleet-20-pmu.expected.json").read_text("utf-8"))["active_measurements"]


@pytest.fixture(scope="module")
def fleet() -> Table:
    return derive_active_measurements(read_dataset((VECTORS / "fleet-20-pmu.xml").read_bytes()), NODE)


def test_the_fleet(fleet: Table, expected: Any) -> None:
    assert len(fleet) == expected["rows"]
    assert Counter(fleet.column("SignalType")) == expected["counts_by_type"]
    assert set(fleet.column("SourceNodeID")) == {NODE}


def test_rows_of_the_fleet(fleet: Table, expected: Any) -> None:
    assert len(expected["sample"]) == 9
    for sample in expected["sample"]:
        row = fleet[sample.pop("index")]
        shown = {
            name: str(value) if name in ("SignalID", "Longitude", "Latitude") else value
            for name, value in row.items()
            if value is not None
        }
        assert {name: shown[name] for name in sample} == sample
        assert shown.keys() - sample.keys() == {"SourceNodeID", "UpdatedOn"}


def derived(
    *measurements: MeasurementRecord,
    devices: list[DeviceRecord] | None = None,
    phasors: list[PhasorRecord] | None = None,
) -> Table:
    return Metadata.of(devices=devices or [], measurements=measurements, phasors=phasors or []).active_measurements


def measurement(number: int, **attributes: Any) -> MeasurementRecord:
    return MeasurementRecord(signal_id=UUID(int=number), **attributes)


def test_only_enabled_rows_with_an_identity_stay() -> None:
    table = derived(measurement(1, key="A:1"), measurement(2, enabled=False), measurement(0), measurement(1, key="A:3"))
    assert list(table.column("ID")) == ["A:3"]


def test_without_a_column_enabled_everything_is() -> None:
    table = Metadata.of(measurements=[measurement(1), measurement(2, enabled=False)]).dataset.table("MeasurementDetail")
    kept = [position for position, column in enumerate(table.columns) if column.name not in ("Enabled", "Internal")]
    reduced = Table(table.name, tuple(table.columns[each] for each in kept), tuple(table.cells[each] for each in kept))
    assert selectable_rows(reduced) == [0, 1]
    assert list(derive_active_measurements(DataSet(tables=(reduced,)), NODE).column("Internal")) == [1, 1]


def test_without_metadata_the_table_is_empty() -> None:
    table = Metadata().active_measurements
    assert (table.name, len(table), len(table.columns)) == ("ActiveMeasurements", 0, 25)


def test_devices_are_found_ignoring_case_and_the_last_of_a_name_counts() -> None:
    devices = [
        DeviceRecord(acronym="a", frames_per_second=50),
        DeviceRecord(acronym="A", frames_per_second=60, company_acronym="C"),
    ]
    row = derived(measurement(1, device_acronym="A"), devices=devices)[0]
    assert (row["DeviceID"], row["FramesPerSecond"], row["Company"], row["Longitude"]) == (1, 60, "C", 0)


def test_frames_per_second() -> None:
    table = derived(
        measurement(1),
        measurement(2, device_acronym="unknown"),
        measurement(3, device_acronym="A"),
        devices=[DeviceRecord(acronym="A")],
    )
    assert list(table.column("FramesPerSecond")) == [30, None, None]
    assert list(table.column("Device")) == [None, "unknown", "A"]
    assert list(table.column("Protocol")) == [None, None, ""]


def test_phasors_are_found_by_device_and_index() -> None:
    table = derived(
        measurement(1, device_acronym="A", phasor_source_index=2),
        measurement(2, device_acronym="A", phasor_source_index=1),
        measurement(3, device_acronym="A"),
        phasors=[PhasorRecord(device_acronym="a", source_index=2, id=7, type="I", phase="B")],
    )
    assert list(table.column("PhasorID")) == [7, None, None]
    assert list(table.column("PhasorType")) == ["I", None, None]
    assert list(table.column("Phase")) == ["B", None, None]


@pytest.mark.parametrize(
    ("signal_type", "expected", "units"),
    [
        ("", "CALC", ""),
        ("freq", "freq", "Hz"),
        ("IPHM", "IPHM", "Amps"),
        ("VPHM", "VPHM", "Volts"),
        ("vpha", "vpha", "Degrees"),
        ("XPHA", "XPHA", "Degrees"),
        ("ALOG", "ALOG", ""),
    ],
)
def test_types_and_units(signal_type: str, expected: str, units: str) -> None:
    row = derived(measurement(1, signal_type=signal_type))[0]
    assert (row["SignalType"], row["EngineeringUnits"]) == (expected, units)


@pytest.mark.parametrize(
    ("protocol", "protocol_type"),
    [
        ("STTP", "Measurement"),
        ("streaming telemetry transport protocol", "Measurement"),
        ("Gateway Exchange", "Measurement"),
        ("ModbusTCP", "Measurement"),
        ("dnp3", "Measurement"),
        ("STTP 2", "Frame"),
        ("IEEE C37.118-2011", "Frame"),
        ("", "Frame"),
    ],
)
def test_protocol_types(protocol: str, protocol_type: str) -> None:
    devices = [DeviceRecord(acronym="A", protocol_name=protocol)]
    row = derived(measurement(1, device_acronym="A"), devices=devices)[0]
    assert (row["Protocol"], row["ProtocolType"]) == (protocol, protocol_type)
