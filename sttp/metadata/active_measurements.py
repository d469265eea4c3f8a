"""ActiveMeasurements: the table that subscriptions select from, derived from the standard tables (metadata.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
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
        tuple(DerivedCells(length, partial(_DERIVED[column.name], derivation)) for column in _COLUMNS),
    )


class _Derivation:
    """What the columns of ActiveMeasurements are worked out from."""

    def __init__(self, dataset: DataSet, node_id: UUID) -> None:
        self.node_id = node_id
        self._measurements = dataset.table(MEASUREMENTS.name)
        self._devices = dataset.table(DEVICES.name)
        self._phasors = dataset.table(PHASORS.name)
        self.rows = selectable_rows(self._measurements)

    def of_measurement(self, attribute: str) -> list[Any]:
        """What MeasurementDetail has."""
        cells = _adapted(self._measurements, MEASUREMENTS, attribute)
        return [cells[row] for row in self.rows]

    def of_device(self, attribute: str, make: Callable[[Any], Cell] = lambda cell: cell) -> list[Cell]:
        """What the devices have, or what `make` makes of it."""
        return _looked_up([make(cell) for cell in _adapted(self._devices, DEVICES, attribute)], self.device_rows)

    def of_phasor(self, attribute: str) -> list[Cell]:
        """What the phasors have."""
        return _looked_up(_adapted(self._phasors, PHASORS, attribute), self.phasor_rows)

    def always(self, cell: Cell) -> list[Cell]:
        """The same in every row."""
        return [cell] * len(self.rows)

    def internal(self) -> list[Cell]:
        """Internal, 0 or 1."""
        if "Internal" not in self._measurements:
            return self.always(1)
        return [int(bool(own)) for own in self.of_measurement("internal")]

    def device_numbers(self) -> list[Cell]:
        """Which row of DeviceDetail, from 0."""
        return _looked_up(range(len(self._devices)), self.device_rows)

    def frames_per_second(self) -> list[Cell]:
        """Frames per second, of those without a device too."""
        return [
            _FRAMES_PER_SECOND_WITHOUT_DEVICE if acronym is None else rate
            for acronym, rate in zip(self.acronyms, self.of_device("frames_per_second"), strict=True)
        ]

    @cached_property
    def types(self) -> list[str]:
        """Types of signals."""
        return [signal_type or "CALC" for signal_type in self.of_measurement("signal_type")]

    @cached_property
    def acronyms(self) -> list[str | None]:
        """Acronyms of devices."""
        return [acronym or None for acronym in self.of_measurement("device_acronym")]

    @cached_property
    def device_rows(self) -> list[int]:
        """Where the device of each row stands; -1 for none."""
        known = [(each or "").lower() for each in _adapted(self._devices, DEVICES, "acronym")]
        return _places(known, _folded(self.acronyms))

    @cached_property
    def phasor_rows(self) -> list[int]:
        """Where the phasor of each row stands; -1 for none."""
        acronyms, indexes = (_adapted(self._phasors, PHASORS, each) for each in ("device_acronym", "source_index"))
        known = [((acronym or "").lower(), index or 0) for acronym, index in zip(acronyms, indexes, strict=True)]
        wanted = zip(_folded(self.acronyms), self.of_measurement("phasor_source_index"), strict=True)
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


_DERIVED: Final[Mapping[str, Callable[[_Derivation], Sequence[Cell]]]] = {
    "SourceNodeID": lambda rows: rows.always(rows.node_id),
    "ID": lambda rows: rows.of_measurement("key"),
    "SignalID": lambda rows: rows.of_measurement("signal_id"),
    "PointTag": lambda rows: rows.of_measurement("tag"),
    "AlternateTag": lambda rows: rows.of_measurement("alternate_tag"),
    "SignalReference": lambda rows: rows.of_measurement("signal_reference"),
    "Internal": _Derivation.internal,
    "Subscribed": lambda rows: rows.always(0),
    "Device": lambda rows: rows.acronyms,
    "DeviceID": _Derivation.device_numbers,
    "FramesPerSecond": _Derivation.frames_per_second,
    "Protocol": lambda rows: rows.of_device("protocol_name", lambda protocol: protocol or ""),
    "ProtocolType": lambda rows: rows.of_device("protocol_name", lambda protocol: _protocol_type(protocol or "")),
    "SignalType": lambda rows: rows.types,
    "EngineeringUnits": lambda rows: [_units(signal_type) for signal_type in rows.types],
    "PhasorID": lambda rows: rows.of_phasor("id"),
    "PhasorType": lambda rows: rows.of_phasor("type"),
    "Phase": lambda rows: rows.of_phasor("phase"),
    "Adder": lambda rows: rows.always(0.0),
    "Multiplier": lambda rows: rows.always(1.0),
    "Company": lambda rows: rows.of_device("company_acronym", lambda company: company or ""),
    "Longitude": lambda rows: rows.of_device("longitude", lambda degrees: degrees or _ZERO),
    "Latitude": lambda rows: rows.of_device("latitude", lambda degrees: degrees or _ZERO),
    "Description": lambda rows: rows.of_measurement("description"),
    "UpdatedOn": lambda rows: rows.of_measurement("updated_on"),
}
"""What each column is worked out by."""
