"""Random conversations of the two sessions, with bytes under way in both directions and cut anywhere.

Whatever is said when, neither side ever has reason to complain, and no value is ever shown under another signal's
name: each measurement's value is the number of its signal.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from session_pair import cache
from sttp.codes import ModeFlags, OperationalModes
from sttp.measurement import Columns
from sttp.session import Phase, PublisherSession, SubscriberConfig, SubscriberSession
from sttp.session.base import Session
from sttp.session.events import (
    Ended,
    MeasurementsReceived,
    MetadataRequested,
    PublisherEvent,
    SubscribeRequested,
)
from sttp.wire.subscription import SubscriptionOptions

MODES = st.builds(
    OperationalModes,
    version=st.sampled_from([1, 2, 3]),
    flags=st.sampled_from([ModeFlags.EVERYTHING_COMPRESSED, ModeFlags(0)]),
)


class Conversations(RuleBasedStateMachine):
    """A publisher and a subscriber that do what they please."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.subscriber: SubscriberSession | None = None
        self.unanswered: deque[PublisherEvent] = deque()
        self.sent = 0
        self.received: list[tuple[int, int]] = []

    @precondition(lambda self: self.subscriber is None)
    @rule(modes=MODES)
    def connect(self, modes: OperationalModes) -> None:
        self.subscriber = SubscriberSession(SubscriberConfig(modes=modes), now=self.now)
        self.publisher = PublisherSession(now=self.now)
        self.upstream, self.downstream = bytearray(), bytearray()

    # --- bytes under way

    @precondition(lambda self: self.subscriber)
    @rule(length=st.integers(1, 200))
    def some_bytes_reach_the_publisher(self, length: int) -> None:
        self.carry(self.subscriber, self.upstream, self.publisher, length)
        self.answerable()

    @precondition(lambda self: self.subscriber)
    @rule(length=st.integers(1, 200))
    def some_bytes_reach_the_subscriber(self, length: int) -> None:
        self.carry(self.publisher, self.downstream, self.subscriber, length)
        self.take()

    @precondition(lambda self: self.subscriber)
    @rule()
    def everything_arrives(self) -> None:
        for _ in range(50):
            self.carry(self.subscriber, self.upstream, self.publisher, 1 << 20)
            self.answerable()
            self.carry(self.publisher, self.downstream, self.subscriber, 1 << 20)
            self.take()

    def carry(self, source: Session[object], way: bytearray, target: Session[object], length: int) -> None:
        way += b"".join(source.data_to_send())
        target.receive_data(bytes(way[:length]), now=self.now)
        del way[:length]

    def answerable(self) -> None:
        for event in self.publisher.events():
            assert not isinstance(event, Ended), event
            if isinstance(event, MetadataRequested | SubscribeRequested):
                self.unanswered.append(event)

    def take(self) -> None:
        for event in self.subscriber.events():
            assert not isinstance(event, Ended), event
            if isinstance(event, MeasurementsReceived):
                for index, value, ticks in zip(
                    event.columns.signal_index.tolist(),
                    event.columns.value.tolist(),
                    event.columns.ticks.tolist(),
                    strict=True,
                ):
                    assert event.signals[index].signal_id.int == value
                    self.received.append((ticks, index))

    # --- what the subscriber does

    @precondition(lambda self: self.subscriber)
    @rule(include_time=st.just(True))
    def subscribe(self, include_time: bool) -> None:
        self.subscriber.subscribe(SubscriptionOptions(filter_expression="x", include_time=include_time))

    @precondition(lambda self: self.subscriber)
    @rule()
    def unsubscribe(self) -> None:
        self.subscriber.unsubscribe()

    @precondition(lambda self: self.subscriber)
    @rule()
    def refresh_metadata(self) -> None:
        self.subscriber.refresh_metadata()

    # --- what the publisher does

    @precondition(lambda self: self.unanswered)
    @rule(first=st.integers(1, 1000), count=st.integers(0, 3), accept=st.integers(0, 3))
    def answer(self, first: int, count: int, accept: int) -> None:
        match self.unanswered.popleft():
            case MetadataRequested():
                self.publisher.send_metadata(b"<x/>") if accept else self.publisher.refuse_metadata("no")
            case SubscribeRequested() if accept:
                self.publisher.accept_subscription(cache(count, first))
            case _:
                self.publisher.refuse_subscription("no")
        self.answerable()

    @precondition(lambda self: self.subscriber and self.publisher.phase in (Phase.OFFERED, Phase.STREAMING))
    @rule(first=st.integers(1, 1000), count=st.integers(1, 3))
    def hand_over(self, first: int, count: int) -> None:
        self.publisher.change_signals(cache(count, first))

    @precondition(lambda self: self.subscriber and self.publisher.signals is not None)
    @rule(repeat=st.integers(1, 5))
    def publish(self, repeat: int) -> None:
        signals = self.publisher.signals
        for _ in range(repeat):
            self.sent += 1
            count = len(signals)
            self.publisher.send_measurements(
                Columns(
                    np.arange(count, dtype=np.int32),
                    np.full(count, 638_000_000_000_000_000 + self.sent, np.int64),
                    np.zeros(count, np.uint32),
                    np.array([signal.signal_id.int for signal in signals], np.float32),
                )
            )

    @precondition(lambda self: self.subscriber and self.publisher.modes is not None)
    @rule()
    def change_configuration(self) -> None:
        self.publisher.send_configuration_changed()

    @precondition(lambda self: self.subscriber and not self.subscriber.has_data_to_send and not self.upstream)
    @rule(seconds=st.floats(0, 2))
    def time_passes(self, seconds: float) -> None:
        if self.publisher.modes is None:
            return
        self.now += seconds
        self.publisher.handle_deadline(now=self.now)
        self.answerable()
        self.subscriber.listen(now=self.now)
        self.subscriber.handle_deadline(now=self.now)
        # nobody here leaves a question unanswered for long
        if self.unanswered:
            self.answer(first=1, count=1, accept=1)
            self.everything_arrives()

    # --- what must hold

    @invariant()
    def each_measurement_comes_once_and_in_order(self) -> None:
        assert self.received == sorted(set(self.received))

    def teardown(self) -> None:
        """After everything has arrived, both ends see the same phase."""
        if self.subscriber is None:
            return
        self.everything_arrives()
        while self.unanswered:
            self.answer(first=1, count=1, accept=1)
            self.everything_arrives()
        self.now += 2
        self.subscriber.listen(now=self.now)
        self.subscriber.handle_deadline(now=self.now)
        self.everything_arrives()
        while self.unanswered:
            self.answer(first=1, count=1, accept=1)
            self.everything_arrives()
        assert self.subscriber.phase is self.publisher.phase


TestConversations = Conversations.TestCase
TestConversations.settings = settings(settings.get_profile("ci"), stateful_step_count=60, max_examples=60)
