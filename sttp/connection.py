"""A connection: one stream and one session, and what moves bytes between them.

It knows neither which role the session plays nor who dialed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from math import inf
from time import monotonic
from typing import Final, Generic, TypeVar

from sttp.alarm import Alarm
from sttp.errors import SilenceError, STTPError, TransportError
from sttp.inlet import open_inlet
from sttp.outlet import WRITE_TIMEOUT, Outlet
from sttp.session.base import Session
from sttp.session.events import Ended
from sttp.statistics import Tally
from sttp.transport.contract import ByteStream

__all__ = ["Connection"]

E = TypeVar("E")

READ_SIZE: Final = 256 * 1024
"""Bytes taken from the stream at once, if nothing else is said: all data packets in them become one batch."""

UNSENT_SIZE: Final = 64 * 1024
"""Bytes of answers that may wait behind those being sent; beyond it nothing is read until the peer has taken some. So
a peer that asks and asks and does not read fills its own buffers, not our memory. Data does not count: see `supply`."""

REST_SIZE: Final = 4096
"""Bytes read at once of what nobody will look at: a thousand strangers may be on their way out together."""

LINGER: Final = 1.0
"""Seconds to wait, after our last byte, for the peer to end its side too: what we sent last is then not lost (3.4)."""


@dataclass(slots=True)
class Connection(Generic[E]):
    """One stream and one session.

    Attributes:
        stream: carries the bytes; it is closed when `run` returns.
        session: decides everything.
        handle: takes the events, one after another. While it is busy nothing is read: that is the backpressure.
        ended: called when the session has ended, which may be long before `run` returns.
        handle_now: takes an event without waiting and returns True, or leaves it to `handle` and returns False.
        supply: called while there is room to send; it gives the session more to say, and tells whether it did.
        tally: counts bytes.
        read_size: bytes taken from the stream at once. What they say is done in one go, before anyone else's turn.
    """

    stream: ByteStream
    session: Session[E]
    handle: Callable[[E], Awaitable[None]]
    _: KW_ONLY
    ended: Callable[[], None] = lambda: None
    handle_now: Callable[[E], bool] = lambda event: False
    supply: Callable[[], bool] = lambda: False
    tally: Tally = field(default_factory=Tally)
    read_size: int = READ_SIZE
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: asyncio.Event = field(default_factory=asyncio.Event)
    _handling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _events: deque[E | Ended] = field(default_factory=deque)
    _error: STTPError | None = None
    _over: bool = False
    _may_send_now: bool = True
    _outlet: Outlet = field(init=False)
    _alarm: Alarm = field(init=False)
    _waits_until: float = inf

    def __post_init__(self) -> None:
        self._outlet = Outlet(self.stream, self.session, supply=self.supply, tally=self.tally)
        self._alarm = Alarm(self._wake.set)

    async def run(self) -> STTPError | None:
        """Move bytes until the session has ended.

        Cancelling aborts the stream.

        Returns:
            Why it ended; None after an orderly end by either side.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read())
                await self._write()
                if not isinstance(self._error, SilenceError):  # who says nothing will not end its side either
                    await self._finish(reading)
                reading.cancel()
            await self._handle_events()
        except asyncio.CancelledError:
            # how much was sent nobody knows, so there is nothing to end in order and nobody to wait for
            self.stream.abort()
            raise
        finally:
            self._over = True
            self._may_send_now = False
            self._idle.set()
            self._alarm.cancel()
            self._outlet.cancel()
            await self.stream.close()
        return self._error

    def wake(self, *, at_once: bool = False) -> None:
        """Say that the session, or the source of `supply`, has more to send.

        Args:
            at_once: what there is goes out before this returns, if it is the first in this turn of the event loop, the
                stream can do that, and nothing else is on its way. Otherwise all goes together at the end of the turn.

        It raises nothing.
        """
        if at_once and self._may_send_now and self._idle.is_set():
            # whatever else comes in this turn of the event loop goes together, even what comes while this is sent
            self._may_send_now = False
            has_gone = self._outlet.send_now()
            asyncio.get_running_loop().call_soon(self._begin_turn)
            if has_gone and not self._wake.is_set():
                return
        self._wake.set()
        if not self._over:
            self._idle.clear()

    def _begin_turn(self) -> None:
        self._may_send_now = not self._over

    async def drained(self) -> None:
        """Wait until the stream has taken all that there is to send, or the connection has ended."""
        await self._idle.wait()

    # --- receiving

    async def _read(self) -> None:
        session = self.session
        inlet = open_inlet(
            self.stream, session, tally=self.tally, read_size=self.read_size, act=self._handle_what_needs_no_waiting
        )
        while not session.ended:
            session.listen(now=monotonic())
            await inlet.receive()
            more = is_first = True
            while more:
                # an answer may bring about the next event: commands are handled one after another (9.3)
                more = await self._handle_some()
                session.listen(now=monotonic())
                if session.is_due(before=self._waits_until):
                    self.wake()
                if more or is_first:
                    await self._room()
                is_first = False

    def _handle_what_needs_no_waiting(self) -> bool:
        """Handle what has happened; return False when something is left for the loop, or it must not read on."""
        if self._handling.locked():
            return False
        events = self._events
        events += self.session.events()
        while events:
            event = events[0]
            if isinstance(event, Ended) or not self.handle_now(event):
                return False
            events.popleft()
        if not self.session.is_due(before=self._waits_until):
            return True
        self.wake()
        return not self._is_in_arrears

    async def _room(self) -> None:
        """Give others their turn, and wait until the peer has taken most of what was said to it."""
        await asyncio.sleep(0)
        while self._is_in_arrears and not self.session.ended:
            self._taken.clear()
            await self._taken.wait()

    @property
    def _is_in_arrears(self) -> bool:
        """Whether the peer has still to take too much of what was said to it."""
        return self.session.unsent > UNSENT_SIZE

    async def _handle_events(self) -> None:
        while await self._handle_some():
            pass

    async def _handle_some(self) -> bool:
        """Handle what has happened, but not what that leads to; return whether anything has happened."""
        async with self._handling:
            self._events += self.session.events()
            for _ in range(count := len(self._events)):
                event = self._events.popleft()
                if isinstance(event, Ended):
                    self._error = event.error
                    self.ended()
                else:
                    await self.handle(event)
        return bool(count)

    # --- sending

    async def _write(self) -> None:
        session, outlet = self.session, self._outlet
        while True:
            self._wake.clear()
            output, is_all = outlet.gather()
            self._taken.set()
            if output or outlet.is_waited_for:
                await self._send(output)
            elif session.ended:
                return
            elif not is_all:
                await asyncio.sleep(0)  # much was looked at, and nothing of it was for this peer
            if is_all and not session.ended:
                await self._wait()

    async def _send(self, output: list[bytes]) -> None:
        try:
            await self._outlet.send(output)
        except TransportError as error:
            self.session.lose(error, now=monotonic())
            await self._handle_events()

    async def _wait(self) -> None:
        deadline = self._deadline
        if deadline is not None:
            self._alarm.set(deadline)
        self._waits_until = inf if deadline is None else deadline
        if not self._wake.is_set():  # else more has come while the last was being sent
            self._idle.set()
        await self._wake.wait()
        self._idle.clear()
        deadline = self._deadline
        if deadline is not None and deadline <= monotonic():
            self.session.handle_deadline(now=monotonic())
            await self._handle_events()

    @property
    def _deadline(self) -> float | None:
        """When something is due; None for never, and while events are being handled."""
        # then nobody listens, so that nobody can be blamed for silence; whoever reads puts it off and wakes us
        return None if self._handling.locked() else self.session.deadline

    async def _finish(self, reading: asyncio.Task[None]) -> None:
        """End our side, then give the peer a moment to read what we sent last."""
        with suppress(TransportError, TimeoutError):
            async with asyncio.timeout(WRITE_TIMEOUT):  # with TLS it is said in bytes, and the peer may take none
                await self.stream.send_eof()
            async with asyncio.timeout(LINGER):
                await reading
                rest = bytearray(REST_SIZE)
                while await self.stream.receive_into(rest):
                    pass
