"""An asynchronous object in a thread of its own, for callers that want to wait for it.

One object has one thread with one event loop, from `start` to `stop`. Programs have few publishers and subscribers, and
a thread is cheap. So nothing is shared: there is no count of users that tells when a common loop may end, and an object
that keeps its loop busy, or is interrupted, holds up nobody else. A loop that runs in the caller's thread, as in
Jupyter, is neither used nor disturbed.

The whole life of the object, from entering to leaving its `async with`, is one coroutine in that thread. After it,
`asyncio.Runner` cancels what is left and closes the loop; only then does `stop` return.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, Generic, TypeVar

from sttp.errors import ClosedError, UsageError

__all__ = ["Background"]

A = TypeVar("A", bound=AbstractAsyncContextManager[Any])
R = TypeVar("R")

CUT_TIMEOUT: Final = 1.0
"""Seconds that an interrupted `stop` gives the object to end at once."""

SLICE: Final = 0.2
"""Seconds between two looks of the main thread for Ctrl-C."""


class Background(Generic[A]):
    """Runs an asynchronous object, and lets any thread wait for what it does.

    Args:
        target: the object. From `start` to `stop` it is touched in its own thread only.
    """

    def __init__(self, target: A) -> None:
        self._target = target
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._life: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._entered: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._accepting = False
        self._stopped = False

    # --- from any other thread

    def start(self) -> None:
        """Start the thread and enter the object there. When the interpreter exits, what still runs is stopped.

        Raises:
            UsageError: it was started before.
            Exception: whatever entering the object raises.
        """
        with self._lock:
            if self._stopped:
                raise ClosedError("this has been closed and cannot be opened again; make a new one")
            if self._thread is not None:
                raise UsageError("this is open already")
            self._loop = loop = asyncio.new_event_loop()
            # a daemon, because the interpreter waits for all others before it calls what is registered for its exit
            name = f"sttp {type(self._target).__name__.lower()}"
            self._thread = thread = threading.Thread(target=self._run, args=(loop,), name=name, daemon=True)
        try:
            atexit.register(self.stop)
            self._begin(thread, loop)
            _result(self._entered)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave the object, end its loop and its thread. Whoever waits for it gets `ClosedError`. Again: no effect.

        Leaving may take a while, for the peers' sake; an interrupt (Ctrl-C) cuts it short.

        Raises:
            Exception: whatever the object has failed with; the first time only.
        """
        self._must_be_outside()
        with self._lock:
            again, self._stopped = self._stopped, True
            self._accepting = False
            thread = self._thread
        if thread is None:
            return
        try:
            self._tell(self._ask_to_leave)
            _wait(self._ended)
        except BaseException:
            self._tell(self._cut)
            concurrent.futures.wait([self._ended], CUT_TIMEOUT)
            raise
        finally:
            atexit.unregister(self.stop)
        if thread.is_alive():
            thread.join()
        if not again:
            self._ended.result()

    def wait(self, begin: Callable[[A], Coroutine[Any, Any, R]], timeout: float | None = None) -> R:
        """Run a coroutine of the object, and wait for its result. An interrupt (Ctrl-C) cancels it.

        Args:
            begin: makes the coroutine.
            timeout: longest time to wait, in seconds; None for any time.

        Raises:
            UsageError: the object has not been started.
            ClosedError: it has been stopped, before or meanwhile.
            TimeoutError: the time is over. The coroutine has been cancelled.
            Exception: whatever the coroutine raises.
        """
        self._must_be_outside()
        call = _Call(lambda: begin(self._target), timeout)
        try:
            self._accept(call)
            return _result(call.result)
        except BaseException:
            self._tell(call.cancel)  # when it is done already, without effect
            raise

    def call(self, function: Callable[[A], R]) -> R:
        """Call a function with the object in its thread; in the caller's before the start and after the stop.

        Raises:
            Exception: whatever the function raises.
        """
        called = False

        async def call(target: A) -> R:
            nonlocal called
            called = True
            return function(target)

        if self._entered.done():
            try:
                return self.wait(call)
            except ClosedError:
                if called:
                    raise
            _wait(self._ended)
        return function(self._target)

    def _begin(self, thread: threading.Thread, loop: asyncio.AbstractEventLoop) -> None:
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            loop.close()
            self._ended.set_result(None)
            raise

    def _accept(self, call: _Call[Any]) -> None:
        with self._lock:
            if self._accepting:
                self._tell(call.begin)
            elif not self._stopped and not self._entered.done():
                raise UsageError("this is not open yet: use it in a with statement, or call open()")
            else:
                raise ClosedError("this has been closed")

    def _tell(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has been closed: there is nobody left to be told
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback)

    def _must_be_outside(self) -> None:
        if threading.current_thread() is self._thread:
            raise UsageError("called in the thread of the event loop, which would wait for itself")

    # --- in its own thread

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        lived = False
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._live())
                lived = True
        except BaseException as error:  # noqa: BLE001 - handed to whoever stops
            cut = isinstance(error, asyncio.CancelledError)
            # CPython 3.12.1 cannot end the loop's helper threads when the interpreter exits, but has closed the loop
            if not cut and not (lived and isinstance(error, RuntimeError)):
                self._ended.set_exception(error)
                return
        self._ended.set_result(None)

    async def _live(self) -> None:
        self._life = asyncio.current_task()
        try:
            if self._leave.is_set():
                raise ClosedError("this has been closed")
            async with self._target:
                with self._lock:
                    self._accepting = not self._stopped
                self._entered.set_result(None)
                await self._leave.wait()
        except BaseException as error:
            if self._entered.done():
                raise
            closed = isinstance(error, asyncio.CancelledError)
            self._entered.set_exception(ClosedError("this has been closed meanwhile") if closed else error)
        finally:
            with self._lock:
                self._accepting = False
            # whatever was accepted before becomes a task now, so that the runner finds and cancels it
            await asyncio.sleep(0)

    def _ask_to_leave(self) -> None:
        self._leave.set()
        if not self._entered.done():
            self._cut()

    def _cut(self) -> None:
        if self._life is not None:
            self._life.cancel()


class _Call(Generic[R]):
    """A coroutine that a thread waits for.

    Attributes:
        result: what the coroutine returned or raised; `ClosedError` when it was cancelled.
    """

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, R]], timeout: float | None) -> None:
        self.result: Future[R] = Future()
        self._begin = begin
        self._timeout = timeout
        self._task: asyncio.Task[R] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> R:
        # the time runs out here, not in the thread that waits: a result is delivered, or not taken at all
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                return await self._begin()
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"nothing within {self._timeout:g} s") from None
            raise

    def _done(self, task: asyncio.Task[R]) -> None:
        if task.cancelled():
            self.result.set_exception(ClosedError("this has been closed meanwhile"))
        elif (error := task.exception()) is not None:
            self.result.set_exception(error)
        else:
            self.result.set_result(task.result())


def _wait(future: Future[Any]) -> None:
    """Wait until it is done, whichever way; an interrupt is noticed.

    A signal does not end the wait for a lock when it comes just before, and on Windows never. So the main thread, which
    is the one that is interrupted, does not wait for long.
    """
    limit = SLICE if threading.current_thread() is threading.main_thread() else None
    while concurrent.futures.wait([future], limit).not_done:
        pass


def _result(future: Future[R]) -> R:
    _wait(future)
    return future.result()
