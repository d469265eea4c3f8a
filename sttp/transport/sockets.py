"""Sockets as streams and listeners: what a transport over any kind of stream socket builds on.

`SocketStream` is a protocol of asyncio and keeps every promise of `ByteStream`; give the class, or a subclass, to
`loop.create_connection` and the like. `SocketListener` does the same for a bound socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self, cast

from sttp.errors import TransportError, UsageError
from sttp.transport.accepting import BACKLOG, AcceptQueue
from sttp.transport.contract import PeerIdentity, Receiver
from sttp.transport.failures import translated

__all__ = ["SocketListener", "SocketStream"]

_log = logging.getLogger("sttp.transport")

_AHEAD: Final = 64 * 2**10
"""Bytes of the one read that happens while nobody receives."""

_PIECE: Final = 256 * 2**10
"""Bytes handed to the system at a time. What is shorter goes in one call; what is longer is never copied whole."""

_FLUSH_S: Final = 5.0
"""How long `close` waits for a slow peer to take what is left."""

_LINGER_S: Final = 0.5
"""How long `close` then waits for the peer to close as well. Bytes that met a socket already closed would be answered
with a reset, and a reset takes from the peer what it has not read yet: the reason of a refusal, for one."""

_RESET_ON_CLOSE: Final = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)

_UNIX: Final = getattr(socket, "AF_UNIX", None)

_CLOSED_HERE: Final = "this end has closed the stream"


class SocketStream(asyncio.BufferedProtocol):
    """One end of a connection; see `ByteStream`, `PushingStream` and `PromptStream` for the promises.

    The system's bytes go straight into the receiver's buffer. While nobody receives, one read goes into a buffer of our
    own and then reading pauses: a busy receiver is back before that and costs the event loop no change of interest,
    and one that stays away makes its peer wait.

    Args:
        made: called once, when there is a connection.
    """

    _looks_at_all = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # who overrides `send` looks at the bytes, and would not see those that are sent at once
        if {"send", "send_now"} & vars(cls).keys():
            cls._looks_at_all = "send_now" not in vars(cls)

    def __init__(self, made: Callable[[SocketStream], None] | None = None) -> None:
        self._made = made
        self._transport: asyncio.Transport
        self._peer = "unknown"
        self._identity: PeerIdentity | None = None
        self._waiting: asyncio.Future[int] | None = None
        self._receiver: Receiver | None = None
        self._target: memoryview | bytearray = bytearray()
        self._pushed_size = 0
        self._own_target = bytearray()
        self._ahead = memoryview(b"")
        self._closed = False
        self._sending = False
        self._eof_sent = False
        self._eof_received = False
        self._failure: str | None = None
        self._peer_ended = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._lost = asyncio.Event()

    @property
    def peer(self) -> str:
        """Where the other end is, as `introduce` has said."""
        return self._peer

    @property
    def identity(self) -> PeerIdentity | None:
        """Who the other end is, as `introduce` has said."""
        return self._identity

    def introduce(self, connection: asyncio.Transport, /) -> tuple[str, PeerIdentity | None]:
        """Say where the other end is, and who, if that is proved. Called once, as soon as there is a connection.

        Subclasses override it; here they can also set what their socket needs.

        Args:
            connection: of asyncio; `get_extra_info("socket")` gives the socket.
        """
        return str(connection.get_extra_info("peername") or "unknown"), None

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """See `ByteStream.receive_into`."""
        if not len(buffer):
            raise UsageError("a receive needs a buffer that is not empty")
        self._check_free()
        if self._ahead:
            return self._take_ahead(buffer)
        if self._eof_received:
            return 0
        if self._failure is not None:
            raise TransportError(self._failure)
        self._target = buffer
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        try:
            return await waiting
        except asyncio.CancelledError:
            # The bytes may be here although the task that asked for them has been cancelled.
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._ahead = memoryview(bytes(buffer[: waiting.result()]) + self._ahead)
            raise
        finally:
            self._waiting = None
            self._target = bytearray()

    def push_to(self, receiver: Receiver | None, /) -> None:
        """See `PushingStream.push_to`."""
        if receiver is None:
            self._receiver = None
            return
        self._check_free()
        self._receiver = receiver
        while self._ahead and self._receiver is not None:
            if not receiver.received(self._take_ahead(receiver.buffer())) and self._receiver is receiver:
                self._receiver = None
        if self._eof_received:
            self._end_receiving(None)
        elif self._failure is not None:
            self._end_receiving(self._failure)

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `ByteStream.send`."""
        self._check_can_send()
        self._sending = True
        try:
            for piece in _pieces(buffers):
                self._transport.write(piece)
                await asyncio.sleep(0)
                await self._flushed.wait()
                self._check_open()
        finally:
            self._sending = False

    @property
    def can_send_now(self) -> bool:
        """See `PromptStream.can_send_now`. Never in a subclass that overrides `send` and not `send_now`."""
        if self._looks_at_all:
            return False
        return not self._sending and self._flushed.is_set() and not (self._closed or self._eof_sent or self._failure)

    def send_now(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `PromptStream.send_now`."""
        if not self.can_send_now:
            self._check_can_send()
            raise UsageError("send_now while a task is sending, or bytes that were sent are still waiting")
        self._transport.write(b"".join(buffers))

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`."""
        self._check_open()
        try:
            self._end_writing()
        except OSError as error:
            raise translated(error, "cannot end the stream") from None

    async def close(self) -> None:
        """See `ByteStream.close`."""
        self._close_here()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._flushed.wait()
                with contextlib.suppress(OSError):
                    self._end_writing()
                async with asyncio.timeout(_LINGER_S):
                    await self._peer_ended.wait()
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._transport.abort()
        await self._lost.wait()

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        self._close_here()
        if not self._transport.is_closing():
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop: there is a connection."""
        self._transport = cast("asyncio.Transport", transport)
        # Everything beyond what the system takes makes send() wait; the buffer of the system is large enough.
        self._transport.set_write_buffer_limits(high=0)
        self._peer, self._identity = self.introduce(self._transport)
        if self._made is not None:
            self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:
        """Called by the event loop: where shall the next bytes go?"""
        receiver = self._receiver
        if receiver is not None:
            buffer = receiver.buffer()
            self._pushed_size = len(buffer)
            return buffer
        if self._waiting is not None and not self._waiting.done():
            return self._target
        self._own_target = bytearray(_AHEAD)
        return self._own_target

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop: so many bytes are in the buffer that it was given."""
        receiver = self._receiver
        if receiver is not None:
            if nbytes == self._pushed_size:
                self._give_others_their_turn()
            if not receiver.received(nbytes) and self._receiver is receiver:
                self._receiver = None
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(nbytes)
        elif not self._closed:
            self._ahead = memoryview(bytes(self._ahead) + self._own_target[:nbytes])
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Called by the event loop: the peer has ended its direction. Ours stays open."""
        self._eof_received = True
        self._peer_ended.set()
        self._end_receiving(None)
        return self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop: the connection is gone."""
        if self._failure is None:
            lost = f"connection to {self._peer} lost"
            self._failure = str(translated(exc, lost)) if isinstance(exc, OSError) else lost
        self._end_receiving(self._failure)
        self._peer_ended.set()
        self._flushed.set()
        self._lost.set()

    def pause_writing(self) -> None:
        """Called by the event loop: the system does not take everything."""
        self._flushed.clear()

    def resume_writing(self) -> None:
        """Called by the event loop: the system has taken everything."""
        self._flushed.set()

    @property
    def _socket(self) -> socket.socket:
        return cast("socket.socket", self._transport.get_extra_info("socket"))

    def _take_ahead(self, buffer: memoryview | bytearray) -> int:
        count = min(len(buffer), len(self._ahead))
        buffer[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        if not self._ahead:
            self._resume_reading()
        return count

    def _give_others_their_turn(self) -> None:
        # after a full buffer uvloop reads again at once, up to 32 times: a peer that never stops would have the loop
        # for itself
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._ahead:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _check_free(self) -> None:
        if self._waiting is not None or self._receiver is not None:
            raise UsageError("another task is receiving")
        if self._closed:
            raise TransportError(_CLOSED_HERE)

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError(_CLOSED_HERE)
        if self._failure is not None:
            raise TransportError(self._failure)

    def _check_can_send(self) -> None:
        self._check_open()
        if self._eof_sent:
            raise UsageError("this end has already sent its end of stream")

    def _end_writing(self) -> None:
        if not self._eof_sent:
            self._eof_sent = True
            # uvloop complains of a closing transport where asyncio is silent
            if self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()

    def _close_here(self) -> None:
        """From now on nothing is delivered here; what still comes is read and dropped."""
        self._closed = True
        self._ahead = memoryview(b"")
        self._end_receiving(_CLOSED_HERE)
        self._resume_reading()

    def _end_receiving(self, reason: str | None) -> None:
        """Tell whoever receives that nothing more will come; None for the end of the stream."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.ended(None if reason is None else TransportError(reason))
        if self._waiting is not None and not self._waiting.done():
            if reason is None:
                self._waiting.set_result(0)
            else:
                self._waiting.set_exception(TransportError(reason))


class SocketListener:
    """A bound socket, and the streams that have come in there and that nobody has accepted yet."""

    def __init__(self, address: str, freed: Callable[[], None]) -> None:
        self._address = address
        self._freed = freed
        self._arrivals: AcceptQueue[SocketStream] = AcceptQueue()
        self._server: asyncio.Server

    @classmethod
    async def serving(
        cls,
        bound: socket.socket,
        *,
        address: str,
        stream: Callable[[Callable[[SocketStream], None]], SocketStream] = SocketStream,
        freed: Callable[[], None] = lambda: None,
    ) -> Self:
        """Let connections in at a socket.

        Args:
            bound: a stream socket that is bound; it belongs to the listener from now on, also when this fails.
            address: what the listener says of itself, in full.
            stream: makes a stream; it is given what to call when there is a connection.
            freed: called once, when the listener has closed.

        Raises:
            OSError: the system does not let it listen.
        """
        listener = cls(address, freed)
        loop = asyncio.get_running_loop()
        try:
            # uvloop wants to be told apart what asyncio takes for the same
            create = loop.create_unix_server if bound.family is _UNIX else loop.create_server
            # asyncio takes the backlog also for how often it tries to accept in one go, and complains as often when
            # files run out (CPython 3.11). So it is told 1, and the system the truth.
            listener._server = await create(lambda: stream(listener._arrived), sock=bound, backlog=1)
            bound.listen(BACKLOG)
        except BaseException:
            bound.close()
            raise
        return listener

    @property
    def address(self) -> str:
        """The address as bound."""
        return self._address

    async def accept(self) -> SocketStream:
        """See `Listener.accept`."""
        return await self._arrivals.take()

    async def close(self) -> None:
        """See `Listener.close`."""
        freed, self._freed = self._freed, lambda: None
        self._server.close()
        self._arrivals.close()
        freed()

    def _arrived(self, stream: SocketStream) -> None:
        if not self._arrivals.offer(stream):
            _log.warning("%s: %s turned away, nobody accepts connections", self._address, stream.peer)
            stream.abort()


def _pieces(buffers: Sequence[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """The buffers in what one call hands over. All are copies or immutable, so that callers may reuse theirs."""
    size = sum(map(len, buffers))
    if size <= _PIECE:
        yield b"".join(buffers)
        return
    for buffer in buffers:
        view = memoryview(buffer)
        for start in range(0, len(view), _PIECE):
            yield bytes(view[start : start + _PIECE])
