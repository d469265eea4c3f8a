"""Offloading: the event loop goes on, and what was changed in the interpreter is put back."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from sttp import offload as offload_module
from sttp.offload import SWITCH_INTERVAL, offload


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    interval, collects = sys.getswitchinterval(), gc.isenabled()
    yield
    sys.setswitchinterval(interval)
    (gc.enable if collects else gc.disable)()


async def test_the_event_loop_goes_on_while_a_function_works() -> None:
    goes_on = threading.Event()
    working = asyncio.create_task(offload(lambda: goes_on.wait(10)))
    await asyncio.sleep(0)
    goes_on.set()
    assert await working, "the function was waited for before anything else could happen"


async def test_arguments_results_and_errors_pass_through() -> None:
    assert await offload(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 7, 0)


async def test_turns_are_short_and_nobody_searches_for_garbage_until_the_last_has_ended() -> None:
    sys.setswitchinterval(0.02)
    first, second = threading.Event(), threading.Event()
    seen = []

    def look(until: threading.Event) -> None:
        seen.append((sys.getswitchinterval(), gc.isenabled()))
        until.wait(10)

    tasks = [asyncio.create_task(offload(look, each)) for each in (first, second)]
    while len(seen) < 2:  # noqa: ASYNC110 - they are in other threads
        await asyncio.sleep(0)
    first.set()
    await tasks[0]
    assert (sys.getswitchinterval(), gc.isenabled()) == (pytest.approx(SWITCH_INTERVAL, abs=2e-6), False)
    second.set()
    await tasks[1]
    assert seen == [(pytest.approx(SWITCH_INTERVAL, abs=2e-6), False)] * 2
    assert (sys.getswitchinterval(), gc.isenabled()) == (pytest.approx(0.02, abs=2e-6), True)


async def test_where_something_is_always_offloaded_garbage_is_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Garbage:
        pass

    monkeypatch.setattr(offload_module, "LONGEST_WITHOUT", 0.0)
    ends = threading.Event()
    working = asyncio.create_task(offload(ends.wait, 10))
    while gc.isenabled():  # noqa: ASYNC110 - it is in another thread
        await asyncio.sleep(0)
    garbage = Garbage()
    garbage.itself = garbage
    gone = weakref.ref(garbage)
    del garbage
    assert gone() is not None
    await offload(divmod, 7, 2)
    assert gone() is None
    ends.set()
    await working


async def test_an_error_puts_back_what_was_changed() -> None:
    sys.setswitchinterval(0.02)
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 7, 0)
    assert (sys.getswitchinterval(), gc.isenabled()) == (pytest.approx(0.02, abs=2e-6), True)


async def test_what_the_application_sets_meanwhile_stays_and_what_it_had_switched_off_stays_off() -> None:
    gc.disable()
    await offload(sys.setswitchinterval, 0.03)
    assert (sys.getswitchinterval(), gc.isenabled()) == (pytest.approx(0.03, abs=2e-6), False)


async def test_shorter_turns_than_ours_are_left_alone() -> None:
    sys.setswitchinterval(0.0002)
    before = sys.getswitchinterval()
    assert await offload(sys.getswitchinterval) == pytest.approx(before, abs=2e-6)
