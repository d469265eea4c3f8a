"""A TCP connection as a byte stream."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from sttp.transport import PeerIdentity, SocketStream
from sttp_tcp.address import label

__all__ = ["TcpStream"]

_USER_TIMEOUT_MS: Final = 25_000
"""How long sent bytes may stay without acknowledgement before the system gives the peer up."""


class TcpStream(SocketStream):
    """One end of a connection; see `ByteStream` for the promises."""

    def introduce(self, connection: asyncio.Transport, /) -> tuple[str, PeerIdentity | None]:
        """The other end is at `host:port`, in numbers. TCP proves nobody's identity."""
        own: socket.socket = connection.get_extra_info("socket")
        with contextlib.suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        sockaddr = connection.get_extra_info("peername")
        return (label(sockaddr) if sockaddr else "unknown"), None
