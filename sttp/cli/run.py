"""Runs a command's coroutine: signals end it in order, and say so in the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from types import FrameType

import typer

from sttp.cli.loop import loop_factory

__all__ = ["SIGNALLED", "nobody_reads", "run"]

SIGNALLED = 128
"""A command that a signal has ended leaves with this number and that of the signal, as shells have it."""


def run(work: Coroutine[object, object, None]) -> None:
    """Run `work` to its end. That is also when nobody reads stdout any more, as behind `| head`.

    The event loop is uvloop's where that is installed; see `sttp.cli.loop`.

    SIGINT and SIGTERM cancel it: connections are closed in order, the summary is written. A second signal of the same
    kind ends the process at once.

    Raises:
        typer.Exit: after a signal, with 130 or 143.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        received = runner.run(_until_signal(work))
    if received is not None:
        raise typer.Exit(SIGNALLED + received)


def nobody_reads() -> None:
    """Whoever reads our output has had enough. Nothing may be left to be written into the broken pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _until_signal(work: Coroutine[object, object, None]) -> signal.Signals | None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    received: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> None:
        # A handler of Python's own and not of the loop: it runs even while the loop is busy.
        signal.signal(number, signal.SIG_DFL)
        received.append(signal.Signals(number))
        loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    except BrokenPipeError:
        nobody_reads()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return received[0] if received else None
