from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.transport import EndpointError, TransportError
from sttp.transport.memory import MemoryTransport, stream_pair


@given(st.binary(min_size=1, max_size=300), st.integers(1, 40), st.integers(1, 40))
def test_any_cut_and_any_capacity(data: bytes, cut: int, capacity: int) -> None:
    async def through() -> bytes:
        left, right = stream_pair(capacity=capacity, cut=cut)
        sending = asyncio.create_task(left.send([data]))
        received, buffer = b"", bytearray(64)
        while len(received) < len(data):
            count = await right.receive_into(buffer)
            assert 0 < count <= cut
            received += buffer[:count]
        await sending
        return received

    assert asyncio.run(through()) == data


async def test_the_sender_waits_for_room() -> None:
    left, right = stream_pair(capacity=4)
    await left.send([b"1234"])
    sending = asyncio.create_task(left.send([b"5"]))
    await asyncio.sleep(0)
    assert not sending.done()
    assert await right.receive_into(bytearray(1)) == 1
    await sending


async def test_a_peer_that_closed_can_be_read_to_the_end_but_not_sent_to() -> None:
    left, right = stream_pair()
    await left.send([b"last"])
    await left.close()
    left.abort()
    assert await right.receive_into(bytearray(9)) == 4
    assert await right.receive_into(bytearray(9)) == 0
    with pytest.raises(TransportError, match="reset"):
        await right.send([b"x"])


async def test_instances_do_not_know_each_other() -> None:
    await MemoryTransport().listen("here")
    with pytest.raises(TransportError, match="refused"):
        await MemoryTransport().dial("here")


async def test_who_dialed_can_be_told_apart() -> None:
    transport = MemoryTransport()
    listener = await transport.listen("here")
    await transport.dial("here")
    await transport.dial("here")
    assert [(await listener.accept()).peer for _ in range(2)] == ["here#1", "here#2"]


def test_an_empty_name() -> None:
    with pytest.raises(EndpointError, match="empty"):
        MemoryTransport().complete("")
