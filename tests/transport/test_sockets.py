"""`SocketStream` as what others derive from."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from sttp.transport import SocketStream


class Recording(SocketStream):
    """Writes down what is sent, and knows of no other way to send than `send`."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.sent = bytearray()

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        self.sent += b"".join(buffers)
        await super().send(buffers)


async def test_who_overrides_send_alone_sees_everything_that_is_sent() -> None:
    class RecordingBoth(Recording):
        def send_now(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
            self.sent += b"".join(buffers)
            super().send_now(buffers)

    loop = asyncio.get_running_loop()
    for kind, at_once in ((Recording, False), (type("Derived", (Recording,), {}), False), (RecordingBoth, True)):
        near, far = socket.socketpair()
        _, stream = await loop.create_connection(kind, sock=near)
        assert stream.can_send_now is at_once
        stream.abort()
        far.close()
