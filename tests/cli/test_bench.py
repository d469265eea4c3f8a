from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import numpy as np
import pytest

from running import Start
from sttp.cli import main
from sttp.cli.benchmark import measure as measuring
from sttp.cli.benchmark.load import noisy_batches
from sttp.cli.benchmark.measure import measure
from sttp.cli.benchmark.processes import BenchmarkError
from sttp.cli.benchmark.result import EndResult
from sttp.cli.benchmark.scenario import Direction, Filters, Scenario
from sttp.cli.benchmark.usage import usage
from sttp.cli.loop import REFUSE
from sttp.errors import UsageError
from sttp.subscriber import Encoding

SEVERAL_STARTS = 60.0
"""Seconds, since on a busy machine each of the processes takes some to start."""

# --- with real processes


@pytest.mark.parametrize(
    ("options", "loop"),
    [(["--direction", "reverse", "--encoding", "compact"], "asyncio"), (["--signals", "300"], "uvloop")],
    ids=["reverse, compact", "uvloop"],
)
def test_it_says_what_went_through_and_what_that_cost(
    start: Start, monkeypatch: pytest.MonkeyPatch, options: list[str], loop: str
) -> None:
    monkeypatch.setenv(REFUSE, "1" if loop == "asyncio" else "0")
    code, out, err = start("bench", "--seconds", "0.3", "--json", *options).ended(SEVERAL_STARTS)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["lost"] == 0
    assert found["latency"] is None
    assert found["about"]["event_loop"] == (loop if sys.platform != "win32" else "asyncio")
    assert found["seconds"] >= 0.3
    assert found["per_second"] > 10_000
    low, high = (13, 14) if "compact" in options else (1, 4)
    assert low < found["bytes_per_measurement"] < high
    (subscriber,) = found["subscribers"]
    assert subscriber["cpu_per_million"] > 0 < found["publisher"]["cpu_per_million"]
    assert 10e6 < subscriber["peak"] < 1e9


def test_several_subscribers_with_filters_of_their_own_get_all_but_one_signal(start: Start) -> None:
    options = ["--signals", "4", "--batch", "400", "--subscribers", "2", "--filters", "distinct"]
    code, out, err = start("bench", "--seconds", "0.3", "--json", *options).ended(SEVERAL_STARTS)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert len(found["subscribers"]) == 2
    share = found["per_second"] / (2 * found["publisher"]["per_second"])
    assert share == pytest.approx(3 / 4, rel=0.2)  # what is under way at the first and last look is in neither


def test_single_measurements_tell_how_long_they_took(start: Start) -> None:
    code, out, err = start("bench", "--latency", "--seconds", "0.5").ended(SEVERAL_STARTS)
    assert (code, err) == (0, "")
    (line,) = [line.split() for line in out.splitlines() if line.split()[0] == "latency"]
    median, p99 = float(line[2]), float(line[7])
    assert 1 < median <= p99
    assert "one measurement each ms" in out.splitlines()[0]


async def test_an_end_that_fails_is_named() -> None:
    broken = {"publisher": (sys.executable, "-c", "pass"), "subscriber": (sys.executable, "-c", "pass")}
    with pytest.raises(BenchmarkError, match="the publisher has ended early"):
        await measure(Scenario(seconds=0.1), commands=broken)


async def test_when_nothing_comes_through_that_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = """
import json, sys
print(json.dumps({"url": "tcp://127.0.0.1:1"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"measurements": 0}), flush=True)
"""
    monkeypatch.setattr(measuring, "_PATIENCE", 0.2)
    commands = dict.fromkeys(("publisher", "subscriber"), (sys.executable, "-c", silent))
    with pytest.raises(BenchmarkError, match="not all subscribers got measurements"):
        await measure(Scenario(seconds=0.1), commands=commands)


@pytest.mark.parametrize(
    "options",
    [
        ["--filters", "distinct", "--subscribers", "2", "--signals", "2"],
        ["--transport", "pigeon"],
        ["--transport", "tcp://127.0.0.1:0", "--direction", "reverse", "--subscribers", "2"],
        ["--subscribers", "0"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_measured_is_bad_usage(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert main(["bench", *options]) != 0
    assert capsys.readouterr().err.startswith("sttp: error: ")


# --- scenarios


def test_a_scenario_goes_to_another_process_whole() -> None:
    scenario = Scenario(
        signals=7, encoding=Encoding.COMPACT, direction=Direction.REVERSE, filters=Filters.DISTINCT, latency=True
    )
    assert Scenario.from_json(scenario.to_json()) == scenario


def test_the_url_is_on_the_loopback_unless_it_is_given() -> None:
    assert Scenario().url == "tcp://127.0.0.1:0"
    assert Scenario(direction=Direction.REVERSE).url == "reverse+tcp://127.0.0.1:0"
    assert Scenario(transport="tcp://127.0.0.2:0").url == "tcp://127.0.0.2:0"


def test_distinct_filters_need_signals_enough() -> None:
    with pytest.raises(UsageError, match="3 distinct filters need more than 3 signals"):
        Scenario(signals=3, subscribers=3, filters=Filters.DISTINCT)


# --- the load


@pytest.mark.parametrize(("signals", "batch"), [(1000, 1000), (1000, 100), (10, 1000), (7, 5), (999_983, 100_003)])
def test_signals_come_in_turn_and_times_never_go_back(signals: int, batch: int) -> None:
    before, seen = 0, set()
    for columns in itertools.islice(noisy_batches(signals, batch), 3 + 200_000 // batch):
        assert len(columns.signal_index) == len(columns.flags) == len(columns.value) == batch
        assert columns.ticks[0] >= before
        assert (np.diff(columns.ticks) >= 0).all()
        before = int(columns.ticks[-1])
        if signals < 2000:
            seen |= set(columns.signal_index.tolist())
    assert signals >= 2000 or seen == set(range(signals))


def test_values_are_noisy_but_near_their_signal() -> None:
    first, second = itertools.islice(noisy_batches(100, 100), 2)
    assert (first.value != second.value).all()
    assert np.allclose(first.value, second.value, rtol=2e-3)


# --- results


def end(time: float, measurements: int, cpu: float, resident: int, peak: int) -> dict[str, Any]:
    return {"time": time, "measurements": measurements, "cpu": cpu, "resident": resident, "peak": peak}


def test_results_are_what_happened_between_the_first_and_the_last_look() -> None:
    found = EndResult.between(end(10, 1_000_000, 5, 100, 400), end(12, 5_000_000, 6, 150, 500))
    assert found == EndResult(per_second=2_000_000, cpu_per_million=0.25, peak=500, growth=50)


def test_an_end_that_did_nothing_has_no_cost_per_million() -> None:
    assert EndResult.between(end(10, 5, 5, 0, 0), end(11, 5, 6, 0, 0)).cpu_per_million == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell without more libraries")
def test_memory_is_that_of_this_process() -> None:
    before = usage()
    block = np.ones(50_000_000, np.uint8)
    after = usage()
    assert after.peak >= before.resident + len(block) * 0.9
    assert after.cpu >= before.cpu
    assert after.time > before.time
