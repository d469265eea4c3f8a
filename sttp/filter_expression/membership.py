"""IN: equality with one of several elements (filter-expressions.md 5, 6).

Elements are looked at in their order, and for a row only up to the one that is equal; so an element that cannot be
compared is an error for the rows that are still open when its turn comes. Elements that are null are passed over.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sttp.filter_expression.columns import Axis, Kernel, Operand, Vector, elementwise, settled
from sttp.filter_expression.operators import comparable
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.values import ValueType, comparison_type

__all__ = ["equal_to", "equal_to_any", "null_where_tested"]

_NAME: Final = "IN"


def equal_to_any(constants: Sequence[Vector], *, exact: bool) -> Kernel:
    """The kernel that adds to what was found the entries that are equal to one of `constants`.

    Args:
        constants: vectors of one entry.
        exact: whether the case of text matters.
    """

    def kernel(axis: Axis, tested: Vector, found: Vector) -> Vector:
        tested, still_open, truth = _begin(axis, tested, found)
        groups: dict[ValueType, set[Any]] = {}  # by the type in which they are compared
        refused: Refusal | None = None
        for element in constants:
            if element.null[0]:
                continue
            try:
                common = comparison_type(_NAME, tested.type.settled, element.type)
                convert = comparable(element.type, common, exact=exact)
                (value,) = element.values.tolist()
                groups.setdefault(common, set()).add(value if convert is None else convert(value))
            except Refusal as refusal:
                refused = refusal
                break
        for common, values in groups.items():
            sought = {value for value in values if not (isinstance(value, float) and math.isnan(value))}
            part = Axis(len(still_open))
            left = Operand(tested.take(still_open, part), comparable(tested.type, common, exact=exact))
            equal = elementwise(part, ValueType.BOOLEAN, sought.__contains__, left).values
            truth[still_open[equal]] = True
            still_open = still_open[~equal]
        if refused is not None and len(still_open):
            raise refused
        return Vector(axis, ValueType.BOOLEAN, truth, np.zeros(axis.size, np.bool_))

    return kernel


def equal_to(*, exact: bool) -> Kernel:
    """The kernel that adds to what was found the entries that are equal to those of another vector."""

    def kernel(axis: Axis, tested: Vector, found: Vector, element: Vector) -> Vector:
        tested, still_open, truth = _begin(axis, tested, found)
        if len(still_open):
            common = comparison_type(_NAME, tested.type.settled, element.type.settled)
            part = Axis(len(still_open))
            operands = (
                Operand(_spread(each, axis).take(still_open, part), comparable(each.type, common, exact=exact))
                for each in (tested, element)
            )
            equal = elementwise(part, ValueType.BOOLEAN, operator.eq, *operands)
            truth[still_open[equal.values & ~equal.null]] = True
        return Vector(axis, ValueType.BOOLEAN, truth, np.zeros(axis.size, np.bool_))

    return kernel


def null_where_tested(axis: Axis, tested: Vector, found: Vector) -> Vector:
    """The kernel that makes null what was found where the tested value is; of its type, as all implementations do."""
    tested = _spread(tested, axis)
    values = _spread(found, axis).values
    if not tested.null.any():
        return Vector(axis, ValueType.BOOLEAN, values, tested.null)
    types = np.where(tested.null, tested.type.settled, ValueType.BOOLEAN).astype(np.uint8)
    return settled(Vector(axis, types, values.astype(np.object_), tested.null))


def _begin(axis: Axis, tested: Vector, found: Vector) -> tuple[Vector, NDArray[np.intp], NDArray[np.bool_]]:
    """The tested vector with all entries, the entries that are still open, and a copy of what was found."""
    tested = _spread(tested, axis)
    truth = _spread(found, axis).values.copy()
    return tested, np.flatnonzero(~tested.null & ~truth), truth


def _spread(vector: Vector, axis: Axis) -> Vector:
    if len(vector.values) == axis.size:
        return vector
    return vector.take(np.zeros(axis.size, np.intp), axis)
