"""What peers say besides measurements, for applications that want to know: bounded, and never in the way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

__all__ = ["PeerEvent", "PeerEvents"]

E = TypeVar("E")

MOST_WAITING: Final = 1_000
"""Events that wait for the application; of more the oldest are lost. Most programs never ask for them."""

MOST_BYTES: Final = 16 * 2**20
"""Bytes of payloads and characters of texts in them. A peer can make each as long as a message may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerEvent(Generic[E]):
    """An event of one connection.

    Attributes:
        peer: label of the publisher, or address of the subscriber, that it came from.
        event: what happened; see `sttp.session.events`.
    """

    peer: str
    event: E


class PeerEvents(Generic[E]):
    """Events of all connections of a publisher or subscriber, in the order in which they happened."""

    def __init__(self) -> None:
        self._waiting: deque[PeerEvent[E]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, peer: str, event: E) -> None:
        """Add an event. It never waits; when nobody takes them the oldest are lost."""
        self._waiting.append(PeerEvent(peer=peer, event=event))
        self._size += _size(event)
        while len(self._waiting) > MOST_WAITING or (self._size > MOST_BYTES and len(self._waiting) > 1):
            self._take()
        self._changed.set()

    def close(self) -> None:
        """Say that there will be no more. Those that wait can still be taken."""
        self._closed = True
        self._changed.set()

    async def __aiter__(self) -> AsyncGenerator[PeerEvent[E], None]:
        """Take the events as they come, until there will be no more."""
        while True:
            while self._waiting:
                yield self._take()
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()

    def _take(self) -> PeerEvent[E]:
        event = self._waiting.popleft()
        self._size -= _size(event.event)
        return event


def _size(event: object) -> int:
    return sum(len(getattr(event, name, "")) for name in ("payload", "text", "reason"))
