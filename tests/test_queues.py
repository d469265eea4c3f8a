from __future__ import annotations

import asyncio
from collections import deque
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import queues
from sttp.errors import OverrunError, TransportError
from sttp.measurement import MeasurementBatch, Signal, SignalTable
from sttp.queues import BatchQueue, Overflow

SIGNALS = SignalTable.of([Signal(signal_id=UUID(int=1))])


def batch(count: int) -> MeasurementBatch:
    return MeasurementBatch.of(SIGNALS, np.zeros(count, np.int32), 0, 0)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("overflow", Overflow)
def test_batches_come_out_in_the_order_in_which_they_went_in(overflow: Overflow) -> None:
    queue, batches = BatchQueue(10, overflow), [batch(count) for count in (3, 1, 4)]
    assert all(queue.offer(each) for each in batches)
    assert [queue.take() for _ in range(4)] == [*batches, None]
    assert queue.dropped == 0


@pytest.mark.parametrize("overflow", Overflow)
def test_a_queue_may_be_filled_to_its_limit(overflow: Overflow) -> None:
    queue = BatchQueue(10, overflow)
    assert queue.offer(batch(6))
    assert queue.offer(batch(4))
    assert queue.dropped == 0


@pytest.mark.parametrize("overflow", Overflow)
def test_a_batch_larger_than_the_limit_has_the_queue_to_itself(overflow: Overflow) -> None:
    """It can never be made to fit, and must not wait for ever."""
    queue, large = BatchQueue(10, overflow), batch(11)
    assert queue.offer(large)
    assert queue.take() is large


@pytest.mark.parametrize("overflow", Overflow)
def test_empty_batches_are_swallowed(overflow: Overflow) -> None:
    """They take memory and no room; a peer can send as many as it likes."""
    queue = BatchQueue(10, overflow)
    assert queue.offer(batch(0))
    assert queue.take() is None
    queue.offer(batch(10))
    assert queue.offer(batch(0))
    assert len(queue.take() or ()) == 10
    assert queue.take() is None


# --- wait


async def test_whoever_has_more_waits_until_something_was_taken() -> None:
    queue, first, second = BatchQueue(10, Overflow.WAIT), batch(8), batch(3)
    await queue.put(first)
    assert not queue.offer(second)
    putting = asyncio.create_task(queue.put(second))
    await turns()
    assert not putting.done()
    assert queue.take() is first
    await putting
    assert queue.take() is second
    assert queue.dropped == 0


async def test_whoever_waits_goes_on_waiting_while_there_is_not_room_enough() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    await queue.put(batch(1))
    await queue.put(batch(9))
    putting = asyncio.create_task(queue.put(batch(5)))
    await turns()
    queue.take()
    await turns()
    assert not putting.done()
    queue.take()
    await putting


async def test_several_can_wait() -> None:
    queue = BatchQueue(1, Overflow.WAIT)
    putting = [asyncio.create_task(queue.put(batch(1))) for _ in range(3)]
    taken = [await queue.get() for _ in range(3)]
    await asyncio.gather(*putting)
    assert None not in taken
    assert queue.take() is None


@pytest.mark.parametrize("end", [BatchQueue.close, BatchQueue.clear])
async def test_nobody_waits_for_a_queue_that_was_closed_or_cleared(end: object) -> None:
    queue = BatchQueue(1, Overflow.WAIT)
    await queue.put(batch(1))
    putting = asyncio.create_task(queue.put(batch(1)))
    await turns()
    assert callable(end)
    end(queue)
    await putting


# --- drop-oldest


def test_the_oldest_give_way_and_are_counted() -> None:
    queue, batches = BatchQueue(10, Overflow.DROP_OLDEST), [batch(count) for count in (3, 4, 3, 5)]
    assert all(queue.offer(each) for each in batches)
    assert queue.dropped == 7
    assert [queue.take() for _ in range(3)] == [batches[2], batches[3], None]


def test_a_batch_larger_than_the_limit_drops_everything_before_it() -> None:
    queue, large = BatchQueue(10, Overflow.DROP_OLDEST), batch(50)
    assert queue.offer(batch(2))
    assert queue.offer(large)
    assert queue.dropped == 2
    assert queue.take() is large


# --- disconnect


def test_a_full_queue_can_be_an_error() -> None:
    queue, first = BatchQueue(10, Overflow.DISCONNECT), batch(8)
    queue.offer(first)
    with pytest.raises(OverrunError, match="more than 10 measurements are waiting"):
        queue.offer(batch(3))
    assert queue.take() is first
    assert queue.take() is None


# --- taking


async def test_getting_waits_for_a_batch() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    getting = asyncio.create_task(queue.get())
    await turns()
    assert not getting.done()
    queue.offer(given := batch(1))
    assert await getting is given


async def test_what_is_in_a_closed_queue_can_still_be_taken() -> None:
    queue, last = BatchQueue(10, Overflow.WAIT), batch(1)
    queue.offer(last)
    queue.close()
    assert await queue.get() is last
    assert await queue.get() is None


async def test_a_queue_closed_with_an_error_raises_it_when_it_is_empty() -> None:
    queue, last, error = BatchQueue(10, Overflow.WAIT), batch(1), TransportError("gone")
    queue.offer(last)
    queue.close(error)
    queue.close(TransportError("closed again"))
    assert await queue.get() is last
    for _ in range(2):
        with pytest.raises(TransportError, match="^gone$"):
            await queue.get()


async def test_closing_ends_a_get_that_waits() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    getting = asyncio.create_task(queue.get())
    await turns()
    queue.close()
    assert await getting is None


async def test_iterating_takes_what_comes_until_the_queue_is_closed_and_empty() -> None:
    queue, batches = BatchQueue(10, Overflow.WAIT), [batch(count) for count in (1, 2, 3)]

    async def taken() -> list[MeasurementBatch]:
        return [each async for each in queue.batches()]

    taking = asyncio.create_task(taken())
    queue.offer(batches[0])
    await turns()
    queue.offer(batches[1])
    queue.offer(batches[2])
    queue.close()
    assert list(map(id, await taking)) == list(map(id, batches))


async def test_iterating_over_a_queue_closed_with_an_error_raises_it_when_it_is_empty() -> None:
    queue, last = BatchQueue(10, Overflow.WAIT), batch(1)
    queue.offer(last)
    queue.close(TransportError("gone"))
    batches = queue.batches()
    assert await anext(batches) is last
    with pytest.raises(TransportError, match="^gone$"):
        await anext(batches)


async def test_whoever_gives_up_waiting_costs_the_others_nothing_and_leaves_nothing_behind() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    patient = asyncio.create_task(queue.get())
    for _ in range(100):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 0.000_1)
    assert len(queue._takers) <= 2
    queue.offer(given := batch(1))
    assert await patient is given


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_closed_queue_swallows_what_is_put_in(overflow: Overflow) -> None:
    queue = BatchQueue(1, overflow)
    queue.close()
    for _ in range(3):
        assert queue.offer(batch(1))
        await queue.put(batch(1))
    assert queue.take() is None
    assert queue.dropped == 0


def test_clearing_does_not_count_as_dropping() -> None:
    queue = BatchQueue(10, Overflow.DROP_OLDEST)
    queue.offer(batch(10))
    queue.clear()
    assert queue.take() is None
    assert queue.offer(batch(10))
    assert queue.dropped == 0


# --- whatever happens

STEPS = st.lists(st.one_of(st.integers(0, 12), st.just("take")), max_size=60)


@given(STEPS, st.sampled_from(Overflow))
def test_nothing_is_lost_or_counted_twice(steps: list[int | str], overflow: Overflow) -> None:
    """Each measurement was taken, dropped, refused or is still there, and never do more wait than the limit."""
    queue = BatchQueue(10, overflow)
    waiting: deque[MeasurementBatch] = deque()
    dropped = 0
    for step in steps:
        if step == "take":
            assert queue.take() is (waiting.popleft() if waiting else None)
            continue
        new = batch(int(step))
        if not len(new):
            assert queue.offer(new)
            continue
        size = sum(map(len, waiting))
        fits = not size or size + len(new) <= 10
        if not fits and overflow is Overflow.WAIT:
            assert not queue.offer(new)
        elif not fits and overflow is Overflow.DISCONNECT:
            with pytest.raises(OverrunError):
                queue.offer(new)
        else:
            while not fits:
                dropped += len(waiting.popleft())
                size = sum(map(len, waiting))
                fits = not size or size + len(new) <= 10
            assert queue.offer(new)
            waiting.append(new)
    assert queue.dropped == dropped
    assert [queue.take() for _ in range(len(waiting) + 1)] == [*waiting, None]


async def test_the_number_of_batches_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_BATCHES", 3)
    waiting, dropping, ending = (BatchQueue[list[int]](1000, overflow) for overflow in Overflow)
    for _ in range(3):
        assert all(queue.offer([1]) for queue in (waiting, dropping, ending))
    assert not waiting.offer([1])
    assert dropping.offer([1])
    assert dropping.dropped == 1
    with pytest.raises(OverrunError, match="more than 3 batches are waiting to be taken"):
        ending.offer([1])
