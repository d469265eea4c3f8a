"""A WebSocket as a stream of bytes.

Bytes travel in binary messages, whose boundaries mean nothing. A WebSocket ends in both directions at once; so that one
direction can end alone, an empty binary message means the end of the sender's direction. A close frame ends both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from websockets.exceptions import ProtocolError, WebSocketException
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Event, Protocol, State

from sttp.transport import ByteStream, PeerIdentity, TransportError, UsageError

__all__ = ["MESSAGE_LIMIT", "WebSocketStream"]

MESSAGE_LIMIT: Final = 2**20
"""Most bytes of a message from the other end; ours are much shorter. More is a breach, met before memory is taken."""

_MESSAGE: Final = 64 * 2**10
"""Bytes that we send in one message."""

_READ: Final = 64 * 2**10
"""Bytes taken from the stream below at once."""

_ANSWERS: Final = 64 * 2**10
"""Most bytes of answers to pings that wait for the other end to read."""

_GOODBYE_S: Final = 5.0
"""How long `close` waits for a slow peer to take the close frame."""

_IN_ORDER: Final = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)

_CLOSED_HERE: Final = "this end has closed the stream"


class WebSocketStream:
    """One end of a WebSocket whose handshake is done; see `ByteStream` for the promises.

    Args:
        inner: the stream below; it belongs to this one.
        protocol: the state of the WebSocket.
        peer: where the other end is.
        events: what has already come in besides the handshake.
    """

    def __init__(self, inner: ByteStream, protocol: Protocol, peer: str, events: Sequence[Event]) -> None:
        self._inner = inner
        self._protocol = protocol
        self._peer = peer
        self._input = bytearray(_READ)
        self._came: list[memoryview] = []
        self._message_size = 0
        self._ended = False
        self._eof_sent = False
        self._cut = False
        self._closed = False
        self._failure: str | None = None
        self._receiving = False
        self._sending = asyncio.Lock()
        self._answers = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._take(events)

    @property
    def peer(self) -> str:
        """Where the other end is."""
        return self._peer

    @property
    def identity(self) -> PeerIdentity | None:
        """Who the other end is, as the stream below has proved it."""
        return self._inner.identity

    # --- receiving

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """See `ByteStream.receive_into`."""
        if not len(buffer):
            raise UsageError("a receive needs a buffer that is not empty")
        if self._receiving:
            raise UsageError("another task is receiving")
        self._receiving = True
        try:
            while True:
                if self._closed:
                    raise TransportError(_CLOSED_HERE)
                if self._came:
                    return self._give(buffer)
                if self._failure is not None:
                    raise TransportError(self._failure)
                if self._ended:
                    return 0
                await self._read()
        finally:
            self._receiving = False

    def _give(self, buffer: memoryview | bytearray) -> int:
        first = self._came[0]
        count = min(len(buffer), len(first))
        buffer[:count] = first[:count]
        if count == len(first):
            del self._came[0]
        else:
            self._came[0] = first[count:]
        return count

    async def _read(self) -> None:
        try:
            count = await self._inner.receive_into(self._input)
        except TransportError as error:
            self._failure = self._failure or str(error)
            return
        if count:
            self._protocol.receive_data(bytes(self._input[:count]))
        else:
            self._protocol.receive_eof()
        self._take(self._protocol.events_received())
        if self._protocol.parser_exc is not None and not self._ended:
            self._failure = self._failure or _words(self._protocol.parser_exc)
        self._answer()

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if not isinstance(event, Frame):
                continue
            match event.opcode:
                case Opcode.BINARY | Opcode.CONT:
                    self._take_part(event)
                case Opcode.TEXT:
                    self._fail("the other end sends text, not bytes")
                case Opcode.CLOSE:
                    said = Close.parse(event.data)
                    self._ended = True
                    if said.code not in _IN_ORDER:
                        self._fail(f"the other end has closed the WebSocket: {said}")
                case _:
                    pass

    def _take_part(self, frame: Frame) -> None:
        if self._ended and frame.data:
            self._fail("the other end sends bytes after the end of its stream")
            return
        if frame.data:
            self._came.append(memoryview(bytes(frame.data)))
        self._message_size = len(frame.data) + (self._message_size if frame.opcode is Opcode.CONT else 0)
        if frame.fin and not self._message_size:
            self._ended = True

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason

    # --- sending

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `ByteStream.send`."""
        self._check_open()
        if self._eof_sent:
            raise UsageError("this end has already sent its end of stream")
        for message in _messages(buffers):
            await self._say(message)
        await asyncio.sleep(0)

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`. An empty message says it."""
        self._check_open()
        if not self._eof_sent:
            self._eof_sent = True
            await self._say(b"")

    async def _say(self, message: bytes) -> None:
        async with self._sending:
            self._check_open()
            try:
                self._protocol.send_binary(message)
            except WebSocketException:  # the other end has sent its close frame
                raise TransportError("the other end no longer reads") from None
            await self._flush()

    async def _flush(self) -> None:
        """Hand over what the protocol has written. Whoever calls it has the lock."""
        output = [bytes(self._answers), *filter(None, self._protocol.data_to_send())]
        self._answers.clear()
        try:
            await self._inner.send(output)
        except asyncio.CancelledError:
            self._cut = True
            raise
        except TransportError as error:
            self._fail(str(error))
            raise

    def _answer(self) -> None:
        """Say what the protocol wants said by itself: answers to pings, and to a close frame."""
        for data in self._protocol.data_to_send():
            self._answers += data
        if len(self._answers) > _ANSWERS:
            self._fail("the other end sends pings and does not read the answers")
        elif self._answers and not self._closed and (self._answering is None or self._answering.done()):
            self._answering = asyncio.create_task(self._send_answers())

    async def _send_answers(self) -> None:
        with suppress(TransportError):
            while self._answers:
                async with self._sending:
                    if self._cut or self._closed:
                        return
                    await self._flush()

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError(_CLOSED_HERE)
        if self._failure is not None:
            raise TransportError(self._failure)

    # --- ending

    async def close(self) -> None:
        """See `ByteStream.close`. A close frame says it."""
        first, self._closed = not self._closed, True
        try:
            if first:
                with suppress(TimeoutError, TransportError):
                    async with asyncio.timeout(_GOODBYE_S):
                        await self._say_goodbye()
            await self._stop_answering()
            if self._cut:
                self._inner.abort()
        except BaseException:
            self._inner.abort()
            raise
        finally:
            await self._inner.close()

    async def _say_goodbye(self) -> None:
        async with self._sending:
            if self._cut or self._failure is not None or self._protocol.state is not State.OPEN:
                return
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            await self._flush()

    async def _stop_answering(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.wait({self._answering})

    def abort(self) -> None:
        """See `ByteStream.abort`. The other end misses the close frame, and so knows."""
        self._closed = True
        if self._answering is not None:
            self._answering.cancel()
        self._inner.abort()


def _messages(buffers: Sequence[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """The buffers in messages, none of them empty: that would be the end of the stream."""
    if sum(map(len, buffers)) <= _MESSAGE:
        if whole := b"".join(buffers):
            yield whole
        return
    for buffer in buffers:
        view = memoryview(buffer)
        for start in range(0, len(view), _MESSAGE):
            yield bytes(view[start : start + _MESSAGE])


def _words(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "connection lost: the other end has gone without closing the WebSocket"
    if isinstance(error, ProtocolError):
        return f"the other end does not speak WebSocket as it should: {error}"
    return f"the other end: {error}"
