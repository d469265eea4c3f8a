"""What a measurement gave, in numbers and in words."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np

from sttp.cli.benchmark.scenario import Scenario
from sttp.cli.loop import loop_factory
from sttp.wire._tssc import COMPILED

__all__ = ["EndResult", "Latency", "Result", "about_here"]

_MILLION: Final = 1e6
_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class EndResult:
    """What one end did between the first and the last look at it.

    Attributes:
        per_second: measurements a second that it published, or received.
        cpu_per_million: seconds of processor time per million of them.
        peak: most memory ever, in bytes.
        growth: memory at the end less that at the beginning, in bytes.
    """

    per_second: float
    cpu_per_million: float
    peak: int
    growth: int

    @classmethod
    def between(cls, first: dict[str, Any], last: dict[str, Any]) -> Self:
        """From what the end said first and last."""
        count = last["measurements"] - first["measurements"]
        return cls(
            per_second=count / (last["time"] - first["time"]),
            cpu_per_million=(last["cpu"] - first["cpu"]) / count * _MILLION if count else 0.0,
            peak=last["peak"],
            growth=last["resident"] - first["resident"],
        )


@dataclass(frozen=True, slots=True)
class Latency:
    """From reading the clock for a batch to the hands of the receiving application, in seconds, of all subscribers."""

    median: float
    p99: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """From the single ones."""
        return cls(float(np.median(seconds)), float(np.percentile(seconds, 99)), len(seconds))


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario gave.

    Attributes:
        scenario: what was measured.
        about: machine, versions and load.
        seconds: how long was counted.
        rates: measurements a second that all subscribers together received, second by second.
        bytes_per_measurement: of data packets on the wire, with their headers.
        publisher: the publishing end.
        subscribers: the receiving ends.
        latency: of single measurements, where that was the mode.
        lost: measurements that were dropped, and gaps in the streams; anything but 0 spoils the numbers.
    """

    scenario: Scenario
    about: dict[str, Any]
    seconds: float
    rates: tuple[float, ...]
    bytes_per_measurement: float
    publisher: EndResult
    subscribers: tuple[EndResult, ...]
    latency: Latency | None
    lost: int

    @property
    def per_second(self) -> float:
        """Measurements a second that all subscribers together received."""
        return sum(each.per_second for each in self.subscribers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "per_second": self.per_second}

    def lines(self) -> Iterator[tuple[str, str]]:
        """For people: what, and how much."""
        spread = f"   ({_count(min(self.rates))} to {_count(max(self.rates))} within a second)" if self.rates else ""
        yield "measurements/s", f"{_count(self.per_second)}{spread}"
        yield "bytes/measurement", f"{self.bytes_per_measurement:.2f}"
        if self.latency is not None:
            yield "latency", f"median {self.latency.median * 1e6:.0f} µs, 99 % within {self.latency.p99 * 1e6:.0f} µs"
        # of several subscribers the median, and the worst
        ends = {"publisher": (self.publisher,), "subscriber": self.subscribers}
        for role, each in ends.items():
            yield f"CPU, {role}", f"{_of([one.cpu_per_million for one in each], '.4f')} s per million measurements"
        for role, each in ends.items():
            peak = _of([one.peak / _MB for one in each], ".0f")
            growth = _of([one.growth / _MB for one in each], "+.1f")
            yield f"memory, {role}", f"{peak} MB at most; {growth} MB while it was counted"
        if self.lost:
            yield "lost", f"{self.lost} measurements or gaps: the numbers above are worth nothing"


def _of(values: Sequence[float], form: str) -> str:
    median = format(statistics.median(values), form)
    return median if len(values) == 1 else f"{median} (worst {format(max(values), form)})"


def _count(number: float) -> str:
    return f"{number / _MILLION:.2f} million" if number >= _MILLION / 10 else f"{number:.0f}"


def about_here() -> dict[str, Any]:
    """Machine, versions and load, as far as they bear on speed."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "loops": "compiled" if COMPILED else "uncompiled",
        "event_loop": "asyncio" if loop_factory() is None else "uvloop",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
