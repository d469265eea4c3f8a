"""Measurements to be sent: noisy signals in frames, made beforehand, so that making them costs next to nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from sttp.measurement import Columns

__all__ = ["noisy_batches"]

BEGIN: Final = 638_400_000_000_000_000
STEP: Final = 333_333
"""Ticks between frames: 30 a second."""

_NOISE: Final = 1e-4
_LEAST: Final = 2**16
_MOST: Final = 2**20


def noisy_batches(signals: int, batch: int) -> Iterator[Columns]:
    """Batches without an end: all signals at one time, then all at the next, cut at every `batch` measurements.

    Each value is that of its signal with normal noise of one in ten thousand. Values repeat after a while, times never
    do: they are all that is computed on the way.

    Args:
        signals: how many; their indexes are 0, 1, 2 and so on.
        batch: measurements in each.
    """
    random = np.random.default_rng(1)
    period = math.lcm(signals, batch)
    if period > _MOST:  # then the batches at the seam repeat a part of a frame, which harms nobody
        period = batch * -(-signals // batch)
    size = period * -(-_LEAST // period)
    index = np.arange(size, dtype=np.int64) % signals
    ticks = BEGIN + np.arange(size, dtype=np.int64) // signals * STEP
    nominal = random.uniform(50, 500_000, signals)
    value = (nominal[index] * (1 + random.normal(0, _NOISE, size))).astype(np.float32)
    flags = np.zeros(batch, np.uint32)
    pool = [
        Columns(index[at : at + batch].astype(np.int32), ticks[at : at + batch], flags, value[at : at + batch])
        for at in range(0, size, batch)
    ]
    span = -(-size // signals) * STEP
    lap = 0
    while True:
        for signal_index, times, states, values in pool:
            yield Columns(signal_index, times + lap, states, values)
        lap += span
