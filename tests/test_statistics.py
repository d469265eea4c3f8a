"""Derived numbers; that the counts themselves add up is shown in test_publisher.py and test_subscriber.py."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from sttp.statistics import PublisherStatistics, SubscriberStatistics, Tally


def received(**counts: int) -> SubscriberStatistics:
    zeros = dict.fromkeys((field.name for field in fields(SubscriberStatistics)), 0)
    return SubscriberStatistics(**{**zeros, **counts})


def test_bytes_per_measurement() -> None:
    assert received(measurements=8, packet_bytes=20).bytes_per_measurement == 2.5


def test_bytes_per_measurement_before_the_first_one() -> None:
    assert received(packet_bytes=20).bytes_per_measurement == 0.0


@pytest.mark.parametrize(("connections", "reconnects"), [(0, 0), (1, 0), (2, 1), (10, 9)])
def test_the_first_connection_is_no_reconnect(connections: int, reconnects: int) -> None:
    assert received(connections=connections).reconnects == reconnects


def test_statistics_are_a_snapshot() -> None:
    with pytest.raises(FrozenInstanceError):
        received().measurements = 1  # type: ignore[misc]


def test_everything_that_is_reported_and_only_grows_has_a_tally() -> None:
    now, by_admission = {"connected", "subscriptions"}, {"turned_away"}
    counted_elsewhere = now | by_admission
    kinds = (PublisherStatistics, SubscriberStatistics)
    reported = {field.name for kind in kinds for field in fields(kind)} - counted_elsewhere
    assert reported == {field.name for field in fields(Tally)}
