from __future__ import annotations

import csv
import io
import json
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.cli.formats import CSVLines, Format, JSONLines, TextLines, lines_of
from sttp.measurement import MeasurementBatch, Signal, SignalTable

FIELDS = ["signal_id", "tag", "timestamp", "ticks", "value", "flags", "key", "publisher"]
TIME = ticks.from_iso("2026-03-14T15:09:26.0166670Z")
ODD = 'a "tag", with:\n everything \u0001 é'

SIGNALS = SignalTable.of(
    [
        Signal(signal_id=UUID(int=1), key="PPA:1", tag="BUS:FREQ"),
        Signal(signal_id=UUID(int=2), key="PPA:2", tag=ODD),
    ]
)


def batch(
    index: object = (0,), time: object = TIME, value: object = (60.0,), flags: object = 0, publisher: str = "here"
) -> MeasurementBatch:
    made = MeasurementBatch.of(SIGNALS, index, time, value, flags)  # type: ignore[arg-type]  # anything array-like
    return MeasurementBatch(made.columns, made.signals, publisher)


def test_a_json_line_is_exact() -> None:
    assert JSONLines().of(batch(value=[59.98], flags=1)) == (
        '{"signal_id": "00000000-0000-0000-0000-000000000001", "tag": "BUS:FREQ", '
        '"timestamp": "2026-03-14T15:09:26.0166670Z", "ticks": 639090977660166670, "value": 59.98, "flags": 1, '
        '"key": "PPA:1", "publisher": "here"}\n'
    )


def test_json_lines_have_all_fields_in_order_and_no_line_break_inside() -> None:
    lines = JSONLines().of(batch([0, 1, 0], [TIME, TIME, TIME + 1], [1, 2, 3])).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [FIELDS] * 3
    assert [row["tag"] for row in rows] == ["BUS:FREQ", ODD, "BUS:FREQ"]
    assert [row["ticks"] for row in rows] == [TIME, TIME, TIME + 1]
    assert lines == [json.dumps(row) for row in rows]


@pytest.mark.parametrize(("value", "text"), [(np.nan, "NaN"), (np.inf, "Infinity"), (-np.inf, "-Infinity")])
def test_values_that_json_lacks_are_strings(value: float, text: str) -> None:
    assert json.loads(JSONLines().of(batch(value=[value])))["value"] == text
    assert CSVLines().of(batch(value=[value])).split(",")[4] == text
    assert text in TextLines().of(batch(value=[value]))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_values_read_back_to_the_same_bits(values: list[float]) -> None:
    sent = np.array(values, np.float32)
    many = batch(np.zeros(len(values), np.int32), value=sent)
    from_json = [json.loads(line)["value"] for line in JSONLines().of(many).splitlines()]
    from_csv = [float(row[4]) for row in csv.reader(io.StringIO(CSVLines().of(many)))]
    assert np.array(from_json, np.float32).tobytes() == sent.tobytes()
    assert np.array(from_csv, np.float32).tobytes() == sent.tobytes()


def test_values_are_the_shortest_texts() -> None:
    assert '"value": 0.1, ' in JSONLines().of(batch(value=[0.1]))
    assert '"value": -0.0, ' in JSONLines().of(batch(value=[-0.0]))


def test_csv_lines_read_back() -> None:
    lines = CSVLines()
    text = lines.header + lines.of(batch([1, 0], [TIME, TIME + 5], [1.5, 2], [0, 2**31]))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == FIELDS
    assert [row["tag"] for row in rows] == [ODD, "BUS:FREQ"]
    assert [row["flags"] for row in rows] == ["0", str(2**31)]
    assert rows[1]["timestamp"] == "2026-03-14T15:09:26.0166675Z"


def test_text_is_aligned_names_the_state_and_obeys_nothing() -> None:
    first, second = TextLines().of(batch([0, 1], value=[60.5, -1], flags=[0, 0x00010001])).splitlines()
    assert first.index("60.5") + 4 == second.index("-1.0") + 4
    assert "bad_data bad_time" in second
    assert "\u0001" not in second


def test_times_after_the_year_9999() -> None:
    late = batch(time=ticks.MAX_TICKS + 1)
    assert json.loads(JSONLines().of(late))["timestamp"] is None
    assert CSVLines().of(late).split(",")[2] == ""
    assert f"{ticks.MAX_TICKS + 1} ticks" in TextLines().of(late)


def test_another_table_and_another_publisher_are_noticed() -> None:
    lines = JSONLines()
    assert json.loads(lines.of(batch()))["publisher"] == "here"
    assert json.loads(lines.of(batch(publisher="there")))["publisher"] == "there"
    others = SignalTable.of([Signal(signal_id=UUID(int=9), tag="OTHER")])
    assert json.loads(lines.of(MeasurementBatch.of(others, [0], TIME, [1])))["tag"] == "OTHER"


def test_every_format_but_none_has_lines() -> None:
    assert lines_of.keys() == set(Format) - {Format.NONE}


def test_an_empty_batch_has_no_lines() -> None:
    assert [lines().of(batch([], [], [])) for lines in lines_of.values()] == ["", "", ""]
