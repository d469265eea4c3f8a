"""Cancelling an operation at any of its awaits."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sttp.testing.subject import BrokenPromiseError

__all__ = ["Outcome", "cancelled_at", "ends_when_cancelled"]

T = TypeVar("T")

MOST_AWAITS: Final = 100
"""An operation that suspends more often than this is not tried further."""

_AT_ONCE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """How an operation ended that was cancelled somewhere.

    Attributes:
        at: at which of its suspensions, from 0.
        result: what it returned; None when it was cancelled.
        cancelled: whether it was.
        last: it had ended before it could be cancelled, so there is nothing more to try.
    """

    at: int
    result: T | None
    cancelled: bool
    last: bool


async def cancelled_at(at: int, operation: Callable[[], Coroutine[Any, Any, T]]) -> Outcome[T]:
    """Run an operation, and cancel it when it suspends for the n-th time.

    Args:
        at: n, from 0.
        operation: starts it.
    """
    reached = []

    def cancel() -> None:
        reached.append(True)
        task.cancel()

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(_driven(operation(), at, lambda: loop.call_soon(cancel)))
    await asyncio.wait({task})
    if task.cancelled():
        return Outcome(at=at, result=None, cancelled=True, last=False)
    return Outcome(at=at, result=task.result(), cancelled=False, last=not reached or at >= MOST_AWAITS)


async def _driven(operation: Coroutine[Any, Any, T], at: int, interrupt: Callable[[], object]) -> T:
    return await _stepwise(operation, at, interrupt)


@types.coroutine
def _stepwise(operation: Coroutine[Any, Any, T], at: int, interrupt: Callable[[], object]) -> Generator[Any, Any, T]:
    """Pass on what the operation waits for, and interrupt at one of the times that it does."""
    count = 0
    try:
        waiting = operation.send(None)
        while True:
            if count == at:
                interrupt()
            count += 1
            try:
                value = yield waiting
            except BaseException as error:  # noqa: BLE001 - it is for the operation
                waiting = operation.throw(error)
            else:
                waiting = operation.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def ends_when_cancelled(waiting: asyncio.Task[Any], what: str) -> None:
    """Cancel a call that waits, and see that it ends, cancelled.

    Raises:
        BrokenPromiseError: it goes on, or ends as if nothing had been.
    """
    if waiting.done():
        raise BrokenPromiseError(f"{what} did not wait")
    waiting.cancel()
    done, _ = await asyncio.wait({waiting}, timeout=_AT_ONCE_S)
    if not done:
        raise BrokenPromiseError(f"{what} swallows cancellation and goes on")
    if not waiting.cancelled():
        raise BrokenPromiseError(f"{what} swallows cancellation and ends as if nothing had been")
