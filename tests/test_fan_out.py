"""Fan-out: what is encoded once for several subscribers arrives at each as if it had been encoded for it alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from session_pair import Pair, cache, rows, signals
from sttp import fan_out
from sttp.backlog import Backlog, Part, Place, Run
from sttp.codes import ModeFlags, OperationalModes
from sttp.errors import OverrunError
from sttp.fan_out import FanOut, Member
from sttp.measurement import Columns, MeasurementBatch, SignalTable
from sttp.queues import Overflow
from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions

TSSC = OperationalModes()
COMPACT = OperationalModes(flags=ModeFlags(0))
BOTH = pytest.mark.parametrize("modes", [TSSC, COMPACT], ids=["TSSC", "compact"])
TABLE = signals(8)
T = 638_000_000_000_000_000


class End:
    """A member with its place in the backlog, and the subscriber behind it."""

    def __init__(self, grid: Grid, modes: OperationalModes, offer: SignalIndexCache, **options: bool) -> None:
        self.pair = Pair(modes)
        self.pair.stream(offer, SubscriptionOptions(filter_expression="everything", **options))
        self.member = Member(grid.shared, self.pair.publisher)
        self.place = Place(grid.backlog, self)
        self.place.enter()
        self.grid = grid
        self.expected: list[tuple[int, int, int, int]] = []
        self.encoded = 0

    active = True

    def more_came(self) -> None:
        pass

    def overran(self, error: OverrunError) -> None:
        raise error

    def count(self, batch: MeasurementBatch) -> int:
        return self.member.count(batch)

    @property
    def waits(self) -> bool:
        return self.place.look() is not None

    def hand_over(self, offer: SignalIndexCache) -> None:
        self.pair.publisher.change_signals(offer)
        self.pair.exchange()

    def take(self, together: int = 1) -> list[bytes]:
        """Send the next part, with up to so many encoded at one go; return the frames."""
        first = self.place.look()
        if first is None:
            return []
        self.grid.encodes, self.grid.together = self, together
        _, last = self.member.send(first)
        self.place.go_behind(last)
        theirs = self.pair.publisher.signals
        for batch in self.grid.published[first.number : last + 1]:
            self.expected += rows(routed(batch, theirs))
        frames = self.pair.publisher.data_to_send()
        for frame in frames:
            self.pair.subscriber.receive_data(frame, now=0.0)
        self.pair.exchange()
        return frames


def routed(batch: MeasurementBatch, theirs: SignalTable | None) -> Columns:
    assert theirs is not None
    index = batch.signals.route_to(theirs)[batch.signal_index]
    return batch.columns._replace(signal_index=index).select(index >= 0)


class Grid:
    """One publisher's fan-out, and its ends."""

    def __init__(self) -> None:
        self.shared = FanOut()
        self.shared.runs.at = self.at  # type: ignore[method-assign]
        self.backlog = Backlog(10**6, Overflow.WAIT)
        self.ends: list[End] = []
        self.published: list[MeasurementBatch] = []
        self.encodes: End
        self.together = 1
        self._value = 0.0

    def add(self, modes: OperationalModes, offer: SignalIndexCache, **options: bool) -> End:
        end = End(self, modes, offer, **options)
        self.ends.append(end)
        return end

    def publish(self, count: int = 5) -> None:
        values = self._value + np.arange(count)
        self._value += count
        batch = MeasurementBatch.of(TABLE, np.arange(count) % len(TABLE), T + int(self._value) * 10_000, values)
        self.published.append(batch)
        assert self.backlog.append(batch)

    def at(self, first: Part) -> Run:
        """As `Runs.at`, with a number of parts at most; it counts who encodes."""
        self.encodes.encoded += 1
        batches = self.published[first.number : first.number + self.together]
        columns = Columns.concatenate([batch.columns for batch in batches])
        return Run(first.number, first.number + len(batches) - 1, TABLE, columns)

    def check(self) -> None:
        for end in self.ends:
            assert end.pair.received() == end.expected
            assert not end.pair.subscriber.ended


@pytest.fixture
def grid() -> Grid:
    return Grid()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(fan_out, "monotonic", lambda: now[0])
    return iter([now]).__next__()


@BOTH
def test_who_gets_the_same_gets_the_same_bytes(modes: OperationalModes, clock: list[float], grid: Grid) -> None:
    offer = cache(8)
    first = grid.add(modes, offer)
    grid.publish()
    first.take()
    second = grid.add(modes, offer)
    clock[0] += fan_out.RESTART_INTERVAL
    shared = []
    for _ in range(4):
        grid.publish()
        ours, theirs = first.take(), second.take()
        shared.append(ours[-1] is theirs[-1])
    # at first it only says that it would like to join
    assert shared == [False, True, True, True]
    assert (first.encoded, second.encoded) == (5, shared.count(False))
    grid.check()


def test_a_stream_of_tssc_is_joined_where_it_restarts_and_that_is_seldom(clock: list[float], grid: Grid) -> None:
    offer = cache(8)
    first = grid.add(TSSC, offer)
    grid.publish()
    first.take()
    second, third = grid.add(TSSC, offer), grid.add(TSSC, offer)
    for _ in range(3):
        grid.publish()
        for end in grid.ends:
            end.take()
    assert (first.encoded, second.encoded, third.encoded) == (4, 3, 3)
    clock[0] += fan_out.RESTART_INTERVAL
    for _ in range(3):
        grid.publish()
        for end in grid.ends:
            end.take()
    assert (first.encoded, second.encoded, third.encoded) == (7, 3, 3)
    grid.check()


def test_who_is_first_to_a_part_encodes_it_for_the_others(clock: list[float], grid: Grid) -> None:
    offer = cache(8)
    first, second = grid.add(COMPACT, offer), grid.add(COMPACT, offer)
    grid.publish()
    for end in grid.ends:
        end.take()
    for _ in range(5):
        grid.publish()
    first.take()
    second.take()
    first.take(together=3)
    second.take()
    second.take()
    first.take()
    assert (first.encoded, second.encoded) == (3, 2)
    grid.check()


@pytest.mark.parametrize("options", [{"include_time": False}, {"milliseconds": True}, {"request_nan_filter": True}])
def test_another_form_is_another_stream(options: dict[str, bool], clock: list[float], grid: Grid) -> None:
    offer = cache(8)
    first, second = grid.add(COMPACT, offer), grid.add(COMPACT, offer, **options)
    grid.publish()
    assert first.take()[-1] is not second.take()[-1]
    assert (first.encoded, second.encoded) == (1, 1)


@BOTH
def test_who_has_lost_a_part_goes_on_alone_and_comes_back(
    modes: OperationalModes, clock: list[float], grid: Grid
) -> None:
    offer = cache(8)
    first = grid.add(modes, offer)
    second = grid.add(modes, offer)
    for step in range(8):
        clock[0] += 0.4
        grid.publish()
        if step == 3:
            second.place.drop()
        for end in grid.ends:
            end.take()
    assert first.encoded == 8
    assert second.encoded < 7
    assert second.take() == []
    grid.check()


@BOTH
def test_who_is_far_behind_goes_on_alone(
    modes: OperationalModes, clock: list[float], grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "KEPT", 2_000)
    offer = cache(8)
    first, second = grid.add(modes, offer), grid.add(modes, offer)
    clock[0] += fan_out.RESTART_INTERVAL
    grid.publish()
    first.take()
    second.take()
    for _ in range(20):
        grid.publish()
        first.take()
    while second.waits:
        second.take()
    assert second.encoded > 10
    grid.check()


@BOTH
def test_a_handover_leaves_the_stream(modes: OperationalModes, clock: list[float], grid: Grid) -> None:
    offer = cache(8)
    _, second = grid.add(modes, offer), grid.add(modes, offer)
    clock[0] += fan_out.RESTART_INTERVAL
    for step in range(4):
        grid.publish()
        if step == 2:
            second.hand_over(cache(3, 2))
        for end in grid.ends:
            end.take()
    grid.check()
    assert {index for index, *_ in second.expected[-3:]} <= {0, 1, 2}


@BOTH
@pytest.mark.parametrize("handovers", [1, 2, 3, 4])
def test_who_is_handed_over_between_two_parts_can_read_the_next(
    handovers: int, modes: OperationalModes, clock: list[float], grid: Grid
) -> None:
    offer = cache(8)
    _, second = grid.add(modes, offer), grid.add(modes, offer)
    for _ in range(3):
        clock[0] += fan_out.RESTART_INTERVAL
        grid.publish()
        for end in grid.ends:
            end.take()
    for _ in range(handovers):  # the same slot again, after two of them, and the same signals
        second.hand_over(offer)
    for _ in range(3):
        grid.publish()
        for end in grid.ends:
            end.take()
    grid.check()


@BOTH
def test_who_has_stopped_keeps_nobody_from_sharing(modes: OperationalModes, clock: list[float], grid: Grid) -> None:
    offer = cache(8)
    stopped = grid.add(modes, offer)
    grid.publish()
    stopped.take()
    grid.publish(20)
    first, second = grid.add(modes, offer), grid.add(modes, offer)
    clock[0] += fan_out.RESTART_INTERVAL
    for step in range(6):
        if step == 3:
            clock[0] += fan_out.RESTART_INTERVAL
        grid.publish()
        first.take()
        second.take()
    assert first.encoded + second.encoded <= 6 + 3, "at first, TSSC is encoded by each"
    while stopped.waits:  # it goes on, and comes back
        stopped.take()
    encoded = stopped.encoded
    clock[0] += fan_out.RESTART_INTERVAL
    for _ in range(3):
        grid.publish()
        for end in grid.ends[::-1]:
            end.take()
    clock[0] += fan_out.RESTART_INTERVAL
    for _ in range(3):
        grid.publish()
        for end in grid.ends[::-1]:
            end.take()
    assert stopped.encoded <= encoded + 3
    grid.check()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 30)),
        st.tuples(st.just("take"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("lose"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([0.3, 1.1])),
        st.tuples(st.just("hand over"), st.integers(0, 3), st.sampled_from([0, 1])),
    ),
    max_size=60,
)


@pytest.mark.parametrize("modes", [TSSC, COMPACT], ids=["TSSC", "compact"])
@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_everybody_gets_its_own(modes: OperationalModes, steps: list[tuple[object, ...]]) -> None:
    now = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fan_out, "monotonic", lambda: now[0])
        patch.setattr(fan_out, "KEPT", 4_000)
        grid, offers = Grid(), (cache(8), cache(4, 3))
        for number in range(4):
            grid.add(modes, offers[number == 3])
        for step in steps:
            match step:
                case "publish", int(count):
                    grid.publish(count)
                case "take", int(who), int(together):
                    grid.ends[who].take(together)
                case "lose", int(who):
                    grid.ends[who].place.drop()
                case "wait", float(seconds):
                    now[0] += seconds
                case "hand over", int(who), int(which):
                    grid.ends[who].hand_over(offers[which])
        for end in grid.ends:
            while end.waits:
                end.take(2)
        grid.check()


def test_the_way_into_a_table_that_was_prepared_is_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, offer = FanOut(), cache(8)
    member = Member(shared, Pair(TSSC).publisher)
    member.expect(offer.signals).prepare([TABLE])
    monkeypatch.setattr(SignalTable, "route_to", None)
    batch = MeasurementBatch.of(TABLE, range(8), T, 1.0)
    assert len(shared.router(offer.signals).route(TABLE, batch.columns).value) == 8
