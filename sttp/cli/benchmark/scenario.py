"""What is to be measured, as one value that processes can hand on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

from sttp.errors import UsageError
from sttp.subscriber import EVERYTHING, Encoding

__all__ = ["Direction", "Filters", "Scenario"]


class Direction(StrEnum):
    """Who dials."""

    FORWARD = "forward"
    REVERSE = "reverse"


class Filters(StrEnum):
    """What the subscribers ask for."""

    SAME = "same"
    """All of them everything: their streams are the same."""
    DISTINCT = "distinct"
    """Each everything but one signal, and each another one: no two streams are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One measurement of the two ends of a stream.

    Attributes:
        signals: how many the publisher has.
        batch: measurements handed over by one publish.
        encoding: how they travel.
        transport: scheme of a transport with its layers, whose addresses are `host:port`; or a whole URL to listen on.
        direction: who dials.
        subscribers: how many, each in a process of its own.
        filters: what they ask for.
        seconds: how long to count, after a while to warm up.
        latency: one measurement per publish, one millisecond apart, instead of as much as goes through.
    """

    signals: int = 1000
    batch: int = 1000
    encoding: Encoding = Encoding.TSSC
    transport: str = "tcp"
    direction: Direction = Direction.FORWARD
    subscribers: int = 1
    filters: Filters = Filters.SAME
    seconds: float = 10.0
    latency: bool = False

    def __post_init__(self) -> None:
        """Raises: UsageError: parts that do not go together."""
        if self.filters is Filters.DISTINCT and self.signals <= self.subscribers:
            raise UsageError(f"{self.subscribers} distinct filters need more than {self.signals} signals")
        if "://" in self.transport and self.direction is Direction.REVERSE and self.subscribers > 1:
            raise UsageError("several subscribers cannot listen on one address: give --transport a scheme alone")

    @property
    def url(self) -> str:
        """Where the end that listens is to listen: on the loopback, at a port that the system chooses."""
        where = self.transport if "://" in self.transport else f"{self.transport}://127.0.0.1:0"
        return f"reverse+{where}" if self.direction is Direction.REVERSE else where

    def filter_of(self, subscriber: int, tags: list[str]) -> str:
        """The filter expression of one subscriber.

        Args:
            subscriber: its number, from 0.
            tags: tags of the signals.
        """
        if self.filters is Filters.SAME:
            return EVERYTHING
        return f"FILTER ActiveMeasurements WHERE PointTag <> '{tags[subscriber]}'"

    def to_json(self) -> str:
        """As text for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        found = json.loads(text)
        found["encoding"] = Encoding(found["encoding"])
        found["direction"] = Direction(found["direction"])
        found["filters"] = Filters(found["filters"])
        return cls(**found)

    def __str__(self) -> str:
        """In a few words."""
        batch = "one measurement each ms" if self.latency else f"{self.batch} a batch"
        several = f"{self.subscribers} subscribers, {self.filters} filters" if self.subscribers > 1 else "1 subscriber"
        return f"{self.signals} signals, {batch}, {self.encoding}, {self.transport}, {self.direction}, {several}"
