"""Peers that say what a check tells them to, right or wrong, at exact moments: `sttp.wire` over a stream, no session.

What is shared by both roles stands here: saying, hearing, and expecting. Everything is recorded.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from sttp.codes import OperationalModes, Role
from sttp.errors import ProtocolError, TransportError
from sttp.limits import DEFAULT_LIMITS
from sttp.transport import ByteStream
from sttp.wire.frame import FrameReader, write_frame
from sttp_conformance.grace import Grace
from sttp_conformance.packets import PacketReader
from sttp_conformance.recording import Recording
from sttp_conformance.transcript import shown
from sttp_conformance.violation import Violation

__all__ = ["ScriptedPeer", "frame"]

Heard = TypeVar("Heard")
W = TypeVar("W")

_BUFFER: Final = 256 * 1024


def frame(*parts: bytes) -> bytes:
    """A frame with anything in it, to be said as it is."""
    return write_frame(*parts)


class _Ended(Exception):
    """The other end ended the connection."""


class ScriptedPeer(ABC, Generic[Heard]):
    """One end of a connection with an implementation under test. Leaving it as a context manager closes the stream.

    Args:
        stream: where the implementation is.
        grace: how long to wait.
        recording: where everything is written down.

    Attributes:
        packets: what is remembered of the conversation.
        ended: how the implementation ended the connection, `closed` or `reset`; empty while it is up.
    """

    role: ClassVar[Role]

    def __init__(self, stream: ByteStream, grace: Grace, recording: Recording) -> None:
        self.stream = stream
        self.grace = grace
        self.recording = recording
        self.packets = PacketReader()
        self.ended = ""
        self._frames = FrameReader(DEFAULT_LIMITS.response)
        self._waiting: deque[bytes] = deque()  # frames that nobody has looked at
        self._heard: deque[Heard] = deque()
        self._buffer = bytearray(_BUFFER)

    # --- saying

    @abstractmethod
    def written(self, message: Any) -> bytes:
        """The frame of a message."""

    async def say(self, *said: Any) -> None:
        """Send messages as frames, and bytes as they are, all in one go.

        A connection that the implementation has ended takes nothing any more; that is noted, and no error here.
        """
        data = b""
        for each in said:
            data += each if isinstance(each, bytes) else self.written(each)
            self._said(each)
        self.recording.add(self.role, data)
        self.recording.taken.append((self.role, data))
        try:
            await self.stream.send([data])
        except TransportError as error:
            self._note_end(f"reset ({error})")

    async def say_in_pieces(self, message: Any, size: int = 1) -> None:
        """Send one message in pieces of so many bytes, far enough apart to be read one by one."""
        data = message if isinstance(message, bytes) else self.written(message)
        for start in range(0, len(data), size):
            await self.say(data[start : start + size])
            await asyncio.sleep(self.grace.step)
        self._said(message)

    def _said(self, message: Any) -> None:
        """Take note of what this end has said."""

    async def end(self) -> None:
        """Say that nothing more will be said; go on listening."""
        self.recording.note(f"the {self.role.value} ends its direction")
        with suppress(TransportError):
            await self.stream.send_eof()

    async def close(self) -> None:
        """Close the connection in order."""
        self.recording.note(f"the {self.role.value} closes the connection")
        await self.stream.close()

    def abort(self) -> None:
        """Break the connection."""
        self.recording.note(f"the {self.role.value} breaks the connection")
        self.stream.abort()

    # --- hearing

    @abstractmethod
    def _read(self, frame: bytes) -> Sequence[Heard]:
        """The messages in a frame."""

    async def hear_frame(self, *, within: float | None = None) -> bytes:
        """The next frame, without its length, as it came.

        Raises:
            Violation: none came in time, the connection ended, or what came is no frame.
        """
        try:
            async with asyncio.timeout(self.grace.reply if within is None else within):
                return await self._next_frame()
        except TimeoutError:
            raise Violation(f"expected a frame, but nothing came within {within or self.grace.reply:.1f} s") from None
        except _Ended:
            raise Violation(f"expected a frame, but the connection was {self.ended}") from None

    async def hear(self, *, within: float | None = None) -> Heard | None:
        """The next message, whatever it is; None when the connection has ended.

        Raises:
            TimeoutError: none came in time.
            Violation: what came cannot be read.
        """
        async with asyncio.timeout(self.grace.reply if within is None else within):
            try:
                return await self._next()
            except _Ended:
                return None

    async def expect(
        self,
        kind: type[W] | tuple[type[W], ...],
        where: Callable[[W], bool] | None = None,
        *,
        within: float | None = None,
        what: str = "",
        anything_before: bool = False,
        harmless: tuple[type, ...] | None = None,
    ) -> W:
        """The next message that is not harmless; it must be of a certain kind.

        Args:
            kind: the kind that is expected.
            where: what must be true of it besides.
            within: seconds; without it, the grace for a reply.
            what: how to call what is expected, in messages.
            anything_before: pass over everything else, not only over what is harmless.
            harmless: what may come before; None for what mostly may.

        Raises:
            Violation: something else came, nothing came in time, or the connection ended.
        """
        wanted = what or " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        limit = self.grace.reply if within is None else within
        try:
            async with asyncio.timeout(limit):
                while True:
                    message = await self._next()
                    if isinstance(message, kind) and (where is None or where(message)):
                        return message
                    passed = isinstance(message, harmless) if harmless else await self._attend(message)
                    if not (passed or anything_before):
                        raise Violation(f"expected {wanted}, but {_short(message)} came")
        except TimeoutError:
            raise Violation(f"expected {wanted}, but it did not come within {limit:.1f} s") from None
        except _Ended:
            raise Violation(f"expected {wanted}, but the connection was {self.ended}") from None

    async def find(
        self, kind: type[W], where: Callable[[W], bool] | None = None, *, within: float | None = None, what: str = ""
    ) -> W:
        """The next message of a certain kind; whatever comes before is passed over. Raises as `expect`."""
        return await self.expect(kind, where, within=within, what=what, anything_before=True)

    async def expect_end(self, *, within: float | None = None, why: str = "") -> list[Heard]:
        """Wait until the implementation ends the connection, in order or by a reset.

        Returns:
            What it still said, but for what is harmless.

        Raises:
            Violation: the connection is still open.
        """
        limit = self.grace.reply if within is None else within
        heard = []
        try:
            async with asyncio.timeout(limit):
                while True:
                    message = await self._next()
                    if not await self._attend(message):
                        heard.append(message)
        except _Ended:
            return heard
        except TimeoutError:
            said = f"; it said {_short(heard[-1])}" if heard else ""
            raise Violation(
                f"expected the end of the connection{f', {why}' if why else ''}, but it is still open after "
                f"{limit:.1f} s{said}"
            ) from None

    async def expect_silence(
        self, *, during: float | None = None, what: str = "nothing", only: tuple[type, ...] = ()
    ) -> None:
        """Check that nothing comes but what is harmless, and that the connection stays up.

        Where the protocol has something that is answered, `fence` is quicker and surer.

        Args:
            during: seconds; without it, the grace for silence.
            what: how to call what is expected, in messages.
            only: what counts as harmless; without any, what mostly does.

        Raises:
            Violation: something came, or the connection ended.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.grace.quiet if during is None else during):
                while True:
                    try:
                        message = await self._next()
                    except _Ended:
                        raise Violation(f"expected {what}, but the connection was {self.ended}") from None
                    if not (isinstance(message, only) if only else await self._attend(message)):
                        raise Violation(f"expected {what}, but {_short(message)} came")

    async def expect_silence_or_end(self) -> None:
        """Wait as long as silence has to be, or until the connection ends. What comes is passed over."""
        with suppress(TimeoutError, Violation):
            async with asyncio.timeout(self.grace.quiet):
                while await self.hear() is not None:
                    pass

    @abstractmethod
    async def _attend(self, message: Heard) -> bool:
        """Whether a message is harmless while something else is expected. What is polite to answer is answered."""

    async def _next(self) -> Heard:
        while not self._heard:
            data = await self._next_frame()
            try:
                self._heard += self._read(data)
            except ProtocolError as error:
                raise Violation(f"a message that cannot be read came: {error} [{data[:64].hex(' ')}]") from None
        return self._heard.popleft()

    async def _next_frame(self) -> bytes:
        while not self._waiting:
            await self._receive()
        found = self._waiting.popleft()
        self.recording.taken.append((self.role.other, write_frame(found)))
        return found

    async def _receive(self) -> None:
        if self.ended:
            raise _Ended
        try:
            count = await self.stream.receive_into(self._buffer)
        except TransportError as error:
            self._note_end(f"reset ({error})")
            raise _Ended from None
        if not count:
            self._note_end("closed")
            raise _Ended
        data = bytes(self._buffer[:count])
        self.recording.add(self.role.other, data)
        self._frames.feed(data)
        try:
            for each in self._frames:
                self._waiting.append(bytes(each))
        except ProtocolError as error:
            raise Violation(f"no frame came: {error} [{data[:64].hex(' ')}]") from None

    async def arrives(self, *, within: float) -> bool:
        """Wait until the implementation has said something; False when it ends the connection without a word.

        Raises:
            TimeoutError: neither happened in time.
        """
        async with asyncio.timeout(within):
            while not (self._heard or self._waiting):
                try:
                    await self._receive()
                except _Ended:
                    return False
        return True

    def _note_end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            self.recording.note(f"the {self.role.other.value}: connection {how}")

    @property
    def modes(self) -> OperationalModes:
        """What is settled in this conversation."""
        return self.packets.modes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stream.close()


def _short(message: object) -> str:
    text = shown(message)
    return text if len(text) <= 200 else f"{text[:199]}…"
