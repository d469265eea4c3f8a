"""Metadata from CSV files: one line per device, measurement or phasor, under a header that names what is known.

A column of the header is named as in the standard table (`PointTag`) or as the attribute of the record (`tag`), in any
case. An empty cell is null, except that Enabled and Internal are then true.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from sttp.errors import MetadataError
from sttp.metadata.cells import cell_reader, write_cell
from sttp.metadata.dataset import Cell, Column, ColumnType, Table
from sttp.metadata.records import (
    DEVICES,
    MEASUREMENTS,
    PHASORS,
    DeviceRecord,
    MeasurementRecord,
    PhasorRecord,
    Record,
    RecordTable,
)

__all__ = ["read_devices", "read_measurements", "read_phasors"]

_WHEN_EMPTY: Final = {"Enabled": True, "Internal": True}
"""What an empty cell means where that is not null."""

_NAMESPACE: Final = UUID("b9b6a3c2-6c4f-5d0e-8a55-2f6d0a4c7e11")
"""Of the signal IDs that are made of tags."""


def read_measurements(path: str | Path, *, source: str) -> list[MeasurementRecord]:
    """Read measurements.

    Args:
        path: the file. It must have a column of signal IDs or of point tags.
        source: source of the measurement keys of lines that have none: `SOURCE:1`, `SOURCE:2`, … by line.

    Returns:
        The measurements. Enabled is true and Internal is true unless a line says otherwise; a line without signal ID
        gets one that is made of its point tag, always the same for the same tag.

    Raises:
        MetadataError: the file cannot be read, a column is unknown, or a cell is not what its column asks for.
    """
    table, lines = _read(path, MEASUREMENTS)
    tags = table.column(MEASUREMENTS.columns["tag"].name)
    keys = table.column(MEASUREMENTS.columns["key"].name)
    ids = list(table.column(MEASUREMENTS.columns["signal_id"].name))
    for row, (signal_id, tag) in enumerate(zip(ids, tags, strict=True)):
        if signal_id is None:
            if tag is None:
                raise MetadataError(f"{path}, line {lines[row]}: neither a SignalID nor a PointTag")
            ids[row] = uuid5(_NAMESPACE, str(tag))
    if (twice := _twice(ids)) is not None:
        first, again = twice
        raise MetadataError(
            f"{path}, line {lines[again]}: the signal of line {lines[first]} again; "
            "a signal is told by its SignalID, or else by its PointTag"
        )
    keys = [key or f"{source}:{row + 1}" for row, key in enumerate(keys)]
    if (twice := _twice(keys)) is not None:
        first, again = twice
        raise MetadataError(
            f"{path}, line {lines[again]}: the measurement key {keys[again]} of line {lines[first]} again; "
            f"a line without ID has its number among the signals, {source}:1 for the first"
        )
    return _records(_with(table, {"signal_id": ids, "key": keys}, MEASUREMENTS), MEASUREMENTS)


def read_devices(path: str | Path) -> list[DeviceRecord]:
    """Read devices; Enabled is true unless a line says otherwise.

    Raises:
        MetadataError: as for measurements, or there is no column of acronyms.
    """
    table, lines = _read(path, DEVICES)
    _require(path, table, lines, DEVICES)
    return _records(table, DEVICES)


def read_phasors(path: str | Path) -> list[PhasorRecord]:
    """Read phasors.

    Raises:
        MetadataError: as for measurements, or there is no column of device acronyms or source indexes.
    """
    table, lines = _read(path, PHASORS)
    _require(path, table, lines, PHASORS)
    return _records(table, PHASORS)


def _read(path: str | Path, standard: RecordTable[Record]) -> tuple[Table, list[int]]:
    """The columns that the file has, and the line of each row."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = _columns(path, next(reader, []), standard)
            lines: list[int] = []
            rows: list[list[Cell]] = []
            readers = [cell_reader(column.type) for column in columns]
            for texts in reader:
                if texts:
                    rows.append(list(_cells(path, reader.line_num, texts, columns, readers)))
                    lines.append(reader.line_num)
    except OSError as error:
        raise MetadataError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise MetadataError(f"{path} is not in UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise MetadataError(f"{path}, line {reader.line_num}: no CSV: {error}") from None
    cells = tuple(zip(*rows, strict=True)) if rows else tuple(() for _ in columns)
    return Table(standard.name, columns, cells), lines


def _columns(path: str | Path, header: Sequence[str], standard: RecordTable[Record]) -> tuple[Column, ...]:
    known = {**standard.columns, **{column.name.lower(): column for column in standard.columns.values()}}
    columns: list[Column] = []
    for text in header:
        column = known.get(text.strip().lower())
        if column is None:
            near = get_close_matches(text.strip().lower(), known, n=1)
            hint = f"; do you mean {known[near[0]].name}?" if near else f"; it has {', '.join(_names(standard))}"
            raise MetadataError(f"{path}, line 1: {standard.name} has no column {text.strip()!r}{hint}")
        if column in columns:
            raise MetadataError(f"{path}, line 1: the column {column.name} occurs twice")
        columns.append(column)
    if not columns:
        raise MetadataError(f"{path} has no header; its first line must name columns, such as {_names(standard)[0]}")
    return tuple(columns)


def _names(standard: RecordTable[Record]) -> list[str]:
    return [column.name for column in standard.columns.values()]


def _cells(
    path: str | Path,
    line: int,
    texts: Sequence[str],
    columns: Sequence[Column],
    readers: Sequence[Callable[[str], Cell]],
) -> Iterator[Cell]:
    if len(texts) != len(columns):
        raise MetadataError(f"{path}, line {line}: {len(texts)} cells under {len(columns)} columns")
    for text, column, read in zip(texts, columns, readers, strict=True):
        try:
            if not text.isprintable():
                write_cell(ColumnType.STRING, text)  # a character that no document can carry is found here, by its line
            yield read(text) if text.strip() else _WHEN_EMPTY.get(column.name)
        except ValueError as error:
            raise MetadataError(f"{path}, line {line}, {column.name}: {error}") from None


def _require(path: str | Path, table: Table, lines: Sequence[int], standard: RecordTable[Record]) -> None:
    for attribute in standard.required:
        name = standard.columns[attribute].name
        if name not in table:
            raise MetadataError(f"{path}: {standard.name} needs a column {name}")
        missing = next((line for line, cell in zip(lines, table.column(name), strict=True) if cell is None), None)
        if missing is not None:
            raise MetadataError(f"{path}, line {missing}: no {name}")


def _records(table: Table, standard: RecordTable[Record]) -> list[Record]:
    return list(standard.from_table(table))


def _twice(cells: Sequence[Cell]) -> tuple[int, int] | None:
    """The rows of the first cell that was there before, the earlier one first."""
    rows: dict[Cell, int] = {}
    for row, cell in enumerate(cells):
        if (earlier := rows.setdefault(cell, row)) != row:
            return earlier, row
    return None


def _with(table: Table, cells: dict[str, Sequence[Cell]], standard: RecordTable[Record]) -> Table:
    """The table with these columns, by attribute, in place of those that it has or not."""
    columns = {column.name: values for column, values in zip(table.columns, table.cells, strict=True)}
    columns |= {standard.columns[attribute].name: values for attribute, values in cells.items()}
    declared = tuple(column for column in standard.columns.values() if column.name in columns)
    return Table(table.name, declared, tuple(columns[column.name] for column in declared))
