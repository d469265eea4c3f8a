"""How long it takes from connecting to the first measurement, while 1000 frames a second flow, without metadata.

The publisher is a process of its own on the loopback, the subscriber is here. The clock starts before the first packet
of TCP. Both encodings are tried in turn.

    python tests/benchmarks/first_data.py [--signals N] [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time

from sttp import Encoding, Subscriber
from sttp.cli.publishing_process import publishing_process

FRAMES_PER_SECOND = 1000


async def connect_once(url: str, encoding: Encoding) -> float:
    """Seconds from connecting to the first batch."""
    begin = time.perf_counter()
    async with Subscriber(url, encoding=encoding, with_metadata=False) as subscriber:
        await anext(subscriber.measurements())
        return time.perf_counter() - begin


async def measure(signals: int, runs: int) -> dict[str, list[float]]:
    """Milliseconds of each run, by encoding."""
    found: dict[str, list[float]] = {encoding.value: [] for encoding in Encoding}
    async with publishing_process("tcp://127.0.0.1:0", "--simulate", f"{signals}@{FRAMES_PER_SECOND}") as process:
        url = await process.listening()
        await connect_once(url, Encoding.TSSC)  # whatever happens only once
        for _ in range(runs):
            for encoding in Encoding:
                found[encoding.value].append(1000 * await connect_once(url, encoding))
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=10)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.signals, options.runs))
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "signals": options.signals,
        "frames a second": FRAMES_PER_SECOND,
        "runs": options.runs,
    }
    if options.json:
        print(json.dumps({**about, "milliseconds": found}))
        return
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    for name, values in found.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:8} {statistics.median(values):6.1f} ms from connecting to the first measurement   ({spread})")


if __name__ == "__main__":
    main()
