from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.errors import UsageError

T = 638_000_000_000_000_000
"""The time that wire.md uses over and over."""

ANY = st.integers(0, ticks.MAX_TICKS)
MOMENTS = st.datetimes(timezones=st.just(UTC))


def signed(bits: str) -> int:
    return int.from_bytes(bytes.fromhex(bits), "big", signed=True)


def test_constants() -> None:
    """11.1"""
    assert ticks.UNIX_EPOCH == 0x089F7FF5F7B58000
    assert ticks.MAX_TICKS == 0x2BCA2875F4373FFF
    assert ticks.VALUE_MASK == (1 << 62) - 1
    assert ticks.TICKS_PER_SECOND == 1000 * ticks.TICKS_PER_MILLISECOND == 1_000_000 * ticks.TICKS_PER_MICROSECOND
    assert signed("8000000000000000") == ticks.LEAP_SECOND
    assert signed("C000000000000000") == ticks.LEAP_SECOND_NEGATIVE


def test_the_time_of_the_reference() -> None:
    assert ticks.to_iso(T) == "2022-09-28T22:13:20.0000000Z"
    assert ticks.from_iso("2022-09-28T22:13:20Z") == T
    assert ticks.to_datetime(T) == datetime(2022, 9, 28, 22, 13, 20, tzinfo=UTC)
    assert ticks.from_datetime(datetime.fromtimestamp(1_664_403_200, UTC)) == T


def test_the_ends_of_time() -> None:
    assert ticks.to_iso(0) == "0001-01-01T00:00:00.0000000Z"
    assert ticks.to_iso(ticks.MAX_TICKS) == "9999-12-31T23:59:59.9999999Z"
    for after in (ticks.MAX_TICKS + 1, ticks.VALUE_MASK, -1):
        with pytest.raises(UsageError, match="after the year 9999"):
            ticks.to_iso(after)
        with pytest.raises(UsageError, match="after the year 9999"):
            ticks.to_datetime(after)


@given(ANY)
def test_iso_texts_keep_every_tick(value: int) -> None:
    text = ticks.to_iso(value)
    assert len(text) == 28
    assert ticks.from_iso(text) == value


@given(st.lists(ANY, min_size=2, max_size=2))
def test_iso_texts_sort_as_times_do(values: list[int]) -> None:
    assert sorted(map(ticks.to_iso, values)) == list(map(ticks.to_iso, sorted(values)))


@given(MOMENTS)
def test_datetimes_keep_every_microsecond(moment: datetime) -> None:
    assert ticks.to_datetime(ticks.from_datetime(moment)) == moment


@given(ANY)
def test_datetimes_are_truncated_to_microseconds(value: int) -> None:
    assert ticks.from_datetime(ticks.to_datetime(value)) == value - value % 10


def test_a_datetime_without_zone_is_utc() -> None:
    assert ticks.from_datetime(datetime(2022, 9, 28, 22, 13, 20)) == T  # noqa: DTZ001
    assert ticks.from_datetime(datetime(2022, 9, 29, 0, 13, 20, tzinfo=timezone(timedelta(hours=2)))) == T


def test_now_is_the_clock_of_the_computer() -> None:
    before = time.time_ns()
    now = ticks.now()
    after = time.time_ns()
    assert before // 100 <= now - ticks.UNIX_EPOCH <= after // 100


# --- texts


@pytest.mark.parametrize(
    "text",
    [
        "2022-09-28T22:13:20.0000000Z",
        "2022-09-28 22:13:20",
        "2022-09-28t22:13:20z".upper(),
        "2022-09-28T22:13:20z",
        "2022-09-28T22:13:20.000",
        "2022-09-29T00:13:20+02:00",
        "2022-09-28T18:43:20-0330",
        "  2022-09-28T22:13:20Z\n",
        "2022-09-28T22:13:20 Z",
        "2022-09-28T22:13:20.00000009Z",
    ],
)
def test_ways_to_write_a_time(text: str) -> None:
    assert ticks.from_iso(text) == T


def test_fractions_of_a_second() -> None:
    assert ticks.from_iso("2022-09-28T22:13:20.5Z") == T + 5_000_000
    assert ticks.from_iso("2022-09-28T22:13:20.0000001Z") == T + 1
    assert ticks.from_iso("2022-09-28T22:13:20.016667Z") == T + 166_670


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2022-09-28",
        "22:13:20",
        "2022-09-28T22:13",
        "2022-02-30T00:00:00Z",
        "2022-09-28T25:00:00Z",
        "2022-09-28T22:13:61Z",
        "2022-09-28T22:13:20.Z",
        "2022-09-28T22:13:20+99:00",
        "20220928T221320Z",
        "٢٠٢٢-09-28T22:13:20Z",
        "638000000000000000",
    ],
)
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(UsageError, match="not a date and time"):
        ticks.from_iso(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_a_zone_cannot_lead_out_of_time(text: str) -> None:
    with pytest.raises(UsageError, match="not a date and time"):
        ticks.from_iso(text)


# --- leap seconds


def test_marks_of_leap_seconds() -> None:
    """11.2, with its examples."""
    assert signed("88DAA19EA6B30000") == T | ticks.LEAP_SECOND
    assert signed("C8DAA19EA6B30000") == T | ticks.LEAP_SECOND_NEGATIVE


@given(ANY, st.sampled_from([ticks.LEAP_SECOND, ticks.LEAP_SECOND_NEGATIVE, 1 << 62]))
def test_marks_do_not_change_the_time(value: int, mark: int) -> None:
    assert ticks.to_datetime(value | mark) == ticks.to_datetime(value)
    assert (value | mark) & ticks.VALUE_MASK == value


def test_a_leap_second_is_shown_as_second_60() -> None:
    """Its value part is second 59; only that second can be one."""
    second_59 = ticks.from_iso("2016-12-31T23:59:59.25Z")
    assert ticks.to_iso(second_59) == "2016-12-31T23:59:59.2500000Z"
    assert ticks.to_iso(second_59 | ticks.LEAP_SECOND) == "2016-12-31T23:59:60.2500000Z"
    assert ticks.to_iso(second_59 | ticks.LEAP_SECOND_NEGATIVE) == "2016-12-31T23:59:59.2500000Z"
    assert ticks.to_iso(second_59 | 1 << 62) == "2016-12-31T23:59:59.2500000Z"
    assert ticks.to_iso(T | ticks.LEAP_SECOND) == ticks.to_iso(T)
