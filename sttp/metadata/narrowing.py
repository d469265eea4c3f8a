"""The part of metadata that belongs to some signals, for those who may not see the rest."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import compress
from typing import Final
from uuid import UUID

from sttp.metadata.cells import adapt_column
from sttp.metadata.dataset import Column, DataSet, Table
from sttp.metadata.records import DEVICES, MEASUREMENTS, PHASORS

__all__ = ["only_signals"]

_HARMLESS: Final = {"schemaversion", "versioninfo"}
"""Tables that say nothing of any signal."""


def only_signals(dataset: DataSet, signal_ids: AbstractSet[UUID]) -> DataSet:
    """The rows that speak of these signals: their measurements, and the devices and phasors of those.

    Tables that are not of the standard are left out, because nobody knows what they tell.

    Args:
        dataset: all metadata of a publisher.
        signal_ids: which signals.
    """
    measurements = _only(
        dataset.table(MEASUREMENTS.name),
        [
            signal_id in signal_ids
            for signal_id in adapt_column(dataset.table(MEASUREMENTS.name), MEASUREMENTS.columns["signal_id"])
        ],
    )
    acronyms = _folded(measurements, MEASUREMENTS.columns["device_acronym"])
    indexes = adapt_column(measurements, MEASUREMENTS.columns["phasor_source_index"])
    measured, of_phasors = set(acronyms), set(zip(acronyms, indexes, strict=True))
    devices, phasors = dataset.table(DEVICES.name), dataset.table(PHASORS.name)
    kept = {
        measurements.name.lower(): measurements,
        devices.name.lower(): _only(
            devices, [acronym in measured for acronym in _folded(devices, DEVICES.columns["acronym"])]
        ),
        phasors.name.lower(): _only(
            phasors,
            [
                each in of_phasors
                for each in zip(
                    _folded(phasors, PHASORS.columns["device_acronym"]),
                    adapt_column(phasors, PHASORS.columns["source_index"]),
                    strict=True,
                )
            ],
        ),
    }
    tables = tuple(
        kept.get(table.name.lower(), table)
        for table in dataset.tables
        if table.name.lower() in kept or table.name.lower() in _HARMLESS
    )
    return DataSet(name=dataset.name, tables=tables)


def _only(table: Table, kept: Sequence[bool]) -> Table:
    return table if all(kept) else table.take(compress(range(len(table)), kept))


def _folded(table: Table, column: Column) -> list[str]:
    """Acronyms in lower case; empty where null."""
    return [str(cell or "").lower() for cell in adapt_column(table, column)]
