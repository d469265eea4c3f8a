"""Routing: measurements of a publisher's table under the indexes of a subscription, whichever way they are picked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_loops import ROUTING_LOOPS
from sttp import routing
from sttp.errors import UsageError
from sttp.measurement import Columns, MeasurementBatch, SignalTable
from sttp.metadata import simulated_metadata
from sttp.routing import Router, select_routed

T = 638_000_000_000_000_000
OURS = simulated_metadata(9).signals
LOOPS = pytest.mark.parametrize("loops", ROUTING_LOOPS)


def batch(*index: int, signals: SignalTable = OURS) -> MeasurementBatch:
    return MeasurementBatch.of(
        signals, index, T + np.arange(len(index)), np.arange(len(index)) / 2, np.arange(len(index))
    )


def rows(columns: Columns) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


@LOOPS
@given(
    st.lists(st.integers(-1, 2**31 - 1), min_size=1, max_size=20).flatmap(
        lambda route: st.tuples(st.just(route), st.lists(st.integers(0, len(route) - 1), min_size=1, max_size=50))
    ),
)
def test_measurements_with_a_route_are_picked_in_order(loops: str, given: tuple[list[int], list[int]]) -> None:
    route, index = given
    whole = batch(*index, signals=simulated_metadata(len(route)).signals)
    expected = [(route[signal], *rest) for signal, *rest in rows(whole.columns) if route[int(signal)] >= 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "_routing", ROUTING_LOOPS[loops])
        assert rows(select_routed(np.array(route, np.int32), whole.columns)) == expected
    room = Columns(*map(np.empty_like, whole.columns))
    picked = ROUTING_LOOPS[loops].pick(np.array(route, np.int32), *whole.columns, *room)
    assert rows(room.select(slice(picked))) == expected


@LOOPS
@pytest.mark.parametrize("wrong", [9, -1, 2**31 - 1, -(2**31)])
def test_an_index_beyond_the_table_is_refused(loops: str, wrong: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_routing", ROUTING_LOOPS[loops])
    columns = batch(0, 1, 2).columns._replace(signal_index=np.array([0, wrong, 2], np.int32))
    with pytest.raises(UsageError, match="a signal index beyond the table of 9"):
        select_routed(np.arange(-1, 8, dtype=np.int32), columns)
    room = Columns(*map(np.empty_like, columns))
    assert ROUTING_LOOPS[loops].pick(np.arange(-1, 8, dtype=np.int32), *columns, *room) == ~1


@LOOPS
def test_columns_may_be_views_with_gaps(loops: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_routing", ROUTING_LOOPS[loops])
    columns = batch(*range(9)).columns.select(slice(None, None, 2))
    assert [index for index, *_ in rows(select_routed(np.arange(-1, 8, dtype=np.int32), columns))] == [1, 3, 5, 7]


def test_what_is_the_same_is_not_copied_and_what_is_only_renumbered_stays_whole() -> None:
    whole = batch(*range(9))
    assert Router(OURS).route(OURS, whole.columns) is whole.columns
    renumbered = Router(OURS.select(np.arange(9)[::-1])).route(OURS, whole.columns)
    assert renumbered.signal_index.tolist() == list(range(9))[::-1]
    assert renumbered.value is whole.columns.value


def test_nothing_is_routed_to_nothing() -> None:
    router = Router(OURS.select(np.array([3])))
    assert len(router.route(OURS, Columns.empty()).value) == 0
    assert len(router.route(OURS, batch(1, 2).columns).value) == 0
    assert router.count(batch(1, 3, 3)) == 2


@LOOPS
@pytest.mark.parametrize("column", range(4))
def test_columns_of_different_length_are_refused_before_anything_is_read(loops: str, column: int) -> None:
    pick = ROUTING_LOOPS[loops].pick
    route, columns = np.arange(9, dtype=np.int32), batch(*range(9)).columns
    short = Columns(*(each[:1] if number == column else each for number, each in enumerate(columns)))
    room = Columns(*map(np.empty_like, columns))
    with pytest.raises(ValueError, match="different length"):
        pick(route, *short, *room)
    with pytest.raises(ValueError, match="room for fewer"):
        pick(route, *columns, *(each[:1] if number == column else each for number, each in enumerate(room)))
