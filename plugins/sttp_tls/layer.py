"""TLS as a layer: both verbs of the transport below it, and a handshake in front of every stream."""

from __future__ import annotations

from typing import Final

from sttp.security import Security, SecurityError
from sttp.transport import Transport
from sttp_tls.handshake import authenticated
from sttp_tls.hosts import host_of
from sttp_tls.listener import TlsListener
from sttp_tls.stream import TlsStream

__all__ = ["DEFAULT_PORT", "TlsLayer", "TlsTransport"]

DEFAULT_PORT: Final = 7167
"""The port that is usual for STTP over TLS (wire.md 10.1)."""


class TlsLayer:
    """Layer `tls`.

    Args:
        security: who we are and whom we trust; without it, only addresses can be completed.
    """

    def __init__(self, security: Security | None = None) -> None:
        self._security = security

    def secured(self, security: Security, /) -> TlsLayer:
        """See `Securable.secured`."""
        return TlsLayer(security)

    def over(self, inner: Transport, /) -> TlsTransport:
        """See `Layer.over`."""
        return TlsTransport(inner, self._security)


class TlsTransport:
    """A transport whose streams are authenticated and encrypted. Whoever listens is the server of TLS (wire.md 10.1).

    Args:
        inner: what carries the streams.
        security: see `TlsLayer`.
    """

    def __init__(self, inner: Transport, security: Security | None) -> None:
        self._inner = inner
        self._given = security

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """See `Transport.complete`. The port is 7167 unless a layer above has another."""
        return self._inner.complete(address, port=DEFAULT_PORT if port is None else port)

    async def dial(self, address: str, /) -> TlsStream:
        """See `Transport.dial`. The stream is there when this end has authenticated the other.

        By TLS 1.3 the other end may decide later: that it refuses us is then what the first `receive_into` raises.

        Raises:
            TrustError: one of the two refuses the other.
        """
        security = self._security
        address = self.complete(address)
        stream = await self._inner.dial(address)
        return await authenticated(stream, security, dialed=True, host=host_of(address))

    async def listen(self, address: str, /) -> TlsListener:
        """See `Transport.listen`. Only streams whose other end has been authenticated are yielded."""
        security = self._security
        return TlsListener(await self._inner.listen(self.complete(address)), security)

    @property
    def _security(self) -> Security:
        if self._given is None:
            raise SecurityError("TLS needs a certificate and somebody to trust: name a security folder")
        return self._given
