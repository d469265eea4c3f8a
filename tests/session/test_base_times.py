from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from session_pair import Pair, cache, rows
from sttp.codes import ModeFlags, OperationalModes
from sttp.measurement import Columns
from sttp.session.base_times import base_times_for
from sttp.session.events import BaseTimesUpdated
from sttp.ticks import LEAP_SECOND, LEAP_SECOND_NEGATIVE, MAX_TICKS, TICKS_PER_MILLISECOND, TICKS_PER_SECOND
from sttp.wire.compact import BaseTimes, TimeFormat, write_compact
from sttp.wire.subscription import SubscriptionOptions

T = 638_000_000_000_000_000
TICKS, MILLISECONDS = TimeFormat(), TimeFormat(milliseconds=True)
FORMATS = [TICKS, MILLISECONDS]


def times(*ticks: int) -> np.ndarray:
    return np.array(ticks, np.int64)


def columns(ticks: np.ndarray) -> Columns:
    count = len(ticks)
    return Columns(np.zeros(count, np.int32), ticks, np.zeros(count, np.uint32), np.arange(count, dtype=np.float32))


@pytest.mark.parametrize("form", FORMATS)
def test_the_first_measurement_brings_base_times_that_reach_it(form: TimeFormat) -> None:
    made = base_times_for(times(T + 5), None, form)
    assert made is not None
    assert made.active == 0
    assert 0 < T + 5 - made.times[0] <= 2 * TICKS_PER_MILLISECOND
    assert made.times[0] % TICKS_PER_MILLISECOND == 0
    assert base_times_for(times(T + 5), made, form) is None


@pytest.mark.parametrize("form", FORMATS)
def test_they_are_renewed_when_the_measurements_have_passed_their_reach(form: TimeFormat) -> None:
    first = base_times_for(times(T), None, form)
    assert first is not None
    last = first.times[0] + form.reach - 1
    assert base_times_for(times(last), first, form) is None
    second = base_times_for(times(last + 1), first, form)
    assert second is not None
    assert second.active == 0
    assert second.times[0] > first.times[0]


def test_the_reach_is_a_minute_or_seven() -> None:
    assert MILLISECONDS.reach // TICKS_PER_SECOND == 65
    assert TICKS.reach // TICKS_PER_SECOND == 429


def test_they_are_renewed_when_time_steps_back() -> None:
    first = base_times_for(times(T), None, TICKS)
    earlier = base_times_for(times(T - TICKS_PER_SECOND), first, TICKS)
    assert earlier is not None
    assert earlier.times[0] < T - TICKS_PER_SECOND


def test_a_single_late_measurement_renews_nothing() -> None:
    first = base_times_for(times(T), None, TICKS)
    assert base_times_for(times(T - TICKS_PER_SECOND, T + 1), first, TICKS) is None


@pytest.mark.parametrize(
    "ticks", [(), (0,), (-1,), (T | LEAP_SECOND,), (T | LEAP_SECOND_NEGATIVE,), (MAX_TICKS + 1,), (1,)]
)
def test_times_that_no_base_helps(ticks: tuple[int, ...]) -> None:
    assert base_times_for(times(*ticks), None, TICKS) is None


def test_leap_second_marks_do_not_disturb_the_others() -> None:
    made = base_times_for(times(T | LEAP_SECOND, T + 5), None, TICKS)
    assert made is not None
    assert 0 < T + 5 - made.times[0] <= 2 * TICKS_PER_MILLISECOND


@given(
    st.lists(st.integers(T - 1000 * TICKS_PER_SECOND, T + 1000 * TICKS_PER_SECOND), min_size=1),
    st.one_of(st.none(), st.integers(T - 500 * TICKS_PER_SECOND, T + 500 * TICKS_PER_SECOND)),
    st.sampled_from(FORMATS),
)
def test_the_newest_time_can_always_be_an_offset(ticks: list[int], base: int | None, form: TimeFormat) -> None:
    current = None if base is None else BaseTimes(active=0, times=(base, 0))
    made = base_times_for(times(*ticks), current, form) or current
    assert made is not None
    assert 0 < max(ticks) - made.times[0] < form.reach


# --- between two sessions


def compact_pair(*, milliseconds: bool) -> Pair:
    pair = Pair(OperationalModes(flags=ModeFlags(0)))
    pair.stream(cache(1), SubscriptionOptions(filter_expression="x", milliseconds=milliseconds))
    return pair


@pytest.mark.parametrize(("milliseconds", "width"), [(False, 13), (True, 11)])
def test_short_offsets_are_really_used(milliseconds: bool, width: int) -> None:
    """An hour of one measurement a second: announced a few times, all times exact, none of them in 8 bytes."""
    pair = compact_pair(milliseconds=milliseconds)
    sent = times(*(T + second * TICKS_PER_SECOND for second in range(3600)))
    packets = 0
    for second in range(3600):
        pair.publisher.send_measurements(columns(sent[second : second + 1]))
        for frame in pair.publisher.data_to_send():
            if frame[4] == 0x82:
                packets += 1
                assert len(frame) == 4 + 6 + 5 + width
            pair.subscriber.receive_data(frame, now=0)
    pair.exchange()
    assert packets == 3600
    assert [row[1] for row in pair.received()] == sent.tolist()
    announced = [event for event in pair.subscribed if isinstance(event, BaseTimesUpdated)]
    form = TimeFormat(milliseconds=milliseconds)
    assert len(announced) == -(-3600 // (form.reach // TICKS_PER_SECOND + 1))
    assert {event.active for event in announced} == {0}


def test_marked_and_late_times_arrive_as_they_are_in_between() -> None:
    pair = compact_pair(milliseconds=False)
    mixed = times(T, T | LEAP_SECOND, T - 3600 * TICKS_PER_SECOND, T + 1, 0, T | LEAP_SECOND_NEGATIVE, T + 2)
    pair.publisher.send_measurements(columns(mixed))
    pair.exchange()
    assert pair.received() == rows(columns(mixed))


def test_milliseconds_are_truncated_and_no_more() -> None:
    pair = compact_pair(milliseconds=True)
    pair.publisher.send_measurements(columns(times(T + 9_999, T + 10_000, T + 19_999)))
    pair.exchange()
    assert [row[1] for row in pair.received()] == [T, T + 10_000, T + 10_000]


def test_none_are_sent_without_times_or_with_tssc() -> None:
    for flags, include_time in ((ModeFlags(0), False), (ModeFlags.EVERYTHING_COMPRESSED, True)):
        pair = Pair(OperationalModes(flags=flags))
        pair.stream(cache(1), SubscriptionOptions(filter_expression="x", include_time=include_time))
        pair.publisher.send_measurements(columns(times(T)))
        pair.exchange()
        assert len(pair.received()) == 1
        assert not any(isinstance(event, BaseTimesUpdated) for event in pair.subscribed)


def test_a_new_subscription_begins_with_new_ones() -> None:
    pair = compact_pair(milliseconds=False)
    for _ in range(2):
        pair.publisher.send_measurements(columns(times(T)))
        pair.exchange()
        pair.subscriber.unsubscribe()
        pair.exchange()
        pair.subscriber.subscribe(SubscriptionOptions(filter_expression="x"))
        pair.exchange()
    assert sum(isinstance(event, BaseTimesUpdated) for event in pair.subscribed) == 2


@pytest.mark.parametrize("active", [0, 1])
def test_every_mix_of_other_publishers_is_read(active: int) -> None:
    """Both indexes, both widths and 8 bytes in one packet, as gsfapi and cppapi may send it."""
    pair = compact_pair(milliseconds=False)
    base = BaseTimes(active=active, times=(T, T + 420 * TICKS_PER_SECOND))
    mixed = times(*(T + step for step in (-1, 0, 1, 4_294_967_294, 4_294_967_295, 4_300_000_000, 9_000_000_000)))
    ((count, body),) = write_compact(columns(mixed), TICKS, base)
    frame = b"\x84\x02\x00\x00\x00\x14" + active.to_bytes(4, "big") + b"".join(t.to_bytes(8, "big") for t in base.times)
    packet = b"\x82\x02" + (5 + len(body)).to_bytes(4, "big") + b"\x02" + count.to_bytes(4, "big") + body
    for message in (frame, packet):
        pair.subscriber.receive_data(len(message).to_bytes(4, "big") + message, now=0)
    pair.exchange()
    assert [row[1] for row in pair.received()] == mixed.tolist()
