"""ActiveMeasurements: the table that subscriptions select from, derived from the standard tables (metadata.md 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sttp.metadata.cells import adapt_column
from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Table
from sttp.metadata.records import DEVICES, MEASUREMENTS, PHASORS, RecordTable

__all__ = ["ACTIVE_MEASUREMENTS", "derive_active_measurements", "selectable_rows"]

ACTIVE_MEASUREMENTS: Final = "ActiveMeasurements"
"""Name of the table, as filter expressions write it."""

_COLUMNS: Final = (
    Column("SourceNodeID", ColumnType.GUID),
    Column("ID", ColumnType.STRING),
    Column("SignalID", ColumnType.GUID),
    Column("PointTag", ColumnType.STRING),
    Column("AlternateTag", ColumnType.STRING),
    Column("SignalReference", ColumnType.STRING),
    Column("Internal", ColumnType.INT32),
    Column("Subscribed", ColumnType.INT32),
    Column("Device", ColumnType.STRING),
    Column("DeviceID", ColumnType.INT32),
    Column("FramesPerSecond", ColumnType.INT32),
    Column("Protocol", ColumnType.STRING),
    Column("ProtocolType", ColumnType.STRING),
    Column("SignalType", ColumnType.STRING),
    Column("EngineeringUnits", ColumnType.STRING),
    Column("PhasorID", ColumnType.INT32),
    Column("PhasorType", ColumnType.STRING),
    Column("Phase", ColumnType.STRING),
    Column("Adder", ColumnType.DOUBLE),
    Column("Multiplier", ColumnType.DOUBLE),
    Column("Company", ColumnType.STRING),
    Column("Longitude", ColumnType.DECIMAL),
    Column("Latitude", ColumnType.DECIMAL),
    Column("Description", ColumnType.STRING),
    Column("UpdatedOn", ColumnType.DATE_TIME),
)

_FRAMES_PER_SECOND_WITHOUT_DEVICE: Final = 30
_NO_SIGNAL: Final = UUID(int=0)
_ZERO: Final = Decimal(0)

_UNITS: Final[Mapping[str, str]] = {"IPHM": "Amps", "VPHM": "Volts", "FREQ": "Hz"}
_MEASUREMENT_PROTOCOLS: Final = ("streaming telemetry transport protocol", "sttp")
_MEASUREMENT_PROTOCOL_PREFIXES: Final = ("gateway", "modbus", "dnp")

_Row = dict[str, Cell]


def selectable_rows(measurements: Table) -> list[int]:
    """Which rows of MeasurementDetail can be subscribed to: enabled, and with a signal ID.

    A null Enabled is false; a table without that column has everything enabled. Of rows that share a signal ID the
    last one counts, since a signal has one identity.
    """
    enabled: Sequence[Cell] = [True] * len(measurements)
    if "Enabled" in measurements:
        enabled = adapt_column(measurements, MEASUREMENTS.columns["enabled"])
    signal_ids = adapt_column(measurements, MEASUREMENTS.columns["signal_id"])
    last = {signal: row for row, (signal, used) in enumerate(zip(signal_ids, enabled, strict=True)) if used and signal}
    last.pop(_NO_SIGNAL, None)
    return sorted(last.values())


def derive_active_measurements(dataset: DataSet, node_id: UUID) -> Table:
    """The table ActiveMeasurements that belongs to `dataset`, one row for each of `selectable_rows`.

    Devices are found by acronym ignoring case, the last of a name; phasors by device and source index. The columns of
    a device or phasor that is not there stay null.

    Args:
        dataset: DeviceDetail, MeasurementDetail and PhasorDetail; any of them may be missing.
        node_id: the publisher's node, the value of SourceNodeID.
    """
    measurements = dataset.table(MEASUREMENTS.name)
    rows = selectable_rows(measurements)

    def of_measurement(attribute: str) -> list[Any]:
        cells = adapt_column(measurements, MEASUREMENTS.columns[attribute])
        return [cells[row] for row in rows]

    acronyms = [acronym or None for acronym in of_measurement("device_acronym")]
    folded = [acronym and acronym.lower() for acronym in acronyms]
    known_devices = _devices(dataset.table(DEVICES.name))
    known_phasors = _phasors(dataset.table(PHASORS.name))
    devices = [_WITHOUT_DEVICE if acronym is None else known_devices.get(acronym, _NOTHING_KNOWN) for acronym in folded]
    phasors = [
        known_phasors.get((acronym or "", index or 0), _NOTHING_KNOWN)
        for acronym, index in zip(folded, of_measurement("phasor_source_index"), strict=True)
    ]
    types = [signal_type or "CALC" for signal_type in of_measurement("signal_type")]
    internal = of_measurement("internal") if "Internal" in measurements else [True] * len(rows)
    columns: dict[str, Sequence[Cell]] = {
        "SourceNodeID": [node_id] * len(rows),
        "ID": of_measurement("key"),
        "SignalID": of_measurement("signal_id"),
        "PointTag": of_measurement("tag"),
        "AlternateTag": of_measurement("alternate_tag"),
        "SignalReference": of_measurement("signal_reference"),
        "Internal": [int(bool(own)) for own in internal],
        "Subscribed": [0] * len(rows),
        "Device": acronyms,
        "SignalType": types,
        "EngineeringUnits": [_units(signal_type) for signal_type in types],
        "Adder": [0.0] * len(rows),
        "Multiplier": [1.0] * len(rows),
        "Description": of_measurement("description"),
        "UpdatedOn": of_measurement("updated_on"),
    }
    for name in _DEVICE_COLUMNS:
        columns[name] = [device.get(name) for device in devices]
    for name in _PHASOR_COLUMNS:
        columns[name] = [phasor.get(name) for phasor in phasors]
    return Table(ACTIVE_MEASUREMENTS, _COLUMNS, tuple(tuple(columns[column.name]) for column in _COLUMNS))


_NOTHING_KNOWN: Final[_Row] = {}
_WITHOUT_DEVICE: Final[_Row] = {"FramesPerSecond": _FRAMES_PER_SECOND_WITHOUT_DEVICE}
_DEVICE_COLUMNS: Final = (
    "DeviceID", "FramesPerSecond", "Protocol", "ProtocolType", "Company", "Longitude", "Latitude",
)  # fmt: skip
_PHASOR_COLUMNS: Final = ("PhasorID", "PhasorType", "Phase")


def _devices(table: Table) -> Mapping[str, _Row]:
    """What ActiveMeasurements says of a device, by acronym in lower case."""
    devices: dict[str, _Row] = {}
    for row, device in enumerate(_rows(table, DEVICES)):
        protocol = device["protocol_name"] or ""
        devices[(device["acronym"] or "").lower()] = {
            "DeviceID": row,
            "FramesPerSecond": device["frames_per_second"],
            "Protocol": protocol,
            "ProtocolType": _protocol_type(protocol),
            "Company": device["company_acronym"] or "",
            "Longitude": device["longitude"] or _ZERO,
            "Latitude": device["latitude"] or _ZERO,
        }
    return devices


def _phasors(table: Table) -> Mapping[tuple[str, int], _Row]:
    """What ActiveMeasurements says of a phasor, by acronym of its device in lower case and source index."""
    return {
        ((phasor["device_acronym"] or "").lower(), phasor["source_index"] or 0): {
            "PhasorID": phasor["id"],
            "PhasorType": phasor["type"],
            "Phase": phasor["phase"],
        }
        for phasor in _rows(table, PHASORS)
    }


def _rows(table: Table, standard: RecordTable[Any]) -> list[dict[str, Any]]:
    cells = [adapt_column(table, column) for column in standard.columns.values()]
    return [dict(zip(standard.columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _units(signal_type: str) -> str:
    signal_type = signal_type.upper()
    return "Degrees" if signal_type.endswith("PHA") else _UNITS.get(signal_type, "")


def _protocol_type(protocol: str) -> str:
    protocol = protocol.lower()
    is_measurement = protocol in _MEASUREMENT_PROTOCOLS or protocol.startswith(_MEASUREMENT_PROTOCOL_PREFIXES)
    return "Measurement" if is_measurement else "Frame"
