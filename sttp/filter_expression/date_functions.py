"""Functions of dates, for single values: dates are ticks in UTC."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sttp import ticks
from sttp.filter_expression.problems import Refusal, shown
from sttp.filter_expression.values import INT32_MAX

__all__ = ["FUNCTIONS", "local"]

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_SECOND: Final = ticks.TICKS_PER_SECOND
_DAY: Final = 86_400 * _SECOND

_MONTHS: Final = {"year": 12, "month": 1}
_LENGTHS: Final = {
    "dayofyear": _DAY,
    "day": _DAY,
    "weekday": _DAY,
    "week": 7 * _DAY,
    "hour": 3600 * _SECOND,
    "minute": 60 * _SECOND,
    "second": _SECOND,
    "millisecond": ticks.TICKS_PER_MILLISECOND,
}
"""Ticks of an interval; those of a year or month are not always the same."""

_DAYS: Final = ("dayofyear", "day", "weekday")


def local(moment: int) -> int:
    """What the clocks of this computer show at `moment`, as ticks."""
    return ticks.from_datetime(_date(moment).astimezone().replace(tzinfo=None)) + moment % ticks.TICKS_PER_MICROSECOND


def _date(moment: int) -> datetime:
    return _BEGINNING + timedelta(microseconds=moment // ticks.TICKS_PER_MICROSECOND)


def _interval(name: str) -> str:
    folded = name.strip().lower()
    if folded not in _MONTHS and folded not in _LENGTHS:
        raise Refusal(
            f"{shown(name)} is no interval; there are Year, Month, DayOfYear, Day, Week, WeekDay, Hour, Minute, Second"
            " and Millisecond"
        )
    return folded


def _date_add(moment: int, n: int, interval: str) -> int:
    """The date `n` intervals later. Years and months lead to the last day of a month that has no such day."""
    interval = _interval(interval)
    if interval in _MONTHS:
        date = _date(moment)
        year, month = divmod(date.year * 12 + date.month - 1 + n * _MONTHS[interval], 12)
        if not 1 <= year <= 9999:
            raise Refusal("DATEADD leads out of the years 1 to 9999")
        day = min(date.day, monthrange(year, month + 1)[1])
        return ticks.from_datetime(datetime(year, month + 1, day, tzinfo=UTC)) + moment % _DAY
    found = moment + n * _LENGTHS[interval]
    if not 0 <= found <= ticks.MAX_TICKS:
        raise Refusal("DATEADD leads out of the years 1 to 9999")
    return found


def _date_diff(left: int, right: int, interval: str) -> int:
    """How many intervals lie between: boundaries of the calendar for years, months and days, else time that passed."""
    interval = _interval(interval)
    if interval in _MONTHS:
        first, last = _date(left), _date(right)
        months = (last.year - first.year) * 12 + last.month - first.month
        return last.year - first.year if interval == "year" else months
    days = right // _DAY - left // _DAY
    if interval in _DAYS:
        return days
    whole, length = (abs(days), 7) if interval == "week" else (abs(right - left), _LENGTHS[interval])
    count = whole // length
    if count > INT32_MAX:
        raise Refusal(f"DATEDIFF counts more {interval}s here than fit into Int32")
    return count if right >= left else -count


_PARTS: Final[Mapping[str, Callable[[datetime], int]]] = {
    "year": lambda date: date.year,
    "month": lambda date: date.month,
    "dayofyear": lambda date: date.timetuple().tm_yday,
    "day": lambda date: date.day,
    "week": lambda date: date.isocalendar().week,
    "weekday": lambda date: date.isoweekday() % 7 + 1,  # from 1, which is Sunday
    "hour": lambda date: date.hour,
    "minute": lambda date: date.minute,
    "second": lambda date: date.second,
    "millisecond": lambda date: date.microsecond // 1000,
}


def _date_part(moment: int, interval: str) -> int:
    return _PARTS[_interval(interval)](_date(moment))


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "DATEADD": _date_add,
    "DATEDIFF": _date_diff,
    "DATEPART": _date_part,
}
