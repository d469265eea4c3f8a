"""TLS over any stream, for the suite: unlike a product's it takes whatever context it is given, right or wrong.

It shares nothing with the TLS of sttp-kit, so that one cannot hide a mistake of the other.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sttp.errors import TransportError
from sttp.transport import ByteStream, PeerIdentity

__all__ = ["SecureStream"]

_READ: Final = 64 * 1024
_PIECE: Final = 64 * 1024
"""Bytes that are encrypted in one go."""


class SecureStream:
    """One end of a connection inside TLS; see `ByteStream`. Nothing passes before `shake_hands`.

    Args:
        inner: carries the records.
        context: what this end shows, and whom it accepts.
        server: whether it is the server of TLS.
    """

    def __init__(self, inner: ByteStream, context: ssl.SSLContext, *, server: bool) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._ahead = b""
        self._buffer = bytearray(_READ)

    @property
    def peer(self) -> str:
        """See `ByteStream.peer`."""
        return self._inner.peer

    @property
    def identity(self) -> PeerIdentity | None:
        """See `ByteStream.identity`."""
        return self._inner.identity

    @property
    def version(self) -> str:
        """The version of TLS that both have agreed on, such as `TLSv1.3`."""
        return self._tls.version() or ""

    @property
    def certificate(self) -> bytes:
        """What the other end has shown, in DER; empty when nothing, or when this end did not ask."""
        return self._tls.getpeercert(binary_form=True) or b""

    async def shake_hands(self) -> None:
        """Begin. The caller limits the time.

        Raises:
            TransportError: one of the two refuses the other, or the stream broke.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError as error:
                with suppress(TransportError):
                    await self._flush()
                raise TransportError(f"the handshake of TLS failed: {_words(error)}") from None
            else:
                await self._flush()
                return

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """See `ByteStream.receive_into`."""
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
            return count
        while True:
            try:
                data = self._tls.read(len(buffer))
            except ssl.SSLWantReadError:
                await self._fill()
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLError as error:
                raise TransportError(f"the other end broke off TLS: {_words(error)}") from None
            else:
                buffer[: len(data)] = data
                return len(data)

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """See `ByteStream.send`."""
        data = b"".join(buffers)
        for start in range(0, len(data), _PIECE):
            try:
                self._tls.write(data[start : start + _PIECE])
            except ssl.SSLError as error:
                raise TransportError(f"the other end broke off TLS: {_words(error)}") from None
            await self._flush()

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`: TLS's own goodbye, and then the end of the stream below."""
        self._say_goodbye()
        await self._flush()
        await self._inner.send_eof()

    async def close(self) -> None:
        """See `ByteStream.close`."""
        self._say_goodbye()
        with suppress(TransportError):
            await self._flush()
        await self._inner.close()

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        self._inner.abort()

    async def _fill(self) -> None:
        if count := await self._inner.receive_into(self._buffer):
            self._incoming.write(memoryview(self._buffer)[:count])
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._inner.send([data])

    def _say_goodbye(self) -> None:
        with suppress(ssl.SSLError):  # what has come already would be taken for an answer to the goodbye
            while data := self._tls.read(_READ):
                self._ahead += data
        with suppress(ssl.SSLError):  # the other end's goodbye is not waited for
            self._tls.unwrap()


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
