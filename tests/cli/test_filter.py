from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from running import Start
from sttp.cli import main
from sttp.metadata import Metadata

FREQUENCIES = [f"KUNDUR_BUS{bus:02}:FREQ" for bus in range(1, 11)]


@pytest.fixture
def file(fault_files: tuple[Path, Path]) -> str:
    return str(fault_files[1])


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["filter", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_a_condition_shows_signals(capsys: pytest.CaptureFixture[str], file: str) -> None:
    lines = output(capsys, "SignalType = 'FREQ' AND Company = 'kundur'", "--metadata", file).splitlines()
    assert lines[0].strip() == "ActiveMeasurements (10)"
    assert lines[2].split() == ["PointTag", "SignalType", "ID", "SignalID", "Company"]  # the last, because it is named
    assert [line.split()[0] for line in lines[4:] if line.strip()] == FREQUENCIES


def test_csv_has_all_columns(capsys: pytest.CaptureFixture[str], file: str) -> None:
    expression = "FILTER TOP 2 DeviceDetail WHERE Acronym LIKE '%1%' ORDER BY Acronym DESC"
    rows = list(csv.DictReader(io.StringIO(output(capsys, expression, "--metadata", file, "--format", "csv"))))
    assert [row["Acronym"] for row in rows] == ["KUNDUR!BUS10", "KUNDUR!BUS01"]
    table = Metadata.from_file(file).dataset.table("DeviceDetail")
    assert list(rows[0]) == [column.name for column in table.columns]
    assert rows[0]["Enabled"] == "true"
    assert rows[0]["Longitude"] == str(float(table[9]["Longitude"] or 0))
    assert rows[0]["UpdatedOn"] == "2026-03-14T00:00:00.0000000Z"


def test_json_has_all_tables(capsys: pytest.CaptureFixture[str], file: str) -> None:
    expression = "FILTER DeviceDetail WHERE Acronym = 'KUNDUR!BUS03'; SignalType = 'FREQ'; KUNDUR:9"
    found = json.loads(output(capsys, expression, "--metadata", file, "--format", "json"))
    assert list(found) == ["ActiveMeasurements", "DeviceDetail"]
    assert [row["PointTag"] for row in found["ActiveMeasurements"]] == [
        FREQUENCIES[2], *FREQUENCIES[:2], *FREQUENCIES[3:],
    ]  # fmt: skip
    (device,) = found["DeviceDetail"]
    assert device["Enabled"] is True
    assert device["FramesPerSecond"] == 60
    assert device["OriginalSource"] is None


def test_nothing_found_is_no_failure(capsys: pytest.CaptureFixture[str], file: str) -> None:
    assert "ActiveMeasurements (0)" in output(capsys, "False", "--metadata", file)
    assert json.loads(output(capsys, "False", "--metadata", file, "--format", "json")) == {"ActiveMeasurements": []}


def test_a_document_may_have_the_table_of_signals_itself(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    sample = str(repository / "tests/metadata/vectors/metadata-sample.xml")
    shown = output(capsys, "PointTag LIKE 'wdam%'; FILTER TypeTest WHERE Key = 1", "--metadata", sample)
    assert "278133b1-858c-56f8-a70b-7d71acf47f86" in shown
    assert "TypeTest (1)" in shown


@pytest.mark.parametrize(
    ("expression", "lines"),
    [
        (
            "FILTER ActiveMeasurements SignalType = 'FREQ'",
            [
                "sttp: error: line 1, column 27: WHERE expected, not 'SignalType'",
                "  FILTER ActiveMeasurements SignalType = 'FREQ'",
                "                            ^",
            ],
        ),
        (
            "SignalTyp = 'FREQ'\x1b[31m",
            [
                "sttp: error: line 1, column 19: an operator or the end expected, not '\ufffd'",
                "  SignalTyp = 'FREQ'\ufffd[31m",
                "                    ^",
            ],
        ),
        (
            "True;\n\tSignalTyp = 'FREQ'",
            [
                "sttp: error: line 2, column 2: ActiveMeasurements has no column SignalTyp; do you mean SignalType?",
                "   SignalTyp = 'FREQ'",
                "   ^",
            ],
        ),
    ],
)
def test_an_error_shows_its_place(
    capsys: pytest.CaptureFixture[str], file: str, expression: str, lines: list[str]
) -> None:
    assert main(["filter", expression, "--metadata", file]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == lines


def test_csv_has_room_for_one_table(capsys: pytest.CaptureFixture[str], file: str) -> None:
    expression = "FILTER DeviceDetail WHERE True; FILTER PhasorDetail WHERE True"
    assert main(["filter", expression, "--metadata", file, "--format", "csv"]) == 2
    assert "selects from DeviceDetail and PhasorDetail; --format json has all" in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["filter", "True", "--metadata", str(tmp_path / "none.xml")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_when_the_reader_has_had_enough_it_ends_quietly(start: Start, file: str) -> None:
    running = start("filter", "True", "--metadata", file, "--format", "csv")
    assert running.process.stdout is not None
    running.process.stdout.close()
    assert running.process.wait(20) == 0
