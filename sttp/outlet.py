"""How what a session has to say goes into a stream: gathered and waited for, or at once.

What is sent at once is on its way before whoever had something to send goes on, and nobody has to be woken for it. Both
ways lead to the same; only some streams can send at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Final

from sttp.alarm import Alarm
from sttp.errors import TransportError
from sttp.session.base import Session
from sttp.statistics import Tally
from sttp.transport.contract import ByteStream, PromptStream

__all__ = ["PIECE_SIZE", "WRITE_SIZE", "WRITE_TIMEOUT", "Outlet"]

WRITE_SIZE: Final = 64 * 1024
"""Bytes gathered before they are written; more is left to the source until the stream has taken these."""

PIECE_SIZE: Final = 256 * 1024
"""Most bytes that are waited for at once: what is longer, such as metadata, goes in pieces."""

GATHERING: Final = 0.005
"""Seconds after which what has been gathered is written, however little it is: encoding for one subscriber must not
keep the others from their turn."""

WRITE_TIMEOUT: Final = 30.0
"""Seconds that a peer may take for one piece before it counts as dead; that is 70 kbit/s."""

LAST_CHANCE: Final = 0.1
"""Seconds more, in which the event loop turns: perhaps the peer has taken all, and only we had no time to see it."""


class Outlet:
    """The way from a session into its stream.

    Args:
        stream: where the bytes go.
        session: what has something to say.
        supply: called while there is room to send; it gives the session more to say, and tells whether it did.
        tally: counts the bytes.
    """

    def __init__(self, stream: ByteStream, session: Session[Any], *, supply: Callable[[], bool], tally: Tally) -> None:
        self._stream = stream
        self._prompt = stream if isinstance(stream, PromptStream) else None
        self._session = session
        self._supply = supply
        self._tally = tally
        self._mistake: Exception | None = None
        #: whether some of what was sent at once still waits in the stream, so that a `send` has to follow
        self.is_waited_for = False
        self._watch = Alarm(self._look)
        self._sending_since: float | None = None
        self._doubted: float | None = None

    def gather(self) -> tuple[list[bytes], bool]:
        """What there is to send, and whether that is all: whoever has more tells so.

        Raises:
            Exception: what has gone wrong in `supply`, now or in `send_now`.
        """
        if self._mistake is not None:
            raise self._mistake
        session, supply = self._session, self._supply
        size = sum(map(len, output := session.data_to_send()))
        until = monotonic() + GATHERING
        while size < WRITE_SIZE and not session.ended and monotonic() < until:
            if not supply():
                return output, True
            more = session.data_to_send()
            size += sum(map(len, more))
            output += more
        return output, False

    async def send(self, output: list[bytes]) -> None:
        """Send what was gathered, and wait until the stream has taken that and what was sent at once before.

        A peer that takes too little is given up: the session has lost its stream then.

        Raises:
            TransportError: the stream is broken, or was given up.
        """
        try:
            for piece in _pieces(output):
                self._sending_since = monotonic()
                self._watch.set(self._sending_since + WRITE_TIMEOUT)
                await self._stream.send(piece)
                self._tally.bytes_sent += sum(map(len, piece))
        finally:
            self._sending_since = None
            self.is_waited_for = False

    def send_now(self) -> bool:
        """Send what there is, as far as `supply` gives it at one go, if the stream can do that; it never fails.

        What goes wrong here is for the next `gather`: whoever had something to send can do nothing about it.

        Returns:
            Whether all has gone that there was to send. If not, a `gather` and a `send` have to follow.
        """
        stream, session = self._prompt, self._session
        if stream is None or not stream.can_send_now:
            return False
        try:
            output = session.data_to_send()
            if self._supply():
                output += session.data_to_send()
            if output:
                stream.send_now(output)
                self._tally.bytes_sent += sum(map(len, output))
                self.is_waited_for = not stream.can_send_now
            # only now, when it is on its way, whether there is more
            return not (self._supply() or self.is_waited_for or session.ended)
        except TransportError as error:
            session.lose(error, now=monotonic())
        except Exception as error:  # noqa: BLE001 - a mistake of ours costs this connection, not the application
            self._mistake = error
        return False

    def cancel(self) -> None:
        """Watch over nothing any more."""
        self._watch.cancel()

    def _look(self) -> None:
        """Give a peer up that takes too little, unless it was us who stood still: then the next turn shows it."""
        since, now = self._sending_since, monotonic()
        if since is None:
            return
        if now < since + WRITE_TIMEOUT:
            self._watch.set(since + WRITE_TIMEOUT)
        elif self._doubted != since:
            self._doubted = since
            self._watch.set(now + LAST_CHANCE)
        else:
            self._session.lose(TransportError(f"the peer took too little in {WRITE_TIMEOUT:g} s"), now=now)
            self._stream.abort()  # the send that waits fails


def _pieces(output: list[bytes]) -> Iterator[Sequence[bytes | memoryview]]:
    """The bytes of `output`, at most `PIECE_SIZE` at a time; nothing is copied."""
    if sum(map(len, output)) <= PIECE_SIZE:
        yield output
        return
    piece: list[memoryview] = []
    room = PIECE_SIZE
    for data in output:
        rest = memoryview(data)
        while rest:
            piece.append(rest[:room])
            rest = rest[room:]
            room -= len(piece[-1])
            if not room:
                yield piece
                piece, room = [], PIECE_SIZE
    if piece:
        yield piece
