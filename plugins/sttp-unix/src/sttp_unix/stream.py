"""A connection over a Unix socket, and who is at its other end."""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
from typing import Final

from sttp.transport import PeerIdentity, SocketStream

__all__ = ["UnixStream", "identity_of"]

_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group, as Linux gives them (unix(7), SO_PEERCRED)."""


class UnixStream(SocketStream):
    """One end of a connection; see `ByteStream` for the promises."""

    def introduce(self, connection: asyncio.Transport, /) -> tuple[str, PeerIdentity | None]:
        """The listening end is at its path, the dialing end is a process; both run as a user, which the kernel says."""
        process, user = _credentials(connection.get_extra_info("socket"))
        path = connection.get_extra_info("peername")
        if isinstance(path, bytes):
            path = "@" + path.removeprefix(b"\0").decode(errors="replace")
        identity = None if user is None else identity_of(user)
        return str(path or (f"process {process}" if process else "unknown process")), identity


def identity_of(user: int) -> PeerIdentity:
    """The identity of whoever runs as a user: the name in the user database, else `uid 1234`, which is the subject."""
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"uid {user}"
    return PeerIdentity(name=name, subject=f"uid {user}")


def _credentials(connected: socket.socket) -> tuple[int | None, int | None]:
    """Process and user of the other end; None where the system does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None, None
    process, user, _ = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return process, user
