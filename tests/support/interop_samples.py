"""Measurements that are sent from one implementation to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sttp import ticks
from sttp.measurement import MeasurementBatch, SignalTable

__all__ = ["EVEN", "UNEVEN", "all_states", "identifying", "retimed", "special_values"]

START = ticks.from_iso("2026-03-14T15:09:26Z")

UNEVEN = 166_667
"""Ticks between frames at 60 frames per second, about."""

EVEN = 200_000
"""Ticks between frames at 50 frames per second, exactly."""

_SIGNALS = 5
"""How many signals take part in a sample."""

_BITS = [
    *(0x00000000, 0x80000000),  # both zeros
    *(0x7F800000, 0xFF800000),  # infinity, and its negative
    *(0x7FC00000, 0xFFC00000, 0x7FC12345, 0x7FFFFFFF),  # quiet NaNs; a peer that computes in doubles quiets the others
    *(0x00000001, 0x807FFFFF, 0x00800000),  # denormal numbers, and the smallest normal one
    *(0x7F7FFFFF, 0xFF7FFFFF),  # the largest numbers
    *(0x3F800000, 0x426FCCCD),  # 1 and 59.95
]


def special_values(signals: SignalTable, *, spacing: int) -> MeasurementBatch:
    """Every kind of value with each of the eight lowest states, of several signals."""
    states = [1 << bit for bit in range(8)]
    return _sample(signals, np.repeat(_BITS, len(states)), np.tile(states, len(_BITS)), spacing)


def all_states(signals: SignalTable) -> MeasurementBatch:
    """Each of the 32 states, all together, and none, of several signals."""
    states = [0, *(1 << bit for bit in range(32)), 0xFFFFFFFF]
    return _sample(signals, np.full(len(states), 0x426FCCCD), states, EVEN)


def retimed(batch: MeasurementBatch, *, spacing: int, per_frame: int) -> MeasurementBatch:
    """The same measurements with frames `spacing` ticks apart."""
    return MeasurementBatch(batch.columns._replace(ticks=_times(len(batch), spacing, per_frame)), batch.signals)


def identifying(signals: SignalTable, number: int, *, spacing: int = EVEN) -> MeasurementBatch:
    """One frame of all signals, whose values tell which signal they are of, and which frame it is."""
    index = np.arange(len(signals))
    return MeasurementBatch.of(signals, index, START + number * spacing, 1000.0 * number + index)


def _sample(signals: SignalTable, bits: ArrayLike, states: ArrayLike, spacing: int) -> MeasurementBatch:
    values = np.array(bits, np.uint32).view(np.float32)
    index = np.arange(len(values)) % _SIGNALS
    return MeasurementBatch.of(signals, index, _times(len(values), spacing, _SIGNALS), values, flags=states)


def _times(count: int, spacing: int, per_frame: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return START + np.arange(count, dtype=np.int64) // per_frame * spacing
