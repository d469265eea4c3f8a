"""The backlog: everyone takes everything in order, however far apart they are, and what all have is forgotten."""

from __future__ import annotations

import asyncio
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import backlog as module
from sttp.backlog import PART_SIZE, Backlog, Place, Runs
from sttp.errors import OverrunError
from sttp.measurement import MeasurementBatch
from sttp.metadata import simulated_metadata
from sttp.queues import Overflow

TABLE = simulated_metadata(4).signals
T = 638_000_000_000_000_000


def batch(value: float, count: int = 1) -> MeasurementBatch:
    return MeasurementBatch.of(TABLE, np.zeros(count, np.int32), T, value)


class Reader:
    """Somebody with a place, and what has happened to it."""

    def __init__(self, backlog: Backlog) -> None:
        self.calls = 0
        self.errors: list[OverrunError] = []
        self.active = True
        self.place = Place(backlog, self)
        self.place.enter()

    def more_came(self) -> None:
        self.calls += 1

    def overran(self, error: OverrunError) -> None:
        self.errors.append(error)

    def count(self, batch: MeasurementBatch) -> int:
        return len(batch)

    def take(self) -> float | None:
        part = self.place.look()
        if part is None:
            return None
        assert part.batch is not None
        self.place.go_behind(part.number)
        return float(part.batch.value[0])

    def rest(self) -> list[float]:
        return list(iter(self.take, None))


def test_everyone_takes_what_is_published_after_it_came_in_order_and_at_its_own_pace() -> None:
    backlog = Backlog(100, Overflow.WAIT)
    early = Reader(backlog)
    for value in range(3):
        assert backlog.append(batch(value))
    late = Reader(backlog)
    assert early.take() == 0
    assert backlog.append(batch(3))
    assert early.rest() == [1, 2, 3]
    assert late.rest() == [3]


def test_who_had_nothing_more_to_take_is_told_once() -> None:
    backlog = Backlog(100, Overflow.WAIT)
    reader = Reader(backlog)
    backlog.append(batch(0))
    backlog.append(batch(1))
    assert reader.calls == 1
    reader.take()
    backlog.append(batch(2))
    assert reader.calls == 1, "it had not taken all"
    reader.rest()
    backlog.append(batch(0, 0))
    assert reader.calls == 1, "nothing is nothing"
    backlog.append(batch(3))
    assert reader.calls == 2
    reader.place.leave()
    backlog.append(batch(4))
    assert reader.calls == 2
    assert reader.take() is None


def test_a_long_batch_is_cut_into_parts_that_are_numbered() -> None:
    backlog = Backlog(10, Overflow.WAIT)
    reader = Reader(backlog)
    backlog.append(batch(0))
    reader.rest()
    assert backlog.append(batch(1, 2 * PART_SIZE + 1)), "longer than the limit, but nothing waits"
    sizes = []
    while (part := reader.place.look()) is not None:
        assert part.batch is not None
        sizes.append((part.number, len(part.batch)))
        reader.place.go_behind(part.number)
    assert sizes == [(1, PART_SIZE), (2, PART_SIZE), (3, 1)]


def test_a_run_is_as_long_as_fits_and_of_one_table() -> None:
    backlog, runs = Backlog(10**6, Overflow.WAIT), Runs()
    place = Reader(backlog).place
    wanted: list[float] = []
    for value, count in enumerate((PART_SIZE - 20, 10, 10, 1)):
        backlog.append(batch(value, count))
        wanted += [value] * count
    wanted += [2.0]
    backlog.append(MeasurementBatch(batch(2).columns, simulated_metadata(4).signals))
    lengths = []
    while (part := place.look()) is not None:
        run = runs.at(part)
        assert runs.at(part).columns is run.columns, "several streams take it"
        begin = sum(lengths)
        lengths.append(len(run.columns.value))
        assert run.columns.value.tolist() == wanted[begin : begin + lengths[-1]]
        place.go_behind(run.last)
    assert lengths == [PART_SIZE, 1, 1]


async def test_whoever_publishes_waits_for_the_slowest_where_that_is_the_policy() -> None:
    backlog = Backlog(2, Overflow.WAIT)
    quick, slow = Reader(backlog), Reader(backlog)
    assert backlog.append(batch(0))
    assert backlog.append(batch(1))
    quick.rest()
    assert not backlog.append(batch(2))
    assert quick.take() is None, "nothing was published"
    waiting = asyncio.create_task(backlog.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    slow.take()
    await waiting
    assert backlog.append(batch(2))
    assert (quick.rest(), slow.rest()) == ([2], [1, 2])


async def test_nobody_waits_for_who_is_gone() -> None:
    backlog = Backlog(1, Overflow.WAIT)
    reader = Reader(backlog)
    backlog.append(batch(0))
    assert not backlog.append(batch(1))
    waiting = asyncio.create_task(backlog.room())
    await asyncio.sleep(0)
    reader.place.leave()
    await waiting
    assert backlog.append(batch(1))


@pytest.mark.parametrize("overflow", Overflow)
def test_who_wants_nothing_more_is_neither_waited_for_nor_too_slow(overflow: Overflow) -> None:
    backlog = Backlog(1, overflow)
    reader = Reader(backlog)
    backlog.append(batch(0))
    reader.active = False
    assert backlog.append(batch(1))
    assert (reader.rest(), reader.place.dropped, reader.errors) == ([], 0, [])


def test_the_oldest_give_way_where_that_is_the_policy_and_only_at_the_place_that_is_behind() -> None:
    backlog = Backlog(5, Overflow.DROP_OLDEST)
    quick, slow = Reader(backlog), Reader(backlog)
    for value in range(4):
        assert backlog.append(batch(value, 2))
        assert quick.take() == value
    assert (quick.place.dropped, slow.place.dropped) == (0, 4)
    assert slow.rest() == [2, 3]


def test_who_is_too_slow_is_given_up_where_that_is_the_policy() -> None:
    backlog = Backlog(5, Overflow.DISCONNECT)
    quick, slow = Reader(backlog), Reader(backlog)
    for value in range(4):
        assert backlog.append(batch(value, 2))
        quick.take()
    assert [str(error) for error in slow.errors] == ["more than 5 measurements are waiting to be taken"]
    assert (slow.rest(), slow.place.dropped, quick.errors) == ([], 0, [])


@pytest.mark.parametrize("overflow", Overflow)
def test_many_small_batches_are_too_many_as_well(overflow: Overflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BATCHES", 3)
    backlog = Backlog(10**6, overflow)
    reader = Reader(backlog)
    for value in range(3):
        assert backlog.append(batch(value))
    assert backlog.append(batch(3)) is (overflow is not Overflow.WAIT)
    assert [str(error) for error in reader.errors] == (
        ["more than 3 batches are waiting to be taken"] if overflow is Overflow.DISCONNECT else []
    )
    wanted = {Overflow.WAIT: [0, 1, 2], Overflow.DROP_OLDEST: [1, 2, 3], Overflow.DISCONNECT: []}
    assert reader.rest() == wanted[overflow]


def test_what_everybody_has_taken_is_forgotten_and_what_nobody_wants_is_not_kept() -> None:
    backlog = Backlog(100, Overflow.DROP_OLDEST)
    alive: list[weakref.ref[object]] = []

    def publish(count: int) -> None:
        for value in range(count):
            made = batch(value)
            alive.append(weakref.ref(made.value))
            backlog.append(made)

    publish(5)
    assert [ref() for ref in alive] == [None] * 5
    quick, slow, gone = Reader(backlog), Reader(backlog), Reader(backlog)
    publish(300)
    quick.rest()
    gone.place.leave()
    assert sum(ref() is not None for ref in alive) <= 200, "as much as may wait for the slow one, and once more"
    slow.rest()
    assert [ref() for ref in alive] == [None] * 305


def test_a_run_is_kept_as_long_as_its_first_part() -> None:
    backlog, runs = Backlog(100, Overflow.WAIT), Runs()
    reader = Reader(backlog)
    backlog.append(batch(0))
    backlog.append(batch(1))
    part = reader.place.look()
    assert part is not None
    kept = weakref.ref(runs.at(part).columns.value)
    del part
    assert kept() is not None
    reader.rest()
    assert kept() is None


def test_a_long_chain_can_be_forgotten_at_one_go() -> None:
    backlog = Backlog(10**9, Overflow.WAIT)
    reader = Reader(backlog)
    one = batch(0)
    for _ in range(module.MOST_BATCHES):
        assert backlog.append(one)
    reader.place.leave()
    assert reader.take() is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 6)),
        st.tuples(st.just("take"), st.integers(0, 2)),
        st.tuples(st.just("leave"), st.integers(0, 2)),
        st.tuples(st.just("enter"), st.integers(0, 2)),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from(Overflow), st.integers(1, 9))
def test_places_are_as_queues_of_their_own(steps: list[tuple[str, int]], overflow: Overflow, limit: int) -> None:
    backlog = Backlog(limit, overflow)
    readers = [Reader(backlog) for _ in range(3)]
    queues: list[list[tuple[float, int]] | None] = [[], [], []]
    dropped = [0, 0, 0]
    for number, (step, which) in enumerate(steps):
        queue = None if step == "publish" else queues[which]
        match step:
            case "publish":
                full = [each for each in queues if each and sum(count for _, count in each) + which > limit]
                accepted = backlog.append(batch(number, which))
                assert accepted is not (overflow is Overflow.WAIT and bool(full))
                for place, each in enumerate(queues):
                    if each is None or not accepted:
                        continue
                    while each and sum(count for _, count in each) + which > limit:
                        if overflow is Overflow.DISCONNECT:
                            queues[place] = None
                            break
                        dropped[place] += each.pop(0)[1]
                    if queues[place] is not None and which:
                        each.append((float(number), which))
            case "take":
                taken = readers[which].take()
                assert taken == (queue.pop(0)[0] if queue else None)
            case "leave":
                readers[which].place.leave()
                queues[which] = None
            case _:
                readers[which].place.enter()
                queues[which] = [] if queue is None else queue
    assert [reader.rest() for reader in readers] == [[value for value, _ in queue or []] for queue in queues]
    assert [reader.place.dropped for reader in readers] == dropped
