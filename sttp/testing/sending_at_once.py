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

_LATEST_S: Final = 5.0
"""How long something that must come may take on a busy machine."""

_PIECE: Final = bytes(10_000)
_MUCH: Final = 3_000_000
"""More bytes than any usual buffer holds."""

_MOST: Final = 64_000_000
"""More bytes than any chain of honest buffers holds."""


def _prompt(stream: ByteStream) -> PromptStream:
    if not isinstance(stream, PromptStream):
        raise unittest.SkipTest("this stream cannot send at once, and need not")
    if not stream.can_send_now:
        raise unittest.SkipTest("this stream cannot send at once when it is new; one that wraps another may be unable")
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
            if stream.can_send_now:
                stream.send_now([piece, b"", memoryview(piece)])
                piece[:] = bytes(len(piece))
            else:
                await stream.send([piece, piece])
            if dice.random() < 0.1:
                await stream.send([b"between"])
                sent.extend(b"between")
        await stream.send([b"the end"])
        sent.extend(b"the end")

    async def receive() -> bytes:
        came = bytearray()
        while not came.endswith(b"the end"):
            buffer = bytearray(4096)
            came += buffer[: await right.receive_into(buffer)]
        return bytes(came)

    _, came = await asyncio.gather(send(), receive())
    wrong = next((at for at, (a, b) in enumerate(zip(sent, came, strict=False)) if a != b), len(came))
    promise(wrong == len(came), f"what arrives differs from what was sent, from byte {wrong} on")


@stream_check()
async def sent_at_once_goes_out(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """What is sent at once arrives without anything having to be sent behind it."""
    _prompt(left).send_now([b"alone"])
    try:
        async with asyncio.timeout(_LATEST_S):
            came = await read(right, 5)
    except TimeoutError:
        came = b""
    promise(came == b"alone", f"{came!r} arrives instead of b'alone'")


@stream_check()
async def not_at_once_while_bytes_wait(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream whose peer takes nothing soon cannot send at once, and refuses to: nothing piles up."""
    stream = _prompt(left)
    sent = 0
    while stream.can_send_now and sent < _MOST:
        stream.send_now([_PIECE])
        sent += len(_PIECE)
        await asyncio.sleep(0)
    promise(sent < _MOST, f"{_MOST // 10**6} MB were sent at once, and nobody has received")
    promise(_refuses(lambda: stream.send_now([_PIECE]), UsageError), "a stream that cannot send at once does it")
    waiting = asyncio.create_task(stream.send([]))
    await settle()
    promise(not waiting.done(), "a send does not wait for what was sent at once before")
    came = len(await read(right, sent))
    promise(came == sent, f"of {sent} bytes that were sent at once {came} arrive")
    await waiting
    promise(stream.can_send_now, "a stream cannot send at once although everything has been sent")


@stream_check()
async def not_at_once_while_a_task_sends(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream cannot send at once while a task is sending, to the last; then it can again."""
    stream = _prompt(left)
    for size in (1, _MUCH):
        sending = asyncio.create_task(stream.send([bytes(size)]))
        reading = asyncio.create_task(read(right, size))
        await asyncio.sleep(0)
        while not sending.done():
            promise(not stream.can_send_now, "a stream says that it can send at once while a task is sending")
            await asyncio.sleep(0)
        await reading
        await settle()
        promise(stream.can_send_now, "a stream cannot send at once although everything has been sent")


@stream_check("half_close")
async def nothing_at_once_behind_the_end(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream that has sent its end cannot send at once, and refuses to."""
    stream = _prompt(left)
    await stream.send_eof()
    promise(not stream.can_send_now, "a stream that has sent its end says that it can send at once")
    promise(_refuses(lambda: stream.send_now([b"more"]), UsageError), "a stream that has sent its end sends at once")


@stream_check()
async def nothing_at_once_when_closed(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream that this end has closed cannot send at once, and refuses to."""
    stream = _prompt(left)
    await asyncio.gather(left.close(), right.close())
    promise(not stream.can_send_now, "a stream that this end has closed says that it can send at once")
    promise(_refuses(lambda: stream.send_now([b"more"]), TransportError), "a closed stream sends at once")


@stream_check("abort_is_told")
async def nothing_at_once_when_broken(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream that is known to be broken cannot send at once, and says so as a send does."""
    stream = _prompt(left)
    right.abort()
    try:
        await left.receive_into(bytearray(1))
    except TransportError:
        pass
    else:
        promise(False, "a stream that the other end has aborted ends in order")
    promise(not stream.can_send_now, "a broken stream says that it can send at once")
    promise(_refuses(lambda: stream.send_now([b"more"]), TransportError), "a broken stream sends at once")


CHECKS: Final[tuple[Check, ...]] = (
    sent_at_once_as_sent,
    sent_at_once_goes_out,
    not_at_once_while_bytes_wait,
    not_at_once_while_a_task_sends,
    nothing_at_once_when_broken,
    nothing_at_once_behind_the_end,
    nothing_at_once_when_closed,
)
"""What this module asks."""
