"""What all tests share: coroutines run as tests, and how hard Hypothesis tries."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from in_process import plug_in
from sttp.transport.memory import MemoryTransport

TEST_SECONDS = 30.0
"""Longest time a coroutine test may take. One that hangs fails with the place where it waits."""

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,  # a red run is about the change, not about the dice
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the source tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryTransport:
    """The transport of `memory://NAME`, for one test. A listener in it can also be dialed without an endpoint."""
    transport = MemoryTransport()
    plug_in(monkeypatch, transports={"memory": transport})
    return transport


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, each in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(_finishes_and_leaves_nothing(pyfuncitem.obj(**arguments)))
    return True


async def _finishes_and_leaves_nothing(test: Coroutine[None, None, None]) -> None:
    async with asyncio.timeout(TEST_SECONDS):
        await test
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"the test left tasks behind: {left}"
