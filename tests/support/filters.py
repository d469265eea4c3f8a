"""Expressions that tests evaluate by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sttp.filter_expression.budget import Budget
from sttp.filter_expression.evaluate import evaluate
from sttp.filter_expression.syntax import parse_expression
from sttp.filter_expression.values import ValueType
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.metadata import Column, Table

__all__ = ["ONE_ROW", "values_of"]

ONE_ROW = Table("OneRow", (Column("Empty"),), ((None,),))
"""For expressions without columns; `Empty` is a null String."""


def values_of(
    text: str, table: Table = ONE_ROW, *, rows: Sequence[int] | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[tuple[ValueType, Any]]:
    """Type and value of an expression in each row.

    Raises:
        FilterError, Refusal: it cannot be read or evaluated.
    """
    return evaluate(parse_expression(text), table, Budget(limits), rows)
