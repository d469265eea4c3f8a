"""ActiveMeasurements: the table that subscriptions select from, derived from the standard tables (metadata.md 6)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, Final
from uuid import UUID

from sttp.metadata.cells import adapt_column
from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Table
from sttp.metadata.derived_cells import DerivedCells
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
_ZERO: Final = Decimal(0)

_OF_MEASUREMENT: Final[Mapping[str, str]] = {
    "ID": "key",
    "SignalID": "signal_id",
    "PointTag": "tag",
    "AlternateTag": "alternate_tag",
    "SignalReference": "signal_reference",
    "Description": "description",
    "UpdatedOn": "updated_on",
}
"""Columns that MeasurementDetail has as they are."""

_OF_DEVICE: Final[Mapping[str, tuple[str, Cell]]] = {
    "Protocol": ("protocol_name", ""),
    "Company": ("company_acronym", ""),
    "Longitude": ("longitude", _ZERO),
    "Latitude": ("latitude", _ZERO),
}
"""Columns that the row's device has, and what stands for a null of its."""

_OF_PHASOR: Final[Mapping[str, str]] = {"PhasorID": "id", "PhasorType": "type", "Phase": "phase"}
"""Columns that the row's phasor has."""

_ALWAYS: Final[Mapping[str, Cell]] = {"Subscribed": 0, "Adder": 0.0, "Multiplier": 1.0}
"""Columns that have the same in every row."""

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
    signal_ids: Sequence[Any] = adapt_column(measurements, MEASUREMENTS.columns["signal_id"])
    # their numbers, because a UUID takes three times as long to be hashed
    last = {signal.int: row for row, (signal, use) in enumerate(zip(signal_ids, used, strict=True)) if use and signal}
    last.pop(0, None)
    return sorted(last.values())


def derive_active_measurements(dataset: DataSet, node_id: UUID) -> Table:
    """The table ActiveMeasurements that belongs to `dataset`, one row for each of `selectable_rows`.

    Devices are found by acronym ignoring case, the last of a name; phasors by device and source index. The columns of
    a device or phasor that is not there stay null. Each column is worked out when a filter names it.

    Args:
        dataset: DeviceDetail, MeasurementDetail and PhasorDetail; any of them may be missing.
        node_id: the publisher's node, the value of SourceNodeID.
    """
    derivation = _Derivation(dataset, node_id)
    length = len(derivation.rows)
    return Table(
        ACTIVE_MEASUREMENTS,
        _COLUMNS,
        tuple(DerivedCells(length, partial(derivation.column, column.name)) for column in _COLUMNS),
    )


class _Derivation:
    """What the columns of ActiveMeasurements are worked out from."""

    def __init__(self, dataset: DataSet, node_id: UUID) -> None:
        self._node_id = node_id
        self._measurements = dataset.table(MEASUREMENTS.name)
        self._devices = dataset.table(DEVICES.name)
        self._phasors = dataset.table(PHASORS.name)
        self.rows = selectable_rows(self._measurements)

    def column(self, name: str) -> Sequence[Cell]:
        """The cells of a column, in the order of `rows`."""
        if name in _OF_MEASUREMENT:
            return self._of_measurement(_OF_MEASUREMENT[name])
        if name in _OF_DEVICE:
            attribute, otherwise = _OF_DEVICE[name]
            return self._of_device([cell or otherwise for cell in self._device_cells(attribute)])
        if name in _OF_PHASOR:
            return _looked_up(_adapted(self._phasors, PHASORS, _OF_PHASOR[name]), self._phasor_rows)
        if name in _ALWAYS:
            return [_ALWAYS[name]] * len(self.rows)
        match name:
            case "SourceNodeID":
                return [self._node_id] * len(self.rows)
            case "Internal":
                return self._internal()
            case "Device":
                return self._acronyms
            case "SignalType":
                return self._types
            case "EngineeringUnits":
                return [_units(signal_type) for signal_type in self._types]
            case "DeviceID":
                return self._of_device(range(len(self._devices)))
            case "ProtocolType":
                return self._of_device([_protocol_type(name or "") for name in self._device_cells("protocol_name")])
            case "FramesPerSecond":
                return self._frames_per_second()
        raise AssertionError(f"ActiveMeasurements has a column {name} that nobody derives")

    def _of_measurement(self, attribute: str) -> list[Any]:
        cells = _adapted(self._measurements, MEASUREMENTS, attribute)
        return [cells[row] for row in self.rows]

    def _device_cells(self, attribute: str) -> Sequence[Any]:
        return _adapted(self._devices, DEVICES, attribute)

    def _of_device(self, cells: Sequence[Cell]) -> list[Cell]:
        return _looked_up(cells, self._device_rows)

    def _internal(self) -> list[Cell]:
        if "Internal" not in self._measurements:
            return [1] * len(self.rows)
        return [int(bool(own)) for own in self._of_measurement("internal")]

    def _frames_per_second(self) -> list[Cell]:
        rates = self._of_device(self._device_cells("frames_per_second"))
        return [
            _FRAMES_PER_SECOND_WITHOUT_DEVICE if acronym is None else rate
            for acronym, rate in zip(self._acronyms, rates, strict=True)
        ]

    @cached_property
    def _types(self) -> list[str]:
        return [signal_type or "CALC" for signal_type in self._of_measurement("signal_type")]

    @cached_property
    def _acronyms(self) -> list[str | None]:
        return [acronym or None for acronym in self._of_measurement("device_acronym")]

    @cached_property
    def _device_rows(self) -> list[int]:
        """Where the device of each row stands; -1 for none."""
        return _places([(each or "").lower() for each in self._device_cells("acronym")], _folded(self._acronyms))

    @cached_property
    def _phasor_rows(self) -> list[int]:
        """Where the phasor of each row stands; -1 for none."""
        acronyms, indexes = (_adapted(self._phasors, PHASORS, each) for each in ("device_acronym", "source_index"))
        known = [((acronym or "").lower(), index or 0) for acronym, index in zip(acronyms, indexes, strict=True)]
        wanted = zip(_folded(self._acronyms), self._of_measurement("phasor_source_index"), strict=True)
        return _places(known, [(acronym or "", index or 0) for acronym, index in wanted])


def _folded(acronyms: Sequence[str | None]) -> list[str | None]:
    return [acronym and acronym.lower() for acronym in acronyms]


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
