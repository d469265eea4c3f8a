"""Tables while a metadata document is being read: cells arrive one by one, as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sttp.errors import MetadataError
from sttp.metadata.cells import cell_reader
from sttp.metadata.dataset import Cell, Column, ColumnType, Problem, Table

__all__ = ["CellCount", "ColumnReader", "TableReader"]

_SHARED_VALUES: Final = 8192  # distinct values per column that are kept to share: devices, types, dates


class CellCount:
    """Counts the cells of all tables, against the limit.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._left = self._most = most

    def add(self, cells: int) -> None:
        """Count `cells` more.

        Raises:
            MetadataError: there are too many.
        """
        self._left -= cells
        if self._left < 0:
            raise MetadataError(f"the metadata has more than {self._most} cells")


class ColumnReader:
    """The cells of one column.

    Args:
        column: name and type.
    """

    __slots__ = ("_bad_cells", "_cells", "_first_bad", "_is_text", "_read", "_seen", "column")

    def __init__(self, column: Column) -> None:
        self.column = column
        self._cells: list[Cell] = []
        self._seen: dict[str, Cell] = {}  # equal texts share one value, which is faster and smaller
        self._is_text = column.type is ColumnType.STRING
        self._read = cell_reader(column.type)
        self._bad_cells = 0
        self._first_bad = (0, "")

    def put(self, row: int, text: str) -> None:
        """Set the cell in `row`, and those that were absent before it to null. A cell that is set again is replaced."""
        value = self._seen[text] if text in self._seen else self._convert(row, text)
        missing = row - len(self._cells)
        if missing < 0:
            self._cells[row] = value
        else:
            self._cells.extend([None] * missing)
            self._cells.append(value)

    def extend(self, first: int, texts: Iterable[str | None]) -> None:
        """Set the cells of rows that follow each other, from row `first`, which is behind all that were set."""
        cells, seen = self._cells, self._seen
        cells.extend([None] * (first - len(cells)))
        if self._is_text:
            share = seen.setdefault if len(seen) < _SHARED_VALUES else seen.get
            cells += [None if text is None else share(text, text) for text in texts]
        else:
            cells += [
                None if text is None else seen[text] if text in seen else self._convert(row, text)
                for row, text in enumerate(texts, first)
            ]

    def _convert(self, row: int, text: str) -> Cell:
        """The value of a text that was not seen before; null, and counted as a problem, when it is none."""
        if self._is_text:
            value: Cell = text
        else:
            try:
                value = self._read(text)
            except ValueError as error:
                if not self._bad_cells:
                    self._first_bad = (row, str(error))
                self._bad_cells += 1
                return None
        if len(self._seen) < _SHARED_VALUES:
            self._seen[text] = value
        return value

    def finish(self, rows: int) -> tuple[Cell, ...]:
        """All cells, as many as the table has rows."""
        self._cells.extend([None] * (rows - len(self._cells)))
        return tuple(self._cells)

    def problem(self, table: str) -> Problem | None:
        """What could not be read, if anything."""
        row, reason = self._first_bad
        name = self.column.name
        return Problem(table=table, column=name, cells=self._bad_cells, row=row, reason=reason) if reason else None


class TableReader:
    """The rows of one table.

    Args:
        name: its name, as declared.
        cell_count: what its cells are counted against.

    Attributes:
        columns: the columns by their names in lower case.
        rows: how many rows have begun.
    """

    __slots__ = ("_as_written", "_cell_count", "columns", "name", "rows")

    def __init__(self, name: str, cell_count: CellCount) -> None:
        self.name = name
        self.columns: dict[str, ColumnReader] = {}
        self.rows = 0
        self._as_written: dict[str, ColumnReader] = {}
        self._cell_count = cell_count

    def begin_row(self) -> int:
        """Count one more row, and give its number, from 0.

        Raises:
            MetadataError: it has one cell too many.
        """
        self._cell_count.add(len(self.columns))
        self.rows += 1
        return self.rows - 1

    def extend(self, rows: Sequence[Sequence[str | None]]) -> None:
        """Add whole rows.

        Args:
            rows: for each row two texts for each column: that of the cell, and any other when it is empty.

        Raises:
            MetadataError: there are too many cells.
        """
        self._cell_count.add(len(rows) * len(self.columns))
        if rows:
            texts = list(zip(*rows, strict=True))
            for column, given, ends in zip(self.columns.values(), texts[::2], texts[1::2], strict=True):
                empty = any(ends)
                column.extend(self.rows, ("" if e else t for t, e in zip(given, ends, strict=True)) if empty else given)
        self.rows += len(rows)

    def known_column(self, name: str) -> ColumnReader | None:
        """The column of that name, if it was asked for before; quicker than the next one."""
        return self._as_written.get(name)

    def column_called(self, name: str) -> ColumnReader | None:
        """The column of that name in any case."""
        found = self.columns.get(name.lower())
        if found is not None:
            self._as_written[name] = found
        return found

    def finish(self) -> Table:
        """The table of all rows."""
        readers = self.columns.values()
        columns = tuple(reader.column for reader in readers)
        return Table(self.name, columns, tuple(reader.finish(self.rows) for reader in readers))

    def problems(self) -> list[Problem]:
        """What could not be read."""
        return [problem for reader in self.columns.values() if (problem := reader.problem(self.name)) is not None]
