"""`sttp subscribe`: receive measurements and write them on stdout."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import Annotated, Final

import typer

from sttp.cli.formats import Format, lines_of
from sttp.cli.options import AuditOption, Debug, JsonLogOption, PeerOption, SecurityOption, tolerances_of
from sttp.cli.progress import progress
from sttp.cli.run import run
from sttp.cli.tally import Tally
from sttp.cli.terminal import announce, listening
from sttp.errors import STTPError
from sttp.measurement import MeasurementBatch
from sttp.session.config import SubscriberConfig
from sttp.subscriber import EVERYTHING, Encoding, Subscriber

__all__ = ["EXAMPLES", "subscribe"]

EXAMPLES: Final = """\
\b
Examples:
  sttp subscribe tcp://pmu-gateway:7165
  sttp subscribe tcp://pmu-gateway:7165 --filter "SignalType = 'FREQ'" --format jsonl --count 1000
  sttp subscribe reverse+tcp://:7165 --format csv > measurements.csv
"""


class _TooFewError(STTPError):
    """The time was up before the measurements were there."""


def subscribe(
    url: Annotated[str, typer.Argument(metavar="URL", help="The publisher. tcp:// dials it, reverse+tcp:// listens.")],
    filter_expression: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="EXPR",
            help="Which signals: a filter expression, or signal IDs, keys or tags with ; between.",
        ),
    ] = EVERYTHING,
    encoding: Annotated[
        Encoding, typer.Option(help="How measurements travel; tssc is the smaller one.")
    ] = Encoding.TSSC,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after exactly N measurements.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=0,
            help="End after S seconds; fail if no publisher answered, or with --count if there were fewer by then.",
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How measurements are written.")] = Format.TEXT,
    publishers: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Most publishers at once, where the subscriber listens."),
    ] = 1,
    with_metadata: Annotated[
        bool,
        typer.Option(
            "--metadata/--no-metadata",
            help="Ask for the metadata first. Without it data come sooner, and signals have no tags.",
        ),
    ] = True,
    security: SecurityOption = None,
    audit: AuditOption = None,
    json_log: JsonLogOption = False,
    peer: PeerOption = None,
    debug: Debug = False,
) -> None:
    """Subscribe, and write the measurements on stdout.

    The command goes on until it has what you asked for or is interrupted. A connection that is lost comes back by
    itself. A summary follows on stderr.
    """
    subscriber = Subscriber(
        url,
        filter=filter_expression,
        encoding=encoding,
        with_metadata=with_metadata,
        max_publishers=publishers,
        security=security,
        config=SubscriberConfig(tolerances=tolerances_of(peer)),
    )
    run(_subscribe(subscriber, count, seconds, form))


async def _subscribe(subscriber: Subscriber, count: int | None, seconds: float | None, form: Format) -> None:
    tally = Tally(count)
    async with subscriber:
        if subscriber.listening is not None:
            listening([subscriber.listening])
        watched = form is not Format.NONE and sys.stdout.isatty()
        try:
            with nullcontext() if watched else progress(lambda: str(tally)):
                await _receive(subscriber, tally, _Output(form), seconds)
        finally:
            announce(tally.summary(subscriber.statistics))


async def _receive(subscriber: Subscriber, tally: Tally, output: _Output, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds) as limit:
            async for batch in subscriber.measurements():
                await output.write(tally.take(batch))
                if tally.complete:
                    return
    except TimeoutError:
        if not limit.expired():
            raise
        if not subscriber.statistics.connections:
            raise _TooFewError(f"no publisher answered within {seconds:g} s") from None
        if tally.wanted is not None:
            raise _TooFewError(f"only {tally.count} of {tally.wanted} measurements came within {seconds:g} s") from None


class _Output:
    """Stdout, in one format. Writing happens in a thread: a slow reader must not keep us from reading the network."""

    def __init__(self, form: Format) -> None:
        self._lines = None if form is Format.NONE else lines_of[form]()
        if self._lines is not None:
            _write(self._lines.header)

    async def write(self, batch: MeasurementBatch) -> None:
        if self._lines is not None:
            await asyncio.to_thread(_write, self._lines.of(batch))


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
