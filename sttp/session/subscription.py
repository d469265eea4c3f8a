"""What lives as long as one subscription, at either end: signal index caches, codec state, base times (wire.md 5.4, 6).

Unsubscribing replaces the whole object. So nothing of an old subscription can reach into the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sttp.measurement import SignalTable
from sttp.wire.compact import BaseTimes
from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscDecoder, TsscEncoder

__all__ = ["Offer", "PublishedSubscription", "ReceivedSlot", "ReceivedSubscription"]


class ReceivedSlot:
    """One of a subscriber's two signal index caches, with the codec state that belongs to it.

    Args:
        signals: what the signal indexes of its data packets mean.
        options: how compact measurements of this cache were asked for.
    """

    __slots__ = ("decoder", "options", "signals")

    def __init__(self, signals: SignalTable, options: SubscriptionOptions) -> None:
        self.signals = signals
        self.options = options
        self.decoder = TsscDecoder(signal_indexes=signals.present)


@dataclass(slots=True)
class ReceivedSubscription:
    """A subscription as its subscriber keeps it.

    Attributes:
        options: what the newest Subscribe asked for.
        slots: the two signal index caches; version 1 uses the first alone.
        base_times: for compact measurements; None until the publisher has sent any.
    """

    options: SubscriptionOptions = field(default_factory=SubscriptionOptions)
    slots: list[ReceivedSlot | None] = field(default_factory=lambda: [None, None])
    base_times: BaseTimes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A signal index cache that a publisher offers, and what its data packets will be made with.

    Attributes:
        cache: the signals.
        options: how compact measurements are wanted.
        encoder: TSSC state, fresh with every cache: the handover is the reset (6.4).
    """

    cache: SignalIndexCache
    options: SubscriptionOptions
    encoder: TsscEncoder = field(default_factory=TsscEncoder)


@dataclass(slots=True)
class PublishedSubscription:
    """A subscription as its publisher keeps it, with the double-buffered handover (5.4).

    Attributes:
        options: what the newest accepted Subscribe asked for.
        current: the cache in force; None before the first confirm.
        offered: the cache that has been sent and is not confirmed.
        waiting: the newest cache that waits for that confirm. Only the newest survives.
        started: whether data has flowed.
    """

    options: SubscriptionOptions = field(default_factory=SubscriptionOptions)
    current: Offer | None = None
    offered: Offer | None = None
    waiting: Offer | None = None
    started: bool = False
