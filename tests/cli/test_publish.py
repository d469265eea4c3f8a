"""`sttp publish` as a process, and what becomes of it."""

from __future__ import annotations

import signal
import socket
from itertools import pairwise
from pathlib import Path

import pytest

from running import Start
from sttp.cli import main


def test_simulated_signals_go_on_until_a_signal(start: Start) -> None:
    publisher = start("publish", "tcp://127.0.0.1:0", "--simulate", "3@100")
    url = publisher.listening()
    code, out, _ = start("subscribe", url, "--count", "30", "--format", "csv").ended()
    assert code == 0
    rows = [line.split(",") for line in out.splitlines()[1:]]
    assert [row[6] for row in rows[:3]] == ["SIM:1", "SIM:2", "SIM:3"]
    times = [int(row[3]) for row in rows[::3]]
    assert {later - earlier for earlier, later in pairwise(times)} == {100_000}
    publisher.stop(signal.SIGTERM)
    code, _, err = publisher.ended()
    assert code == 143
    assert "measurements sent" in err


def test_a_row_that_cannot_be_read_ends_it_where_it_stands(
    start: Start, tmp_path: Path, fault_files: tuple[Path, Path]
) -> None:
    csv = tmp_path / "rows.csv"
    csv.write_text("time,KUNDUR_BUS01:FREQ\n2026-03-14T12:00:00Z,60\n2026-03-14T12:00:00Z,sixty\n")
    publisher = start(
        "publish", "tcp://127.0.0.1:0", "--csv", str(csv), "--metadata", str(fault_files[1]), "--rate", "0"
    )
    start("subscribe", publisher.listening(), "--format", "none")
    code, _, err = publisher.ended()
    assert code == 1
    assert "sttp: error: " in err
    assert "line 3, column 2 (KUNDUR_BUS01:FREQ): not a binary32 number: 'sixty'" in err
    assert "Traceback" not in err


def test_a_loop_starts_over_and_now_makes_new_times(
    start: Start, tmp_path: Path, fault_files: tuple[Path, Path]
) -> None:
    csv = tmp_path / "rows.csv"
    csv.write_text("time,KUNDUR_BUS01:FREQ\n2020-01-01T00:00:00Z,59\n2020-01-01T00:00:00.01Z,61\n")
    publisher = start(
        "publish", "tcp://127.0.0.1:0", "--csv", str(csv), "--metadata", str(fault_files[1]), "--loop", "--now"
    )
    code, out, _ = start("subscribe", publisher.listening(), "--count", "7", "--format", "csv").ended()
    assert code == 0
    rows = [line.split(",") for line in out.splitlines()[1:]]
    assert [row[4] for row in rows] == ["59.0", "61.0", "59.0", "61.0", "59.0", "61.0", "59.0"]
    times = [row[2] for row in rows]
    assert times == sorted(times)
    assert times[0] > "2026"


def test_an_address_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert main(["publish", url, "--simulate", "1"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("sttp: error: ")
    assert "in use" in err
    assert err.count("\n") == 1


def test_the_tags_of_the_file_are_checked_before_anything_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault_files: tuple[Path, Path]
) -> None:
    csv = tmp_path / "rows.csv"
    csv.write_text("time,KUNDUR_BUS01:FREK\n2026-03-14T12:00:00Z,60\n")
    assert main(["publish", "tcp://127.0.0.1:0", "--csv", str(csv), "--metadata", str(fault_files[1])]) == 1
    err = capsys.readouterr().err
    assert "did you mean 'KUNDUR_BUS01:FREQ'?" in err
    assert "listening" not in err
