from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from sttp import ticks
from sttp.cli.replay import Replay, ReplayError
from sttp.measurement import Columns, Signal, SignalTable

SIGNALS = SignalTable.of([Signal(signal_id=UUID(int=n), tag=tag) for n, tag in enumerate(["A:F", "B:F", "C:F"], 1)])
NOON = "2026-03-14T12:00:00Z"


def replay(path: Path, text: str | bytes) -> list[Columns]:
    path /= "rows.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(Replay(path, SIGNALS))


def complaint(path: Path, text: str | bytes) -> str:
    with pytest.raises(ReplayError) as caught:
        replay(path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rows_come_in_the_order_of_the_header(tmp_path: Path) -> None:
    (row,) = replay(tmp_path, f"time,C:F,A:F\n{NOON},3.5,0.1\n")
    assert row.signal_index.tolist() == [2, 0]
    assert row.value.tolist() == [3.5, float(np.float32(0.1))]
    assert row.ticks.tolist() == [ticks.from_iso(NOON)] * 2
    assert row.flags.tolist() == [0, 0]
    assert [column.dtype.name for column in row] == ["int32", "int64", "uint32", "float32"]


def test_cells_that_are_missing_are_no_measurements(tmp_path: Path) -> None:
    first, second = replay(tmp_path, f"time,A:F,B:F,C:F\n{NOON},1,, \n{NOON},,,\n")
    assert first.signal_index.tolist() == [0]
    assert first.value.tolist() == [1.0]
    assert len(second.value) == 0


def test_what_spreadsheets_add_is_read(tmp_path: Path) -> None:
    rows = replay(tmp_path, b'\xef\xbb\xbftime,"A:F"\r\n\r\n' + f'"{NOON}","1"\r\n'.encode())
    assert [row.value.tolist() for row in rows] == [[1.0]]


def test_what_is_not_a_number_but_a_value(tmp_path: Path) -> None:
    (row,) = replay(tmp_path, f"time,A:F,B:F,C:F\n{NOON},NaN,-inf,1e-50\n")
    assert np.isnan(row.value[0])
    assert row.value[1:].tolist() == [-np.inf, 0.0]


def test_it_can_be_read_again_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"time,A:F\n{NOON},1\n{NOON},2\n")
    rows = Replay(path, SIGNALS)
    assert [len(list(rows)), len(list(rows))] == [2, 2]
    assert rows.position == rows.size == path.stat().st_size


@pytest.mark.parametrize("cell", ["abc", "1,5", "1e39", "0x10", "--1"])
def test_a_number_that_cannot_be_read_is_named_by_line_and_column(tmp_path: Path, cell: str) -> None:
    reason = complaint(tmp_path, f'time,A:F,B:F\n{NOON},1,2\n{NOON},,"{cell}"\n')
    assert f"rows.csv, line 3, column 3 (B:F): not a binary32 number: {cell!r}" in reason


def test_a_time_that_cannot_be_read_is_named_by_line(tmp_path: Path) -> None:
    assert "line 2, column 1: not a date and time: 'noon'" in complaint(tmp_path, "time,A:F\nnoon,1\n")


def test_an_unknown_tag_is_told_with_the_nearest(tmp_path: Path) -> None:
    reason = complaint(tmp_path, f"time,A:F,D:F\n{NOON},1,2\n")
    assert "'D:F' (did you mean 'C:F'?)" in reason or "'D:F' (did you mean 'A:F'?)" in reason


def test_many_unknown_tags_stay_one_short_line(tmp_path: Path) -> None:
    reason = complaint(tmp_path, "time," + ",".join(f"X{n}" for n in range(100)) + "\n")
    assert "and 97 more" in reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs a header"),
        ("time\n", "needs a header"),
        ("time,A:F\n", "has no rows"),
        ("time,A:F,A:F\n2026,1,2\n", "has the tag A:F twice"),
        (f"time,A:F\n{NOON}\n", "line 2: 1 cells under 2 column names"),
        (f"time,A:F\n{NOON},1,2\n", "line 2: 3 cells under 2 column names"),
        (f'time,A:F\n{NOON},"1\n', "not CSV"),
        (b"time,A:F\n\xff\xfe,1\n", "is not UTF-8"),
    ],
)
def test_files_that_cannot_be_replayed(tmp_path: Path, text: str | bytes, reason: str) -> None:
    assert reason in complaint(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="cannot read .*: No such file"):
        Replay(tmp_path / "none.csv", SIGNALS)


def test_signals_without_tag_cannot_be_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("time,A:F\n")
    with pytest.raises(ReplayError, match="that the metadata lacks: 'A:F'$"):
        Replay(path, SignalTable.of([Signal(signal_id=UUID(int=1))]))
