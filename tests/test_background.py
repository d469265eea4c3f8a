from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

import pytest

from interrupting import interrupt
from running import PATIENCE
from sttp.background import Background
from sttp.errors import ClosedError, TransportError, UsageError

Gate = Callable[[], None] | None


class Target:
    """Tells in which tasks it was entered, used and left; may fail, or take for ever, at each."""

    def __init__(self, *, entering: Gate = None, leaving: Gate = None) -> None:
        self.tasks: list[asyncio.Task[object] | None] = []
        self.cancelled = threading.Event()
        self._entering = entering
        self._leaving = leaving

    async def __aenter__(self) -> Self:
        await self._pass(self._entering)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pass(self._leaving)

    async def _pass(self, gate: Gate) -> None:
        self.tasks.append(asyncio.current_task())
        if gate is not None:
            gate()
            await self.forever()

    async def answer(self) -> int:
        return 42

    async def fail(self) -> None:
        raise TransportError("unreachable")

    async def forever(self, then: Callable[[], object] = lambda: None) -> None:
        """Say that it waits, and wait until it is cancelled."""
        then()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def raise_transport_error() -> None:
    raise TransportError("address in use")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def background(target: Target) -> Iterator[Background[Target]]:
    """One that is running."""
    background = Background(target)
    background.start()
    yield background
    background.stop()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_a_result_comes_back(background: Background[Target]) -> None:
    assert background.wait(Target.answer) == 42


def test_an_exception_comes_back_as_it_is(background: Background[Target]) -> None:
    with pytest.raises(TransportError, match="unreachable"):
        background.wait(Target.fail)


def test_one_task_of_another_thread_enters_and_leaves(target: Target) -> None:
    """A task group, for one, must be left by the task that entered it."""
    background = Background(target)
    background.start()
    threads = {background.wait(_thread), background.wait(_thread)}
    background.stop()
    assert len(threads) == 1
    assert threading.current_thread() not in threads
    entered, left = target.tasks
    assert entered is left


async def _thread(_: Target) -> threading.Thread:
    return threading.current_thread()


def test_a_failure_to_enter_is_raised_by_start() -> None:
    background = Background(Target(entering=raise_transport_error))
    with pytest.raises(TransportError, match="address in use"):
        background.start()
    with pytest.raises(ClosedError):
        background.wait(Target.answer)


def test_a_failure_to_leave_is_raised_by_stop_once() -> None:
    background = Background(Target(leaving=raise_transport_error))
    background.start()
    with pytest.raises(TransportError, match="address in use"):
        background.stop()
    background.stop()


def test_a_failure_meanwhile_is_raised_by_stop(pool: ThreadPoolExecutor) -> None:
    """As a task group does that one of its tasks has failed."""
    target = Target()
    background = Background(target)
    background.start()
    waiting = threading.Event()
    call = pool.submit(background.wait, lambda target: target.forever(waiting.set))
    assert waiting.wait(PATIENCE)
    life = target.tasks[0]
    assert life is not None
    background.call(lambda _: life.cancel())
    with pytest.raises(ClosedError):
        call.result(PATIENCE)
    with pytest.raises(ClosedError):
        background.wait(Target.answer)
    background.stop()


def test_nothing_can_be_waited_for_before_the_start(target: Target) -> None:
    with pytest.raises(UsageError, match="not open yet"):
        Background(target).wait(Target.answer)


def test_nothing_can_be_waited_for_after_the_stop(target: Target) -> None:
    background = Background(target)
    background.start()
    background.stop()
    with pytest.raises(ClosedError):
        background.wait(Target.answer)


def test_it_starts_once(background: Background[Target]) -> None:
    with pytest.raises(UsageError, match="open already"):
        background.start()
    background.stop()
    with pytest.raises(ClosedError):
        background.start()


def test_what_was_never_started_can_be_stopped(target: Target) -> None:
    background = Background(target)
    background.stop()
    with pytest.raises(ClosedError):
        background.start()
    assert target.tasks == []


def test_a_function_can_be_called_at_any_time(target: Target) -> None:
    background = Background(target)
    counts = [background.call(lambda target: len(target.tasks))]
    background.start()
    counts.append(background.call(lambda target: len(target.tasks)))
    background.stop()
    counts.append(background.call(lambda target: len(target.tasks)))
    assert counts == [0, 1, 2]


def test_a_function_is_called_where_the_object_lives(background: Background[Target]) -> None:
    assert background.call(lambda _: threading.current_thread()) is background.wait(_thread)


def test_a_function_that_meets_something_closed_is_called_once(background: Background[Target]) -> None:
    calls = []

    def meet(_: Target) -> None:
        calls.append(True)
        raise ClosedError("something else")

    with pytest.raises(ClosedError, match="something else"):
        background.call(meet)
    assert len(calls) == 1


def test_a_timeout_cancels(background: Background[Target], target: Target) -> None:
    with pytest.raises(TimeoutError, match=r"nothing within 0\.01 s"):
        background.wait(Target.forever, 0.01)
    assert target.cancelled.is_set()


def test_a_timeout_of_the_coroutine_itself_is_kept(background: Background[Target]) -> None:
    async def time_out(_: Target) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        background.wait(time_out, PATIENCE)


def test_what_is_there_at_once_needs_no_time(background: Background[Target]) -> None:
    assert background.wait(Target.answer, 0) == 42


def test_stopping_ends_what_other_threads_wait_for(
    background: Background[Target], target: Target, pool: ThreadPoolExecutor
) -> None:
    waiting = threading.Event()
    call = pool.submit(background.wait, lambda target: target.forever(waiting.set))
    assert waiting.wait(PATIENCE)
    background.stop()
    assert target.cancelled.is_set()
    with pytest.raises(ClosedError):
        call.result(PATIENCE)


def test_no_call_is_forgotten_when_it_meets_the_stop(target: Target) -> None:
    """Whatever the moment: each call is answered or raises `ClosedError`, and none waits for ever."""

    def ask() -> int:
        answers = 0
        with suppress(ClosedError):
            while True:
                answers += background.wait(Target.answer) == 42
                asking.set()
        return answers

    for _ in range(20):
        background, asking = Background(Target()), threading.Event()
        background.start()
        with ThreadPoolExecutor() as pool:
            calls = [pool.submit(ask) for _ in range(4)]
            assert asking.wait(PATIENCE)
            background.stop()
            assert sum(call.result(PATIENCE) for call in calls) > 0


def test_stopping_ends_an_opening(pool: ThreadPoolExecutor) -> None:
    entering = threading.Event()
    background = Background(Target(entering=entering.set))
    start = pool.submit(background.start)
    assert entering.wait(PATIENCE)
    background.stop()
    with pytest.raises(ClosedError):
        start.result(PATIENCE)


def test_while_it_opens_nothing_can_be_waited_for(pool: ThreadPoolExecutor) -> None:
    entering = threading.Event()
    background = Background(Target(entering=entering.set))
    start = pool.submit(background.start)
    assert entering.wait(PATIENCE)
    with pytest.raises(UsageError, match="not open yet"):
        background.wait(Target.answer)
    assert background.call(lambda target: len(target.tasks)) == 1
    background.stop()
    assert isinstance(start.exception(PATIENCE), ClosedError)


def test_several_threads_may_stop_it(target: Target, pool: ThreadPoolExecutor) -> None:
    background = Background(target)
    background.start()
    for stop in [pool.submit(background.stop) for _ in range(4)]:
        stop.result(PATIENCE)
    assert len(target.tasks) == 2


@pytest.mark.parametrize("call", [Background.start, Background.stop, lambda background: background.wait(Target.answer)])
def test_its_own_thread_is_not_made_to_wait_for_itself(
    background: Background[Target], call: Callable[[Background[Target]], object]
) -> None:
    with pytest.raises(UsageError):
        background.call(lambda _: call(background))
    assert background.wait(Target.answer) == 42


def test_without_threads_nothing_is_left(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    background = Background(target)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        background.start()
    background.stop()
    with pytest.raises(ClosedError):
        background.wait(Target.answer)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that are sent to a thread")
def test_ctrl_c_cancels_what_is_waited_for(background: Background[Target], target: Target) -> None:
    with pytest.raises(KeyboardInterrupt):
        background.wait(lambda target: target.forever(interrupt))
    assert target.cancelled.wait(PATIENCE)
    assert background.wait(Target.answer) == 42


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that are sent to a thread")
def test_ctrl_c_while_entering_leaves_nothing() -> None:
    target = Target(entering=interrupt)
    with pytest.raises(KeyboardInterrupt):
        Background(target).start()
    assert target.cancelled.is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that are sent to a thread")
def test_ctrl_c_while_leaving_cuts_it_short() -> None:
    target = Target(leaving=interrupt)
    background = Background(target)
    background.start()
    with pytest.raises(KeyboardInterrupt):
        background.stop()
    assert target.cancelled.is_set()
    background.stop()


def test_what_still_runs_is_left_when_the_interpreter_exits() -> None:
    script = """
from contextlib import asynccontextmanager
from sttp.background import Background

@asynccontextmanager
async def target():
    print("entered")
    yield
    print("left")

Background(target()).start()
print("end of script")
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.stdout.split("\n"), done.stderr) == (["entered", "end of script", "left", ""], "")
