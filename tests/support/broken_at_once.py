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
    def free(self) -> bool:
        return self.inner.free

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


class AlwaysFree(Prompt):
    """Takes whatever there is, and keeps it."""

    @property
    def free(self) -> bool:
        return True

    def send_now(self, buffers: Buffers, /) -> None:
        with suppress(UsageError):
            self.inner.send_now(buffers)


class FreeWhileSending(Prompt):
    """Forgets that a task is sending."""

    sending = False

    @property
    def free(self) -> bool:
        return self.sending or self.inner.free

    async def send(self, buffers: Buffers, /) -> None:
        self.sending = True
        await self.inner.send(buffers)
        self.sending = False


class ForgetsTheEnd(Prompt):
    """Goes on behind its end."""

    ended = False

    @property
    def free(self) -> bool:
        return self.ended or self.inner.free

    async def send_eof(self) -> None:
        self.ended = True
        await self.inner.send_eof()


class SaysNothing(Prompt):
    """Swallows what nobody will get any more."""

    def send_now(self, buffers: Buffers, /) -> None:
        with suppress(TransportError):
            self.inner.send_now(buffers)


def _over_tcp(kind: type[Prompt]) -> Callable[[], tuple[Transport, str]]:
    return lambda: (Wrapping(load_plugins().transports["tcp"], kind), "127.0.0.1:0")


BROKEN_AT_ONCE: dict[str, tuple[Callable[[], tuple[Transport, str]], str, str]] = {
    "sound": (_over_tcp(Prompt), "", ""),
    "keeps the buffers": (_over_tcp(Keeps), "sent_at_once_as_sent", "differs from what was sent"),
    "waits": (_over_tcp(Waits), "sent_at_once_goes_out", "arrives instead of"),
    "always free": (_over_tcp(AlwaysFree), "not_free_while_bytes_wait", "MB were sent at once"),
    "free while sending": (_over_tcp(FreeWhileSending), "not_free_while_a_task_sends", "free while a task is sending"),
    "forgets the end": (_over_tcp(ForgetsTheEnd), "nothing_at_once_behind_the_end", "has sent its end is free"),
    "says nothing": (_over_tcp(SaysNothing), "nothing_at_once_when_closed", "a closed stream sends at once"),
}
"""By name: makes one with an address to listen at, the check that is meant for it, and what that check must say."""
