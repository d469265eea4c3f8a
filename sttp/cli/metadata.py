"""`sttp metadata`: what a publisher says about its signals."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table

from sttp import ticks
from sttp.cli.options import Debug, SecurityOption
from sttp.cli.run import run
from sttp.cli.terminal import listening, printable, tables
from sttp.errors import TransportError
from sttp.metadata import DeviceRecord, MeasurementRecord, Metadata, PhasorRecord
from sttp.subscriber import Subscriber

__all__ = ["EXAMPLES", "Form", "metadata"]

EXAMPLES: Final = """\
\b
Examples:
  sttp metadata tcp://pmu-gateway:7165
  sttp metadata tcp://pmu-gateway:7165 --format json | jq '.measurements[].tag'
  sttp metadata tcp://pmu-gateway:7165 --filter "FILTER MeasurementDetail WHERE SignalAcronym = 'FREQ'"
  sttp metadata reverse+tcp://:7165 --format xml > gateway.metadata.xml
"""


Record = DeviceRecord | MeasurementRecord | PhasorRecord


class Form(StrEnum):
    """How metadata is shown."""

    TABLE = "table"
    JSON = "json"
    XML = "xml"


def metadata(
    url: Annotated[str, typer.Argument(metavar="URL", help="The publisher. tcp:// dials it, reverse+tcp:// listens.")],
    form: Annotated[Form, typer.Option("--format", help="Tables for people, or one document for programs.")] = (
        Form.TABLE
    ),
    filter_expression: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="EXPR",
            help="Which rows: FILTER statements with ; between, each for one table. The other tables come whole.",
        ),
    ] = "",
    seconds: Annotated[float, typer.Option(metavar="S", min=0, help="Give up after so many seconds.")] = 30.0,
    security: SecurityOption = None,
    debug: Debug = False,
) -> None:
    """Show the metadata of a publisher: its devices, measurements and phasors."""
    run(_metadata(url, form, filter_expression, seconds, security))


async def _metadata(url: str, form: Form, filter_expression: str, seconds: float, security: Path | None) -> None:
    async with Subscriber(url, filter=None, security=security) as subscriber:
        if subscriber.listening is not None:
            listening([subscriber.listening])
        try:
            async with asyncio.timeout(seconds):
                found = await subscriber.refresh_metadata(filter_expression)
        except TimeoutError:
            raise TransportError(f"no metadata from {url} within {seconds:g} s; is a publisher there?") from None
    _SHOW[form](found)


def _show_xml(found: Metadata) -> None:
    sys.stdout.buffer.write(found.write())
    sys.stdout.buffer.flush()


def _show_json(found: Metadata) -> None:
    document = {
        "schema_version": found.schema_version,
        "devices": list(map(_fields, found.devices)),
        "measurements": list(map(_fields, found.measurements)),
        "phasors": list(map(_fields, found.phasors)),
    }
    print(json.dumps(document, indent=2, default=_plain))


def _fields(record: Record) -> dict[str, object]:
    updated = None if record.updated_on is None else ticks.to_iso(record.updated_on)
    return {**asdict(record), "updated_on": updated}


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _show_tables(found: Metadata) -> None:
    out = tables()
    for title, records, columns in (
        ("devices", found.devices, _DEVICE_COLUMNS),
        ("measurements", found.measurements, _MEASUREMENT_COLUMNS),
        ("phasors", found.phasors, _PHASOR_COLUMNS),
    ):
        out.print(_table(f"{title} ({len(records)})", records, columns))


def _table(title: str, records: Iterable[Record], columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for record in records:
        cells = (getattr(record, column) for column in columns)
        table.add_row(*("" if cell is None else printable(str(cell)) for cell in cells))
    return table


_DEVICE_COLUMNS: Final = ["acronym", "name", "frames_per_second", "company_acronym", "longitude", "latitude"]
_MEASUREMENT_COLUMNS: Final = ["tag", "signal_type", "key", "signal_id"]
_PHASOR_COLUMNS: Final = ["device_acronym", "source_index", "label", "type", "phase", "base_kv"]
_SHOW: Final = {Form.TABLE: _show_tables, Form.JSON: _show_json, Form.XML: _show_xml}
