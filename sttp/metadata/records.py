"""Devices, measurements and phasors as typed values, and the standard tables that they stand in (metadata.md 4).

In a record a text that is null is empty, and a text that is empty is written as null: the standard tables give the
two one meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sttp.metadata.cells import adapt_cell, adapt_column
from sttp.metadata.dataset import Cell, Column, ColumnType, Table

__all__ = [
    "DEVICES",
    "MEASUREMENTS",
    "PHASORS",
    "SCHEMA_VERSION",
    "DeviceRecord",
    "MeasurementRecord",
    "PhasorRecord",
    "RecordTable",
]

SCHEMA_VERSION: Final = 14
"""The version of the tables as they are here, `SchemaVersion.VersionNumber`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """A device, such as a PMU: one row of DeviceDetail.

    Attributes:
        acronym: the name that the other tables use.
        name: its name for people.
        node_id: the publisher's node.
        unique_id: its identity in all systems.
        original_source: where the publisher has it from; empty when it is its own.
        is_concentrator: whether it only passes on what others measure. Publishers send no such devices.
        access_id: ID code.
        parent_acronym: the concentrator that it is behind; empty when none.
        protocol_name: how the publisher gets its data.
        frames_per_second: reporting rate, in Hz.
        company_acronym: who owns it.
        vendor_acronym: who made it.
        vendor_device_name: what they call it.
        longitude: degrees, east positive.
        latitude: degrees, north positive.
        interconnection_name: the interconnection that it stands in.
        contact_list: whom to ask.
        enabled: whether it is in use.
        updated_on: when this record changed last, in ticks.
    """

    acronym: str
    name: str = ""
    node_id: UUID | None = None
    unique_id: UUID | None = None
    original_source: str = ""
    is_concentrator: bool = False
    access_id: int | None = None
    parent_acronym: str = ""
    protocol_name: str = ""
    frames_per_second: int | None = None
    company_acronym: str = ""
    vendor_acronym: str = ""
    vendor_device_name: str = ""
    longitude: Decimal | None = None
    latitude: Decimal | None = None
    interconnection_name: str = ""
    contact_list: str = ""
    enabled: bool = True
    updated_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord:
    """A signal: one row of MeasurementDetail.

    Attributes:
        signal_id: its identity in all systems.
        key: measurement key `SOURCE:number`, unique within one publisher.
        tag: point tag.
        device_acronym: the device that it belongs to; empty when none.
        alternate_tag: another tag.
        signal_reference: `DEVICE-XXn`, the part of the device that it is.
        signal_type: such as FREQ, DFDT, VPHM, VPHA, IPHM, IPHA, ALOG, FLAG.
        phasor_source_index: which phasor of the device it is a part of, from 1.
        description: for people.
        internal: whether the publisher owns it, and did not get it from elsewhere.
        enabled: whether it can be subscribed to.
        updated_on: when this record changed last, in ticks.
    """

    signal_id: UUID
    key: str = ""
    tag: str = ""
    device_acronym: str = ""
    alternate_tag: str = ""
    signal_reference: str = ""
    signal_type: str = ""
    phasor_source_index: int | None = None
    description: str = ""
    internal: bool = True
    enabled: bool = True
    updated_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasorRecord:
    """A phasor, whose magnitude and angle are two measurements: one row of PhasorDetail.

    Attributes:
        device_acronym: the device that it belongs to.
        source_index: its number within the device, from 1; the `phasor_source_index` of its measurements.
        id: running number.
        label: its name for people.
        type: `V` for a voltage, `I` for a current.
        phase: one of `+ - 0 A B C`.
        destination_phasor_id: `id` of a related phasor.
        base_kv: nominal voltage, in kV.
        updated_on: when this record changed last, in ticks.
    """

    device_acronym: str
    source_index: int
    id: int | None = None
    label: str = ""
    type: str = ""
    phase: str = ""
    destination_phasor_id: int | None = None
    base_kv: int | None = None
    updated_on: int | None = None


_NOTHING: Final = (None, "", UUID(int=0))

Record = TypeVar("Record", DeviceRecord, MeasurementRecord, PhasorRecord)


@dataclass(frozen=True, slots=True)
class RecordTable(Generic[Record]):
    """How records of one sort stand in their table.

    Attributes:
        name: name of the table.
        record: the class of its records.
        columns: the column of each attribute.
        required: attributes without which a row is no record and is skipped.
    """

    name: str
    record: type[Record]
    columns: Mapping[str, Column]
    required: tuple[str, ...]

    def to_table(self, records: Iterable[Record]) -> Table:
        """The standard table, with all its columns, that holds `records`."""
        rows = list(records)
        return Table(
            self.name,
            tuple(self.columns.values()),
            tuple(
                tuple([_cell(column, getattr(row, attribute)) for row in rows])
                for attribute, column in self.columns.items()
            ),
        )

    def from_table(self, table: Table) -> tuple[Record, ...]:
        """The records in `table`.

        Columns are known by their names, whatever types were declared; what is missing has the record's default. A
        flag that is null is false. Rows without identity are skipped.
        """
        found = [
            (attribute, adapt_column(table, column))
            for attribute, column in self.columns.items()
            if column.name in table
        ]
        attributes = [attribute for attribute, _ in found]
        if not set(attributes).issuperset(self.required):
            return ()
        flags = {attribute for attribute in attributes if self.columns[attribute].type is ColumnType.BOOLEAN}
        records: list[Record] = []
        for cells in zip(*(column for _, column in found), strict=True):
            values: dict[str, Any] = {
                attribute: bool(cell) if attribute in flags else cell
                for attribute, cell in zip(attributes, cells, strict=True)
                if cell is not None or attribute in flags
            }
            if all(values.get(attribute) not in _NOTHING for attribute in self.required):
                records.append(self.record(**values))
        return tuple(records)


def _cell(column: Column, value: Cell) -> Cell:
    return None if value == "" else adapt_cell(column.type, value)


def _columns(*columns: tuple[str, str, ColumnType]) -> Mapping[str, Column]:
    return {attribute: Column(name, column_type) for attribute, name, column_type in columns}


DEVICES: Final = RecordTable(
    "DeviceDetail",
    DeviceRecord,
    _columns(
        ("node_id", "NodeID", ColumnType.GUID),
        ("unique_id", "UniqueID", ColumnType.GUID),
        ("original_source", "OriginalSource", ColumnType.STRING),
        ("is_concentrator", "IsConcentrator", ColumnType.BOOLEAN),
        ("acronym", "Acronym", ColumnType.STRING),
        ("name", "Name", ColumnType.STRING),
        ("access_id", "AccessID", ColumnType.INT32),
        ("parent_acronym", "ParentAcronym", ColumnType.STRING),
        ("protocol_name", "ProtocolName", ColumnType.STRING),
        ("frames_per_second", "FramesPerSecond", ColumnType.INT32),
        ("company_acronym", "CompanyAcronym", ColumnType.STRING),
        ("vendor_acronym", "VendorAcronym", ColumnType.STRING),
        ("vendor_device_name", "VendorDeviceName", ColumnType.STRING),
        ("longitude", "Longitude", ColumnType.DECIMAL),
        ("latitude", "Latitude", ColumnType.DECIMAL),
        ("interconnection_name", "InterconnectionName", ColumnType.STRING),
        ("contact_list", "ContactList", ColumnType.STRING),
        ("enabled", "Enabled", ColumnType.BOOLEAN),
        ("updated_on", "UpdatedOn", ColumnType.DATE_TIME),
    ),
    required=("acronym",),
)

MEASUREMENTS: Final = RecordTable(
    "MeasurementDetail",
    MeasurementRecord,
    _columns(
        ("device_acronym", "DeviceAcronym", ColumnType.STRING),
        ("key", "ID", ColumnType.STRING),
        ("signal_id", "SignalID", ColumnType.GUID),
        ("tag", "PointTag", ColumnType.STRING),
        ("alternate_tag", "AlternateTag", ColumnType.STRING),
        ("signal_reference", "SignalReference", ColumnType.STRING),
        ("signal_type", "SignalAcronym", ColumnType.STRING),
        ("phasor_source_index", "PhasorSourceIndex", ColumnType.INT32),
        ("description", "Description", ColumnType.STRING),
        ("internal", "Internal", ColumnType.BOOLEAN),
        ("enabled", "Enabled", ColumnType.BOOLEAN),
        ("updated_on", "UpdatedOn", ColumnType.DATE_TIME),
    ),
    required=("signal_id",),
)

PHASORS: Final = RecordTable(
    "PhasorDetail",
    PhasorRecord,
    _columns(
        ("id", "ID", ColumnType.INT32),
        ("device_acronym", "DeviceAcronym", ColumnType.STRING),
        ("label", "Label", ColumnType.STRING),
        ("type", "Type", ColumnType.STRING),
        ("phase", "Phase", ColumnType.STRING),
        ("destination_phasor_id", "DestinationPhasorID", ColumnType.INT32),
        ("source_index", "SourceIndex", ColumnType.INT32),
        ("base_kv", "BaseKV", ColumnType.INT32),
        ("updated_on", "UpdatedOn", ColumnType.DATE_TIME),
    ),
    required=("device_acronym", "source_index"),
)
