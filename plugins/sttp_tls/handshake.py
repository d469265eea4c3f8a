"""The handshake: from a stream below to one whose other end is known, or to a reason why not.

It is driven in memory, so the stream below may be anybody's. The other end's certificate is judged before the last
words of the handshake are sent, where the version of TLS has an order that allows it; then a refusal still reaches the
other end as an alert. Where it does not, the stream is cut without a goodbye, which the other end can tell from an end
in order.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import Final

from sttp.security import (
    Audited,
    Presented,
    Reason,
    Security,
    TrustError,
    alert_for,
    audit,
    explained,
    presented_chain,
)
from sttp.transport import ByteStream, PushingStream, TransportError
from sttp_tls.hosts import host_of, server_name
from sttp_tls.stream import PushingTlsStream, TlsStream

__all__ = ["authenticated"]

_log = logging.getLogger("sttp.security")

_FLIGHT: Final = 16 * 2**10
"""Bytes read at once. A handshake has a few thousand in all."""

_MOST_BYTES: Final = 256 * 2**10
"""Bytes that the other end may send in a handshake: long chains have some ten thousand."""

_NEWEST: Final = "TLSv1.3"


async def authenticated(inner: ByteStream, security: Security, *, dialed: bool, host: str = "") -> TlsStream:
    """Shake hands over a stream and decide whether the other end may come in. The caller limits the time.

    Args:
        inner: the stream below. When this fails or is cancelled it is closed.
        security: who we are and whom we trust.
        dialed: whether this end dialed, which makes it the client of TLS.
        host: whom it dialed; else the address of the other end counts.

    Raises:
        TrustError: one of the two refuses the other, or the other does not speak TLS.
        TransportError: the stream broke.
    """
    try:
        return await _Handshake(inner, security, dialed=dialed, host=host or host_of(inner.peer)).run()
    except asyncio.CancelledError:
        inner.abort()
        raise
    except BaseException as error:
        if isinstance(error, TrustError) or (isinstance(error, TransportError) and not dialed):
            # that a dial came to nothing for any other reason, whoever dials has to say
            direction = "dialed" if dialed else "accepted"
            code = error.code if isinstance(error, TrustError) else None
            audit(Audited.REFUSED, peer=inner.peer, direction=direction, code=code, reason=str(error))
        await inner.close()
        raise


class _Handshake:
    """One handshake."""

    def __init__(self, inner: ByteStream, security: Security, *, dialed: bool, host: str) -> None:
        self._inner = inner
        self._security = security
        self._dialed = dialed
        self._host = host
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._received = 0
        self._tls = security.context(dialing=dialed).wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=not dialed,
            server_hostname=server_name(host) if dialed else None,
        )

    async def run(self) -> TlsStream:
        await self._shake_hands()
        presented = Presented(chain=presented_chain(self._tls), dialed=self._dialed, host=self._host)
        try:
            verdict = self._security.admit(presented, peer=self._inner.peer)
        except TrustError as error:
            await self._refuse(error)
            raise
        await self._flush()
        identity = verdict.identity
        version = self._tls.version() or "TLS"
        audit(
            Audited.AUTHENTICATED,
            peer=self._inner.peer,
            identity=identity,
            direction="dialed" if self._dialed else "accepted",
            tls=version,
        )
        _log.info("%s: this is %s, by %s, SHA-256 %s", self._inner.peer, identity.name, version, identity.fingerprint)
        if version != _NEWEST:
            _log.warning("%s: only %s is spoken with %s, not %s", self._inner.peer, version, identity.name, _NEWEST)
        kind = PushingTlsStream if isinstance(self._inner, PushingStream) else TlsStream
        return kind(
            self._inner, self._tls, self._incoming, self._outgoing, identity=identity, vigil=(self._security, presented)
        )

    async def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLEOFError:
                raise TrustError(
                    "the other end closed the connection in the middle of the handshake; perhaps it does not speak "
                    "TLS, or is full",
                    code=Reason.HANDSHAKE_FAILED,
                ) from None
            except ssl.SSLError as error:
                with suppress(TransportError):
                    await self._flush()  # the alert that tells the other end why
                own = self._security.certificate.fingerprint
                raise explained(error, chain=presented_chain(self._tls), own=own) from None
            else:
                return

    async def _receive(self) -> None:
        buffer = bytearray(_FLIGHT)
        count = await self._inner.receive_into(buffer)
        self._received += count
        if self._received > _MOST_BYTES:
            raise TrustError(f"a handshake of more than {_MOST_BYTES} bytes", code=Reason.HANDSHAKE_FAILED)
        if count:
            self._incoming.write(memoryview(buffer)[:count])
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._inner.send([data])

    async def _refuse(self, error: TrustError) -> None:
        """Tell the other end, if that is still possible; what waits to be sent would tell it that all is well."""
        self._outgoing.read()
        last_words_are_ours = self._dialed == (self._tls.version() == _NEWEST)
        if last_words_are_ours:
            # it still waits for the end of the handshake, and until then takes an alert in the clear (RFC 8446 5, 6)
            with suppress(TransportError):
                await self._inner.send([bytes((21, 3, 3, 0, 2, 2, alert_for(error.code)))])
