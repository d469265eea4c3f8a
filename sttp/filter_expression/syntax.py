"""The statements of a filter expression, as far as they are understood (filter-expressions.md 2, 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sttp.errors import FilterError

__all__ = ["FilterStatement", "Identifier", "Statement", "read_statements", "shown"]

_KEYWORD: Final = re.compile(r"FILTER\s", re.IGNORECASE)
_FILTER: Final = re.compile(
    r"FILTER\s+(?:TOP\s+(?P<top>(?:[+-]\s*)?\d{1,18})\s+)?(?P<table>[A-Z_]\w*)(?:\s+WHERE\s+TRUE)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterStatement:
    """`FILTER [TOP n] <Table> [WHERE True]`.

    Attributes:
        table: name of the table, as written.
        top: how many rows at most, in table order; `None` for all.
    """

    table: str
    top: int | None = None


Identifier = str
"""A signal ID, measurement key or point tag, as written."""

Statement = Identifier | FilterStatement


def read_statements(expression: str) -> list[Statement]:
    """The statements of `expression`, which semicolons separate; empty ones are left out.

    Raises:
        FilterError: a FILTER statement that is not understood.
    """
    texts = map(str.strip, expression.split(";"))
    return [_read_filter(text) if _KEYWORD.match(text) else text for text in texts if text]


def shown(text: str) -> str:
    """`text` in quotes and short enough for a message."""
    return repr(text if len(text) <= 80 else text[:80] + "…")


def _read_filter(text: str) -> FilterStatement:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise FilterError(f"cannot read {shown(text)}: supported is FILTER [TOP n] <Table> [WHERE True]")
    top = int("".join(match["top"].split())) if match["top"] else -1
    return FilterStatement(table=match["table"], top=None if top < 0 else top)
