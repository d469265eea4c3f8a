"""What our own transports say when something fails. The promises themselves are asked by the kit: see tests/testing."""

from __future__ import annotations

import asyncio

import pytest

from sttp.transport import EndpointError, TransportError, UsageError


async def close(*streams) -> None:
    await asyncio.gather(*(stream.close() for stream in streams))


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_who_has_ended_a_stream_is_told_that_it_was_this_end(case, how: str) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(left.receive_into(bytearray(1)))
    await asyncio.sleep(0)
    if how == "close":
        await close(left, right)
    else:
        left.abort()
    with pytest.raises(TransportError, match="this end has closed"):
        await waiting
    for call in (left.receive_into(bytearray(1)), left.send([b"x"]), left.send_eof()):
        with pytest.raises(TransportError, match="this end has closed"):
            await call
    await close(left, right)


async def test_misuse_is_named(case) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(left.receive_into(bytearray(1)))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="another task is receiving"):
        await left.receive_into(bytearray(1))
    with pytest.raises(UsageError, match="not empty"):
        await right.receive_into(bytearray())
    await right.send_eof()
    assert await waiting == 0
    with pytest.raises(UsageError, match="already sent its end of stream"):
        await right.send([b"more"])
    await close(left, right)


async def test_nobody_listens(case) -> None:
    listener = await case.listen()
    await listener.close()
    with pytest.raises(TransportError, match=r"cannot connect to .*: connection refused"):
        await case.transport.dial(listener.address)
    with pytest.raises(TransportError, match="closed"):
        await listener.accept()


async def test_an_address_is_taken(case) -> None:
    listener = await case.listen()
    with pytest.raises(TransportError, match=r"cannot listen on .* in use.*choose another"):
        await case.transport.listen(listener.address)
    await listener.close()


def test_an_empty_address(case) -> None:
    with pytest.raises(EndpointError, match="empty"):
        case.transport.complete("")


async def test_the_dialing_end_calls_the_other_by_its_address(case) -> None:
    listener = await case.listen()
    dialed = await case.transport.dial(listener.address)
    accepted = await listener.accept()
    assert dialed.peer == listener.address
    assert accepted.peer not in ("", "unknown")
    await close(dialed, accepted)
    await listener.close()
