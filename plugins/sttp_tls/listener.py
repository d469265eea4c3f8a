"""A listener that yields only streams whose other end has been authenticated."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sttp.security import Reason, Security, TrustError
from sttp.transport import AcceptQueue, ByteStream, Listener, TransportError
from sttp_tls.handshake import authenticated
from sttp_tls.stream import TlsStream

__all__ = ["TlsListener"]

_log = logging.getLogger("sttp.security")

HANDSHAKE_TIMEOUT: Final = 15.0
"""Seconds that a handshake may take; gsfapi has the same (wire.md 10.1)."""

MOST_HANDSHAKES: Final = 128
"""Handshakes at once. Each costs a file, a task and some 50 KB."""


class TlsListener:
    """Accepts streams below, shakes hands over each in a task of its own, and yields those that come through.

    Args:
        inner: where the streams arrive.
        security: who we are and whom we trust.
    """

    def __init__(self, inner: Listener, security: Security) -> None:
        self._inner = inner
        self._security = security
        self._arrivals: AcceptQueue[TlsStream] = AcceptQueue()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept_all())

    @property
    def address(self) -> str:
        """See `Listener.address`."""
        return self._inner.address

    async def accept(self) -> TlsStream:
        """See `Listener.accept`."""
        return await self._arrivals.take()

    async def close(self) -> None:
        """See `Listener.close`. Handshakes that are under way are aborted."""
        await self._inner.close()
        tasks = (self._accepting, *self._handshakes)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._arrivals.close()

    async def _accept_all(self) -> None:
        try:
            while True:
                stream = await self._inner.accept()
                if len(self._handshakes) >= MOST_HANDSHAKES:
                    _log.warning("%s: turned away, %d handshakes are under way", stream.peer, len(self._handshakes))
                    stream.abort()
                    continue
                task = asyncio.create_task(self._authenticate(stream))
                self._handshakes.add(task)
                task.add_done_callback(self._handshakes.discard)
        except TransportError:
            self._arrivals.close()  # nobody will come any more

    async def _authenticate(self, stream: ByteStream) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                secured = await authenticated(stream, self._security, dialed=False)
        except TimeoutError:
            error = TrustError(f"no handshake within {HANDSHAKE_TIMEOUT:g} s", code=Reason.HANDSHAKE_TIMEOUT)
            _log.warning("%s: no connection: %s", stream.peer, error)
        except TransportError as error:
            _log.warning("%s: no connection: %s", stream.peer, error)
        except Exception:  # noqa: BLE001 - a mistake of ours must not cost the other connections
            stream.abort()
            _log.exception("%s: internal error", stream.peer)
        else:
            if not self._arrivals.offer(secured):
                _log.warning("%s: turned away, nobody accepts connections", stream.peer)
                secured.abort()
