"""Ticks: the timestamps of STTP, counts of 100 ns since 0001-01-01 00:00:00 UTC (wire.md 11.1, 11.2).

A timestamp is a plain signed 64-bit `int` here, and `int64` in columns. Bits 62 and 63 may carry leap-second marks; the
functions below mask them before any arithmetic.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from sttp.errors import UsageError

__all__ = [
    "LEAP_SECOND",
    "LEAP_SECOND_NEGATIVE",
    "MAX_TICKS",
    "TICKS_PER_MICROSECOND",
    "TICKS_PER_MILLISECOND",
    "TICKS_PER_SECOND",
    "UNIX_EPOCH",
    "VALUE_MASK",
    "from_datetime",
    "from_iso",
    "now",
    "to_datetime",
    "to_iso",
]

TICKS_PER_MICROSECOND: Final = 10
TICKS_PER_MILLISECOND: Final = 10_000
TICKS_PER_SECOND: Final = 10_000_000

UNIX_EPOCH: Final = 621_355_968_000_000_000
"""Ticks of 1970-01-01 00:00:00 UTC."""

MAX_TICKS: Final = 3_155_378_975_999_999_999
"""Ticks of 9999-12-31 23:59:59.9999999 UTC."""

VALUE_MASK: Final = 0x3FFF_FFFF_FFFF_FFFF
"""Bits 0 to 61: the time without its leap-second marks."""

LEAP_SECOND: Final = -0x8000_0000_0000_0000
"""Bit 63 as a signed 64-bit number: the time is second 60, written as second 59."""

LEAP_SECOND_NEGATIVE: Final = -0x4000_0000_0000_0000
"""Bits 63 and 62 as a signed 64-bit number: second 59 will be missing."""

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)

_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,7})\d*)?\s*(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)


def now() -> int:
    """Ticks of the computer's clock at this moment."""
    return UNIX_EPOCH + time.time_ns() // 100


def from_datetime(moment: datetime) -> int:
    """Ticks of `moment`. A value without time zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _BEGINNING
    return (since.days * 86_400 + since.seconds) * TICKS_PER_SECOND + since.microseconds * TICKS_PER_MICROSECOND


def to_datetime(ticks: int) -> datetime:
    """The UTC date and time of `ticks`, truncated to microseconds; leap-second marks are dropped.

    Raises:
        UsageError: the time lies after the year 9999.
    """
    value = ticks & VALUE_MASK
    if value > MAX_TICKS:
        raise UsageError(f"{ticks} ticks lie after the year 9999")
    return _BEGINNING + timedelta(microseconds=value // TICKS_PER_MICROSECOND)


def from_iso(text: str) -> int:
    """Ticks of an ISO 8601 date and time with up to seven decimals; without zone it is taken as UTC.

    Raises:
        UsageError: `text` is not such a time.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"not a date and time: {text!r} (expected for example 2026-03-14T15:09:26.5Z)")
    date, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in (None, 'Z', 'z') else zone}")
        seconds = from_datetime(moment)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"not a date and time: {text!r} ({error})") from None
    if not 0 <= seconds <= MAX_TICKS:
        raise UsageError(f"not a date and time: {text!r} (in UTC it lies outside of the years 1 to 9999)")
    return seconds + int((fraction or "0").ljust(7, "0"))


def to_iso(ticks: int) -> str:
    """ISO 8601 in UTC with seven decimals, such as `2026-03-14T15:09:26.0000000Z`.

    A time marked as a leap second is shown as second 60 (wire.md 11.2).

    Raises:
        UsageError: the time lies after the year 9999.
    """
    moment = to_datetime(ticks)
    seconds = 60 if ticks & (0b11 << 62) == 1 << 63 and moment.second == 59 else moment.second
    fraction = (ticks & VALUE_MASK) % TICKS_PER_SECOND
    return f"{moment:%Y-%m-%dT%H:%M}:{seconds:02}.{fraction:07}Z".rjust(28, "0")
