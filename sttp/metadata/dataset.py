"""The data set: named tables with typed columns, the form in which all metadata travels (metadata.md 2, 3).

Cells are kept by column, so that a table of 100 000 rows costs one list per column and not one object per row. A cell
is `None` (null) or a value of the type that its column says:

| column type | Python type |
|---|---|
| `STRING` | `str` |
| `GUID` | `uuid.UUID` |
| `BOOLEAN` | `bool` |
| `DATE_TIME` | `int`, ticks of 100 ns in UTC as in `sttp.ticks`: nothing that a .NET publisher writes is rounded |
| `FLOAT`, `DOUBLE` | `float`, the former exactly a binary32 |
| `DECIMAL` | `decimal.Decimal` |
| integers | `int` |
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Final, Self, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sttp.errors import UsageError

__all__ = ["RUN", "Cell", "Column", "ColumnType", "DataSet", "Distinct", "Problem", "Table", "is_name"]

Cell = str | UUID | bool | int | float | Decimal | None
"""What a cell can hold; `None` is null."""

V = TypeVar("V")

RUN: Final = 4096
"""Rows that are worked on in one go where Python lets no other thread run meanwhile: that takes a few milliseconds."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*", re.ASCII)


class ColumnType(Enum):
    """Types of columns; the values are the names of XML Schema, except for Guid, which is a marked string there."""

    STRING = "string"
    GUID = "guid"
    BOOLEAN = "boolean"
    DATE_TIME = "dateTime"
    FLOAT = "float"
    DOUBLE = "double"
    DECIMAL = "decimal"
    INT8 = "byte"
    INT16 = "short"
    INT32 = "int"
    INT64 = "long"
    UINT8 = "unsignedByte"
    UINT16 = "unsignedShort"
    UINT32 = "unsignedInt"
    UINT64 = "unsignedLong"


def is_name(text: str) -> bool:
    """Whether `text` can name a data set, table or column: an XML name of ASCII characters, without colon.

    .NET escapes other names as `_xHHHH_`, which no other reader undoes; the standard tables need none.
    """
    return _NAME.fullmatch(text) is not None


def _check_name(what: str, name: str) -> None:
    if not is_name(name):
        raise UsageError(f"{name!r} cannot name a {what}: it must be an XML name of ASCII characters")


@dataclass(frozen=True, slots=True)
class Column:
    """Name and type of a column.

    Raises:
        UsageError: the name is not an XML name.
    """

    name: str
    type: ColumnType = ColumnType.STRING

    def __post_init__(self) -> None:
        _check_name("column", self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """A column as the values that differ, and which of them each row has.

    Attributes:
        values: the values, each once, null among them; or all cells, when few of them are equal. Shape `(n,)`, objects.
        null: which of them are null, shape `(n,)`.
        entries: position in `values` of the value of each row, shape `(rows,)`; `None` when `values` are all cells.
    """

    values: NDArray[np.object_]
    null: NDArray[np.bool_]
    entries: NDArray[np.intp] | None

    @classmethod
    def of(cls, values: Collection[Cell], entries: NDArray[np.intp] | None = None) -> Self:
        """Build it of the values."""
        null = np.fromiter((value is None for value in values), np.bool_, len(values))
        return cls(np.fromiter(values, np.object_, len(values)), null, entries)


@dataclass(frozen=True, repr=False)
class Table:
    """Rows under typed columns, immutable. Names are found ignoring case, as the deployed readers do.

    Attributes:
        name: name of the table.
        columns: its columns.
        cells: one sequence per column, all of one length, in row order.

    Raises:
        UsageError: a name that cannot be, the same column twice, or columns of different length.
    """

    name: str
    columns: tuple[Column, ...] = ()
    cells: tuple[Sequence[Cell], ...] = ()

    def __post_init__(self) -> None:
        _check_name("table", self.name)
        if len(self.columns) != len(self.cells):
            raise UsageError(f"{self.name} has {len(self.columns)} columns, but cells for {len(self.cells)}")
        if len(self._positions) != len(self.columns):
            raise UsageError(f"{self.name} has two columns of one name")
        if len({len(cells) for cells in self.cells}) > 1:
            raise UsageError(f"the columns of {self.name} differ in length")

    @classmethod
    def of(cls, name: str, columns: Iterable[Column], rows: Iterable[Mapping[str, Cell]]) -> Table:
        """Build a table row by row.

        Args:
            name: name of the table.
            columns: its columns.
            rows: one mapping of column name to value per row; a column that is not mentioned is null.

        Raises:
            UsageError: as for the class, or a row names a column that the table does not have.
        """
        declared = tuple(columns)
        known = {column.name for column in declared}
        cells: tuple[list[Cell], ...] = tuple([] for _ in declared)
        for row in rows:
            if not known.issuperset(row):
                raise UsageError(f"{name} has no column {', '.join(sorted(set(row) - known))}")
            for column, values in zip(declared, cells, strict=True):
                values.append(row.get(column.name))
        return cls(name, declared, tuple(map(tuple, cells)))

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.cells[0]) if self.cells else 0

    def __getitem__(self, row: int) -> dict[str, Cell]:
        """Row number `row`, from 0, as a mapping of column name to value."""
        return {column.name: values[row] for column, values in zip(self.columns, self.cells, strict=True)}

    def __iter__(self) -> Iterator[dict[str, Cell]]:
        return (self[row] for row in range(len(self)))

    def __contains__(self, column: object) -> bool:
        """Whether the table has a column of that name."""
        return isinstance(column, str) and column.lower() in self._positions

    def __repr__(self) -> str:
        return f"<Table {self.name}: {len(self)} rows, {len(self.columns)} columns>"

    def column(self, name: str) -> Sequence[Cell]:
        """All values of one column in row order; nulls when there is no such column, since none can be relied on."""
        position = self._positions.get(name.lower())
        return [None] * len(self) if position is None else self.cells[position]

    def type_of(self, name: str) -> ColumnType | None:
        """The type of a column; `None` when there is no such column."""
        position = self._positions.get(name.lower())
        return None if position is None else self.columns[position].type

    def take(self, rows: Iterable[int]) -> Table:
        """The table with `rows` only, in the order given."""
        chosen = list(rows)
        return Table(self.name, self.columns, tuple(tuple([cells[row] for row in chosen]) for cells in self.cells))

    def distinct(self, name: str) -> Distinct:
        """The values that differ in one column. Worked out at first use, and kept: a filter is seldom the only one."""
        key = name.lower()
        if key not in self._distinct:
            self._distinct[key] = _distinct(self.column(name), self.type_of(name))
        return self._distinct[key]

    def first_rows(self, name: str) -> Mapping[Cell, int]:
        """The first row of each value of one column, texts in upper case and without nulls. Kept, as above."""
        key = name.lower()
        if key not in self._first_rows:
            cells = self.column(name)
            folded = [cell.upper() if isinstance(cell, str) else cell for cell in cells]
            # from the end, so that the first row of a value is the last to be set
            rows = _mapping(folded[::-1], range(len(folded) - 1, -1, -1))
            rows.pop(None, None)
            self._first_rows[key] = rows
        return self._first_rows[key]

    @cached_property
    def _distinct(self) -> dict[str, Distinct]:
        return {}

    @cached_property
    def _first_rows(self) -> dict[str, dict[Cell, int]]:
        return {}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {column.name.lower(): position for position, column in enumerate(self.columns)}


def _mapping(keys: Sequence[Cell], values: Sequence[V]) -> dict[Cell, V]:
    """Each key with its value; of those that are equal the last."""
    found: dict[Cell, V] = {}
    for begin in range(0, len(keys), RUN):
        found.update(zip(keys[begin : begin + RUN], values[begin : begin + RUN], strict=True))
    return found


def _distinct(cells: Sequence[Cell], column_type: ColumnType | None) -> Distinct:
    keys = cells
    if column_type in (ColumnType.FLOAT, ColumnType.DOUBLE):
        keys = [cell if cell or cell is None else str(cell) for cell in cells]  # zero has a sign, which == does not see
    found = _mapping(keys, cells)
    if 2 * len(found) > len(cells):
        return Distinct.of(cells)
    positions = dict(zip(found, range(len(found)), strict=True))
    return Distinct.of(found.values(), np.fromiter(map(positions.__getitem__, keys), np.intp, len(cells)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Cells of one column that could not be read, and were taken as null.

    Attributes:
        table: name of the table.
        column: name of the column.
        cells: how many such cells.
        row: row number of the first of them, from 0.
        reason: what is wrong with the first of them.
    """

    table: str
    column: str
    cells: int
    row: int
    reason: str

    def __str__(self) -> str:
        more = f", and {self.cells - 1} more" if self.cells > 1 else ""
        return f"{self.table}.{self.column}, row {self.row}: {self.reason}{more}"


@dataclass(frozen=True, repr=False)
class DataSet:
    """Tables under one name, immutable. Tables are found ignoring case.

    Attributes:
        name: name of the root element; it has no meaning.
        tables: the tables in the order of the schema.
        problems: what could not be read of the document that the data set came from. No part of equality.

    Raises:
        UsageError: a name that cannot be, or two tables of one name.
    """

    name: str = "DataSet"
    tables: tuple[Table, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        _check_name("data set", self.name)
        if len(self._by_name) != len(self.tables):
            raise UsageError("a data set has two tables of one name")

    def __contains__(self, table: object) -> bool:
        """Whether there is a table of that name."""
        return isinstance(table, str) and table.lower() in self._by_name

    def __repr__(self) -> str:
        return f"<DataSet {self.name}: {', '.join(f'{table.name} ({len(table)})' for table in self.tables)}>"

    def table(self, name: str) -> Table:
        """The table of that name; one without columns or rows when there is none, since none can be relied on."""
        found = self._by_name.get(name.lower())
        return Table(name) if found is None else found

    def with_table(self, table: Table) -> DataSet:
        """The same data set with `table` in place of the one that has its name."""
        return replace(
            self, tables=tuple(table if each.name.lower() == table.name.lower() else each for each in self.tables)
        )

    @cached_property
    def _by_name(self) -> dict[str, Table]:
        return {table.name.lower(): table for table in self.tables}
