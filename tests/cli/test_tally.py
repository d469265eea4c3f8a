from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sttp.cli.tally import Tally
from sttp.measurement import MeasurementBatch, Signal, SignalTable
from sttp.statistics import SubscriberStatistics

SIGNALS = SignalTable.of([Signal(signal_id=UUID(int=1))])


def batch(length: int) -> MeasurementBatch:
    return MeasurementBatch.of(SIGNALS, [0] * length, 0, range(length))


def clock(*times: float) -> Iterator[float]:
    return iter(times)


def statistics(measurements: int) -> SubscriberStatistics:
    return SubscriberStatistics(
        connections=1,
        connected=1,
        measurements=measurements,
        packets=1,
        packet_bytes=measurements * 3,
        gaps=2,
        dropped=7,
        bytes_received=1,
        bytes_sent=1,
    )


def test_the_batch_that_completes_it_is_cut() -> None:
    tally = Tally(5)
    assert len(tally.take(batch(3))) == 3
    assert not tally.complete
    assert tally.take(batch(4)).value.tolist() == [0.0, 1.0]
    assert tally.complete
    assert len(tally.take(batch(1))) == 0
    assert tally.count == 5


def test_without_a_number_nothing_is_cut_and_it_is_never_complete() -> None:
    tally = Tally()
    assert len(tally.take(batch(1000))) == 1000
    assert not tally.complete


def test_the_rate_is_counted_from_the_first_batch() -> None:
    tally = Tally(clock=clock(10.0, 11.0, 12.0).__next__)
    assert tally.rate is None
    tally.take(batch(500))
    assert tally.rate is None
    tally.take(batch(100))
    tally.take(batch(100))
    assert tally.rate == 100
    assert str(tally) == "700 measurements, 100/s"


def test_summary() -> None:
    tally = Tally(clock=clock(1.0).__next__)
    assert tally.summary(statistics(0)) == "0 measurements, 2 gaps, 7 dropped"
    tally.take(batch(4))
    assert tally.summary(statistics(4)) == "4 measurements, 3.00 bytes/measurement, 2 gaps, 7 dropped"
