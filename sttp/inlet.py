"""How the bytes of a stream come into a session: asked for again and again, or pushed by the stream.

What is pushed is with the session in the same turn of the event loop in which it has come, and nobody has to be woken
for it. Both ways lead to the same; only some streams can push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from sttp.errors import TransportError
from sttp.session.base import Session
from sttp.statistics import Tally
from sttp.transport.contract import ByteStream, PushingStream

__all__ = ["Inlet", "PushedInlet", "open_inlet"]

FIRST_READ_SIZE: Final = 4096
"""Bytes taken at first: a peer that never says anything costs no more."""


class Inlet:
    """Asks a stream for its bytes.

    Args:
        stream: where they come from.
        session: what they go to.
        tally: counts them.
        read_size: bytes taken at once.
    """

    def __init__(self, stream: ByteStream, session: Session[Any], *, tally: Tally, read_size: int) -> None:
        self._stream = stream
        self._session = session
        self._tally = tally
        self._read_size = read_size
        self._buffer = memoryview(bytearray(min(FIRST_READ_SIZE, read_size)))

    async def receive(self) -> None:
        """Wait for something to come, bytes or the end of the stream, and hand it to the session."""
        try:
            count = await self._stream.receive_into(self._buffer)
        except TransportError as error:
            self._lose(error)
        else:
            self._take(count)

    def _take(self, count: int) -> None:
        session = self._session
        if not count:
            session.receive_eof(now=monotonic())
            return
        self._tally.bytes_received += count
        session.receive_data(self._buffer[:count], now=monotonic())
        if len(self._buffer) < self._read_size and not session.ended:
            self._buffer = memoryview(bytearray(self._read_size))

    def _lose(self, error: TransportError) -> None:
        self._session.lose(error.with_traceback(None), now=monotonic())  # its frames would keep the buffer


class PushedInlet(Inlet):
    """Lets a stream push its bytes; it is the `Receiver` of that stream.

    Args:
        stream: where they come from.
        session: what they go to.
        tally: counts them.
        read_size: bytes taken at once.
        act: acts on what the session makes of them, without waiting. It returns False when something is left that
            needs waiting, and then no more is pushed.
    """

    _stream: PushingStream

    def __init__(
        self, stream: PushingStream, session: Session[Any], *, tally: Tally, read_size: int, act: Callable[[], bool]
    ) -> None:
        super().__init__(stream, session, tally=tally, read_size=read_size)
        self._act = act
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def receive(self) -> None:
        """Let the stream push until something has come that needs waiting, or its end."""
        self._stopped = asyncio.get_running_loop().create_future()
        try:
            self._stream.push_to(self)
            await self._stopped
        except TransportError as error:
            self._lose(error)
        finally:
            self._stream.push_to(None)

    def buffer(self) -> memoryview:
        """See `Receiver.buffer`."""
        return self._buffer

    def received(self, count: int, /) -> bool:
        """See `Receiver.received`."""
        try:
            self._take(count)
            goes_on = self._act()
        except Exception as error:  # noqa: BLE001 - a mistake of ours; it goes to whoever waits, not to the event loop
            self._stop(error)
            return False
        if not goes_on:
            self._stop()
        return goes_on

    def ended(self, error: TransportError | None, /) -> None:
        """See `Receiver.ended`."""
        if error is None:
            self._take(0)
        self._stop(error)

    def _stop(self, error: Exception | None = None) -> None:
        if self._stopped.done():
            return
        if error is None:
            self._stopped.set_result(None)
        else:
            self._stopped.set_exception(error)


def open_inlet(
    stream: ByteStream, session: Session[Any], *, tally: Tally, read_size: int, act: Callable[[], bool]
) -> Inlet:
    """The quickest inlet that a stream allows; see `PushedInlet`."""
    if isinstance(stream, PushingStream):
        return PushedInlet(stream, session, tally=tally, read_size=read_size, act=act)
    return Inlet(stream, session, tally=tally, read_size=read_size)
