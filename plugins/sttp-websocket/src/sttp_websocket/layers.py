"""The layers `ws` and `wss`."""

from __future__ import annotations

from typing import Final

from sttp.security import Security
from sttp.transport import EndpointError, Securable, Transport, load_plugins
from sttp_websocket.proxy import ThroughProxy
from sttp_websocket.transport import WebSocketTransport

__all__ = ["SecureWebSocket", "WebSocket"]

_PORT: Final = 80
_SECURE_PORT: Final = 443

_TLS: Final = "tls"
"""The layer that proves who is there; it comes with sttp-kit."""


class WebSocket:
    """Layer `ws`: a WebSocket over any transport, through a proxy if the user has one."""

    def over(self, inner: Transport, /) -> Transport:
        """See `Layer.over`."""
        return WebSocketTransport(ThroughProxy(inner), port=_PORT, secure=False)


class SecureWebSocket:
    """Layer `wss`: a WebSocket over TLS over any transport, with the certificates and the trust of the layer `tls`.

    Args:
        security: who we are and whom we trust, for the layer `tls`; without it, only addresses can be completed.
    """

    def __init__(self, security: Security | None = None) -> None:
        self._security = security

    def secured(self, security: Security, /) -> SecureWebSocket:
        """See `Securable.secured`."""
        return SecureWebSocket(security)

    def over(self, inner: Transport, /) -> Transport:
        """See `Layer.over`.

        Raises:
            EndpointError: the layer `tls` is not there.
        """
        tls = load_plugins().layers.get(_TLS)
        if tls is None:
            raise EndpointError("wss needs the layer tls, and no plugin provides it; it comes with sttp-kit")
        if self._security is not None and isinstance(tls, Securable):
            tls = tls.secured(self._security)
        return WebSocketTransport(tls.over(ThroughProxy(inner)), port=_SECURE_PORT, secure=True)
