"""Checks of streams that can send at once: what is sent so must be what is sent, and keep the same promises.

No stream has to. Who cannot is not asked.
"""

from __future__ import annotations

import asyncio
import random
import unittest
from collections.abc import Callable
from typing import Final

from sttp.errors import TransportError, UsageError
from sttp.testing.checks import Check, stream_check
from sttp.testing.subject import Subject, promise, read, settle
from sttp.transport import ByteStream, PromptStream

__all__ = ["CHECKS"]

_PIECE: Final = bytes(10_000)
_MOST: Final = 64_000_000
"""More bytes than any chain of honest buffers holds."""


def _prompt(stream: ByteStream) -> PromptStream:
    if not isinstance(stream, PromptStream):
        raise unittest.SkipTest("this stream cannot send at once, and need not")
    if not stream.free:
        raise unittest.SkipTest("this stream cannot send at once, because the one below cannot")
    return stream


def _refuses(send: Callable[[], None], error: type[Exception]) -> bool:
    try:
        send()
    except error:
        return True
    return False


@stream_check()
async def sent_at_once_as_sent(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Bytes arrive in the order in which they were sent, at once or not, and their buffers may be used again."""
    stream = _prompt(left)
    dice = random.Random(4)
    sent = bytearray()

    async def send() -> None:
        while len(sent) < 300_000:
            piece = bytearray(dice.randbytes(dice.choice((0, 1, 9, 900, 9000))))
            sent.extend(piece * 2)
            if stream.free:
                stream.send_now([piece, b"", memoryview(piece)])
                piece[:] = bytes(len(piece))
            else:
                await stream.send([piece, piece])
            if dice.random() < 0.1:
                await stream.send([b"between"])
                sent.extend(b"between")
        await stream.send([b"the end"])
        sent.extend(b"the end")

    sending = asyncio.create_task(send())
    came = bytearray()
    while not (sending.done() and len(came) == len(sent)):
        buffer = bytearray(4096)
        came += buffer[: await right.receive_into(buffer)]
        await asyncio.sleep(0)
    await sending
    wrong = next((at for at, (a, b) in enumerate(zip(sent, came, strict=False)) if a != b), len(came))
    promise(wrong == len(came), f"what arrives differs from what was sent, from byte {wrong} on")


@stream_check()
async def sent_at_once_goes_out(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """What is sent at once arrives without anything having to be sent behind it."""
    _prompt(left).send_now([b"alone"])
    try:
        async with asyncio.timeout(5):
            came = await read(right, 5)
    except TimeoutError:
        came = b""
    promise(came == b"alone", f"{came!r} arrives instead of b'alone'")


@stream_check()
async def not_free_while_bytes_wait(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream whose peer takes nothing is no longer free, so nothing piles up; then it refuses to send at once."""
    stream = _prompt(left)
    sent = 0
    while stream.free and sent < _MOST:
        stream.send_now([_PIECE])
        sent += len(_PIECE)
        await asyncio.sleep(0)
    promise(sent < _MOST, f"{_MOST // 10**6} MB were sent at once, and nobody has received")
    promise(_refuses(lambda: stream.send_now([_PIECE]), UsageError), "a stream that is not free sends at once")
    came = len(await read(right, sent))
    promise(came == sent, f"of {sent} bytes that were sent at once {came} arrive")
    left.abort()


@stream_check()
async def not_free_while_a_task_sends(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream is not free while a task is sending; when it has sent, the stream is free again."""
    stream = _prompt(left)
    sending = asyncio.create_task(stream.send([bytes(_MOST)]))
    await settle()
    promise(not stream.free, "a stream is free while a task is sending")
    came = 0
    buffer = bytearray(2**20)
    while came < _MOST:
        came += await right.receive_into(buffer)
    await sending
    promise(stream.free, "a stream is not free although everything has been sent")


@stream_check("half_close")
async def nothing_at_once_behind_the_end(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream that has sent its end is not free, and refuses to send at once."""
    stream = _prompt(left)
    await stream.send_eof()
    promise(not stream.free, "a stream that has sent its end is free")
    promise(_refuses(lambda: stream.send_now([b"more"]), UsageError), "a stream that has sent its end sends at once")


@stream_check()
async def nothing_at_once_when_closed(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream that this end has closed is not free, and refuses to send at once."""
    stream = _prompt(left)
    await asyncio.gather(left.close(), right.close())
    promise(not stream.free, "a stream that this end has closed is free")
    promise(_refuses(lambda: stream.send_now([b"more"]), TransportError), "a closed stream sends at once")


CHECKS: Final[tuple[Check, ...]] = (
    sent_at_once_as_sent,
    sent_at_once_goes_out,
    not_free_while_bytes_wait,
    not_free_while_a_task_sends,
    nothing_at_once_behind_the_end,
    nothing_at_once_when_closed,
)
"""What this module asks."""
