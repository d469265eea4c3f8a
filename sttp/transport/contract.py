"""What a transport promises: streams of bytes, dialed or accepted.

A *transport* offers both verbs, dial and listen. A *layer*, such as TLS, wraps any transport and is one again. Neither
knows which end publishes. The promises stand in the docstrings; everything above relies on them and on nothing else,
and `sttp.testing.transport` asks for them one by one. What a medium cannot do at all its `Requirements` there say, with
the reason.

Calls may be cancelled at every await; what that means stands with each. Exceptions other than those named here may not
leave a transport: what its medium raises becomes a `TransportError` in plain words, where it enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from sttp.security import PeerIdentity

if TYPE_CHECKING:
    from sttp.errors import TransportError
    from sttp.security import Security

__all__ = [
    "ByteStream",
    "Layer",
    "Listener",
    "PeerIdentity",
    "PromptStream",
    "PushingStream",
    "Receiver",
    "Securable",
    "Transport",
]


@runtime_checkable
class ByteStream(Protocol):
    """Two directions of bytes, in order and without boundaries.

    One task receives and one task sends, at the same time if they like. A stream that this end has closed or aborted
    raises `TransportError` from everything except `close`, `abort` and the properties, also in a call that waits.
    """

    @property
    def peer(self) -> str:
        """Where the other end is, such as `127.0.0.1:41233`: for labels and log lines. It outlives the stream."""
        ...

    @property
    def identity(self) -> PeerIdentity | None:
        """Who the other end is, when the transport has authenticated it; it never changes and outlives the stream."""
        ...

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """Wait for bytes and put them at the start of `buffer`.

        Any number of bytes may come, however they were sent. A receiver that stays away makes the other end wait in
        the end: little more than the buffers of the system is read ahead. Cancelling loses no byte: what had arrived
        is there for the next call. What stands behind the bytes that came is left as it was.

        Args:
            buffer: writable, not empty, left alone by the caller until this returns.

        Returns:
            How many bytes came. 0 means that the other end has ended its direction, now and at every further call.

        Raises:
            TransportError: the stream is broken. Bytes that came before the break may be lost with it.
            UsageError: the buffer is empty, or another task is receiving.
        """
        ...

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """Send all of `buffers`, in order, and return when the transport has taken them.

        Never a partial write: it waits for as long as the other end is slow, and gives other tasks a turn even when it
        is not. When it returns the buffers may be reused; that the other end has read them is not said. After
        cancelling nobody knows how much was sent, so the stream is then good only for `close` and `abort`.

        Raises:
            TransportError: the stream is broken, or the other end no longer reads.
            UsageError: this end has already sent its end of stream.
        """
        ...

    async def send_eof(self) -> None:
        """End this direction after all that was sent; the other one stays open. Again: no effect.

        Over a medium that cannot end one direction alone it ends both, after all that was sent.

        Raises:
            TransportError: the stream is broken.
        """
        ...

    async def close(self) -> None:
        """End both directions in order and free everything. Again: no effect.

        What `send` took is delivered first, within a bounded time. Cancelling turns it into `abort`. It never
        complains of a peer that is gone.
        """
        ...

    def abort(self) -> None:
        """End both directions at once and lose what is under way. Again, and after `close`: no effect.

        The other end finds the stream broken, or at its end where the medium does not tell the two apart.
        """
        ...


class Receiver(Protocol):
    """Who takes what a stream pushes.

    The stream calls it from the event loop, one call after another. Nothing that it does waits, or raises.
    """

    def buffer(self) -> memoryview | bytearray:
        """Where the next bytes go: writable, not empty, and left alone until `received` or the end of pushing."""
        ...

    def received(self, count: int, /) -> bool:
        """Take the bytes at the start of the buffer that `buffer` gave last.

        Args:
            count: how many have come, at least one.

        Returns:
            Whether more may be pushed. After False nothing is, until the next `push_to`.
        """
        ...

    def ended(self, error: TransportError | None, /) -> None:
        """Take notice that nothing more will come; the stream pushes no longer.

        Args:
            error: why the stream is broken, as `receive_into` would raise it; None when the other end has ended its
                direction.
        """
        ...


@runtime_checkable
class PushingStream(ByteStream, Protocol):
    """A stream that can also push: hand over bytes as they come, without anybody having to be woken for it.

    That is for speed only, and no stream has to. To receive by `receive_into` and to be pushed may alternate, and
    everything promised there holds here too: the bytes are the same in the same order, and who takes none makes the
    other end wait.

    A stream that has this method is pushed, not asked. One that wraps or derives from another to look at its bytes must
    look at those that are pushed as well.
    """

    def push_to(self, receiver: Receiver | None, /) -> None:
        """Push from now on what comes, until the receiver wants no more, or the stream has ended.

        What is there already is pushed before this returns; an end that is known too.

        Args:
            receiver: who takes it; None to push no longer, which loses no byte and never fails.

        Raises:
            TransportError: this end has closed or aborted the stream.
            UsageError: another task is receiving, or there is a receiver already.
        """
        ...


@runtime_checkable
class PromptStream(ByteStream, Protocol):
    """A stream that can also send at once, without anybody having to be woken for it.

    That is for speed only, and no stream has to. `send` and `send_now` may alternate, and everything promised there
    holds here too: the bytes arrive in the order in which they were sent.

    A stream that has this method is used by it. One that wraps or derives from another to look at its bytes must look
    at those that are sent at once as well.
    """

    @property
    def can_send_now(self) -> bool:
        """Whether `send_now` may be called: no task is sending, and nothing that was sent is still waiting here.

        Never while the stream is closed, broken, or has sent its end; and it may be False at any other time.
        """
        ...

    def send_now(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """Send all of `buffers`, in order, without waiting.

        Meant for what is short, some hundred kilobytes at most. What the medium does not take at once is kept, and
        until it has gone `can_send_now` is False. A `send` that follows, be it of nothing, waits until it has gone.
        When this returns the buffers may be reused.

        Raises:
            TransportError: the stream is broken, or this end has closed or aborted it.
            UsageError: this end has already sent its end of stream, a task is sending, or bytes are still waiting.
        """
        ...


@runtime_checkable
class Listener(Protocol):
    """A bound address that yields streams. It stays open between accepts."""

    @property
    def address(self) -> str:
        """The address as bound, with the port that the system chose, such as `127.0.0.1:41233` or `[::1]:41233`."""
        ...

    async def accept(self) -> ByteStream:
        """Wait for the next stream.

        The failure of a single arrival, or a passing lack of files, is logged and survived. Cancelling loses no stream.

        Raises:
            TransportError: the listener is closed.
        """
        ...

    async def close(self) -> None:
        """Free the address and abort what nobody has accepted. Accepted streams live on. Again: no effect."""
        ...


@runtime_checkable
class Transport(Protocol):
    """Both verbs over one kind of stream. It holds no connection and may be shared."""

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        """Check an address without using it, and fill in what it leaves out.

        Args:
            address: what stands behind `://` in a URL.
            port: the port to assume, when a layer has a well-known one of its own. Transports without ports ignore it.

        Returns:
            The address in full. Completing it again changes nothing.

        Raises:
            EndpointError: the address cannot be understood.
        """
        ...

    async def dial(self, address: str, /) -> ByteStream:
        """Connect to a listener. The caller limits the time; cancelling leaves nothing behind.

        Raises:
            TransportError: it failed, in plain words such as "connection refused".
            EndpointError: nobody can be dialed at such an address, now or later.
        """
        ...

    async def listen(self, address: str, /) -> Listener:
        """Bind an address; peers can connect from then on.

        Raises:
            TransportError: it failed, in plain words that also say what to do about it.
            EndpointError: the address cannot be understood.
        """
        ...


@runtime_checkable
class Layer(Protocol):
    """Something that wraps any transport."""

    def over(self, inner: Transport, /) -> Transport:
        """The transport that carries its streams over those of `inner`."""
        ...


@runtime_checkable
class Securable(Protocol):
    """What a transport or a layer also is when it proves identities, and so has to be told whom to trust."""

    def secured(self, security: Security, /) -> Self:
        """The same with this certificate and this trust. Without, it can complete addresses, and nothing else."""
        ...
