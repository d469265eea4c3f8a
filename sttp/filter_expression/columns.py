"""Values in columns: an expression is evaluated for all rows of a table at once, operator after operator.

A *vector* holds the values of one expression. It stands on an *axis*, which says what its entries are: one for all
rows (a constant), one for each value of a column that differs, or one for each row. Whatever depends on one column
alone is thus computed once for each of its values and not once for each row; two vectors that meet are brought to
the smallest axis that serves both.

A vector has one type, except where the language gives the rows of one expression different types: IN has the type of
what is tested where that is null, COALESCE and IIF that of the branch taken. Operators are written for operands of
one type; `apply` splits the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sttp.filter_expression.budget import Budget
from sttp.filter_expression.conversions import Converter
from sttp.filter_expression.values import COLUMN_TYPES, INT64_MAX, Value, ValueType
from sttp.metadata.dataset import RUN, ColumnType, Table

__all__ = [
    "Axis",
    "Kernel",
    "Operand",
    "Scope",
    "Vector",
    "apply",
    "characters_of",
    "choose",
    "constant",
    "elementwise",
    "merge",
    "nulls",
    "settled",
]

_NARROWED_STEPS: Final = 8  # for each row of a column that is looked at in some rows only

Types = ValueType | NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """What the entries of a vector stand for.

    Attributes:
        size: how many entries.
        entries: the entry of each row, shape `(rows,)`; `None` when there is one for each row, or one for all.
    """

    size: int
    entries: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """The values of an expression.

    Attributes:
        axis: what its entries stand for.
        types: the type of all entries, or of each.
        values: the values, bool when all are Boolean and objects otherwise; meaningless where null.
        null: which entries are null.
    """

    axis: Axis
    types: Types
    values: NDArray[Any]
    null: NDArray[np.bool_]

    @property
    def type(self) -> ValueType:
        """The one type of all entries. An operator may rely on it, because `apply` splits what has several."""
        assert isinstance(self.types, ValueType)
        return self.types

    def other_type(self, *expected: ValueType, where: NDArray[np.bool_] | None = None) -> ValueType | None:
        """A type of some entry, or of some entry at `where`, that is none of `expected`."""
        types = np.broadcast_to(
            np.uint8(self.types) if isinstance(self.types, ValueType) else self.types, self.axis.size
        )
        others = np.setdiff1d(types if where is None else types[where], expected)
        return ValueType(int(others[0])) if len(others) else None

    def take(self, which: NDArray[np.intp], axis: Axis | None = None) -> Vector:
        """The entries at the positions `which`, as a vector on `axis`, or on one of their own."""
        types = self.types if isinstance(self.types, ValueType) else self.types[which]
        return Vector(axis or Axis(len(which)), types, self.values[which], self.null[which])


Kernel = Callable[..., Vector]
"""An operator on columns: gets an axis, and vectors of one type each, on that axis or of one entry for all."""


class Scope:
    """The rows for which an expression is evaluated.

    Args:
        table: the table.
        budget: what it may cost.
        rows: row numbers; `None` for all rows.
    """

    def __init__(self, table: Table, budget: Budget, rows: NDArray[np.intp] | None = None) -> None:
        self.table = table
        self.budget = budget
        self.size = len(table) if rows is None else len(rows)
        self.constant = Axis(1)
        self.each_row = Axis(self.size)
        self._rows = rows
        self._columns: dict[str, Vector] = {}

    def column(self, name: str) -> Vector:
        """The values of a column."""
        key = name.lower()
        if key not in self._columns:
            self._columns[key] = self._load(name)
        return self._columns[key]

    def narrowed(self, rows: NDArray[np.intp]) -> Scope:
        """The scope of some of its rows, by their positions in it."""
        self.budget.spend(len(rows))
        return Scope(self.table, self.budget, rows if self._rows is None else self._rows[rows])

    def join(self, vectors: Iterable[Vector]) -> Axis:
        """The smallest axis that serves all `vectors`."""
        found = self.constant
        for vector in vectors:
            if vector.axis is not found and vector.axis is not self.constant:
                found = vector.axis if found is self.constant else self.each_row
        return found

    def align(self, vector: Vector, axis: Axis) -> Vector:
        """The vector on `axis`; one of one entry for all remains that."""
        if vector.axis is axis or vector.axis is self.constant:
            return vector
        assert vector.axis.entries is not None
        return vector.take(vector.axis.entries, axis)

    def by_row(self, vector: Vector) -> Vector:
        """The vector with one entry for each row."""
        if vector.axis is self.constant:
            return vector.take(np.zeros(self.size, np.intp), self.each_row)
        return self.align(vector, self.each_row)

    def _load(self, name: str) -> Vector:
        distinct = self.table.distinct(name)
        values, null, entries = distinct.values, distinct.null, distinct.entries
        if self._rows is not None:
            self.budget.spend(_NARROWED_STEPS * self.size)
            if entries is None:
                which = self._rows
            else:
                # only values that stand in these rows may be looked at: others could make an error
                which, entries = np.unique(entries[self._rows], return_inverse=True)
            values, null = values[which], null[which]
        axis = self.each_row if entries is None else Axis(len(values), entries)
        return _column_vector(axis, self.table.type_of(name) or ColumnType.STRING, values, null)


def _column_vector(axis: Axis, column_type: ColumnType, values: NDArray[np.object_], null: NDArray[np.bool_]) -> Vector:
    value_type = COLUMN_TYPES[column_type]
    if value_type is ValueType.BOOLEAN:
        return Vector(axis, value_type, np.where(null, False, values).astype(np.bool_), null)
    if value_type is ValueType.DOUBLE:  # a cell may hold an integer
        return Vector(axis, value_type, _array(map(float, np.where(null, 0, values)), axis.size), null)
    if column_type is ColumnType.UINT64:
        large = np.where(null, 0, values) > INT64_MAX
        if large.any():
            types = np.where(large, ValueType.DOUBLE, ValueType.INT64).astype(np.uint8)
            cells = zip(values.tolist(), large.tolist(), strict=True)
            return Vector(axis, types, _array((float(v) if is_large else v for v, is_large in cells), axis.size), null)
    return Vector(axis, value_type, values, null)


def constant(scope: Scope, value_type: ValueType, value: Value | None) -> Vector:
    """The vector of one value for all rows."""
    if value is None:
        return nulls(scope.constant, value_type)
    return Vector(scope.constant, value_type, _array([value], 1, value_type), np.zeros(1, np.bool_))


def nulls(axis: Axis, types: Types) -> Vector:
    """A vector of nulls."""
    values = np.zeros(axis.size, np.bool_ if types is ValueType.BOOLEAN else np.object_)
    return Vector(axis, types, values, np.ones(axis.size, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """One operand of `elementwise`.

    Attributes:
        vector: its values.
        convert: what each value is put through first; `None` for nothing.
    """

    vector: Vector
    convert: Converter | None = None


def elementwise(axis: Axis, result: ValueType, function: Callable[..., Any], *operands: Operand) -> Vector:
    """Apply a function of values to all entries; the result is null where any operand is.

    What a converter or the function refuses is refused only for entries without null.

    Args:
        axis: the axis of the result.
        result: the type of the result.
        function: takes one value of each operand.
        operands: vectors on `axis`, or of one entry for all.
    """
    null = np.zeros(axis.size, np.bool_)
    for operand in operands:
        null |= operand.vector.null
    if null.all():
        return nulls(axis, result)
    which = np.flatnonzero(~null) if null.any() else None
    count = axis.size if which is None else len(which)
    found = _array(map(function, *(_entries(operand, which, count) for operand in operands)), count, result)
    if which is None:
        return Vector(axis, result, found, null)
    values = np.zeros(axis.size, found.dtype)
    values[which] = found
    return Vector(axis, result, values, null)


def _entries(operand: Operand, which: NDArray[np.intp] | None, count: int) -> Iterable[Any]:
    values = operand.vector.values
    if len(values) == 1 and count != 1:
        (value,) = values.tolist()
        return repeat(value if operand.convert is None else operand.convert(value), count)
    found = (values if which is None or len(values) == 1 else values[which]).tolist()
    return found if operand.convert is None else map(operand.convert, found)


def characters_of(texts: Vector, axis: Axis) -> int:
    """How many characters have the texts of a vector on `axis`, or of one entry for all, together."""
    values = texts.values[~texts.null].tolist()
    return sum(map(len, values)) * (axis.size if len(texts.values) == 1 else 1)


def _array(values: Iterable[Any], count: int, value_type: ValueType | None = None) -> NDArray[Any]:
    """All `count` values. Python lets no other thread run while NumPy fetches them, so that is done in runs."""
    found = np.empty(count, np.bool_ if value_type is ValueType.BOOLEAN else np.object_)
    rest = iter(values)
    for begin in range(0, count, RUN):
        size = min(RUN, count - begin)
        found[begin : begin + size] = np.fromiter(islice(rest, size), found.dtype, size)
    return found


def apply(scope: Scope, kernel: Kernel, *operands: Vector) -> Vector:
    """Apply an operator to vectors of any axes and types.

    Raises:
        Refusal: the operator does not take them.
    """
    axis = scope.join(operands)
    aligned = [scope.align(operand, axis) for operand in operands]
    scope.budget.spend(sum(map(len, (operand.values for operand in aligned))))
    mixed = [operand.types for operand in aligned if not isinstance(operand.types, ValueType)]
    if not mixed:
        return kernel(axis, *aligned)
    groups = np.zeros(axis.size, np.int64)
    for types in mixed:
        groups = np.unique(groups * len(ValueType) + types, return_inverse=True)[1]
    parts = []
    for group in range(int(groups.max()) + 1):
        which = np.flatnonzero(groups == group)
        part = Axis(len(which))
        parts.append((which, kernel(part, *(_part(operand, which, part, axis) for operand in aligned))))
    return merge(axis, parts)


def _part(operand: Vector, which: NDArray[np.intp], part: Axis, axis: Axis) -> Vector:
    if operand.axis is not axis:
        return operand  # one entry for all
    taken = operand.take(which, part)
    return taken if isinstance(taken.types, ValueType) else settled(taken)


def merge(axis: Axis, parts: Iterable[tuple[NDArray[np.intp], Vector]]) -> Vector:
    """The vector on `axis` whose entries at some positions are those of one vector, and so on.

    Args:
        axis: the axis of the result.
        parts: positions, and a vector with as many entries or with one for all; together they fill the axis.
    """
    types = np.zeros(axis.size, np.uint8)
    values = np.zeros(axis.size, np.object_)
    null = np.zeros(axis.size, np.bool_)
    for which, vector in parts:
        types[which] = vector.types
        values[which] = vector.values
        null[which] = vector.null
    return settled(Vector(axis, types, values, null))


def settled(vector: Vector) -> Vector:
    """The vector, with one type where its entries have but one."""
    types = vector.types
    if isinstance(types, ValueType) or not len(types) or (types != types[0]).any():
        return vector
    only = ValueType(int(types[0]))
    values = vector.values.astype(np.bool_) if only is ValueType.BOOLEAN else vector.values
    return Vector(vector.axis, only, values, vector.null)


def choose(axis: Axis, which: NDArray[np.bool_], chosen: Vector, other: Vector) -> Vector:
    """The entries of `chosen` where `which` is set, and those of `other` elsewhere.

    Both are on `axis`, or have one entry for all.
    """
    if which.all() and len(chosen.values) == axis.size:
        return chosen
    if not which.any() and len(other.values) == axis.size:
        return other
    positions, rest = np.flatnonzero(which), np.flatnonzero(~which)
    return merge(axis, ((positions, _spread(chosen, positions)), (rest, _spread(other, rest))))


def _spread(vector: Vector, which: NDArray[np.intp]) -> Vector:
    return vector if len(vector.values) == 1 else vector.take(which)
