"""Twenty connections that break and come back leave nothing behind, in both directions."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ends import DIRECTIONS, frame, joined, some_of
from open_files import open_files
from sttp import Publisher, Subscriber


async def a_batch_comes_over(publisher: Publisher, subscriber: Subscriber, connections: int) -> None:
    """Publish until something arrives over the connection with that number."""
    batches = subscriber.measurements()
    arriving = asyncio.create_task(anext(batches))
    while not (arriving.done() and subscriber.statistics.connections >= connections):
        if arriving.done():
            arriving = asyncio.create_task(anext(batches))
        await publisher.wait_for_subscription()
        await publisher.publish(frame(publisher.signals, 0))
        await asyncio.sleep(0)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("breaks", ["publisher", "subscriber"])
async def test_twenty_broken_connections(direction: str, breaks: str) -> None:
    async with joined(direction, some_of(5, 0, 1, 2)) as (publisher, subscriber):
        held = None
        for cycle in range(1, 23):
            await a_batch_comes_over(publisher, subscriber, cycle)
            if cycle == 2:  # what happens only once has happened
                held = open_files(), threading.active_count(), len(asyncio.all_tasks())
            (end,) = publisher._feeds if breaks == "publisher" else subscriber._intakes
            end._link.stream.abort()
        await a_batch_comes_over(publisher, subscriber, 23)
        assert (open_files(), threading.active_count(), len(asyncio.all_tasks())) == held
        assert subscriber.statistics.reconnects >= 22
