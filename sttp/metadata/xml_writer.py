"""A data set, written in the one shape that every deployed reader understands (metadata.md 2, 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sttp.errors import UsageError
from sttp.metadata.cells import write_cells
from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Table

__all__ = ["write_dataset", "write_dataset_in_pieces"]

_ROWS_AT_ONCE: Final = 2048  # keeps the texts of a large table from standing in memory all together


def write_dataset(dataset: DataSet) -> bytes:
    """Write a metadata document, in UTF-8.

    Positions and attributes of the schema are those that cppapi insists on; there is one row per line.

    Raises:
        UsageError: a cell that is not of its column's type, or holds what XML cannot.
    """
    return b"".join(write_dataset_in_pieces(dataset))


def write_dataset_in_pieces(dataset: DataSet) -> Iterator[bytes]:
    """Write a metadata document piece by piece, each of at most 2048 rows.

    Raises:
        UsageError: as `write_dataset` does, when it comes to that cell.
    """
    yield _head(dataset).encode()
    for table in dataset.tables:
        for start in range(0, len(table), _ROWS_AT_ONCE):
            yield _rows(table, start, min(start + _ROWS_AT_ONCE, len(table))).encode()
    yield f"</{dataset.name}>\n".encode()


def _head(dataset: DataSet) -> str:
    tables = "".join(
        f'          <xs:element name="{table.name}">\n'
        "            <xs:complexType>\n"
        "              <xs:sequence>\n"
        f"{''.join(map(_declaration, table.columns))}"
        "              </xs:sequence>\n"
        "            </xs:complexType>\n"
        "          </xs:element>\n"
        for table in dataset.tables
    )
    return (
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
        f"<{dataset.name}>\n"
        f'  <xs:schema id="{dataset.name}" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:ext="urn:schemas-microsoft-com:xml-msdata">\n'
        f'    <xs:element name="{dataset.name}">\n'
        "      <xs:complexType>\n"
        '        <xs:choice minOccurs="0" maxOccurs="unbounded">\n'
        f"{tables}"
        "        </xs:choice>\n"
        "      </xs:complexType>\n"
        "    </xs:element>\n"
        "  </xs:schema>\n"
    )


def _declaration(column: Column) -> str:
    if column.type is ColumnType.GUID:
        declared = 'type="xs:string" ext:DataType="System.Guid"'
    else:
        declared = f'type="xs:{column.type.value}"'
    return f'                <xs:element name="{column.name}" {declared} minOccurs="0" />\n'


def _rows(table: Table, start: int, stop: int) -> str:
    columns = (
        _elements(table, column, cells[start:stop]) for column, cells in zip(table.columns, table.cells, strict=True)
    )
    return "".join(f"  <{table.name}>{''.join(row)}</{table.name}>\n" for row in zip(*columns, strict=True))


def _elements(table: Table, column: Column, cells: Sequence[Cell]) -> list[str]:
    """One element per cell, and an empty text for a null."""
    name = column.name
    try:
        texts = write_cells(column.type, cells)
    except ValueError as error:
        raise UsageError(f"{table.name}.{name}: {error}") from None
    return ["" if text is None else f"<{name}>{text}</{name}>" for text in texts]
