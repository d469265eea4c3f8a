"""The syntax tree of a filter expression: frozen values, equal when they mean the same.

Operators of one level stand in one `Chain`, because they are applied from left to right whatever they are; so a
thousand of them in a row are no deeper than two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sttp.filter_expression.values import Value, ValueType

__all__ = [
    "Call",
    "Chain",
    "Column",
    "Condition",
    "Expression",
    "Filter",
    "Identifier",
    "Like",
    "Literal",
    "Membership",
    "NullTest",
    "Operator",
    "OrderTerm",
    "Prefix",
    "Statement",
    "Step",
    "children",
    "walk",
]


class Operator(StrEnum):
    """Operators, each by one of its spellings. The levels of the binary ones are those of `sttp…syntax`."""

    AND = "AND"
    OR = "OR"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EQUAL = "="
    NOT_EQUAL = "!="
    EXACTLY_EQUAL = "==="
    NOT_EXACTLY_EQUAL = "!=="
    SHIFT_LEFT = "<<"
    SHIFT_RIGHT = ">>"
    BIT_AND = "&"
    BIT_OR = "|"
    BIT_XOR = "^"
    PLUS = "+"
    MINUS = "-"
    TIMES = "*"
    DIVIDED = "/"
    REMAINDER = "%"
    NOT = "NOT"
    COMPLEMENT = "~"
    """What `NOT` and `!` are too when they stand directly before an operand and not before a whole predicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """Anything in the tree.

    Attributes:
        at: offset in the expression of what it is known by: the name, the operator. No part of equality.
    """

    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal(_Node):
    """A value that is written out; `None` is NULL, whose type is UNDEFINED."""

    type: ValueType
    value: Value | None


@dataclass(frozen=True, slots=True)
class Column(_Node):
    """A column by its name, as written."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(_Node):
    """A function of arguments; the name is in upper case."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Prefix(_Node):
    """`NOT`, `~`, `-` or `+` before an operand."""

    operator: Operator
    operand: Expression


@dataclass(frozen=True, slots=True)
class Step(_Node):
    """One operator of a chain, with its right operand."""

    operator: Operator
    operand: Expression


@dataclass(frozen=True, slots=True)
class Chain(_Node):
    """Operators of one level, applied from left to right: `first`, then one step after the other."""

    first: Expression
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Like(_Node):
    """`text [NOT] LIKE [BINARY] pattern`."""

    text: Expression
    pattern: Expression
    negated: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Membership(_Node):
    """`tested [NOT] IN [BINARY] (elements)`."""

    tested: Expression
    elements: tuple[Expression, ...]
    negated: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class NullTest(_Node):
    """`tested IS [NOT] NULL`."""

    tested: Expression
    negated: bool = False


Expression = Literal | Column | Call | Prefix | Chain | Like | Membership | NullTest


@dataclass(frozen=True, slots=True)
class Identifier(_Node):
    """A statement that names one signal: its signal ID, or the text of its measurement key or point tag."""

    signal: UUID | str
    is_tag: bool = False


@dataclass(frozen=True, slots=True)
class OrderTerm(_Node):
    """One column of ORDER BY. `folded` is BINARY or ===, with which text is ordered without regard to case."""

    column: str
    descending: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Filter(_Node):
    """`FILTER [TOP top] table WHERE where [ORDER BY order]`; without limit `top` is `None`."""

    table: str
    where: Expression
    top: int | None = None
    order: tuple[OrderTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition(_Node):
    """A statement that is an expression alone: a filter of the table that the place of use prefers."""

    where: Expression


Statement = Identifier | Filter | Condition


def children(node: Expression) -> tuple[Expression, ...]:
    """The operands of a node, in the order of the text."""
    match node:
        case Call():
            return node.arguments
        case Prefix():
            return (node.operand,)
        case Chain():
            return (node.first, *(step.operand for step in node.steps))
        case Like():
            return (node.text, node.pattern)
        case Membership():
            return (node.tested, *node.elements)
        case NullTest():
            return (node.tested,)
    return ()


def walk(expression: Expression) -> Iterator[tuple[int, Expression]]:
    """All nodes of an expression with their depth, that of the expression itself being 1; in no order to rely on.

    It does not recurse, so that a tree of any depth can be looked at.
    """
    waiting = [(1, expression)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        waiting += [(depth + 1, child) for child in children(node)]
