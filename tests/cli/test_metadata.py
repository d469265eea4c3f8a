from __future__ import annotations

import json
from pathlib import Path

import pytest

from running import Running, Start
from sttp.metadata import Metadata


@pytest.fixture
def publisher(start: Start, publish_fault: list[str]) -> Running:
    return start("publish", "tcp://127.0.0.1:0", *publish_fault)


def test_every_format(start: Start, publisher: Running, fault_files: tuple[Path, Path]) -> None:
    url = publisher.listening()
    expected = Metadata.from_file(fault_files[1])
    shown = {form: start("metadata", url, "--format", form).ended() for form in ("xml", "json", "table")}
    assert {code for code, _, _ in shown.values()} == {0}

    read = Metadata.read(shown["xml"][1].encode())
    assert read.measurements == expected.measurements
    assert read.phasors == expected.phasors

    document = json.loads(shown["json"][1])
    assert [row["tag"] for row in document["measurements"]] == [row.tag for row in expected.measurements]
    assert [row["signal_id"] for row in document["measurements"]] == [
        str(row.signal_id) for row in expected.measurements
    ]
    assert document["devices"][0]["longitude"] == -100.0
    assert document["devices"][0]["updated_on"] == "2026-03-14T00:00:00.0000000Z"

    assert "measurements (40)" in shown["table"][1]
    assert str(expected.measurements[-1].signal_id) in shown["table"][1]


def test_a_reverse_publisher_is_waited_for(start: Start, publish_fault: list[str]) -> None:
    asking = start("metadata", "reverse+tcp://127.0.0.1:0", "--format", "json")
    start("publish", asking.listening(), *publish_fault)
    code, out, err = asking.ended()
    assert code == 0, err
    assert len(json.loads(out)["devices"]) == 10


def test_no_publisher_is_a_failure_on_one_line(start: Start) -> None:
    asking = start("metadata", "reverse+tcp://127.0.0.1:0", "--seconds", "0.01")
    asking.listening()
    code, out, err = asking.ended()
    assert (code, out) == (1, "")
    assert err.startswith("sttp: error: no metadata from reverse+tcp://127.0.0.1:0 within 0.01 s")
    assert err.count("\n") == 1


def test_a_filter_narrows_a_table(start: Start, publisher: Running) -> None:
    expression = "FILTER MeasurementDetail WHERE SignalAcronym = 'FREQ'; FILTER PhasorDetail WHERE False"
    code, out, err = start("metadata", publisher.listening(), "--format", "json", "--filter", expression).ended()
    assert code == 0, err
    document = json.loads(out)
    assert {row["signal_type"] for row in document["measurements"]} == {"FREQ"}
    assert len(document["measurements"]) == len(document["devices"]) == 10
    assert document["phasors"] == []


def test_a_filter_that_is_refused_shows_its_place(start: Start, publisher: Running) -> None:
    code, out, err = start("metadata", publisher.listening(), "--filter", "FILTER DeviceDetail WHERE Nam = 'x'").ended()
    assert (code, out) == (1, "")
    error, excerpt, caret = err.splitlines()[-3:]
    assert "line 1, column 27: DeviceDetail has no column Nam; do you mean Name?" in error
    assert excerpt == "  FILTER DeviceDetail WHERE Nam = 'x'"
    assert caret == " " * 28 + "^"
