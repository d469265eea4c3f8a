"""Whose measurements metadata speaks of: the publisher's own, or those that it got from elsewhere (metadata.md 7).

A measurement is *internal* when the publisher owns it, and *external* when it passes it on; a device is external when
it has an original source. With two operational modes a subscriber says which of them it wants to hear of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Final

from sttp.codes import ModeFlags
from sttp.metadata.cells import adapt_column
from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Table
from sttp.metadata.records import DEVICES, MEASUREMENTS, PHASORS

__all__ = ["owned_as_asked", "without_lone_rows"]

_INTERNAL: Final = Column("Internal", ColumnType.BOOLEAN)
_ORIGINAL_SOURCE: Final = Column("OriginalSource", ColumnType.STRING)


def owned_as_asked(dataset: DataSet, modes: ModeFlags, *, mutual: bool = False) -> DataSet:
    """The rows that a subscriber wants to hear of, as its operational modes say (wire.md 8.3).

    With both modes nothing is left out. With ReceiveExternalMetadata alone, what is internal is left out; otherwise,
    also with neither mode, what is external. Tables are known by their columns, not by name: in those with Internal a
    null counts as false, and in those with OriginalSource a text that is empty counts as null.

    Args:
        dataset: all metadata of the publisher.
        modes: the operational modes of the subscriber.
        mutual: whether both ends publish to each other; devices are then told apart by their measurements only, since
            each end has those of the other.

    Returns:
        The data set itself when nothing is left out.
    """
    wants_external = ModeFlags.RECEIVE_EXTERNAL_METADATA in modes
    if wants_external and ModeFlags.RECEIVE_INTERNAL_METADATA in modes:
        return dataset
    for table in dataset.tables:
        narrowed = table
        if _INTERNAL.name in narrowed:
            narrowed = _where(narrowed, _INTERNAL, lambda internal: bool(internal) is not wants_external)
        if _ORIGINAL_SOURCE.name in narrowed and not mutual:
            narrowed = _where(narrowed, _ORIGINAL_SOURCE, lambda source: bool(source) is wants_external)
        if narrowed is not table:
            dataset = dataset.with_table(narrowed)
    return dataset


def without_lone_rows(dataset: DataSet) -> DataSet:
    """The data set without rows that have lost their partners, as they may when some were left out.

    These are devices without measurements, phasors without device, and measurements with a phasor's index but without
    that phasor. All are looked for in the data set as it is given: what is lone only because of another lone row stays.
    Measurements without device stay, and so does everything when a table of the three is missing.

    Returns:
        The data set itself when there are none.
    """
    devices, measurements, phasors = (dataset.table(each.name) for each in (DEVICES, MEASUREMENTS, PHASORS))
    if not (devices.columns and measurements.columns and phasors.columns):
        return dataset
    acronyms = _folded(devices, DEVICES.columns["acronym"])
    of_measurements = _folded(measurements, MEASUREMENTS.columns["device_acronym"])
    of_phasors = _folded(phasors, PHASORS.columns["device_acronym"])
    phasor_indexes = adapt_column(phasors, PHASORS.columns["source_index"])
    measured, known = set(of_measurements), set(acronyms)
    known_phasors = set(zip(of_phasors, phasor_indexes, strict=True))
    indexes = adapt_column(measurements, MEASUREMENTS.columns["phasor_source_index"])
    for table, kept in (
        (devices, [acronym in measured for acronym in acronyms]),
        (phasors, [acronym in known for acronym in of_phasors]),
        (
            measurements,
            [each[1] is None or each in known_phasors for each in zip(of_measurements, indexes, strict=True)],
        ),
    ):
        narrowed = _only(table, kept)
        if narrowed is not table:
            dataset = dataset.with_table(narrowed)
    return dataset


def _where(table: Table, column: Column, keeps: Callable[[Cell], bool]) -> Table:
    return _only(table, [keeps(cell) for cell in adapt_column(table, column)])


def _only(table: Table, kept: Sequence[bool]) -> Table:
    return table if all(kept) else table.take(compress(range(len(table)), kept))


def _folded(table: Table, column: Column) -> list[str]:
    """Acronyms in lower case; empty where null."""
    return [str(cell or "").lower() for cell in adapt_column(table, column)]
