"""The types of values, and what becomes of two types that meet (filter-expressions.md 4, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from typing import Final
from uuid import UUID

from sttp.filter_expression.problems import Refusal
from sttp.metadata.dataset import ColumnType

__all__ = [
    "COLUMN_TYPES",
    "INT32_MAX",
    "INT64_MAX",
    "INTEGERS",
    "NUMBERS",
    "Value",
    "ValueType",
    "arithmetic_type",
    "comparison_type",
    "integer_type",
]

Value = bool | int | Decimal | float | str | UUID
"""A value that is not null; a DateTime is an `int`, ticks in UTC."""

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1


class ValueType(IntEnum):
    """Types of values. Numeric ones ascend: of two that meet in arithmetic, the larger is the type of the result."""

    BOOLEAN = 0
    INT32 = 1
    INT64 = 2
    DECIMAL = 3
    DOUBLE = 4
    STRING = 5
    GUID = 6
    DATE_TIME = 7
    UNDEFINED = 8
    """That of the bare NULL, which takes the type that its place expects."""

    def __str__(self) -> str:
        return _NAMES[self]

    def __format__(self, specification: str) -> str:
        return format(_NAMES[self], specification)

    @property
    def settled(self) -> ValueType:
        """The type as an operator takes it: a bare NULL is a Boolean."""
        return ValueType.BOOLEAN if self is ValueType.UNDEFINED else self


_NAMES: Final = ("Boolean", "Int32", "Int64", "Decimal", "Double", "String", "Guid", "DateTime", "NULL")

INTEGERS: Final = frozenset({ValueType.BOOLEAN, ValueType.INT32, ValueType.INT64})
NUMBERS: Final = INTEGERS | {ValueType.DECIMAL, ValueType.DOUBLE}

COLUMN_TYPES: Final[Mapping[ColumnType, ValueType]] = {
    ColumnType.STRING: ValueType.STRING,
    ColumnType.GUID: ValueType.GUID,
    ColumnType.BOOLEAN: ValueType.BOOLEAN,
    ColumnType.DATE_TIME: ValueType.DATE_TIME,
    ColumnType.FLOAT: ValueType.DOUBLE,
    ColumnType.DOUBLE: ValueType.DOUBLE,
    ColumnType.DECIMAL: ValueType.DECIMAL,
    ColumnType.INT8: ValueType.INT32,
    ColumnType.INT16: ValueType.INT32,
    ColumnType.INT32: ValueType.INT32,
    ColumnType.INT64: ValueType.INT64,
    ColumnType.UINT8: ValueType.INT32,
    ColumnType.UINT16: ValueType.INT32,
    ColumnType.UINT32: ValueType.INT64,
    ColumnType.UINT64: ValueType.INT64,
}
"""The type of the values of a column. A UINT64 above `INT64_MAX` is a Double instead."""


def arithmetic_type(operator: str, left: ValueType, right: ValueType) -> ValueType:
    """The type of `left operator right`, for `+ - * /` and Power.

    Raises:
        Refusal: the operator does not take these types.
    """
    if left in NUMBERS and right in NUMBERS:
        return max(left, right)
    if operator == "+" and (left is ValueType.STRING or (right is ValueType.STRING and left in NUMBERS)):
        return ValueType.STRING
    raise Refusal(f"{operator} does not take {left} and {right}")


def integer_type(operator: str, left: ValueType, right: ValueType) -> ValueType:
    """The type of `left operator right`, for `% & | ^`.

    Raises:
        Refusal: one of them is no integer type.
    """
    if left in INTEGERS and right in INTEGERS:
        return max(left, right)
    raise Refusal(f"{operator} takes integers, not {left} and {right}")


def comparison_type(operator: str, left: ValueType, right: ValueType) -> ValueType:
    """The type that both operands of a comparison are converted to. It depends on which stands left.

    Raises:
        Refusal: the two cannot be compared.
    """
    if left is ValueType.STRING or left is right:
        return left
    if left in NUMBERS and right in NUMBERS:
        return max(left, right)
    if right is ValueType.STRING:
        # a number that meets text is compared as a number, and an integer then as a Decimal
        return ValueType.DECIMAL if left in (ValueType.INT32, ValueType.INT64) else left
    raise Refusal(f"{operator} does not compare {left} with {right}")
