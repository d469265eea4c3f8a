"""Counts what a subscriber gets, cuts it at the number that was asked for, and sums it up."""

from __future__ import annotations

import time
from collections.abc import Callable

from sttp.measurement import MeasurementBatch
from sttp.statistics import SubscriberStatistics

__all__ = ["Tally"]


class Tally:
    """Measurements so far.

    Args:
        wanted: how many are enough; none for as many as come.
        clock: seconds, never stepping back; for tests.

    Attributes:
        wanted: as given.
        count: how many have been taken.
    """

    def __init__(self, wanted: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.wanted = wanted
        self.count = 0
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self._last = 0.0

    @property
    def complete(self) -> bool:
        """Whether there are as many as were wanted."""
        return self.wanted is not None and self.count >= self.wanted

    @property
    def rate(self) -> float | None:
        """Measurements a second since the first batch came, which does not count itself; none before the second."""
        if self._first is None:
            return None
        began, already = self._first
        return (self.count - already) / (self._last - began) if self._last > began else None

    def take(self, batch: MeasurementBatch) -> MeasurementBatch:
        """Count `batch`, and return of it what is still wanted."""
        if self.wanted is not None and len(batch) > self.wanted - self.count:
            kept = batch.columns.select(slice(self.wanted - self.count))
            batch = MeasurementBatch(kept, batch.signals, batch.publisher)
        self.count += len(batch)
        self._last = self._clock()
        if self._first is None:
            self._first = (self._last, self.count)
        return batch

    def __str__(self) -> str:
        """How it stands, in a few words."""
        rate = self.rate
        return f"{self.count} measurements" + (f", {rate:.0f}/s" if rate is not None else "")

    def summary(self, statistics: SubscriberStatistics) -> str:
        """How it went, on one line."""
        each = f", {statistics.bytes_per_measurement:.2f} bytes/measurement" if statistics.measurements else ""
        again = f", {statistics.reconnects} times reconnected" if statistics.reconnects else ""
        return f"{self}{each}, {statistics.gaps} gaps, {statistics.dropped} dropped{again}"
