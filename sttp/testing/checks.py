"""What a check is, and how one runs: in an event loop of its own, watched from outside."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from sttp.testing.subject import BrokenPromiseError, Subject
from sttp.transport import ByteStream

__all__ = ["PATIENCE", "Check", "LoopFactory", "check", "run_check", "stream_check"]

PATIENCE: Final = 30.0
"""Seconds that a check may take, unless told otherwise."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
"""What makes an event loop."""

_BLOCKED_S: Final = 3.0
"""How long the event loop may stand still; a machine that is merely busy is never that slow."""

_BEAT_S: Final = 0.05
_GRACE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A question to a transport.

    Attributes:
        name: as it stands in the test report, after `test_`.
        promise: what is promised, in one sentence.
        needs: the `Requirements` without which it cannot be asked.
        since: the version of the kit that brought it.
        ask: asks it.
    """

    name: str
    promise: str
    needs: tuple[str, ...]
    since: int
    ask: Callable[[Subject], Awaitable[None]]


def check(*needs: str, since: int = 1) -> Callable[[Callable[[Subject], Awaitable[None]]], Check]:
    """Make a coroutine function a check; its name and docstring become those of the check."""

    def decorate(ask: Callable[[Subject], Awaitable[None]]) -> Check:
        promised = (ask.__doc__ or "").strip().partition("\n")[0]
        return Check(name=ask.__name__, promise=promised, needs=needs, since=since, ask=ask)

    return decorate


def stream_check(
    *needs: str, since: int = 1
) -> Callable[[Callable[[Subject, ByteStream, ByteStream], Awaitable[None]]], Check]:
    """Make a check of what is done with a pair of streams: once with either end first."""

    def decorate(ask: Callable[[Subject, ByteStream, ByteStream], Awaitable[None]]) -> Check:
        async def both_ways(subject: Subject) -> None:
            for flipped in (False, True):
                async with subject.pair(flipped=flipped) as (left, right):
                    await ask(subject, left, right)

        both_ways.__name__ = ask.__name__
        both_ways.__doc__ = ask.__doc__
        return check(*needs, since=since)(both_ways)

    return decorate


@dataclass(eq=False)
class _Watch:
    """What the loop tells whoever watches it."""

    beat: float = field(default_factory=monotonic)
    over: threading.Event = field(default_factory=threading.Event)
    verdict: BaseException | None = None

    async def beating(self) -> None:
        while True:
            self.beat = monotonic()
            await asyncio.sleep(_BEAT_S)


def run_check(
    asked: Check, subject: Subject, *, patience: float = PATIENCE, loop_factory: LoopFactory | None = None
) -> None:
    """Ask a transport one thing. It takes an event loop in a thread, so a loop that is blocked is found too.

    Args:
        asked: what.
        subject: whom.
        patience: how many seconds it may take.
        loop_factory: makes the event loop; None for that of asyncio.

    Raises:
        BrokenPromiseError: the promise is not kept.
        Exception: whatever else leaves the transport.
    """
    watch = _Watch()
    thread = threading.Thread(
        target=_work, args=(asked, subject, patience, watch, loop_factory), name=asked.name, daemon=True
    )
    thread.start()
    deadline = monotonic() + patience + 2 * _GRACE_S
    while not watch.over.wait(_BEAT_S):
        if (still := monotonic() - watch.beat) > _BLOCKED_S:
            raise BrokenPromiseError(f"the event loop has been blocked for {still:.1f} s:\n{_stack_of(thread)}")
        if monotonic() > deadline:
            raise BrokenPromiseError(f"it did not end within {patience:g} s, and not when it was cancelled either")
    thread.join(_GRACE_S)
    if watch.verdict is not None:
        raise watch.verdict


def _work(asked: Check, subject: Subject, patience: float, watch: _Watch, loop_factory: LoopFactory | None) -> None:
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_watched(asked, subject, patience, watch))
    except BaseException as error:  # noqa: BLE001 - it is raised again by whoever waits
        watch.verdict = watch.verdict or error
    finally:
        watch.over.set()


async def _watched(asked: Check, subject: Subject, patience: float, watch: _Watch) -> None:
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    beating = asyncio.create_task(watch.beating())
    try:
        await _in_time(asked, subject, patience)
        await _nothing_left(beating)
    except BaseException as error:  # noqa: BLE001 - as above
        watch.verdict = error
    if unhandled and watch.verdict is None:
        context = unhandled[0]
        watch.verdict = BrokenPromiseError(f"something failed unseen: {context['message']}")
        watch.verdict.__cause__ = context.get("exception")
    beating.cancel()
    watch.over.set()  # whatever has been left behind may keep the loop from closing


async def _in_time(asked: Check, subject: Subject, patience: float) -> None:
    try:
        async with asyncio.timeout(patience) as limit:
            await asked.ask(subject)
    except TimeoutError as error:
        if limit.expired():
            raise BrokenPromiseError(f"it waits for something that does not come, for {patience:g} s") from error
        raise


async def _nothing_left(beating: asyncio.Task[None]) -> None:
    ours = {asyncio.current_task(), beating}
    deadline = monotonic() + _GRACE_S
    while left := asyncio.all_tasks() - ours:
        if monotonic() > deadline:
            raise BrokenPromiseError(f"tasks are left behind: {', '.join(map(repr, left))}")
        await asyncio.wait(left, timeout=_BEAT_S)


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)[-6:]) if frame else ""
