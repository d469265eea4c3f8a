from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import Columns, MeasurementBatch, Signal, SignalTable, StateFlags, UsageError, ticks

COLUMNS = ["time", "tag", "value", "flags", "key", "signal_id", "publisher", "ticks"]
NOON = ticks.from_iso("2026-03-14T12:00:00Z")
HALF_PAST = ticks.from_iso("2026-03-14T12:30:00.0000001Z")

FIRST = Signal(signal_id=UUID(int=1), key="PMU:1", tag="FREQ")
SECOND = Signal(signal_id=UUID(int=2 << 64), key="PMU:2", tag="DFDT")
THIRD = Signal(signal_id=UUID("c0ffee00-0000-4000-8000-00000000abcd"), key="PMU:3")
SIGNALS = SignalTable.of([FIRST, SECOND, THIRD])

TABLES: list[Callable[[MeasurementBatch], Any]] = [
    MeasurementBatch.to_pandas,
    MeasurementBatch.to_polars,
    MeasurementBatch.to_arrow,
]


def batch(*rows: tuple[int, int, float], signals: SignalTable = SIGNALS, publisher: str = "") -> MeasurementBatch:
    """Measurements of signal index, ticks and value."""
    index, times, values = zip(*rows, strict=True) if rows else ((), (), ())
    made = MeasurementBatch.of(signals, np.array(index, int), np.array(times, np.int64), np.array(values, float))
    return MeasurementBatch(made.columns, signals, publisher)


def unchecked(index: int, signals: SignalTable) -> MeasurementBatch:
    """One measurement of a signal that is not in the table."""
    return MeasurementBatch(Columns.empty(1)._replace(signal_index=np.array([index], np.int32)), signals)


def lists(table: Any) -> dict[str, list[Any]]:
    """The columns of any library as lists of Python's own values, with None for what is missing."""
    match table:
        case pd.DataFrame():
            return {name: [None if pd.isna(each) else each for each in table[name].tolist()] for name in table}
        case pl.DataFrame():
            return table.to_dict(as_series=False)
        case pa.Table():
            return table.to_pydict()
    raise AssertionError(table)


@pytest.fixture(params=TABLES, ids=["pandas", "polars", "arrow"])
def to_table(request: pytest.FixtureRequest) -> Callable[[MeasurementBatch], Any]:
    """The conversion to each library."""
    convert: Callable[[MeasurementBatch], Any] = request.param
    return convert


# --- one row per measurement


def test_each_measurement_is_a_row(to_table: Callable[[MeasurementBatch], Any]) -> None:
    received = MeasurementBatch.of(SIGNALS, [1, 0, 2], [NOON, NOON, HALF_PAST], [0.5, 60.0, -1.0], [0, 1 << 31, 3])
    table = lists(to_table(MeasurementBatch(received.columns, SIGNALS, "Shelby")))
    assert list(table) == COLUMNS
    assert [each.isoformat() for each in table.pop("time")][:2] == ["2026-03-14T12:00:00+00:00"] * 2
    assert table == {
        "tag": ["DFDT", "FREQ", None],
        "value": [0.5, 60.0, -1.0],
        "flags": [0, 1 << 31, 3],
        "key": ["PMU:2", "PMU:1", "PMU:3"],
        "signal_id": [str(each.signal_id) for each in (SECOND, FIRST, THIRD)],
        "publisher": ["Shelby"] * 3,
        "ticks": [NOON, NOON, HALF_PAST],
    }


def test_types_of_pandas() -> None:
    types = {name: str(each) for name, each in batch((0, NOON, 1.0)).to_pandas().dtypes.items()}
    texts = dict.fromkeys(["tag", "key", "signal_id", "publisher"], "category")
    assert types == texts | {
        "time": "datetime64[ns, UTC]", "value": "float32", "flags": "uint32", "ticks": "int64",
    }  # fmt: skip


def test_types_of_polars() -> None:
    types = dict(batch((0, NOON, 1.0)).to_polars().schema)
    texts = dict.fromkeys(["tag", "key", "signal_id", "publisher"], pl.Categorical)
    assert types == texts | {
        "time": pl.Datetime("ns", "UTC"), "value": pl.Float32, "flags": pl.UInt32, "ticks": pl.Int64,
    }  # fmt: skip


def test_types_of_arrow() -> None:
    schema = batch((0, NOON, 1.0)).to_arrow().schema
    types = {field.name: field.type for field in schema}
    texts = dict.fromkeys(["tag", "key", "signal_id", "publisher"], pa.dictionary(pa.int32(), pa.string()))
    assert types == texts | {
        "time": pa.timestamp("ns", "UTC"), "value": pa.float32(), "flags": pa.uint32(), "ticks": pa.int64(),
    }  # fmt: skip


def test_no_measurements_are_a_table_without_rows(to_table: Callable[[MeasurementBatch], Any]) -> None:
    for signals in (SIGNALS, SignalTable.of([])):
        assert lists(to_table(batch(signals=signals))) == {name: [] for name in COLUMNS}
    assert batch().to_pandas(wide=True).shape == (0, 0)


def test_what_is_not_known_is_missing(to_table: Callable[[MeasurementBatch], Any]) -> None:
    table = lists(to_table(batch((0, NOON, 1.0), signals=SignalTable.of([Signal(signal_id=UUID(int=7))]))))
    assert (table["tag"], table["key"], table["publisher"]) == ([None], [None], [None])


@pytest.mark.parametrize("index", [0, 3, 1_000_000])
def test_a_signal_that_is_not_in_the_table_is_missing(to_table: Callable[[MeasurementBatch], Any], index: int) -> None:
    signals = SignalTable(np.array([[0] * 16, [1] * 16], np.uint8), ["", "PMU:1"], ["", "FREQ"])
    table = lists(to_table(unchecked(index, signals)))
    assert (table["signal_id"], table["tag"], table["key"]) == ([None], [None], [None])


def test_columns_that_are_one_number_for_all_become_columns(to_table: Callable[[MeasurementBatch], Any]) -> None:
    table = lists(to_table(MeasurementBatch.of(SIGNALS, [0, 1, 2], NOON, 1.0, StateFlags.BAD_DATA)))
    assert (table["ticks"], table["value"], table["flags"]) == ([NOON] * 3, [1.0] * 3, [StateFlags.BAD_DATA] * 3)


def test_a_table_of_pandas_has_values_of_its_own() -> None:
    received = batch((0, NOON, 1.0))
    long, wide = received.to_pandas(), received.to_pandas(wide=True)
    long.loc[0, "value"] = long.loc[0, "ticks"] = wide.iloc[0, 0] = 0
    assert (received.value.tolist(), received.ticks.tolist()) == ([1.0], [NOON])


def test_batches_of_one_table_of_signals_stay_categorical_together() -> None:
    both = pd.concat([batch((0, NOON, 1.0)).to_pandas(), batch((1, NOON, 2.0)).to_pandas()])
    assert both["tag"].tolist() == ["FREQ", "DFDT"]
    assert {str(both[name].dtype) for name in ("tag", "key", "signal_id")} == {"category"}
    both = pl.concat([batch((0, NOON, 1.0)).to_polars(), batch((1, NOON, 2.0)).to_polars()])
    assert both["tag"].to_list() == ["FREQ", "DFDT"]
    assert both.schema["tag"] == pl.Categorical
    both = pa.concat_tables([batch((0, NOON, 1.0)).to_arrow(), batch((1, NOON, 2.0)).to_arrow()])
    assert both["tag"].to_pylist() == ["FREQ", "DFDT"]


def test_signals_that_share_a_tag_are_told_apart_by_key_and_id() -> None:
    signals = SignalTable.of([Signal(signal_id=UUID(int=n), key=f"PMU:{n}", tag="FREQ") for n in (1, 2)])
    frame = batch((0, NOON, 1.0), (1, NOON, 2.0), signals=signals).to_pandas()
    assert frame["tag"].tolist() == ["FREQ", "FREQ"]
    assert frame["key"].tolist() == ["PMU:1", "PMU:2"]
    assert frame["signal_id"].nunique() == 2


# --- times


@pytest.mark.parametrize(
    ("moment", "nanoseconds"),
    [
        (ticks.UNIX_EPOCH, 0),
        (ticks.UNIX_EPOCH - 1, -100),
        (HALF_PAST, 1_773_491_400_000_000_100),
        (ticks.from_iso("1677-09-21T00:12:43.1452242Z"), -9_223_372_036_854_775_800),
        (ticks.from_iso("2262-04-11T23:47:16.8547758Z"), 9_223_372_036_854_775_800),
        (HALF_PAST | ticks.LEAP_SECOND_NEGATIVE, 1_773_491_400_000_000_100),  # the mark announces; the time is normal
    ],
)
def test_times_keep_their_100_nanoseconds(moment: int, nanoseconds: int) -> None:
    received = batch((0, moment, 1.0))
    assert received.to_pandas()["time"].astype("int64").tolist() == [nanoseconds]
    assert received.to_polars()["time"].to_physical().to_list() == [nanoseconds]
    assert received.to_arrow()["time"].cast(pa.int64()).to_pylist() == [nanoseconds]


@pytest.mark.parametrize(
    "moment",
    [
        0,
        ticks.from_iso("1677-09-21T00:12:43.1452241Z"),
        ticks.from_iso("2262-04-11T23:47:16.8547759Z"),
        ticks.MAX_TICKS,
        ticks.VALUE_MASK,
        ticks.from_iso("2016-12-31T23:59:59.5Z") | ticks.LEAP_SECOND,  # 23:59:60.5
    ],
)
def test_a_time_that_cannot_be_told_is_missing_but_not_its_ticks(
    to_table: Callable[[MeasurementBatch], Any], moment: int
) -> None:
    table = lists(to_table(batch((0, moment, 1.0))))
    assert (table["time"], table["ticks"]) == ([None], [moment])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_a_time_is_right_or_missing(moments: list[int]) -> None:
    received = MeasurementBatch.of(SIGNALS, np.zeros(len(moments), int), np.array(moments, np.int64), 0.0)
    for moment, time in zip(moments, received.to_pandas()["time"].tolist(), strict=True):
        if not pd.isna(time):
            assert time.floor("us") == ticks.to_datetime(moment)
            assert time.nanosecond == (moment & ticks.VALUE_MASK) % ticks.TICKS_PER_MICROSECOND * 100
            assert ":60." not in ticks.to_iso(moment)
        elif (moment & ticks.VALUE_MASK) <= ticks.MAX_TICKS and ":60." not in ticks.to_iso(moment):
            assert not 1678 <= ticks.to_datetime(moment).year <= 2261


# --- one column per signal


def test_a_wide_table_has_a_column_per_signal_and_a_row_per_time() -> None:
    wide = batch((1, HALF_PAST, 4.0), (0, NOON, 1.0), (1, NOON, 2.0)).to_pandas(wide=True)
    expected = pd.DataFrame(
        {"FREQ": [1.0, np.nan], "DFDT": [2.0, 4.0]},
        index=pd.DatetimeIndex(["2026-03-14T12:00Z", "2026-03-14T12:30:00.0000001Z"], name="time").as_unit("ns"),
        dtype="float32",
    ).rename_axis(columns="tag")
    pd.testing.assert_frame_equal(wide, expected)


def test_in_a_wide_table_the_last_of_several_counts() -> None:
    rng = np.random.default_rng(2664)
    index, times = rng.integers(0, 3, 1000), NOON + rng.integers(0, 20, 1000)
    wide = MeasurementBatch.of(SIGNALS, index, times, np.arange(1000)).to_pandas(wide=True)
    last = {(time, name): value for value, (time, name) in enumerate(zip(times.tolist(), index.tolist(), strict=True))}
    names = ["FREQ", "DFDT", "PMU:3"]
    assert list(wide.columns) == names
    assert wide.stack().to_dict() == {
        (pd.Timestamp("2026-03-14T12:00Z") + pd.Timedelta((time - NOON) * 100), names[column]): value
        for (time, column), value in last.items()
    }


def test_a_column_is_called_by_what_only_its_signal_has() -> None:
    signals = SignalTable.of(
        [
            Signal(signal_id=UUID(int=1), key="A:1", tag="FREQ"),
            Signal(signal_id=UUID(int=2), key="A:2", tag="V"),
            Signal(signal_id=UUID(int=3), key="A:3", tag="V"),
            Signal(signal_id=UUID(int=4), key="A:4"),
            Signal(signal_id=UUID(int=5), key="FREQ 2", tag="FREQ 2"),
            Signal(signal_id=UUID(int=6), key="B", tag="V"),
            Signal(signal_id=UUID(int=7), key="C", tag="B"),
            Signal(signal_id=UUID(int=8)),
        ]
    )
    wide = batch(*((n, NOON, float(n)) for n in range(8)), signals=signals).to_pandas(wide=True)
    assert list(wide.columns) == ["FREQ", "A:2", "A:3", "A:4", "FREQ 2", str(UUID(int=6)), "C", str(UUID(int=8))]
    assert wide.to_numpy().tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_the_other_measurements_of_a_batch_do_not_rename_a_column() -> None:
    signals = SignalTable.of([Signal(signal_id=UUID(int=n), key=f"PMU:{n}", tag="FREQ") for n in (1, 2)])
    assert list(batch((1, NOON, 1.0), signals=signals).to_pandas(wide=True).columns) == ["PMU:2"]


def test_what_cannot_be_shown_in_a_wide_table_is_left_out_with_a_warning() -> None:
    received = batch((0, NOON, 1.0), (0, NOON | ticks.LEAP_SECOND, 2.0), (1, ticks.MAX_TICKS, 3.0))
    with pytest.warns(UserWarning, match="2 of 3 measurements are left out") as warned:
        wide = received.to_pandas(wide=True)
    assert wide.to_numpy().tolist() == [[1.0]]
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="1 of 1"):
        assert unchecked(17, SIGNALS).to_pandas(wide=True).empty


# --- from pandas


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(-(2**63), 2**63 - 1), st.floats(width=32), st.integers(0, 2**32 - 1))
    )
)
def test_what_was_a_batch_becomes_the_same_batch(rows: list[tuple[int, int, float, int]]) -> None:
    index, times, values, flags = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    sent = MeasurementBatch.of(
        SIGNALS, np.array(index, int), np.array(times, np.int64), np.array(values, float), np.array(flags, np.uint32)
    )
    back = MeasurementBatch.from_pandas(sent.to_pandas(), SIGNALS)
    assert back.signals is SIGNALS
    for ours, theirs in zip(back.columns, sent.columns, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_what_was_wide_becomes_a_batch_without_empty_cells() -> None:
    sent = batch((0, NOON, 1.0), (1, NOON, 2.0), (1, HALF_PAST, 4.0), (2, HALF_PAST, 5.0))
    back = MeasurementBatch.from_pandas(sent.to_pandas(wide=True), SIGNALS, wide=True)
    assert [(m.signal, m.ticks, m.value) for m in back] == [(m.signal, m.ticks, m.value) for m in sent]


@pytest.mark.parametrize(
    "called",
    [
        {"tag": ["FREQ", "DFDT"]},
        {"key": ["PMU:1", "PMU:2"]},
        {"signal_id": [FIRST.signal_id, SECOND.signal_id]},
        {"signal_id": [str(FIRST.signal_id).upper(), f"{{{SECOND.signal_id}}}"]},
        {"signal_id": [str(FIRST.signal_id), str(SECOND.signal_id)], "tag": ["of no importance", None]},
    ],
)
def test_signals_may_be_called_by_tag_key_or_id(called: dict[str, list[object]]) -> None:
    frame = pd.DataFrame({**called, "value": [1, 2], "ticks": [NOON, NOON]})
    assert MeasurementBatch.from_pandas(frame, SIGNALS).signal_index.tolist() == [0, 1]


@pytest.mark.parametrize(
    "times",
    [
        pd.DatetimeIndex(["2026-03-14T12:00", "2026-03-14T12:30"]),
        pd.DatetimeIndex(["2026-03-14T12:00", "2026-03-14T12:30"], tz="UTC").as_unit("s"),
        pd.DatetimeIndex(["2026-03-14T12:00", "2026-03-14T12:30"], tz="UTC").as_unit("ms"),
        pd.DatetimeIndex(["2026-03-14T12:00", "2026-03-14T12:30"], tz="UTC").as_unit("us"),
        pd.DatetimeIndex(["2026-03-14T12:00", "2026-03-14T12:30"], tz="UTC").as_unit("ns"),
        pd.DatetimeIndex(["2026-03-14T13:00", "2026-03-14T13:30"], tz="Europe/Berlin"),
        ["2026-03-14T12:00Z", "2026-03-14T07:30-05:00"],
    ],
)
def test_times_may_have_any_unit_and_zone(times: Any) -> None:
    noon_and_half_past = [NOON, NOON + 1800 * ticks.TICKS_PER_SECOND]
    frame = pd.DataFrame({"time": times, "tag": "FREQ", "value": 1.0})
    assert MeasurementBatch.from_pandas(frame, SIGNALS).ticks.tolist() == noon_and_half_past
    frame = frame.set_index(pd.DatetimeIndex(pd.to_datetime(frame["time"], utc=True)))[["tag", "value"]]
    assert MeasurementBatch.from_pandas(frame, SIGNALS).ticks.tolist() == noon_and_half_past


def test_what_times_have_below_100_nanoseconds_is_cut_off() -> None:
    times = [pd.Timestamp("1969-12-31T23:59:59.999999999"), pd.Timestamp("2026-03-14T12:30:00.000000199")]
    frame = pd.DataFrame({"time": times, "tag": "FREQ", "value": 1.0})
    assert MeasurementBatch.from_pandas(frame, SIGNALS).ticks.tolist() == [ticks.UNIX_EPOCH - 1, HALF_PAST]


def test_flags_are_0_when_there_are_none_and_numbers_may_be_nullable() -> None:
    frame = pd.DataFrame({"tag": ["FREQ", "DFDT"], "value": [1, None], "ticks": NOON}).convert_dtypes()
    made = MeasurementBatch.from_pandas(frame, SIGNALS)
    assert made.flags.tolist() == [0, 0]
    np.testing.assert_array_equal(made.value, np.array([1, np.nan], np.float32))


LONG = pd.DataFrame({"tag": ["FREQ"], "value": [1.0], "time": [pd.Timestamp("2026-03-14T12:00Z")], "ticks": [NOON]})


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (LONG.drop(columns="value"), "needs a column value"),
        (LONG.drop(columns="tag"), "one of signal_id, key and tag"),
        (LONG.drop(columns=["time", "ticks"]), "times must be timestamps"),
        (LONG.assign(tag="nonsense"), "no signal, or more than one, is called 'nonsense'"),
        (LONG.assign(tag=None), "tag is missing in 1 rows"),
        (LONG.assign(value="many"), "values must be numbers"),
        (LONG.assign(flags=-1), "flags must lie between 0 and 4294967295"),
        (LONG.assign(flags=2**32), "flags must lie between 0 and 4294967295"),
        (LONG.assign(flags=0.5), "flags must be whole numbers"),
        (LONG.assign(ticks=1.5), "ticks must be whole numbers"),
        (LONG.assign(ticks=NOON + 1), "time and ticks differ in 1 rows"),
        (LONG.assign(time=1_773_489_600).drop(columns="ticks"), "times must be timestamps"),
        (LONG.assign(time="yesterday evening").drop(columns="ticks"), "these are no times"),
        (LONG.assign(time=pd.NaT).drop(columns="ticks"), "the time is missing in 1 rows"),
        (LONG.assign(time=pd.Timestamp("2026-03-14") + timedelta(1)), "time and ticks differ"),
        (
            LONG.assign(time=pd.DatetimeIndex(np.array(["12026-03-14"], "M8[s]"))).drop(columns="ticks"),
            "times must lie in the years 1 to 9999",
        ),
        (
            LONG.assign(time=pd.DatetimeIndex(np.array(["-0001-03-14"], "M8[s]"))).drop(columns="ticks"),
            "times must lie in the years 1 to 9999",
        ),
    ],
)
def test_a_table_that_cannot_be_a_batch(frame: pd.DataFrame, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        MeasurementBatch.from_pandas(frame, SIGNALS)


def test_a_wide_table_that_cannot_be_a_batch() -> None:
    with pytest.raises(UsageError, match="times must be timestamps"):
        MeasurementBatch.from_pandas(pd.DataFrame({"FREQ": [1.0]}), SIGNALS, wide=True)
    with pytest.raises(UsageError, match="the time is missing in 1 rows"):
        MeasurementBatch.from_pandas(pd.DataFrame({"FREQ": [1.0]}, [pd.NaT]), SIGNALS, wide=True)
    frame = pd.DataFrame(1.0, [pd.Timestamp(0)], ["FREQ", *"abcde"])
    with pytest.raises(UsageError, match="is called 'a', 'b', 'c' and 2 more"):
        MeasurementBatch.from_pandas(frame, SIGNALS, wide=True)


def test_a_name_of_two_signals_is_refused() -> None:
    signals = SignalTable.of([Signal(signal_id=UUID(int=n), key=f"PMU:{n}", tag="FREQ") for n in (1, 2)])
    with pytest.raises(UsageError, match="more than one, is called 'FREQ'"):
        MeasurementBatch.from_pandas(LONG, signals)
    assert MeasurementBatch.from_pandas(LONG.assign(key="PMU:2"), signals).signal_index.tolist() == [1]


# --- the libraries


@pytest.mark.parametrize(
    ("library", "extra", "convert"),
    [
        ("pandas", "pandas", MeasurementBatch.to_pandas),
        ("pandas", "pandas", lambda received: received.to_pandas(wide=True)),
        ("pandas", "pandas", lambda received: MeasurementBatch.from_pandas(None, received.signals)),
        ("polars", "polars", MeasurementBatch.to_polars),
        ("pyarrow", "arrow", MeasurementBatch.to_arrow),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, library: str, extra: str, convert: Callable[[MeasurementBatch], object]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError) as raised:
        convert(batch((0, NOON, 1.0)))
    assert (
        str(raised.value)
        == f"this needs the library {library}: pip install {library}, or the extra [{extra}] of sttp-kit"
    )


def test_no_library_is_imported_before_it_is_needed() -> None:
    script = "import sttp, sttp.sync, sttp.cli, sys; print({'pandas', 'polars', 'pyarrow'} & sys.modules.keys())"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
