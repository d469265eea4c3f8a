"""`sttp publish`: send the rows of a file, or simulated signals."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from sttp.cli.options import AuditOption, Debug, JsonLogOption, PeerOption, SecurityOption, tolerances_of
from sttp.cli.pacing import Due, Pace, at_once, at_own_times, at_rate
from sttp.cli.progress import progress
from sttp.cli.replay import Replay
from sttp.cli.run import run
from sttp.cli.simulation import Simulation
from sttp.cli.terminal import announce, listening
from sttp.errors import UsageError
from sttp.measurement import Columns, MeasurementBatch
from sttp.metadata import Metadata, simulated_metadata
from sttp.publisher import Publisher
from sttp.queues import Overflow
from sttp.session.config import PublisherConfig
from sttp.statistics import PublisherStatistics

__all__ = ["EXAMPLES", "publish"]

EXAMPLES: Final = """\
\b
Examples:
  sttp publish tcp://:7165 --csv fault.csv --metadata fault.metadata.xml
  sttp publish reverse+tcp://control-centre:7165 --simulate 100@60
"""

_MOST_IN_FLIGHT: Final = 16_384
"""Measurements of a file that may wait for a subscriber: what waits is lost with a subscriber that dies."""


def _simulation(text: str) -> Simulation:
    try:
        return Simulation.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def publish(
    urls: Annotated[
        list[str],
        typer.Argument(
            metavar="URL", help="Where to publish. tcp:// listens, reverse+tcp:// dials; several may be mixed."
        ),
    ],
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Send the rows of this file: a time stamp column, then a column for each point tag.",
        ),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The metadata of the signals in the CSV file."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="FPS",
            min=0,
            help="Rows a second; 0 is as fast as possible. Without it rows are as far apart as their time stamps say.",
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Start over at the end of the file.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Replace the time stamps of the file by the current time.")
    ] = False,
    simulate: Annotated[
        Simulation | None,
        typer.Option(
            metavar="N[@FPS]",
            parser=_simulation,
            help="Send N simulated signals, FPS times a second (default 60).",
        ),
    ] = None,
    security: SecurityOption = None,
    audit: AuditOption = None,
    json_log: JsonLogOption = False,
    peer: PeerOption = None,
    debug: Debug = False,
) -> None:
    """Publish the rows of a CSV file, or simulated signals.

    A file waits for the first subscriber, loses nothing, and the command ends when all is delivered. Simulated
    signals are sent on the wall clock until the command is interrupted.
    """
    config = PublisherConfig(tolerances=tolerances_of(peer))
    if simulate is not None:
        if csv or metadata or rate is not None or loop or now:
            raise UsageError("--simulate goes without --csv, --metadata, --rate, --loop and --now")
        run(_simulate(urls, simulate, security, config))
    elif csv and metadata:
        run(_replay(urls, csv, metadata, rate=rate, loop=loop, now=now, security=security, config=config))
    elif csv or metadata:
        raise UsageError(f"{'--csv needs --metadata' if csv else '--metadata needs --csv'} FILE")
    else:
        raise UsageError("say what to publish: --csv FILE and --metadata FILE, or --simulate N[@FPS]")


async def _simulate(urls: list[str], simulation: Simulation, security: Path | None, config: PublisherConfig) -> None:
    metadata = simulated_metadata(simulation.signals, frames_per_second=simulation.frames_per_second)
    async with Publisher(
        *urls, metadata=metadata, overflow=Overflow.DROP_OLDEST, security=security, config=config
    ) as publisher:
        listening(publisher.listening)
        with _watched(publisher):
            async for columns in simulation.frames():
                await publisher.publish(MeasurementBatch(columns, publisher.signals))


async def _replay(
    urls: list[str],
    csv: Path,
    metadata_file: Path,
    *,
    rate: float | None,
    loop: bool,
    now: bool,
    security: Path | None,
    config: PublisherConfig,
) -> None:
    metadata = Metadata.from_file(metadata_file)
    replay = Replay(csv, metadata.signals)
    rows = _scheduled(itertools.chain.from_iterable(itertools.repeat(replay) if loop else [replay]), rate)
    async with Publisher(
        *urls,
        metadata=metadata,
        overflow=Overflow.WAIT,
        queue_limit=_MOST_IN_FLIGHT,
        security=security,
        config=config,
    ) as publisher:
        listening(publisher.listening)
        with _watched(publisher, lambda: replay.position / replay.size):
            await publisher.wait_for_subscription()
            pace = Pace(restamp=now)
            async for columns in pace.batches(rows):
                if not publisher.statistics.subscriptions:
                    await publisher.wait_for_subscription()
                    pace.pause()
                await publisher.publish(MeasurementBatch(columns, publisher.signals))
            await publisher.drain()


def _scheduled(rows: Iterable[Columns], rate: float | None) -> Iterator[Due]:
    if rate is None:
        return at_own_times(rows)
    return at_rate(rows, rate) if rate else at_once(rows)


@contextmanager
def _watched(publisher: Publisher, share: Callable[[], float] | None = None) -> Iterator[None]:
    """Show how it goes, and at the end, whatever the reason, say how it went."""
    # metadata stay: looking through those of 100 000 signals for garbage would hold everybody up for 0.1 s each time
    gc.collect()
    gc.freeze()

    def line() -> str:
        statistics = publisher.statistics
        return (
            f"{statistics.measurements} measurements sent, {statistics.dropped} dropped, "
            f"{statistics.subscriptions} subscriptions"
        )

    try:
        with progress(line, share):
            yield
    finally:
        announce(_summary(publisher.statistics))


def _summary(statistics: PublisherStatistics) -> str:
    each = (
        f", {statistics.bytes_sent / statistics.measurements:.2f} bytes/measurement" if statistics.measurements else ""
    )
    return (
        f"{statistics.measurements} measurements sent{each}, {statistics.dropped} dropped, "
        f"{statistics.connections} connections"
    )
