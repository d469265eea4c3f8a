"""From statements back to text; what is written reads as the same tree again."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final
from uuid import UUID

from sttp.filter_expression.conversions import text_of_date
from sttp.filter_expression.nodes import (
    Call,
    Chain,
    Column,
    Condition,
    Expression,
    Filter,
    Identifier,
    Like,
    Literal,
    Membership,
    NullTest,
    Operator,
    OrderTerm,
    Prefix,
    Statement,
)
from sttp.filter_expression.values import Value, ValueType

__all__ = ["write", "write_expression"]

_LOGIC, _NEGATION, _LIKE, _COMPARISON, _TESTED, _BITS, _MATH, _UNARY, _PRIMARY = range(9)
"""The levels of the grammar, from that which binds loosest."""

_LEVELS: Final = {
    **dict.fromkeys((Operator.AND, Operator.OR), _LOGIC),
    **dict.fromkeys(
        (Operator.SHIFT_LEFT, Operator.SHIFT_RIGHT, Operator.BIT_AND, Operator.BIT_OR, Operator.BIT_XOR), _BITS
    ),
    **dict.fromkeys((Operator.PLUS, Operator.MINUS, Operator.TIMES, Operator.DIVIDED, Operator.REMAINDER), _MATH),
}
"""The level of a chain, by its operators; all others compare."""


def write(statements: Iterable[Statement]) -> str:
    """The text of statements, separated by semicolons."""
    return "; ".join(map(_statement, statements))


def write_expression(expression: Expression) -> str:
    """The text of an expression, with parentheses only where the tree would be another without them."""
    return _expression(expression, _LOGIC)


def _statement(statement: Statement) -> str:
    match statement:
        case Identifier(signal=UUID()):
            return str(statement.signal)
        case Identifier():
            return f'"{statement.signal}"' if statement.is_tag else str(statement.signal)
        case Condition():
            # a Guid alone would name a signal
            alone = isinstance(statement.where, Literal) and statement.where.type is ValueType.GUID
            return f"({_expression(statement.where, _LOGIC)})" if alone else _expression(statement.where, _LOGIC)
        case Filter():
            top = "" if statement.top is None else f"TOP {statement.top} "
            order = f" ORDER BY {', '.join(map(_term, statement.order))}" if statement.order else ""
            return f"FILTER {top}{statement.table} WHERE {_expression(statement.where, _LOGIC)}{order}"


def _term(term: OrderTerm) -> str:
    return f"{'BINARY ' if term.folded else ''}{term.column}{' DESC' if term.descending else ''}"


def _expression(node: Expression, level: int) -> str:
    """The text of a node where the grammar has an operand of `level`."""
    own, text = _text(node)
    return f"({text})" if own < level else text


def _text(node: Expression) -> tuple[int, str]:
    match node:
        case Literal():
            return _PRIMARY, _literal(node.type, node.value)
        case Column():
            return _PRIMARY, node.name
        case Call():
            return _PRIMARY, f"{node.function}({_list(node.arguments)})"
        case Prefix():
            return _prefix(node)
        case Chain():
            level = _LEVELS.get(node.steps[0].operator, _COMPARISON)
            steps = (f" {step.operator} {_expression(step.operand, level + 1)}" for step in node.steps)
            return level, _expression(node.first, level + 1) + "".join(steps)
        case Like():
            how = _how("LIKE", node.negated, node.exact)
            return _LIKE, f"{_expression(node.text, _LIKE)} {how} {_expression(node.pattern, _COMPARISON)}"
        case Membership():
            how = _how("IN", node.negated, node.exact)
            return _TESTED, f"{_expression(node.tested, _TESTED)} {how} ({_list(node.elements)})"
        case NullTest():
            return _TESTED, f"{_expression(node.tested, _TESTED)} IS {'NOT ' if node.negated else ''}NULL"


def _prefix(node: Prefix) -> tuple[int, str]:
    if node.operator is Operator.NOT:
        return _NEGATION, f"NOT {_expression(node.operand, _NEGATION)}"
    operand = _expression(node.operand, _UNARY)
    # two minus signs would begin a comment
    return _UNARY, f"{node.operator}{' ' if operand[0] in '-+~' else ''}{operand}"


def _how(word: str, negated: bool, exact: bool) -> str:
    return f"{'NOT ' if negated else ''}{word}{' BINARY' if exact else ''}"


def _list(expressions: Iterable[Expression]) -> str:
    return ", ".join(_expression(each, _LOGIC) for each in expressions)


def _literal(value_type: ValueType, value: Value | None) -> str:
    if value is None:
        return "NULL"
    match value_type:
        case ValueType.STRING:
            return f"'{value}'"
        case ValueType.GUID:
            return f"{{{value}}}"
        case ValueType.DATE_TIME:
            assert isinstance(value, int)
            return f"#{text_of_date(value).replace('T', ' ')}#"  # a sign and a date with T would read as a key
        case ValueType.DECIMAL:
            assert isinstance(value, Decimal)
            text = f"{value:f}"
            return text.rstrip("0") if "." in text else f"{text}."  # the point makes it a Decimal
        case ValueType.DOUBLE:
            return _double(float(value))  # type: ignore[arg-type]
    return str(value)


def _double(value: float) -> str:
    """With exponent, by which a Double is known; the largest ones are infinite."""
    text = repr(value)
    return "1E999" if text == "inf" else text if "e" in text else f"{text}E0"
