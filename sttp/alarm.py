"""An alarm that costs next to nothing to set again and again: it may ring too early, and never too late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

__all__ = ["Alarm"]


class Alarm:
    """Calls something when a time has come, or before.

    A deadline that is put off at every packet would cost a timer of the event loop each time. Here a timer that is set
    already stays where the new time is later; whoever is rung up looks whether it is due, and sets the alarm again.

    Args:
        ring: called in the event loop.
    """

    __slots__ = ("_at", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def set(self, at: float) -> None:
        """Ring at this time, on the clock of `time.monotonic`, or before."""
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = asyncio.get_running_loop().call_later(max(at - monotonic(), 0), self._due)

    def cancel(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._ring()
