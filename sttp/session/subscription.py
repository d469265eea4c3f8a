"""What lives as long as one subscription, at either end: signal index caches, codec state, base times (wire.md 5.4, 6).

Unsubscribing replaces the whole object. So nothing of an old subscription can reach into the next one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sttp.limits import Limits
from sttp.measurement import SignalTable
from sttp.wire.compact import BaseTimes
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscDecoder

__all__ = ["PublishedSubscription", "ReceivedSlot", "ReceivedSubscription"]


class ReceivedSlot:
    """One of a subscriber's two signal index caches, with the codec state that belongs to it.

    Args:
        signals: what the signal indexes of its data packets mean.
        options: how compact measurements of this cache were asked for.
        limits: for the decoder.
        after: the cache whose decoder goes on, with a publisher that never resets it (Y7).
    """

    __slots__ = ("decoder", "options", "signals")

    def __init__(
        self, signals: SignalTable, options: SubscriptionOptions, limits: Limits, *, after: ReceivedSlot | None = None
    ) -> None:
        self.signals = signals
        self.options = options
        self.decoder: TsscDecoder = (
            TsscDecoder(signal_indexes=signals.present, limits=limits)
            if after is None
            else after.decoder.continued(signal_indexes=signals.present)
        )


@dataclass(slots=True)
class ReceivedSubscription:
    """A subscription as its subscriber keeps it.

    Attributes:
        options: what the newest Subscribe asked for.
        slots: the two signal index caches; version 1 uses the first alone.
        incoming: caches that will replace the first one in their turn, with a publisher whose packets do not say which
            cache they were made with (C2).
        retired: what was in force before an Unsubscribe, with a publisher that may go on with it (C2, Y7).
        base_times: for compact measurements; None until the publisher has sent any.
    """

    options: SubscriptionOptions = field(default_factory=SubscriptionOptions)
    slots: list[ReceivedSlot | None] = field(default_factory=lambda: [None, None])
    incoming: deque[ReceivedSlot] = field(default_factory=deque)
    retired: ReceivedSlot | None = None
    base_times: BaseTimes | None = None

    def take_over(self, slot: ReceivedSlot) -> None:
        """Use an incoming cache from now on, if it still is one, and forget those that came before it."""
        if slot in self.incoming:
            while self.incoming.popleft() is not slot:
                pass
            self.slots[0] = slot


@dataclass(slots=True)
class PublishedSubscription:
    """A subscription as its publisher keeps it; its caches are in `sttp.session.handover`.

    Attributes:
        options: what the newest accepted Subscribe asked for.
        base_times: those that were announced for compact measurements.
        buffer_blocks: how many have been sent; the number of the next.
        started: whether data has flowed.
    """

    options: SubscriptionOptions = field(default_factory=SubscriptionOptions)
    base_times: BaseTimes | None = None
    buffer_blocks: int = 0
    started: bool = False
