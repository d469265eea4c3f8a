"""The operators: arithmetic, bits, comparison, logic, LIKE and signs (filter-expressions.md 5, 6)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sttp.filter_expression.budget import Budget
from sttp.filter_expression.columns import Axis, Kernel, Operand, Vector, characters_of, elementwise, nulls
from sttp.filter_expression.conversions import DECIMALS, Converter, converter, wrap
from sttp.filter_expression.nodes import Operator
from sttp.filter_expression.problems import Refusal, shown
from sttp.filter_expression.values import INTEGERS, ValueType, arithmetic_type, comparison_type, integer_type

__all__ = ["binary", "comparable", "compare", "is_null", "like", "prefix"]

_NUMBER_STEPS, _DECIMAL_STEPS = 2, 4  # what arithmetic takes longer than a comparison
_PATTERN_STEPS: Final = 8  # for each pattern of LIKE that is not the same for all rows
_CHARACTERS_PER_STEP: Final = 8

_BITS: Final = {ValueType.BOOLEAN: 32, ValueType.INT32: 32, ValueType.INT64: 64}


def binary(sign: Operator, budget: Budget) -> Kernel:
    """The kernel of an operator between two operands."""
    if sign in _COMPARISONS:
        return compare(sign)
    if sign in (Operator.AND, Operator.OR):
        return _logic(sign)
    if sign in (Operator.SHIFT_LEFT, Operator.SHIFT_RIGHT):
        return _shift(sign)
    if sign in _BITWISE:
        return _bitwise(sign)
    return _arithmetic(sign, budget)


# arithmetic


def _arithmetic(sign: Operator, budget: Budget) -> Kernel:
    def kernel(axis: Axis, left: Vector, right: Vector) -> Vector:
        result = arithmetic_type(sign, left.type.settled, right.type.settled)
        operands = (Operand(each, converter(each.type, result)) for each in (left, right))
        if result is ValueType.STRING:
            return elementwise(axis, result, _concatenation(budget), *operands)
        budget.spend((_DECIMAL_STEPS if result is ValueType.DECIMAL else _NUMBER_STEPS) * axis.size)
        return elementwise(axis, result, _ARITHMETIC[result](sign), *operands)

    return kernel


def _concatenation(budget: Budget) -> Callable[[str, str], str]:
    def concatenate(left: str, right: str) -> str:
        budget.make_text(len(left) + len(right))
        return left + right

    return concatenate


def _divide(dividend: int, divisor: int) -> int:
    """Integer division towards zero."""
    if not divisor:
        raise Refusal("division by zero")
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


_ON_INTEGERS: Final[Mapping[Operator, Callable[[int, int], int]]] = {
    Operator.PLUS: operator.add,
    Operator.MINUS: operator.sub,
    Operator.TIMES: operator.mul,
    Operator.DIVIDED: _divide,
}


def _wrapped(bits: int) -> Callable[[Operator], Callable[[int, int], int]]:
    def of(sign: Operator) -> Callable[[int, int], int]:
        compute = _ON_INTEGERS[sign]
        return lambda left, right: wrap(compute(left, right), bits)

    return of


def _on_booleans(sign: Operator) -> Callable[[bool, bool], bool]:
    compute = _ON_INTEGERS[sign]
    return lambda left, right: compute(left, right) != 0


def _on_decimals(sign: Operator) -> Callable[[Decimal, Decimal], Decimal]:
    compute = {
        Operator.PLUS: DECIMALS.add,
        Operator.MINUS: DECIMALS.subtract,
        Operator.TIMES: DECIMALS.multiply,
        Operator.DIVIDED: DECIMALS.divide,
    }[sign]

    def checked(left: Decimal, right: Decimal) -> Decimal:
        if sign is Operator.DIVIDED and not right:
            raise Refusal("division by zero")
        try:
            return compute(left, right)
        except DecimalException:
            raise Refusal("the result is too large for a Decimal") from None

    return checked


def _divide_doubles(dividend: float, divisor: float) -> float:
    """Division as IEEE 754 has it: by zero it gives infinity, or no number."""
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def _on_doubles(sign: Operator) -> Callable[[float, float], float]:
    return {
        Operator.PLUS: operator.add,
        Operator.MINUS: operator.sub,
        Operator.TIMES: operator.mul,
        Operator.DIVIDED: _divide_doubles,
    }[sign]


_ARITHMETIC: Final[Mapping[ValueType, Callable[[Operator], Callable[[Any, Any], Any]]]] = {
    ValueType.BOOLEAN: _on_booleans,
    ValueType.INT32: _wrapped(32),
    ValueType.INT64: _wrapped(64),
    ValueType.DECIMAL: _on_decimals,
    ValueType.DOUBLE: _on_doubles,
}


# bits


def _remainder(dividend: int, divisor: int) -> int:
    """What integer division leaves; it has the sign of the dividend."""
    if not divisor:
        raise Refusal("division by zero")
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


_BITWISE: Final[Mapping[Operator, Callable[[int, int], int]]] = {
    Operator.REMAINDER: _remainder,
    Operator.BIT_AND: operator.and_,
    Operator.BIT_OR: operator.or_,
    Operator.BIT_XOR: operator.xor,
}


def _bitwise(sign: Operator) -> Kernel:
    compute = _BITWISE[sign]

    def kernel(axis: Axis, left: Vector, right: Vector) -> Vector:
        result = integer_type(sign, left.type.settled, right.type.settled)
        if result is ValueType.BOOLEAN and sign is Operator.REMAINDER:
            raise Refusal("% does not take two Booleans")
        return elementwise(axis, result, compute, Operand(left), Operand(right))

    return kernel


def _shift(sign: Operator) -> Kernel:
    def kernel(axis: Axis, left: Vector, right: Vector) -> Vector:
        result = left.type.settled
        integer_type(sign, result, right.type.settled)
        if (right.null & ~left.null).any():
            raise Refusal(f"{sign} takes a count that is not null")
        bits = _BITS[result]

        def shift(value: int, count: int) -> int | bool:
            places = count % bits  # so that any count means something, also a negative one
            shifted = wrap(value << places, bits) if sign is Operator.SHIFT_LEFT else value >> places
            return shifted != 0 if result is ValueType.BOOLEAN else shifted

        return elementwise(axis, result, shift, Operand(left), Operand(right))

    return kernel


# comparison


_COMPARISONS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.EXACTLY_EQUAL: operator.eq,
    Operator.NOT_EXACTLY_EQUAL: operator.ne,
}
_EXACT: Final = (Operator.EXACTLY_EQUAL, Operator.NOT_EXACTLY_EQUAL)


def compare(sign: Operator) -> Kernel:
    """The kernel of a comparison. Text is compared without regard to case, except by `===` and `!==`."""
    function = _COMPARISONS[sign]
    exact = sign in _EXACT

    def kernel(axis: Axis, left: Vector, right: Vector) -> Vector:
        common = comparison_type(sign, left.type.settled, right.type.settled)
        operands = (Operand(each, comparable(each.type, common, exact=exact)) for each in (left, right))
        return elementwise(axis, ValueType.BOOLEAN, function, *operands)

    return kernel


def comparable(source: ValueType, common: ValueType, *, exact: bool) -> Converter | None:
    """What turns a value of one type into one that Python compares as the language would.

    Args:
        source: the type of the value.
        common: the type in which it is compared.
        exact: whether the case of text matters.

    Raises:
        Refusal: there is no such conversion.
    """
    convert = converter(source, common)
    if common is not ValueType.STRING or exact:
        return convert
    return str.upper if convert is None else lambda value: convert(value).upper()


def is_null(axis: Axis, tested: Vector) -> Vector:
    """The kernel of IS NULL."""
    return Vector(axis, ValueType.BOOLEAN, tested.null, np.zeros(axis.size, np.bool_))


# text


def like(budget: Budget, *, exact: bool) -> Kernel:
    """The kernel of LIKE.

    Args:
        budget: what it is counted against.
        exact: whether the case of text matters.
    """

    def kernel(axis: Axis, text: Vector, pattern: Vector) -> Vector:
        if text.null.all():
            return nulls(axis, ValueType.BOOLEAN)
        if text.type is not ValueType.STRING or pattern.type not in (ValueType.STRING, ValueType.UNDEFINED):
            raise Refusal(f"LIKE takes text, not {text.type} and {pattern.type}")
        if (pattern.null & ~text.null).any():
            raise Refusal("LIKE takes a pattern that is not null")
        if len(pattern.values) == 1:
            matches = _matcher(pattern.values[0], exact)
            return elementwise(axis, ValueType.BOOLEAN, matches, Operand(text, None if exact else str.upper))
        budget.spend(_PATTERN_STEPS * axis.size + characters_of(text, axis) // _CHARACTERS_PER_STEP)
        return elementwise(
            axis, ValueType.BOOLEAN, lambda value, matches: matches(value),
            Operand(text, None if exact else str.upper), Operand(pattern, lambda each: _matcher(each, exact)),
        )  # fmt: skip

    return kernel


_WILDCARDS: Final = "%*"


def _matcher(pattern: str, exact: bool) -> Callable[[str], bool]:
    """What tells whether a text, in upper case unless `exact`, matches."""
    if not pattern:
        return lambda _: True
    before, after = pattern[0] in _WILDCARDS, pattern[-1] in _WILDCARDS
    sought = pattern[before : len(pattern) - after] if len(pattern) > 1 else pattern.strip(_WILDCARDS)
    if any(each in sought for each in _WILDCARDS):
        raise Refusal(f"LIKE {shown(pattern)}: a wildcard stands at the beginning or the end only")
    sought = sought if exact else sought.upper()
    if before and after:
        return operator.methodcaller("__contains__", sought)
    if before:
        return operator.methodcaller("endswith", sought)
    if after:
        return operator.methodcaller("startswith", sought)
    return lambda _: False  # without wildcard nothing matches, as in all implementations


# logic and signs


def _logic(sign: Operator) -> Kernel:
    def kernel(axis: Axis, left: Vector, right: Vector) -> Vector:
        for side, operand in (("left", left), ("right", right)):
            if operand.type.settled is not ValueType.BOOLEAN:
                hint = (
                    f"; IN gives a null of type {operand.type} where what it tests is null:"
                    " test IsNull(column, '') in place of the column"
                    if operand.null.all()
                    else ""
                )
                raise Refusal(f"{sign} takes Booleans, but on the {side} stands a value of type {operand.type}{hint}")
        null = np.logical_or(left.null, right.null)
        values = (np.logical_and if sign is Operator.AND else np.logical_or)(_truth(left), _truth(right))
        return Vector(
            axis, ValueType.BOOLEAN, np.broadcast_to(values & ~null, axis.size), np.broadcast_to(null, axis.size)
        )

    return kernel


def _truth(vector: Vector) -> NDArray[np.bool_]:
    return vector.values.astype(np.bool_, copy=False)


def prefix(sign: Operator) -> Kernel:
    """The kernel of an operator before an operand."""

    def kernel(axis: Axis, operand: Vector) -> Vector:
        kind = operand.type.settled
        if operand.null.all():
            return nulls(axis, kind)
        if sign in (Operator.NOT, Operator.COMPLEMENT):
            if kind is ValueType.BOOLEAN:
                return Vector(axis, kind, ~operand.values, operand.null)
            if kind in INTEGERS:
                return elementwise(axis, kind, operator.invert, Operand(operand))
        elif kind in _SIGNS:
            return elementwise(axis, kind, _SIGNS[kind], Operand(operand)) if sign is Operator.MINUS else operand
        raise Refusal(f"{sign} does not take {kind}")

    return kernel


_SIGNS: Final[Mapping[ValueType, Callable[[Any], Any]]] = {
    ValueType.INT32: lambda value: wrap(-value, 32),
    ValueType.INT64: lambda value: wrap(-value, 64),
    ValueType.DECIMAL: operator.neg,
    ValueType.DOUBLE: operator.neg,
}
