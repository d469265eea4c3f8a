from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from sttp.codes import StateFlags
from sttp.errors import UsageError
from sttp.measurement import Columns, Measurement, MeasurementBatch, Signal, SignalTable

T = 638_000_000_000_000_000
NUMBERS = st.lists(st.integers(0, 40), max_size=20, unique=True)


def guid(number: int) -> UUID:
    """A signal ID; zeros at its end and in its middle must not confuse anybody."""
    return UUID(bytes=bytes([number, 0]) + bytes(13) + bytes([number % 2]))


def table(*numbers: int, keys: bool = True, tags: bool = False) -> SignalTable:
    return SignalTable.of(
        [
            Signal(signal_id=guid(number), key=f"PPA:{number}" if keys else "", tag=f"TAG{number}" if tags else "")
            for number in numbers
        ]
    )


def with_holes(**rows: int) -> SignalTable:
    """Signals at some indexes only, such as `at_0=7, at_4=9`."""
    places = {int(place.removeprefix("at_")): number for place, number in rows.items()}
    ids = np.zeros((max(places) + 1, 16), np.uint8)
    for place, number in places.items():
        ids[place] = list(guid(number).bytes)
    return SignalTable(ids)


# --- signal tables


def test_a_table_numbers_its_signals_in_their_order() -> None:
    signals = table(7, 3, 9, tags=True)
    assert len(signals) == 3
    assert signals[1] == Signal(signal_id=guid(3), key="PPA:3", tag="TAG3")
    assert [signal.key for signal in signals] == ["PPA:7", "PPA:3", "PPA:9"]
    assert signals.index_of == {guid(7): 0, guid(3): 1, guid(9): 2}
    assert repr(signals) == "<SignalTable of 3 signals>"


def test_keys_and_tags_may_be_unknown() -> None:
    signals = table(1, 2, keys=False)
    assert (signals.keys, signals.tags) == ((), ())
    assert signals[1] == Signal(signal_id=guid(2))


def test_an_index_without_signal_is_a_hole() -> None:
    signals = with_holes(at_1=5, at_3=6)
    assert len(signals) == 4
    assert signals.present.tolist() == [False, True, False, True]
    assert [signals.has(index) for index in (-1, 0, 1, 2, 3, 4)] == [False, False, True, False, True, False]
    assert [signal.signal_id for signal in signals] == [guid(5), guid(6)]
    assert signals.index_of == {guid(5): 1, guid(6): 3}
    assert repr(signals) == "<SignalTable of 2 signals>"


@pytest.mark.parametrize("index", [-1, 0, 4, 1_000_000])
def test_a_hole_is_no_signal(index: int) -> None:
    with pytest.raises(IndexError, match=f"no signal has the index {index}"):
        with_holes(at_1=5, at_3=6)[index]


def test_a_table_cannot_be_changed() -> None:
    signals = table(1)
    with pytest.raises(ValueError, match="read-only"):
        signals.ids[0, 0] = 1


@pytest.mark.parametrize(
    ("ids", "keys"),
    [
        (np.zeros((2, 15), np.uint8), ()),
        (np.zeros(16, np.uint8), ()),
        (np.zeros((2, 16), np.int8), ()),
        (np.zeros((2, 16), np.uint8), ("PPA:1",)),
    ],
)
def test_columns_that_make_no_table(ids: np.ndarray, keys: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        SignalTable(ids, keys)


def test_tables_compare_by_what_is_in_them() -> None:
    assert table(1, 2) == table(1, 2)
    assert table(1, 2) != table(2, 1)
    assert table(1, 2) != table(1, 2, keys=False)
    assert table(1, 2) != table(1, 2, tags=True)
    assert table() == table()
    assert table(1) != "table"
    with pytest.raises(TypeError, match="unhashable"):
        hash(table(1))


def test_selecting_numbers_anew() -> None:
    signals = table(4, 5, 6, tags=True).select(np.array([2, 0], np.intp))
    assert signals == table(6, 4, tags=True)
    assert table(4, 5).select(np.array([], np.intp)) == SignalTable(np.zeros((0, 16), np.uint8))


def test_tags_are_looked_up_by_signal_id() -> None:
    signals = table(1, 2, 3).with_tags_of(table(9, 3, 1, tags=True))
    assert [(signal.key, signal.tag) for signal in signals] == [("PPA:1", "TAG1"), ("PPA:2", ""), ("PPA:3", "TAG3")]
    assert with_holes(at_1=5).with_tags_of(table(5, 0, tags=True)).tags == ("", "TAG5")
    assert table(1, 2).with_tags_of(table(1)).tags == table(1, 2).with_tags_of(table()).tags == ("", "")


# --- routes


@given(NUMBERS, NUMBERS)
def test_a_route_leads_to_the_same_signal(ours: list[int], theirs: list[int]) -> None:
    """Number 0 has an ID of zeros, which is a hole: it leads nowhere and nothing leads to it."""
    assert guid(0) == UUID(int=0)
    route = table(*ours).route_to(table(*theirs))
    assert route.dtype == np.int32
    assert route.tolist() == [theirs.index(each) if each in theirs and each != 0 else -1 for each in ours]


def test_signal_ids_of_one_number_are_told_apart() -> None:
    """What orders signal IDs as numbers gives these three the same one."""
    halves = np.array([[0, 1], [1, 1 - 0x9E3779B97F4A7C15 + 2**64], [2, 1 - 2 * 0x9E3779B97F4A7C15 + 2**65]], object)
    ids = (halves % 2**64).astype(np.uint64).view(np.uint8)
    everything = SignalTable(ids)
    assert everything.route_to(everything).tolist() == [0, 1, 2]
    assert SignalTable(ids[[2, 1]]).route_to(everything).tolist() == [2, 1]
    assert SignalTable(ids[[0, 2]]).route_to(SignalTable(ids[[1, 1]])).tolist() == [-1, -1]
    assert SignalTable(ids[[0]]).route_to(SignalTable(ids[[2]])).tolist() == [-1]


def test_routes_of_tables_without_signals() -> None:
    assert table().route_to(table(1)).tolist() == []
    assert table(1, 2).route_to(table()).tolist() == [-1, -1]
    assert with_holes(at_2=1).route_to(with_holes(at_1=1, at_3=2)).tolist() == [-1, -1, 1]


# --- columns


def columns(count: int, first: int = 0) -> Columns:
    index = np.arange(first, first + count)
    return Columns(
        index.astype(np.int32), index.astype(np.int64) + T, index.astype(np.uint32), index.astype(np.float32)
    )


def test_empty_columns_have_the_types_of_the_wire() -> None:
    assert [column.dtype for column in Columns.empty(2)] == [np.int32, np.int64, np.uint32, np.float32]
    assert [column.tolist() for column in Columns.empty(2)] == [[0, 0]] * 4


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (slice(1, 3), [1, 2]),
        (np.array([True, False, False, True]), [0, 3]),
        (np.array([3, 0, 0], np.intp), [3, 0, 0]),
    ],
)
def test_rows_are_selected_in_all_columns_alike(which: slice, expected: list[int]) -> None:
    selected = columns(4).select(which)
    assert selected.signal_index.tolist() == expected
    assert selected.ticks.tolist() == [T + row for row in expected]
    assert selected.flags.tolist() == expected
    assert selected.value.tolist() == expected


@given(st.lists(st.integers(0, 5), max_size=6))
def test_columns_are_joined_in_order(counts: list[int]) -> None:
    starts = np.cumsum([0, *counts])
    joined = Columns.concatenate([columns(count, int(start)) for count, start in zip(counts, starts, strict=False)])
    whole = columns(sum(counts))
    for column, expected in zip(joined, whole, strict=True):
        assert column.tolist() == expected.tolist()
        assert column.dtype == expected.dtype


def test_joining_one_part_copies_nothing() -> None:
    part = columns(3)
    assert Columns.concatenate([part]) is part


# --- batches


def test_a_batch_is_made_of_anything_that_numpy_understands() -> None:
    batch = MeasurementBatch.of(table(1, 2), [0, 1, 0], range(T, T + 3), (1, 2.5, -3), flags=[0, 1, 0])
    assert len(batch) == 3
    assert batch.signal_index.tolist() == [0, 1, 0]
    assert batch.ticks.tolist() == [T, T + 1, T + 2]
    assert batch.value.tolist() == [1.0, 2.5, -3.0]
    assert batch.flags.tolist() == [0, 1, 0]
    assert [column.dtype for column in batch.columns] == [np.int32, np.int64, np.uint32, np.float32]


def test_one_time_value_or_state_is_for_all() -> None:
    batch = MeasurementBatch.of(table(1, 2), [1, 0], T, 60)
    assert batch.ticks.tolist() == [T, T]
    assert batch.value.tolist() == [60.0, 60.0]
    assert batch.flags.tolist() == [0, 0]


def test_a_single_index_makes_a_batch_of_one() -> None:
    assert len(MeasurementBatch.of(table(1), 0, T, 60.0)) == 1


def test_an_empty_batch() -> None:
    assert list(MeasurementBatch.of(table(1), [], [], [])) == []


@pytest.mark.parametrize(
    ("index", "ticks", "value"),
    [
        ([0, 2], T, 1.0),
        ([-1], T, 1.0),
        ([[0, 1]], T, 1.0),
        ([0, 1], [T], [1.0, 2.0, 3.0]),
        ([0, 1], T, [1.0, 2.0, 3.0]),
        ([0, 1], [T, T, T], 1.0),
    ],
)
def test_what_makes_no_batch(index: ArrayLike, ticks: ArrayLike, value: ArrayLike) -> None:
    with pytest.raises(UsageError):
        MeasurementBatch.of(table(1, 2), index, ticks, value)


def test_a_batch_cannot_name_a_hole() -> None:
    with pytest.raises(UsageError, match="has no signal"):
        MeasurementBatch.of(with_holes(at_1=1), [0], T, 1.0)


def test_iterating_gives_measurements_for_people() -> None:
    signals = table(1, 2, tags=True)
    batch = MeasurementBatch(MeasurementBatch.of(signals, [1, 0, 1], T, [0.1, 2, 3], [5, 0, 0]).columns, signals, "pdc")
    first, second, third = batch
    assert first == Measurement(
        signal=signals[1],
        ticks=T,
        value=float(np.float32(0.1)),
        flags=StateFlags.BAD_DATA | StateFlags.OVER_RANGE_ERROR,
        publisher="pdc",
    )
    assert first.time == "2022-09-28T22:13:20.0000000Z"
    assert first.signal is third.signal, "one object for all measurements of a signal"
    assert second.flags is StateFlags.NORMAL
    assert [type(each) for each in (first.ticks, first.value)] == [int, float]


def test_a_measurement_of_no_known_signal_can_be_looked_at() -> None:
    (measurement,) = MeasurementBatch(columns(1, first=7), table(1))
    assert measurement.signal == Signal(signal_id=UUID(int=0))
