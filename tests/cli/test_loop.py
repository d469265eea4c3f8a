"""Which event loop commands run on. uvloop is installed with what the tests need, but for Windows."""

from __future__ import annotations

import asyncio
import sys

import pytest

from sttp.cli.loop import REFUSE
from sttp.cli.run import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop for Windows")


def loop_of_a_command() -> str:
    seen = []

    async def work() -> None:
        seen.append(type(asyncio.get_running_loop()).__module__.partition(".")[0])

    run(work())
    return seen[0]


def test_commands_run_on_uvloop_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REFUSE, raising=False)
    assert loop_of_a_command() == "uvloop"


def test_the_environment_can_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFUSE, "1")
    assert loop_of_a_command() == "asyncio"


def test_without_it_they_run_on_the_loop_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REFUSE, raising=False)
    monkeypatch.setitem(sys.modules, "uvloop", None)  # so the import system says that it is not there
    assert loop_of_a_command() == "asyncio"
