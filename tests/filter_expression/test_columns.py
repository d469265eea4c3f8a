"""Evaluation in columns is evaluation row by row, only faster."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import values_of
from sttp.filter_expression.budget import Budget
from sttp.filter_expression.columns import Scope
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.values import ValueType
from sttp.limits import DEFAULT_LIMITS
from sttp.metadata import Cell, Column, ColumnType, Table

ROWS: list[dict[str, Cell]] = [
    {"Text": "alpha", "Flag": True, "Small": 1, "Big": 2**62, "Dec": Decimal("1.5"), "Dbl": 0.5, "Id": UUID(int=1)},
    {"Text": "Beta", "Flag": False, "Small": -1, "Big": 2**63, "Dec": Decimal(0), "Dbl": -0.0, "Id": UUID(int=2)},
    {"Text": "", "Small": 0, "Dbl": math.inf, "When": 5, "Other": "ALPHA"},
    {},
    {"Text": "7", "Flag": True, "Small": 7, "Big": 0, "Dec": Decimal(7), "Dbl": 7.0, "When": 10**17, "Other": "7"},
    {"Text": "alpha", "Flag": False, "Small": 1, "Big": 1, "Dec": Decimal("-0.0"), "Dbl": 0.0, "Other": "beta"},
    {"Text": "Beta", "Flag": True, "Small": 2**31 - 1, "Big": 1, "Dec": Decimal("1.50"), "Other": "a%"},
]
COLUMNS = [
    Column("Text"), Column("Other"), Column("Flag", ColumnType.BOOLEAN), Column("Small", ColumnType.INT32),
    Column("Big", ColumnType.UINT64), Column("Dec", ColumnType.DECIMAL), Column("Dbl", ColumnType.DOUBLE),
    Column("Id", ColumnType.GUID), Column("When", ColumnType.DATE_TIME),
]  # fmt: skip
TABLE = Table.of("T", COLUMNS, ROWS * 3)
"""Three times the same rows, so that values repeat and columns stand on axes of their own."""

SOME = [3, 1, 12, 1]

texts = st.sampled_from(
    ["Text", "Other", "'ALPHA'", "'7'", "'a%'", "'%A'", "NULL", "IIf(Flag, Text, Other)", "'x' + Small"]
)
numbers = st.sampled_from(
    [
        "Small",
        "Big",
        "Dec",
        "Dbl",
        "1",
        "7.0",
        "1E0",
        "NULL",
        "Flag",
        "Coalesce(Small, Dec, 5)",
        "MaxOf(Small, Dec, Big)",
    ]
)
flags = st.sampled_from(
    [
        "Flag",
        "True",
        "NULL",
        "(Text IN ('alpha', Other))",
        "(Small IS NULL)",
        "(Dec > 0)",
        "(Id = Id)",
        "IIf(Flag, Text, NULL)",
    ]
)
anything = st.one_of(texts, numbers, flags, st.sampled_from(["Id", "When", "#2024-01-01#", f"'{UUID(int=1)}'"]))


def infix(left: st.SearchStrategy[str], operators: str, right: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{} {} {}".format, left, st.sampled_from(operators.split(", ")), right)


def call(names: str, *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}({})".format, st.sampled_from(names.split(", ")), st.tuples(*arguments).map(", ".join))


some = st.lists(anything, min_size=1, max_size=4).map(", ".join)
type_names = st.sampled_from(["'string'", "'int32'", "'double'", "'bool'", "IIf(Flag, 'int64', 'decimal')"])
operations = st.one_of(
    infix(numbers, "+, -, *, /, %, &, |, ^, <<, >>", numbers),
    infix(anything, "=, ===, !=, <, >=, +", anything),
    infix(texts, "LIKE, NOT LIKE, LIKE BINARY", texts),
    infix(anything, "IN, NOT IN, IN BINARY", some.map("({})".format)),
    call("Coalesce, MaxOf, MinOf", anything, some),
    call("IIf", flags, anything, anything),
    call("IsNull", anything, anything),
    call("Convert", anything, type_names),
    call("Contains, IndexOf, StrCmp, StrCount, RegexMatch", texts, texts),
    call("Substr", texts, numbers),
    call("Abs, Round, Sqrt, Len, Upper, IsNumeric, IsDate, NOT , -, ~", anything),
    call("Power", numbers, st.sampled_from(["2", "Small", "NULL"])),
    st.builds("{} IS {}".format, anything, st.sampled_from(["NULL", "NOT NULL"])),
)
expressions = st.one_of(
    operations,
    infix(operations.map("({})".format), "AND, OR, =, +", operations.map("({})".format)),
    call("IIf, Coalesce", operations, operations, operations),
    infix(operations.map("({})".format), "IN", st.tuples(operations, anything).map(", ".join).map("({})".format)),
)


def outcome(text: str, rows: list[int] | None) -> list[tuple[ValueType, Any]] | None:
    """What it yields, in a form that can be compared; nothing when it is refused."""
    try:
        found = values_of(text, TABLE, rows=rows)
    except Refusal:
        return None
    return [(value_type, repr(value)) for value_type, value in found]


@given(expressions)
def test_columns_yield_what_rows_yield(text: str) -> None:
    by_row = [outcome(text, [row]) for row in range(len(TABLE))]
    together = outcome(text, None)
    if None in by_row:
        assert together is None
    else:
        assert together == [value for row in by_row if row is not None for value in row]
    chosen = [by_row[row] for row in SOME]
    assert outcome(text, SOME) == (None if None in chosen else [value for row in chosen for value in row or ()])


def test_what_depends_on_one_column_is_computed_once_for_each_of_its_values() -> None:
    scope = Scope(TABLE, Budget(DEFAULT_LIMITS))
    assert scope.column("flag").axis.size == 3
    assert scope.column("FLAG") is scope.column("Flag")
    small, text = scope.column("Small"), scope.column("Text")
    assert scope.join([small, small]) is small.axis
    assert scope.join([small, text]) is scope.each_row
    assert scope.join([]) is scope.constant


def test_only_values_of_the_rows_at_hand_are_looked_at() -> None:
    """`7` is the only text that is a number."""
    rows = [row for row, text in enumerate(TABLE.column("Text")) if text == "7"]
    assert values_of("Convert(Text, 'int32')", TABLE, rows=rows) == [(ValueType.INT32, 7)] * 3
    assert values_of("IIf(Text = '7', Convert(Text, 'int32'), 0)", TABLE)[4] == (ValueType.INT32, 7)
    with pytest.raises(Refusal, match="'alpha' is no number"):
        values_of("Convert(Text, 'int32')", TABLE)


def test_an_unsigned_number_that_is_too_large_is_a_double() -> None:
    assert values_of("Big", TABLE)[:4] == [
        (ValueType.INT64, 2**62), (ValueType.DOUBLE, 2.0**63), (ValueType.INT64, None), (ValueType.INT64, None),
    ]  # fmt: skip
    assert [value_type for value_type, _ in values_of("Big + 1", TABLE)[:2]] == [ValueType.INT64, ValueType.DOUBLE]


def test_a_table_without_rows_makes_no_errors() -> None:
    assert values_of("1 / 0", TABLE, rows=[]) == []
    assert values_of("Text + 5 AND Flag", Table("T", TABLE.columns, tuple(() for _ in TABLE.columns))) == []


def test_an_integer_in_a_column_of_doubles_is_a_double() -> None:
    table = Table("T", (Column("X", ColumnType.DOUBLE),), ((1, None, 2),))
    assert values_of("X / 2", table) == [(ValueType.DOUBLE, 0.5), (ValueType.DOUBLE, None), (ValueType.DOUBLE, 1.0)]
