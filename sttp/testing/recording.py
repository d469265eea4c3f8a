"""The recording of a simulated fault that rides in the package, read for comparison."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import as_file, files

import numpy as np

from sttp import ticks
from sttp.measurement import Columns
from sttp.metadata import Metadata
from sttp_conformance.measurements import Measurements

__all__ = ["fault", "grid", "rows"]


@cache
def grid() -> Metadata:
    """What its signals mean."""
    with as_file(files("sttp") / "data" / "kundur-two-area-fault.metadata.xml") as path:
        return Metadata.from_file(path)


@cache
def fault() -> Columns:
    """Its 48 000 measurements, read without help of the code under test but for its time stamps."""
    text = (files("sttp") / "data" / "kundur-two-area-fault-60fps.csv").read_text("utf-8")
    header, *lines = csv.reader(text.splitlines())
    index = {tag: index for index, tag in enumerate(grid().signals.tags)}
    order = np.array([index[tag] for tag in header[1:]], np.int32)
    count = len(order)
    return Columns(
        np.tile(order, len(lines)),
        np.repeat(np.array([ticks.from_iso(row[0]) for row in lines], np.int64), count),
        np.zeros(count * len(lines), np.uint32),
        np.array([row[1:] for row in lines]).astype(np.float32).ravel(),
    )


def rows(columns: Columns) -> Measurements:
    """Columns of the recording with their signal IDs, bit for bit."""
    return Measurements.of(columns, grid().signals)
