"""Measurements that are easily spoiled, and a comparison that notices: values, times and states bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sttp.codes import OperationalModes
from sttp.measurement import Columns
from sttp_conformance.case import Case
from sttp_conformance.measurements import Measurements
from sttp_conformance.picking import everything

__all__ = ["SPECIAL_VALUES", "publish_exactly", "series"]

SPECIAL_VALUES = np.array(
    [
        0x00000000,
        0x80000000,
        0x7F800000,
        0xFF800000,
        0x7FC00000,
        0x00000001,
        0x7F7FFFFF,
        0x426FCCCD,
        0xBFC00000,
        0x3EAAAAAB,
    ],
    np.uint32,
).view(np.float32)
"""Zeros, infinities, a NaN, the smallest and the largest, and some that no decimal fraction hits."""


def series(case: Case, value: ArrayLike, *, steps: Sequence[int] = (), flags: ArrayLike = 0) -> Columns:
    """Measurements of the first signal, one after another.

    Args:
        case: the case.
        value: their values.
        steps: ticks to be added to their times.
        flags: their states.
    """
    values = np.array(value, np.float32)
    count = len(values)
    ticks = np.array([case.clock.tick() for _ in range(count)], np.int64)
    ticks += np.array(steps or [0] * count, np.int64)
    states = np.broadcast_to(np.array(flags, np.uint32), count)
    return Columns(np.zeros(count, np.int32), ticks, states, values)


async def publish_exactly(case: Case, sent: Columns, *modes: OperationalModes) -> None:
    """Publish measurements, and compare those that arrive bit for bit; any NaN stands for every other."""
    for each in modes:
        async with case.subscriber() as peer:
            await peer.begin(each)
            signals = await everything(case, peer)
            await case.publish(sent, signals)
            got = await peer.measurements(len(sent.ticks))
            wanted = Measurements.of(sent, signals)
            for rows_ in (got.rows, wanted.rows):
                values = rows_["value"]
                values[(values & 0x7FFFFFFF) > 0x7F800000] = 0x7FC00000
            case.require(got == wanted, f"{'; '.join(wanted.lines())}", "; ".join(got.lines()))
