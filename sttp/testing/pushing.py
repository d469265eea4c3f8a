"""Checks of streams that push: what is pushed must be what is received, and keep the same promises.

No stream has to push. Who does not is not asked.
"""

from __future__ import annotations

import asyncio
import random
import unittest
from typing import Final

from sttp.errors import TransportError, UsageError
from sttp.testing.bytes_in_order import send_in_pieces
from sttp.testing.checks import Check, stream_check
from sttp.testing.subject import Subject, promise, settle
from sttp.transport import ByteStream, PushingStream

__all__ = ["CHECKS"]

_LATEST_S: Final = 5.0
"""How long something that must come may take on a busy machine."""

_BLOCK: Final = bytes(1_000_000)
_BLOCKS: Final = 64
"""Blocks that no chain of honest buffers holds."""


class _Taker:
    """A receiver that writes down what it is told.

    Args:
        wanted: how many bytes it takes before it wants no more.
        sizes: how large its buffers are, in turn.
    """

    def __init__(self, wanted: int, sizes: tuple[int, ...] = (4096,)) -> None:
        self.taken = bytearray()
        self.ends: list[TransportError | None] = []
        self.stopped = asyncio.Event()
        self._wanted = wanted
        self._sizes = sizes
        self._calls = 0
        self._buffer = bytearray()

    def buffer(self) -> bytearray:
        """See `Receiver.buffer`."""
        promise(not self.stopped.is_set(), "a buffer is asked for by a stream that must push no longer")
        self._calls += 1
        self._buffer = bytearray(self._sizes[self._calls % len(self._sizes)])
        return self._buffer

    def received(self, count: int, /) -> bool:
        """See `Receiver.received`."""
        promise(not self.stopped.is_set(), f"{count} bytes are pushed to a receiver that wants no more")
        promise(0 < count <= len(self._buffer), f"{count} bytes are pushed into a buffer of {len(self._buffer)}")
        self.taken += self._buffer[:count]
        if len(self.taken) >= self._wanted:
            self.stopped.set()
        return not self.stopped.is_set()

    def ended(self, error: TransportError | None, /) -> None:
        """See `Receiver.ended`."""
        self.ends.append(error)
        self.stopped.set()

    async def done(self) -> None:
        """Wait until it wants no more, or the stream has ended."""
        try:
            async with asyncio.timeout(_LATEST_S):
                await self.stopped.wait()
        except TimeoutError:
            promise(False, f"after {len(self.taken)} bytes nothing more is pushed, and no end")

    def was_told_of_a_break(self, what: str) -> None:
        """Demand that it was told once that the stream is broken; `what` is the stream, for the complaint."""
        promise(
            len(self.ends) == 1 and isinstance(self.ends[0], TransportError),
            f"{what} is told as {self.ends}, not as one TransportError",
        )


def _pushing(stream: ByteStream) -> PushingStream:
    if not isinstance(stream, PushingStream):
        raise unittest.SkipTest("this stream does not push, and need not")
    return stream


@stream_check()
async def pushed_as_pulled(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Bytes that are pushed are those that were sent, in order, also where pushing and receiving alternate."""
    stream = _pushing(right)
    dice = random.Random(3)
    data = dice.randbytes(200_000)

    sending = asyncio.create_task(send_in_pieces(left, data, (1, 7, 300, 2000, 20_000), dice))
    came = bytearray()
    while len(came) < len(data):
        match dice.randrange(3):
            case 0:
                buffer = bytearray(dice.choice((1, 10, 5000)))
                came += buffer[: await stream.receive_into(buffer)]
            case 1:
                taker = _Taker(min(dice.choice((1, 100, 30_000)), len(data) - len(came)), (1, 3, 500, 70_000))
                stream.push_to(taker)
                await taker.done()
                came += taker.taken
            case _:
                taker = _Taker(len(data))
                stream.push_to(taker)
                await asyncio.sleep(0)
                stream.push_to(None)  # wherever it stands: no byte may be lost by that
                taker.stopped.set()
                came += taker.taken
        wrong = next((at for at, (a, b) in enumerate(zip(data, came, strict=False)) if a != b), len(came))
        promise(wrong == len(came), f"what is pushed differs from what was sent, from byte {wrong} on")
    await sending


@stream_check()
async def pushed_while_nobody_looked(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """What has come before anybody wanted it is pushed too, without more having to come."""
    stream = _pushing(right)
    await left.send([b"before"])
    await settle()
    taker = _Taker(6, (4,))
    stream.push_to(taker)
    await taker.done()
    promise(taker.taken == b"before", f"{bytes(taker.taken)!r} is pushed instead of b'before'")


@stream_check()
async def pushed_after_a_cancelled_receive(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receive that is cancelled leaves what had come for who is pushed next."""
    stream = _pushing(right)
    for number in range(20):
        receiving = asyncio.create_task(stream.receive_into(bytearray(4)))
        await asyncio.sleep(0)
        await left.send([b"%4d" % number])
        for _ in range(number % 5):
            await asyncio.sleep(0)
        receiving.cancel()
        done, _ = await asyncio.wait({receiving}, timeout=_LATEST_S)
        promise(done, "a receive that was cancelled goes on")
        if receiving.cancelled():
            taker = _Taker(4)
            stream.push_to(taker)
            await taker.done()
            promise(taker.taken == b"%4d" % number, f"{bytes(taker.taken)!r} is pushed instead of b'{number:4d}'")


@stream_check("half_close")
async def the_end_is_pushed(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Who is pushed is told the end of the stream, once, behind all bytes; asked again, at once."""
    stream = _pushing(right)
    taker = _Taker(1000)
    stream.push_to(taker)
    await left.send([b"the end"])
    await left.send_eof()
    await taker.done()
    await settle()
    promise(taker.taken == b"the end", f"before the end of the stream {bytes(taker.taken)!r} is pushed")
    promise(taker.ends == [None], f"the end of the stream is told as {taker.ends}, not once and without an error")
    again = _Taker(1)
    stream.push_to(again)
    promise(again.ends == [None], "who is to be pushed after the end of the stream is not told so at once")
    promise(await stream.receive_into(bytearray(1)) == 0, "a receive after the end that was pushed is not 0")


@stream_check("abort_is_told")
async def a_break_is_pushed(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Who is pushed is told that the stream is broken."""
    stream = _pushing(right)
    taker = _Taker(1000)
    stream.push_to(taker)
    left.abort()
    await taker.done()
    taker.was_told_of_a_break("an aborted stream")


@stream_check()
async def pushing_ends_with_the_stream(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Closing a stream at this end ends pushing; then nobody can be pushed."""
    stream = _pushing(right)
    taker = _Taker(1000)
    stream.push_to(taker)
    await asyncio.gather(stream.close(), left.close())
    await taker.done()
    taker.was_told_of_a_break("a stream that this end has closed")
    stream.push_to(None)
    try:
        stream.push_to(_Taker(1))
    except TransportError:
        return
    promise(False, "a stream that this end has closed can still be asked to push")


@stream_check()
async def one_receives(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """While a stream pushes, or somebody receives, nobody else can; that changes nothing for who does."""
    stream = _pushing(right)
    taker = _Taker(5)
    stream.push_to(taker)
    try:
        await stream.receive_into(bytearray(1))
    except UsageError:
        pass
    else:
        promise(False, "a receive is let in while the stream pushes")
    _refuses_another(stream)
    await left.send([b"still"])
    await taker.done()
    promise(taker.taken == b"still", f"{bytes(taker.taken)!r} is pushed instead of b'still'")
    receiving = asyncio.create_task(stream.receive_into(bytearray(5)))
    await asyncio.sleep(0)
    _refuses_another(stream)
    await left.send([b"there"])
    promise(await receiving, "a receive that was there first gets nothing")


def _refuses_another(stream: PushingStream) -> None:
    try:
        stream.push_to(_Taker(1))
    except UsageError:
        return
    promise(False, "a second receiver is let in")


@stream_check()
async def pushing_keeps_backpressure(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receiver that wants no more makes the sender wait, as one that stays away does."""
    stream = _pushing(right)
    taker = _Taker(1)
    stream.push_to(taker)
    sending = asyncio.create_task(left.send(_BLOCKS * [_BLOCK]))
    try:
        await taker.done()
        await settle(2000)
        promise(not sending.done(), f"no backpressure: {_BLOCKS} MB were sent to a receiver that wanted one byte")
    finally:
        sending.cancel()
        await asyncio.wait({sending})
    left.abort()


CHECKS: Final[tuple[Check, ...]] = (
    pushed_as_pulled,
    pushed_while_nobody_looked,
    pushed_after_a_cancelled_receive,
    the_end_is_pushed,
    a_break_is_pushed,
    pushing_ends_with_the_stream,
    one_receives,
    pushing_keeps_backpressure,
)
"""What this module asks."""
