"""Wrong TLS around an honest implementation: a man in the middle who has its key, and is less strict than it is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sttp.errors import TransportError
from sttp.transport import ByteStream
from sttp.transport.memory import stream_pair
from sttp_conformance.credentials import Credentials
from sttp_conformance.secure_stream import SecureStream

__all__ = ["BadTls"]

_BUFFER: Final = 64 * 1024
_running: Final[set[asyncio.Task[None]]] = set()


@dataclass(frozen=True, slots=True)
class BadTls:
    """What is wrong with the TLS of a mutant.

    Attributes:
        changed: changes how it speaks TLS, given what an honest implementation would do.
        swapped: it is the other side of TLS than it ought to be.
        bare: it speaks without TLS.
        as_stranger: it shows another certificate than it was given.
    """

    changed: Callable[[ssl.SSLContext], None] = lambda context: None
    swapped: bool = False
    bare: bool = False
    as_stranger: bool = False

    def around(self, honest: ByteStream, credentials: Credentials, *, dials: bool) -> ByteStream:
        """A stream with the mutant, given one with the honest implementation, both below TLS.

        Args:
            honest: the stream, before any handshake.
            credentials: those of both ends.
            dials: whether the implementation dials.
        """
        ours, his = stream_pair()
        task = asyncio.create_task(self._stand_between(his, honest, credentials, dials))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return ours

    async def _stand_between(self, outer: ByteStream, inner: ByteStream, credentials: Credentials, dials: bool) -> None:
        faces_as_server = dials if self.swapped else not dials
        shown = credentials.stranger if self.as_stranger else credentials.implementation
        context = credentials.context(server=faces_as_server, own=shown, trusted=credentials.suite)
        self.changed(context)
        honest = SecureStream(
            inner,
            credentials.context(server=dials, own=credentials.suite, trusted=credentials.implementation),
            server=dials,
        )
        try:
            face = outer if self.bare else SecureStream(outer, context, server=faces_as_server)
            if isinstance(face, SecureStream):
                await face.shake_hands()
            await honest.shake_hands()
            both = asyncio.gather(_pass(face, honest), _pass(honest, face))
            try:
                await both
            finally:
                both.cancel()
        except TransportError:
            pass  # the streams below are closed, which is all that either end has to see
        finally:
            with suppress(TransportError):
                await outer.close()
            await inner.close()


async def _pass(one: ByteStream, other: ByteStream) -> None:
    buffer = bytearray(_BUFFER)
    while count := await one.receive_into(buffer):
        await other.send([bytes(buffer[:count])])
    await other.send_eof()
