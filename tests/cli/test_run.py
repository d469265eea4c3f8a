from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
import typer

from sttp.cli.run import run

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def test_it_runs_to_the_end() -> None:
    seen = []

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append("end")

    run(work())
    assert seen == ["end"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_order_and_is_in_the_exit_code(number: signal.Signals, code: int) -> None:
    seen = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(typer.Exit) as caught:
        run(work())
    assert caught.value.exit_code == code
    assert seen == ["closed"]
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_second_signal_is_not_held_up() -> None:
    handlers = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            handlers.append(signal.getsignal(signal.SIGTERM))

    with pytest.raises(typer.Exit):
        run(work())
    assert handlers == [signal.SIG_DFL]


def test_errors_come_through() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(work())


def test_its_own_cancellation_is_not_taken_for_a_signal() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(work())


def test_when_nobody_reads_stdout_any_more_that_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)

        async def work() -> None:
            print("a line", flush=True)

        run(work())
        stdout.write("nothing complains at the end")
