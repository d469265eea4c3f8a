"""What a connection costs in memory, for each of its signals, at the publisher and at the subscriber.

A publisher of many signals sends each of them once a second; subscribers connect one after another. What its memory
grows by with each, divided by the number of signals, is the publisher's share, without what the first one costs once
for all. The subscriber's is what its memory grows by from connecting to the first batch. Both are resident memory of
processes of their own, after garbage has been collected and freed memory given back.

    python tests/benchmarks/memory.py [--signals N] [--connections N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import ctypes.util
import gc
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import numpy as np

from sttp import MeasurementBatch, Publisher, Subscriber, ticks
from sttp.cli.benchmark.processes import end_process
from sttp.cli.benchmark.usage import usage
from sttp.metadata import simulated_metadata


def say(**facts: object) -> None:
    """Tell the parent."""
    print(json.dumps(facts), flush=True)


def resident() -> int:
    """Memory now, in bytes, without garbage and with what the C library keeps in reserve given back."""
    gc.collect()
    name = ctypes.util.find_library("c")
    if name and hasattr(library := ctypes.CDLL(name), "malloc_trim"):
        library.malloc_trim(0)
    return usage().resident


async def lines() -> AsyncIterator[str]:
    """What the parent says."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


async def publish(signals: int) -> None:
    """Send every signal once a second, and answer with what memory there is."""
    metadata = simulated_metadata(signals)
    indexes, values = np.arange(signals), np.full(signals, 60.0, np.float32)
    async with Publisher("tcp://127.0.0.1:0", metadata=metadata) as publisher:

        async def stream() -> None:
            while True:
                await publisher.publish(MeasurementBatch.of(metadata.signals, indexes, ticks.now(), values))
                await asyncio.sleep(1)

        task = asyncio.create_task(stream())
        say(url=publisher.listening[0])
        async for _ in lines():
            say(resident=resident())
        task.cancel()


async def subscribe(url: str) -> None:
    """Subscribe to everything, tell of memory before and after the first batch, then only read."""
    before = resident()
    async with Subscriber(url, with_metadata=False) as subscriber:
        async for batch in subscriber.measurements():
            assert len(batch.signals) > 1
            break
        say(grown=resident() - before)
        async for _ in subscriber.measurements():
            pass


async def measure(signals: int, connections: int) -> dict[str, list[float]]:
    """Bytes per signal and connection: of the publisher for each connection after the first, of each subscriber."""
    found: dict[str, list[float]] = {"publisher": [], "subscriber": []}
    this = (sys.executable, __file__)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(end_process("publisher", *this, "--publish", str(signals)))
        url = (await publisher.hear())["url"]
        before = 0
        for number in range(connections + 1):
            subscriber = await stack.enter_async_context(end_process("subscriber", *this, "--subscribe", url))
            grown = (await subscriber.hear())["grown"]
            await asyncio.sleep(1)
            now = (await publisher.ask())["resident"]
            if number:
                found["publisher"].append((now - before) / signals)
            found["subscriber"].append(grown / signals)
            before = now
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--subscribe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        asyncio.run(publish(options.publish))
    elif options.subscribe:
        asyncio.run(subscribe(options.subscribe))
    else:
        found = asyncio.run(measure(options.signals, options.connections))
        if options.json:
            print(json.dumps(found))
        else:
            for name, values in found.items():
                print(f"{name:10} bytes per signal and connection: {' '.join(f'{each:.0f}' for each in values)}")


if __name__ == "__main__":
    main()
