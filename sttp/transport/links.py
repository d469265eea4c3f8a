"""Links: the streams of one endpoint, one after another when it dials, many at once when it listens.

Whoever serves an endpoint writes the same loop for both directions:

```python
async for link in links:
    tasks.create_task(serve(link))
```

Redialing lives here and nowhere else. A *connectivity model* says which role dials and which listens.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self, runtime_checkable

from sttp.codes import Role
from sttp.errors import TransportError, TrustError, UsageError
from sttp.security import Audited, audit
from sttp.transport.contract import ByteStream, Listener, Transport

__all__ = ["Connectivity", "Link", "Links", "RedialPolicy", "accepted", "dialled"]

_log = logging.getLogger("sttp.transport")

_LARGEST_EXPONENT: Final = 30
"""Doubling stops here: any cap is reached long before, and the number stays a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedialPolicy:
    """How long a dialing endpoint waits before it dials again: exponential back-off with full jitter.

    The wait is drawn evenly from 0 up to the bound, so that peers that lost the same listener don't return together.

    Attributes:
        base: bound of the first wait in seconds; it doubles with every further failure.
        cap: largest bound in seconds.
        connect_timeout: how many seconds one attempt may take.
        uniform: draws from an interval; for tests.
        sleep: waits for a number of seconds; for tests.
    """

    base: float = 1.0
    cap: float = 60.0
    connect_timeout: float = 10.0
    uniform: Callable[[float, float], float] = random.uniform
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            raise UsageError(f"back-off needs 0 < base <= cap, not base {self.base} and cap {self.cap}")
        if self.connect_timeout <= 0:
            raise UsageError(f"the connect timeout must be positive, not {self.connect_timeout}")

    def wait(self, failures: int) -> float:
        """How many seconds to wait after so many failures in a row; 0 is for a link that had been useful."""
        exponent = min(max(failures - 1, 0), _LARGEST_EXPONENT)
        return self.uniform(0.0, min(self.cap, self.base * 2.0**exponent))


class Link:
    """One stream, and how its conversation went. Leaving it as a context manager closes it.

    Attributes:
        stream: where the conversation takes place.
        useful: whether the conversation came to something.
    """

    __slots__ = ("_ended", "stream", "useful")

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.useful = False
        self._ended = asyncio.Event()

    def proved_useful(self) -> None:
        """Say that the peer accepted the session: when the link ends, the back-off starts anew."""
        self.useful = True

    async def close(self) -> None:
        """Close the stream, if that has not happened, and say that this link has ended. Again: no effect."""
        try:
            await self.stream.close()
        finally:
            self._ended.set()

    async def ended(self) -> None:
        """Wait until `close` has been called."""
        await self._ended.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Links(Protocol):
    """Asynchronous iterator of `Link`. It ends when it is closed, and not before."""

    @property
    def bound(self) -> str | None:
        """The address that a listener is bound to; None when this end dials."""
        ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Link:
        """Wait for the next link. When this end dials, there is none before the last one has been closed.

        Raises:
            EndpointError: nobody can be dialed at this address, now or later.
        """
        ...

    async def close(self) -> None:
        """Yield no more links, and end an iteration that waits. Links that are out belong to their users."""
        ...


@runtime_checkable
class Connectivity(Protocol):
    """A connectivity model: which role dials and which listens."""

    async def links(
        self, role: Role, transport: Transport, address: str, /, *, policy: RedialPolicy, url: str
    ) -> Links:
        """Open one end of an endpoint, usually with `dialled` or `accepted`.

        Args:
            role: what this end does with measurements.
            transport: what to dial or listen with, layers included.
            address: an address that the transport has completed.
            policy: how to dial again.
            url: the endpoint as the user knows it, for log lines.

        Raises:
            TransportError: the address cannot be listened on.
        """
        ...


async def dialled(transport: Transport, address: str, /, *, policy: RedialPolicy, url: str) -> Links:
    """Links that are dialed one after another, for as long as it takes.

    The first attempt is made at the first iteration. A failure is one line at WARNING in the log `sttp.transport`. The
    back-off starts anew only when a link proved useful, and even then the next attempt waits a little.

    Args:
        transport: what to dial with.
        address: whom to dial.
        policy: when to dial again.
        url: the endpoint as the user knows it, for log lines.
    """
    return _Dialled(transport, address, policy, url)


async def accepted(transport: Transport, address: str, /) -> Links:
    """Links that come in at a bound address, any number at a time.

    Args:
        transport: what to listen with.
        address: where to listen.

    Raises:
        TransportError: the address cannot be listened on; the message names it and says what to do.
    """
    return _Accepted(await transport.listen(address))


class _Dialled:
    """See `dialled`."""

    def __init__(self, transport: Transport, address: str, policy: RedialPolicy, url: str) -> None:
        self._transport = transport
        self._address = address
        self._policy = policy
        self._url = url
        self._link: Link | None = None
        self._wait: float | None = None
        self._failures = 0
        self._iterating: asyncio.Task[object] | None = None
        self._closed = False

    @property
    def bound(self) -> str | None:
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Link:
        task = self._iterating = asyncio.current_task()
        try:
            self._link = await self._next()
        except asyncio.CancelledError:
            # close() cancels the task that iterates; the count tells its request from anyone else's.
            if self._closed and task is not None and task.uncancel() == 0:
                raise StopAsyncIteration from None
            raise
        finally:
            self._iterating = None
        return self._link

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._iterating is not None:
                self._iterating.cancel()

    async def _next(self) -> Link:
        if self._closed:
            raise StopAsyncIteration
        await self._last_ended()
        while True:
            if self._wait is not None:
                await self._policy.sleep(self._wait)
            try:
                async with asyncio.timeout(self._policy.connect_timeout):
                    return Link(await self._transport.dial(self._address))
            except TimeoutError:
                reason = f"no answer within {self._policy.connect_timeout:g} s"
                self._audit(reason)
            except TransportError as error:
                reason = str(error)
                if not isinstance(error, TrustError):  # whoever decided on trust has audited it, with more to say
                    self._audit(reason)
            self._failures += 1
            self._wait = self._policy.wait(self._failures)
            _log.warning("%s: %s; next try in %.1f s", self._url, reason, self._wait)

    def _audit(self, reason: str) -> None:
        audit(Audited.REFUSED, peer=self._address, direction="dialed", reason=reason)

    async def _last_ended(self) -> None:
        if self._link is None:
            return
        await self._link.ended()
        self._failures = 0 if self._link.useful else self._failures + 1
        self._wait = self._policy.wait(self._failures)
        self._link = None
        _log.info("%s: dialing again in %.1f s", self._url, self._wait)


class _Accepted:
    """See `accepted`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._closed = False

    @property
    def bound(self) -> str | None:
        return self._listener.address

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Link:
        try:
            return Link(await self._listener.accept())
        except TransportError:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    async def close(self) -> None:
        self._closed = True
        await self._listener.close()
