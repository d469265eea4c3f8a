"""Checks of what travels: all bytes, once, in order, however they are cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from sttp.errors import UsageError
from sttp.testing.checks import Check, stream_check
from sttp.testing.subject import BrokenPromiseError, Subject, promise, read, settle
from sttp.transport import ByteStream

__all__ = ["CHECKS", "send_in_pieces"]

_MUCH: Final = 3_000_000
"""More bytes than any usual buffer holds."""

_LONGEST_TURN_S: Final = 0.5
"""How long other tasks may have to wait for their turn. What is honest needs some milliseconds."""


@stream_check()
async def order(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Bytes arrive in the order in which they were sent, both ways at the same time, whatever kind of buffer had them.

    A send takes several buffers, empty ones among them, and a view of part of a buffer.
    """
    words: list[bytes | bytearray | memoryview] = [
        b"one ",
        bytearray(b"two "),
        b"",
        memoryview(b"__three __")[2:8],
        b"four",
    ]

    async def talk(stream: ByteStream, name: bytes) -> None:
        for number in range(20):
            await stream.send([name, b"%3d " % number, *words])
        await stream.send([])
        await stream.send([b"", bytearray()])

    async def hear(stream: ByteStream, name: bytes) -> None:
        said = b"".join(b"%s%3d one two three four" % (name, number) for number in range(20))
        heard = await read(stream, len(said))
        _same(said, heard)

    await asyncio.gather(talk(left, b"left"), talk(right, b"right"), hear(left, b"right"), hear(right, b"left"))


async def send_in_pieces(stream: ByteStream, data: bytes, sizes: Sequence[int], dice: random.Random) -> None:
    """Send `data` in pieces whose sizes are drawn from `sizes`."""
    at = 0
    while at < len(data):
        size = dice.choice(sizes)
        await stream.send([data[at : at + size]])
        at += size


@stream_check()
async def any_cut(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receiver may take bytes in pieces of any size, however they were sent: nothing is lost, nothing comes twice."""
    dice = random.Random(1)
    data = dice.randbytes(20_000)

    sending = asyncio.create_task(send_in_pieces(left, data, (1, 2, 7, 300, 2000), dice))
    received = bytearray()
    while len(received) < len(data):
        buffer = bytearray(dice.choice((1, 1, 2, 3, 10, 500, 5000)))
        count = await right.receive_into(buffer)
        promise(count, f"the stream ends after {len(received)} of {len(data)} bytes, and nobody has ended it")
        _same(data[len(received) : len(received) + count], bytes(buffer[:count]), before=len(received))
        received += buffer[:count]
    await sending


@stream_check()
async def whole_sends(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A send is never partial: when it returns everything is under way, however much it is."""
    data = random.Random(2).randbytes(_MUCH)
    sending = asyncio.create_task(left.send([data[:10], data[10:]]))
    received = await read(right, len(data))
    _same(data, received)
    await sending


@stream_check()
async def buffers_are_free_again(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """When a send has returned, its buffers may be reused."""
    buffer = bytearray(b"first!!")
    await left.send([buffer])
    buffer[:] = b"second!"
    received = await read(right, 7)
    promise(received == b"first!!", f"a buffer that was reused after send() arrives as {received!r}")


@stream_check()
async def receivers_do_not_touch_the_rest(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receive writes at the start of its buffer, and nowhere else."""
    await left.send([b"abc"])
    await settle()
    buffer = bytearray(b"." * 10)
    count = await right.receive_into(buffer)
    promise(buffer == b"abc"[:count] + b"." * (10 - count), f"receive_into says {count} and leaves {bytes(buffer)!r}")
    await read(right, 3 - count)


@stream_check()
async def turns_of_others(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Sending and receiving never block the event loop, and a loop of sends leaves others their turn."""
    loop = asyncio.get_running_loop()
    longest = turns = 0.0

    async def watch() -> None:
        nonlocal longest, turns
        before = loop.time()
        while True:
            await asyncio.sleep(0)
            longest, before = max(longest, loop.time() - before), loop.time()
            turns += 1

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        for _ in range(10):
            await left.send([b"x"])
        during = turns
        await read(right, 10)
    finally:
        watching.cancel()
    promise(longest < _LONGEST_TURN_S, f"the event loop stood still for {longest:.1f} s: something blocks it")
    promise(during >= 9, f"ten sends left other tasks {during:.0f} turns, and should leave them one each")


@stream_check()
async def bad_receives(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receive without room, and a second one at the same time, are refused with `UsageError`."""
    promise(await _refused(left, bytearray()), "a receive into an empty buffer is not refused with UsageError")
    waiting = asyncio.create_task(left.receive_into(bytearray(1)))
    await settle()
    try:
        promise(await _refused(left, bytearray(1)), "a second receive at the same time is not refused with UsageError")
        await right.send([b"x"])
        promise(await waiting == 1, "after a second receive was refused, the first one does not get its byte")
    finally:
        waiting.cancel()


async def _refused(stream: ByteStream, buffer: bytearray) -> bool:
    try:
        async with asyncio.timeout(1):
            await stream.receive_into(buffer)
    except UsageError:
        return True
    except TimeoutError:
        pass
    return False


def _same(sent: bytes, came: bytes, *, before: int = 0) -> None:
    """Complain where two runs of bytes part, of which `before` bytes have been compared already."""
    if sent == came:
        return
    at = next((at for at, (one, other) in enumerate(zip(sent, came, strict=False)) if one != other), len(came))
    there = f"{came[at : at + 12]!r} instead of {sent[at : at + 12]!r}" if at < len(came) else "the end"
    raise BrokenPromiseError(f"what was sent is not what came: after {before + at} bytes comes {there}")


CHECKS: Final[tuple[Check, ...]] = (
    order,
    any_cut,
    whole_sends,
    buffers_are_free_again,
    receivers_do_not_touch_the_rest,
    turns_of_others,
    bad_receives,
)
"""What this module asks."""
