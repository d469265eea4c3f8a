"""What is tested: a transport that a URL names, and pairs of streams over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sttp.errors import TransportError, UsageError
from sttp.testing.requirements import Requirements
from sttp.transport import (
    ByteStream,
    Listener,
    PeerIdentity,
    Plugins,
    Transport,
    load_plugins,
    open_transport,
    parse_endpoint,
)
from sttp.transport.forward import FORWARD

__all__ = ["CONNECTS", "BrokenPromiseError", "Subject", "gone", "promise", "read", "read_all", "settle"]

CONNECTS: Final = 1000
"""How many streams one after another must leave nothing behind, unless told otherwise."""

_NOTHING_LACKS: Final = Requirements()


class BrokenPromiseError(AssertionError):
    """A transport does not keep its contract; the message says which promise, and what was seen instead."""


def promise(kept: object, broken: str) -> None:
    """Complain unless a promise is kept.

    Raises:
        BrokenPromiseError: it is not; `broken` says what was seen.
    """
    if not kept:
        raise BrokenPromiseError(broken)


class Subject:
    """A transport under test.

    Args:
        url: an endpoint where this machine can listen, without a connectivity model, such as `ws://127.0.0.1:0/sttp`.
        requirements: what it cannot do.
        dialer: who the dialing end is, as the accepting end must find it; None when nobody is authenticated.
        listener: who the listening end is, as the dialing end must find it.
        plugins: where the URL is looked up; without it, in what is installed.
        connects: how many streams one after another must leave nothing behind.

    Attributes:
        transport: the transport, with the layers of the URL.
        address: where it listens.

    Raises:
        EndpointError: the URL cannot be understood.
        UsageError: it has a connectivity model.
    """

    def __init__(
        self,
        url: str,
        *,
        requirements: Requirements = _NOTHING_LACKS,
        dialer: PeerIdentity | None = None,
        listener: PeerIdentity | None = None,
        plugins: Plugins | None = None,
        connects: int = CONNECTS,
    ) -> None:
        self.plugins = load_plugins() if plugins is None else plugins
        endpoint = parse_endpoint(url, plugins=self.plugins)
        if endpoint.model != FORWARD:
            raise UsageError(f"{url!r}: leave out {endpoint.model}+, the kit tries both directions")
        self.url = url
        self.requirements = requirements
        self.dialer = dialer
        self.listener = listener
        self.connects = connects
        self.transport: Transport = open_transport(endpoint, plugins=self.plugins)
        self.address = endpoint.address

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """A listener, closed at the end."""
        listener = await self.transport.listen(self.address)
        try:
            yield listener
        finally:
            await listener.close()

    async def meet(self, listener: Listener) -> tuple[ByteStream, ByteStream]:
        """Both ends of a new stream: who dialed, and who accepted."""
        dialed, accepted = await asyncio.gather(self.transport.dial(listener.address), listener.accept())
        return dialed, accepted

    @asynccontextmanager
    async def pair(self, *, flipped: bool = False) -> AsyncIterator[tuple[ByteStream, ByteStream]]:
        """Both ends of a stream, ended at the end however that went.

        Args:
            flipped: give first the end that accepted.
        """
        async with self.listening() as listener:
            dialed, accepted = await self.meet(listener)
        try:
            yield (accepted, dialed) if flipped else (dialed, accepted)
        except BaseException:
            dialed.abort()
            accepted.abort()
            raise
        finally:
            await asyncio.gather(dialed.close(), accepted.close())


async def read(stream: ByteStream, count: int) -> bytes:
    """Exactly `count` bytes, or fewer when the stream ends before."""
    data = bytearray(count)
    at = 0
    with memoryview(data) as view:
        while at < count:
            received = await stream.receive_into(view[at:])
            promise(0 <= received <= count - at, f"receive_into says {received} for a buffer of {count - at} bytes")
            if not received:
                break
            at += received
    return bytes(data[:at])


async def read_all(stream: ByteStream, *, most: int = 2**20) -> bytes:
    """Everything up to the end of the stream, which must come before `most` bytes have."""
    data = await read(stream, most)
    promise(len(data) < most, f"more than {most} bytes came, and no end")
    return data


async def settle(turns: int = 50) -> None:
    """Give everything that is under way the time to arrive."""
    for _ in range(turns):
        await asyncio.sleep(0)
    await asyncio.sleep(_MOMENT)


async def gone(stream: ByteStream) -> None:
    """Wait until a stream has ended or broken; what comes before is dropped."""
    rest = bytearray(65536)
    with suppress(TransportError):
        while await stream.receive_into(rest):
            pass


_MOMENT: Final = 0.002
"""Seconds that bytes take at most on a quiet machine. Nothing relies on it but the sharpness of a check."""
