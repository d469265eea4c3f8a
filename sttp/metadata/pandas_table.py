"""A table of metadata as a pandas data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sttp.metadata.dataset import Cell, ColumnType, Table
from sttp.tabular import library, nanoseconds
from sttp.ticks import MAX_TICKS

if TYPE_CHECKING:
    import pandas

__all__ = ["to_pandas"]

_DTYPES: Final[Mapping[ColumnType, str]] = {
    ColumnType.STRING: "string",
    ColumnType.GUID: "string",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.FLOAT: "Float32",
    ColumnType.DOUBLE: "Float64",
    ColumnType.DECIMAL: "Float64",
    ColumnType.INT8: "Int8",
    ColumnType.INT16: "Int16",
    ColumnType.INT32: "Int32",
    ColumnType.INT64: "Int64",
    ColumnType.UINT8: "UInt8",
    ColumnType.UINT16: "UInt16",
    ColumnType.UINT32: "UInt32",
    ColumnType.UINT64: "UInt64",
}
"""Types of pandas that have a null of their own. A date is not among them: see `_dates`."""


def to_pandas(table: Table) -> pandas.DataFrame:
    """The rows of `table` under its columns; see `Metadata.to_pandas`."""
    pandas = library("pandas")
    return pandas.DataFrame(
        {column.name: _series(cells, column.type) for column, cells in zip(table.columns, table.cells, strict=True)},
        index=pandas.RangeIndex(len(table)),
    )


def _series(cells: Sequence[Cell], column_type: ColumnType) -> Any:
    pandas = library("pandas")
    if column_type is ColumnType.DATE_TIME:
        return pandas.DatetimeIndex(_dates(cells), tz="UTC")
    values: Sequence[Cell] = cells
    if column_type is ColumnType.GUID:
        values = [None if cell is None else str(cell) for cell in cells]
    elif column_type is ColumnType.DECIMAL:
        values = [None if cell is None else float(str(cell)) for cell in cells]
    return pandas.array(values, dtype=_DTYPES[column_type])


def _dates(cells: Sequence[Cell]) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Times to the nanosecond; none for a null, and for a date before 1678 or after 2261, which these cannot hold."""
    known = [cell if isinstance(cell, int) and 0 <= cell <= MAX_TICKS else 0 for cell in cells]
    return nanoseconds(np.array(known, np.int64)).view("M8[ns]")
