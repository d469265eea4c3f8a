"""Base times as a publisher chooses them: from the measurements, and new ones when the measurements have moved on.

The peers announce base times by a timer, after one minute or seven, and change between index 0 and 1 (wire.md 7.1).
Over a stream, where order is kept, neither is needed: we announce them before the first measurement, and always use
index 0, because pyapi's subscriber does not survive index 1 (6.2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sttp.ticks import MAX_TICKS, TICKS_PER_MILLISECOND
from sttp.wire.compact import BaseTimes, TimeFormat

__all__ = ["base_times_for"]


def base_times_for(ticks: NDArray[np.int64], current: BaseTimes | None, time_format: TimeFormat) -> BaseTimes | None:
    """The base times to announce before measurements are sent.

    Args:
        ticks: times of the measurements, shape `(n,)`; those with leap-second marks do not count.
        current: what was announced last.
        time_format: how far an offset reaches.

    Returns:
        New base times; None when those in force will do for the newest measurement, or none would help.
    """
    usable = ticks if ticks.min(initial=1) > 0 and ticks.max(initial=1) <= MAX_TICKS else _usable(ticks)
    if not len(usable):
        return None
    newest = int(usable.max())
    reach = time_format.reach
    if current is not None and 0 < newest - current.times[0] < reach:
        return None
    # whole milliseconds, so that an offset in milliseconds loses nothing that its unit could hold. The offset must be
    # positive. Late measurements may fill one half of the reach; the other half is for what is to come
    oldest = max(int(usable.min()), newest - reach // 2)
    base = (oldest // TICKS_PER_MILLISECOND - 1) * TICKS_PER_MILLISECOND
    return BaseTimes(active=0, times=(base, base + reach)) if base > 0 else None


def _usable(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    return ticks[(ticks > 0) & (ticks <= MAX_TICKS)]
