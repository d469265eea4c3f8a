"""The recording of a grid fault that comes with sttp-kit, read with the standard library only.

What arrived is not compared by the code that sent it: this reader shares nothing with the package.
"""

from __future__ import annotations

import csv
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID
from xml.etree import ElementTree

__all__ = ["Measured", "Recording", "longest_gap"]

_YEAR_1: Final = datetime(1, 1, 1, tzinfo=UTC)
_TICKS_PER_MICROSECOND: Final = 10
_TICKS_PER_SECOND: Final = 10_000_000


class Measured(NamedTuple):
    """One measurement. The value is the four bytes of its binary32, so that equal means equal in every bit."""

    signal_id: UUID
    tag: str
    ticks: int
    flags: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """Two files: rows of values under point tags, and the metadata that gives each tag its signal ID."""

    csv: Path
    metadata: Path

    def measurements(self) -> Iterator[Measured]:
        """All measurements, in the order of the file."""
        details = ElementTree.parse(self.metadata).getroot().iterfind("MeasurementDetail")
        ids = {detail.findtext("PointTag", ""): UUID(detail.findtext("SignalID", "")) for detail in details}
        with self.csv.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            tags = next(rows)[1:]
            for moment, *values in rows:
                ticks = _ticks(moment)
                for tag, value in zip(tags, values, strict=True):
                    yield Measured(ids[tag], tag, ticks, 0, _binary32(value))

    def difference(self, lines: Sequence[str]) -> str | None:
        """Compare with what `sttp subscribe --format csv` wrote.

        Returns:
            The first difference; None when every signal, time, state and value bit is the same, in the same order.
        """
        received = map(_read, csv.DictReader(lines))
        for number, (ours, theirs) in enumerate(zip_longest(self.measurements(), received), start=1):
            if ours != theirs:
                return f"measurement {number} was sent as {ours} and received as {theirs}"
        return None


def longest_gap(lines: Sequence[str]) -> float:
    """The most seconds between two measurements that follow one another in what `sttp subscribe --format csv` wrote."""
    times = [int(row["ticks"]) for row in csv.DictReader(lines)]
    return max((later - sooner for sooner, later in pairwise(times)), default=0) / _TICKS_PER_SECOND


def _ticks(moment: str) -> int:
    """100 ns since the year 1."""
    return (datetime.fromisoformat(moment) - _YEAR_1) // timedelta(microseconds=1) * _TICKS_PER_MICROSECOND


def _read(row: dict[str, str]) -> Measured:
    return Measured(UUID(row["signal_id"]), row["tag"], int(row["ticks"]), int(row["flags"]), _binary32(row["value"]))


def _binary32(text: str) -> bytes:
    return struct.pack(">f", float(text))
