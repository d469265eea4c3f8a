"""The promises of `sttp.transport.contract`, asked of every transport."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from sttp.transport import ByteStream, EndpointError, Listener, Transport, TransportError, UsageError

FILES = Path("/proc/self/fd")


async def other_tasks_get_a_turn(turns: int = 50) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def send_without_end(stream: ByteStream) -> None:
    while True:
        await stream.send([bytes(1000)])
        await asyncio.sleep(0)


async def close(*streams: ByteStream) -> None:
    await asyncio.gather(*(stream.close() for stream in streams))


async def test_the_protocols_are_kept(case) -> None:
    listener = await case.listen()
    dialed = await case.transport.dial(listener.address)
    accepted = await listener.accept()
    assert isinstance(case.transport, Transport)
    assert isinstance(listener, Listener)
    assert isinstance(dialed, ByteStream)
    assert isinstance(accepted, ByteStream)
    assert dialed.peer == listener.address
    assert accepted.peer
    for stream in (dialed, accepted):
        assert (stream.identity is not None) is case.proves_identities
    await close(dialed, accepted)
    await listener.close()


async def test_bytes_go_both_ways_in_order(case, read) -> None:
    left, right = await case.pair()
    await left.send([b"one ", bytearray(b"two "), memoryview(b"three"), b""])
    assert await read(right, 13) == b"one two three"
    await right.send([b"back"])
    assert await read(left, 4) == b"back"
    await left.send([])
    await close(left, right)


async def test_more_than_any_buffer_arrives_whole(case, read) -> None:
    data = random.Random(1).randbytes(3_000_000 if "127" in case.anywhere else 30_000)
    left, right = await case.pair()
    sending = asyncio.create_task(left.send([data[:10], data[10:]]))
    assert await read(right, len(data)) == data
    await sending
    await close(left, right)


async def test_buffers_may_be_reused_after_sending(case, read) -> None:
    left, right = await case.pair()
    buffer = bytearray(b"first!!")
    await left.send([buffer])
    buffer[:] = b"second!"
    assert await read(right, 7) == b"first!!"
    await close(left, right)


async def test_sending_gives_other_tasks_a_turn(case) -> None:
    left, right = await case.pair()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(10):
        await left.send([b"x"])
    assert turns >= 9
    task.cancel()
    await close(left, right)


async def test_half_close(case, read) -> None:
    left, right = await case.pair()
    await left.send([b"the end"])
    await left.send_eof()
    await left.send_eof()
    assert await read(right, 100) == b"the end"
    assert await right.receive_into(bytearray(1)) == 0
    assert await right.receive_into(bytearray(1)) == 0
    await right.send([b"still here"])
    assert await read(left, 10) == b"still here"
    with pytest.raises(UsageError, match="end of stream"):
        await left.send([b"more"])
    await right.send_eof()
    assert await left.receive_into(bytearray(1)) == 0
    await close(left, right)


async def test_end_of_stream_reaches_a_receiver_that_waits(case) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(right.receive_into(bytearray(1)))
    await other_tasks_get_a_turn()
    await left.send_eof()
    assert await waiting == 0
    await close(left, right)


async def test_close_delivers_what_was_sent(case, read) -> None:
    left, right = await case.pair()
    await left.send([b"goodbye"])
    closing = asyncio.create_task(left.close())
    assert await read(right, 100) == b"goodbye"
    await right.close()
    await closing


async def test_close_does_not_reset_a_peer_that_was_still_sending(case, read) -> None:
    """As when a publisher refuses a subscriber that has already sent its commands."""
    left, right = await case.pair()
    await right.send([b"unread."])
    await left.send([b"refused"])
    closing = asyncio.create_task(left.close())
    await other_tasks_get_a_turn()
    assert await read(right, 7) == b"refused"
    await right.close()
    await closing


async def test_close_and_abort_are_idempotent(case) -> None:
    left, right = await case.pair()
    await close(left, left, right)
    await left.close()
    left.abort()
    right.abort()
    await close(left, right)


async def test_close_does_not_mind_a_peer_that_is_gone(case) -> None:
    left, right = await case.pair()
    left.abort()
    await other_tasks_get_a_turn()
    await right.close()
    await left.close()


async def test_an_aborted_stream_is_broken_at_both_ends(case) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(right.receive_into(bytearray(1)))
    await other_tasks_get_a_turn()
    left.abort()
    with pytest.raises(TransportError):
        await waiting
    for stream in (left, right):
        with pytest.raises(TransportError):
            await stream.receive_into(bytearray(1))
        with pytest.raises(TransportError):
            await stream.send([b"x"])
        with pytest.raises(TransportError):
            await stream.send_eof()
    await close(left, right)


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_ending_a_stream_here_ends_the_calls_that_wait_here(case, how: str) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(left.receive_into(bytearray(1)))
    await other_tasks_get_a_turn()
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


async def test_a_closed_stream_delivers_nothing_that_came_before(case) -> None:
    left, right = await case.pair()
    await left.send([b"late"])
    await other_tasks_get_a_turn()
    await close(left, right)
    with pytest.raises(TransportError, match="this end has closed"):
        await right.receive_into(bytearray(4))


async def test_sending_to_a_peer_that_has_gone_fails_at_last(case) -> None:
    left, right = await case.pair()
    await close(left, right)
    dialed, accepted = await case.pair()
    accepted.abort()
    with pytest.raises(TransportError):
        await send_without_end(dialed)
    await dialed.close()


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancelled_receive_loses_nothing(case, read, turns: int) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(right.receive_into(bytearray(100)))
    await asyncio.sleep(0)
    await left.send([b"precious"])
    await other_tasks_get_a_turn(turns)
    waiting.cancel()
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    got = 0 if isinstance(outcome, asyncio.CancelledError) else outcome
    assert await read(right, 8 - got) == b"precious"[got:]
    await close(left, right)


async def test_receives_cancelled_at_random_lose_nothing(case) -> None:
    dice = random.Random(7)
    data = dice.randbytes(2000)
    left, right = await case.pair()

    async def send() -> None:
        at = 0
        while at < len(data):
            size = dice.randint(1, 30)
            await left.send([data[at : at + size]])
            await other_tasks_get_a_turn(dice.randint(0, 3))
            at += size
        await left.send_eof()

    sending = asyncio.create_task(send())
    received = bytearray()
    while True:
        buffer = bytearray(dice.randint(1, 40))
        receiving = asyncio.create_task(right.receive_into(buffer))
        await other_tasks_get_a_turn(dice.randint(0, 4))
        if dice.random() < 0.5:
            receiving.cancel()
        try:
            count = await receiving
        except asyncio.CancelledError:
            continue
        if not count:
            break
        received += buffer[:count]
    await sending
    assert received == data
    await close(left, right)


async def test_only_one_task_may_receive(case) -> None:
    left, right = await case.pair()
    waiting = asyncio.create_task(left.receive_into(bytearray(1)))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="another task"):
        await left.receive_into(bytearray(1))
    await right.send([b"x"])
    assert await waiting == 1
    await close(left, right)


async def test_a_buffer_without_room_is_refused(case) -> None:
    left, right = await case.pair()
    with pytest.raises(UsageError, match="not empty"):
        await left.receive_into(bytearray())
    await close(left, right)


async def test_a_receiver_that_stays_away_stops_the_sender(case, read) -> None:
    left, right = await case.pair()
    block, blocks = bytes(1_000_000), 64
    sent = 0

    async def send() -> None:
        nonlocal sent
        for _ in range(blocks):
            await left.send([block])
            sent += 1

    sending = asyncio.create_task(send())
    before = -1
    while sent > before:
        before = sent
        await other_tasks_get_a_turn(500)
    assert sent < blocks
    assert not sending.done()
    if "127" in case.anywhere:  # the others would take long
        assert len(await read(right, blocks * len(block))) == blocks * len(block)
        await sending
        await close(left, right)
    else:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        left.abort()


async def test_a_sender_that_waits_can_be_cancelled_and_the_stream_closed(case) -> None:
    left, right = await case.pair()
    sending = asyncio.create_task(left.send([bytes(64_000_000)]))
    await other_tasks_get_a_turn()
    assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    left.abort()
    await close(left, right)


async def test_a_break_reaches_a_sender_that_waits(case) -> None:
    left, right = await case.pair()
    sending = asyncio.create_task(left.send([bytes(64_000_000)]))
    await other_tasks_get_a_turn()
    right.abort()
    with pytest.raises(TransportError):
        await sending
    await close(left, right)


async def test_nobody_listens(case) -> None:
    listener = await case.listen()
    await listener.close()
    with pytest.raises(TransportError, match=r"cannot connect to .*: connection refused"):
        await case.transport.dial(listener.address)


async def test_an_address_is_taken_until_its_listener_closes(case) -> None:
    first = await case.listen()
    with pytest.raises(TransportError, match=r"cannot listen on .* in use.*choose another"):
        await case.transport.listen(first.address)
    await first.close()
    second = await case.transport.listen(first.address)
    assert second.address == first.address
    await second.close()


async def test_an_address_can_be_listened_on_again_at_once_after_use(case) -> None:
    listener = await case.listen()
    dialed = await case.transport.dial(listener.address)
    accepted = await listener.accept()
    await close(accepted, dialed)
    await listener.close()
    again = await case.transport.listen(listener.address)
    await again.close()


async def test_accepted_streams_outlive_their_listener(case, read) -> None:
    left, right = await case.pair()
    await left.send([b"alive"])
    assert await read(right, 5) == b"alive"
    await close(left, right)


async def test_closing_a_listener_ends_accept_and_aborts_what_waits(case) -> None:
    listener = await case.listen()
    waiting = asyncio.create_task(listener.accept())
    await other_tasks_get_a_turn()
    await listener.close()
    await listener.close()
    with pytest.raises(TransportError, match="closed"):
        await waiting
    with pytest.raises(TransportError, match="closed"):
        await listener.accept()

    listener = await case.listen()
    dialed = await case.transport.dial(listener.address)
    await other_tasks_get_a_turn()
    await listener.close()
    with pytest.raises(TransportError):
        await dialed.receive_into(bytearray(1))
    await dialed.close()


async def test_a_cancelled_accept_loses_no_stream(case, read) -> None:
    listener = await case.listen()
    for turns in range(6):
        waiting = asyncio.create_task(listener.accept())
        await asyncio.sleep(0)
        dialed = await case.transport.dial(listener.address)
        await other_tasks_get_a_turn(turns)
        waiting.cancel()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        accepted = await listener.accept() if isinstance(outcome, asyncio.CancelledError) else outcome
        await dialed.send([b"x"])
        assert await read(accepted, 1) == b"x"
        await close(dialed, accepted)
    await listener.close()


async def test_completing_an_address_twice_changes_nothing(case) -> None:
    once = case.transport.complete(case.anywhere, port=7167)
    assert case.transport.complete(once) == once
    with pytest.raises(EndpointError, match="empty"):
        case.transport.complete("")


@pytest.mark.skipif(not FILES.exists(), reason="counts open files where the system shows them")
async def test_many_connections_leave_no_file(case, read) -> None:
    await close(*(await case.pair()))  # the event loop has what it needs
    before = len(os.listdir(FILES))
    listener = await case.listen()
    for number in range(200):
        dialed = await case.transport.dial(listener.address)
        accepted = await listener.accept()
        await dialed.send([b"x"])
        assert await read(accepted, 1) == b"x"
        if number % 3 == 0:
            await close(dialed, accepted)
        elif number % 3 == 1:
            dialed.abort()
            await accepted.close()
        else:
            accepted.abort()
            dialed.abort()
    await listener.close()
    await other_tasks_get_a_turn()
    assert len(os.listdir(FILES)) == before
