"""An implementation under test, running, in one role and one direction: where streams to it come from.

If it listens it is dialed; if it dials the suite listens for it. Nothing above this module knows the difference.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sttp.codes import Role
from sttp.errors import TransportError
from sttp.transport import ByteStream, Listener, parse_endpoint
from sttp_conformance.adapter import Adapter
from sttp_conformance.control import ControlChannel
from sttp_conformance.credentials import Credentials
from sttp_conformance.launcher import LaunchError, announced, launch
from sttp_conformance.process import Process
from sttp_conformance.secure_stream import SecureStream
from sttp_conformance.violation import Violation
from sttp_conformance.ways import Way, end_of, transport_for

__all__ = ["Implementation"]

_STARTING: Final = 20.0
"""Seconds that a command without announcement has until it can be reached, or until it dials."""

_DIALING: Final = 5.0
"""Seconds that an implementation has to dial again, besides the longest wait that it may make before."""

_AGAIN: Final = 0.02
"""Seconds between two attempts to reach it."""

_SHAKING_HANDS: Final = 10.0
"""Seconds that a handshake of TLS may take."""

_FRESH: Final = 1.0
"""Seconds after which a stream that has arrived and waits is too old for a check: it may have given up."""

_numbers = itertools.count(1)


class Implementation:
    """One end of an implementation. As a context manager it is started and, in the end, stopped.

    Args:
        adapter: how it is started.
        role: the role that it plays.
        way: who dials, and over what.
        settings: timers in seconds, where they can be set; what a check goes by.
        asks: what a subscriber is told to ask for.
        forced: timers that are something else in truth, for mutants.
        run: a folder for files of this run.
        listen_first: if it dials: whether the suite listens before it is started.

    Attributes:
        end: what the adapter calls it.
        process: the process; None for what already runs.
        control: its control channel, if the adapter has one.
        arrivals: when it dialed, in seconds of the monotonic clock.
        over: wraps each stream; for mutants.
        known: what `sessions.catalogue` has learned of a publisher.
        below: wraps each stream before its handshake, where the two ends speak TLS; for mutants.
        credentials: what both ends show each other over TLS.
        datagrams: what becomes of each datagram on its way, to or from the implementation; for mutants.
    """

    def __init__(
        self,
        adapter: Adapter,
        role: Role,
        way: Way,
        settings: Mapping[str, float],
        run: Path,
        *,
        asks: Mapping[str, str] | None = None,
        forced: Mapping[str, float] | None = None,
        listen_first: bool = True,
    ) -> None:
        self.adapter = adapter
        self.role = role
        self.way = way
        self.settings = settings
        self.end = end_of(role, way.direction)
        self.process: Process | None = None
        self.control: ControlChannel | None = None
        self.arrivals: list[float] = []
        self.known: list[Any] | None = None
        self.over: Callable[[ByteStream], ByteStream] = lambda stream: stream
        self.below: Callable[[ByteStream], ByteStream] = lambda stream: stream
        self.datagrams: Callable[[bytes], Iterable[bytes]] = lambda datagram: (datagram,)
        self.credentials = Credentials(run)
        self._run = run
        self._asks = asks or {}
        self._forced = forced or {}
        self._listen_first = listen_first
        self._listener: Listener | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[float, ByteStream]] = deque()
        self._arrived = asyncio.Event()
        template = adapter.transports.get(way.transport, "127.0.0.1:0")
        self._address = template.replace("{run}", str(run)).replace("{number}", str(next(_numbers)))
        self._known = bool(adapter.addresses)
        if self._known:
            self._address = parse_endpoint(adapter.addresses[self.end]).address

    @property
    def dials(self) -> bool:
        """Whether the implementation dials."""
        return self.end.endswith("-dial")

    @property
    def host(self) -> str:
        """The host at which the two ends meet; empty where they do not meet at hosts and ports."""
        host, _, port = self._address.rpartition(":")
        return host if port.isdecimal() else ""

    @property
    def ended(self) -> str:
        """How its process ended, in words; empty while it runs."""
        return "" if self.process is None or self.process.exit_code is None else self.process.how_it_ended()

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            LaunchError: it does not come up.
        """
        try:
            if self.dials and self._listen_first:
                await self.listen()
            elif not self._known and (self.dials or self.adapter.announcement is None):
                await self._choose_port()
            if not self._known:
                await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- the process

    async def start(self) -> None:
        """Start the process, at the same address as before."""
        self.process = await launch(
            self.adapter,
            self.role,
            self.way,
            self._address,
            {**self.settings, **self._forced},
            self._run,
            self._asks,
            credentials=self.credentials,
        )
        if not self.dials and self.adapter.announcement is not None:
            self._address = await announced(self.process, self.adapter, self.end, self._address)
        self.process.stderr.at_end = self._arrived.set
        if self.adapter.control[self.role]:
            self.control = ControlChannel(self.process, self.end)

    @property
    def memory(self) -> int:
        """Bytes of memory that its process holds; 0 where nobody knows."""
        return 0 if self.process is None else self.process.memory

    @property
    def descriptors(self) -> int:
        """Files and sockets that its process holds open; 0 where nobody knows."""
        return 0 if self.process is None else self.process.descriptors

    async def has_ended(self, *, within: float = 0.0) -> str:
        """How its process ended; empty while it runs.

        Args:
            within: seconds that it may take to end. It closes its connections before it has said why.
        """
        if self.process is not None and (within or self.process.stderr.ended):
            with suppress(TimeoutError):
                async with asyncio.timeout(max(within, _STARTING if self.process.stderr.ended else 0.0)):
                    await self.process.ended()
        return self.ended

    async def kill(self) -> None:
        """End the process without asking; nothing is left of it, also no connection that it dialed at last."""
        if self.process is not None:
            self.process.kill()
            await self.process.stop()
        if self._listener is not None:
            await self.stop_listening()
            await self.listen()

    async def stop(self) -> None:
        """End the process, and stop listening."""
        try:
            if self.process is not None:
                await self.process.stop()
        finally:
            await self.stop_listening()

    # --- streams

    async def listen(self) -> None:
        """Listen for an implementation that dials. Again after `stop_listening` it is at the same address."""
        transport, address = transport_for(self.way.transport, self._address)
        self._listener = await transport.listen(address)
        self._address = self._listener.address
        self._accepting = asyncio.create_task(self._accept(self._listener))

    async def stop_listening(self) -> None:
        """Free the address; whoever dials is refused from now on. What nobody has taken is broken off."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        if self._accepting is not None:
            self._accepting.cancel()
            with suppress(asyncio.CancelledError):
                await self._accepting
        while self._waiting:
            self._waiting.popleft()[1].abort()

    @property
    def context(self) -> ssl.SSLContext:
        """How the suite speaks TLS with it: the side that listens is the server, and both show a certificate."""
        credentials = self.credentials
        return credentials.context(server=self.dials, own=credentials.suite, trusted=credentials.implementation)

    async def connect(self, *, within: float | None = None, context: ssl.SSLContext | None = None) -> ByteStream:
        """A new stream with the implementation, whoever dials, inside TLS where the two speak that.

        Args:
            within: seconds; without it, long enough for a process to start, and for the longest wait before it dials.
            context: how to speak TLS; without it, as one should.

        Raises:
            Violation: it does not come to one in time, or refuses the suite.
        """
        stream = await self.connect_bare(within=within)
        if self.way.is_secure:
            stream = await self._secured(stream, context or self.context)
        return self.over(stream)

    async def _secured(self, bare: ByteStream, context: ssl.SSLContext) -> SecureStream:
        stream = SecureStream(bare, context, server=self.dials)
        try:
            async with asyncio.timeout(_SHAKING_HANDS):
                await stream.shake_hands()
        except (TransportError, TimeoutError) as error:
            bare.abort()
            reason = str(error) or f"the handshake of TLS did not end within {_SHAKING_HANDS:g} s"
            raise Violation(f"{self.end}: {reason}") from None
        return stream

    async def connect_bare(self, *, within: float | None = None) -> ByteStream:
        """A new stream below TLS, on which nothing has been said. See `connect`."""
        if within is None:
            cap = self.adapter.timer("redial-cap", self.settings) if self.dials and self.arrivals else None
            within = _STARTING if cap is None else cap + _DIALING
        return self.below(await (self._next_arrival(within) if self.dials else self._dial(within)))

    async def _dial(self, within: float) -> ByteStream:
        transport, address = transport_for(self.way.transport, self._address)
        deadline = time.monotonic() + within
        while True:
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0.1)):
                    return await transport.dial(address)
            except (TransportError, TimeoutError) as error:
                if ended := await self.has_ended():
                    raise Violation(f"{self.end}: the process ended with {ended}") from None
                if time.monotonic() > deadline:
                    reason = str(error) or "no answer"
                    raise Violation(f"{self.end}: it cannot be reached within {within:.0f} s: {reason}") from None
                await asyncio.sleep(_AGAIN)

    async def _next_arrival(self, within: float) -> ByteStream:
        try:
            async with asyncio.timeout(within):
                while True:
                    while self._waiting:
                        arrived, stream = self._waiting.pop()
                        if time.monotonic() - arrived < _FRESH:
                            return stream
                        stream.abort()
                    if ended := await self.has_ended():
                        raise Violation(f"{self.end}: the process ended with {ended}")
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise Violation(f"{self.end}: it does not dial within {within:.0f} s") from None

    async def _accept(self, listener: Listener) -> None:
        with suppress(TransportError):
            while True:
                stream = await listener.accept()
                self.arrivals.append(time.monotonic())
                self._waiting.append((self.arrivals[-1], stream))
                self._arrived.set()

    async def _choose_port(self) -> None:
        """Find an address that is free, for a command that is told where."""
        transport, address = transport_for(self.way.transport, self._address)
        try:
            listener = await transport.listen(address)
        except TransportError as error:
            raise LaunchError(f"{self.end}: no free address like {self._address}: {error}") from None
        self._address = listener.address
        await listener.close()
