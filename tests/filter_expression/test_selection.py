"""What is selected: signals for a subscription, rows for a metadata refresh, rows of any tables."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.errors import FilterError
from sttp.filter_expression import columns_named, select, select_metadata, select_rows
from sttp.limits import Limits
from sttp.metadata import (
    Column,
    ColumnType,
    DataSet,
    DeviceRecord,
    MeasurementRecord,
    Metadata,
    Table,
    simulated_metadata,
)

FREQUENCY = UUID("0a000000-0000-0000-0000-00000000000f")
TAGS = ["BUS01.FREQ", "Bus 1, V+", "", "PPA:1", "T1", "t1"]
METADATA = Metadata.of(
    devices=[DeviceRecord(acronym="A", frames_per_second=30), DeviceRecord(acronym="B", frames_per_second=60)],
    measurements=[
        MeasurementRecord(
            signal_id=FREQUENCY if row == 0 else UUID(int=row), key=f"PPA:{row}", tag=tag,
            device_acronym="AB"[row % 2], signal_type="FREQ" if row < 2 else "VPHM",
        )
        for row, tag in enumerate(TAGS)
    ],
)  # fmt: skip


def selected(expression: str) -> list[int]:
    rows = select(expression, METADATA)
    assert rows.dtype.kind == "i"
    return rows.tolist()


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("", []),
        (" ;; ", []),
        (str(FREQUENCY), [0]),
        (str(FREQUENCY).upper(), [0]),
        ("{" + str(FREQUENCY) + "}", [0]),
        (f"'{FREQUENCY}'", [0]),
        (f"{UUID(int=2)};{UUID(int=1)}", [2, 1]),
        ("PPA:3;ppa:2", [3, 2]),
        ('"bus01.freq"', [0]),
        ('"T1"', [4]),  # the first of a tag
        (f"PPA:1;{UUID(int=1)};PPA:1", [1]),  # each once
        # well formed, but nobody has it
        (str(UUID(int=77)), []),
        (str(UUID(int=0)), []),
        ("PPA:77;PPA:2", [2]),
        ('"unknown"', []),
        # conditions
        ("FILTER ActiveMeasurements WHERE True", [0, 1, 2, 3, 4, 5]),
        ("FILTER activemeasurements WHERE signaltype = 'freq'", [0, 1]),
        ("SignalType='FREQ'", [0, 1]),
        ("FILTER TOP 2 ActiveMeasurements WHERE Device = 'B'", [1, 3]),
        ("FILTER TOP 0 ActiveMeasurements WHERE True", []),
        ("FILTER TOP -1 ActiveMeasurements WHERE True", [0, 1, 2, 3, 4, 5]),
        ("FILTER TOP 3 ActiveMeasurements WHERE True ORDER BY ID DESC", [2, 1, 0]),  # the limit comes first
        ("FILTER ActiveMeasurements WHERE True ORDER BY FramesPerSecond DESC, ID", [1, 3, 5, 0, 2, 4]),
        ("FILTER ActiveMeasurements WHERE True ORDER BY PointTag", [2, 0, 1, 3, 4, 5]),  # null, then as code points
        (
            "FILTER ActiveMeasurements WHERE PointTag LIKE 'T%' ORDER BY BINARY PointTag DESC",
            [4, 5],
        ),  # equal, so stable
        ("FILTER ActiveMeasurements WHERE PointTag LIKE 'T%' ORDER BY PointTag DESC", [5, 4]),
        # those that are named come first, and what was selected is not selected again
        ("SignalType = 'FREQ'; PPA:5; FILTER ActiveMeasurements WHERE Device = 'B'; PPA:1", [5, 1, 0, 3]),
        ("Device = NULL", []),
        ("NOT (PointTag LIKE 'T%')", [0, 1, 3]),  # null is not true
        ("PointTag IN ('T1')", [4, 5]),
    ],
)
def test_signals(expression: str, rows: list[int]) -> None:
    assert selected(expression) == rows
    assert [signal.key for signal in METADATA.select(expression)] == [f"PPA:{row}" for row in rows]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("FILTER MeasurementDetail WHERE True", "signals are selected from ActiveMeasurements, not from Meas"),
        ("FILTER ActiveMeasurements", "WHERE expected"),
        ("unknown", "ActiveMeasurements has no column unknown; a point tag stands in double quotes"),
        ("SignalTyp = 'FREQ'", "line 1, column 1: ActiveMeasurements has no column SignalTyp; do you mean SignalType?"),
        ("SignalType = FREQ", "line 1, column 14: ActiveMeasurements has no column FREQ; text stands in single quotes"),
        ("[SignalType] = 'FREQ'", r"has no column \[SignalType\]; names stand without brackets"),
        ("FILTER ActiveMeasurements WHERE True ORDER BY Divice", "column 47: .* do you mean Device"),
        ("PPA:1; Internal", "line 1, column 8: a condition is a Boolean, but this is of type Int32"),
        ("Internal = 1;\nFramesPerSecond\n  LIKE '3%'", "line 3, column 3: LIKE takes text, not Int32 and String"),
        ("Len(PointTag) = 1 / 0", "line 1, column 19: division by zero"),
        ("DeviceID IN (1) AND True = 'x'", "column 26: 'x' is no Boolean"),
        (
            "PointTag IN ('T1') AND SignalType = 'VPHM'",
            r"column 20: AND takes Booleans, but on the left stands a value of type String; IN gives a null of type"
            r" String where what it tests is null: test IsNull\(column, ''\) in place of the column",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_and_why(expression: str, message: str) -> None:
    with pytest.raises(FilterError, match=message) as caught:
        selected(expression)
    assert len(str(caught.value)) < 1000


def test_long_lists() -> None:
    metadata = simulated_metadata(2000)
    for texts in (map(str, metadata.tags), metadata.signals.keys):
        assert select(";".join(texts), metadata).tolist() == list(range(2000))


def test_without_metadata_nothing_is_selected() -> None:
    assert select("SignalType = 'FREQ' AND 1 / 0 = 1", Metadata()).tolist() == []
    assert select("PPA:1", Metadata()).tolist() == []


@given(st.text(st.sampled_from("PA:1;'\"{}-0fFILTER TOPWHE=()\0é\ud800")))
def test_only_filter_errors_leave(expression: str) -> None:
    try:
        rows = selected(expression)
    except FilterError:
        return
    assert len(rows) == len(set(rows)) <= len(TAGS)


# metadata


@pytest.mark.parametrize(
    "expression", ["", " ; ", "FILTER DeviceDetail WHERE True", "FILTER TOP 99 devicedetail WHERE 1=1"]
)
def test_metadata_that_is_not_narrowed_is_the_same(expression: str) -> None:
    assert select_metadata(expression, METADATA) is METADATA


def test_each_statement_narrows_its_table() -> None:
    narrowed = METADATA.narrow(
        "FILTER devicedetail WHERE FramesPerSecond > 30; FILTER TOP 4 MeasurementDetail WHERE True ORDER BY ID DESC"
    )
    assert [device.acronym for device in narrowed.devices] == ["B"]
    assert [measurement.key for measurement in narrowed.measurements] == ["PPA:3", "PPA:2", "PPA:1", "PPA:0"]
    assert narrowed.schema_version == METADATA.schema_version
    assert len(METADATA.devices) == 2
    assert [table.name for table in narrowed.dataset.tables] == [table.name for table in METADATA.dataset.tables]


def test_a_condition_alone_narrows_measurements() -> None:
    narrowed = METADATA.narrow("SignalAcronym = 'FREQ'")
    assert len(narrowed.measurements) == 2
    assert len(narrowed.devices) == 2


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("FILTER DeviceDetail WHERE True; PPA:1", "column 33: metadata is filtered by FILTER <table> WHERE …, not by"),
        (str(FREQUENCY), "not by signals"),
        ("FILTER ActiveMeasurements WHERE True", "the metadata has no table ActiveMeasurements"),
        ("FILTER DeviceDetails WHERE True", "the metadata has no table DeviceDetails; do you mean DeviceDetail?"),
        ("FILTER TOP 1 DeviceDetail WHERE True; FILTER devicedetail WHERE True", "two statements filter"),
        ("FILTER DeviceDetail WHERE SignalType = 'FREQ'", "DeviceDetail has no column SignalType"),
        ("FILTER DeviceDetail WHERE Acronym", "a condition is a Boolean, but this is of type String"),
    ],
)
def test_metadata_filters_that_are_refused(expression: str, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        METADATA.narrow(expression)


def test_one_bad_statement_spoils_all() -> None:
    """Otherwise a publisher would send more than was asked for."""
    with pytest.raises(FilterError):
        METADATA.narrow("FILTER DeviceDetail WHERE False; FILTER MeasurementDetail WHERE 1 / 0 = 1")


# any tables


NUMBERS = Table("Numbers", (Column("N", ColumnType.INT32),), ((1, 2, 2, None),))
NAMES = Table("Names", (Column("Name"), Column("ID")), (("x", "y"), ("S:1", "S:2")))


def test_rows_of_several_tables() -> None:
    found = select_rows(
        "FILTER Names WHERE Name = 'y'; N = 2; FILTER TOP 2 Numbers WHERE N < 3",
        DataSet(tables=(NUMBERS, NAMES)),
        primary_table="numbers",
    )
    assert [(each.table.name, each.rows.tolist()) for each in found] == [
        ("Names", [1]), ("Numbers", [1, 2]), ("Numbers", [0]),
    ]  # fmt: skip


def test_names_in_a_table_without_the_columns_of_signals_are_skipped() -> None:
    dataset = DataSet(tables=(NUMBERS, NAMES))
    (found,) = select_rows("S:2", dataset, primary_table="Names")
    assert found.rows.tolist() == [1]
    (found,) = select_rows('S:2; "x"', dataset, primary_table="Numbers")
    assert found.rows.tolist() == []


def test_all_names_are_looked_up_before_anything_is_evaluated() -> None:
    with pytest.raises(FilterError, match="no column Nam"):
        select_rows("FILTER Numbers WHERE 1 / 0 = 1; FILTER Names WHERE Nam = 1", DataSet(tables=(NUMBERS, NAMES)))


def test_limits_are_passed_on() -> None:
    for filter_with_limits in (METADATA.select, METADATA.narrow):
        with pytest.raises(FilterError, match="more than 5 steps"):
            filter_with_limits("ID = 'PPA:1' OR ID = 'PPA:2'", limits=Limits(filter_steps=5))


def test_columns_that_are_named() -> None:
    expression = "Len(b) = a OR b = 1; A:1; FILTER T WHERE c IN (d, a) ORDER BY e, c"
    assert columns_named(expression) == ("b", "a", "c", "d", "e")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SIM_PMU00001:FREQ;SIM_PMU00001:DFDT", [0, 1]),
        ('"SIM_PMU00001:DFDT" ; sim_pmu00001:freq;', [1, 0]),
        ("SIM_PMU00001:FREQ;SIM:3;SIM_PMU00001:FREQ", [0, 2]),
    ],
)
def test_a_list_of_tags_as_they_are(expression: str, expected: list[int]) -> None:
    assert select(expression, simulated_metadata(5)).tolist() == expected


@pytest.mark.parametrize("expression", ["SIM_PMU00001:FREQ;NOBODY", "SIM_PMU00001:FREQ;SIM:99", "a:b"])
def test_a_list_with_a_name_that_no_signal_has_is_not_one(expression: str) -> None:
    with pytest.raises(FilterError):
        select(expression, simulated_metadata(5))


@pytest.mark.parametrize("order", ["", " DESC"])
def test_many_rows_are_sorted_like_few(order: str) -> None:
    """They are sorted in runs that are merged; equal ones stay in their order, nulls come before all values."""
    values = [None if row % 11 == 0 else row * 7919 % 1009 for row in range(10_000)]
    table = Table("T", (Column("V", ColumnType.INT32),), (tuple(values),))
    (found,) = select_rows(f"FILTER T WHERE TRUE ORDER BY V{order}", DataSet(tables=(table,)))
    keys = [-1 if value is None else value for value in values]
    assert found.rows.tolist() == sorted(range(len(keys)), key=keys.__getitem__, reverse=bool(order))
