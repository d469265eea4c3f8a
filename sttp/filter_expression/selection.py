"""What a filter expression selects: signals for a subscription, rows for a metadata refresh (wire.md 4.4, 8.1).

Of the filter expression language there are lists of identifiers and `FILTER [TOP n] <Table> [WHERE True]`. Anything
else is refused, not ignored: a publisher that ignores a condition sends what nobody asked for.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sttp.errors import FilterError
from sttp.filter_expression.syntax import FilterStatement, Identifier, read_statements, shown
from sttp.metadata import Metadata
from sttp.metadata.active_measurements import ACTIVE_MEASUREMENTS
from sttp.metadata.cells import read_guid

__all__ = ["select", "select_metadata"]

_KEY: Final = re.compile(r"[A-Za-z0-9\-!_.@#$]+:\d+", re.ASCII)
_QUOTES: Final = ('"', "'")


def select(expression: str, metadata: Metadata) -> NDArray[np.intp]:
    """Which signals `expression` selects, in order, each once.

    The signals that are named one by one come first, then those of the FILTER statements, wherever they stand. A
    signal ID, measurement key or quoted tag that no signal has is skipped; a bare word that no signal has as its tag
    is refused. An empty expression selects nothing. Case is ignored throughout.

    Args:
        expression: the filter expression of a Subscribe: signal IDs, measurement keys and point tags, and FILTER
            statements over ActiveMeasurements, separated by semicolons.
        metadata: what to select from.

    Returns:
        Row numbers of `metadata.signals` and of `metadata.active_measurements`, shape `(n,)`.

    Raises:
        FilterError: the expression cannot be read, or names what is not there; the text can be sent to the peer.
    """
    statements = read_statements(expression)
    # a dictionary, because it keeps the order and drops what comes twice
    rows: dict[int, None] = {}
    for statement in statements:
        if isinstance(statement, Identifier) and (row := _find(statement, metadata)) is not None:
            rows[row] = None
    for statement in statements:
        if isinstance(statement, FilterStatement):
            rows |= dict.fromkeys(_filtered(statement, metadata))
    return np.fromiter(rows, np.intp, len(rows))


def select_metadata(expression: str, metadata: Metadata) -> Metadata:
    """The metadata that a MetadataRefresh asks for.

    Args:
        expression: FILTER statements separated by semicolons, each of which narrows one table; tables that none
            names are sent whole. An empty expression asks for everything.
        metadata: what the publisher has.

    Raises:
        FilterError: the expression cannot be read, or names a table that is not there or names one twice.
    """
    dataset = metadata.dataset
    narrowed: set[str] = set()
    for statement in read_statements(expression):
        if isinstance(statement, Identifier):
            raise FilterError(f"cannot read {shown(statement)}: supported is FILTER [TOP n] <Table> [WHERE True]")
        name = statement.table.lower()
        if name not in dataset:
            raise FilterError(f"the metadata has no table {statement.table}")
        if name in narrowed:
            raise FilterError(f"two statements filter the table {statement.table}")
        narrowed.add(name)
        table = dataset.table(name)
        if statement.top is not None and statement.top < len(table):
            dataset = dataset.with_table(table.take(range(statement.top)))
    return metadata if dataset is metadata.dataset else Metadata(dataset)


def _filtered(statement: FilterStatement, metadata: Metadata) -> range:
    if statement.table.lower() != ACTIVE_MEASUREMENTS.lower():
        raise FilterError(f"signals are selected from {ACTIVE_MEASUREMENTS}, not from {statement.table}")
    count = len(metadata.signals)
    return range(count if statement.top is None else min(statement.top, count))


def _find(identifier: Identifier, metadata: Metadata) -> int | None:
    """The row of the signal with that signal ID, else key, else tag; `None` when the identifier is skipped."""
    quoted = len(identifier) > 1 and identifier[0] == identifier[-1] and identifier[0] in _QUOTES
    text = identifier[1:-1] if quoted else identifier
    signal_id = read_guid(text)
    if signal_id is not None and (row := metadata.signals.index_of.get(signal_id)) is not None:
        return row
    folded = text.lower()
    row = metadata.row_by_key.get(folded, metadata.row_by_tag.get(folded))
    if row is None and not (quoted or signal_id is not None or _KEY.fullmatch(text)):
        raise FilterError(
            f"no signal is called {shown(identifier)}; supported are lists of signal IDs, measurement keys and point"
            f" tags, and FILTER [TOP n] {ACTIVE_MEASUREMENTS} [WHERE True], separated by semicolons"
        )
    return row
