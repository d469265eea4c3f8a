"""`sttp demo`: a simulated grid fault streams from one process to another, forward and reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from sttp.cli.fingerprint import Fingerprint
from sttp.cli.grid_view import GridView
from sttp.cli.options import Debug
from sttp.cli.publishing_process import publishing_process
from sttp.cli.replay import Replay
from sttp.cli.run import run
from sttp.errors import STTPError
from sttp.measurement import Columns, MeasurementBatch
from sttp.metadata import Metadata
from sttp.subscriber import Subscriber
from sttp.ticks import TICKS_PER_SECOND

__all__ = ["EXAMPLES", "DemoError", "demo"]

EXAMPLES: Final = """\
\b
Examples:
  sttp demo
  sttp demo --fast
"""

_MEASUREMENTS: Final = "kundur-two-area-fault-60fps.csv"
_METADATA: Final = "kundur-two-area-fault.metadata.xml"
_PATIENCE: Final = 15.0
"""Seconds without any measurement after which a direction has failed."""
_PICTURES_PER_SECOND: Final = 15
_LINE_EVERY: Final = 5.0
"""Seconds of the recording between lines, where nobody watches a terminal."""


class DemoError(STTPError):
    """What was delivered is not what was published, or nothing was delivered."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """What the publisher is to send, and what therefore has to arrive."""

    csv: Path
    metadata_file: Path
    metadata: Metadata
    start: int
    seconds: float
    fingerprint: Fingerprint

    @classmethod
    def read(cls, csv: Path, metadata_file: Path) -> _Recording:
        metadata = Metadata.from_file(metadata_file)
        rows = Columns.concatenate(list(Replay(csv, metadata.signals)))
        fingerprint = Fingerprint()
        fingerprint.add(MeasurementBatch(rows, metadata.signals))
        start, end = int(rows.ticks[0]), int(rows.ticks[-1])
        return cls(csv, metadata_file, metadata, start, (end - start) / TICKS_PER_SECOND, fingerprint)


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Send as fast as possible, not in real time.")] = False,
    debug: Debug = False,
) -> None:
    """Show a simulated grid fault as it streams from a publisher to a subscriber.

    Two processes on this computer: ten buses of a grid, 60 frames a second for 20 seconds, a three-phase fault at
    bus 8 after 2 seconds. First the subscriber dials the publisher (forward), then the publisher dials the subscriber
    (reverse). At the end the command says whether all measurements arrived bit for bit.
    """
    if not debug:
        logging.getLogger("sttp").setLevel(logging.ERROR)  # connections that come and go are what is shown here
    data = files("sttp") / "data"
    with as_file(data / _MEASUREMENTS) as csv, as_file(data / _METADATA) as metadata:
        run(_demo(_Recording.read(csv, metadata), fast=fast))


async def _demo(recording: _Recording, *, fast: bool) -> None:
    out = Console(highlight=False)
    results = {"file": recording.fingerprint}
    for name, opened, title in (
        ("forward", _forward, "Forward: the subscriber dials the publisher"),
        ("reverse", _reverse, "Reverse: the publisher dials the subscriber"),
    ):
        async with opened(recording, fast) as (subscriber, where):
            results[name] = await _received(subscriber, recording, f"{title}, {where}", out)
    out.print("        count  SHA-256 over signal IDs, times, states and value bits", style="bold")
    for name, result in results.items():
        out.print(f"{name:7} {result.count:5} {result.hexdigest()}", soft_wrap=True)
    differing = [name for name, result in results.items() if result != recording.fingerprint]
    if differing:
        raise DemoError(f"not what was published: {' and '.join(differing)}")
    out.print("Both directions delivered exactly what was published.", style="bold green")


@asynccontextmanager
async def _forward(recording: _Recording, fast: bool) -> AsyncIterator[tuple[Subscriber, str]]:
    async with publishing_process("tcp://127.0.0.1:0", *_options(recording, fast)) as process:
        url = await process.listening()
        async with Subscriber(url) as subscriber:
            yield subscriber, url
        await process.ended()


@asynccontextmanager
async def _reverse(recording: _Recording, fast: bool) -> AsyncIterator[tuple[Subscriber, str]]:
    async with Subscriber("reverse+tcp://127.0.0.1:0") as subscriber:
        url = str(subscriber.listening)
        async with publishing_process(url, *_options(recording, fast)) as process:
            yield subscriber, url
            await process.ended()


def _options(recording: _Recording, fast: bool) -> list[str]:
    files = ["--csv", str(recording.csv), "--metadata", str(recording.metadata_file)]
    return [*files, "--rate", "0"] if fast else files


async def _received(subscriber: Subscriber, recording: _Recording, title: str, out: Console) -> Fingerprint:
    expected = recording.fingerprint.count
    received = Fingerprint()
    view = GridView(
        title, recording.metadata, start=recording.start, seconds=recording.seconds, total=expected, width=out.width
    )
    with _shown(view, title, out) as show:
        try:
            async with asyncio.timeout(_PATIENCE) as limit:
                async for batch in subscriber.measurements():
                    received.add(batch)
                    view.add(batch)
                    show()
                    limit.reschedule(asyncio.get_running_loop().time() + _PATIENCE)
                    if received.count >= expected:
                        break
        except TimeoutError:
            raise DemoError(f"only {received.count} of {expected} measurements arrived") from None
    return received


@contextmanager
def _shown(view: GridView, title: str, out: Console) -> Iterator[Callable[[], None]]:
    """Show the picture as it changes; without a terminal, now and then a line. Yields what is called at every batch."""
    if out.is_terminal and out.encoding.startswith("utf"):
        with Live(view, console=out, refresh_per_second=_PICTURES_PER_SECOND):
            yield lambda: None
        return
    due = 0.0
    out.print(title, soft_wrap=True)

    def line() -> None:
        nonlocal due
        if view.seconds >= due:
            out.print(f"  {view}", soft_wrap=True)
            due += _LINE_EVERY

    yield line
    out.print(f"  {view}", soft_wrap=True)
