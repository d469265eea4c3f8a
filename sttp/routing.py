"""Routing: from the signal indexes of a publisher's tables to those of a subscription."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sttp import _routing
from sttp.errors import UsageError
from sttp.measurement import Columns, MeasurementBatch, SignalTable, highest_index

__all__ = ["Router", "select_routed"]


class Router:
    """The way of measurements from the publisher's tables of signals into a subscription's.

    Args:
        theirs: the signals of the subscription.
        visible: the signals that the subscriber may see; None for all.
    """

    def __init__(self, theirs: SignalTable, visible: SignalTable | None = None) -> None:
        self.theirs = theirs
        self.visible = visible
        self._routes: dict[int, _Route] = {}
        self._newest: _Route | None = None

    @property
    def source(self) -> SignalTable | None:
        """The publisher's table that measurements came with last; None before the first."""
        return None if self._newest is None else self._newest.ours

    def prepare(self, tables: Iterable[SignalTable]) -> None:
        """Work out the way of tables; that takes some 20 ms for 100 000 signals, and may be done in another thread."""
        for ours in tables:
            self._route(ours)

    def route(self, signals: SignalTable, columns: Columns) -> Columns:
        """The measurements of signals that are subscribed to, with the subscription's indexes."""
        route = self._newest
        if route is None or route.ours is not signals:
            route = self._newest = self._route(signals)
        if route.is_identity or not len(columns.signal_index):
            return columns
        if route.is_total:
            return columns._replace(signal_index=route.indexes.take(columns.signal_index))
        return select_routed(route.indexes, columns)

    def count(self, batch: MeasurementBatch) -> int:
        """How many measurements of a batch are subscribed to."""
        return int(np.count_nonzero(self._route(batch.signals).indexes.take(batch.signal_index) >= 0))

    def _route(self, ours: SignalTable) -> _Route:
        route = self._routes.get(id(ours))
        if route is None or route.ours is not ours:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._routes[id(ours)] = _Route(ours, self.theirs, self.visible)
        return route


def select_routed(route: NDArray[np.int32], columns: Columns) -> Columns:
    """The measurements of signals that have a route, under their new indexes.

    Args:
        route: new signal indexes by old ones, shape `(m,)`; negative for none.
        columns: at least one measurement.

    Raises:
        UsageError: a signal index beyond the route.
    """
    count = len(columns.signal_index)
    if not _routing.COMPILED:  # NumPy is as fast as it can be then
        _check(highest_index(columns.signal_index) < len(route), route)
        index = route.take(columns.signal_index)
        wanted = np.flatnonzero(index >= 0)
        columns = columns._replace(signal_index=index)
        return columns if len(wanted) == count else columns.select(wanted)
    room = Columns(*map(np.empty_like, columns))
    index, ticks, flags, values = map(np.ascontiguousarray, columns)
    picked = _routing.pick(route, index, ticks, flags, values, *room)
    _check(picked >= 0, route)
    return room if picked == count else room.select(slice(picked))


def _check(is_within: bool, route: NDArray[np.int32]) -> None:
    if not is_within:
        raise UsageError(f"a signal index beyond the table of {len(route)}")


class _Route:
    """From the signal indexes of one table to those of another, and a hold on the former."""

    __slots__ = ("indexes", "is_identity", "is_total", "ours")

    def __init__(self, ours: SignalTable, theirs: SignalTable, visible: SignalTable | None) -> None:
        self.ours = ours
        self.indexes: NDArray[np.int32] = ours.route_to(theirs)
        if visible is not None:
            self.indexes[ours.route_to(visible) < 0] = -1
        self.is_total = bool((self.indexes >= 0).all())
        self.is_identity = self.is_total and bool((self.indexes == np.arange(len(self.indexes))).all())


_MOST_ROUTES: Final = 16
"""A publisher has one table, or a few; more are not kept."""
