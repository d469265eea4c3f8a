"""A vigil over connections that were admitted: whoever is no longer trusted is disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

from sttp.errors import TrustError
from sttp.security.reasons import Reason
from sttp.security.security import Security
from sttp.security.trust import Presented, Trust

__all__ = ["Vigil", "changes"]

INTERVAL: Final = 0.4
"""Seconds between two looks at a security folder, so that a change takes effect within one second."""


class Vigil:
    """Watches over one connection, from `keep` to `end`. All of one event loop share one timer for each `Security`.

    Args:
        security: what is watched.
        presented: what the other end of the connection has shown.
        withdrawn: called when it is no longer trusted, once; it has to cut the connection.
    """

    def __init__(self, security: Security, presented: Presented, withdrawn: Callable[[TrustError], None]) -> None:
        self.presented = presented
        self.withdrawn = withdrawn
        self._security = security
        self._rounds: _Rounds | None = None

    def keep(self) -> None:
        """Begin."""
        self._rounds = _Rounds.of(self._security)
        self._rounds.add(self)

    def end(self) -> None:
        """The connection is over. Again: no effect."""
        if self._rounds is not None:
            self._rounds.remove(self)
            self._rounds = None


async def changes(security: Security) -> AsyncIterator[Trust]:
    """What is trusted, each time that it has become something else."""
    before = security.trust
    while True:
        await asyncio.sleep(INTERVAL)
        security.refresh()
        if security.trust is not before:
            before = security.trust
            yield before


class _Rounds:
    """The timer of one security folder in one event loop. It runs while there is somebody to watch over."""

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Security, _Rounds]]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop, security: Security) -> None:
        self._loop = loop
        self._security = security
        self._trust = security.trust
        self._vigils: set[Vigil] = set()
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, security: Security) -> _Rounds:
        loop = asyncio.get_running_loop()
        of_loop = cls._all.setdefault(loop, {})
        if security not in of_loop:
            of_loop[security] = cls(loop, security)
        return of_loop[security]

    def add(self, vigil: Vigil) -> None:
        self._vigils.add(vigil)
        if self._timer is None:
            self._trust = self._security.trust
            self._timer = self._loop.call_later(INTERVAL, self._look)

    def remove(self, vigil: Vigil) -> None:
        self._vigils.discard(vigil)
        self._rest()

    def _rest(self) -> None:
        if not self._vigils and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._all[self._loop].pop(self._security, None)

    def _look(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._look)
        self._security.refresh()
        if self._security.trust is self._trust:  # somebody else may have refreshed it
            return
        self._trust = self._security.trust
        for vigil in tuple(self._vigils):
            error = self._security.still_admits(vigil.presented)
            if error is not None and vigil in self._vigils:
                self._vigils.discard(vigil)
                vigil.withdrawn(TrustError(f"no longer trusted: {error.reason}", code=Reason.TRUST_WITHDRAWN))
        self._rest()
