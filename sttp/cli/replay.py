"""Measurements from a CSV file: a time stamp column, then a column for each point tag.

The file is read row by row, so its length does not matter.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Generator, Iterator, Sequence
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sttp import ticks
from sttp.errors import STTPError, UsageError
from sttp.measurement import Columns, SignalTable

__all__ = ["Replay", "ReplayError"]

_UNKNOWN_SHOWN: Final = 3
"""How many unknown tags one error names."""


class ReplayError(STTPError):
    """A CSV file that cannot be replayed; the message says where and why."""


class Replay:
    """The rows of a file. Iterating reads it from the beginning; a row comes as columns of those cells that are filled.

    Args:
        path: the file; UTF-8, comma separated, the first row names the columns.
        signals: the signals that may occur, with their tags.

    Attributes:
        size: length of the file in bytes.
        position: how many bytes have been read; somewhat ahead of the rows.

    Raises:
        ReplayError: the file cannot be read, or has a tag that the metadata lacks.
    """

    def __init__(self, path: Path, signals: SignalTable) -> None:
        self._path = path
        self._index_of_tag = {tag: index for index, tag in enumerate(signals.tags) if tag and signals.has(index)}
        self.size = 0
        self.position = 0
        lines = self._lines()
        self._header = next(lines, (0, []))[1]
        self._signal_index = self._signal_indexes(self._header[1:])
        if next(lines, None) is None:
            raise ReplayError(f"{path} has no rows")
        lines.close()

    def __iter__(self) -> Iterator[Columns]:
        """Read the file.

        Raises:
            ReplayError: a row of another length than the header, a time or number that cannot be read.
        """
        lines = self._lines()
        next(lines, None)  # the header
        return (self._columns(row, line) for line, row in lines)

    def _lines(self) -> Generator[tuple[int, list[str]], None, None]:
        """Line number and cells of all lines that are not empty."""
        try:
            with self._path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size
                reader = csv.reader(TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
                for row in reader:
                    if row:
                        self.position = file.tell()
                        yield reader.line_num, row
        except OSError as error:
            raise ReplayError(f"cannot read {self._path}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise ReplayError(f"{self._path} is not UTF-8: {error.reason}") from None
        except csv.Error as error:
            raise ReplayError(f"{self._path}, line {reader.line_num}: not CSV: {error}") from None

    def _signal_indexes(self, tags: Sequence[str]) -> NDArray[np.int32]:
        if not tags:
            raise ReplayError(
                f"{self._path} needs a header: a name for the time stamp, then point tags, separated by commas"
            )
        if {"tag", "value"} <= set(tags):
            raise ReplayError(
                f"{self._path} has a row for each measurement, as sttp subscribe writes it; needed is a row for each"
                " time, with a column for each point tag"
            )
        unknown = [tag for tag in tags if tag not in self._index_of_tag]
        if unknown:
            raise ReplayError(f"{self._path} has tags that the metadata lacks: {self._with_nearest(unknown)}")
        if len(set(tags)) < len(tags):
            twice = next(tag for tag in tags if tags.count(tag) > 1)
            raise ReplayError(f"{self._path} has the tag {twice} twice")
        return np.array([self._index_of_tag[tag] for tag in tags], np.int32)

    def _with_nearest(self, unknown: Sequence[str]) -> str:
        shown = []
        for tag in unknown[:_UNKNOWN_SHOWN]:
            near = get_close_matches(tag, self._index_of_tag, n=1, cutoff=0)
            shown.append(f"{tag!r} (did you mean {near[0]!r}?)" if near else repr(tag))
        if len(unknown) > _UNKNOWN_SHOWN:
            shown.append(f"and {len(unknown) - _UNKNOWN_SHOWN} more")
        return ", ".join(shown)

    def _columns(self, row: Sequence[str], line: int) -> Columns:
        if len(row) != len(self._header):
            raise ReplayError(f"{self._path}, line {line}: {len(row)} cells under {len(self._header)} column names")
        try:
            moment = ticks.from_iso(row[0])
        except UsageError as error:
            raise ReplayError(f"{self._path}, line {line}, column 1: {error}") from None
        signal_index, cells = self._signal_index, row[1:]
        if not all(map(str.strip, cells)):
            filled = [position for position, cell in enumerate(cells) if cell.strip()]
            signal_index, cells = signal_index[filled], [cells[position] for position in filled]
        try:
            exact = np.array(list(map(float, cells)))
        except ValueError:
            raise self._unreadable(row, line) from None
        with np.errstate(over="ignore"):
            value = exact.astype(np.float32)
        if not np.array_equal(np.isinf(value), np.isinf(exact)):
            raise self._unreadable(row, line)
        count = len(value)
        return Columns(signal_index, np.full(count, moment, np.int64), np.zeros(count, np.uint32), value)

    def _unreadable(self, row: Sequence[str], line: int) -> ReplayError:
        """The error for the first cell of `row` that is no number, or none that binary32 can hold."""
        for number, (tag, cell) in enumerate(zip(self._header[1:], row[1:], strict=True), start=2):
            if cell.strip() and not _fits(cell):
                return ReplayError(
                    f"{self._path}, line {line}, column {number} ({tag}): not a binary32 number: {cell!r}"
                )
        raise AssertionError("all cells can be read")


def _fits(cell: str) -> bool:
    try:
        exact = float(cell)
    except ValueError:
        return False
    with np.errstate(over="ignore"):
        return bool(np.isinf(np.float32(exact)) == np.isinf(exact))
