"""Two sessions in memory, joined by lists of bytes. Time is a number that only moves when a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from sttp.codes import OperationalModes
from sttp.measurement import Columns, Signal, SignalTable
from sttp.session import PublisherConfig, PublisherSession, SubscriberConfig, SubscriberSession
from sttp.session.events import (
    MeasurementsReceived,
    MetadataRequested,
    PublisherEvent,
    SubscribeRequested,
    SubscriberEvent,
)
from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions

SUBSCRIBER_ID = UUID(int=0x0F0E)


def signals(count: int, first: int = 1) -> SignalTable:
    """A table of signals whose IDs and keys are numbered from `first`."""
    return SignalTable.of(
        [Signal(signal_id=UUID(int=number), key=f"PPA:{number}") for number in range(first, first + count)]
    )


def cache(count: int, first: int = 1) -> SignalIndexCache:
    """A signal index cache of such signals."""
    return SignalIndexCache(subscriber_id=SUBSCRIBER_ID, signals=signals(count, first))


def rows(columns: Columns) -> list[tuple[int, int, int, int]]:
    """Signal index, ticks, flags and the bits of the value of each measurement."""
    return list(
        zip(
            columns.signal_index.tolist(),
            columns.ticks.tolist(),
            columns.flags.tolist(),
            columns.value.view("uint32").tolist(),
            strict=True,
        )
    )


class Pair:
    """A publisher session and a subscriber session, and everything that they have told."""

    def __init__(
        self,
        modes: OperationalModes | None = None,
        *,
        publisher: PublisherConfig | None = None,
        cut: int = 1 << 20,
    ) -> None:
        self.now = 0.0
        self.cut = cut
        config = SubscriberConfig(modes=modes or OperationalModes())
        self.publisher = PublisherSession(publisher or PublisherConfig(), now=self.now)
        self.subscriber = SubscriberSession(config, now=self.now)
        self.published: list[PublisherEvent] = []
        self.subscribed: list[SubscriberEvent] = []
        self.answer: Callable[[PublisherEvent], None] = lambda event: None

    def exchange(self) -> None:
        """Carry bytes to and fro until both are silent."""
        moved = True
        while moved:
            moved = False
            for source, target in ((self.subscriber, self.publisher), (self.publisher, self.subscriber)):
                data = b"".join(source.data_to_send())
                for start in range(0, len(data), self.cut):
                    target.receive_data(data[start : start + self.cut], now=self.now)
                moved = moved or bool(data)
                self._collect()

    def _collect(self) -> None:
        self.subscribed += self.subscriber.events()
        for event in self.publisher.events():
            self.published.append(event)
            self.answer(event)

    def accept_everything(self, offer: SignalIndexCache) -> None:
        """Answer every request: metadata with a few bytes, subscriptions with `offer`."""

        def answer(event: PublisherEvent) -> None:
            if isinstance(event, MetadataRequested):
                self.publisher.send_metadata(b"<metadata/>")
            elif isinstance(event, SubscribeRequested):
                self.publisher.accept_subscription(offer)

        self.answer = answer

    def stream(self, offer: SignalIndexCache, options: SubscriptionOptions | None = None) -> None:
        """Bring the conversation to where measurements flow."""
        self.accept_everything(offer)
        self.subscriber.subscribe(options or SubscriptionOptions(filter_expression="everything"))
        self.exchange()

    def received(self) -> list[tuple[int, int, int, int]]:
        """All measurements that the subscriber was told of, in order."""
        return [
            row for event in self.subscribed if isinstance(event, MeasurementsReceived) for row in rows(event.columns)
        ]

    def wait(self, seconds: float) -> None:
        """Let time pass, deadline by deadline, with what the sessions have to say at each."""
        end = self.now + seconds
        while (due := self._due()) is not None and due <= end:
            self.now = max(due, self.now)
            self.publisher.handle_deadline(now=self.now)
            self.subscriber.handle_deadline(now=self.now)
            self._collect()
            self.exchange()
        self.now = end

    def _due(self) -> float | None:
        deadlines = [session.deadline for session in (self.publisher, self.subscriber)]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)


def kinds(events: Iterable[object]) -> list[str]:
    """Names of the events."""
    return [type(event).__name__ for event in events]
