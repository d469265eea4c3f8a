"""A TLS connection as a byte stream, over any byte stream."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, cast

from sttp.security import PeerIdentity, Presented, Reason, Security, TrustError, Vigil, explained
from sttp.transport import ByteStream, PromptStream, PushingStream, Receiver, TransportError, UsageError

__all__ = ["PushingTlsStream", "TlsStream"]

_log = logging.getLogger("sttp.security")

_READ: Final = 128 * 2**10
"""Bytes read at once from the stream below: eight records of the largest size."""

_PIECE: Final = 128 * 2**10
"""Bytes encrypted in one go. What is shorter is joined first, so that records are as large as they can be."""

_GOODBYE_S: Final = 5.0
"""How long `close` waits for a slow peer to take the end of the stream."""

_VERDICT_S: Final = 1.0
"""How long a send that failed waits for what the other end said last: it may be that it refuses us."""

_CLOSED_HERE: Final = "this end has closed the stream"

_CUT_AT_ONCE: Final = (
    "the other end cut the connection right after the handshake, before its first word: most likely it does not accept "
    "our certificate; ask its operator, whose log says why"
)


_AT_ONCE: Final = "right after the handshake; perhaps the other end does not accept our certificate"


class TlsStream:
    """One end of an authenticated connection; see `ByteStream` for the promises.

    It is a `PromptStream` too; over a stream that is none it can never send at once.

    An end of stream is one only with TLS's own goodbye: without it anybody could cut the stream short unnoticed.

    Args:
        inner: carries the records.
        tls: the connection, after its handshake.
        incoming: where it takes records from.
        outgoing: where it puts records.
        identity: who the other end is.
        vigil: what tells whether the other end is still trusted, and what it has presented.
    """

    def __init__(
        self,
        inner: ByteStream,
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        *,
        identity: PeerIdentity,
        vigil: tuple[Security, Presented],
    ) -> None:
        self._inner = inner
        self._prompt = inner if isinstance(inner, PromptStream) else None
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._identity = identity
        self._records = memoryview(bytearray(_READ))
        self._ahead = memoryview(b"")
        self._own = vigil[0].certificate.fingerprint
        self._receiving = False
        self._received = asyncio.Event()
        self._sending = False
        self._torn = False
        self._heard = False
        self._ended = False
        self._eof_sent = False
        self._closed = False
        self._failure: TransportError | None = None
        self._closing = asyncio.Lock()
        self._vigil = Vigil(*vigil, self._withdraw)
        self._vigil.keep()

    @property
    def peer(self) -> str:
        """Where the other end is, as the stream below says it."""
        return self._inner.peer

    @property
    def identity(self) -> PeerIdentity:
        """Who the other end has proved to be."""
        return self._identity

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """See `ByteStream.receive_into`.

        Raises:
            TrustError: the other end turns out to refuse us, or is no longer trusted.
        """
        if not len(buffer):
            raise UsageError("a receive needs a buffer that is not empty")
        if self._receiving:
            raise UsageError("another task is receiving")
        self._begin_receiving()
        try:
            while True:
                self._check_closed()
                if count := self._take(buffer):
                    return count
                if self._ended:
                    return 0
                self._check_failure()
                await self._fill()
        finally:
            self._end_receiving()

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `ByteStream.send`."""
        self._check_can_send()
        with self._busy():
            for piece in _pieces(buffers):
                self._encrypt(piece)
                await self._flush()

    @property
    def can_send_now(self) -> bool:
        """See `PromptStream.can_send_now`."""
        is_over = self._closed or self._eof_sent or self._torn or self._failure is not None
        return self._prompt is not None and not self._sending and not is_over and self._prompt.can_send_now

    def send_now(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `PromptStream.send_now`."""
        self._check_can_send()
        if self._prompt is None or self._sending:
            raise UsageError("send_now while a task is sending, or over a stream that cannot")
        if not self._prompt.can_send_now:
            self._prompt.send_now(())  # it says what is wrong there, before anything is encrypted
        for piece in _pieces(buffers):
            self._encrypt(piece)
        self._prompt.send_now([self._outgoing.read()])

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`."""
        self._check_closed()
        self._check_failure()
        if not self._eof_sent:
            self._drain()  # the goodbye looks at what has come, and minds anything but another goodbye
            self._say_goodbye()
            with self._busy():
                await self._flush()
            await self._inner.send_eof()

    async def close(self) -> None:
        """See `ByteStream.close`."""
        self._closed = True
        self._vigil.end()
        try:
            async with self._closing:
                if self._failure is None and not (self._eof_sent or self._torn or self._sending):
                    self._say_goodbye()
                    with suppress(TransportError, TimeoutError):
                        async with asyncio.timeout(_GOODBYE_S):
                            await self._inner.send([self._outgoing.read()])
                await self._inner.close()
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        self._closed = True
        self._vigil.end()
        self._inner.abort()

    # --- receiving

    def _begin_receiving(self) -> None:
        self._receiving = True
        self._received.clear()

    def _end_receiving(self) -> None:
        self._receiving = False
        self._received.set()

    def _take(self, buffer: memoryview | bytearray) -> int:
        """Move what there is into `buffer`, decrypting it on the way; 0 when nothing is there."""
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            return count
        view = memoryview(buffer)
        count = 0
        try:
            while count < len(view):
                # one record at a time is all that OpenSSL gives
                more = cast("int", self._tls.read(len(view) - count, view[count:]))
                if not more:
                    self._ended = True
                    break
                count += more
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # so it says when both ends have said goodbye
            self._ended = True
        except ssl.SSLError as error:
            self._failure = self._failure or self._explained(error)
        self._heard = self._heard or count > 0
        return count

    async def _fill(self) -> None:
        """Wait for more records."""
        try:
            count = await self._inner.receive_into(self._records)
        except TransportError as error:
            self._check_closed()
            self._check_failure()
            raise self._broken(error) from None
        self._feed(count)

    def _feed(self, count: int) -> None:
        if count:
            self._incoming.write(self._records[:count])
        else:
            self._incoming.write_eof()

    def _broken(self, error: TransportError) -> TransportError:
        self._failure = error if self._heard else TransportError(f"{error}, {_AT_ONCE}")
        return self._failure

    def _drain(self) -> None:
        rest = bytearray()
        buffer = bytearray(_READ)
        while count := self._take(buffer):
            rest += buffer[:count]
        self._ahead = memoryview(bytes(rest))

    def _explained(self, error: ssl.SSLError) -> TransportError:
        if not self._heard:
            if isinstance(error, ssl.SSLEOFError):
                return TrustError(f"{_CUT_AT_ONCE} (SHA-256 {self._own})", code=Reason.REFUSED_CERTIFICATE)
            return explained(error, own=self._own)
        if isinstance(error, ssl.SSLEOFError):
            return TransportError(f"connection to {self.peer} was cut without the goodbye of TLS")
        words = (error.reason or str(error)).replace("_", " ").lower()
        return TransportError(f"connection to {self.peer} failed: {words}")

    # --- sending

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._sending = True
        try:
            yield
        finally:
            self._sending = False

    def _encrypt(self, piece: bytes | memoryview) -> None:
        try:
            if piece:  # of nothing OpenSSL would make an error
                self._tls.write(piece)
        except ssl.SSLError as error:
            self._failure = self._explained(error)
            raise self._failure from None

    async def _flush(self) -> None:
        try:
            await self._inner.send([self._outgoing.read()])
        except TransportError as error:
            self._check_closed()
            raise await self._last_words(error) from None
        except asyncio.CancelledError:
            self._torn = True  # nobody knows how much of a record is out, so nothing may follow it
            raise
        self._check_closed()

    async def _last_words(self, error: TransportError) -> TransportError:
        """Why a send has failed: what the other end said before it went, if anything, is a better reason."""
        if self._receiving and not self._heard:
            with suppress(TimeoutError):
                async with asyncio.timeout(_VERDICT_S):
                    await self._received.wait()
        return self._failure or error

    def _say_goodbye(self) -> None:
        self._eof_sent = True
        with suppress(ssl.SSLError):  # it would like to wait for the other end's
            self._tls.unwrap()

    # --- the end

    def _check_can_send(self) -> None:
        self._check_closed()
        self._check_failure()
        if self._eof_sent:
            raise UsageError("this end has already sent its end of stream")

    def _withdraw(self, error: TrustError) -> None:
        _log.warning("%s: disconnected: %s", self.peer, error)
        self._failure = error
        self._inner.abort()

    def _check_closed(self) -> None:
        if self._closed:
            raise TransportError(_CLOSED_HERE)

    def _check_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


class PushingTlsStream(TlsStream):
    """The same over a stream that can push; see `PushingStream` for the promises.

    It takes part in pushing as the `Receiver` of the stream below.
    """

    _inner: PushingStream
    _receiver: Receiver | None = None

    def push_to(self, receiver: Receiver | None, /) -> None:
        """See `PushingStream.push_to`. What `ended` brings may be a `TrustError`, as with `receive_into`."""
        if receiver is None:
            if self._receiver is not None:
                self._let_go()
                self._inner.push_to(None)
            return
        if self._receiving:
            raise UsageError("another task is receiving")
        self._check_closed()
        self._receiver = receiver
        self._begin_receiving()
        if self._hand_over():
            self._inner.push_to(self)

    def buffer(self) -> memoryview:
        """See `Receiver.buffer`: room for records."""
        return self._records

    def received(self, count: int, /) -> bool:
        """See `Receiver.received`: decrypt the records, and push what was in them."""
        self._feed(count)
        return self._hand_over()

    def ended(self, error: TransportError | None, /) -> None:
        """See `Receiver.ended`."""
        if error is None:
            self._feed(0)
            self._hand_over()
        elif self._receiver is not None:
            closed = TransportError(_CLOSED_HERE) if self._closed else None
            self._let_go().ended(closed or self._failure or self._broken(error))

    def _hand_over(self) -> bool:
        """Push what can be decrypted, and the end; return whether the receiver wants more and more can come."""
        while (receiver := self._receiver) is not None:
            if self._closed:
                self._let_go().ended(TransportError(_CLOSED_HERE))
            elif count := self._take(receiver.buffer()):
                if not receiver.received(count) and self._receiver is receiver:
                    self._let_go()
            elif self._ended or self._failure is not None:
                self._let_go().ended(None if self._ended else self._failure)
            else:
                return True
        return False

    def _let_go(self) -> Receiver:
        receiver, self._receiver = self._receiver, None
        assert receiver is not None
        self._end_receiving()
        return receiver


def _pieces(buffers: Sequence[bytes | bytearray | memoryview]) -> Iterator[bytes | memoryview]:
    """The buffers in what is encrypted in one go: short ones are joined, long ones are cut."""
    if sum(map(len, buffers)) <= _PIECE:
        yield b"".join(buffers)
        return
    for buffer in buffers:
        view = memoryview(buffer)
        for start in range(0, len(view), _PIECE):
            yield view[start : start + _PIECE]
