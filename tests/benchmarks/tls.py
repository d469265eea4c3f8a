"""How much of the throughput of plain TCP is left with TLS.

A publisher in a process of its own sends simulated noisy measurements as fast as one subscriber takes them. Rounds over
TCP and over TLS alternate, and the ratio is that of each pair of rounds.

    python tests/benchmarks/tls.py [--seconds S] [--rounds N] [--signals N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import ssl
import statistics
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic

import numpy as np

from sttp import Encoding, MeasurementBatch, Overflow, Publisher, Subscriber, ticks
from sttp.metadata import simulated_metadata
from sttp.security.editing import add_peer, make_folder

FRAMES = 200
"""Frames in the recording that is sent over and over."""

WARM_S = 0.5


def recording(publisher: Publisher) -> list[MeasurementBatch]:
    """Noisy frames, a few to a batch, as a busy concentrator would hand them over."""
    dice = np.random.default_rng(1)
    count, at_once = len(publisher.signals), 8
    begin = ticks.now()
    batches = []
    for first in range(0, FRAMES, at_once):
        times = begin + np.repeat(np.arange(first, first + at_once), count) * 166_667
        values = (60 + dice.normal(0, 0.01, at_once * count)).astype(np.float32)
        index = np.tile(np.arange(count, dtype=np.int32), at_once)
        batches.append(MeasurementBatch.of(publisher.signals, index, times, values))
    return batches


def publish(url: str, folder: str, signals: int, tell: Connection) -> None:
    """The publisher's process."""

    async def run() -> None:
        metadata = simulated_metadata(signals)
        async with Publisher(
            url, metadata=metadata, overflow=Overflow.WAIT, queue_limit=200_000, security=folder
        ) as publisher:
            tell.send(publisher.listening[0])
            batches = recording(publisher)
            await publisher.wait_for_subscription()
            while True:
                for batch in batches:
                    await publisher.publish(batch)

    asyncio.run(run())


async def received(url: str, folder: str, encoding: Encoding, seconds: float) -> float:
    """Measurements a second."""
    async with Subscriber(url, encoding=encoding, with_metadata=False, security=folder) as subscriber:
        begin = end = monotonic()
        count = 0
        warm = False
        async for batch in subscriber.measurements():
            end = monotonic()
            if not warm and end - begin > WARM_S:
                begin, count, warm = end, 0, True
            count += len(batch)
            if warm and end - begin > seconds:
                break
        return count / (end - begin)


def round_of(scheme: str, folders: tuple[str, str], encoding: Encoding, signals: int, seconds: float) -> float:
    """One round with a publisher of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=publish, args=(f"{scheme}://127.0.0.1:0", folders[0], signals, theirs))
    process.start()
    try:
        return asyncio.run(received(ours.recv(), folders[1], encoding, seconds))
    finally:
        process.kill()
        process.join()


def folders_in(root: Path) -> tuple[str, str]:
    """Two parties that trust each other."""
    for name in ("publisher", "subscriber"):
        make_folder(root / name, name, ["127.0.0.1"], days=1)
    add_peer(root / "publisher", "subscriber", root / "subscriber" / "own.crt")
    add_peer(root / "subscriber", "publisher", root / "publisher" / "own.crt")
    return str(root / "publisher"), str(root / "subscriber")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--signals", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as root:
        folders = folders_in(Path(root))
        for encoding in Encoding:
            rates: dict[str, list[float]] = {"tcp": [], "tls": []}
            for _ in range(wanted.rounds):
                for scheme, measured in rates.items():
                    measured.append(round_of(scheme, folders, encoding, wanted.signals, wanted.seconds) / 1e6)
            ratios = [tls / tcp for tcp, tls in zip(rates["tcp"], rates["tls"], strict=True)]
            found.append({"encoding": encoding.value, **rates, "ratio": ratios})
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {ssl.OPENSSL_VERSION}"
    if wanted.json:
        print(json.dumps({"machine": machine, "results": found}))
        return
    print(f"{machine}; {wanted.signals} signals, {wanted.rounds} alternating rounds of {wanted.seconds:g} s")
    print("million measurements a second, median (least-most)")
    for each in found:
        tcp, tls = (_spread(each[scheme]) for scheme in ("tcp", "tls"))
        print(f"{each['encoding']:8} tcp {tcp}  tls {tls}  tls/tcp {_spread(each['ratio'])}")


def _spread(values: object) -> str:
    assert isinstance(values, list)
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
