"""What both roles share: bytes in, events out, bytes out, and deadlines. No clock, socket, thread or task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar, Final, Generic, TypeVar

from sttp.codes import Command, Response, Role
from sttp.errors import ClosedError, FrameError, ProtocolError, STTPError
from sttp.session.conversation import Conversation, Kind, Phase
from sttp.session.events import Ended
from sttp.wire.commands import AnyCommand, UnknownCommand
from sttp.wire.frame import Buffer, FrameReader
from sttp.wire.responses import AnyResponse, Failed, Metadata, Succeeded, UnknownResponse

__all__ = ["Session", "kind_of"]

E = TypeVar("E")

_COMMANDS: Final = {int(command): command for command in Command}


class Session(ABC, Generic[E]):
    """One conversation, seen from one role.

    The host hands in bytes as they arrive and the time as `now` (seconds of any clock that only goes forward), takes
    out events and bytes, and calls `handle_deadline` when `deadline` is reached. What the peer does wrong never raises
    here: it ends the session with an `Ended` event that carries the error.
    """

    role: ClassVar[Role]

    def __init__(self, *, limit: int, limit_name: str, now: float) -> None:
        self._now = now
        self._conversation = Conversation()
        self._frames = FrameReader(limit, name=limit_name)
        self._output: list[bytes] = []
        self._events: list[E | Ended] = []
        self._deadlines: dict[Hashable, float] = {}
        self._proved = False  # whether the peer has said what shows that it speaks STTP
        self._ended = False

    # --- bytes and time in

    def receive_data(self, data: Buffer, *, now: float) -> None:
        """Take bytes from the peer, cut anywhere. They are not kept longer than this call.

        All data packets in them arrive as few events as possible.
        """
        self._now = now
        if self._ended:
            return
        self._begin_read()
        frames = self._frames
        try:
            frames.feed(data)
            for frame in frames.frames():
                self._receive_frame(frame)
                if self._ended:
                    break
            else:
                if not self._proved:
                    self._check_unfinished()
        except ProtocolError as error:
            self._end(error)
        self._deliver()

    def receive_eof(self, *, now: float) -> None:
        """Take notice that the peer will send nothing more."""
        self._now = now
        missing = self._frames.pending
        self._end(FrameError("the stream ended inside a frame", clause="1.1") if missing else None)

    def lose(self, error: STTPError, *, now: float) -> None:
        """Take notice that the stream broke, and how."""
        self._now = now
        self._end(error)

    def listen(self, *, now: float) -> None:
        """Take notice that the host waits for bytes from now on: what the peer owes us counts from here."""
        away, self._now = now - self._now, now
        if not self.ended:
            self._postpone(away)

    @property
    def deadline(self) -> float | None:
        """When `handle_deadline` is to be called at the latest, on the clock of `now`; None for never."""
        return min(self._deadlines.values(), default=None)

    def is_due(self, *, before: float) -> bool:
        """Whether there is something to send, or the session has ended, or its deadline is earlier than `before`."""
        return bool(self._output) or self._ended or min(self._deadlines.values(), default=before) < before

    def handle_deadline(self, *, now: float) -> None:
        """Do what was due by `now`: keep alive, give up waiting."""
        self._now = now
        for timer in [timer for timer, due in self._deadlines.items() if due <= now]:
            if timer in self._deadlines:  # an earlier one may have ended everything
                del self._deadlines[timer]
                self._due(timer)

    # --- events and bytes out

    def events(self) -> list[E | Ended]:
        """What has happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """Whole frames to send since the last call, in order. Also after the end there may be a last reply."""
        output, self._output = self._output, []
        return output

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return bool(self._output)

    @property
    def unsent(self) -> int:
        """How many bytes `data_to_send` would return."""
        return sum(map(len, self._output))

    # --- state

    @property
    def phase(self) -> Phase:
        """Where the conversation stands."""
        return self._conversation.phase

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._ended

    def close(self) -> None:
        """End the session. There is no goodbye message; the host closes the stream after sending what is left (9.8)."""
        self._end(None)

    # --- for the roles

    @abstractmethod
    def _receive_frame(self, frame: memoryview) -> None:
        """Act on one whole frame. `frame` is valid during the call only."""

    @abstractmethod
    def _due(self, timer: Hashable) -> None:
        """Act on a deadline that has passed."""

    def _begin_read(self) -> None:
        """Begin to count what is counted for each read, and the peer's silence."""

    def _postpone(self, seconds: float) -> None:
        """Wait longer for the peer, and count its silence from now: for so long nobody looked at what it said."""

    def _check_unfinished(self) -> None:
        """Refuse a frame by what has arrived of it, if any, of a peer that has not proved itself."""

    def _deliver(self) -> None:
        """Tell what was collected from the bytes of one read, all of which have been read now."""

    def _emit(self, event: E) -> None:
        self._events.append(event)

    def _end(self, error: STTPError | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._conversation.close()
        self._deadlines.clear()
        self._events.append(Ended(error=error))

    def _require_open(self) -> None:
        if self.ended:
            raise ClosedError("this session has ended")


def kind_of(message: AnyCommand | AnyResponse) -> Kind | None:
    """How the table of the conversation calls a message; None for codes that it does not know."""
    match message:
        case UnknownCommand() | UnknownResponse():
            return None
        case Succeeded() | Failed():
            response = Response.SUCCEEDED if isinstance(message, Succeeded) else Response.FAILED
            command = _COMMANDS.get(message.command)
            return None if command is None else (response, command)
        case Metadata():
            return (Response.SUCCEEDED, Command.METADATA_REFRESH)
        case _:
            return message.code
