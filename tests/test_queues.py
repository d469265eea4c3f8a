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


async def put(queue: BatchQueue[MeasurementBatch], new: MeasurementBatch) -> None:
    while not queue.offer(new):
        await queue.room()


async def rest(queue: BatchQueue[MeasurementBatch]) -> list[MeasurementBatch]:
    """Close the queue, and take what is left in it."""
    queue.close()
    return [each async for each in queue.batches()]


@pytest.mark.parametrize("overflow", Overflow)
async def test_batches_come_out_in_the_order_in_which_they_went_in(overflow: Overflow) -> None:
    queue, batches = BatchQueue(10, overflow), [batch(count) for count in (3, 1, 4)]
    assert all(queue.offer(each) for each in batches)
    assert await rest(queue) == batches
    assert queue.dropped == 0


@pytest.mark.parametrize("overflow", Overflow)
def test_a_queue_may_be_filled_to_its_limit(overflow: Overflow) -> None:
    queue = BatchQueue(10, overflow)
    assert queue.offer(batch(6))
    assert queue.offer(batch(4))
    assert queue.dropped == 0


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_batch_larger_than_the_limit_has_the_queue_to_itself(overflow: Overflow) -> None:
    """It can never be made to fit, and must not wait for ever."""
    queue, large = BatchQueue(10, overflow), batch(11)
    assert queue.offer(large)
    assert await rest(queue) == [large]


@pytest.mark.parametrize("overflow", Overflow)
async def test_empty_batches_are_swallowed(overflow: Overflow) -> None:
    """They take memory and no room; a peer can send as many as it likes."""
    queue = BatchQueue(10, overflow)
    assert queue.offer(batch(0))
    queue.force(batch(0))
    assert queue.offer(full := batch(10))
    assert queue.offer(batch(0))
    queue.force(batch(0))
    assert await rest(queue) == [full]
    assert queue.dropped == 0


# --- wait


async def test_whoever_has_more_waits_until_something_was_taken() -> None:
    queue, first, second = BatchQueue(10, Overflow.WAIT), batch(8), batch(3)
    batches = queue.batches()
    await put(queue, first)
    assert not queue.offer(second)
    putting = asyncio.create_task(put(queue, second))
    await turns()
    assert not putting.done()
    assert await anext(batches) is first
    await putting
    assert await anext(batches) is second
    assert queue.dropped == 0


async def test_whoever_waits_goes_on_waiting_while_there_is_not_room_enough() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    batches = queue.batches()
    await put(queue, batch(1))
    await put(queue, batch(9))
    putting = asyncio.create_task(put(queue, batch(5)))
    await turns()
    await anext(batches)
    await turns()
    assert not putting.done()
    await anext(batches)
    await putting


async def test_several_can_wait() -> None:
    queue = BatchQueue(1, Overflow.WAIT)
    batches, given = queue.batches(), [batch(1) for _ in range(3)]
    putting = [asyncio.create_task(put(queue, each)) for each in given]
    taken = [await anext(batches) for _ in range(3)]
    await asyncio.gather(*putting)
    assert sorted(map(id, taken)) == sorted(map(id, given))
    assert await rest(queue) == []


@pytest.mark.parametrize("end", [BatchQueue.close, BatchQueue.clear])
async def test_nobody_waits_for_a_queue_that_was_closed_or_cleared(end: object) -> None:
    queue = BatchQueue(1, Overflow.WAIT)
    await put(queue, batch(1))
    putting = asyncio.create_task(put(queue, batch(1)))
    await turns()
    assert not putting.done()
    assert callable(end)
    end(queue)
    await putting


async def test_who_waits_for_room_can_be_asked_to_look_again() -> None:
    queue = BatchQueue(1, Overflow.WAIT)
    await put(queue, batch(1))
    waiting = [asyncio.ensure_future(queue.room()) for _ in range(2)]
    await turns()
    assert not any(each.done() for each in waiting)
    queue.look_again()
    await asyncio.gather(*waiting)


async def test_what_is_forced_goes_in_whatever_the_limit() -> None:
    queue, forced = BatchQueue(1, Overflow.WAIT), [batch(1), batch(2)]
    taking = asyncio.create_task(anext(queue.batches()))
    await turns()
    for each in forced:
        queue.force(each)
    assert await taking is forced[0]
    assert not queue.offer(batch(1))
    queue.force(last := batch(3))
    assert await rest(queue) == [forced[1], last]
    assert queue.dropped == 0


# --- drop-oldest


async def test_the_oldest_give_way_and_are_counted() -> None:
    queue, batches = BatchQueue(10, Overflow.DROP_OLDEST), [batch(count) for count in (3, 4, 3, 5)]
    assert all(queue.offer(each) for each in batches)
    assert queue.dropped == 7
    assert await rest(queue) == batches[2:]


async def test_a_batch_larger_than_the_limit_drops_everything_before_it() -> None:
    queue, large = BatchQueue(10, Overflow.DROP_OLDEST), batch(50)
    assert queue.offer(batch(2))
    assert queue.offer(large)
    assert queue.dropped == 2
    assert await rest(queue) == [large]


# --- disconnect


async def test_a_full_queue_can_be_an_error() -> None:
    queue, first = BatchQueue(10, Overflow.DISCONNECT), batch(8)
    queue.offer(first)
    with pytest.raises(OverrunError, match="more than 10 measurements are waiting"):
        queue.offer(batch(3))
    assert await rest(queue) == [first]


# --- taking


async def test_taking_waits_for_a_batch() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    taking = asyncio.create_task(anext(queue.batches()))
    await turns()
    assert not taking.done()
    queue.offer(given := batch(1))
    assert await taking is given


async def test_what_is_in_a_closed_queue_can_still_be_taken() -> None:
    queue, last = BatchQueue(10, Overflow.WAIT), batch(1)
    queue.offer(last)
    queue.close()
    batches = queue.batches()
    assert await anext(batches) is last
    assert await anext(batches, None) is None


async def test_a_queue_closed_with_an_error_raises_it_when_it_is_empty() -> None:
    queue, last, error = BatchQueue(10, Overflow.WAIT), batch(1), TransportError("gone")
    queue.offer(last)
    queue.close(error)
    queue.close(TransportError("closed again"))
    batches = queue.batches()
    assert await anext(batches) is last
    for each in (batches, queue.batches()):
        with pytest.raises(TransportError, match="^gone$"):
            await anext(each)


@pytest.mark.parametrize("error", [None, TransportError("gone")])
async def test_closing_lets_nobody_wait_for_a_batch(error: TransportError | None) -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    taking = [asyncio.create_task(anext(queue.batches(), None)) for _ in range(2)]
    await turns()
    assert not any(each.done() for each in taking)
    queue.close(error)
    assert await asyncio.gather(*taking, return_exceptions=True) == [error, error]


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


async def test_whoever_gives_up_waiting_costs_the_others_nothing_and_leaves_nothing_behind() -> None:
    queue = BatchQueue(10, Overflow.WAIT)
    patient = asyncio.create_task(anext(queue.batches()))
    for _ in range(100):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(queue.batches()), 0.000_1)
    assert len(queue._takers) <= 2
    queue.offer(given := batch(1))
    assert await patient is given


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_closed_queue_swallows_what_is_put_in(overflow: Overflow) -> None:
    queue = BatchQueue(1, overflow)
    queue.close()
    for _ in range(3):
        assert queue.offer(batch(1))
        await put(queue, batch(1))
        queue.force(batch(1))
    assert await rest(queue) == []
    assert queue.dropped == 0


async def test_clearing_does_not_count_as_dropping() -> None:
    queue = BatchQueue(10, Overflow.DROP_OLDEST)
    queue.offer(batch(10))
    queue.clear()
    assert queue.offer(last := batch(10))
    assert queue.dropped == 0
    assert await rest(queue) == [last]


# --- whatever happens

STEPS = st.lists(st.one_of(st.integers(0, 12), st.just("take")), max_size=60)


@given(STEPS, st.sampled_from(Overflow))
def test_nothing_is_lost_or_counted_twice(steps: list[int | str], overflow: Overflow) -> None:
    """Each measurement was taken, dropped, refused or is still there, and never do more wait than the limit."""
    steps_taken = _nothing_is_lost_or_counted_twice(steps, BatchQueue(10, overflow), overflow)
    asyncio.run(asyncio.wait_for(steps_taken, 30))  # what was lost would be waited for


async def _nothing_is_lost_or_counted_twice(
    steps: list[int | str], queue: BatchQueue[MeasurementBatch], overflow: Overflow
) -> None:
    batches = queue.batches()
    waiting: deque[MeasurementBatch] = deque()
    dropped = 0
    for step in steps:
        if step == "take":
            if waiting:
                assert await anext(batches) is waiting.popleft()
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
    queue.close()
    assert [each async for each in batches] == [*waiting]


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
