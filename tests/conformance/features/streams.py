"""A session on a stream of asyncio: bytes in, events out, and frames that may go another way than the stream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from sttp.session import PublisherSession, SubscriberSession

_LENGTH = 4


class Link:
    """One connection.

    Args:
        session: what speaks on it.
        reader: its stream.
        writer: its stream.
        take: called with each event.
        sent: called with each frame that is due; true when the frame has gone another way.
    """

    def __init__(
        self,
        session: PublisherSession | SubscriberSession,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        take: Callable[[object], None],
        sent: Callable[[bytes], bool] = lambda frame: False,
    ) -> None:
        self.session = session
        self._reader = reader
        self._writer = writer
        self._take = take
        self._sent = sent

    async def run(self) -> None:
        """Serve the connection until it ends."""
        with suppress(OSError):
            self.flush()
            while not self.session.ended:
                try:
                    async with asyncio.timeout_at(self.session.deadline):
                        frame = await self._frame()
                except TimeoutError:
                    self.session.handle_deadline(now=_now())
                else:
                    self.hear(frame)
                self.flush()
        self._writer.close()

    async def _frame(self) -> bytes:
        """The next frame; nothing at the end. Whole ones, so that datagrams may come in between."""
        while len(self._ahead) < _LENGTH or len(self._ahead) < _LENGTH + int.from_bytes(self._ahead[:_LENGTH], "big"):
            data = await self._reader.read(2**16)
            if not data:
                return b""
            self._ahead += data
        end = _LENGTH + int.from_bytes(self._ahead[:_LENGTH], "big")
        frame, self._ahead = self._ahead[:end], self._ahead[end:]
        return frame

    _ahead = b""

    def hear(self, frame: bytes) -> None:
        """Take a frame, whichever way it came; nothing is the end."""
        if frame:
            self.session.receive_data(frame, now=_now())
        else:
            self.session.receive_eof(now=_now())

    def flush(self) -> None:
        """Act on what has happened, and send what is due."""
        while events := self.session.events():
            for event in events:
                self._take(event)
        for frame in self.session.data_to_send():
            if not self._sent(frame):
                self._writer.write(frame)

    def write(self, frame: bytes) -> None:
        """Send a frame on the stream, past the session."""
        self._writer.write(frame)


def _now() -> float:
    return asyncio.get_running_loop().time()


def udp_socket() -> socket.socket:
    """A socket for datagrams, bound to any port."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made
