"""Functions, one by one (filter-expressions.md 7)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from filters import values_of
from sttp import ticks
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.signatures import SIGNATURES
from sttp.filter_expression.values import ValueType

B, N, L, D, F, S, G, T = (
    ValueType.BOOLEAN, ValueType.INT32, ValueType.INT64, ValueType.DECIMAL, ValueType.DOUBLE, ValueType.STRING,
    ValueType.GUID, ValueType.DATE_TIME,
)  # fmt: skip
GUID = "{11111111-2222-4333-8444-555555555555}"


def date(text: str) -> int:
    return ticks.from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


RESULTS: list[tuple[str, ValueType, Any]] = [
    ("Abs(-3)", N, 3),
    ("Abs(-2147483648)", L, 2**31),
    ("Abs(-3.5)", D, Decimal("3.5")),
    ("Abs(-3E0)", F, 3.0),
    ("Abs(True)", B, True),
    ("Abs(NULL)", B, None),
    ("Ceiling(1.2)", D, Decimal(2)),
    ("Ceiling(-1.2E0)", F, -1.0),
    ("Ceiling(5)", N, 5),
    ("Floor(-1.2)", D, Decimal(-2)),
    ("Floor(1E999)", F, math.inf),
    ("Round(2.5)", D, Decimal(3)),
    ("Round(-2.5)", D, Decimal(-3)),
    ("Round(2.5E0)", F, 3.0),
    ("Round(-0.5E0)", F, -1.0),
    ("Round(0.49999999999999994E0)", F, 0.0),
    ("Round(4503599627370497.0E0)", F, 4503599627370497.0),
    ("Sqrt(16)", F, 4.0),
    ("Sqrt(2.25)", D, Decimal("1.5")),
    ("Sqrt(NULL)", F, None),
    ("Power(2, 10)", N, 1024),
    ("Power(2, 31)", N, -(2**31)),
    ("Power(2, -1)", N, 0),
    ("Power(-1, -3)", N, -1),
    ("Power(2, 40000000000)", L, 0),
    ("Power(2.0, 3)", D, Decimal(8)),
    ("Power(4, 0.5)", D, Decimal(2)),
    ("Power(4E0, 0.5)", F, 2.0),
    ("Power(10E0, 999)", F, math.inf),
    ("Power(-10E0, 999)", F, -math.inf),
    ("Power(0E0, -1)", F, math.inf),
    ("Power(False, True)", B, False),
    ("Power(False, False)", B, True),
    ("Power(2, NULL)", N, None),
    ("Power(2, NULL + 0.5)", N, None),
    ("Coalesce(NULL, NULL, 3)", N, 3),
    ("Coalesce(Empty, 5)", N, 5),
    ("Coalesce(5, 1 / 0)", N, 5),
    ("Coalesce(Empty, NULL)", S, None),
    ("Convert('12.7', 'int32')", N, 12),
    ("Convert('-12.7', 'System.Int32')", N, -12),
    ("Convert(' 5 ', 'INT64')", L, 5),
    ("Convert('1e3', 'uint16')", L, 1000),
    ("Convert(5, 'Int16')", L, 5),
    ("Convert(5, 'integer')", L, 5),
    ("Convert(2.9E0, 'int32')", N, 2),
    ("Convert(-2.9, 'int32')", N, -2),
    ("Convert('0.10', 'decimal')", D, Decimal("0.1")),
    ("Convert(0.1E0, 'decimal')", D, Decimal("0.1")),
    ("Convert(1, 'double')", F, 1.0),
    ("Convert(1, 'single')", F, 1.0),
    ("Convert(1, 'Floating')", F, 1.0),
    ("Convert('FALSE', 'bool')", B, False),
    ("Convert('0.0', 'Boolean')", B, False),
    ("Convert(7, 'bool')", B, True),
    ("Convert(True, 'string')", S, "true"),
    ("Convert(1.50, 'string')", S, "1.5"),
    (f"Convert({GUID}, 'string')", S, GUID[1:-1]),
    ("Convert(#2024-05-06#, 'string')", S, "2024-05-06T00:00:00"),
    ("Convert('2024-05-06', 'date')", T, date("2024-05-06")),
    ("Convert(#1970-01-01 00:01#, 'int32')", N, 60),
    ("Convert(#1970-01-01#, 'bool')", B, False),
    ("Convert('2024/05/06 07:08:09.1234567+02:00', 'datetime')", T, date("2024-05-06T05:08:09") + 1234567),
    ("Convert(NULL, 'guid')", G, None),
    ("Convert(Empty, 'int32')", N, None),
    ("Contains('Hello World', 'o W')", B, True),
    ("Contains('Hello World', 'O w')", B, False),
    ("Contains('Hello World', 'O w', True)", B, True),
    ("Contains('Hello World', 'O w', 'true')", B, True),
    ("Contains('Hello World', 'O w', NULL)", B, False),
    ("Contains('x', NULL)", B, False),
    ("Contains(NULL, 'x')", B, None),
    ("StartsWith('Hello', 'he', 1)", B, True),
    ("StartsWith('Hello', 'he')", B, False),
    ("EndsWith('Hello', 'LO', 1)", B, True),
    ("EndsWith('Hello', NULL)", B, False),
    ("IndexOf('abcabc', 'c')", N, 2),
    ("IndexOf('abcabc', 'C')", N, -1),
    ("IndexOf('abcabc', 'C', True)", N, 2),
    ("IndexOf('abc', '')", N, 0),
    ("IndexOf(NULL, NULL)", N, None),
    ("LastIndexOf('abcabc', 'b')", N, 4),
    ("NthIndexOf('abcabcabc', 'b', 0)", N, 1),
    ("NthIndexOf('abcabcabc', 'B', 2, True)", N, 7),
    ("NthIndexOf('abcabcabc', 'b', 3)", N, -1),
    ("NthIndexOf('abc', 'b', -1)", N, -1),
    ("NthIndexOf('aaaa', 'aa', 1)", N, 2),
    ("NthIndexOf('abc', '', 0)", N, 0),
    ("NthIndexOf('abc', 'b', 2147483647)", N, -1),
    ("Split('a,b,c', ',', 1)", S, "b"),
    ("Split('aXbxc', 'x', 2, True)", S, "c"),
    ("Split('aXBxc', 'x', 1, True)", S, "B"),
    ("Split('a,b', ',', 2)", S, ""),
    ("Split('a,b', ',', -1)", S, ""),
    ("Split('abc', ',', 0)", S, "abc"),
    ("Split('abc', '', 0)", S, "abc"),
    ("Substr('Hello', 1)", S, "ello"),
    ("Substr('Hello', 1, 3)", S, "ell"),
    ("Substr('Hello', 1, 99)", S, "ello"),
    ("Substr('Hello', 1, 0)", S, ""),
    ("Substr('Hello', 1, -1)", S, ""),
    ("Substr('Hello', 1, NULL)", S, "ello"),
    ("Substr('Hello', 9)", S, ""),
    ("Substr('Hello', -1)", S, ""),
    ("Replace('aXbXc', 'X', '--')", S, "a--b--c"),
    ("Replace('aXbxc', 'x', '', True)", S, "abc"),
    ("Replace('aSTRASSEb', 'ß', '_', True)", S, "aSTRA_Eb"),
    ("Replace('abc', '', 'x')", S, "abc"),
    ("Reverse('aé😀')", S, "😀éa"),
    ("Len('aé😀')", N, 3),
    ("Lower('ÀB')", S, "àb"),
    ("Upper('àb')", S, "ÀB"),
    ("Trim('  a b ')", S, "a b"),
    ("TrimLeft(' a ')", S, "a "),
    ("TrimRight(' a ')", S, " a"),
    ("StrCount('aaaa', 'aa')", N, 2),
    ("StrCount('AaA', 'a', True)", N, 3),
    ("StrCount('abc', '')", N, 0),
    ("StrCount(NULL, 'a')", N, 0),
    ("StrCmp('a', 'b')", N, -1),
    ("StrCmp('a', 'B')", N, 1),
    ("StrCmp('a', 'B', True)", N, -1),
    ("StrCmp(NULL, NULL)", N, 0),
    ("StrCmp(NULL, 'a')", N, 1),
    ("StrCmp('a', NULL)", N, -1),
    ("RegexMatch('^a.c$', 'abc')", B, True),
    ("RegexMatch('b', 'abc')", B, True),
    ("RegexMatch('B', 'abc')", B, False),
    ("RegexMatch('(?i)B', 'abc')", B, True),
    ("RegexMatch('^.$', 'é')", B, True),
    ("RegexMatch(NULL, 'x')", B, None),
    ("RegexMatch('x', NULL)", B, None),
    ("RegexVal('[0-9]+', 'abc123def456')", S, "123"),
    ("RegexVal('é+', 'aéé')", S, "éé"),
    ("RegexVal('[0-9]+', 'abc')", S, ""),
    ("IsDate(#2024-01-01#)", B, True),
    ("IsDate('2024-01-01T10:00Z')", B, True),
    ("IsDate('2024-02-30')", B, False),
    ("IsDate(5)", B, False),
    ("IsDate(NULL)", B, False),
    ("IsInteger('12')", B, True),
    ("IsInteger(' -12 ')", B, True),
    ("IsInteger('12.5')", B, False),
    ("IsInteger(True)", B, True),
    ("IsInteger(1.0)", B, False),
    ("IsNumeric('1.5E3')", B, True),
    ("IsNumeric('0x5')", B, False),
    ("IsNumeric('nan')", B, False),
    ("IsNumeric(1.0)", B, True),
    (f"IsGuid({GUID})", B, True),
    ("IsGuid('{11111111222243338444555555555555} ')", B, True),
    ("IsGuid('1')", B, False),
    ("IsNull(NULL, 7)", N, 7),
    ("IsNull(Empty, 7)", N, 7),
    ("IsNull('x', 7)", S, "x"),
    ("IIf(1 = 1, 'yes', 1 / 0)", S, "yes"),
    ("IIf(NULL, 1 / 0, 2.5)", D, Decimal("2.5")),
    ("MaxOf(1, 2.5, 2)", D, Decimal("2.5")),
    ("MinOf(4, 2, 8)", N, 2),
    ("MaxOf('a', 'B', 'b')", S, "B"),
    ("MaxOf(NULL, 1)", N, 1),
    ("MaxOf(1, NULL)", N, 1),
    ("MaxOf(NULL, NULL)", B, None),
    ("MaxOf(1, 1.0)", N, 1),
    ("DateAdd(#2024-01-31#, 1, 'Month')", T, date("2024-02-29")),
    ("DateAdd(#2024-02-29#, -1, 'year')", T, date("2023-02-28")),
    ("DateAdd('2024-01-31 12:00', 1, 'Day')", T, date("2024-02-01T12:00")),
    ("DateAdd(#2024-01-31#, 1, 'WeekDay')", T, date("2024-02-01")),
    ("DateAdd(#2024-01-31#, 1, 'DayOfYear')", T, date("2024-02-01")),
    ("DateAdd(#2024-01-31#, 1, 'Week')", T, date("2024-02-07")),
    ("DateAdd(#2024-01-31#, 25, 'Hour')", T, date("2024-02-01T01:00")),
    ("DateAdd(#2024-01-31#, -1, 'Minute')", T, date("2024-01-30T23:59")),
    ("DateAdd(#2024-01-31#, 1, 'Second')", T, date("2024-01-31T00:00:01")),
    ("DateAdd(#2024-01-31 00:00:00.0000001#, 1, 'Millisecond')", T, date("2024-01-31T00:00:00.001") + 1),
    ("DateAdd(NULL, 1, 'Day')", T, None),
    ("DateDiff(#2024-12-31#, #2025-01-01#, 'Year')", N, 1),
    ("DateDiff(#2024-01-31#, #2024-02-01#, 'Month')", N, 1),
    ("DateDiff(#2025-01-01#, #2024-12-31#, 'Month')", N, -1),
    ("DateDiff(#2024-01-01 23:00#, #2024-01-02 01:00#, 'Day')", N, 1),
    ("DateDiff(#2024-01-01#, #2024-03-01#, 'WeekDay')", N, 60),
    ("DateDiff(#2024-01-14#, #2024-01-01#, 'Week')", N, -1),
    ("DateDiff(#2024-01-01 00:59:59#, #2024-01-01 02:00#, 'Hour')", N, 1),
    ("DateDiff(#2024-01-01#, #2023-12-31 23:59:58.5#, 'Second')", N, -1),
    ("DateDiff(#2024-01-01#, #2024-01-02#, 'Millisecond')", N, 86_400_000),
    ("DateDiff(#2024-01-01#, NULL, 'Day')", N, None),
    ("DatePart(#2024-02-29 13:14:15.123#, 'Year')", N, 2024),
    ("DatePart(#2024-02-29 13:14:15.123#, 'month')", N, 2),
    ("DatePart(#2024-02-29 13:14:15.123#, 'Day')", N, 29),
    ("DatePart(#2024-02-29 13:14:15.123#, 'DayOfYear')", N, 60),
    ("DatePart(#2024-02-29 13:14:15.123#, 'Week')", N, 9),
    ("DatePart(#2024-03-03#, 'WeekDay')", N, 1),
    ("DatePart(#2024-03-02#, 'WeekDay')", N, 7),
    ("DatePart(#2024-02-29 13:14:15.123#, 'Hour')", N, 13),
    ("DatePart(#2024-02-29 13:14:15.123#, 'Minute')", N, 14),
    ("DatePart(#2024-02-29 13:14:15.123#, 'Second')", N, 15),
    ("DatePart(#2024-02-29 13:14:15.1239#, 'Millisecond')", N, 123),
    ("DatePart('2024-02-29', 'Day')", N, 29),
]


@pytest.mark.parametrize(("text", "value_type", "value"), RESULTS)
def test_results(text: str, value_type: ValueType, value: Any) -> None:
    ((found_type, found),) = values_of(text)
    assert (found_type, found) == (value_type, value)
    assert type(found) is type(value)


def test_every_function_is_tried() -> None:
    tried = {text.partition("(")[0].upper() for text, _, _ in RESULTS}
    assert SIGNATURES.keys() - tried == {"NOW", "UTCNOW"}


def test_a_square_root_that_is_no_number() -> None:
    ((_, value),) = values_of("Sqrt(-1)")
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Abs('x')", "ABS takes a number, not String"),
        ("Sqrt(-1.0)", "SQRT takes a Decimal that is not negative"),
        ("Power(0, -1)", "division by zero"),
        ("Power(-2.0, 0.5)", "POWER has no result here"),
        ("Power(1.0000001, 99999999999999999999.5)", "POWER has no result here"),
        ("Power('x', 1)", "POWER does not take String and Int32"),
        ("Upper(5)", "the first argument of UPPER must be text, not Int32"),
        ("Len(#2024-01-01#)", "the first argument of LEN must be text, not DateTime"),
        ("Contains('x', 5)", "the second argument of CONTAINS must be text, not Int32"),
        ("IndexOf('x', NULL)", "the second argument of INDEXOF must not be null"),
        ("NthIndexOf('x', 'x', NULL)", "the third argument of NTHINDEXOF must not be null"),
        ("NthIndexOf('x', 'x', 1.0)", "the third argument of NTHINDEXOF must be an integer, not Decimal"),
        ("Split('x', NULL, 0)", "the second argument of SPLIT must not be null"),
        ("Replace('x', 'x', NULL)", "the third argument of REPLACE must not be null"),
        ("Substr('x', NULL)", "the second argument of SUBSTR must not be null"),
        ("RegexMatch('(', 'x')", "'(' is no regular expression: missing )"),
        ("RegexMatch('(a)\\1', 'aa')", "is no regular expression"),
        ("RegexMatch('(?=a)', 'aa')", "is no regular expression"),
        ("IsNull(5, NULL)", "the second argument of ISNULL must not be null"),
        ("IIf(5, 1, 2)", "the first argument of IIF must be a Boolean, not Int32"),
        ("MaxOf(1, #2024-01-01#)", "does not compare DateTime with Int32"),
        ("Convert(5, NULL)", "the second argument of CONVERT must not be null"),
        ("Convert(5, 'money')", "CONVERT knows no type 'money'"),
        ("Convert(5, 5)", "the second argument of CONVERT must be text, not Int32"),
        ("Convert('abc', 'int32')", "'abc' is no number"),
        ("Convert(5000000000, 'int32')", "too large for Int32"),
        ("Convert('1E30', 'int64')", "too large for Int64"),
        ("Convert(1E999, 'int32')", "inf is no Int32"),
        ("Convert('1E99999', 'decimal')", "is no number"),
        ("Convert('1E9999', 'decimal')", "too large for a Decimal"),
        ("Convert(5, 'guid')", "Int32 cannot be converted to Guid"),
        ("DateAdd(#2024-01-01#, 1, 'Fortnight')", "'Fortnight' is no interval"),
        ("DateAdd(#2024-01-01#, NULL, 'Day')", "the second argument of DATEADD must not be null"),
        ("DateAdd(#2024-01-01#, 1.5, 'Day')", "the second argument of DATEADD must be an integer, not Decimal"),
        ("DateAdd(#2024-01-01#, 2147483647, 'Year')", "out of the years 1 to 9999"),
        ("DateAdd(#0001-01-01#, -1, 'Millisecond')", "out of the years 1 to 9999"),
        ("DateAdd(5, 1, 'Day')", "the first argument of DATEADD must be a date, not Int32"),
        ("DateDiff(#2024-01-01#, #2025-01-01#, 'Millisecond')", "counts more milliseconds here than fit"),
        ("DatePart('x', 'Day')", "'x' is no date"),
        ("DatePart(#2024-01-01#, NULL)", "the second argument of DATEPART must not be null"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        values_of(text)
    assert reason in caught.value.reason


def test_the_time_is_that_of_the_evaluation() -> None:
    before = ticks.now()
    ((value_type, utc),) = values_of("UtcNow()")
    assert value_type is T
    assert before <= utc <= ticks.now()
    ((_, difference),) = values_of("DateDiff(UtcNow(), Now(), 'Minute')")
    offset = datetime.now().astimezone().utcoffset()
    assert offset is not None
    assert difference == offset.total_seconds() // 60
    assert values_of("UtcNow() = UtcNow()") == [(B, True)]
