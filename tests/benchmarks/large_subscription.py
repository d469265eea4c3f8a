"""What it costs to subscribe to everything that a large publisher has: time, memory, and whom it keeps waiting.

Publisher and subscriber are processes of their own on the loopback, and both directions are tried in turn. The
subscriber asks for metadata first, as by default, and the publisher sends one measurement of every signal ten times a
second. The clock runs from the start of the subscriber's connecting (reverse: from the start of the publisher's
dialing) to the first batch in the application's hands.

Beside it, a timer in the publisher's event loop notes how late it is woken, at rest and while the subscriber is
served; and then while a second subscriber asks for what costs the most: all metadata, filters over all signals,
metadata that change. What a machine that is shared adds shows in the times at rest.

    python tests/benchmarks/large_subscription.py [--signals N] [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from sttp import MeasurementBatch, Publisher, RefusedError, Subscriber, ticks
from sttp.metadata import simulated_metadata
from sttp.transport.links import RedialPolicy

FRAMES_PER_SECOND = 10
DIRECTIONS = {"forward": "tcp://127.0.0.1:0", "reverse": "reverse+tcp://127.0.0.1:0"}

QUESTIONS = (
    "FILTER ActiveMeasurements WHERE SignalType = 'FREQ' OR PointTag LIKE '%V1M'",
    "FILTER ActiveMeasurements WHERE RegExMatch('(a+)+b', PointTag) OR Contains(Lower(Description), 'utility')",
    "FILTER TOP 90000 ActiveMeasurements WHERE Len(PointTag + Description) > 3 ORDER BY Description DESC, PointTag",
)


class Lateness:
    """How late a timer of the event loop is woken, in milliseconds."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, 1000 * (time.perf_counter() - begin - 0.001))

    def take(self) -> float:
        """The worst since the last time."""
        worst, self.worst = self.worst, 0.0
        return worst


def say(**facts: Any) -> None:
    """Tell the parent."""
    print(json.dumps(facts), flush=True)


def resident() -> float:
    """Largest resident memory so far, in MB of 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


async def lines() -> AsyncIterator[str]:
    """What the parent says."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


async def publish(url: str, signals: int) -> None:
    """The publisher's process: it streams, and answers each word of the parent with what it has noted since."""
    metadata = simulated_metadata(signals)
    table = metadata.dataset.table("MeasurementDetail")
    part = metadata.with_dataset(metadata.dataset.with_table(table.take(range(signals // 2))))
    values = np.full(signals, 60.0, np.float32)
    indexes = np.arange(signals)
    redial = RedialPolicy(base=0.001, cap=0.001)
    async with Publisher(url, metadata=metadata, redial=redial) as publisher:

        async def stream() -> None:
            while True:
                await publisher.publish(MeasurementBatch.of(metadata.signals, indexes, ticks.now(), values))
                await asyncio.sleep(1 / FRAMES_PER_SECOND)

        gc.collect()
        gc.freeze()
        task = asyncio.create_task(stream())
        lateness = Lateness()
        say(begin=time.time(), url=publisher.listening[0] if publisher.listening else url)
        async for word in lines():
            if word == "change":
                publisher.change_metadata(part if publisher.metadata is metadata else metadata)
            say(late=lateness.take(), resident=resident())
        task.cancel()


async def subscribe(url: str) -> None:
    """The subscriber's process."""
    begin = time.time()
    async with Subscriber(url) as subscriber:
        if subscriber.listening:
            say(url=subscriber.listening)
        batch = await anext(subscriber.measurements())
        say(begin=begin, first=time.time(), resident=resident(), signals=len(batch.signals))
        async for _ in subscriber.measurements():
            pass


async def pester(url: str) -> None:
    """The process of a subscriber that asks for what costs the most."""
    async with Subscriber(url, with_metadata=False, filter="FALSE") as subscriber:
        asking = asyncio.create_task(anext(subscriber.measurements()))
        for question in QUESTIONS:
            try:
                await subscriber.subscribe(question)
            except RefusedError as error:
                print(error, file=sys.stderr)
            await subscriber.refresh_metadata()
            try:
                await subscriber.refresh_metadata(
                    question.replace("ActiveMeasurements", "MeasurementDetail").replace("Type", "Acronym")
                )
            except RefusedError as error:
                print(error, file=sys.stderr)
        say(done=True)
        await asking


class Process:
    """This script again, in a part."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise SystemExit("a process of the benchmark has ended")
        heard: dict[str, Any] = json.loads(line)
        return heard

    async def ask(self, word: str = "") -> dict[str, Any]:
        """Say a word and hear the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        return await self.hear()


@asynccontextmanager
async def process(part: str, *arguments: str) -> AsyncIterator[Process]:
    """Run this script in a part, and end it."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, f"--{part}", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(started)
    finally:
        started.kill()
        await started.wait()


async def run_once(direction: str, signals: int) -> dict[str, float]:
    """One publisher, one subscriber, one that pesters."""
    url = DIRECTIONS[direction]
    if direction == "forward":
        async with process("publish", url, str(signals)) as publisher:
            address = (await publisher.hear())["url"]
            await asyncio.sleep(1)
            at_rest = (await publisher.ask())["late"]
            async with process("subscribe", address) as subscriber:
                first = await subscriber.hear()
                facts = await finish(publisher, first, first["begin"], signals)
            async with process("pester", address) as pest:
                await pest.hear()
                pestered = (await publisher.ask())["late"]
            async with process("subscribe", address) as subscriber:
                await subscriber.hear()
                await publisher.ask()
                changed = (await publisher.ask("change"), await asyncio.sleep(2), await publisher.ask())[-1]["late"]
            return {**facts, "late_at_rest": at_rest, "late_pestered": pestered, "late_changing": changed}
    async with process("subscribe", url) as subscriber:
        address = (await subscriber.hear())["url"]
        async with process("publish", address, str(signals)) as publisher:
            begin = (await publisher.hear())["begin"]
            return await finish(publisher, await subscriber.hear(), begin, signals)


async def finish(publisher: Process, first: dict[str, Any], begin: float, signals: int) -> dict[str, float]:
    """The facts of a run."""
    if first["signals"] != signals:
        raise SystemExit(f"{first['signals']} signals came instead of {signals}")
    told = await publisher.ask()
    return {
        "seconds": first["first"] - begin,
        "publisher_MB": told["resident"],
        "subscriber_MB": first["resident"],
        "late_serving": told["late"],
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    for part, names in (("publish", 2), ("subscribe", 1), ("pester", 1)):
        parser.add_argument(f"--{part}", nargs=names, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        asyncio.run(publish(options.publish[0], int(options.publish[1])))
        return
    if options.subscribe:
        asyncio.run(subscribe(*options.subscribe))
        return
    if options.pester:
        asyncio.run(pester(*options.pester))
        return
    found: dict[str, list[dict[str, float]]] = {direction: [] for direction in DIRECTIONS}
    for run in range(options.runs):
        for direction, facts in found.items():
            print(f"run {run + 1} of {options.runs}, {direction} ...", file=sys.stderr, flush=True)
            facts.append(asyncio.run(run_once(direction, options.signals)))
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "signals": options.signals,
        "runs": options.runs,
    }
    if options.json:
        print(json.dumps({**about, "runs of": found}))
        return
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    for direction, facts in found.items():
        for name in facts[0]:
            values = [each[name] for each in facts]
            unit = "ms" if name.startswith("late") else ""
            spread = f"({min(values):.2f} to {max(values):.2f})"
            print(f"{direction:8} {name:14} {statistics.median(values):8.2f} {unit:2} {spread}")


if __name__ == "__main__":
    main()
