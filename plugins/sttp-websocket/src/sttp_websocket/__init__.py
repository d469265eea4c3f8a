"""WebSockets as a transport for sttp-kit, with a path, TLS and proxies.

A plugin: it imports `sttp.transport` and `sttp.security`, and nothing else of sttp-kit. `ws` and `wss` are layers, so a
WebSocket can lie over any transport; alone in a URL they lie over TCP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sttp.transport import Layer, hookimpl
from sttp_websocket.layers import SecureWebSocket, WebSocket

__all__ = ["STTP_DOOR", "SecureWebSocket", "WebSocket", "sttp_layers"]

STTP_DOOR: Final = 1
"""The version of the plugin door that this was written for."""


@hookimpl
def sttp_layers() -> Mapping[str, Layer]:
    """What URLs can name. Called when plugins are collected; it does no I/O."""
    return {"ws": WebSocket(), "wss": SecureWebSocket()}
