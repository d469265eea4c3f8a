"""Streams that push, each wrong in one way. The kit must find every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from broken_transports import Wrapped, Wrapping
from sttp.transport import PushingStream, Receiver, Transport, TransportError, UsageError, load_plugins

__all__ = ["BROKEN_PUSHING"]


class Relay:
    """A receiver that hands on to another."""

    def __init__(self, to: Receiver) -> None:
        self.to = to

    def buffer(self) -> memoryview | bytearray:
        return self.to.buffer()

    def received(self, count: int, /) -> bool:
        return self.to.received(count)

    def ended(self, error: TransportError | None, /) -> None:
        self.to.ended(error)


class Relaying(Wrapped):
    """Pushes what the stream below pushes."""

    inner: PushingStream
    relay: type[Relay] = Relay

    def push_to(self, receiver: Receiver | None, /) -> None:
        self.inner.push_to(None if receiver is None else self.relay(receiver))


class GoesOn(Relay):
    """Does not heed that no more is wanted."""

    def received(self, count: int, /) -> bool:
        self.to.received(count)
        return True


class Repeats(Relay):
    """Hands over once more what has been taken."""

    def received(self, count: int, /) -> bool:
        return self.to.received(count) and self.to.received(count)


class NeverEnds(Relay):
    """Keeps the end to itself."""

    def ended(self, error: TransportError | None, /) -> None:
        pass


class EndsTwice(Relay):
    """Tells the end again."""

    def ended(self, error: TransportError | None, /) -> None:
        super().ended(error)
        super().ended(error)


class EndsInOrder(Relay):
    """Takes a broken stream for one that has ended."""

    def ended(self, error: TransportError | None, /) -> None:
        super().ended(None)


class Drain:
    """Throws away what comes."""

    def buffer(self) -> bytearray:
        return bytearray(100)

    def received(self, count: int, /) -> bool:
        return True

    def ended(self, error: TransportError | None, /) -> None:
        pass


class BeginsAnew(Relaying):
    """Pushes only what comes from now on."""

    def push_to(self, receiver: Receiver | None, /) -> None:
        if receiver is not None:
            self.inner.push_to(Drain())
            self.inner.push_to(None)
        super().push_to(receiver)


class LetsAnotherIn(Relaying):
    """Pushes to whoever has asked last."""

    def push_to(self, receiver: Receiver | None, /) -> None:
        try:
            super().push_to(receiver)
        except UsageError:
            self.inner.push_to(None)
            super().push_to(receiver)


class NeverSaysNo(Relaying):
    """Can be asked to push after it was closed, and waits for ever."""

    def push_to(self, receiver: Receiver | None, /) -> None:
        with suppress(TransportError):
            super().push_to(receiver)


class Slow(Relaying):
    """Holds what has come for a moment, and loses it when it is cancelled then."""

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        own = bytearray(len(buffer))
        count = await self.inner.receive_into(own)
        for _ in range(3):
            await asyncio.sleep(0)
        buffer[:count] = own[:count]
        return count


def _relayed(relay: type[Relay]) -> type[Relaying]:
    return type(relay.__name__, (Relaying,), {"relay": relay})


def _over_tcp(kind: type[Relaying]) -> Callable[[], tuple[Transport, str]]:
    return lambda: (Wrapping(load_plugins().transports["tcp"], kind), "127.0.0.1:0")


BROKEN_PUSHING: dict[str, tuple[Callable[[], tuple[Transport, str]], str, str]] = {
    "sound": (_over_tcp(Relaying), "", ""),
    "goes on": (_over_tcp(_relayed(GoesOn)), "pushing_keeps_backpressure", "no backpressure"),
    "repeats": (_over_tcp(_relayed(Repeats)), "pushed_as_pulled", "differs from what was sent|wants no more"),
    "never ends": (_over_tcp(_relayed(NeverEnds)), "the_end_is_pushed", "nothing more is pushed, and no end"),
    "ends twice": (_over_tcp(_relayed(EndsTwice)), "the_end_is_pushed", r"told as \[None, None\]"),
    "ends in order": (_over_tcp(_relayed(EndsInOrder)), "a_break_is_pushed", r"told as \[None\], not as one Transport"),
    "begins anew": (_over_tcp(BeginsAnew), "pushed_while_nobody_looked", "nothing more is pushed, and no end"),
    "lets another in": (_over_tcp(LetsAnotherIn), "one_receives", "a second receiver is let in"),
    "never says no": (_over_tcp(NeverSaysNo), "pushing_ends_with_the_stream", "can still be asked to push"),
    "loses what was cancelled": (_over_tcp(Slow), "pushed_after_a_cancelled_receive", "nothing more is pushed"),
}
"""By name: makes one with an address to listen at, the check that is meant for it, and what that check must say."""
