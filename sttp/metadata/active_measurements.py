"""ActiveMeasurements: the table that subscriptions select from, derived from the standard tables (metadata.md 6)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sttp.metadata.cells import adapt_column
from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Table
from sttp.metadata.records import DEVICES, MEASUREMENTS, PHASORS, RecordTable

__all__ = ["ACTIVE_MEASUREMENTS", "derive_active_measurements", "identified_rows", "selectable_rows"]

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


def identified_rows(measurements: Table) -> list[int]:
    """Which rows of MeasurementDetail have a signal ID; the last of those that share one, since it is an identity."""
    return _last_rows(measurements, [True] * len(measurements))


def selectable_rows(measurements: Table) -> list[int]:
    """Which rows of MeasurementDetail can be subscribed to: enabled, and with a signal ID as `identified_rows`.

    A null Enabled is false; a table without that column has everything enabled.
    """
    if "Enabled" not in measurements:
        return identified_rows(measurements)
    return _last_rows(measurements, adapt_column(measurements, MEASUREMENTS.columns["enabled"]))


def _last_rows(measurements: Table, used: Sequence[Cell]) -> list[int]:
    signal_ids = adapt_column(measurements, MEASUREMENTS.columns["signal_id"])
    last = {signal: row for row, (signal, use) in enumerate(zip(signal_ids, used, strict=True)) if use and signal}
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
    source_indexes = of_measurement("phasor_source_index")
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
    columns |= _of_devices(dataset.table(DEVICES.name), folded)
    columns |= _of_phasors(dataset.table(PHASORS.name), list(zip(folded, source_indexes, strict=True)))
    return Table(ACTIVE_MEASUREMENTS, _COLUMNS, tuple(tuple(columns[column.name]) for column in _COLUMNS))


def _of_devices(table: Table, acronyms: Sequence[str | None]) -> dict[str, Sequence[Cell]]:
    """What ActiveMeasurements says of the devices with these acronyms in lower case."""
    known, protocols, companies, frames, longitudes, latitudes = (
        _adapted(table, DEVICES, attribute)
        for attribute in (
            "acronym", "protocol_name", "company_acronym", "frames_per_second", "longitude", "latitude",
        )
    )  # fmt: skip
    rows = _places([(acronym or "").lower() for acronym in known], acronyms)
    protocols = [protocol or "" for protocol in protocols]
    return {
        "DeviceID": _looked_up(range(len(table)), rows),
        "FramesPerSecond": [
            _FRAMES_PER_SECOND_WITHOUT_DEVICE if acronym is None else rate
            for acronym, rate in zip(acronyms, _looked_up(frames, rows), strict=True)
        ],
        "Protocol": _looked_up(protocols, rows),
        "ProtocolType": _looked_up([_protocol_type(protocol) for protocol in protocols], rows),
        "Company": _looked_up([company or "" for company in companies], rows),
        "Longitude": _looked_up([longitude or _ZERO for longitude in longitudes], rows),
        "Latitude": _looked_up([latitude or _ZERO for latitude in latitudes], rows),
    }


def _of_phasors(table: Table, wanted: Sequence[tuple[str | None, int | None]]) -> dict[str, Sequence[Cell]]:
    """What ActiveMeasurements says of the phasors with these acronyms of devices in lower case and source indexes."""
    acronyms, source_indexes, ids, types, phases = (
        _adapted(table, PHASORS, attribute) for attribute in ("device_acronym", "source_index", "id", "type", "phase")
    )
    known = [((acronym or "").lower(), index or 0) for acronym, index in zip(acronyms, source_indexes, strict=True)]
    rows = _places(known, [(acronym or "", index or 0) for acronym, index in wanted])
    return {
        name: _looked_up(cells, rows) for name, cells in (("PhasorID", ids), ("PhasorType", types), ("Phase", phases))
    }


def _adapted(table: Table, standard: RecordTable[Any], attribute: str) -> Sequence[Any]:
    return adapt_column(table, standard.columns[attribute])


def _places(known: Sequence[Hashable], wanted: Sequence[Hashable]) -> list[int]:
    """Where each of `wanted` stands in `known`, the last of equal ones; -1 for what is not there."""
    places = dict(zip(known, range(len(known)), strict=True))
    return [places.get(each, -1) for each in wanted]


def _looked_up(cells: Sequence[Cell], rows: Sequence[int]) -> list[Cell]:
    with_null = (*cells, None)  # row -1 means the last
    return [with_null[row] for row in rows]


def _units(signal_type: str) -> str:
    signal_type = signal_type.upper()
    return "Degrees" if signal_type.endswith("PHA") else _UNITS.get(signal_type, "")


def _protocol_type(protocol: str) -> str:
    protocol = protocol.lower()
    is_measurement = protocol in _MEASUREMENT_PROTOCOLS or protocol.startswith(_MEASUREMENT_PROTOCOL_PREFIXES)
    return "Measurement" if is_measurement else "Frame"
