"""How functions are called: arguments are checked against the signature, and nulls sorted out, for whole columns.

What they compute for single values is in `number_functions`, `text_functions` and `date_functions`. COALESCE, IIF,
MAXOF and MINOF take their arguments one by one, and so belong to `evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from sttp.filter_expression import date_functions, number_functions, text_functions
from sttp.filter_expression.budget import Budget
from sttp.filter_expression.columns import (
    Axis,
    Kernel,
    Operand,
    Scope,
    Vector,
    apply,
    characters_of,
    choose,
    constant,
    elementwise,
    merge,
    nulls,
)
from sttp.filter_expression.conversions import Converter, converter, is_integer_text, is_number_text, read_date
from sttp.filter_expression.nodes import Operator
from sttp.filter_expression.operators import compare
from sttp.filter_expression.problems import Refusal, shown
from sttp.filter_expression.signatures import SIGNATURES, OnNull, Parameter, Takes
from sttp.filter_expression.values import INTEGERS, NUMBERS, ValueType, arithmetic_type
from sttp.metadata.cells import read_guid

__all__ = ["better_of", "call"]

_WEIGHT: Final = 4
_WEIGHTS: Final = {"POWER": 8, "SQRT": 16, "DATEADD": 16, "DATEDIFF": 16, "DATEPART": 16}
"""Steps of one call of a function: as many comparisons take about as long."""
_DECIMAL_POWER_WEIGHT: Final = 512
_CHARACTERS_PER_STEP: Final = {"NTHINDEXOF": 2, "REPLACE": 2, "SPLIT": 2}
_USUAL_CHARACTERS_PER_STEP: Final = 8


def call(scope: Scope, name: str, arguments: list[Vector], now: int) -> Vector:
    """The result of a function for all rows.

    Args:
        scope: the rows.
        name: the function, in upper case.
        arguments: its arguments, as many as its signature allows.
        now: the time of the evaluation, in ticks; the same for all rows.

    Raises:
        Refusal: it does not take these arguments.
    """
    scope.budget.spend(_WEIGHTS.get(name, _WEIGHT) * scope.join(arguments).size)
    match name:
        case "NOW":
            return constant(scope, ValueType.DATE_TIME, date_functions.local(now))
        case "UTCNOW":
            return constant(scope, ValueType.DATE_TIME, now)
        case "CONVERT":
            return apply(scope, _convert, *arguments)
        case "ISNULL":
            return apply(scope, _instead_of_null, *arguments)
        case "POWER":
            return apply(scope, _power(scope.budget), *arguments)
    if name in _TYPE_TESTS:
        return apply(scope, _TYPE_TESTS[name], *arguments)
    if name in number_functions.OF_ONE_NUMBER:
        return apply(scope, _of_one_number(name), *arguments)
    return apply(scope, _by_signature(name, scope.budget), *arguments)


# functions whose result has the type that the signature says

_ORDINALS: Final = ("first", "second", "third", "fourth")


def _by_signature(name: str, budget: Budget) -> Kernel:
    signature = SIGNATURES[name]
    result = signature.result
    assert result is not None
    function = _function(name, budget)

    def kernel(axis: Axis, *arguments: Vector) -> Vector:
        parameters = signature.parameters[: len(arguments)]
        converters = []
        null = np.zeros(axis.size, np.bool_)
        for which, parameter, argument in zip(_ORDINALS, parameters, arguments, strict=False):
            try:
                converters.append(_accept(parameter, argument.type))
            except Refusal as refusal:
                raise Refusal(f"the {which} argument of {name} {refusal.reason}") from None
            if parameter.on_null is OnNull.NULL:
                null |= argument.null
            elif parameter.on_null is OnNull.ERROR and (argument.null & ~null).any():
                raise Refusal(f"the {which} argument of {name} must not be null")
        characters = sum(
            characters_of(argument, axis)
            for parameter, argument in zip(parameters, arguments, strict=True)
            if parameter.takes is Takes.TEXT
        )
        budget.spend(characters // _CHARACTERS_PER_STEP.get(name, _USUAL_CHARACTERS_PER_STEP))
        passed = (
            Operand(*_passing_null(argument, convert))
            if parameter.on_null is OnNull.PASSED
            else Operand(argument, convert)
            for parameter, argument, convert in zip(parameters, arguments, converters, strict=True)
        )
        return elementwise(axis, result, function, *passed)

    return kernel


def _function(name: str, budget: Budget) -> Any:
    plain = {**text_functions.FUNCTIONS, **date_functions.FUNCTIONS}
    counted = {**text_functions.MAKING_TEXT, **text_functions.WITH_REGEX}
    return plain[name] if name in plain else partial(counted[name], budget)


def _accept(parameter: Parameter, given: ValueType) -> Converter | None:
    """What turns an argument of a type into what the parameter takes; a bare NULL is of any type."""
    if given is ValueType.UNDEFINED:
        return None
    match parameter.takes:
        case Takes.TEXT if given is ValueType.STRING:
            return None
        case Takes.INTEGER if given in INTEGERS:
            return None
        case Takes.DATE if given in (ValueType.DATE_TIME, ValueType.STRING):
            return converter(given, ValueType.DATE_TIME)
        case Takes.FLAG:
            return converter(given, ValueType.BOOLEAN)
    raise Refusal(f"must be {parameter.takes.value}, not {given}")


def _passing_null(argument: Vector, convert: Converter | None) -> tuple[Vector, Converter | None]:
    """The argument with `None` for null, as a value like others."""
    if not argument.null.any():
        return argument, convert
    values = np.where(argument.null, None, argument.values)  # type: ignore[call-overload]
    shown_ = Vector(argument.axis, argument.types, values, np.zeros(len(values), np.bool_))
    return shown_, None if convert is None else lambda value: None if value is None else convert(value)


# functions whose result has the type of what they are given


def _of_one_number(name: str) -> Kernel:
    functions = number_functions.OF_ONE_NUMBER[name]

    def kernel(axis: Axis, number: Vector) -> Vector:
        given = number.type.settled
        if given not in NUMBERS:
            raise Refusal(f"{name} takes a number, not {given}")
        result, function = functions[given]
        return elementwise(axis, result, function, Operand(number)) if function is not None else number

    return kernel


def _power(budget: Budget) -> Kernel:
    def kernel(axis: Axis, base: Vector, exponent: Vector) -> Vector:
        result = arithmetic_type("POWER", base.type.settled, exponent.type.settled)
        if result is ValueType.DECIMAL:
            budget.spend(_DECIMAL_POWER_WEIGHT * axis.size)
        operands = (Operand(each, converter(each.type, result)) for each in (base, exponent))
        powers = elementwise(axis, result, number_functions.POWERS[result], *operands)
        # null has the type of the base
        return choose(axis, powers.null, nulls(axis, base.type.settled), powers) if powers.null.any() else powers

    return kernel


def _convert(axis: Axis, value: Vector, name: Vector) -> Vector:
    if name.type not in (ValueType.STRING, ValueType.UNDEFINED):
        raise Refusal(f"the second argument of CONVERT must be text, not {name.type}")
    if name.null.any():
        raise Refusal("the second argument of CONVERT must not be null")
    names = name.values.tolist()
    targets = {each: _type_called(each) for each in set(names)}
    if len(set(targets.values())) == 1:
        target = targets[names[0]]
        return _converted(axis, value, target)
    kinds = np.fromiter((targets[each] for each in names), np.uint8, len(names))
    parts = []
    for target in set(targets.values()):
        which = np.flatnonzero(kinds == target)
        part = Axis(len(which))
        taken = value if len(value.values) == 1 else value.take(which, part)
        parts.append((which, _converted(part, taken, target)))
    return merge(axis, parts)


def _converted(axis: Axis, value: Vector, target: ValueType) -> Vector:
    if value.null.all():
        return nulls(axis, target)  # of whatever type it is
    return elementwise(axis, target, lambda each: each, Operand(value, converter(value.type, target)))


_TYPES_BY_NAME: Final[Mapping[str, ValueType]] = {
    "boolean": ValueType.BOOLEAN,
    "bool": ValueType.BOOLEAN,
    "int32": ValueType.INT32,
    "decimal": ValueType.DECIMAL,
    "double": ValueType.DOUBLE,
    "single": ValueType.DOUBLE,
    "string": ValueType.STRING,
    "guid": ValueType.GUID,
    "uuid": ValueType.GUID,
    "datetime": ValueType.DATE_TIME,
    "date": ValueType.DATE_TIME,
    "time": ValueType.DATE_TIME,
}
_TYPES_BY_BEGINNING: Final = {
    "float": ValueType.DOUBLE,
    "int": ValueType.INT64,
    "uint": ValueType.INT64,
}


def _type_called(name: str) -> ValueType:
    folded = name.strip().lower().removeprefix("system.")
    if folded in _TYPES_BY_NAME:
        return _TYPES_BY_NAME[folded]
    for beginning, found in _TYPES_BY_BEGINNING.items():
        if folded.startswith(beginning):
            return found
    raise Refusal(f"CONVERT knows no type {shown(name)}")


def _instead_of_null(axis: Axis, test: Vector, default: Vector) -> Vector:
    if default.null.any():
        raise Refusal("the second argument of ISNULL must not be null")
    return choose(axis, np.broadcast_to(test.null, axis.size), default, test)


def better_of(name: str) -> Kernel:
    """The kernel of one step of MAXOF or MINOF: the better of two, where nulls lose, and of equals the first stays."""
    is_better = compare(Operator.GREATER if name == "MAXOF" else Operator.LESS)

    def kernel(axis: Axis, best: Vector, other: Vector) -> Vector:
        compared = is_better(axis, other, best)
        wins = (compared.values & ~compared.null) | (best.null & ~other.null)
        return choose(axis, np.broadcast_to(wins, axis.size), other, best)

    return kernel


# tests of what a value is; never null


def _is_date(text: str) -> bool:
    try:
        read_date(text)
    except Refusal:
        return False
    return True


def _is_guid(text: str) -> bool:
    return read_guid(text.strip()) is not None


def _type_test(types: frozenset[ValueType], test: Any) -> Kernel:
    def kernel(axis: Axis, value: Vector) -> Vector:
        if value.type is ValueType.STRING:
            found = elementwise(axis, ValueType.BOOLEAN, test, Operand(value)).values
        else:
            found = np.full(axis.size, value.type in types)
        return Vector(axis, ValueType.BOOLEAN, found & ~value.null, np.zeros(axis.size, np.bool_))

    return kernel


_TYPE_TESTS: Final[Mapping[str, Kernel]] = {
    "ISDATE": _type_test(frozenset({ValueType.DATE_TIME}), _is_date),
    "ISGUID": _type_test(frozenset({ValueType.GUID}), _is_guid),
    "ISINTEGER": _type_test(INTEGERS, is_integer_text),
    "ISNUMERIC": _type_test(NUMBERS, is_number_text),
}
