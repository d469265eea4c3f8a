"""Measurements by their bits: what two conversations are compared by, and what an application is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sttp.measurement import Columns, SignalTable

__all__ = ["ROWS", "Measurements"]

ROWS: Final = np.dtype([("signal_id", "V16"), ("ticks", "i8"), ("flags", "u4"), ("value", "u4")])
"""A measurement in its bits: two NaNs are not equal as numbers, and two zeros are."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """Adjacent data packets, merged.

    Attributes:
        rows: the measurements in their order, of dtype `ROWS`.
    """

    rows: NDArray[np.void]

    @classmethod
    def of(cls, columns: Columns, signals: SignalTable) -> Measurements:
        """Measurements whose signal indexes point into `signals`; the signal ID is zeros where one points beyond."""
        rows = np.zeros(len(columns.signal_index), ROWS)
        known = columns.signal_index < len(signals)
        rows["signal_id"][known] = signals.ids.view("V16")[columns.signal_index[known], 0]
        rows["ticks"] = columns.ticks
        rows["flags"] = columns.flags
        rows["value"] = np.ascontiguousarray(columns.value).view(np.uint32)
        return cls(rows)

    @classmethod
    def joined(cls, parts: list[Measurements]) -> Measurements:
        """All measurements of `parts`, in order."""
        return cls(np.concatenate([part.rows for part in parts]) if parts else np.zeros(0, ROWS))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Measurements) and self.rows.tobytes() == other.rows.tobytes()

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.rows)

    def lines(self) -> Iterator[str]:
        """One line for each measurement."""
        values = np.ascontiguousarray(self.rows["value"]).view(np.float32)
        for row, value in zip(self.rows, values, strict=True):
            signal_id = UUID(bytes=row["signal_id"].tobytes())
            yield f"{signal_id} at {row['ticks']}: {value} ({row['value']:#010x}), flags {row['flags']:#010x}"
