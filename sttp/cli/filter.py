"""`sttp filter`: what a filter expression selects from a metadata document, without any connection."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table as Shown

from sttp import ticks
from sttp.cli.options import Debug
from sttp.cli.run import run
from sttp.cli.terminal import printable, tables
from sttp.errors import UsageError
from sttp.filter_expression import Selected, columns_named, select_rows
from sttp.metadata import Cell, ColumnType, DataSet, Metadata, Table
from sttp.metadata.active_measurements import ACTIVE_MEASUREMENTS

__all__ = ["EXAMPLES", "Form", "filter_rows"]

EXAMPLES: Final = """\
\b
Examples:
  sttp filter "SignalType = 'FREQ'" --metadata gateway.metadata.xml
  sttp filter "FILTER TOP 5 ActiveMeasurements WHERE Device LIKE 'SHELBY%' ORDER BY PointTag" --metadata grid.xml
  sttp filter "FILTER DeviceDetail WHERE FramesPerSecond < 60" --metadata grid.xml --format csv
"""


class Form(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def filter_rows(
    expression: Annotated[
        str, typer.Argument(metavar="EXPR", help="The filter expression; a condition alone selects signals.")
    ],
    metadata: Annotated[
        Path, typer.Option("--metadata", metavar="FILE", help="XML, or CSV, that names and describes signals.")
    ],
    form: Annotated[
        Form, typer.Option("--format", help="Tables with the columns that matter, or all columns for programs.")
    ] = Form.TABLE,
    debug: Debug = False,
) -> None:
    """Show which rows of a metadata document a filter expression selects.

    Signals come from ActiveMeasurements, the table that subscriptions select from, which is made of the others; they
    can be named as in a subscription. FILTER may name any table. What is wrong in an expression is shown with its
    place.
    """
    run(_filter(expression, metadata, form))


async def _filter(expression: str, metadata: Path, form: Form) -> None:
    found = _together(select_rows(expression, _with_active_measurements(Metadata.from_file(metadata))))
    _SHOW[form](found, columns_named(expression))
    sys.stdout.flush()


def _with_active_measurements(metadata: Metadata) -> DataSet:
    """All tables, also the derived one; unless the document has it itself."""
    dataset = metadata.dataset
    if ACTIVE_MEASUREMENTS in dataset:
        return dataset
    return DataSet(dataset.name, (*dataset.tables, metadata.active_measurements))


def _together(selected: Iterable[Selected]) -> list[Table]:
    """The rows of each table, whichever statements they come from."""
    rows: dict[str, tuple[Table, list[int]]] = {}
    for each in selected:
        rows.setdefault(each.table.name, (each.table, []))[1].extend(each.rows.tolist())
    return [table.take(chosen) for table, chosen in rows.values()]


def _show_tables(found: Sequence[Table], named: Sequence[str]) -> None:
    out = tables()
    for table in found:
        columns = [name for name in _columns(table, named) if name in table]
        shown = Shown(
            title=f"{table.name} ({len(table)})", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
            pad_edge=False,
        )  # fmt: skip
        for name in columns:
            shown.add_column(name, overflow="fold")
        for row in zip(*(_texts(table, name) for name in columns), strict=True):
            shown.add_row(*(printable(text) for text in row))
        out.print(shown)


def _columns(table: Table, named: Sequence[str]) -> list[str]:
    """The columns by which people know a row, then those that the expression names."""
    declared = {column.name.lower(): column.name for column in table.columns}
    usual = _USUAL.get(table.name.lower(), list(declared.values())[:_USUAL_COUNT])
    asked = [declared[name.lower()] for name in named if name.lower() in declared]
    return list(dict.fromkeys([*usual, *asked]))


def _show_json(found: Sequence[Table], named: Sequence[str]) -> None:
    document = {
        table.name: [{name: _plain(table.type_of(name), cell) for name, cell in row.items()} for row in table]
        for table in found
    }
    print(json.dumps(document, indent=2))


def _show_csv(found: Sequence[Table], named: Sequence[str]) -> None:
    if len(found) > 1:
        names = " and ".join(table.name for table in found)
        raise UsageError(f"CSV has room for one table, but the expression selects from {names}; --format json has all")
    for table in found:
        write = csv.writer(sys.stdout, lineterminator="\n")
        write.writerow(column.name for column in table.columns)
        write.writerows(zip(*(_texts(table, column.name) for column in table.columns), strict=True))


def _texts(table: Table, name: str) -> list[str]:
    column_type = table.type_of(name)
    plain = (_plain(column_type, cell) for cell in table.column(name))
    return ["" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in plain]


def _plain(column_type: ColumnType | None, cell: Cell) -> str | bool | int | float | None:
    """A cell as JSON has it."""
    if column_type is ColumnType.DATE_TIME and isinstance(cell, int):
        return ticks.to_iso(cell)
    if isinstance(cell, Decimal):
        return float(cell)
    return cell if cell is None or isinstance(cell, (str, bool, int, float)) else str(cell)


_USUAL_COUNT: Final = 6
_USUAL: Final[Mapping[str, list[str]]] = {
    "activemeasurements": ["PointTag", "SignalType", "ID", "SignalID"],
    "measurementdetail": ["PointTag", "SignalAcronym", "ID", "SignalID"],
    "devicedetail": ["Acronym", "Name", "FramesPerSecond", "CompanyAcronym"],
    "phasordetail": ["DeviceAcronym", "SourceIndex", "Label", "Type", "Phase"],
}
_SHOW: Final = {Form.TABLE: _show_tables, Form.JSON: _show_json, Form.CSV: _show_csv}
