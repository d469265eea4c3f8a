"""Rewrites: what a mutant makes of the frames that pass between it and the other end.

A rewrite is given a frame, without its length, and what is known of the conversation, and says what takes its place.
Most are made of these few:

```python
dropped(Response.SUCCEEDED, answering=Command.UNSUBSCRIBE)
added_before(Response.DATA_PACKET, Delay(0.1))
edited(Response.FAILED, lambda text: text + b"!")
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sttp.codes import Command, Response
from sttp_conformance.ways import Way

__all__ = [
    "CLOSE",
    "Close",
    "Conversation",
    "Delay",
    "Item",
    "Process",
    "Raw",
    "Rewrite",
    "added_after",
    "added_before",
    "all_of",
    "dropped",
    "edited",
    "harmed",
    "replaced",
    "with_payload",
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


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed here."""


CLOSE: Final = Close()
"""What a rewrite returns to close the connection."""


@dataclass(slots=True)
class Process:
    """What is known of one process of the implementation, whatever the connection.

    Attributes:
        connections: how many it has had so far.
        is_harmed: whether it has met what it never recovers from. Rewrites set it, and heed it.
        memory: whatever a rewrite wants to remember beyond one connection.
    """

    connections: int = 0
    is_harmed: bool = False
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Conversation:
    """What the man in the middle knows of one connection, and may remember in `memory`.

    Attributes:
        way: how the two ends came together.
        number: which connection of the implementation this is, from 1.
        process: what is known of the implementation, and shared by all of its connections.
        said: how many frames the implementation has said before this one.
        heard: how many frames it has heard.
        memory: whatever a rewrite wants to remember.
    """

    way: Way
    number: int = 1
    process: Process = field(default_factory=Process)
    said: int = 0
    heard: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    def count(self, what: str) -> int:
        """How often something has happened, with this time; it is remembered under its name."""
        times: int = self.memory.get(what, 0) + 1
        self.memory[what] = times
        return times


Item: TypeAlias = bytes | Raw | Delay | Close
"""What may take the place of a frame, or of a part of one."""

Rewrite: TypeAlias = Callable[[bytes, Conversation], Iterable[Item]]
"""From a frame, without its length, to what takes its place: frames, raw bytes, pauses, the end; nothing drops it."""

_RESPONSE_HEADER: Final = 6
_USER_COMMANDS: Final = range(Command.USER_COMMAND_00, Command.USER_COMMAND_15 + 1)

_Changed: TypeAlias = Callable[[bytes], Item | Sequence[Item]]


def _fits(frame: bytes, code: int | None, answering: int | None) -> bool:
    return bool(frame) and code in (None, frame[0]) and (answering is None or frame[1:2] == bytes((answering,)))


def _listed(items: Item | Sequence[Item]) -> Sequence[Item]:
    return items if isinstance(items, list | tuple) else (items,)


def with_payload(frame: bytes, payload: bytes) -> bytes:
    """A response, or a Subscribe, with another payload; the length is put right."""
    return frame[:2] + len(payload).to_bytes(4, "big") + payload


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
        return frame[:1] + payload if header == 1 else with_payload(frame, payload)

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


def harmed(by: Callable[[bytes, Conversation], bool], *items: Item) -> Rewrite:
    """Once it has met something, no frame comes through any more, on whatever connection of the process.

    Args:
        by: whether a frame is what harms it for good.
        items: what comes in the place of that frame, and of each later one.
    """

    def rewrite(frame: bytes, conversation: Conversation) -> Iterable[Item]:
        process = conversation.process
        process.is_harmed = by(frame, conversation) or process.is_harmed
        return items if process.is_harmed else (frame,)

    return rewrite


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
