"""Conversions between the types of values (filter-expressions.md 8), and the texts of dates (4)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, Final
from uuid import UUID

from sttp import ticks
from sttp.errors import UsageError
from sttp.filter_expression.problems import Refusal, shown
from sttp.filter_expression.values import INT32_MAX, INT64_MAX, ValueType
from sttp.metadata.cells import read_guid

__all__ = [
    "DECIMALS",
    "Converter",
    "converter",
    "decimal_of",
    "is_integer_text",
    "is_number_text",
    "read_date",
    "text_of_date",
    "wrap",
]

Converter = Callable[[Any], Any]
"""Turns a value that is not null into one of another type; raises `Refusal` when that cannot be."""

DECIMALS: Final = Context(prec=34, Emin=-6143, Emax=6144, traps=[InvalidOperation, DivisionByZero, Overflow])
"""How Decimals are computed: with the 34 digits and the range of decimal128 (IEEE 754)."""

_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?\s*", re.ASCII)
_INTEGER: Final = re.compile(r"\s*[+-]?\d{1,400}\s*", re.ASCII)
_DATE: Final = re.compile(
    r"\s*(\d{4})(?:-(\d{1,2})-|/(\d{1,2})/)(\d{1,2})"
    r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7})\d{0,9})?)?\s*(?:[Zz]|([+-])(\d{2}):?(\d{2}))?)?\s*",
    re.ASCII,
)


def wrap(value: int, bits: int) -> int:
    """The integer that is left of `value` when only its lowest `bits` are kept, as two's complement."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def is_integer_text(text: str) -> bool:
    """Whether `text` is an integer."""
    return _INTEGER.fullmatch(text) is not None


def is_number_text(text: str) -> bool:
    """Whether `text` is a number, with or without fraction and exponent."""
    return _NUMBER.fullmatch(text) is not None


def decimal_of(text: str) -> Decimal:
    """The Decimal that `text` spells, rounded to what a Decimal holds.

    Raises:
        Refusal: it is no number, or too large.
    """
    if not is_number_text(text):
        raise Refusal(f"{shown(text)} is no number")
    try:
        return DECIMALS.create_decimal(text.strip())
    except (InvalidOperation, Overflow):
        raise Refusal(f"{shown(text)} is too large for a Decimal") from None


def read_date(text: str) -> int:
    """Ticks of the date and time that `text` spells; without zone it is taken as UTC.

    Args:
        text: `yyyy-MM-dd` or `yyyy/MM/dd`, alone or followed by `T` or a blank and `HH:mm`, seconds, a fraction, and
            `Z` or an offset.

    Raises:
        Refusal: it is no such date.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise Refusal(f"{shown(text)} is no date; write one as 2026-03-14 or 2026-03-14 15:09:26.5")
    year, dashed, slashed, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
    try:
        moment = datetime(  # noqa: DTZ001 - in UTC, once the zone is taken off
            int(year), int(dashed or slashed), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError as error:
        raise Refusal(f"{shown(text)} is no date: {error}") from None
    east = int(zone_hours or 0) * 60 + int(zone_minutes or 0)
    if east >= 24 * 60:
        raise Refusal(f"{shown(text)} has no time zone that can be")
    found = ticks.from_datetime(moment) + int((fraction or "0").ljust(7, "0"))
    found -= (-east if sign == "-" else east) * 60 * ticks.TICKS_PER_SECOND
    if not 0 <= found <= ticks.MAX_TICKS:
        raise Refusal(f"{shown(text)} lies outside of the years 1 to 9999")
    return found


def text_of_date(moment: int) -> str:
    """ISO 8601 without zone and without zeros at the end of the fraction, such as `2024-05-06T07:08:09.12`."""
    try:
        return ticks.to_iso(moment)[:-1].rstrip("0").rstrip(".")
    except UsageError:
        raise Refusal(f"{moment} ticks are no date") from None


def _text_of_decimal(value: Decimal) -> str:
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _text_of_double(value: float) -> str:
    return repr(value).removesuffix(".0")


def _text_of_boolean(value: bool) -> str:
    return "true" if value else "false"


def _is_not_zero(value: Any) -> bool:
    return bool(value != 0)


def _boolean_of_text(text: str) -> bool:
    folded = text.strip().lower()
    if folded in ("true", "false"):
        return folded == "true"
    if not is_number_text(text):
        raise Refusal(f"{shown(text)} is no Boolean")
    return decimal_of(text) != 0


def _guid_of_text(text: str) -> UUID:
    guid = read_guid(text.strip())
    if guid is None:
        raise Refusal(f"{shown(text)} is no Guid")
    return guid


def _double_of_text(text: str) -> float:
    if not is_number_text(text):
        raise Refusal(f"{shown(text)} is no number")
    return float(text)


def _integer(largest: int, name: str) -> Converter:
    def integer_of(value: Any) -> int:
        try:
            number = int(decimal_of(value) if isinstance(value, str) else value)  # towards zero
        except (ValueError, OverflowError):  # not a number, infinite
            raise Refusal(f"{value} is no {name}") from None
        if not -largest - 1 <= number <= largest:
            raise Refusal(f"a number is too large for {name}")
        return number

    return integer_of


_int32_of: Final = _integer(INT32_MAX, "Int32")
_int64_of: Final = _integer(INT64_MAX, "Int64")


def _decimal_of_double(value: float) -> Decimal:
    if not math.isfinite(value):
        raise Refusal(f"{value} is no Decimal")
    return DECIMALS.create_decimal(repr(value))


def _decimal_of_integer(value: int) -> Decimal:
    return Decimal(int(value))


def _unix_seconds(moment: int) -> int:
    return (moment - ticks.UNIX_EPOCH) // ticks.TICKS_PER_SECOND


def _of_seconds(convert: Converter) -> Converter:
    return lambda moment: convert(_unix_seconds(moment))


_T = ValueType
_CONVERTERS: Final[Mapping[tuple[ValueType, ValueType], Converter]] = {
    # integers, among them Booleans, are numbers of Python: those that fit need no conversion
    (_T.BOOLEAN, _T.INT32): int,
    (_T.BOOLEAN, _T.INT64): int,
    (_T.BOOLEAN, _T.DECIMAL): _decimal_of_integer,
    (_T.BOOLEAN, _T.DOUBLE): float,
    (_T.BOOLEAN, _T.STRING): _text_of_boolean,
    (_T.INT32, _T.BOOLEAN): _is_not_zero,
    (_T.INT32, _T.INT64): int,
    (_T.INT32, _T.DECIMAL): _decimal_of_integer,
    (_T.INT32, _T.DOUBLE): float,
    (_T.INT32, _T.STRING): str,
    (_T.INT64, _T.BOOLEAN): _is_not_zero,
    (_T.INT64, _T.INT32): _int32_of,
    (_T.INT64, _T.DECIMAL): _decimal_of_integer,
    (_T.INT64, _T.DOUBLE): float,
    (_T.INT64, _T.STRING): str,
    (_T.DECIMAL, _T.BOOLEAN): _is_not_zero,
    (_T.DECIMAL, _T.INT32): _int32_of,
    (_T.DECIMAL, _T.INT64): _int64_of,
    (_T.DECIMAL, _T.DOUBLE): float,
    (_T.DECIMAL, _T.STRING): _text_of_decimal,
    (_T.DOUBLE, _T.BOOLEAN): _is_not_zero,
    (_T.DOUBLE, _T.INT32): _int32_of,
    (_T.DOUBLE, _T.INT64): _int64_of,
    (_T.DOUBLE, _T.DECIMAL): _decimal_of_double,
    (_T.DOUBLE, _T.STRING): _text_of_double,
    (_T.STRING, _T.BOOLEAN): _boolean_of_text,
    (_T.STRING, _T.INT32): _int32_of,
    (_T.STRING, _T.INT64): _int64_of,
    (_T.STRING, _T.DECIMAL): decimal_of,
    (_T.STRING, _T.DOUBLE): _double_of_text,
    (_T.STRING, _T.GUID): _guid_of_text,
    (_T.STRING, _T.DATE_TIME): read_date,
    (_T.GUID, _T.STRING): str,
    (_T.DATE_TIME, _T.BOOLEAN): _of_seconds(_is_not_zero),
    (_T.DATE_TIME, _T.INT32): _of_seconds(_int32_of),
    (_T.DATE_TIME, _T.INT64): _of_seconds(int),
    (_T.DATE_TIME, _T.DECIMAL): _of_seconds(_decimal_of_integer),
    (_T.DATE_TIME, _T.DOUBLE): _of_seconds(float),
    (_T.DATE_TIME, _T.STRING): text_of_date,
}


def converter(source: ValueType, target: ValueType) -> Converter | None:
    """What turns a value of one type into one of another; `None` when it already is one.

    Raises:
        Refusal: there is no such conversion.
    """
    source = source.settled
    if source is target:
        return None
    found = _CONVERTERS.get((source, target))
    if found is None:
        raise Refusal(f"{source} cannot be converted to {target}")
    return found
