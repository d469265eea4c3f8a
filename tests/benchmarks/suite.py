"""All benchmarks of the reference page, in turn, beside `sttpapi`: `make bench` runs this, then `docs/generate.py`.

Everything runs in rounds, so that what a shared machine adds falls upon all alike. The result is JSON, one row for
each line of the page: goal, all runs, and the runs of `sttpapi` where it has them. Nothing is thrown away.

    python tests/benchmarks/suite.py [--rounds N] [--pairs N] [--seconds S] [--memory-seconds S] [--peer PYTHON]
                                     [--quick] [--output FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import bare_sends
import import_time
import memory

from sttp.cli.benchmark.measure import measure
from sttp.cli.benchmark.processes import OURS, BenchmarkError
from sttp.cli.benchmark.result import Result, about_here
from sttp.cli.benchmark.scenario import Direction, Filters, Scenario
from sttp.cli.loop import REFUSE, loop_factory
from sttp.metadata import simulated_metadata
from sttp.subscriber import Encoding

HERE = Path(__file__).parent
OUTPUT = HERE.parent.parent / "docs" / "_static" / "benchmarks.json"
FANOUT = 10

CODEC = {
    "TSSC decode, noisy": 85,
    "TSSC encode, noisy": 70,
    "TSSC decode, constant": 200,
    "TSSC encode, constant": 200,
    "compact decode, offsets": 200,
    "compact decode, full time": 200,
    "compact encode, offsets": 250,
    "compact encode, full time": 250,
}
UNCOMPILED = {"TSSC decode, noisy": 0.4, "TSSC encode, noisy": 0.4}
STREAMS = {
    "TSSC, batches of 1000": (Scenario(), 30),
    "TSSC, batches of 10 000": (Scenario(batch=10_000), 50),
    "TSSC, batches of 100": (Scenario(batch=100), 10),
    "compact, batches of 1000": (Scenario(encoding=Encoding.COMPACT), 50),
}
LATENCY = Scenario(batch=1, latency=True)


@dataclass
class Row:
    """One line of the page.

    Attributes:
        group: which table it stands in.
        name: what was measured.
        unit: of all numbers in it.
        goal: what is to be reached; None where there is no goal.
        better: `higher`, `lower` or `equal`.
        runs: what was measured, each time.
        peer: what was measured of `sttpapi`, each time.
        interval: where the median of all such runs lies with 95 %; only where the goal is to be equal.
    """

    group: str
    name: str
    unit: str
    goal: float | None = None
    better: str = "higher"
    runs: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    interval: tuple[float, float] | None = None


class Suite:
    """The rows, and how they are filled."""

    def __init__(self, options: argparse.Namespace, peer: Mapping[str, Sequence[str]] | None) -> None:
        self._options = options
        self._peer = peer
        self._begin = time.monotonic()
        self.rows: dict[tuple[str, str], Row] = {}
        self.notes: list[str] = []

    def row(self, group: str, name: str, unit: str, goal: float | None = None, better: str = "higher") -> Row:
        """The row of that name; made when it is asked for first."""
        return self.rows.setdefault((group, name), Row(group, name, unit, goal, better))

    def say(self, text: str) -> None:
        """Show how it goes."""
        print(f"{time.monotonic() - self._begin:5.0f} s  {text}", file=sys.stderr, flush=True)

    def run(self) -> None:
        """Measure everything."""
        self.codec()
        for number in range(self._options.rounds):
            self.say(f"streams, round {number + 1} of {self._options.rounds}")
            self.streams()
            self.latency()
        for number in range(self._options.fanout_rounds):
            self.say(f"{FANOUT} subscribers, round {number + 1} of {self._options.fanout_rounds}")
            self.fanout()
        self.directions()
        self.imports()
        self.memory()

    # --- the codec alone

    def codec(self) -> None:
        """Both codecs in memory, compiled and not."""
        script = str(HERE / "codec.py")
        runs = max(3, self._options.rounds)
        for group, goals, command in (
            ("codec, one core", CODEC, [script, "--runs", str(runs)]),
            ("codec, uncompiled", UNCOMPILED, [str(HERE / "uncompiled.py"), script, "--runs", "3", "--signals", "500"]),
        ):
            self.say(group)
            out = subprocess.run([sys.executable, *command, "--json"], capture_output=True, check=True, text=True)
            rates = json.loads(out.stdout)["millions_per_second"]
            for name, goal in goals.items():
                self.row(group, name, "million/s", goal).runs += rates[name]

    # --- from end to end

    def play(self, scenario: Scenario, commands: Mapping[str, Sequence[str]] = OURS) -> Result:
        """One run of a scenario."""
        return asyncio.run(measure(scenario, commands=commands))

    def play_peer(self, scenario: Scenario) -> Result | None:
        """The same with `sttpapi`; nothing where it is not there, or fails."""
        if self._peer is None:
            return None
        try:
            return self.play(scenario, self._peer)
        except BenchmarkError as error:
            self.notes.append(f"sttpapi, {scenario}: {error}")
            return None

    def streams(self) -> None:
        """As much as goes through, to one subscriber."""
        seconds = self._options.seconds
        for name, (scenario, goal) in STREAMS.items():
            found = self.play(with_seconds(scenario, seconds))
            row = self.row("end to end", name, "million/s", goal)
            row.runs.append(found.per_second / 1e6)
            costs = (
                ("bytes per measurement", "bytes", found.bytes_per_measurement),
                ("CPU of the publisher", "s per million", found.publisher.cpu_per_million),
                ("CPU of the subscriber", "s per million", found.subscribers[0].cpu_per_million),
                ("memory of the publisher", "MB", found.publisher.peak / 1e6),
                ("memory of the subscriber", "MB", found.subscribers[0].peak / 1e6),
            )
            for what, unit, value in costs:
                self.row("what it costs", f"{name}: {what}", unit, better="lower").runs.append(value)
            if name == "TSSC, batches of 1000" and (theirs := self.play_peer(with_seconds(scenario, seconds))):
                row.peer.append(theirs.per_second / 1e6)
        if os.environ.get(REFUSE) == "1" and self._options.uvloop:
            with uvloop_allowed():
                found = self.play(with_seconds(Scenario(), seconds))
            self.row("end to end", "TSSC, batches of 1000, on uvloop", "million/s").runs.append(found.per_second / 1e6)

    def latency(self) -> None:
        """One measurement per publish, one millisecond apart."""
        scenario = with_seconds(LATENCY, self._options.seconds)
        found, theirs = self.play(scenario).latency, self.play_peer(scenario)
        assert found is not None
        median = self.row("latency, one measurement each ms", "median", "µs", 90, "lower")
        p99 = self.row("latency, one measurement each ms", "99 % within", "µs", 300, "lower")
        median.runs.append(1e6 * found.median)
        p99.runs.append(1e6 * found.p99)
        if theirs is not None and theirs.latency is not None:
            median.peer.append(1e6 * theirs.latency.median)
            p99.peer.append(1e6 * theirs.latency.p99)

    def fanout(self) -> None:
        """Ten subscribers: all alike, then all different."""
        encode = 1e3 / statistics.median(self.rows["codec, one core", "TSSC encode, noisy"].runs)
        group = f"{FANOUT} subscribers, TSSC, batches of 1000"
        same = self.play(with_seconds(Scenario(subscribers=FANOUT), self._options.seconds))
        self.row(group, "all alike, in sum", "million/s", 60).runs.append(same.per_second / 1e6)
        bare = bare_sends.cpu_per_byte(FANOUT, 10_000_000, 2**16) * FANOUT * same.bytes_per_measurement
        row = self.row(group, "all alike: CPU of the publisher", "ns per measurement", better="lower")
        row.runs.append(1e3 * same.publisher.cpu_per_million)
        row.goal = encode + 1.3 * 1e9 * bare  # one encode and 1.3 times the bare sends
        distinct = self.play(
            with_seconds(Scenario(subscribers=FANOUT, filters=Filters.DISTINCT), self._options.seconds)
        )
        self.row(group, "all different, in sum", "million/s").runs.append(distinct.per_second / 1e6)
        row = self.row(
            group, "all different: CPU of the publisher, per stream", "ns per measurement", encode + 5, "lower"
        )
        row.runs.append(1e3 * distinct.publisher.cpu_per_million / FANOUT)

    def directions(self) -> None:
        """Reverse against forward, in pairs of which now one and now the other comes first."""
        row = self.row("reverse against forward", "rate of reverse over rate of forward", "ratio", 1.0, "equal")
        for number in range(self._options.pairs):
            self.say(f"forward and reverse, pair {number + 1} of {self._options.pairs}")
            order = list(Direction) if number % 2 else list(reversed(Direction))
            rates = {
                direction: self.play(with_seconds(Scenario(direction=direction), self._options.pair_seconds)).per_second
                for direction in order
            }
            row.runs.append(rates[Direction.REVERSE] / rates[Direction.FORWARD])
        row.interval = interval_of_median(row.runs)

    # --- the rest

    def imports(self) -> None:
        """Importing."""
        self.say("import")
        found = import_time.measure(self._options.imports)
        over = "over asyncio, ssl, numpy, construct, pluggy: CPU"
        self.row("import", f"import sttp {over}", "ratio", 1.3, "lower").runs += found["ratio, sttp alone"]
        self.row("import", f"from sttp import Publisher, Subscriber {over}", "ratio", 1.3, "lower").runs += found[
            "ratio, both ends"
        ]
        self.row("import", "from sttp import Publisher, Subscriber: CPU", "ms", better="lower").runs += found[
            "both ends, CPU ms"
        ]

    def memory(self) -> None:
        """What a connection takes, and whether memory grows."""
        self.say("memory of connections")
        group = "memory"
        for side, found in asyncio.run(memory.measure(self._options.memory_signals, 3)).items():
            self.row(group, f"per signal and connection, {side}", "bytes", 200, "lower").runs += found
        self.say(f"memory over {self._options.memory_seconds:g} s")
        result = self.play(Scenario(seconds=self._options.memory_seconds))
        for side, end in (("publisher", result.publisher), ("subscriber", result.subscribers[0])):
            name = f"growth in {self._options.memory_seconds:g} s at full speed, {side}"
            self.row(group, name, "MB", 1, "lower").runs.append(end.growth / 1e6)


def with_seconds(scenario: Scenario, seconds: float) -> Scenario:
    """The same for so long."""
    return Scenario.from_json(json.dumps({**asdict(scenario), "seconds": seconds}))


class uvloop_allowed:  # noqa: N801 - used as a function
    """Lets the processes that are started meanwhile use uvloop."""

    def __enter__(self) -> None:
        os.environ[REFUSE] = "0"

    def __exit__(self, *error: object) -> None:
        os.environ[REFUSE] = "1"


def interval_of_median(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Interval that covers the median with at least this confidence, by order statistics: no distribution assumed."""
    ordered, count = sorted(values), len(values)
    left_out, outside = 0, 2 * 0.5**count
    while left_out + 1 < count / 2:
        outside += 2 * math.comb(count, left_out + 1) * 0.5**count
        if outside > 1 - confidence:
            break
        left_out += 1
    return ordered[left_out], ordered[-1 - left_out]


def peer_commands(python: str, scratch: Path) -> Mapping[str, Sequence[str]] | None:
    """Commands for the ends of `sttpapi`, with metadata that they can read; None where it is not installed."""
    check = [python, "-E", "-c", "from importlib.metadata import version; assert version('sttpapi') == '0.7.6'"]
    try:
        if subprocess.run(check, capture_output=True, check=False).returncode != 0:
            return None
    except OSError:
        return None
    metadata = scratch / "metadata.xml"
    metadata.write_bytes(simulated_metadata(Scenario().signals).write())
    # -E: PYTHONPATH might lead to our package of the same name
    return {role: (python, "-E", str(HERE / "peer_end.py"), role, str(metadata)) for role in OURS}


def parse_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run is counted")
    parser.add_argument("--memory-seconds", type=float, default=20.0, help="600 for the ten minutes of the goal")
    parser.add_argument("--peer", metavar="PYTHON", default=os.environ.get("STTP_INTEROP_PYTHON", ""))
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    options.pair_seconds, options.fanout_rounds, options.imports, options.memory_signals = 1.5, 3, 11, 100_000
    if options.quick:
        options.rounds, options.pairs, options.seconds, options.pair_seconds = 1, 2, 0.5, 0.5
        options.fanout_rounds, options.imports, options.memory_seconds, options.memory_signals = 1, 2, 1.0, 10_000
    options.uvloop = loop_factory() is not None
    os.environ[REFUSE] = "1"  # what a plain installation has; uvloop is a row of its own
    return options


def main() -> None:
    """Measure everything, and write it."""
    options = parse_options()
    about = about_here()
    with tempfile.TemporaryDirectory() as scratch:
        peer = peer_commands(options.peer, Path(scratch)) if options.peer else None
        suite = Suite(options, peer)
        if peer is None:
            suite.notes.append("sttpapi is not installed here, so nothing stands beside ours")
        suite.run()
    found: dict[str, Any] = {
        "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "about": about,
        "load_after": about_here()["load"],
        "quick": options.quick,
        "notes": suite.notes,
        "rows": [asdict(row) for row in suite.rows.values()],
    }
    options.output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    suite.say(f"written: {options.output}")


if __name__ == "__main__":
    main()
