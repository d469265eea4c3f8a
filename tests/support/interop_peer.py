"""Programs of the published Python implementation, `sttpapi`, as the tests see them.

They stand in tests/interop and run under the Python of an environment of their own, because `sttpapi` installs a
package called `sttp` too.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from interop_rows import Rows

__all__ = ["Peer", "StartPeer", "peer_program"]

PROGRAMS: Final = Path(__file__).resolve().parent.parent / "interop"

PATIENCE: Final = 20.0
"""Seconds that one event may take. A peer that hangs fails the test with what it told before."""

REFUSAL: Final = "Received failure code"
"""In what a subscriber says of a command that was answered with Failed; few tests wait for that."""

LONGEST_LINE: Final = 16 * 1024 * 1024


class Peer:
    """A program that runs for one test.

    Attributes:
        told: all events that have been read, in order.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.told: list[dict[str, Any]] = []

    async def next(self, event: str, containing: str = "") -> dict[str, Any]:
        """The next event of a kind, with some text in it; what comes before it is only remembered."""
        try:
            async with asyncio.timeout(PATIENCE):
                while line := await self._reader.readline():
                    self.told.append(json.loads(line))
                    if _is(self.told[-1], event, containing):
                        return self.told[-1]
                    if _is(self.told[-1], "error", REFUSAL):
                        raise AssertionError(f"refused before {event!r} {containing!r}: {self.told[-1]['text']}")
        except TimeoutError:
            raise AssertionError(f"no {event!r} {containing!r} within {PATIENCE:g} s after {self._summary()}") from None
        raise AssertionError(f"the peer ended before {event!r} {containing!r}, after {self._summary()}")

    async def ever(self, event: str, containing: str = "") -> dict[str, Any]:
        """An event that has been read already, or else the next one: what threads tell comes in any order."""
        known = [each for each in self.told if _is(each, event, containing)]
        return known[-1] if known else await self.next(event, containing)

    async def measurements(self, count: int) -> Rows:
        """Measurements that come next, as many whole packets as hold at least `count`."""
        packets: list[Rows] = []
        while sum(map(len, packets)) < count:
            packets.append(Rows.of_event(await self.next("measurements")))
        return Rows.joined(packets)

    async def do(self, what: str, **arguments: object) -> None:
        """Give a command."""
        await self._write({"do": what, **arguments})

    async def _write(self, line: dict[str, object]) -> None:
        self._writer.write(json.dumps(line).encode() + b"\n")
        await self._writer.drain()

    def _summary(self) -> str:
        return ", ".join(f"{each['event']} {each.get('text', '')!r}" for each in self.told[-20:]) or "nothing"


StartPeer = Callable[..., AbstractAsyncContextManager[Peer]]
"""Runs a program with settings."""


@contextmanager
def peer_program(python: Path, name: str) -> Iterator[StartPeer]:
    """Get a program of tests/interop ready; it then runs as often as wanted."""
    with subprocess.Popen(
        [python, "-E", PROGRAMS / f"{name}.py"],  # PYTHONPATH might lead to our package of the same name
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # threads do not survive a fork
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield partial(_run, int(process.stdout.readline()))
        process.stdin.close()


@asynccontextmanager
async def _run(port: int, /, **settings: object) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LONGEST_LINE)
    try:
        peer = Peer(reader, writer)
        await peer._write(settings)
        yield peer
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while await reader.read(LONGEST_LINE):
                pass
    finally:
        writer.close()


def _is(told: dict[str, Any], event: str, containing: str) -> bool:
    return told["event"] == event and containing in told.get("text", "")
