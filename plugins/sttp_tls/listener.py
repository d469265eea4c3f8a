"""A listener that yields only streams whose other end has been authenticated."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import Final

from sttp.security import Admission, Audited, Guest, Reason, Security, TrustError, audit, source_of
from sttp.transport import AcceptQueue, ByteStream, Listener, TransportError
from sttp_tls.handshake import authenticated
from sttp_tls.stream import TlsStream

__all__ = ["TlsListener"]

_log = logging.getLogger("sttp.security")

HANDSHAKE_TIMEOUT: Final = 15.0
"""Seconds that a handshake may take; gsfapi has the same (wire.md 10.1)."""


class TlsListener:
    """Accepts streams below, shakes hands over each in a task of its own, and yields those that come through.

    Args:
        inner: where the streams arrive.
        security: who we are and whom we trust.
        admission: who may come near; a guest is pending until its handshake is done.
    """

    def __init__(self, inner: Listener, security: Security, admission: Admission | None = None) -> None:
        self._admission = Admission() if admission is None else admission
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
                self._let_in(stream)
        except TransportError:
            self._arrivals.close()  # nobody will come any more

    def _let_in(self, stream: ByteStream) -> None:
        def crowd_out(error: TrustError) -> None:
            self._turn_away(stream, error)
            task.cancel()

        try:
            guest = self._admission.enter(source_of(stream.peer), crowd_out, now=monotonic())
        except TrustError as error:
            self._turn_away(stream, error)
            return
        task = asyncio.create_task(self._authenticate(stream, guest))
        self._handshakes.add(task)
        task.add_done_callback(lambda task: self._over(task, stream, guest))

    def _turn_away(self, stream: ByteStream, error: TrustError) -> None:
        stream.abort()
        audit(Audited.REFUSED, peer=stream.peer, direction="accepted", code=error.code, reason=error.reason)
        if (line := self._admission.line(stream.peer, error, now=monotonic())) is not None:
            _log.warning("%s", line)

    def _over(self, task: asyncio.Task[None], stream: ByteStream, guest: Guest) -> None:
        self._handshakes.discard(task)
        guest.left(now=monotonic())
        if task.cancelled():
            stream.abort()  # it may not even have begun

    async def _authenticate(self, stream: ByteStream, guest: Guest) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                secured = await authenticated(stream, self._security, dialed=False)
        except TimeoutError:
            error = TrustError(f"no handshake within {HANDSHAKE_TIMEOUT:g} s", code=Reason.HANDSHAKE_TIMEOUT)
            audit(Audited.REFUSED, peer=stream.peer, direction="accepted", code=error.code, reason=error.reason)
            _log.warning("%s: no connection: %s", stream.peer, error)
        except TransportError as error:
            _log.warning("%s: no connection: %s", stream.peer, error)
        except Exception:  # noqa: BLE001 - a mistake of ours must not cost the other connections
            stream.abort()
            _log.exception("%s: internal error", stream.peer)
        else:
            guest.proved()
            if not self._arrivals.offer(secured):
                _log.warning("%s: turned away, nobody accepts connections", stream.peer)
                secured.abort()
