"""Makes the nodes of the syntax tree, called by the parser at each rule of `grammar.lark` that is complete."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from lark import Token, Transformer

from sttp.filter_expression.conversions import decimal_of, read_date
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
    Step,
)
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.signatures import SIGNATURES
from sttp.filter_expression.values import INT32_MAX, INT64_MAX, Value, ValueType

__all__ = ["TreeBuilder", "offset_of"]

_OTHER_SPELLINGS: Final = {
    "&&": Operator.AND,
    "||": Operator.OR,
    "==": Operator.EQUAL,
    "<>": Operator.NOT_EQUAL,
    "XOR": Operator.BIT_XOR,
    "!": Operator.NOT,
}
_LONGEST_HEXADECIMAL: Final = 66


def offset_of(token: Token) -> int:
    """Where a token begins in the text."""
    return token.start_pos or 0


class TreeBuilder(Transformer[Token, Any]):
    """One method for each rule; what a rule without method consists of passes through."""

    # statements

    def identifier(self, parts: list[Token]) -> Identifier:
        """A signal ID, measurement key or point tag."""
        (token,) = parts
        match token.type:
            case "GUID":
                return Identifier(_guid(token), at=offset_of(token))
            case "TAG":
                return Identifier(token[1:-1], is_tag=True, at=offset_of(token))
        return Identifier(str(token), at=offset_of(token))

    def condition(self, parts: list[Expression]) -> Condition:
        """An expression as a statement."""
        return Condition(parts[0], at=parts[0].at)

    def filter(self, parts: list[Any]) -> Filter:
        """`FILTER [TOP n] table WHERE where [ORDER BY order]`."""
        top = parts.pop(0) if isinstance(parts[0], int) else -1
        table, where, *order = parts
        return Filter(
            str(table), where, None if top < 0 else top, tuple(order[0]) if order else (), at=offset_of(table)
        )

    def top(self, parts: list[Token]) -> int:
        """The number behind TOP."""
        *sign, number = parts
        value = _integer(number)
        return -int(value) if sign and sign[0] == "-" else int(value)

    def order(self, parts: list[OrderTerm]) -> list[OrderTerm]:
        """All terms of ORDER BY."""
        return parts

    def order_term(self, parts: list[Any]) -> OrderTerm:
        """A column to order by."""
        folded = parts.pop(0) if parts[0] is True else False
        name, *direction = parts
        descending = bool(direction) and direction[0].type == "DESC"
        return OrderTerm(str(name), descending, folded, at=offset_of(name))

    def exact(self, parts: list[Token]) -> bool:
        """BINARY or ===."""
        return True

    # operators

    def expression(self, parts: list[Any]) -> Chain:
        """AND and OR, from left to right."""
        return _chain(parts)

    comparison = bitwise = math = expression

    def prefixed(self, parts: list[Any]) -> Prefix:
        """NOT before a predicate."""
        token, operand = parts
        return Prefix(Operator.NOT, operand, at=offset_of(token))

    def operand_prefixed(self, parts: list[Any]) -> Prefix:
        """A sign, a complement, or a NOT that stands for one."""
        token, operand = parts
        operator = Operator.COMPLEMENT if token.type == "NOT" else Operator(str(token))
        return Prefix(operator, operand, at=offset_of(token))

    def like(self, parts: list[Any]) -> Like:
        """`[NOT] LIKE`."""
        text, token, *exact, pattern = parts
        return Like(text, pattern, token.type == "NOT_LIKE", bool(exact), at=offset_of(token))

    def membership(self, parts: list[Any]) -> Membership:
        """`[NOT] IN`."""
        tested, token, *exact, elements = parts
        return Membership(tested, tuple(elements), token.type == "NOT_IN", bool(exact), at=offset_of(token))

    def null_test(self, parts: list[Any]) -> NullTest:
        """`IS [NOT] NULL`."""
        tested, token, *rest = parts
        return NullTest(tested, len(rest) == 2, at=offset_of(token))

    # operands

    def items(self, parts: list[Expression]) -> list[Expression]:
        """Arguments, or the elements of IN."""
        return parts

    def column(self, parts: list[Token]) -> Column:
        """A column."""
        (token,) = parts
        return Column(str(token), at=offset_of(token))

    def call(self, parts: list[Any]) -> Call:
        """A function with its arguments."""
        token, *arguments = parts
        name, given = token.upper(), tuple(arguments[0]) if arguments else ()
        signature = SIGNATURES[name]
        if not signature.fewest <= len(given) <= signature.most:
            raise Refusal(f"{name} takes {signature.counted}, not {len(given)}", offset_of(token))
        return Call(name, given, at=offset_of(token))

    def literal(self, parts: list[Token]) -> Literal:
        """A value that is written out."""
        (token,) = parts
        try:
            return Literal(*_value(token), at=offset_of(token))
        except Refusal as refusal:
            raise Refusal(refusal.reason, offset_of(token)) from None


def _chain(parts: list[Any]) -> Chain:
    steps = tuple(
        Step(_operator(token), operand, at=offset_of(token))
        for token, operand in zip(parts[1::2], parts[2::2], strict=True)
    )
    return Chain(parts[0], steps, at=steps[0].at)


def _operator(token: Token) -> Operator:
    name = token.upper()
    return _OTHER_SPELLINGS.get(name) or Operator(name)


def _value(token: Token) -> tuple[ValueType, Value | None]:
    match token.type:
        case "INTEGER":
            number = _integer(token)
            if isinstance(number, Decimal):
                return ValueType.DECIMAL, number
            return (ValueType.INT32 if number <= INT32_MAX else ValueType.INT64), number
        case "NUMERIC":
            if "e" in token.lower():
                return ValueType.DOUBLE, float(token)
            return ValueType.DECIMAL, decimal_of(token)
        case "STRING":
            return ValueType.STRING, token[1:-1]
        case "DATETIME":
            return ValueType.DATE_TIME, read_date(token[1:-1])
        case "GUID":
            return ValueType.GUID, _guid(token)
        case "NULL":
            return ValueType.UNDEFINED, None
    return ValueType.BOOLEAN, token.type == "TRUE"


def _integer(token: Token) -> int | Decimal:
    """An integer, or a Decimal when it does not fit into 64 bits."""
    if token[:2] in ("0x", "0X"):
        if len(token) > _LONGEST_HEXADECIMAL:
            raise Refusal("this number is too long", offset_of(token))
        number = int(token, 16)
    elif len(token) > len(str(INT64_MAX)):
        return decimal_of(token)
    else:
        number = int(token)
    return number if number <= INT64_MAX else Decimal(number)


def _guid(token: Token) -> UUID:
    return UUID(int=int(token.strip("{}'").replace("-", ""), 16))
