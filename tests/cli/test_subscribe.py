"""`sttp subscribe` as a process: real measurements from another process, in both directions and both encodings."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import numpy as np
import pytest

from running import Running, Start
from sttp.measurement import MeasurementBatch

Direction = Callable[[Start, list[str], list[str]], tuple[Running, Running]]


def _forward(start: Start, publish: list[str], subscribe: list[str]) -> tuple[Running, Running]:
    publisher = start("publish", "tcp://127.0.0.1:0", *publish)
    return publisher, start("subscribe", publisher.listening(), *subscribe)


def _reverse(start: Start, publish: list[str], subscribe: list[str]) -> tuple[Running, Running]:
    subscriber = start("subscribe", "reverse+tcp://127.0.0.1:0", *subscribe)
    return start("publish", subscriber.listening(), *publish), subscriber


@pytest.mark.parametrize("direction", [_forward, _reverse], ids=["forward", "reverse"])
@pytest.mark.parametrize("encoding", ["tssc", "compact"])
def test_every_value_and_time_arrives_bit_for_bit_and_in_order(
    start: Start,
    publish_fault: list[str],
    fault: MeasurementBatch,
    direction: Direction,
    encoding: str,
) -> None:
    subscribe = ["--encoding", encoding, "--count", str(len(fault)), "--format", "jsonl"]
    publisher, subscriber = direction(start, publish_fault, subscribe)
    code, out, err = subscriber.ended()
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    ids = [str(signal.signal_id) for signal in fault.signals]
    assert [row["ticks"] for row in rows] == fault.ticks.tolist()
    assert [row["signal_id"] for row in rows] == [ids[index] for index in fault.signal_index.tolist()]
    assert [row["tag"] for row in rows] == [fault.signals.tags[index] for index in fault.signal_index.tolist()]
    assert np.array([row["value"] for row in rows], np.float32).tobytes() == fault.value.tobytes()
    assert {row["flags"] for row in rows} == {0}
    assert "48000 measurements" in err
    assert "0 gaps, 0 dropped" in err
    code, _, err = publisher.ended()
    assert code == 0, err
    assert "48000 measurements sent" in err


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_summary(start: Start, number: signal.Signals, expected: int) -> None:
    publisher = start("publish", "tcp://127.0.0.1:0", "--simulate", "2@100")
    subscriber = start("subscribe", publisher.listening(), "--format", "jsonl")
    assert subscriber.read_line().startswith("{")
    subscriber.stop(number)
    code, out, err = subscriber.ended()
    assert code == expected
    assert all(line.startswith("{") and line.endswith("}") for line in out.splitlines())
    assert " measurements" in err.splitlines()[-1]
    assert "0 gaps, 0 dropped" in err.splitlines()[-1]


def test_when_the_reader_has_had_enough_it_ends_quietly(start: Start) -> None:
    publisher = start("publish", "tcp://127.0.0.1:0", "--simulate", "2@100")
    subscriber = start("subscribe", publisher.listening())
    assert "SIM_PMU00001:FREQ" in subscriber.read_line()
    assert subscriber.process.stdout is not None
    subscriber.process.stdout.close()
    assert subscriber.process.wait(20) == 0
    assert subscriber.process.stderr is not None
    err = subscriber.process.stderr.read()
    assert "error" not in err.lower()
    assert " measurements" in err


def test_a_filter_chooses_and_a_count_cuts(start: Start, publish_fault: list[str]) -> None:
    condition = "Device = 'KUNDUR!BUS08' AND (SignalType = 'FREQ' OR PointTag LIKE '%V1M')"
    _, subscriber = _forward(start, publish_fault, ["--filter", condition, "--count", "7", "--format", "csv"])
    code, out, _ = subscriber.ended()
    assert code == 0
    header, *lines = out.splitlines()
    assert header == "signal_id,tag,timestamp,ticks,value,flags,key,publisher"
    assert {line.split(",")[1] for line in lines} == {"KUNDUR_BUS08:V1M", "KUNDUR_BUS08:FREQ"}
    assert len(lines) == 7


def test_a_refused_subscription_shows_the_place_in_the_filter(start: Start) -> None:
    publisher = start("publish", "tcp://127.0.0.1:0", "--simulate", "1")
    code, out, err = start("subscribe", publisher.listening(), "--filter", "FILTER nonsense (").ended()
    assert code == 1
    assert out == ""
    lines = err.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("sttp: error: ")]
    assert len(errors) == 1
    error, excerpt, caret = lines[errors[0] : errors[0] + 3]
    assert "refused the subscription: line 1, column 17: WHERE expected, not '('" in error
    assert (excerpt, caret) == ("  FILTER nonsense (", "                  ^")
    assert "Traceback" not in err


def test_time_that_is_up_is_an_end_but_not_with_too_few(start: Start) -> None:
    subscribe = ["subscribe", "reverse+tcp://127.0.0.1:0", "--seconds", "0.01", "--format", "none"]
    code, _, err = start(*subscribe).ended()
    assert code == 1
    assert "0 measurements" in err
    assert "no publisher answered within 0.01 s" in err
    publisher = start("publish", "tcp://127.0.0.1:0", "--simulate", "1")
    subscribe = ["subscribe", publisher.listening(), "--seconds", "1", "--format", "none"]
    code, _, err = start(*subscribe).ended()
    assert code == 0
    code, _, err = start(*subscribe, "--count", "1000000").ended()
    assert code == 1
    assert " of 1000000 measurements came within 1 s" in err


def test_a_publisher_that_is_not_there_is_tried_again(start: Start) -> None:
    subscriber = start("subscribe", "tcp://127.0.0.1:1", "--format", "none")
    assert subscriber.process.stderr is not None
    first, second = subscriber.process.stderr.readline(), subscriber.process.stderr.readline()
    assert "connection refused; next try in" in first
    assert "try reverse+tcp://" in first
    assert "connection refused; next try in" in second
    subscriber.stop(signal.SIGINT)
    assert subscriber.ended()[0] == 130
