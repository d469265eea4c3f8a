"""Functions of numbers, for single values. Double follows IEEE 754; elsewhere what has no value is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException
from typing import Any, Final

from sttp.filter_expression.conversions import DECIMALS, wrap
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.values import ValueType

__all__ = ["OF_ONE_NUMBER", "POWERS"]

OfOneNumber = tuple[ValueType, Callable[[Any], Any] | None]
"""Type of the result, and what computes it; `None` when it is the number itself."""


def _to_integral(rounding: str) -> Callable[[Decimal], Decimal]:
    return lambda value: value.to_integral_value(rounding)


def _if_finite(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _round(value: float) -> int:
    """The nearest integer, halves away from zero."""
    whole = math.trunc(value)
    return whole + int(math.copysign(1, value)) if abs(value - whole) >= 0.5 else whole


def _square_root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _decimal_square_root(value: Decimal) -> Decimal:
    if value < 0:
        raise Refusal("SQRT takes a Decimal that is not negative")
    return value.sqrt(DECIMALS)


def _kept_for_integers(
    double: Callable[[float], float], decimal: Callable[[Decimal], Decimal]
) -> Mapping[ValueType, OfOneNumber]:
    return {
        **{each: (each, None) for each in (ValueType.BOOLEAN, ValueType.INT32, ValueType.INT64)},
        ValueType.DECIMAL: (ValueType.DECIMAL, decimal),
        ValueType.DOUBLE: (ValueType.DOUBLE, double),
    }


OF_ONE_NUMBER: Final[Mapping[str, Mapping[ValueType, OfOneNumber]]] = {
    "ABS": {
        ValueType.BOOLEAN: (ValueType.BOOLEAN, None),
        ValueType.INT32: (ValueType.INT32, lambda value: wrap(abs(value), 32)),
        ValueType.INT64: (ValueType.INT64, lambda value: wrap(abs(value), 64)),
        ValueType.DECIMAL: (ValueType.DECIMAL, abs),
        ValueType.DOUBLE: (ValueType.DOUBLE, abs),
    },
    "CEILING": _kept_for_integers(_if_finite(math.ceil), _to_integral(ROUND_CEILING)),
    "FLOOR": _kept_for_integers(_if_finite(math.floor), _to_integral(ROUND_FLOOR)),
    "ROUND": _kept_for_integers(_if_finite(_round), _to_integral(ROUND_HALF_UP)),
    "SQRT": {
        ValueType.BOOLEAN: (ValueType.DOUBLE, _square_root),
        ValueType.INT32: (ValueType.DOUBLE, _square_root),
        ValueType.INT64: (ValueType.DOUBLE, _square_root),
        ValueType.DECIMAL: (ValueType.DECIMAL, _decimal_square_root),
        ValueType.DOUBLE: (ValueType.DOUBLE, _square_root),
    },
}
"""What a function of one number does, by the type of the number."""


def _integer_power(bits: int) -> Callable[[int, int], int]:
    def power(base: int, exponent: int) -> int:
        if exponent >= 0:
            return wrap(pow(base, exponent, 1 << bits), bits)
        if not base:
            raise Refusal("division by zero: 0 has no negative power")
        # 1 and -1 have integers as negative powers; the others are fractions, truncated
        return (1 if base == 1 or not exponent % 2 else -1) if base in (1, -1) else 0

    return power


def _boolean_power(base: bool, exponent: bool) -> bool:
    return base or not exponent


def _decimal_power(base: Decimal, exponent: Decimal) -> Decimal:
    try:
        return DECIMALS.power(base, exponent)
    except DecimalException:
        raise Refusal("POWER has no result here that fits into a Decimal") from None


def _double_power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:  # a negative base with a fraction as exponent, or 0 with a negative one
        return math.nan if base else math.inf


POWERS: Final[Mapping[ValueType, Callable[[Any, Any], Any]]] = {
    ValueType.BOOLEAN: _boolean_power,
    ValueType.INT32: _integer_power(32),
    ValueType.INT64: _integer_power(64),
    ValueType.DECIMAL: _decimal_power,
    ValueType.DOUBLE: _double_power,
}
"""POWER by the type that base and exponent have in common."""
