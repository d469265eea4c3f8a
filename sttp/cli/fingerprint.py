"""A checksum over measurements: equal only when every signal, time, state and value bit is, in the same order."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from sttp.measurement import MeasurementBatch

__all__ = ["Fingerprint"]

_ROW: Final = np.dtype([("signal_id", "u1", 16), ("ticks", ">i8"), ("flags", ">u4"), ("value", ">u4")])


class Fingerprint:
    """SHA-256 over rows of 32 bytes: signal ID, ticks, flags and the value's bits, in network byte order.

    Attributes:
        count: how many measurements have been added.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sha = hashlib.sha256()

    def add(self, batch: MeasurementBatch) -> None:
        """Add all measurements of `batch`."""
        rows = np.empty(len(batch), _ROW)
        rows["signal_id"] = batch.signals.ids[batch.signal_index]
        rows["ticks"] = batch.ticks
        rows["flags"] = batch.flags
        rows["value"] = batch.value.view(np.uint32)
        self._sha.update(rows.tobytes())
        self.count += len(batch)

    def hexdigest(self) -> str:
        """The checksum so far, 64 hexadecimal digits."""
        return self._sha.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return self.count == other.count and self.hexdigest() == other.hexdigest()

    __hash__ = None  # type: ignore[assignment]  # it changes
