"""The handover of signal index caches at the publisher: offered, confirmed, in force (wire.md 5.4)."""

from __future__ import annotations

from dataclasses import dataclass

from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions

__all__ = ["Handover", "Offer"]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A signal index cache that a publisher offers.

    Attributes:
        cache: the signals.
        image: the bytes that it travels as.
        options: how measurements are wanted.
    """

    cache: SignalIndexCache
    image: bytes
    options: SubscriptionOptions


class Handover:
    """Two slots that caches take in turn, for one connection.

    A cache is offered for the slot that is not in use, and comes into force when it is confirmed. While one is offered
    the next has to wait; of those that wait only the newest survives.

    Attributes:
        in_force: what data packets are made with; None before the first confirm.
        index: the slot of the cache in force, 0 or 1. At first 1, as if there were one, so that the first offer is for
            slot 0.
    """

    __slots__ = ("_offered", "_waiting", "in_force", "index")

    def __init__(self) -> None:
        self.in_force: Offer | None = None
        self.index = 1
        self._offered: Offer | None = None
        self._waiting: Offer | None = None

    @property
    def next_index(self) -> int:
        """The slot that the next offer is for."""
        return self.index ^ 1

    def offer(self, offer: Offer) -> Offer | None:
        """Offer a cache.

        Returns:
            The cache, when it is to be sent now; None when it has to wait.
        """
        if self._offered is not None:
            self._waiting = offer
            return None
        self._offered = offer
        return offer

    def confirm(self) -> Offer | None:
        """Bring what was offered into force.

        Returns:
            What is in force now; None when nothing was offered, and nothing has changed.
        """
        if self._offered is None:
            return None
        self.in_force, self._offered = self._offered, None
        self.index ^= 1
        return self.in_force

    def take_waiting(self) -> Offer | None:
        """What has waited for the last confirm: it is to be offered now."""
        waiting, self._waiting = self._waiting, None
        return waiting

    def forget(self) -> None:
        """Have nothing in force and nothing offered any more, after an Unsubscribe (5.5)."""
        self.in_force = self._offered = self._waiting = None
