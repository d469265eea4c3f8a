"""Operators and conversions, type by type (filter-expressions.md 5, 6, 8)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from filters import values_of
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.values import ValueType

B, N, L, D, F, S, G, T = (
    ValueType.BOOLEAN, ValueType.INT32, ValueType.INT64, ValueType.DECIMAL, ValueType.DOUBLE, ValueType.STRING,
    ValueType.GUID, ValueType.DATE_TIME,
)  # fmt: skip
GUID = "{11111111-2222-4333-8444-555555555555}"


@pytest.mark.parametrize(
    ("text", "value_type", "value"),
    [
        # arithmetic: the wider type
        ("True + True", B, True),
        ("True - True", B, False),
        ("True * False", B, False),
        ("True / True", B, True),
        ("True + 1", N, 2),
        ("1 + 2147483648", L, 2147483649),
        ("1 + 0.5", D, Decimal("1.5")),
        ("0.5 + 1E0", F, 1.5),
        ("7 / 2", N, 3),
        ("-7 / 2", N, -3),
        ("7 / -2", N, -3),
        ("1.0 / 3", D, Decimal("0." + "3" * 34)),
        ("2147483647 + 1", N, -(2**31)),
        ("-2147483647 - 2", N, 2**31 - 1),
        ("65536 * 65536", N, 0),
        ("9223372036854775807 + 1", L, -(2**63)),
        ("-2147483648", L, -(2**31)),
        ("1E0 / 0", F, math.inf),
        ("-1E0 / 0", F, -math.inf),
        ("1E308 * 10", F, math.inf),
        ("- (2 - 1.5)", D, Decimal("-0.5")),
        ("+5", N, 5),
        # text
        ("'a' + 1", S, "a1"),
        ("1 + 'a'", S, "1a"),
        ("'a' + True", S, "atrue"),
        ("'a' + 1.50", S, "a1.5"),
        ("'a' + 100.0", S, "a100"),
        ("'a' + 1E0", S, "a1"),
        ("'a' + 1.5E-7", S, "a1.5e-07"),
        (f"'a' + {GUID}", S, "a11111111-2222-4333-8444-555555555555"),
        ("'a' + #2024-01-02 03:04:05.060#", S, "a2024-01-02T03:04:05.06"),
        # integers
        ("7 % 3", N, 1),
        ("-7 % 3", N, -1),
        ("7 % -3", N, 1),
        ("True % 2", N, 1),
        ("6 & 3", N, 2),
        ("6 | 3", N, 7),
        ("6 ^ 3", N, 5),
        ("6 xor 3", N, 5),
        ("True & False", B, False),
        ("True ^ False", B, True),
        ("-1 & 4294967295", L, 4294967295),
        ("~5", N, -6),
        ("NOT 5", N, -6),
        ("!True", B, False),
        ("1 << 4", N, 16),
        ("1 << 31", N, -(2**31)),
        ("1 << 32", N, 1),
        ("1 << 33", N, 2),
        ("1 << -1", N, -(2**31)),
        ("-16 >> 2", N, -4),
        ("-16 >> 34", N, -4),
        ("4294967296 >> 4", L, 2**28),
        ("4294967296 << 31", L, -(2**63)),
        ("True << 1", B, True),
        ("1 << 9223372036854775807", N, -(2**31)),
        # comparison: the left operand decides
        ("1 = 1.0", B, True),
        ("1 = '1.0'", B, True),
        ("'1.0' = 1", B, False),
        ("'5' > 10", B, True),
        ("5 > '10'", B, False),
        ("True = 'true'", B, True),
        ("True = '1'", B, True),
        ("True > False", B, True),
        ("True = 2", B, False),
        ("1E0 = '1'", B, True),
        ("9007199254740993 = 9007199254740992E0", B, True),
        ("'a' = 'A'", B, True),
        ("'a' == 'A'", B, True),
        ("'a' === 'A'", B, False),
        ("'a' !== 'A'", B, True),
        ("'a' <> 'A'", B, False),
        ("'b' > 'A'", B, True),
        ("'ß' = 'SS'", B, True),
        ("1 === 1.0", B, True),
        (f"{GUID} = '{GUID[1:-1].upper()} '", B, True),
        (f"'x' < {GUID}", B, False),
        ("#2024-01-02# > '2024-01-01 23:59'", B, True),
        ("'2024-01-01T00:00:00' = #2024-01-01#", B, True),
        ("0E0 / 0 = 0E0 / 0", B, False),
        # logic
        ("True AND False OR True", B, True),
        ("True OR True AND False", B, False),
        # LIKE
        ("'abc' LIKE 'A%'", B, True),
        ("'abc' LIKE '*C'", B, True),
        ("'abc' LIKE '%B*'", B, True),
        ("'abc' LIKE '%'", B, True),
        ("'abc' LIKE '%%'", B, True),
        ("'' LIKE '%'", B, True),
        ("'abc' LIKE ''", B, True),
        ("'abc' LIKE 'abc'", B, False),
        ("'abc' NOT LIKE 'abc'", B, True),
        ("'abc' LIKE BINARY 'A%'", B, False),
        ("'abc' LIKE === 'a%'", B, True),
        ("'a_c' LIKE 'a_%'", B, True),
        ("'abc' LIKE 'a_%'", B, False),
        # IN
        ("1 IN (3, 2, 1.0)", B, True),
        ("1 NOT IN (2, 3)", B, True),
        ("'a' IN ('A')", B, True),
        ("'a' IN BINARY ('A')", B, False),
        ("1 IN (NULL, 2)", B, False),
        ("1 NOT IN (NULL, 2)", B, True),
        ("1 IN (NULL)", B, False),
        ("1 IN ('1')", B, True),
        ("1 IN (1, #2024-01-01#)", B, True),
        ("1 IN (2, 1, 'x')", B, True),
        ("0E0 / 0 IN (0E0 / 0)", B, False),
        (f"{GUID} IN ('11111111222243338444555555555555')", B, True),
        # NULL
        ("NULL", B, None),
        ("NULL = NULL", B, None),
        ("True OR NULL", B, None),
        ("False AND NULL", B, None),
        ("NULL + 1", N, None),
        ("NULL + 'x'", S, None),
        ("'x' + NULL", S, None),
        ("NULL << 1", B, None),
        ("-NULL", B, None),
        ("NOT NULL", B, None),
        ("NULL IS NULL", B, True),
        ("1 IS NULL", B, False),
        ("NULL IS NOT NULL", B, False),
        ("NULL LIKE 'x'", B, None),
        ("NULL IN (1)", B, None),
        ("Empty IN ('x')", S, None),
        ("NOT (Empty IN ('x'))", S, None),
        ("Empty = 'x'", B, None),
        ("Empty LIKE NULL", B, None),
        ("-Empty", S, None),
        ("5 = Empty", B, None),
    ],
)
def test_results(text: str, value_type: ValueType, value: Any) -> None:
    ((found_type, found),) = values_of(text)
    assert (found_type, found) == (value_type, value)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5 / 0", "division by zero"),
        ("5.0 / 0", "division by zero"),
        ("5 % 0", "division by zero"),
        ("True / False", "division by zero"),
        ("1E1 * 'x'", "* does not take Double and String"),
        (f"{GUID} + 'x'", "+ does not take Guid and String"),
        ("#2024-01-01# + 1", "+ does not take DateTime and Int32"),
        ("1.5 % 2", "% takes integers, not Decimal and Int32"),
        ("True % True", "% does not take two Booleans"),
        ("1 & 1.5", "& takes integers"),
        ("1 << NULL", "<< takes a count that is not null"),
        ("1.5 << 1", "<< takes integers"),
        ("NOT 1.5", "NOT does not take Decimal"),
        ("-True", "- does not take Boolean"),
        ("+'x'", "+ does not take String"),
        ("~'x'", "~ does not take String"),
        ("5 = 'abc'", "'abc' is no number"),
        ("True = 'abc'", "'abc' is no Boolean"),
        ("#2024-01-01# = 5", "= does not compare DateTime with Int32"),
        ("#2024-01-01# = 'x'", "'x' is no date"),
        (f"{GUID} = 'x'", "'x' is no Guid"),
        (f"{GUID} = NULL", "= does not compare Guid with Boolean"),
        ("1 AND True", "AND takes Booleans, but on the left stands a value of type Int32"),
        ("True OR 'x'", "OR takes Booleans, but on the right stands a value of type String"),
        ("True AND Empty IN ('x')", "IN gives a null of type String where what it tests is null"),
        ("'abc' LIKE 'a%c'", "a wildcard stands at the beginning or the end only"),
        ("'abc' LIKE '%a%c%'", "a wildcard stands at the beginning or the end only"),
        ("'abc' LIKE '%%%'", "a wildcard stands at the beginning or the end only"),
        ("'abc' LIKE NULL", "LIKE takes a pattern that is not null"),
        ("5 LIKE '5%'", "LIKE takes text, not Int32 and String"),
        ("'5' LIKE 5", "LIKE takes text, not String and Int32"),
        ("1 IN (#2024-01-01#)", "IN does not compare Int32 with DateTime"),
        ("1 IN (2, 'x', 1)", "'x' is no number"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        values_of(text)
    assert reason in caught.value.reason


def test_decimals_have_34_digits_and_an_end() -> None:
    ((_, value),) = values_of("1.0 / 3 * 3")
    assert value == Decimal("0." + "9" * 34)
    with pytest.raises(Refusal, match="too large for a Decimal"):
        values_of("*".join(["9" * 400 + ".0"] * 20))


def test_no_operand_is_skipped() -> None:
    with pytest.raises(Refusal, match="division by zero"):
        values_of("False AND 1 / 0 = 1")
