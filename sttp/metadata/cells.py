"""The text of a cell and its value, both ways, for every column type (metadata.md 3).

Reading accepts what any deployed publisher writes; writing uses the one form that all deployed readers understand.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation, Overflow
from functools import partial
from typing import Any, Final
from uuid import UUID

import numpy as np

from sttp import ticks
from sttp.metadata.dataset import Cell, Column, ColumnType, Table

__all__ = ["adapt_cell", "adapt_column", "cell_reader", "read_guid", "write_cell", "write_cells"]

_SMALLEST_DATE: Final = "0001-01-01T00:00:00+"
_DECIMAL_DIGITS: Final = 28  # what .NET holds for certain
_DECIMALS: Final = Context(
    prec=_DECIMAL_DIGITS, Emin=-_DECIMAL_DIGITS, Emax=_DECIMAL_DIGITS, traps=[InvalidOperation, Overflow]
)
_DECIMAL: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
_INTEGER: Final = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]{1,16}|\d{1,64})", re.ASCII)
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_PLAIN: Final = re.compile(r"[^\t\n\x20-%\x27-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # nor `&<>`
_ONE_TEXT_EACH: Final = frozenset({bool, int})
"""Types of which equal values have the same text; `0.0 == -0.0`, and a Decimal keeps the zeros behind its point."""
_ESCAPES: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_BINARY32: Final = struct.Struct("<f")

_RANGES: Final[Mapping[ColumnType, tuple[int, int]]] = {
    ColumnType.INT8: (-(2**7), 2**7 - 1),
    ColumnType.INT16: (-(2**15), 2**15 - 1),
    ColumnType.INT32: (-(2**31), 2**31 - 1),
    ColumnType.INT64: (-(2**63), 2**63 - 1),
    ColumnType.UINT8: (0, 2**8 - 1),
    ColumnType.UINT16: (0, 2**16 - 1),
    ColumnType.UINT32: (0, 2**32 - 1),
    ColumnType.UINT64: (0, 2**64 - 1),
}


def cell_reader(column_type: ColumnType) -> Callable[[str], Cell]:
    """The function that makes a value of a cell's text.

    It raises `ValueError`, with a reason, for a text that the type does not have. An empty text is zero, false, the
    all-zero Guid or the smallest date: null is an element that is absent.
    """
    if column_type is ColumnType.STRING:
        return _read_string
    read = _READERS.get(column_type) or _integer_reader(column_type)
    empty = _EMPTY.get(column_type, 0)

    def stripped(text: str) -> Cell:
        text = text.strip()
        return read(text) if text else empty

    return stripped


def write_cell(column_type: ColumnType, value: Cell) -> str:
    """The text of a value that is not null, escaped for XML.

    Raises:
        ValueError: the value is not one of the column's type, or cannot be written in XML.
    """
    if not isinstance(value, _EXPECTED.get(column_type, int)):
        raise ValueError(f"{value!r} is no {column_type.value}")
    return _cell_writer(column_type)(value)


def write_cells(column_type: ColumnType, cells: Sequence[Cell]) -> Sequence[str | None]:
    """What `write_cell` makes of each of `cells`, and `None` for a null, several times faster where they are alike.

    Raises:
        ValueError: as for `write_cell`.
    """
    kinds = set(map(type, cells)) - {type(None)}
    if kinds == {str} and column_type is ColumnType.STRING:
        texts = [cell for cell in cells if isinstance(cell, str)]
        if _NOT_PLAIN.search("".join(texts)) is None:
            return cells  # type: ignore[return-value]  # texts and nulls, as was just found out
    elif len(kinds) == 1 and kinds <= _ONE_TEXT_EACH:
        written = {cell: None if cell is None else write_cell(column_type, cell) for cell in set(cells)}
        return [written[cell] for cell in cells]
    is_right = all(issubclass(kind, _EXPECTED.get(column_type, int)) for kind in kinds)
    write = _cell_writer(column_type) if is_right else partial(write_cell, column_type)
    return [None if cell is None else write(cell) for cell in cells]


def _cell_writer(column_type: ColumnType) -> Callable[[Any], str]:
    return _WRITERS.get(column_type) or partial(_write_integer, column_type)


def adapt_cell(column_type: ColumnType, value: Cell) -> Cell:
    """A value as another type has it, or `None` when that cannot be.

    Publishers over other databases declare a flag as integer, an integer as long, a number as text; a column is
    therefore known by its name and not by the type that was declared.
    """
    if isinstance(value, bool) and column_type is not ColumnType.BOOLEAN:
        value = int(value)
    if value is None or isinstance(value, _EXPECTED.get(column_type, int)):
        return value
    if column_type is ColumnType.STRING:
        return str(value)
    if column_type is ColumnType.BOOLEAN and isinstance(value, (int, float, Decimal)):
        return bool(value)
    try:
        return cell_reader(column_type)(str(value))
    except ValueError:
        return None


def adapt_column(table: Table, column: Column) -> Sequence[Cell]:
    """All values of the column of that name as the type of `column`, whatever type the table declares for it."""
    declared = next((each.type for each in table.columns if each.name.lower() == column.name.lower()), column.type)
    cells = table.column(column.name)
    return cells if declared is column.type else [adapt_cell(column.type, cell) for cell in cells]


def read_guid(text: str) -> UUID | None:
    """The Guid that `text` spells, with or without dashes, bare or in braces; `None` when it spells none."""
    if text[:1] == "{" and text[-1:] == "}":
        text = text[1:-1]
    return UUID(int=int(text.replace("-", ""), 16)) if _GUID.fullmatch(text) else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _read_string(text: str) -> Cell:
    return text


def _read_guid(text: str) -> Cell:
    guid = read_guid(text)
    if guid is None:
        raise ValueError(f"{_shown(text)} is no Guid")
    return guid


def _read_integer(text: str) -> int:
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is no integer")
    sign, digits = match.groups()
    value = int(digits, 16 if digits[1:2] in ("x", "X") else 10)
    return -value if sign == "-" else value


def _integer_reader(column_type: ColumnType) -> Callable[[str], Cell]:
    low, high = _RANGES[column_type]

    def read(text: str) -> Cell:
        value = _read_integer(text)
        if not low <= value <= high:
            raise ValueError(f"{value} does not fit into {column_type.value}")
        return value

    return read


def _read_boolean(text: str) -> Cell:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    return _read_integer(text) != 0


def _read_date_time(text: str) -> Cell:
    if text.startswith(_SMALLEST_DATE):  # which .NET means by it, also in a zone where it lies before tick zero
        return 0
    return ticks.from_iso(text.replace(".Z", "Z"))  # sttpapi writes whole seconds as "…:00.Z"


def _read_double(text: str) -> float:
    if "_" in text or not text.isascii():
        raise ValueError(f"{_shown(text)} is no number")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no number") from None


def _read_float(text: str) -> float:
    return _binary32(_read_double(text))


def _binary32(value: float) -> float:
    try:
        return float(_BINARY32.unpack(_BINARY32.pack(value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _read_decimal(text: str) -> Cell:
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is no decimal number")
    try:
        return _DECIMALS.create_decimal(text)
    except (InvalidOperation, Overflow):
        raise ValueError(f"{_shown(text)} has more than {_DECIMAL_DIGITS} digits before the point") from None


def _write_string(value: str) -> str:
    if (match := _NOT_XML.search(value)) is not None:
        raise ValueError(f"XML cannot hold the character {match[0]!a} of {_shown(value)}")
    return value.translate(_ESCAPES)


def _write_boolean(value: bool) -> str:
    return "true" if value else "false"


def _write_integer(column_type: ColumnType, value: int) -> str:
    low, high = _RANGES[column_type]
    if not low <= value <= high:
        raise ValueError(f"{value} does not fit into {column_type.value}")
    return str(int(value))


def _write_date_time(value: int) -> str:
    if not 0 <= value <= ticks.MAX_TICKS:
        raise ValueError(f"{value} ticks are no date")
    text = ticks.to_iso(value)[:-1]
    # milliseconds and a numeric offset are what all readers understand; more decimals only where there are any
    return f"{text.removesuffix('0000')}+00:00"


def _write_double(value: float) -> str:
    number = _as_double(value)
    return repr(number) if math.isfinite(number) else _write_special(number)


def _write_float(value: float) -> str:
    number = _binary32(_as_double(value))
    return str(np.float32(number)) if math.isfinite(number) else _write_special(number)


def _as_double(value: float) -> float:
    try:
        return float(value)  # it may be an integer, of any size
    except OverflowError:
        raise ValueError(f"an integer of {int(value).bit_length()} bits does not fit into a double") from None


def _write_special(number: float) -> str:
    return "NaN" if math.isnan(number) else "INF" if number > 0 else "-INF"


def _write_decimal(value: Decimal | int) -> str:
    try:
        number = _DECIMALS.create_decimal(value)
    except (InvalidOperation, Overflow):
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"{value} is no decimal number of at most {_DECIMAL_DIGITS} digits before the point")
    return f"{number:f}"


_READERS: Final[Mapping[ColumnType, Callable[[str], Cell]]] = {
    ColumnType.GUID: _read_guid,
    ColumnType.BOOLEAN: _read_boolean,
    ColumnType.DATE_TIME: _read_date_time,
    ColumnType.FLOAT: _read_float,
    ColumnType.DOUBLE: _read_double,
    ColumnType.DECIMAL: _read_decimal,
}

_EMPTY: Final[Mapping[ColumnType, Cell]] = {
    ColumnType.GUID: UUID(int=0),
    ColumnType.BOOLEAN: False,
    ColumnType.FLOAT: 0.0,
    ColumnType.DOUBLE: 0.0,
    ColumnType.DECIMAL: Decimal(0),
}

_WRITERS: Final[Mapping[ColumnType, Callable[[Any], str]]] = {
    ColumnType.STRING: _write_string,
    ColumnType.GUID: str,
    ColumnType.BOOLEAN: _write_boolean,
    ColumnType.DATE_TIME: _write_date_time,
    ColumnType.FLOAT: _write_float,
    ColumnType.DOUBLE: _write_double,
    ColumnType.DECIMAL: _write_decimal,
}

_EXPECTED: Final[Mapping[ColumnType, type | tuple[type, ...]]] = {
    ColumnType.STRING: str,
    ColumnType.GUID: UUID,
    ColumnType.BOOLEAN: bool,
    ColumnType.FLOAT: (float, int),
    ColumnType.DOUBLE: (float, int),
    ColumnType.DECIMAL: (Decimal, int),
}
