"""The transport `unix`: both verbs, dial and listen."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from sttp.transport import BACKLOG, SocketListener, TransportError, translated
from sttp_unix.address import checked, is_abstract, sockaddr
from sttp_unix.stream import UnixStream

__all__ = ["UnixTransport"]

_WORDS: Final[Mapping[int, str]] = {
    errno.ENOENT: "no such socket (does the other end listen?)",
    errno.EACCES: "permission denied (see the permissions of the socket and of its folder)",
    errno.EADDRINUSE: "the address is in use (another program listens there; choose another or stop it)",
    errno.ENOTSOCK: "there is a file that is no socket",
}


class UnixTransport:
    """Transport `unix`. Addresses are paths; who may dial is a matter of file permissions."""

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """See `Transport.complete`."""
        return checked(address)

    async def dial(self, address: str, /) -> UnixStream:
        """See `Transport.dial`."""
        loop = asyncio.get_running_loop()
        try:
            _, stream = await loop.create_unix_connection(UnixStream, sockaddr(checked(address)))
        except OSError as error:
            raise translated(error, f"cannot connect to {address}", words=_WORDS) from error
        return stream

    async def listen(self, address: str, /) -> SocketListener:
        """See `Transport.listen`. What a listener that crashed has left at the path is removed first."""
        _remove_leftover(checked(address))
        bound = socket.socket(socket.AF_UNIX)
        try:
            bound.bind(sockaddr(address))
            bound.listen(BACKLOG)
            return await SocketListener.serving(bound, address=address, stream=UnixStream, freed=_remover(address))
        except OSError as error:
            bound.close()
            raise translated(error, f"cannot listen on {address}", words=_WORDS) from error


def _remove_leftover(address: str) -> None:
    """Remove a socket at which nobody listens.

    Raises:
        TransportError: there is something else at that path.
    """
    if is_abstract(address) or not os.path.lexists(address):
        return
    if not stat.S_ISSOCK(os.lstat(address).st_mode):
        raise TransportError(f"cannot listen on {address}: there is a file of that name; choose another")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        if probe.connect_ex(address) == errno.ECONNREFUSED:
            with suppress(OSError):
                os.unlink(address)


def _remover(address: str) -> Callable[[], None]:
    """Removes the socket that is there now, and no other that has come in its place."""
    if is_abstract(address):
        return lambda: None
    ours = os.lstat(address)

    def remove() -> None:
        with suppress(OSError):
            now = os.lstat(address)
            if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino):
                os.unlink(address)

    return remove
