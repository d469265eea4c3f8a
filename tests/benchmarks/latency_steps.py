"""Where a measurement that is published alone spends its time, step by step, from one process to the other.

The scenario is that of the latency on the page of benchmarks: one measurement each millisecond, from a publisher to a
subscriber in another process. Both ends look at the clock at a few places on the way, which costs a microsecond each.

    python tests/benchmarks/latency_steps.py [--seconds S] [--runs N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sttp.cli.benchmark import end
from sttp.cli.benchmark.measure import measure
from sttp.cli.benchmark.result import about_here
from sttp.cli.benchmark.scenario import Scenario
from sttp.cli.loop import REFUSE
from sttp.measurement import MeasurementBatch
from sttp.transport import SocketStream

STEPS = (
    ("publisher", "the batch is made"),
    ("publisher", "encoded, and about to go to the system"),
    ("publisher", "the system has taken it"),
    ("subscriber", "the event loop is awake, and reads"),
    ("subscriber", "read"),
    ("subscriber", "decoded, and queued for the application"),
    ("subscriber", "in the application's hands"),
)
"""Where the clock is looked at, and in which process."""

TICKS_PER_NS = 100
FOLDER = "STTP_LATENCY_STEPS"


class Probe:
    """Notes how long after the measurement's time something has come about."""

    def __init__(self) -> None:
        self.began = 0
        self.notes: dict[int, list[float]] = {}
        self._times: dict[int, int] = {}

    def now(self, step: int) -> None:
        """Look at the clock."""
        self._times[step] = time.time_ns()

    def keep(self, began: int) -> None:
        """Write down what was looked at, for a measurement whose time was `began`, in ns."""
        for step, at in self._times.items():
            self.notes.setdefault(step, []).append((at - began) / 1000)
        self._times.clear()

    def write(self, role: str) -> None:
        """Leave the medians to whoever has started this process."""
        found = {step: statistics.median(each) for step, each in self.notes.items() if each}
        (Path(os.environ[FOLDER]) / f"{role}.json").write_text(json.dumps(found), encoding="utf-8")


def probed(probe: Probe, name: str, before: int | None, after: int | None) -> None:
    """Look at the clock before or after a method of `SocketStream`."""
    call: Callable[..., Any] = getattr(SocketStream, name)

    def looked_at(self: SocketStream, *given: Any) -> Any:
        if before is not None:
            probe.now(before)
        result = call(self, *given)
        if after is not None:
            probe.now(after)
        return result

    setattr(SocketStream, name, looked_at)


def nanoseconds(ticks: int) -> int:
    """Unix time of ticks."""
    return (ticks - 621_355_968_000_000_000) * TICKS_PER_NS


def play(role: str, arguments: Sequence[str]) -> None:
    """One end, with probes."""
    probe = Probe()
    usage = end.usage

    def asked() -> Any:
        probe.write(role)
        return usage()

    end.usage = asked
    if role == "publisher":
        make = MeasurementBatch.of

        def made(*given: Any) -> MeasurementBatch:
            probe.keep(probe.began)
            batch = make(*given)
            probe.began = nanoseconds(int(batch.ticks[0]))
            probe.now(0)
            return batch

        MeasurementBatch.of = made  # type: ignore[method-assign, assignment]
        probed(probe, "send_now", 1, 2)
    else:
        probed(probe, "get_buffer", 3, None)
        probed(probe, "buffer_updated", 4, 5)

        async def note(self: Any, subscriber: Any) -> None:
            async for batch in subscriber.measurements():
                probe.now(6)
                began = nanoseconds(int(batch.ticks[0]))
                self._latencies.append((time.time_ns() - began) / 1e9)
                probe.keep(began)

        end._SubscriberEnd._note = note
    end.main([role, *arguments])


def steps(seconds: float) -> dict[int, float]:
    """Microseconds from the measurement's time to each step, medians of one run."""
    commands = {role: (sys.executable, "-P", __file__, role) for role in ("publisher", "subscriber")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        asyncio.run(measure(Scenario(batch=1, latency=True, seconds=seconds), commands=commands))
        found: dict[int, float] = {}
        for file in Path(folder).glob("*.json"):
            found |= {int(step): took for step, took in json.loads(file.read_text(encoding="utf-8")).items()}
    return found


def main() -> None:
    """Measure, and print."""
    if sys.argv[1:2] in (["publisher"], ["subscriber"]):
        play(sys.argv[1], sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    os.environ[REFUSE] = "1"
    runs = [steps(options.seconds) for _ in range(options.runs)]
    about = about_here()
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    before = 0.0
    for step, (role, what) in enumerate(STEPS):
        each = [run[step] for run in runs]
        median = statistics.median(each)
        print(f"{median:5.0f} us  (+{median - before:4.0f})  {role:10} {what}  ({min(each):.0f} to {max(each):.0f})")
        before = median


if __name__ == "__main__":
    main()
