"""What one subscriber that stops reading does to the others: their latency, and the memory of the publisher.

A publisher in a process of its own has ten subscribers. Nine are measured; the tenth is a bare socket that in
alternating rounds is read or is not. The latency of a measurement is the time from its time stamp, which the publisher
takes when it publishes, to its delivery.

    python tests/benchmarks/stopped_reader.py [--signals N] [--seconds S] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from sttp import Subscriber, ticks
from sttp.cli.publishing_process import PublishingProcess, publishing_process
from sttp.codes import OperationalModes
from sttp.wire.commands import (
    ConfirmUpdateSignalIndexCache,
    DefineOperationalModes,
    Subscribe,
    write_command,
)
from sttp.wire.subscription import SubscriptionOptions

SUBSCRIBERS = 10
FRAMES_PER_SECOND = 60


async def latencies(url: str, count: int, seconds: float) -> list[float]:
    """Milliseconds that measurements took to subscribers that read."""
    found: list[float] = []

    async def read() -> None:
        async with Subscriber(url, with_metadata=False) as subscriber:
            warm = False
            try:
                async with asyncio.timeout(seconds):
                    async for batch in subscriber.measurements():
                        if warm:
                            found.extend(
                                ((ticks.now() - np.unique(batch.ticks)) / ticks.TICKS_PER_MILLISECOND).tolist()
                            )
                        warm = True
            except TimeoutError:
                pass

    await asyncio.gather(*(read() for _ in range(count)))
    return found


@asynccontextmanager
async def tenth(url: str, *, reads: bool) -> AsyncIterator[None]:
    """A subscriber that subscribes to everything, and then reads without looking, or never again."""
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    modes = OperationalModes()
    everything = SubscriptionOptions(filter_expression="FILTER ActiveMeasurements WHERE True")
    for command in (
        DefineOperationalModes(modes=modes),
        Subscribe(connection_string=everything.to_connection_string()),
        ConfirmUpdateSignalIndexCache(),
    ):
        writer.write(write_command(command, modes))

    async def drain() -> None:
        while await reader.read(2**16):
            pass

    draining = asyncio.create_task(drain()) if reads else None
    yield
    if draining is not None:
        draining.cancel()
    writer.transport.abort()


def resident(process: PublishingProcess) -> float:
    """Memory of the publisher, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def measure(signals: int, seconds: float, rounds: int) -> dict[str, list[float]]:
    """The 99th percentile of each round and the memory after it, with all readers and with one stopped."""
    found: dict[str, list[float]] = {}
    async with publishing_process("tcp://127.0.0.1:0", "--simulate", f"{signals}@{FRAMES_PER_SECOND}") as process:
        url = await process.listening()
        for _ in range(rounds):
            for reads in (True, False):
                async with tenth(url, reads=reads):
                    each = await latencies(url, SUBSCRIBERS - 1, seconds)
                name = "all reading" if reads else "one stopped"
                found.setdefault(f"p50, {name}, ms", []).append(float(np.percentile(each, 50)))
                found.setdefault(f"p99, {name}, ms", []).append(float(np.percentile(each, 99)))
                found.setdefault(f"memory, {name}, MB", []).append(resident(process))
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.signals, options.seconds, options.rounds))
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "subscribers": SUBSCRIBERS,
        "signals": options.signals,
        "frames a second": FRAMES_PER_SECOND,
        "rounds": options.rounds,
    }
    if options.json:
        print(json.dumps({**about, "found": found}))
        return
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    for name, values in found.items():
        print(f"{name:26} {statistics.median(values):8.2f}   ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
