"""What a link may suffer, over TCP and TLS, forward and reverse: it is cut, it falls silent, and the clock jumps.

Three parts, each a table. *Cuts*: a link is cut a thousand times, by a reset, in order, at one side only, and in the
middle of a handshake; in the end both ends have as many files, threads and tasks as before. *Silence*: every packet is
dropped, in a network namespace of its own; both ends notice within the time of their watchdogs, and come back. *Clock*:
the wall clock jumps by hours, days and years; no link is lost, and a certificate that is out of date by it lets nobody
in until the clock is right again.

It needs Linux, root, iproute2, nftables and gcc.

    python tests/soak/links.py [--cycles N] [--seed N]

Exit code 0: all is well; 1: something is not; 77: it cannot be played here.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from cutter import CUTS, Cutter

from sttp import MeasurementBatch, Publisher, Subscriber, ticks
from sttp.metadata import simulated_metadata
from sttp.security.editing import add_peer, make_folder
from sttp.transport import RedialPolicy

WAYS: Final = [(direction, scheme) for scheme in ("tcp", "tls") for direction in ("forward", "reverse")]
QUICKLY: Final = RedialPolicy(base=0.02, cap=0.2)
METADATA: Final = simulated_metadata(20)
PATIENCE: Final = 20.0
"""Seconds in which a stream has to be back."""

MIDWAY: Final = 0.1
"""Share of the cycles in which the next connection is cut before it is up; many more would be taken for an attack."""

MOST_GROWTH: Final = 20.0
"""Megabytes that both ends together may grow by."""

NOTICED: Final = {"publisher": (24.0, 30.0), "subscriber": (19.0, 23.0)}
"""Earliest and latest seconds of silence after which an end must have noticed: 25 and 20 by default."""

BACK: Final = 35.0
"""Seconds after which a link that fell silent is back: an attempt to dial that is under way takes 10, a wait more."""

HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400
CERTIFICATE_DAYS: Final = 30
_INSIDE: Final = "STTP_SOAK_CLOCK"
"""Set in the process that has a network and a clock of its own: the library that shifts the clock."""


class Bad(Exception):
    """Something is not as it should be."""


@dataclass
class Stream:
    """Both ends of a stream that runs.

    Attributes:
        publisher: one.
        subscriber: the other.
        received: batches so far.
    """

    publisher: Publisher
    subscriber: Subscriber
    received: int = 0

    async def comes_back(self, connections: int, *, within: float = PATIENCE) -> float:
        """Wait until a batch has come over the connection with this number or a later one; seconds that it took."""
        return await self.until(lambda: self.subscriber.statistics.connections >= connections, within, "come back")

    async def goes_on(self, *, within: float = 2.0) -> float:
        """Wait until another batch has come."""
        return await self.until(lambda: True, within, "go on")

    async def until(self, holds: Callable[[], bool], within: float, what: str) -> float:
        """Wait until something holds, and then for a batch."""
        began, seen = time.monotonic(), self.received
        while not (holds() and self.received > seen):
            if not holds():
                seen = self.received
            if time.monotonic() > began + within:
                raise Bad(f"the stream did not {what} within {within:g} s")
            await asyncio.sleep(0.001)
        return time.monotonic() - began

    async def publish(self) -> None:
        """A frame a hundred times a second, without end."""
        signals = self.publisher.signals
        index = np.arange(len(signals))
        while True:
            now = np.full(len(index), ticks.now())
            await self.publisher.publish(MeasurementBatch.of(signals, index, now, np.ones(len(index), np.float32)))
            await asyncio.sleep(0.01)

    async def take(self) -> None:
        """All that comes, without end."""
        async for _ in self.subscriber.measurements():
            self.received += 1


@asynccontextmanager
async def stream(
    direction: str, scheme: str, folders: tuple[Path, Path], cutter: Cutter | None, redial: RedialPolicy
) -> AsyncIterator[Stream]:
    """A stream that runs, with a cutter in between if there is one."""
    prefix = "" if direction == "forward" else "reverse+"
    url = f"{prefix}{scheme}://127.0.0.1:0"

    def dialed(listening: str) -> str:
        if cutter is None:
            return listening
        cutter.target = int(listening.rpartition(":")[2])
        return f"{prefix}{scheme}://127.0.0.1:{cutter.port}"

    ours, theirs = folders if scheme == "tls" else (None, None)

    def publisher(url: str) -> Publisher:
        return Publisher(url, metadata=METADATA, redial=redial, security=ours)

    def subscriber(url: str) -> Subscriber:
        return Subscriber(url, redial=redial, security=theirs)

    first = publisher(url) if direction == "forward" else subscriber(url)
    async with first:
        if isinstance(first, Publisher):
            second: Publisher | Subscriber = subscriber(dialed(first.listening[0]))
        else:
            second = publisher(dialed(first.listening or ""))
        async with second:
            ends = (first, second) if isinstance(first, Publisher) else (second, first)
            made = Stream(*ends)  # type: ignore[arg-type]
            tasks = [asyncio.create_task(made.publish()), asyncio.create_task(made.take())]
            try:
                await made.comes_back(1)
                yield made
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


def held() -> tuple[int, int, int]:
    """Files, threads and tasks of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())


def resident() -> float:
    """Memory of this process, in MB."""
    gc.collect()
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


# --- cuts


async def cuts(folders: tuple[Path, Path], cycles: int, dice: random.Random) -> bool:
    """Cut a link again and again."""
    print(f"CUTS, {cycles} of each kind of link")
    print("direction over   back, ms (median, 99 %, max)   files/threads/tasks before, after   MB more   took, s")
    return all([await _cut(*way, folders, cycles, dice) for way in WAYS])


async def _cut(direction: str, scheme: str, folders: tuple[Path, Path], cycles: int, dice: random.Random) -> bool:
    waits: list[float] = []
    began = time.monotonic()
    async with Cutter() as cutter, stream(direction, scheme, folders, cutter, QUICKLY) as made:
        before, memory = held(), resident()
        for number in range(cycles):
            if number == cycles // 10:  # what happens only once has happened
                before, memory = held(), resident()
            connections = made.subscriber.statistics.connections
            if dice.random() < MIDWAY:
                cutter.budget = dice.randint(1, 6000)
            cutter.cut(dice.choice(CUTS))
            waits.append(await made.comes_back(connections + 1))
        deadline = time.monotonic() + PATIENCE
        while held() != before and time.monotonic() < deadline:  # what is left of the last cut is on its way out
            await made.goes_on()
        after, grown = held(), resident() - memory
    waits.sort()
    middle, late, last = (1000 * waits[min(int(share * len(waits)), len(waits) - 1)] for share in (0.5, 0.99, 1))
    well = before == after and grown < MOST_GROWTH
    took, verdict = time.monotonic() - began, "well" if well else "BAD"
    print(
        f"{direction:9} {scheme:4}   {middle:8.0f} {late:8.0f} {last:8.0f}      {'/'.join(map(str, before)):>14} "
        f"{'/'.join(map(str, after)):>14}      {grown:6.1f} {took:10.0f}   {verdict}",
        flush=True,
    )
    return well


# --- silence


async def silence(folders: tuple[Path, Path]) -> bool:
    """Drop every packet of four links at once until both ends of each have noticed."""
    print("SILENCE: every packet is dropped, without a word")
    print("direction over   publisher noticed, s   subscriber noticed, s   back, s")
    results = await asyncio.gather(*(_fall_silent(*way, folders, _Silence.shared()) for way in WAYS))
    return all(results)


class _Silence:
    """Packets are dropped from when all are ready until all have noticed."""

    _only: _Silence | None = None

    def __init__(self) -> None:
        self.ready = asyncio.Barrier(len(WAYS))
        self.noticed = asyncio.Barrier(len(WAYS))
        self.began = 0.0

    @classmethod
    def shared(cls) -> _Silence:
        cls._only = cls._only or cls()
        return cls._only

    async def begin(self) -> float:
        if await self.ready.wait() == 0:
            _run("nft", "add table inet silence")
            _run("nft", "add chain inet silence everything { type filter hook input priority 0; policy drop; }")
        await self.ready.wait()
        return time.monotonic()

    async def end(self) -> float:
        if await self.noticed.wait() == 0:
            _run("nft", "delete table inet silence")
        await self.noticed.wait()
        return time.monotonic()


async def _fall_silent(direction: str, scheme: str, folders: tuple[Path, Path], hush: _Silence) -> bool:
    async with stream(direction, scheme, folders, None, RedialPolicy()) as made:
        began = await hush.begin()
        after: dict[str, float] = {}
        while len(after) < len(NOTICED):
            if "publisher" not in after and not made.publisher._feeds:
                after["publisher"] = time.monotonic() - began
            if "subscriber" not in after and not made.subscriber._intakes:
                after["subscriber"] = time.monotonic() - began
            if time.monotonic() > began + 2 * PATIENCE:
                break
            await asyncio.sleep(0.05)
        await hush.end()
        connections = made.subscriber.statistics.connections
        back = await made.comes_back(connections + 1, within=BACK)
    well = all(low <= after.get(end, 0.0) <= high for end, (low, high) in NOTICED.items())
    print(
        f"{direction:9} {scheme:4}   {after.get('publisher', -1.0):20.1f} {after.get('subscriber', -1.0):23.1f}   "
        f"{back:7.1f}   {'well' if well else 'BAD'}",
        flush=True,
    )
    return well


# --- the clock


async def clock(folders: tuple[Path, Path]) -> bool:
    """Let the wall clock jump, there and back."""
    print("CLOCK: it jumps while measurements stream, and then the link is cut")
    print("direction over   jump, h   longest pause, ms   links lost   back after a cut, ms")
    return all([await _jump(*way, folders) for way in WAYS])


async def _jump(direction: str, scheme: str, folders: tuple[Path, Path]) -> bool:
    jump = ctypes.CDLL(os.environ[_INSIDE]).jump
    jump.argtypes = [ctypes.c_long]
    well = True
    async with Cutter() as cutter, stream(direction, scheme, folders, cutter, QUICKLY) as made:
        for seconds in (HOUR, -HOUR, 7 * DAY, 0, -10 * YEAR, 0, 10 * YEAR, 0):
            connections = made.subscriber.statistics.connections
            jump(seconds)
            pause = max([await made.goes_on() for _ in range(50)])
            lost = made.subscriber.statistics.connections - connections
            cutter.cut("reset")
            valid = scheme == "tcp" or -DAY < seconds < CERTIFICATE_DAYS * DAY
            if valid:
                back = f"{1000 * await made.comes_back(connections + 1):.0f}"
            else:
                await asyncio.sleep(1.0)
                refused = made.subscriber.statistics.connections == connections
                well = well and refused
                back = "refused, until the clock is right" if refused else "BAD: let in with a certificate out of date"
                jump(0)
                await made.comes_back(connections + 1)
            well = well and lost == 0
            print(
                f"{direction:9} {scheme:4}   {seconds / HOUR:+8.0f} {1000 * pause:17.0f} {lost:12}   {back}", flush=True
            )
    return well


# --- from the command line


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


async def _suffer(cycles: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory() as place:
        folders = Path(place) / "publisher", Path(place) / "subscriber"
        for folder in folders:
            make_folder(folder, folder.name, ["127.0.0.1"], days=CERTIFICATE_DAYS)
        add_peer(folders[0], "subscriber", folders[1] / "own.crt")
        add_peer(folders[1], "publisher", folders[0] / "own.crt")
        return all([await silence(folders), await clock(folders), await cuts(folders, cycles, random.Random(seed))])


def _problem() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    missing = [name for name in ("unshare", "ip", "nft", "gcc") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


def main() -> int:
    """Go into a network and a clock of one's own, and suffer there; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000, help="cuts of each kind of link")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if _INSIDE in os.environ:
        _run("ip", "link", "set", "lo", "up")
        logging.getLogger("sttp").setLevel(logging.CRITICAL)  # that links break is what this is about
        try:
            return int(not asyncio.run(_suffer(options.cycles, options.seed)))
        except Bad as bad:
            print(f"BAD: {bad}")
            return 1
    if problem := _problem():
        print(problem)
        return 77
    with tempfile.TemporaryDirectory() as place:
        library = f"{place}/clock.so"
        _run("gcc", "-shared", "-fPIC", "-O2", "-o", library, str(Path(__file__).with_name("clock.c")), "-ldl")
        environment = {**os.environ, "LD_PRELOAD": library, _INSIDE: library}
        command = ["unshare", "--net", sys.executable, __file__, *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
