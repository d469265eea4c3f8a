"""Offloading: what takes long happens in another thread, and the event loop goes on meanwhile.

Two habits of the interpreter would let the event loop stand still all the same, so they are changed meanwhile, in the
whole process:

* Whoever waits for the interpreter asks for it after an interval, 5 ms unless told otherwise. An event loop gives its
  place up at every call of the system, so one turn of it would wait many times for 5 ms behind a thread that computes.
* A search for garbage looks at everything that is new, in one go. Columns of a hundred thousand cells are made and
  dropped here, and to look at them while they live takes longer than a turn of the event loop may. So it waits until
  nothing is offloaded any more; or, where there is always something, comes every few seconds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final, ParamSpec, TypeVar

__all__ = ["offload"]

P = ParamSpec("P")
R = TypeVar("R")

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a thread that waits for the interpreter asks for it, while something is offloaded."""

LONGEST_WITHOUT: Final = 5.0
"""Seconds without a search for garbage, after which one is made when something more is offloaded, or has been done."""


async def offload(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in another thread, and wait for it. Cancelling does not stop the function.

    Raises:
        Exception: whatever the function raises.
    """

    def call() -> R:
        with _considerate:
            return function(*args, **kwargs)

    return await asyncio.to_thread(call)


class _Considerate:
    """While any thread is in this context, threads take turns more often and nobody searches for garbage.

    An interval that the application sets meanwhile stays. If garbage was searched for before, it is afterwards.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._interval = self._ours = 0.0
        self._collects = False
        self._since = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._interval, self._collects = sys.getswitchinterval(), gc.isenabled()
                sys.setswitchinterval(min(self._interval, SWITCH_INTERVAL))
                self._ours = sys.getswitchinterval()
                gc.disable()
                self._since = monotonic()
            else:
                self._collect_after_long()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                self._collect_after_long()
                return
            # if somebody has set it meanwhile, that is what it shall be
            if sys.getswitchinterval() == self._ours:
                sys.setswitchinterval(self._interval + 5e-7)  # it is cut to whole microseconds
            if self._collects:
                gc.enable()

    def _collect_after_long(self) -> None:
        # where one call overlaps the next all the time, garbage would grow without end
        if self._collects and monotonic() - self._since > LONGEST_WITHOUT:
            gc.collect(1)
            self._since = monotonic()


_considerate: Final = _Considerate()
