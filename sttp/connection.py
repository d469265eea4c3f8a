"""A connection: one stream and one session, and the only loop that moves bytes between them.

It knows neither which role the session plays nor who dialed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from math import inf
from time import monotonic
from typing import Final, Generic, TypeVar

from sttp.alarm import Alarm
from sttp.errors import SilenceError, STTPError, TransportError
from sttp.inlet import open_inlet
from sttp.session.base import Session
from sttp.session.events import Ended
from sttp.statistics import Tally
from sttp.transport.contract import ByteStream, PromptStream

__all__ = ["Connection"]

E = TypeVar("E")

READ_SIZE: Final = 256 * 1024
"""Bytes taken from the stream at once, if nothing else is said: all data packets in them become one batch."""

WRITE_SIZE: Final = 64 * 1024
"""Bytes gathered before they are written; more is left to the source until the stream has taken these."""

PIECE_SIZE: Final = 256 * 1024
"""Most bytes that are written at once: what is longer, such as metadata, goes in pieces."""

TURN: Final = 0.005
"""Seconds after which what has been gathered is written, however little it is: others are waiting for their turn."""

UNSENT_SIZE: Final = 64 * 1024
"""Bytes of answers that may wait behind those being sent; beyond it nothing is read until the peer has taken some. So
a peer that asks and asks and does not read fills its own buffers, not our memory. Data does not count: see `supply`."""

WRITE_TIMEOUT: Final = 30.0
"""Seconds that a peer may take for one piece before it counts as dead; that is 70 kbit/s."""

LAST_CHANCE: Final = 0.1
"""Seconds more, in which the event loop turns: perhaps the peer has taken all, and only we had no time to see it."""

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
        handle_now: takes an event without waiting and returns True, or leaves it to `handle` and returns False.
        supply: called while there is room to send; it gives the session more to say, and tells whether it did.
        tally: counts bytes.
        read_size: bytes taken from the stream at once. What they say is done in one go, before anyone else's turn.
    """

    stream: ByteStream
    session: Session[E]
    handle: Callable[[E], Awaitable[None]]
    _: KW_ONLY
    handle_now: Callable[[E], bool] = lambda event: False
    supply: Callable[[], bool] = lambda: False
    tally: Tally = field(default_factory=Tally)
    read_size: int = READ_SIZE
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _sending: asyncio.Event = field(default_factory=asyncio.Event)
    _handling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _events: deque[E | Ended] = field(default_factory=deque)
    _error: STTPError | None = None
    _over: bool = False
    _prompt: PromptStream | None = None
    _woken: int = 0
    _comes_alone: bool = True
    _is_resting: bool = False
    _alarm: Alarm = field(init=False)
    _waits_until: float = inf
    _watch: Alarm = field(init=False)
    _sending_since: float | None = None
    _doubted: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.stream, PromptStream):
            self._prompt = self.stream
        self._alarm = Alarm(self._wake.set)
        self._watch = Alarm(self._look)

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
            self._idle.set()
            self._alarm.cancel()
            self._watch.cancel()
            await self.stream.close()
        return self._error

    def wake(self) -> None:
        """Say that the session, or the source of `supply`, has more to send.

        What comes alone in a turn of the event loop is sent before this returns, if the stream can do that. Where more
        came last time it waits for the end of the turn, so that all goes together.
        """
        self._woken += 1
        self._wake.set()
        if self._over:
            return
        self._idle.clear()
        if self._woken == 1 and self._is_resting and self._comes_alone:
            self._send_now()

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
                self._wake_if_due()
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
        self._wake_if_due()
        return not self._is_in_arrears

    def _wake_if_due(self) -> None:
        """Wake who writes, where the session has something to say or a deadline before the one that is waited for."""
        session = self.session
        deadline = session.deadline
        if session.has_data_to_send or session.ended or (deadline is not None and deadline < self._waits_until):
            self.wake()

    async def _room(self) -> None:
        """Give others their turn, and wait until the peer has taken most of what was said to it."""
        await asyncio.sleep(0)
        while self._is_in_arrears and not self.session.ended:
            self._sending.clear()
            await self._sending.wait()

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
                else:
                    await self.handle(event)
        return bool(count)

    # --- sending

    async def _write(self) -> None:
        session = self.session
        while True:
            self._wake.clear()
            self._comes_alone, self._woken = self._woken <= 1, 0
            output, is_all = self._gather()
            if output:
                await self._send(output)
            elif session.ended:
                return
            if is_all and not session.ended:
                await self._wait()

    def _gather(self) -> tuple[list[bytes], bool]:
        """What there is to send, and whether that is all: whoever has more wakes us."""
        session, supply = self.session, self.supply
        size = sum(map(len, output := session.data_to_send()))
        self._sending.set()
        until = monotonic() + TURN
        while size < WRITE_SIZE and not session.ended and monotonic() < until:
            if not supply():
                return output, True
            more = session.data_to_send()
            size += sum(map(len, more))
            output += more
        return output, False

    def _send_now(self) -> None:
        stream = self._prompt
        if stream is None or not stream.free or self.session.unsent > WRITE_SIZE:
            return
        output, _ = self._gather()
        if not output:
            return
        try:
            stream.send_now(output)
            self.tally.bytes_sent += sum(map(len, output))
        except TransportError as error:
            self.session.lose(error, now=monotonic())

    async def _send(self, output: list[bytes]) -> None:
        try:
            for piece in _pieces(output):
                self._sending_since = monotonic()
                self._watch.set(self._sending_since + WRITE_TIMEOUT)
                await self.stream.send(piece)
                self.tally.bytes_sent += sum(map(len, piece))
        except TransportError as error:
            self.session.lose(error, now=monotonic())
            await self._handle_events()
        finally:
            self._sending_since = None

    def _look(self) -> None:
        """Give a peer up that takes too little, unless it was us who stood still: then the next turn shows it."""
        since, now = self._sending_since, monotonic()
        if since is None:
            return
        if now < since + WRITE_TIMEOUT:
            self._watch.set(since + WRITE_TIMEOUT)
        elif self._doubted != since:
            self._doubted = since
            self._watch.set(now + LAST_CHANCE)
        else:
            self.session.lose(TransportError(f"the peer took too little in {WRITE_TIMEOUT:g} s"), now=now)
            self.stream.abort()  # the send that waits fails

    async def _wait(self) -> None:
        deadline = self._deadline
        if deadline is not None:
            self._alarm.set(deadline)
        self._waits_until = inf if deadline is None else deadline
        if not self._wake.is_set():  # else more has come while the last was being sent
            self._idle.set()
        self._is_resting = True
        await self._wake.wait()
        self._is_resting = False
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


def _pieces(output: list[bytes]) -> Iterator[Sequence[bytes | memoryview]]:
    """The bytes of `output`, at most `PIECE_SIZE` at a time; nothing is copied."""
    if sum(map(len, output)) <= PIECE_SIZE:
        yield output
        return
    piece: list[memoryview] = []
    room = PIECE_SIZE
    for data in output:
        rest = memoryview(data)
        while rest:
            piece.append(rest[:room])
            rest = rest[room:]
            room -= len(piece[-1])
            if not room:
                yield piece
                piece, room = [], PIECE_SIZE
    if piece:
        yield piece
