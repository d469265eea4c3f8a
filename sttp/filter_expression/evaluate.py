"""Evaluation of an expression for all rows of a table (filter-expressions.md 3, 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sttp import ticks
from sttp.filter_expression.budget import Budget
from sttp.filter_expression.columns import Scope, Vector, apply, constant, merge
from sttp.filter_expression.functions import better_of, call
from sttp.filter_expression.membership import equal_to, equal_to_any, null_where_tested
from sttp.filter_expression.nodes import (
    Call,
    Chain,
    Column,
    Expression,
    Like,
    Literal,
    Membership,
    NullTest,
    Operator,
    Prefix,
)
from sttp.filter_expression.operators import binary, is_null, like, prefix
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.values import Value, ValueType
from sttp.metadata.dataset import Table

__all__ = ["evaluate", "matching_rows"]


def matching_rows(where: Expression, table: Table, budget: Budget) -> NDArray[np.intp]:
    """The numbers of the rows for which `where` is true, ascending. Null counts as false.

    Args:
        where: the condition; all its columns must be there.
        table: the rows.
        budget: what it may cost.

    Raises:
        Refusal: it cannot be evaluated for a row, or is no condition.
    """
    scope = Scope(table, budget)
    if not scope.size:
        return np.empty(0, np.intp)
    found = _Evaluation(ticks.now()).of(where, scope)
    wrong = found.other_type(ValueType.BOOLEAN, where=~found.null)
    if wrong is not None:
        raise Refusal(f"a condition is a Boolean, but this is of type {wrong}", where.at)
    budget.spend(scope.size)
    truth = scope.by_row(Vector(found.axis, ValueType.BOOLEAN, found.values.astype(np.bool_) & ~found.null, found.null))
    return np.flatnonzero(truth.values)


def evaluate(
    expression: Expression, table: Table, budget: Budget, rows: Sequence[int] | None = None
) -> list[tuple[ValueType, Value | None]]:
    """Type and value of an expression in each row; a value that is `None` is null, and has a type too.

    Args:
        expression: the expression; all its columns must be there.
        table: the rows.
        budget: what it may cost.
        rows: the numbers of the rows to look at; `None` for all.

    Raises:
        Refusal: it cannot be evaluated in one of the rows.
    """
    scope = Scope(table, budget, None if rows is None else np.asarray(rows, np.intp))
    if not scope.size:
        return []
    found = scope.by_row(_Evaluation(ticks.now()).of(expression, scope))
    types = [found.types] * scope.size if isinstance(found.types, ValueType) else map(ValueType, found.types.tolist())
    return [
        (each.settled, None if is_null else value)
        for each, value, is_null in zip(types, found.values.tolist(), found.null.tolist(), strict=True)
    ]


class _Evaluation:
    """One evaluation; the time does not pass during it.

    Args:
        now: the time, in ticks.
    """

    def __init__(self, now: int) -> None:
        self._now = now

    def of(self, node: Expression, scope: Scope) -> Vector:
        """The values of an expression for the rows of `scope`, of which there is at least one."""
        try:
            return self._of(node, scope)
        except Refusal as refusal:
            if refusal.at is None:
                refusal.at = node.at
            raise

    def _of(self, node: Expression, scope: Scope) -> Vector:
        match node:
            case Literal():
                return constant(scope, node.type, node.value)
            case Column():
                return scope.column(node.name)
            case Chain():
                return self._chain(node, scope)
            case Prefix():
                return apply(scope, prefix(node.operator), self.of(node.operand, scope))
            case Membership():
                found = self._membership(node, scope)
            case Like():
                kernel = like(scope.budget, exact=node.exact)
                found = apply(scope, kernel, self.of(node.text, scope), self.of(node.pattern, scope))
            case NullTest():
                found = apply(scope, is_null, self.of(node.tested, scope))
            case Call():
                return self._call(node, scope)
        return apply(scope, prefix(Operator.NOT), found) if node.negated else found

    def _chain(self, node: Chain, scope: Scope) -> Vector:
        result = self.of(node.first, scope)
        for step in node.steps:
            right = self.of(step.operand, scope)
            try:
                result = apply(scope, binary(step.operator, scope.budget), result, right)
            except Refusal as refusal:
                if refusal.at is None:
                    refusal.at = step.at
                raise
        return result

    def _membership(self, node: Membership, scope: Scope) -> Vector:
        """IN: constants that follow each other are looked at together, other elements one by one."""
        tested = self.of(node.tested, scope)
        found = constant(scope, ValueType.BOOLEAN, value=False)
        constants: list[Vector] = []
        for each in node.elements:
            element = self.of(each, scope)
            if element.axis is scope.constant:
                constants.append(element)
                continue
            if constants:
                found = apply(scope, equal_to_any(constants, exact=node.exact), tested, found)
                constants = []
            found = apply(scope, equal_to(exact=node.exact), tested, found, element)
        if constants:
            scope.budget.spend(len(constants))
            found = apply(scope, equal_to_any(constants, exact=node.exact), tested, found)
        return apply(scope, null_where_tested, tested, found)

    def _call(self, node: Call, scope: Scope) -> Vector:
        match node.function:
            case "COALESCE":
                return self._coalesce(node.arguments, scope)
            case "IIF":
                return self._either(node.arguments, scope)
            case "MAXOF" | "MINOF":
                best = self.of(node.arguments[0], scope)
                for argument in node.arguments[1:]:
                    best = apply(scope, better_of(node.function), best, self.of(argument, scope))
                return best
        return call(scope, node.function, [self.of(each, scope) for each in node.arguments], self._now)

    def _coalesce(self, arguments: tuple[Expression, ...], scope: Scope) -> Vector:
        """The first value that is not null; for a row, arguments behind that are not evaluated."""
        first = self.of(arguments[0], scope)
        if not first.null.any():
            return first
        first = scope.by_row(first)
        which, left = np.flatnonzero(~first.null), np.flatnonzero(first.null)
        found = [(which, first.take(which))]
        for argument in arguments[1:]:
            if not len(left):
                break
            part = scope.narrowed(left)
            other = part.by_row(self.of(argument, part))
            which = np.flatnonzero(~other.null)
            found.append((left[which], other.take(which)))
            left = left[other.null]
        found.append((left, first.take(left)))  # all null: the first one's null
        return merge(scope.each_row, found)

    def _either(self, arguments: tuple[Expression, ...], scope: Scope) -> Vector:
        """IIF: for a row, only the branch that is taken is evaluated; a null test takes the second."""
        test, chosen, other = arguments
        tested = self.of(test, scope)
        wrong = tested.other_type(ValueType.BOOLEAN, ValueType.UNDEFINED)
        if wrong is not None:
            raise Refusal(f"the first argument of IIF must be a Boolean, not {wrong}", test.at)
        true = tested.values.astype(np.bool_) & ~tested.null
        if true.all():
            return self.of(chosen, scope)
        if not true.any():
            return self.of(other, scope)
        rows = scope.by_row(tested)
        true = rows.values.astype(np.bool_) & ~rows.null
        parts = []
        for branch, which in ((chosen, np.flatnonzero(true)), (other, np.flatnonzero(~true))):
            part = scope.narrowed(which)
            parts.append((which, part.by_row(self.of(branch, part))))
        return merge(scope.each_row, parts)
