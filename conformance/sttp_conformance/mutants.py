r"""Mutants: an implementation that is wrong in exactly one way, to see that a check notices.

Between the suite and an honest implementation stands a man in the middle, who sees every frame of both ends and may
change, drop, add or delay it, or break the connection. The implementation may be anyone's, in any language. Declaring a
mutant takes a few lines:

```python
Mutant(
    "modes_are_answered_with_failed",
    PUBLISHER,
    caught_by=("answers_operational_modes",),
    says=replaced(Response.SUCCEEDED, lambda frame: b"\x81" + frame[1:], answering=Command.DEFINE_OPERATIONAL_MODES),
)
```

A mutant that is `harmless` must be caught by nothing. One with `only` is wrong in one direction, right in the other.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from sttp.codes import Command, Response, Role
from sttp.limits import DEFAULT_LIMITS
from sttp.transport import ByteStream, PeerIdentity
from sttp.wire.frame import FrameReader, write_frame
from sttp_conformance.bad_tls import BadTls
from sttp_conformance.implementation import Implementation
from sttp_conformance.ways import Direction, Way

__all__ = [
    "CLOSE",
    "Conversation",
    "Delay",
    "Mutant",
    "Raw",
    "Rewrite",
    "added_after",
    "added_before",
    "all_of",
    "dropped",
    "edited",
    "load_mutants",
    "replaced",
    "together",
]


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are sent as they are, not as a frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Delay:
    """A pause.

    Attributes:
        seconds: how long.
    """

    seconds: float


class _Close:
    """The connection is closed here."""


CLOSE: Final = _Close()
"""What a rewrite returns to close the connection."""


@dataclass
class Conversation:
    """What the man in the middle knows of one connection, and may remember in `memory`.

    Attributes:
        way: how the two ends came together.
        number: which connection of the implementation this is, from 1.
        numbers: the numbers of all of its connections so far.
        said: how many frames the implementation has said before this one.
        heard: how many frames it has heard.
        memory: whatever a rewrite wants to remember.
    """

    way: Way
    number: int = 1
    numbers: list[int] = field(default_factory=list)
    said: int = 0
    heard: int = 0
    memory: dict[str, Any] = field(default_factory=dict)


Item: TypeAlias = bytes | Raw | Delay | _Close
Rewrite: TypeAlias = Callable[[bytes, Conversation], Iterable[Item]]
"""From a frame, without its length, to what takes its place: frames, raw bytes, pauses, the end; nothing drops it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to be wrong.

    Attributes:
        name: what is wrong, as a sentence in snake case; unique.
        role: the role of the implementation that is wrong.
        caught_by: names of the checks that must catch it; of a comparison with its subject: `comparison[check]`.
        says: what becomes of the frames that the implementation says.
        hears: what becomes of the frames that it hears.
        overhears: is shown each frame that it hears, which stays as it is and comes as it came.
        wants_whole_frames: it closes the connection when a frame does not come in one piece. Where `hears` is given,
            pieces wait for the rest, however long the frame is said to be.
        gathers: seconds for which what it says is kept back, so that many frames come in one segment.
        keeps_half: it does not notice that the other end has ended its direction.
        holds_on: it does not notice that the other end has closed, and keeps what belongs to the connection.
        answers: what becomes of its answers on the control channel, given the name of the request.
        asked: what becomes of the fields of requests on the control channel, given the name of the request.
        settings: timers that are not what they should be.
        datagrams: what becomes of the datagrams of its data channel over UDP, which a publisher sends and a subscriber
            gets.
        tls: what is wrong with its TLS; everything else of it is right.
        only: the direction in which it is wrong; None for both.
        transport: the transport over which it is wrong; None for all.
        harmless: it is different, and not wrong; no check may catch it.
    """

    name: str
    role: Role
    caught_by: tuple[str, ...] = ()
    says: Rewrite | None = None
    hears: Rewrite | None = None
    overhears: Callable[[bytes, Conversation], None] | None = None
    wants_whole_frames: bool = False
    gathers: float = 0.0
    keeps_half: bool = False
    holds_on: bool = False
    answers: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
    asked: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    datagrams: Callable[[bytes], Iterable[bytes]] | None = None
    tls: BadTls | None = None
    only: Direction | None = None
    transport: str | None = None
    harmless: bool = False

    def is_wrong(self, way: Way) -> bool:
        """Whether it differs from the honest implementation in a way."""
        return self.only in (None, way.direction) and self.transport in (None, way.transport)

    def over(self, way: Way) -> Callable[[ByteStream], ByteStream]:
        """What wraps the streams of one implementation that runs."""
        numbers: list[int] = []

        def wrapped(stream: ByteStream) -> ByteStream:
            numbers.append(len(numbers) + 1)
            return Middle(stream, self, Conversation(way, numbers[-1], numbers))

        return wrapped if self.is_wrong(way) and self.tls is None else (lambda stream: stream)

    def rewritten(self, way: Way) -> Callable[[bytes], Iterable[bytes]]:
        """What becomes of the datagrams of one implementation that runs."""
        if self.datagrams is None or not self.is_wrong(way):
            return lambda datagram: (datagram,)
        return self.datagrams

    def below(self, implementation: Implementation) -> Callable[[ByteStream], ByteStream]:
        """What wraps the streams of one implementation that runs, before the handshake of TLS."""
        if self.tls is None or not implementation.way.is_secure or not self.is_wrong(implementation.way):
            return lambda stream: stream
        tls, credentials, dials = self.tls, implementation.credentials, implementation.dials
        return lambda stream: tls.around(stream, credentials, dials=dials)


def together(mutants: Sequence[Mutant]) -> Mutant:
    """A harmless mutant that does what several do, one after another. They differ in one role, and in the same ways.

    Raises:
        ValueError: what they do cannot be done together.
    """
    first = mutants[0]
    plain = (
        (each.role, each.only, each.transport, each.harmless, each.hears, each.asked, each.settings, each.tls)
        for each in mutants
    )
    if any(each != (first.role, first.only, None, True, None, None, {}, None) for each in plain):
        raise ValueError(f"{', '.join(each.name for each in mutants)} cannot be one mutant")
    answers = [each.answers for each in mutants if each.answers is not None]
    overhears = {each.overhears for each in mutants if each.overhears is not None}

    def answered(request: str, answer: dict[str, Any]) -> dict[str, Any]:
        for each in answers:
            answer = each(request, answer)
        return answer

    def overheard(frame: bytes, conversation: Conversation) -> None:
        for each in overhears:
            each(frame, conversation)

    return replace(
        first,
        name=" and ".join(each.name for each in mutants),
        says=all_of(*(each.says for each in mutants if each.says is not None)),
        overhears=overheard if overhears else None,
        answers=answered if answers else None,
        gathers=sum(each.gathers for each in mutants),
    )


def load_mutants() -> Mapping[str, Mutant]:
    """All mutants by name; those of a chapter stand together.

    Raises:
        ValueError: two have one name.
    """
    from sttp_conformance import mutations  # noqa: PLC0415 - chapters import this module

    found: dict[str, Mutant] = {}
    for module in sorted(pkgutil.iter_modules(mutations.__path__), key=lambda each: each.name):
        for mutant in importlib.import_module(f"sttp_conformance.mutations.{module.name}").MUTANTS:
            if mutant.name in found:
                raise ValueError(f"two mutants are called {mutant.name}")
            found[mutant.name] = mutant
    return MappingProxyType(found)


# --- what is done to frames

_LENGTH: Final = 4
_RESPONSE_HEADER: Final = 6
_USER_COMMANDS: Final = range(Command.USER_COMMAND_00, Command.USER_COMMAND_15 + 1)

_Changed: TypeAlias = Callable[[bytes], Item | Sequence[Item]]


def _fits(frame: bytes, code: int | None, answering: int | None) -> bool:
    return bool(frame) and code in (None, frame[0]) and (answering is None or frame[1:2] == bytes((answering,)))


def _listed(items: Item | Sequence[Item]) -> Sequence[Item]:
    return items if isinstance(items, list | tuple) else (items,)


def replaced(code: int | None, change: _Changed, *, answering: int | None = None, first: bool = False) -> Rewrite:
    """Frames with a code become something else.

    Args:
        code: first byte of the frame, a command or response code; None for every frame.
        change: from the frame to what takes its place: one item or several.
        answering: only responses to this command.
        first: only the first such frame of a connection.
    """

    def rewrite(frame: bytes, conversation: Conversation) -> Iterable[Item]:
        done = f"{id(rewrite)} has happened"
        if not _fits(frame, code, answering) or (first and done in conversation.memory):
            return (frame,)
        conversation.memory[done] = True
        return _listed(change(frame))

    return rewrite


def edited(
    code: int, change: Callable[[bytes], bytes], *, answering: int | None = None, first: bool = False
) -> Rewrite:
    """The payload of messages with a code becomes another one; the lengths are put right. See `replaced`.

    Args:
        code: a command or response code.
        change: from the payload to what takes its place.
        answering: only responses to this command.
        first: only the first such frame of a connection.
    """
    header = _RESPONSE_HEADER if code >= Response.SUCCEEDED and code not in _USER_COMMANDS else 1

    def changed(frame: bytes) -> bytes:
        payload = change(frame[header:])
        if header == 1:
            return frame[:1] + payload
        return frame[:2] + len(payload).to_bytes(4, "big") + payload

    return replaced(code, changed, answering=answering, first=first)


def dropped(code: int | None, *, answering: int | None = None, first: bool = False) -> Rewrite:
    """Frames with a code are lost. See `replaced`."""
    return replaced(code, lambda frame: (), answering=answering, first=first)


def added_after(code: int | None, *items: Item, answering: int | None = None, first: bool = False) -> Rewrite:
    """Something follows on frames with a code. See `replaced`."""
    return replaced(code, lambda frame: (frame, *items), answering=answering, first=first)


def added_before(code: int | None, *items: Item, answering: int | None = None, first: bool = False) -> Rewrite:
    """Something comes before frames with a code. See `replaced`."""
    return replaced(code, lambda frame: (*items, frame), answering=answering, first=first)


def all_of(*rewrites: Rewrite) -> Rewrite:
    """One rewrite after another; what is no frame any more is left alone."""

    def rewrite(frame: bytes, conversation: Conversation) -> Iterable[Item]:
        items: list[Item] = [frame]
        for each in rewrites:
            items = [
                out for item in items for out in (each(item, conversation) if isinstance(item, bytes) else (item,))
            ]
        return items

    return rewrite


# --- the man in the middle

_HELD: Final[list[ByteStream]] = []
"""Streams that nobody has closed, until the processes behind them are gone."""


class Middle:
    """A stream with an implementation, through the hands of the man in the middle.

    Args:
        inner: the stream with the honest implementation.
        mutant: what is wrong.
        conversation: what he knows of it.
    """

    def __init__(self, inner: ByteStream, mutant: Mutant, conversation: Conversation) -> None:
        self._inner = inner
        self._mutant = mutant
        self._conversation = conversation
        self._from = FrameReader(DEFAULT_LIMITS.response)
        self._to = bytearray()  # of a frame that has not come whole; no limit holds here
        self._said: deque[Item] = deque()  # what takes the place of what it said
        self._due = bytearray()
        self._over = False
        self._buffer = bytearray(256 * 1024)

    @property
    def peer(self) -> str:
        """See `ByteStream.peer`."""
        return self._inner.peer

    @property
    def identity(self) -> PeerIdentity | None:
        """See `ByteStream.identity`."""
        return self._inner.identity

    async def receive_into(self, buffer: memoryview | bytearray, /) -> int:
        """What the implementation says, rewritten."""
        if self._mutant.gathers:
            await asyncio.sleep(self._mutant.gathers)
        if self._mutant.says is None:
            return 0 if self._over else await self._inner.receive_into(buffer)
        while not self._due:
            if not self._said:
                count = 0 if self._over else await self._inner.receive_into(self._buffer)
                if not count:
                    return 0
                self._from.feed(self._buffer[:count])
                for frame in self._from:
                    self._said.extend(self._mutant.says(bytes(frame), self._conversation))
                    self._conversation.said += 1
            # what stands before a pause is heard before it
            while self._said and not (self._due and isinstance(self._said[0], Delay)):
                await self._pass(self._said.popleft(), self._due)
        count = min(len(buffer), len(self._due))
        buffer[:count] = self._due[:count]
        del self._due[:count]
        return count

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        """What the implementation is to hear, rewritten."""
        if self._mutant.overhears is not None:
            self._to += b"".join(buffers)
            while (frame := self._next_to_hear()) is not None:
                self._mutant.overhears(frame, self._conversation)
        if self._mutant.hears is None and not self._mutant.wants_whole_frames:
            await self._inner.send(buffers)
            return
        out = bytearray()
        self._to += b"".join(buffers)
        while (frame := self._next_to_hear()) is not None:
            for item in self._mutant.hears(frame, self._conversation) if self._mutant.hears else (frame,):
                await self._pass(item, out)
            self._conversation.heard += 1
        if self._to and self._mutant.wants_whole_frames:
            await self._pass(CLOSE, out)
        if out and not self._over:
            await self._inner.send([bytes(out)])

    def _next_to_hear(self) -> bytes | None:
        end = _LENGTH + int.from_bytes(self._to[:_LENGTH], "big")
        if len(self._to) < max(end, _LENGTH):
            return None
        frame = bytes(self._to[_LENGTH:end])
        del self._to[:end]
        return frame

    async def _pass(self, item: Item, out: bytearray) -> None:
        match item:
            case Raw():
                out += item.data
            case Delay():
                await asyncio.sleep(item.seconds)
            case _Close():
                self._over = True
                await self._inner.close()
            case _ if not self._over:
                out += write_frame(item)

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`."""
        if not self._mutant.keeps_half:
            await self._inner.send_eof()

    async def close(self) -> None:
        """See `ByteStream.close`."""
        if self._mutant.holds_on:
            _HELD.append(self._inner)
        else:
            await self._inner.close()

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        if self._mutant.holds_on:
            _HELD.append(self._inner)
        else:
            self._inner.abort()
