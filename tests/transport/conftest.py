"""What the tests of transports share: every transport under one name, and pairs of streams over it."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from parties import Party
from sttp.transport import ByteStream, Listener, Transport, load_plugins
from sttp.transport.memory import MemoryTransport
from sttp_tls import TlsLayer


@dataclass(frozen=True)
class Case:
    """A transport and an address where it can listen."""

    transport: Transport
    anywhere: str
    proves_identities: bool = False

    async def listen(self) -> Listener:
        return await self.transport.listen(self.anywhere)

    async def pair(self) -> tuple[ByteStream, ByteStream]:
        """Both ends of one stream: who dialed, and who accepted."""
        listener = await self.listen()
        dialed = await self.transport.dial(listener.address)
        accepted = await listener.accept()
        await listener.close()
        return dialed, accepted


CASES: dict[str, Callable[[], Case]] = {
    "memory": lambda: Case(MemoryTransport(), "somewhere"),
    "memory, byte by byte": lambda: Case(MemoryTransport(capacity=64, cut=1), "somewhere"),
    "tcp": lambda: Case(load_plugins().transports["tcp"], "127.0.0.1:0"),
}


@cache
def tls() -> TlsLayer:
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    party = Party(folder, "both")
    party.trust("both", party.issuer)
    return TlsLayer(party.security)


def over_tls(transport: Transport, anywhere: str) -> Case:
    return Case(tls().over(transport), anywhere, proves_identities=True)


# a record of TLS is longer than 64 bytes, and ten of them must find room
CASES |= {
    "tls over memory": lambda: over_tls(MemoryTransport(), "somewhere"),
    "tls over memory, byte by byte": lambda: over_tls(MemoryTransport(capacity=512, cut=1), "somewhere"),
    "tls over tcp": lambda: over_tls(load_plugins().transports["tcp"], "127.0.0.1:0"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


@pytest.fixture
def read() -> Callable[[ByteStream, int], Awaitable[bytes]]:
    """Reads up to a number of bytes, or to the end of the stream."""

    async def read(stream: ByteStream, count: int) -> bytes:
        data = bytearray(count)
        at = 0
        while at < count:
            with memoryview(data) as view:
                received = await stream.receive_into(view[at:])
            if not received:
                break
            at += received
        return bytes(data[:at])

    return read
