"""Checks of backpressure: who is slow makes the other end wait, and nothing piles up."""

from __future__ import annotations

import asyncio
from typing import Final

from sttp.errors import TransportError
from sttp.testing.checks import Check, stream_check
from sttp.testing.subject import Subject, promise, read, settle
from sttp.transport import ByteStream

__all__ = ["CHECKS"]

_BLOCK: Final = bytes(1_000_000)
_BLOCKS: Final = 64
"""Blocks that no chain of honest buffers holds."""


@stream_check()
async def backpressure(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receiver that stays away makes the sender wait; when it comes back nothing is missing."""
    sent = 0

    async def send() -> None:
        nonlocal sent
        for _ in range(_BLOCKS):
            await left.send([_BLOCK])
            sent += 1

    sending = asyncio.create_task(send())
    try:
        before = -1
        while sent > before and not sending.done():
            before = sent
            await settle(500)
        megabytes = _BLOCKS * len(_BLOCK) // 10**6
        promise(not sending.done(), f"no backpressure: {megabytes} MB were sent, and nobody has received")
        held = (sent + 1) * len(_BLOCK)
        came = len(await read(right, held))
        promise(came == held, f"of {held} bytes that a slow receiver let wait {came} arrive")
    finally:
        sending.cancel()
        await asyncio.wait({sending})
    left.abort()


@stream_check()
async def a_break_reaches_a_sender(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A sender that waits for a slow peer is told when the stream breaks."""
    sending = asyncio.create_task(left.send(_BLOCKS * [_BLOCK]))
    await settle()
    right.abort()
    done, _ = await asyncio.wait({sending}, timeout=5)
    if not done:
        sending.cancel()
    promise(done, "a send waits on although the peer has gone")
    promise(isinstance(sending.exception(), TransportError), "a send to a peer that has gone is no TransportError")


CHECKS: Final[tuple[Check, ...]] = (backpressure, a_break_reaches_a_sender)
"""What this module asks."""
