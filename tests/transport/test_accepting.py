from __future__ import annotations

import asyncio

import pytest

from sttp.transport import BACKLOG, AcceptQueue, TransportError
from sttp.transport.memory import MemoryStream, stream_pair


def queue() -> AcceptQueue[MemoryStream]:
    return AcceptQueue()


async def test_streams_are_taken_in_the_order_of_arrival() -> None:
    arrivals = queue()
    first, second = stream_pair()
    assert arrivals.offer(first)
    assert arrivals.offer(second)
    assert await arrivals.take() is first
    assert await arrivals.take() is second


async def test_every_task_that_waits_gets_a_stream() -> None:
    arrivals = queue()
    takers = [asyncio.create_task(arrivals.take()) for _ in range(2)]
    await asyncio.sleep(0)
    streams = stream_pair()
    for stream in streams:
        arrivals.offer(stream)
    assert set(await asyncio.gather(*takers)) == set(streams)


async def test_a_full_queue_takes_no_more() -> None:
    arrivals = queue()
    stream, _ = stream_pair()
    assert all(arrivals.offer(stream) for _ in range(BACKLOG))
    assert not arrivals.offer(stream)
    await arrivals.take()
    assert arrivals.offer(stream)


async def test_closing_aborts_what_waits_and_takes_no_more() -> None:
    arrivals = queue()
    stream, peer = stream_pair()
    arrivals.offer(stream)
    arrivals.close()
    with pytest.raises(TransportError, match="reset"):
        await peer.receive_into(bytearray(1))
    assert not arrivals.offer(stream)
    with pytest.raises(TransportError, match="the listener is closed"):
        await arrivals.take()
