"""What a filter expression selects: signals for a subscription, rows for a metadata refresh (wire.md 4.4, 8.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from heapq import merge
from typing import Any, Final, Protocol, Self, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sttp.errors import FilterError
from sttp.filter_expression.budget import Budget
from sttp.filter_expression.evaluate import matching_rows
from sttp.filter_expression.nodes import Column, Condition, Filter, Identifier, OrderTerm, Statement, walk
from sttp.filter_expression.problems import Refusal, error_at
from sttp.filter_expression.syntax import parse
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.metadata.active_measurements import ACTIVE_MEASUREMENTS
from sttp.metadata.cells import read_guid
from sttp.metadata.dataset import RUN, DataSet, Table

__all__ = ["Described", "Selected", "columns_named", "select", "select_metadata", "select_rows"]

_MEASUREMENT_DETAIL: Final = "MeasurementDetail"
_SIGNAL_ID, _KEY, _TAG = "SignalID", "ID", "PointTag"


class Described(Protocol):
    """What has metadata; that is `sttp.metadata.Metadata`, which itself uses this module."""

    @property
    def dataset(self) -> DataSet:
        """The tables."""

    @property
    def active_measurements(self) -> Table:
        """The table that signals are selected from."""

    def with_dataset(self, dataset: DataSet) -> Self:
        """The same with other tables."""


Metadata = TypeVar("Metadata", bound=Described)


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """Rows of one table.

    Attributes:
        table: the table.
        rows: row numbers in the order of the result, shape `(n,)`.
    """

    table: Table
    rows: NDArray[np.intp]


def select(expression: str, metadata: Described, *, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.intp]:
    """Which signals `expression` selects, in order, each once.

    The signals that are named one by one come first, then those of the conditions, wherever they stand. A signal ID,
    measurement key or tag in double quotes that no signal has is skipped. An empty expression selects nothing.

    The language has tags of a few characters only, and in quotes. As gsfapi does, we also read a list of tags as they
    are: what is not of the language, but where every item is the name of a signal, is such a list (wire.md 4.4).

    Args:
        expression: the filter expression of a Subscribe: signal IDs, measurement keys and tags in double quotes,
            FILTER statements over ActiveMeasurements, and conditions alone, separated by semicolons; or a list of
            signal IDs, measurement keys and tags, bare or in quotes, with any character in them but a semicolon.
        metadata: what to select from.
        limits: see the `filter…` limits.

    Returns:
        Row numbers of `metadata.signals` and of `metadata.active_measurements`, shape `(n,)`.

    Raises:
        FilterError: the expression cannot be read or evaluated, or names what is not there; the text can be sent to
            the peer.
    """
    try:
        return _select_signals(expression, metadata, limits)
    except FilterError:
        listed = _listed(expression, metadata.active_measurements, limits)
        if listed is None:
            raise
        return listed


def _select_signals(expression: str, metadata: Described, limits: Limits) -> NDArray[np.intp]:
    statements = parse(expression, limits)
    for statement in statements:
        if isinstance(statement, Filter) and statement.table.lower() != ACTIVE_MEASUREMENTS.lower():
            reason = f"signals are selected from {ACTIVE_MEASUREMENTS}, not from {statement.table[:40]}"
            raise error_at(expression, statement.at, reason)
    tables = DataSet(tables=(metadata.active_measurements,))
    found = _select(expression, statements, tables, ACTIVE_MEASUREMENTS, limits)
    return np.concatenate([each.rows for each in found]) if found else np.empty(0, np.intp)


def _listed(expression: str, table: Table, limits: Limits) -> NDArray[np.intp] | None:
    """The rows of a list of names, each once; None when something in it is no signal's name."""
    if len(expression) > limits.filter_expression or expression.count(";") >= limits.filter_signals:
        return None
    rows: dict[int, None] = {}
    for item in filter(None, map(str.strip, expression.split(";"))):
        text = item[1:-1] if len(item) > 1 and item[0] == item[-1] and item[0] in "\"'" else item
        signal_id = read_guid(text)
        row = None if signal_id is None else table.first_rows(_SIGNAL_ID).get(signal_id)
        for column in (_KEY, _TAG):
            row = table.first_rows(column).get(text.upper()) if row is None else row
        if row is None:
            return None
        rows[row] = None
    return np.fromiter(rows, np.intp, len(rows))


def select_metadata(expression: str, metadata: Metadata, *, limits: Limits = DEFAULT_LIMITS) -> Metadata:
    """The metadata that a MetadataRefresh asks for.

    Args:
        expression: FILTER statements separated by semicolons, each of which narrows one table; tables that none names
            are sent whole. A condition alone narrows MeasurementDetail. An empty expression asks for everything.
        metadata: what the publisher has.
        limits: see the `filter…` limits.

    Raises:
        FilterError: the expression cannot be read or evaluated, names a table that is not there or one twice, or
            names a signal, by which no table is narrowed.
    """
    statements = parse(expression, limits)
    narrowed: set[str] = set()
    for statement in statements:
        if isinstance(statement, Identifier):
            raise error_at(expression, statement.at, "metadata is filtered by FILTER <table> WHERE …, not by signals")
        name = statement.table if isinstance(statement, Filter) else _MEASUREMENT_DETAIL
        if name.lower() in narrowed:
            raise error_at(expression, statement.at, f"two statements filter the table {name[:40]}")
        narrowed.add(name.lower())
    dataset = metadata.dataset
    for selected in _select(expression, statements, dataset, _MEASUREMENT_DETAIL, limits):
        if not np.array_equal(selected.rows, np.arange(len(selected.table))):
            dataset = dataset.with_table(selected.table.take(selected.rows.tolist()))
    return metadata if dataset is metadata.dataset else metadata.with_dataset(dataset)


def select_rows(
    expression: str,
    dataset: DataSet,
    *,
    primary_table: str = ACTIVE_MEASUREMENTS,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Selected]:
    """Which rows of which tables `expression` selects, each once.

    Args:
        expression: any filter expression.
        dataset: the tables.
        primary_table: the table of signals that are named one by one, and of conditions alone.
        limits: see the `filter…` limits.

    Returns:
        First the rows of the signals that are named one by one, then those of one statement after the other.

    Raises:
        FilterError: the expression cannot be read or evaluated, or names what is not there.
    """
    return _select(expression, parse(expression, limits), dataset, primary_table, limits)


def columns_named(expression: str, *, limits: Limits = DEFAULT_LIMITS) -> tuple[str, ...]:
    """The columns that `expression` names, each once and as written, in the order of the text.

    Raises:
        FilterError: the expression cannot be read.
    """
    named = [
        each
        for statement in parse(expression, limits)
        if not isinstance(statement, Identifier)
        for each in sorted(_columns_of(statement))
    ]
    return tuple(dict.fromkeys(name for _, name in named))


def _select(
    text: str, statements: Sequence[Statement], dataset: DataSet, primary_table: str, limits: Limits
) -> list[Selected]:
    budget = Budget(limits)
    conditions = [
        (statement, _table(text, statement, dataset, primary_table))
        for statement in statements
        if not isinstance(statement, Identifier)
    ]
    found: list[Selected] = []
    named = [statement for statement in statements if isinstance(statement, Identifier)]
    if named:
        found.append(_named(named, dataset.table(primary_table)))
    for statement, table in conditions:
        _check_columns(text, statement, table)
    for statement, table in conditions:
        try:
            rows = _filtered(statement, table, budget)
        except Refusal as refusal:
            raise error_at(text, statement.at if refusal.at is None else refusal.at, refusal.reason) from None
        found.append(Selected(table, _without(rows, (each.rows for each in found if each.table is table))))
    return found


def _table(text: str, statement: Filter | Condition, dataset: DataSet, primary_table: str) -> Table:
    name = statement.table if isinstance(statement, Filter) else primary_table
    if name not in dataset:
        raise error_at(
            text, statement.at, f"the metadata has no table {name[:40]}{_near(name, (t.name for t in dataset.tables))}"
        )
    return dataset.table(name)


def _check_columns(text: str, statement: Filter | Condition, table: Table) -> None:
    for at, name in sorted(_columns_of(statement)):
        if name in table:
            continue
        if isinstance(statement, Condition) and isinstance(statement.where, Column):
            raise error_at(text, at, f"{table.name} has no column {name[:40]}; a point tag stands in double quotes")
        if name[0] in "[`":
            raise error_at(text, at, f"{table.name} has no column {name[:40]}; names stand without brackets")
        near = _near(name, (column.name for column in table.columns))
        raise error_at(text, at, f"{table.name} has no column {name[:40]}{near or '; text stands in single quotes'}")


def _columns_of(statement: Filter | Condition) -> list[tuple[int, str]]:
    """Where a statement names columns, and which."""
    named = [(node.at, node.name) for _, node in walk(statement.where) if isinstance(node, Column)]
    if isinstance(statement, Filter):
        named += [(term.at, term.column) for term in statement.order]
    return named


def _near(name: str, names: Iterable[str]) -> str:
    """A question for the name that was perhaps meant."""
    by_folded = {each.lower(): each for each in names}
    near = get_close_matches(name[:40].lower(), by_folded, n=1)
    return f"; do you mean {by_folded[near[0]]}?" if near else ""


def _named(identifiers: Iterable[Identifier], table: Table) -> Selected:
    """The rows of signals that are named, in the order of their names, each once."""
    rows: dict[int, None] = {}
    for identifier in identifiers:
        if isinstance(identifier.signal, UUID):
            row = table.first_rows(_SIGNAL_ID).get(identifier.signal)
        else:
            row = table.first_rows(_TAG if identifier.is_tag else _KEY).get(identifier.signal.upper())
        if row is not None:
            rows[row] = None
    return Selected(table, np.fromiter(rows, np.intp, len(rows)))


def _filtered(statement: Filter | Condition, table: Table, budget: Budget) -> NDArray[np.intp]:
    rows = matching_rows(statement.where, table, budget)
    if isinstance(statement, Condition):
        return rows
    rows = rows[: statement.top]  # before the sort, as all implementations have it
    for term in reversed(statement.order):
        budget.spend(len(rows) * len(rows).bit_length())
        rows = _sorted(rows, term, table)
    return rows


def _sorted(rows: NDArray[np.intp], term: OrderTerm, table: Table) -> NDArray[np.intp]:
    """`rows` ordered by one column; those that are equal in it stay as they are. Nulls come before all values."""
    column = table.column(term.column)
    cells = [column[row] for row in rows.tolist()]
    keys = [cell.upper() if term.folded and isinstance(cell, str) else cell for cell in cells]
    is_null = np.fromiter((key is None for key in keys), np.bool_, len(keys))
    nulls, others = np.flatnonzero(is_null), _in_order(np.flatnonzero(~is_null).tolist(), keys, term.descending)
    return rows[np.concatenate((others, nulls) if term.descending else (nulls, others))]


def _in_order(positions: list[int], keys: list[Any], descending: bool) -> NDArray[np.intp]:
    """`positions` by their keys. Python lets no other thread run in the midst of a sort, so it is done in runs."""
    runs = [
        sorted(positions[begin : begin + RUN], key=keys.__getitem__, reverse=descending)
        for begin in range(0, len(positions), RUN)
    ]
    return np.fromiter(merge(*runs, key=keys.__getitem__, reverse=descending), np.intp, len(positions))


def _without(rows: NDArray[np.intp], before: Iterable[NDArray[np.intp]]) -> NDArray[np.intp]:
    """`rows` without those that were selected before, in their order."""
    for each in before:
        rows = rows[~np.isin(rows, each)]
    return rows
