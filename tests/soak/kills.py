"""Kill -9 either end at random moments, again and again, in both directions; the other end must not even be scratched.

One end lives here, the other is a process that is killed and started again: publisher and subscriber in turn. Each
value says which signal and which time it belongs to, so nothing can be shown under a wrong name unnoticed. After each
kill the stream has to resume by itself. In the end the survivor has as many files, threads and tasks as before, and
hardly more memory.

    python tests/soak/kills.py [--kills N] [--seed N]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from sttp import MeasurementBatch, Metadata, Publisher, Subscriber, ticks
from sttp.measurement import SignalTable
from sttp.metadata import simulated_metadata

METADATA: Metadata = simulated_metadata(20)
FRAMES_PER_SECOND = 200
PATIENCE = 20.0
"""Seconds after a kill in which the stream has to be back; the back-off begins with a second at most."""
MOST_GROWTH = 20.0
"""Megabytes that the survivor may grow by over all kills."""


def values(signals: SignalTable, index: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What a measurement must be worth: the number in the key of its signal, and the time in 10 ms."""
    numbers = np.array([int(key.rpartition(":")[2] or 0) for key in signals.keys])
    return (numbers[index] * 10_000 + times // 100_000 % 10_000).astype(np.float32)


def wrong(batch: MeasurementBatch) -> int:
    """How many measurements of a batch are not what their signal and time say."""
    expected = values(batch.signals, batch.signal_index, batch.ticks)
    return int(np.count_nonzero(expected != batch.value))


async def publish_forever(publisher: Publisher) -> None:
    """Frame after frame."""
    index = np.arange(len(publisher.signals))
    while True:
        now = np.full(len(index), ticks.now())
        await publisher.publish(
            MeasurementBatch.of(publisher.signals, index, now, values(publisher.signals, index, now))
        )
        await asyncio.sleep(1 / FRAMES_PER_SECOND)


async def be_killed(role: str, url: str) -> None:
    """What the other process does until it is killed: say where it listens and that data flows."""
    if role == "publisher":
        async with Publisher(url, metadata=METADATA) as publisher:
            print("listening", *publisher.listening, flush=True)
            await publish_forever(publisher)
        return
    async with Subscriber(url) as subscriber:
        print("listening", subscriber.listening or "", flush=True)
        first = True
        async for batch in subscriber.measurements():
            if count := wrong(batch):
                print("wrong", count, flush=True)
            if first:
                first = False
                print("streaming", flush=True)


class Victim:
    """The process that is killed."""

    def __init__(self, role: str, url: str) -> None:
        self.role = role
        self.url = url
        self.wrong = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, wait until it is there, and remember the port that it has from now on."""
        command = [sys.executable, __file__, "--be", self.role, self.url]
        self._process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        line = await self._line()
        if line.startswith("listening ") and line != "listening ":
            self.url = line.removeprefix("listening ")

    async def streams(self) -> None:
        """Wait until it says that data flows."""
        while (line := await self._line()) != "streaming":
            self.wrong += line.startswith("wrong")

    async def kill(self) -> None:
        """Kill -9; what it still had to say is read to the end."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.kill()
        self.wrong += (await self._process.stdout.read()).count(b"wrong")
        await self._process.wait()

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stdout.readline()).decode().rstrip("\n")


def held() -> tuple[int, int, int]:
    """Files, threads and tasks of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())


def resident() -> float:
    """Memory of this process, in MB."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


@asynccontextmanager
async def survivor(victim: str, direction: str) -> AsyncIterator[tuple[Victim, Publisher | Subscriber]]:
    """The end that lives here, and the process that it will lose again and again."""
    scheme = "tcp" if direction == "forward" else "reverse+tcp"
    victim_listens = (victim == "publisher") == (direction == "forward")
    anywhere = f"{scheme}://127.0.0.1:0"
    other = Victim(victim, anywhere)
    if victim_listens:
        await other.start()
        url = other.url
    else:
        url = anywhere
    end = Subscriber(url) if victim == "publisher" else Publisher(url, metadata=METADATA)
    async with end:
        if not victim_listens:
            bound = end.listening if isinstance(end, Subscriber) else end.listening[0]
            assert bound is not None
            other.url = bound
            await other.start()
        yield other, end


async def lose(victim: str, direction: str, kills: int, dice: random.Random) -> bool:
    """Kill one kind of victim in one direction, print a row of the table, and tell whether all was well."""
    bad = 0
    waits: list[float] = []
    async with survivor(victim, direction) as (other, end):
        batches = end.measurements() if isinstance(end, Subscriber) else None
        publishing = asyncio.create_task(publish_forever(end)) if isinstance(end, Publisher) else None

        async def take(until: float) -> None:
            nonlocal bad
            if batches is None:
                await asyncio.sleep(until - time.monotonic())
                return
            while time.monotonic() < until:
                bad += wrong(await anext(batches))

        async def resumed() -> None:
            nonlocal bad
            async with asyncio.timeout(PATIENCE):
                if batches is None:
                    await other.streams()
                else:
                    before = ticks.now()
                    while True:  # what the old one had sent may still be waiting
                        batch = await anext(batches)
                        bad += wrong(batch)
                        if int(batch.ticks.max()) > before:
                            return

        await resumed()
        await take(time.monotonic() + 0.5)
        before, memory = held(), resident()
        for number in range(kills):
            await take(time.monotonic() + dice.uniform(0, 0.4))
            await other.kill()
            await other.start()
            begin = time.monotonic()
            await resumed()
            waits.append(time.monotonic() - begin)
            if sys.stderr.isatty():
                print(f"\r{direction}, {victim}: {number + 1} of {kills}", end="", file=sys.stderr, flush=True)
        await take(time.monotonic() + 0.5)
        after, grown = held(), resident() - memory
        bad += other.wrong
        if publishing is not None:
            publishing.cancel()
        await other.kill()
    well = bad == 0 and before == after and grown < MOST_GROWTH
    print(
        f"\r{direction:8} {victim:11} {kills:5} {bad:6} {sorted(waits)[len(waits) // 2]:8.2f} {max(waits):8.2f}"
        f"   {'/'.join(map(str, before)):>9} {'/'.join(map(str, after)):>9} {grown:6.1f}   {'well' if well else 'BAD'}",
        flush=True,
    )
    return well


async def soak(kills: int, seed: int) -> bool:
    """All four combinations."""
    dice = random.Random(seed)
    print("direction killed       kills  wrong  back (median, max)   files/threads/tasks  MB more")
    results = [
        await lose(victim, direction, kills, dice)
        for direction in ("forward", "reverse")
        for victim in ("publisher", "subscriber")
    ]
    return all(results)


def main() -> None:
    """Be the soak, or its victim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25, help="of each end in each direction")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--be", nargs=2, metavar=("ROLE", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("sttp").setLevel(logging.ERROR)  # that connections break is what this is about
    if options.be:
        asyncio.run(be_killed(*options.be))
    else:
        sys.exit(not asyncio.run(soak(options.kills, options.seed)))


if __name__ == "__main__":
    main()
