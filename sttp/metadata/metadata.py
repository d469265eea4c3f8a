"""Metadata: what a publisher says about its signals, as people use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import numpy as np

from sttp.errors import MetadataError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.measurement import SignalTable
from sttp.metadata.active_measurements import (
    ACTIVE_MEASUREMENTS,
    derive_active_measurements,
    identified_rows,
    selectable_rows,
)
from sttp.metadata.cells import adapt_column
from sttp.metadata.csv_reader import read_devices, read_measurements, read_phasors
from sttp.metadata.dataset import Column, ColumnType, DataSet, Table
from sttp.metadata.pandas_table import to_pandas
from sttp.metadata.records import (
    DEVICES,
    MEASUREMENTS,
    PHASORS,
    SCHEMA_VERSION,
    DeviceRecord,
    MeasurementRecord,
    PhasorRecord,
)
from sttp.metadata.xml_reader import read_dataset
from sttp.metadata.xml_writer import write_dataset

if TYPE_CHECKING:
    import pandas

__all__ = ["Metadata"]

_NO_NODE = UUID(int=0)
_VERSION = Column("VersionNumber", ColumnType.INT32)
_VERSION_TABLES = ("SchemaVersion", "VersionInfo")  # the second is what the newest gsfapi calls it


class Metadata:
    """Devices, measurements and phasors of a publisher, over the data set that they travel in. Immutable.

    Everything is worked out from the data set when it is first asked for, and kept.

    Args:
        dataset: the tables; any of the standard ones may be missing.
    """

    def __init__(self, dataset: DataSet = DataSet()) -> None:  # noqa: B008 - immutable
        self.dataset = dataset

    @classmethod
    def of(
        cls,
        *,
        devices: Iterable[DeviceRecord] = (),
        measurements: Iterable[MeasurementRecord] = (),
        phasors: Iterable[PhasorRecord] = (),
    ) -> Metadata:
        """Build metadata in code: the four standard tables, with all their columns."""
        version = Table.of(_VERSION_TABLES[0], [_VERSION], [{_VERSION.name: SCHEMA_VERSION}])
        return cls(
            DataSet(
                tables=(
                    DEVICES.to_table(devices),
                    MEASUREMENTS.to_table(measurements),
                    PHASORS.to_table(phasors),
                    version,
                )
            )
        )

    @classmethod
    def read(cls, document: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Metadata:
        """Read a metadata document; an empty one means that the publisher has none (wire.md 8.2).

        Args:
            document: the XML, inflated.
            limits: see the `metadata…` limits.

        Raises:
            MetadataError: the document cannot be read, or is beyond a limit.
        """
        return cls(read_dataset(document, limits=limits)) if document else cls()

    @classmethod
    def from_file(cls, path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> Metadata:
        """Read the metadata document in the file at `path`, or the measurements in it, when its name ends in `.csv`.

        Raises:
            MetadataError: there is no such file, it cannot be read, or it is beyond a limit.
        """
        if Path(path).suffix.lower() == ".csv":
            return cls.from_csv(path)
        try:
            with Path(path).open("rb") as file:
                document = file.read(limits.metadata + 1)
        except OSError as error:
            raise MetadataError(f"cannot read the metadata in {path}: {error.strerror or error}") from error
        try:
            return cls.read(document, limits=limits)
        except MetadataError as error:
            raise MetadataError(f"{path}: {error}") from None

    @classmethod
    def from_csv(
        cls,
        measurements: str | Path,
        *,
        devices: str | Path | None = None,
        phasors: str | Path | None = None,
        source: str = "CSV",
    ) -> Metadata:
        """Read metadata from CSV files: one line per measurement, device or phasor, under a header.

        The header names attributes of the records, such as `tag`, or columns of the standard tables, such as
        `PointTag`, in any case and order. A single column of tags is enough: a measurement without signal ID gets one
        that is made of its tag and never changes, one without key gets a key by its line. Measurements are enabled
        and internal unless they say otherwise.

        Args:
            measurements: the file of measurements.
            devices: the file of devices. Without it there is a device for each acronym that measurements name.
            phasors: the file of phasors.
            source: source of the keys of measurements that have none, as in `CSV:1`.

        Raises:
            MetadataError: a file cannot be read; the message names file, line and column.
        """
        found = read_measurements(measurements, source=source)
        named = {
            each.device_acronym: DeviceRecord(acronym=each.device_acronym) for each in found if each.device_acronym
        }
        return cls.of(
            devices=named.values() if devices is None else read_devices(devices),
            measurements=found,
            phasors=() if phasors is None else read_phasors(phasors),
        )

    def write(self) -> bytes:
        """The metadata document, in UTF-8.

        Raises:
            UsageError: a value that does not fit its column, or holds what XML cannot.
        """
        return write_dataset(self.dataset)

    def __eq__(self, other: object) -> bool:
        return self.dataset == other.dataset if isinstance(other, Metadata) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal metadata may be large; nobody should hash it by accident

    def __repr__(self) -> str:
        return f"<Metadata: {', '.join(f'{len(table)} {table.name}' for table in self.dataset.tables) or 'none'}>"

    @cached_property
    def devices(self) -> tuple[DeviceRecord, ...]:
        """All devices, in the order of DeviceDetail; rows without acronym are left out."""
        return DEVICES.from_table(self.dataset.table(DEVICES.name))

    @cached_property
    def measurements(self) -> tuple[MeasurementRecord, ...]:
        """All measurements, in the order of MeasurementDetail; rows without signal ID are left out."""
        return MEASUREMENTS.from_table(self.dataset.table(MEASUREMENTS.name))

    @cached_property
    def phasors(self) -> tuple[PhasorRecord, ...]:
        """All phasors, in the order of PhasorDetail; rows without device or source index are left out."""
        return PHASORS.from_table(self.dataset.table(PHASORS.name))

    @cached_property
    def schema_version(self) -> int | None:
        """Version of the tables; `None` when they do not say."""
        for name in _VERSION_TABLES:
            for version in adapt_column(self.dataset.table(name), _VERSION):
                if isinstance(version, int):
                    return version
        return None

    @cached_property
    def node_id(self) -> UUID:
        """The publisher's node, as its first device has it; all zeros when none does."""
        nodes = adapt_column(self.dataset.table(DEVICES.name), DEVICES.columns["node_id"])
        return next((node for node in nodes if isinstance(node, UUID)), _NO_NODE)

    @cached_property
    def tags(self) -> Mapping[UUID, str]:
        """Point tag by signal ID, of all measurements, also those that are not enabled."""
        rows = zip(self._measured("signal_id"), self._measured("tag"), strict=True)
        return {signal_id: tag or "" for signal_id, tag in rows if signal_id is not None}

    @cached_property
    def signals(self) -> SignalTable:
        """All signals that can be subscribed to, with keys and tags, in the order of MeasurementDetail.

        A row of it belongs to the row of `active_measurements` that has the same number.
        """
        return self._signals(selectable_rows(self.dataset.table(MEASUREMENTS.name)))

    @cached_property
    def known_signals(self) -> SignalTable:
        """All signals, also those that cannot be subscribed to now, in the order of MeasurementDetail."""
        return self._signals(identified_rows(self.dataset.table(MEASUREMENTS.name)))

    @cached_property
    def active_measurements(self) -> Table:
        """The table that filter expressions select from."""
        return derive_active_measurements(self.dataset, self.node_id)

    def select(self, expression: str, *, limits: Limits = DEFAULT_LIMITS) -> SignalTable:
        """The signals that a filter expression selects, as a publisher gives them to whoever subscribes with it.

        Args:
            expression: the filter expression; see the reference of the language.
            limits: see the `filter…` limits.

        Returns:
            The chosen ones of `signals`, numbered anew from 0 in the order of the result.

        Raises:
            FilterError: the expression cannot be read or evaluated, or names what is not there.
        """
        from sttp.filter_expression import select  # noqa: PLC0415 - the language takes its time to load

        return self.signals.select(select(expression, self, limits=limits))

    def narrow(self, expression: str, *, limits: Limits = DEFAULT_LIMITS) -> Metadata:
        """The metadata that a filter expression asks for, as a publisher gives it to whoever asks for metadata.

        Args:
            expression: FILTER statements, each of which narrows one table; the other tables stay whole.
            limits: see the `filter…` limits.

        Raises:
            FilterError: the expression cannot be read or evaluated, or names what is not there.
        """
        from sttp.filter_expression import select_metadata  # noqa: PLC0415 - as above

        return select_metadata(expression, self, limits=limits)

    def to_pandas(self, table: str = MEASUREMENTS.name) -> pandas.DataFrame:
        """One table as a pandas data frame.

        Texts and Guids are texts, numbers and flags have a null of their own, times are in UTC to the nanosecond.

        Args:
            table: DeviceDetail, MeasurementDetail, PhasorDetail, ActiveMeasurements, or any other that there is.

        Raises:
            UsageError: there is no such table, or pandas is not installed.
        """
        if table in self.dataset:
            return to_pandas(self.dataset.table(table))
        if table.lower() == ACTIVE_MEASUREMENTS.lower():
            return to_pandas(self.active_measurements)
        names = ", ".join([*(each.name for each in self.dataset.tables), ACTIVE_MEASUREMENTS])
        raise UsageError(f"there is no table {table}; there are {names}")

    def with_dataset(self, dataset: DataSet) -> Self:
        """Metadata of the same sort, over other tables."""
        return type(self)(dataset)

    def _measured(self, attribute: str) -> Any:
        return adapt_column(self.dataset.table(MEASUREMENTS.name), MEASUREMENTS.columns[attribute])

    def _signals(self, rows: Sequence[int]) -> SignalTable:
        signal_ids, keys, tags = map(self._measured, ("signal_id", "key", "tag"))
        ids = b"".join([signal_ids[row].int.to_bytes(16, "big") for row in rows])  # as `bytes`, in half the time
        return SignalTable(
            np.frombuffer(ids, np.uint8).reshape(-1, 16),
            tuple([keys[row] or "" for row in rows]),
            tuple([tags[row] or "" for row in rows]),
        )
