"""Streams that can send at once, each wrong in one way. The kit must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from broken_transports import Wrapped, Wrapping
from sttp.transport import PromptStream, Transport, TransportError, UsageError, load_plugins

__all__ = ["BROKEN_AT_ONCE"]

Buffers = Sequence[bytes | bytearray | memoryview]


class Prompt(Wrapped):
    """Sends at once as the stream below does."""

    inner: PromptStream

    @property
    def can_send_now(self) -> bool:
        return self.inner.can_send_now

    def send_now(self, buffers: Buffers, /) -> None:
        self.inner.send_now(buffers)


class Keeps(Prompt):
    """Keeps the buffers until later, instead of what is in them."""

    kept: Buffers = ()

    def send_now(self, buffers: Buffers, /) -> None:
        self.inner.send_now(self.kept)
        self.kept = buffers

    async def send(self, buffers: Buffers, /) -> None:
        kept, self.kept = self.kept, ()
        await self.inner.send([*kept, *buffers])


class Waits(Prompt):
    """Waits for more before anything goes out."""

    kept = b""

    def send_now(self, buffers: Buffers, /) -> None:
        self.kept += b"".join(buffers)
        if len(self.kept) > 9:
            self.inner.send_now([self.kept])
            self.kept = b""

    async def send(self, buffers: Buffers, /) -> None:
        kept, self.kept = self.kept, b""
        await self.inner.send([kept, *buffers])


class AlwaysCan(Prompt):
    """Takes whatever there is, and keeps it."""

    @property
    def can_send_now(self) -> bool:
        return True

    def send_now(self, buffers: Buffers, /) -> None:
        with suppress(UsageError):
            self.inner.send_now(buffers)


class ForgetsWhoSends(Prompt):
    """Forgets that a task is sending."""

    sending = False

    @property
    def can_send_now(self) -> bool:
        return self.sending or self.inner.can_send_now

    async def send(self, buffers: Buffers, /) -> None:
        self.sending = True
        await self.inner.send(buffers)
        self.sending = False


class ForgetsTheEnd(Prompt):
    """Goes on behind its end."""

    ended = False

    @property
    def can_send_now(self) -> bool:
        return self.ended or self.inner.can_send_now

    async def send_eof(self) -> None:
        self.ended = True
        await self.inner.send_eof()


class SaysNothing(Prompt):
    """Swallows what nobody will get any more."""

    def send_now(self, buffers: Buffers, /) -> None:
        with suppress(TransportError):
            self.inner.send_now(buffers)


class BlamesTheCaller(Prompt):
    """Takes a broken stream for one that is used wrongly, without a word."""

    def send_now(self, buffers: Buffers, /) -> None:
        if self.inner.can_send_now:
            self.inner.send_now(buffers)


def _over_tcp(kind: type[Prompt]) -> Callable[[], tuple[Transport, str]]:
    return lambda: (Wrapping(load_plugins().transports["tcp"], kind), "127.0.0.1:0")


BROKEN_AT_ONCE: dict[str, tuple[Callable[[], tuple[Transport, str]], str, str]] = {
    "sound": (_over_tcp(Prompt), "", ""),
    "keeps the buffers": (_over_tcp(Keeps), "sent_at_once_as_sent", "differs from what was sent"),
    "waits": (_over_tcp(Waits), "sent_at_once_goes_out", "arrives instead of"),
    "always can": (_over_tcp(AlwaysCan), "not_at_once_while_bytes_wait", "MB were sent at once"),
    "forgets who sends": (_over_tcp(ForgetsWhoSends), "not_at_once_while_a_task_sends", "while a task is sending"),
    "forgets the end": (_over_tcp(ForgetsTheEnd), "nothing_at_once_behind_the_end", "has sent its end says"),
    "blames the caller": (_over_tcp(BlamesTheCaller), "nothing_at_once_when_broken", "a broken stream sends at once"),
    "says nothing": (_over_tcp(SaysNothing), "nothing_at_once_when_closed", "a closed stream sends at once"),
}
"""By name: makes one with an address to listen at, the check that is meant for it, and what that check must say."""
