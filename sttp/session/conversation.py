"""The conversation as a table: who may say what, in which phase, and which phase follows (wire.md 9.2, 9.3).

The table knows a publisher and a subscriber, but not which of them "we" are or who dialed. Both sessions walk it with
every message that they send or receive, so the two ends cannot hold different opinions. A missing entry is the
error of the one who spoke.

Some messages arrive although the table does not let them be said. `TOLERATED` lists them with the reason: they were
under way when the listener moved on, or a deployed implementation sends them. They change no phase, and what they
carry is used only if it still means something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

from sttp.codes import Command, Response, Role, is_user_command, is_user_response
from sttp.errors import SequenceError

__all__ = ["TOLERATED", "TRANSITIONS", "Conversation", "Kind", "Phase", "kind_name", "speaker"]


class Phase(Enum):
    """Where a conversation stands. In brackets the states of wire.md 9.2 (P) and 9.3 (S)."""

    __hash__ = object.__hash__  # each is equal to itself alone; that of `Enum` hashes the name, in Python

    CONNECTED = "connected"
    """A stream is up and nothing has been agreed (P0, S0)."""
    READY = "ready"
    """The operational modes are defined; nothing is subscribed (P1, S1)."""
    SUBSCRIBING = "subscribing"
    """Subscribe has been said; no signal index cache has been offered (S2)."""
    OFFERED = "offered"
    """A first signal index cache has been offered and is not confirmed (P2)."""
    STREAMING = "streaming"
    """A signal index cache is in force: measurements flow (P3, S3)."""
    UNSUBSCRIBING = "unsubscribing"
    """Unsubscribe has been said and not yet answered."""
    CLOSED = "closed"
    """The conversation is over (P4, S4)."""


Kind = Command | Response | tuple[Response, Command]
"""What is said: a command, a response, or for Succeeded and Failed the response together with the command answered."""

_ANSWERABLE: Final = tuple(command for command in Command if command is not Command.CONNECT)
_USER_COMMANDS: Final = tuple(command for command in Command if is_user_command(command))
_USER_RESPONSES: Final = tuple(response for response in Response if is_user_response(response))


def speaker(kind: Kind) -> Role:
    """Who says a message of this kind, whoever dialed."""
    return Role.SUBSCRIBER if isinstance(kind, Command) else Role.PUBLISHER


def kind_name(kind: Kind) -> str:
    """The kind in words, such as `SUBSCRIBE` or `FAILED to SUBSCRIBE`."""
    return f"{kind[0].name} to {kind[1].name}" if isinstance(kind, tuple) else kind.name


def _answers(commands: Iterable[Command]) -> Iterator[Kind]:
    for command in commands:
        yield (Response.SUCCEEDED, command)
        yield (Response.FAILED, command)


# what may be said at any time once the modes are defined, without moving the conversation
_ANYTIME: Final[tuple[Kind, ...]] = (
    Command.METADATA_REFRESH,
    Command.ROTATE_CIPHER_KEYS,
    Command.UPDATE_PROCESSING_INTERVAL,
    Command.CONFIRM_NOTIFICATION,
    Command.CONFIRM_BUFFER_BLOCK,
    Command.CONFIRM_UPDATE_BASE_TIMES,
    Command.CONFIRM_UPDATE_CIPHER_KEYS,
    Command.GET_PRIMARY_METADATA_SCHEMA,
    Command.GET_SIGNAL_SELECTION_SCHEMA,
    *_USER_COMMANDS,
    *_answers(command for command in _ANSWERABLE if command not in (Command.SUBSCRIBE, Command.UNSUBSCRIBE)),
    Response.NOOP,
    Response.NOTIFY,
    Response.CONFIGURATION_CHANGED,
    Response.UPDATE_CIPHER_KEYS,
    *_USER_RESPONSES,
)

# what belongs to a subscription that is in force
_STREAM: Final[tuple[Kind, ...]] = (
    Response.DATA_PACKET,
    Response.BUFFER_BLOCK,
    Response.UPDATE_BASE_TIMES,
    Response.DATA_START_TIME,
    Response.PROCESSING_COMPLETE,
)

_SUBSCRIBED: Final = (Response.SUCCEEDED, Command.SUBSCRIBE)
_NOT_SUBSCRIBED: Final = (Response.FAILED, Command.SUBSCRIBE)
_UNSUBSCRIBED: Final = (Response.SUCCEEDED, Command.UNSUBSCRIBE)

_OPEN: Final = (Phase.READY, Phase.SUBSCRIBING, Phase.OFFERED, Phase.STREAMING, Phase.UNSUBSCRIBING)


def _transitions() -> Iterator[tuple[Phase, Kind, Phase]]:
    yield Phase.CONNECTED, Command.DEFINE_OPERATIONAL_MODES, Phase.READY
    # modes may be said again as long as nothing depends on them (3.6)
    yield Phase.READY, Command.DEFINE_OPERATIONAL_MODES, Phase.READY
    yield Phase.CONNECTED, Response.NOOP, Phase.CONNECTED
    for phase in (Phase.CONNECTED, *_OPEN):
        # a connection refused, at the start or because there are too many (7.12)
        yield phase, (Response.FAILED, Command.CONNECT), Phase.CLOSED
    for phase in _OPEN:
        for kind in _ANYTIME:
            yield phase, kind, phase
        # a subscriber of version 1 or 2 does not wait for this answer, so it may have moved on (3.4)
        yield phase, (Response.FAILED, Command.DEFINE_OPERATIONAL_MODES), Phase.CLOSED

    yield Phase.READY, Command.SUBSCRIBE, Phase.SUBSCRIBING
    yield Phase.SUBSCRIBING, _SUBSCRIBED, Phase.SUBSCRIBING
    yield Phase.SUBSCRIBING, _NOT_SUBSCRIBED, Phase.READY
    yield Phase.SUBSCRIBING, Command.SUBSCRIBE, Phase.SUBSCRIBING
    yield Phase.SUBSCRIBING, Response.UPDATE_SIGNAL_INDEX_CACHE, Phase.OFFERED
    yield Phase.OFFERED, Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, Phase.STREAMING
    for phase in (Phase.OFFERED, Phase.STREAMING):
        # subscribing again replaces the subscription without a gap (4.7); what was in force stays so until then
        yield phase, Command.SUBSCRIBE, phase
        yield phase, _SUBSCRIBED, phase
        yield phase, _NOT_SUBSCRIBED, phase
    yield Phase.STREAMING, Response.UPDATE_SIGNAL_INDEX_CACHE, Phase.STREAMING
    for phase in (Phase.READY, Phase.SUBSCRIBING, Phase.STREAMING, Phase.UNSUBSCRIBING):
        # every cache is confirmed, also one that has been withdrawn: gsfapi holds the next one back until then (5.5)
        yield phase, Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE, phase
    for kind in _STREAM:
        yield Phase.STREAMING, kind, Phase.STREAMING

    for phase in _OPEN:
        yield phase, Command.UNSUBSCRIBE, Phase.UNSUBSCRIBING
    yield Phase.UNSUBSCRIBING, _UNSUBSCRIBED, Phase.READY
    yield Phase.UNSUBSCRIBING, (Response.FAILED, Command.UNSUBSCRIBE), Phase.READY


TRANSITIONS: Final[dict[tuple[Phase, Role, Kind], Phase]] = {
    (phase, speaker(kind), kind): after for phase, kind, after in _transitions()
}
"""(phase, who speaks, what is said) to the phase that follows. What is not in here may not be said."""


def _tolerated() -> Iterator[tuple[Phase, Kind, str]]:
    under_way = "was under way when Unsubscribe was said"
    for kind in (*_STREAM, Response.UPDATE_SIGNAL_INDEX_CACHE, _SUBSCRIBED, _NOT_SUBSCRIBED):
        yield Phase.UNSUBSCRIBING, kind, under_way
        yield Phase.READY, kind, "follows an Unsubscribe that cppapi does not answer (4.8)"
    yield Phase.READY, _UNSUBSCRIBED, "answers an Unsubscribe that was no longer waited for"
    for phase in (Phase.SUBSCRIBING, Phase.OFFERED, Phase.STREAMING):
        yield phase, _UNSUBSCRIBED, "answers an Unsubscribe that was no longer waited for"
        yield phase, (Response.FAILED, Command.UNSUBSCRIBE), "answers an Unsubscribe that was no longer waited for"
    for phase in (Phase.SUBSCRIBING, Phase.OFFERED):
        for kind in _STREAM:
            yield phase, kind, "gsfapi and cppapi send data before the confirm (5.5)"
    yield Phase.OFFERED, Response.UPDATE_SIGNAL_INDEX_CACHE, "a publisher that does not wait for the confirm"
    for phase in _OPEN:
        yield phase, Command.CONNECT, "means nothing as a command; gsfapi ignores it (2.1)"
        yield phase, (Response.SUCCEEDED, Command.CONNECT), "answers a command that nobody sends"


TOLERATED: Final[dict[tuple[Phase, Role, Kind], str]] = {
    (phase, speaker(kind), kind): why
    for phase, kind, why in _tolerated()
    if (phase, speaker(kind), kind) not in TRANSITIONS
}
"""(phase, who speaks, what arrives) to the reason why it is taken without complaint. The phase stays."""


class Conversation:
    """One walk through the table.

    Attributes:
        phase: where the conversation stands; to be looked at only.
    """

    __slots__ = ("phase",)

    def __init__(self) -> None:
        self.phase = Phase.CONNECTED

    def say(self, kind: Kind) -> None:
        """Take down something that we say.

        Raises:
            SequenceError: it may not be said in this phase.
        """
        after = TRANSITIONS.get((self.phase, speaker(kind), kind))
        if after is None:
            raise self._out_of_order(kind)
        self.phase = after

    def hear(self, kind: Kind) -> bool:
        """Take down something that the peer said.

        Returns:
            Whether it may be said now. False: it is tolerated, and the phase has not changed.

        Raises:
            SequenceError: it may neither be said in this phase nor is it tolerated.
        """
        key = (self.phase, speaker(kind), kind)
        after = TRANSITIONS.get(key)
        if after is not None:
            self.phase = after
            return True
        if key in TOLERATED:
            return False
        raise self._out_of_order(kind)

    def stop_waiting_for_unsubscribe(self) -> None:
        """Take an Unsubscribe that the publisher does not answer as done (4.8)."""
        if self.phase is Phase.UNSUBSCRIBING:
            self.phase = Phase.READY

    def close(self) -> None:
        """End the conversation; there is no goodbye message (9.8)."""
        self.phase = Phase.CLOSED

    def _out_of_order(self, kind: Kind) -> SequenceError:
        return SequenceError(
            f"the {speaker(kind).value} may not say {kind_name(kind)} while {self.phase.value}", clause="9"
        )
