"""The other end of a connection, without manners: whatever bytes a test wants, over a real socket, in either role."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import TypeVar

from sttp.codes import Command, OperationalModes, Role
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, read_command, write_command
from sttp.wire.frame import FrameReader, write_frame
from sttp.wire.responses import AnyResponse, read_responses, write_response
from sttp.wire.signal_index_cache import SignalIndexCache, write_signal_index_cache

__all__ = [
    "EVERYTHING",
    "BadPeer",
    "PeerListener",
    "bomb",
    "command",
    "connect_and_reset",
    "offer",
    "response",
    "squeezed",
]

M = TypeVar("M")

EVERYTHING = commands.Subscribe(connection_string="filterExpression={FILTER ActiveMeasurements WHERE True}")
"""A Subscribe that selects all signals."""

_MANY = 1 << 30

_RESET = struct.pack("ii", 1, 0)


class BadPeer:
    """One connection with a publisher or subscriber of ours. It speaks the other role, as badly as it is told to.

    Args:
        role: the role that it pretends to have.
        modes: what it settles, or takes as settled.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        role: Role,
        modes: OperationalModes | None = None,
    ) -> None:
        self.role = role
        self.modes = modes or OperationalModes()
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader(_MANY)
        self._heard: deque[AnyCommand | AnyResponse] = deque()
        host, port = writer.get_extra_info("sockname")[:2]
        #: how the other end calls this one in its log
        self.name = f"{host}:{port}"

    @classmethod
    async def dial(cls, port: int, role: Role) -> BadPeer:
        """Connect to a port of this computer."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), role)

    # --- what it says

    async def say(self, *said: bytes | AnyCommand | AnyResponse) -> None:
        """Send bytes as they are, and messages as frames, all in one go."""
        self._writer.write(b"".join(self.written(*said)))
        await self._writer.drain()

    def written(self, *said: bytes | AnyCommand | AnyResponse) -> list[bytes]:
        """What `say` would send."""
        write = write_command if self.role is Role.SUBSCRIBER else write_response
        return [each if isinstance(each, bytes) else write(each, self.modes) for each in said]  # type: ignore[operator]

    def end(self) -> None:
        """Say that nothing more will be said; go on listening."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Break the connection, as a process does that is killed with bytes unread."""
        with suppress(OSError):  # the other end may have been faster
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    # --- what it hears

    async def hear(self, kind: type[M]) -> M:
        """Wait for a message of this kind, and forget those before it.

        Raises:
            EOFError: the other end ended the connection before.
        """
        while True:
            while self._heard:
                if isinstance(message := self._heard.popleft(), kind):
                    return message
            data = await self._reader.read(1 << 16)
            if not data:
                raise EOFError(f"the connection ended before a {kind.__name__} came")
            self._frames.feed(data)
            for frame in self._frames.frames():
                if self.role is Role.SUBSCRIBER:
                    self._heard += read_responses(frame, self.modes)
                else:
                    self._heard.append(read_command(frame, self.modes))

    async def ended(self) -> list[AnyCommand | AnyResponse]:
        """Wait until the other end ends the connection; return what it still said."""
        said = []
        try:
            while True:
                said.append(await self.hear(object))
        except (EOFError, ConnectionError):
            return said

    # --- how far it behaves

    async def make_ready(self) -> None:
        """Get as far as the operational modes."""
        if self.role is Role.SUBSCRIBER:
            await self.say(commands.DefineOperationalModes(modes=self.modes))
            await self.hear(responses.Succeeded)
        else:
            await self.hear(commands.DefineOperationalModes)
            await self.say(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES))

    async def start_streaming(self, cache: SignalIndexCache | None = None) -> None:
        """Get as far as measurements; the publisher offers `cache`."""
        await self.make_ready()
        if self.role is Role.SUBSCRIBER:
            await self.say(EVERYTHING)
            await self.hear(responses.UpdateSignalIndexCache)
            await self.say(commands.ConfirmUpdateSignalIndexCache())
        else:
            assert cache is not None
            await self.hear(commands.MetadataRefresh)
            await self.say(responses.Metadata(document=b""))
            await self.hear(commands.Subscribe)
            await self.say(offer(cache, self.modes), responses.Succeeded(command=Command.SUBSCRIBE))
            await self.hear(commands.ConfirmUpdateSignalIndexCache)

    async def is_served(self) -> None:
        """Ask something, in any phase after the modes, and wait for the answer."""
        if self.role is Role.SUBSCRIBER:
            await self.say(commands.UpdateProcessingInterval(milliseconds=-1))
            while (await self.hear(responses.Succeeded)).command != Command.UPDATE_PROCESSING_INTERVAL:
                pass
        else:
            await self.say(responses.Notify(hash=b"here", text="are you still there?"))
            while (await self.hear(commands.ConfirmNotification)).hash != b"here":
                pass


class PeerListener:
    """Where a publisher or subscriber of ours dials, and finds bad peers."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._server: asyncio.Server
        self._arrived: asyncio.Queue[BadPeer] = asyncio.Queue()
        self._all: list[BadPeer] = []

    async def open(self, port: int = 0) -> int:
        """Listen at a port of this computer, and return it."""
        self._server = await asyncio.start_server(self._arrive, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(BadPeer(reader, writer, self._role))
        self._arrived.put_nowait(self._all[-1])

    async def peer(self) -> BadPeer:
        """The next one that is dialed."""
        return await self._arrived.get()

    async def close(self) -> None:
        """Close all peers and free the port."""
        self._server.close()
        for peer in self._all:
            await peer.close()


def offer(cache: SignalIndexCache, modes: OperationalModes, index: int = 0) -> responses.UpdateSignalIndexCache:
    """The response that offers `cache` for a slot."""
    return responses.UpdateSignalIndexCache(
        cache_index=index if modes.double_buffered else None, image=write_signal_index_cache(cache, modes)
    )


def command(code: int, payload: bytes = b"") -> bytes:
    """The frame of a command, whatever is in it."""
    return write_frame(bytes((code,)), payload)


def response(code: int, payload: bytes = b"", answered: int = Command.SUBSCRIBE) -> bytes:
    """The frame of a response, whatever is in it."""
    return write_frame(struct.pack(">BBi", code, answered, len(payload)), payload)


def squeezed(document: bytes) -> bytes:
    """The document through gzip."""
    return gzip.compress(document, mtime=0)


def bomb() -> bytes:
    """A few bytes of gzip that become many."""
    return squeezed(bytes(2**25))


async def connect_and_reset(port: int) -> None:
    """Connect to a port of this computer, and break the connection at once."""
    with socket.socket() as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
