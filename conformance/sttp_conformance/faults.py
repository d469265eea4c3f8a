"""Faults: the small things that a mutant does otherwise than the honest implementation that it is made of.

Each is about one place where the suite can stand in between: the frames that pass, the bytes below them, the control
channel, the timers, the datagrams. What is wrong with TLS is a `BadTls`, in a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sttp_conformance.bad_tls import BadTls
from sttp_conformance.rewrites import Conversation, Rewrite

__all__ = [
    "Answers",
    "Change",
    "Datagrams",
    "Fault",
    "Gathers",
    "Hears",
    "HoldsOn",
    "IsAsked",
    "KeepsHalf",
    "Overhears",
    "Says",
    "Timers",
    "WantsWholeFrames",
    "is_told",
    "reports",
]

Change: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any]]
"""From the name of a request on the control channel, and fields of the request or its answer, to other fields."""

# --- frames


@dataclass(frozen=True, slots=True)
class Says:
    """The frames that it says become others."""

    rewrite: Rewrite


@dataclass(frozen=True, slots=True)
class Hears:
    """The frames that it hears become others. Pieces wait for the rest, however long the frame is said to be."""

    rewrite: Rewrite


@dataclass(frozen=True, slots=True)
class Overhears:
    """Something is shown each frame that it hears, which stays as it is and comes as it came."""

    told: Callable[[bytes, Conversation], None]


# --- the bytes below


@dataclass(frozen=True, slots=True)
class WantsWholeFrames:
    """It closes the connection when a frame does not come in one piece."""


@dataclass(frozen=True, slots=True)
class Gathers:
    """What it says is kept back, so that many frames come in one segment.

    Attributes:
        seconds: for how long, before each read.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class KeepsHalf:
    """It does not notice that the other end has ended its direction."""


@dataclass(frozen=True, slots=True)
class HoldsOn:
    """It does not notice that the other end has closed, and keeps what belongs to the connection."""


# --- beside the connection


@dataclass(frozen=True, slots=True)
class Answers:
    """Its answers on the control channel become others."""

    change: Change


def reports(change: Callable[[list[list[Any]]], list[list[Any]]]) -> Answers:
    """The application reports other measurements than it received: rows as `ADAPTER.md` writes them."""
    return _answers("report", "measurements", change)


def is_told(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Answers:
    """The application is told other events than there were, as `ADAPTER.md` writes them."""
    return _answers("events", "events", change)


def _answers(to: str, name: str, change: Callable[[Any], Any]) -> Answers:
    return Answers(lambda request, answer: answer | {name: change(answer[name])} if request == to else answer)


@dataclass(frozen=True, slots=True)
class IsAsked:
    """The fields of requests on its control channel become others."""

    change: Change


@dataclass(frozen=True, slots=True)
class Timers:
    """Timers are not what they should be.

    Attributes:
        seconds: what they are in truth, by the name that `ADAPTER.md` gives them.
    """

    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Datagrams:
    """The datagrams of its data channel over UDP, which a publisher sends and a subscriber gets, become others."""

    change: Callable[[bytes], Iterable[bytes]]


Fault: TypeAlias = (
    Says
    | Hears
    | Overhears
    | WantsWholeFrames
    | Gathers
    | KeepsHalf
    | HoldsOn
    | Answers
    | IsAsked
    | Timers
    | Datagrams
    | BadTls
)
"""One thing that is otherwise."""
