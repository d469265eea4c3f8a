"""The data channel over UDP (wire.md 10.5), as the suite has it: where datagrams arrive, and whence they are sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, cast

from sttp_conformance.recording import Recording, hexadecimal
from sttp_conformance.violation import Violation

__all__ = ["LARGEST", "DataChannel", "data_channel"]

LARGEST: Final = 1400
"""Bytes of a datagram that no network on the way takes apart."""

_HOST: Final = "127.0.0.1"


class DataChannel(asyncio.DatagramProtocol):
    """A UDP port of this computer.

    Args:
        rewritten: what becomes of a datagram on its way; for mutants.
        recording: where datagrams are written down.

    Attributes:
        port: where it is bound.
    """

    def __init__(self, rewritten: Callable[[bytes], Iterable[bytes]], recording: Recording) -> None:
        self.port = 0
        self._rewritten = rewritten
        self._recording = recording
        self._transport: asyncio.DatagramTransport | None = None
        self._arrived: deque[bytes] = deque()
        self._grown = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """See `asyncio.DatagramProtocol`."""
        for each in self._rewritten(data):
            self._recording.note(f"a datagram came: [{hexadecimal(each)}]")
            self._arrived.append(each)
            self._grown.set()

    def send(self, datagram: bytes, *, port: int) -> None:
        """Send a datagram to a port of this computer."""
        assert self._transport is not None
        for each in self._rewritten(datagram):
            self._recording.note(f"a datagram is sent: [{hexadecimal(each)}]")
            self._transport.sendto(each, (_HOST, port))

    async def receive(self, *, within: float) -> bytes:
        """The next datagram.

        Raises:
            Violation: none comes in time.
        """
        try:
            async with asyncio.timeout(within):
                while not self._arrived:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            raise Violation(f"expected a datagram on port {self.port}, but none came within {within:.1f} s") from None
        return self._arrived.popleft()

    def taken(self) -> list[bytes]:
        """All datagrams that have come and that nobody has looked at."""
        found = list(self._arrived)
        self._arrived.clear()
        return found


@asynccontextmanager
async def data_channel(
    rewritten: Callable[[bytes], Iterable[bytes]], recording: Recording
) -> AsyncIterator[DataChannel]:
    """Bind a UDP port while the context lasts; see `DataChannel` for the arguments."""
    transport, channel = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: DataChannel(rewritten, recording), (_HOST, 0)
    )
    try:
        yield channel
    finally:
        transport.close()
