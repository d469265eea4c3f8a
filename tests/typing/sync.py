"""What type checkers see of `sttp.sync`. Never run: `make types` reads it, and every ignored error must be one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_type

from sttp import (
    MeasurementBatch,
    Metadata,
    Overflow,
    PeerEvent,
    PublisherStatistics,
    SignalTable,
    SubscriberStatistics,
    sync,
)
from sttp.session.events import PublisherEvent, SubscriberEvent


def subscribes() -> None:
    with sync.Subscriber("tcp://pdc", filter=None, overflow=Overflow.WAIT) as subscriber:
        assert_type(subscriber, sync.Subscriber)
        assert_type(subscriber.within(1.5), sync.Subscriber)
        assert_type(subscriber.measurements(), Iterator[MeasurementBatch])
        assert_type(subscriber.refresh_metadata(), Metadata)
        assert_type(subscriber.within(3).refresh_metadata(filter="FILTER DeviceDetail WHERE True"), Metadata)
        assert_type(subscriber.events(), Iterator[PeerEvent[SubscriberEvent]])
        assert_type(subscriber.subscribe("FILTER ActiveMeasurements WHERE True"), None)
        assert_type(subscriber.unsubscribe(), None)
        assert_type(subscriber.listening, str | None)
        assert_type(subscriber.metadata, Metadata | None)
        assert_type(subscriber.statistics, SubscriberStatistics)


def publishes(metadata: Metadata, batch: MeasurementBatch) -> None:
    publisher = sync.Publisher("tcp://:7165", "reverse+tcp://dmz", metadata=metadata).open()
    assert_type(publisher, sync.Publisher)
    assert_type(publisher.publish(batch), None)
    assert_type(publisher.events(), Iterator[PeerEvent[PublisherEvent]])
    assert_type(publisher.change_metadata(metadata), None)
    assert_type(publisher.listening, tuple[str, ...])
    assert_type(publisher.signals, SignalTable)
    assert_type(publisher.statistics, PublisherStatistics)


def cannot_be(subscriber: sync.Subscriber, publisher: sync.Publisher, metadata: Metadata) -> None:
    sync.Subscriber()  # type: ignore[call-arg]
    sync.Subscriber("tcp://pdc", metadata=metadata)  # type: ignore[call-arg]
    sync.Publisher(7165, metadata=metadata)  # type: ignore[arg-type]
    publisher.notify(text=7)  # type: ignore[arg-type]
    publisher.publish([1.0])  # type: ignore[arg-type]
    subscriber.refresh_metadata(timeout=3)  # type: ignore[call-arg]
    subscriber.metadata = metadata  # type: ignore[assignment]
