"""Checks of cancelling: it is heeded, it loses nothing, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from itertools import count
from typing import Final

from sttp.errors import TransportError
from sttp.testing.cancelling import cancelled_at, ends_when_cancelled
from sttp.testing.checks import Check, check, stream_check
from sttp.testing.subject import BrokenPromiseError, Subject, gone, promise, read, settle
from sttp.transport import ByteStream

__all__ = ["CHECKS"]

_SOON_S: Final = 6.0
"""How long a close may take: the contract says, a bounded time."""

_MORE_THAN_IS_TAKEN: Final = 64_000_000
"""Bytes that nobody buffers: a send of so many waits for a receiver."""


@stream_check()
async def cancelling_is_heeded(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A call that waits ends with `CancelledError` when it is cancelled."""
    receiving = asyncio.create_task(left.receive_into(bytearray(1)))
    await settle()
    await ends_when_cancelled(receiving, "receive_into")
    sending = asyncio.create_task(left.send([bytes(_MORE_THAN_IS_TAKEN)]))
    await settle()
    await ends_when_cancelled(sending, "send")
    left.abort()


@check()
async def cancelling_accept_is_heeded(subject: Subject) -> None:
    """An accept that waits ends with `CancelledError` when it is cancelled."""
    async with subject.listening() as listener:
        accepting = asyncio.create_task(listener.accept())
        await settle()
        await ends_when_cancelled(accepting, "accept")


@stream_check()
async def a_cancelled_receive(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Cancelling a receive loses no byte and doubles none, whenever it comes."""
    for turns in range(12):
        buffer = bytearray(100)
        waiting = asyncio.create_task(right.receive_into(buffer))
        await asyncio.sleep(0)
        sending = asyncio.create_task(left.send([b"precious"]))
        await _turns(turns)
        waiting.cancel()
        outcome, _ = await asyncio.gather(waiting, sending, return_exceptions=True)
        got = bytes(buffer[:outcome]) if isinstance(outcome, int) else b""
        got += await _rest(right, 8 - len(got))
        promise(got == b"precious", f"around a cancelled receive {got!r} came instead of b'precious'")
    await left.send([b"."])
    after = await read(right, 1)
    promise(after == b".", f"after cancelled receives comes {after!r} instead of b'.'")


@stream_check()
async def receives_cancelled_at_random(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A receiver that is cancelled again and again gets every byte once."""
    dice = random.Random(7)
    data = dice.randbytes(2000)

    async def send() -> None:
        at = 0
        while at < len(data):
            size = dice.randint(1, 30)
            await left.send([data[at : at + size]])
            await _turns(dice.randint(0, 3))
            at += size

    sending = asyncio.create_task(send())
    received = bytearray()
    while len(received) < len(data):
        buffer = bytearray(dice.randint(1, 40))
        receiving = asyncio.create_task(right.receive_into(buffer))
        await _turns(dice.randint(0, 4))
        if dice.random() < 0.5:
            receiving.cancel()
        try:
            count = await receiving
        except asyncio.CancelledError:
            continue
        received += buffer[:count]
        promise(count, "the stream ends, and nobody has ended it")
        promise(data.startswith(received), f"after {len(received)} bytes something else comes than was sent")
    await sending


@check()
async def a_cancelled_send(subject: Subject) -> None:
    """After a cancelled send a stream can still be closed and aborted, wherever it was cancelled."""
    for flipped in (False, True):
        for how in ("close", "abort"):
            for at in count():
                async with subject.pair(flipped=flipped) as (left, right):
                    reading = asyncio.create_task(_read_and_close(right))
                    outcome = await cancelled_at(at, partial(left.send, [bytes(300_000)]))
                    if how == "abort":
                        left.abort()
                    await _told(left, reading, "a send")
                if outcome.last:
                    break


@check()
async def a_cancelled_close(subject: Subject) -> None:
    """A close aborts when it is cancelled, wherever that is, and the peer is told."""
    for flipped in (False, True):
        for at in count():
            async with subject.pair(flipped=flipped) as (left, right):
                await left.send([b"x"])
                reading = asyncio.create_task(_read_and_close(right))
                outcome = await cancelled_at(at, left.close)
                await _told(left, reading, "a close")
            if outcome.last:
                break


async def _read_and_close(stream: ByteStream) -> None:
    await gone(stream)
    await stream.close()


async def _told(ending: ByteStream, reading: asyncio.Task[None], after: str) -> None:
    """Close after a cancelled call; the peer must find its end."""
    closing = asyncio.create_task(ending.close())
    done, _ = await asyncio.wait({reading, closing}, timeout=_SOON_S, return_when=asyncio.ALL_COMPLETED)
    reading.cancel()
    closing.cancel()
    promise(reading in done, f"{_SOON_S:g} s after {after} that was cancelled the other end still waits for bytes")
    promise(closing in done, f"after {after} that was cancelled close() takes longer than {_SOON_S:g} s")
    closing.result()


@check()
async def a_cancelled_dial(subject: Subject) -> None:
    """A dial leaves nothing behind wherever it is cancelled, and the listener goes on."""
    async with subject.listening() as listener:
        accepted: list[ByteStream] = []

        async def accept() -> None:
            while True:
                accepted.append(await listener.accept())

        accepting = asyncio.create_task(accept())
        try:
            for at in count():
                outcome = await cancelled_at(at, partial(subject.transport.dial, listener.address))
                if outcome.result is not None:
                    outcome.result.abort()
                    await outcome.result.close()
                if outcome.last:
                    break
            await settle()
        finally:
            accepting.cancel()
            await asyncio.wait({accepting})
            for stream in accepted:
                stream.abort()
                await stream.close()
        dialed, again = await subject.meet(listener)
        await dialed.send([b"x"])
        promise(await read(again, 1) == b"x", "after cancelled dials a new stream carries nothing")
        await asyncio.gather(dialed.close(), again.close())


@check()
async def a_cancelled_accept(subject: Subject) -> None:
    """Cancelling an accept loses no stream, whenever it comes."""
    async with subject.listening() as listener:
        for turns in range(6):
            waiting = asyncio.create_task(listener.accept())
            await asyncio.sleep(0)
            dialing = asyncio.create_task(subject.transport.dial(listener.address))
            await _turns(turns)
            waiting.cancel()
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
            try:
                async with asyncio.timeout(5):
                    accepted = await listener.accept() if isinstance(outcome, BaseException) else outcome
                    dialed = await dialing
                    await dialed.send([b"x"])
                    promise(await read(accepted, 1) == b"x", "a stream that outlived a cancelled accept is mute")
            except TimeoutError:
                dialing.cancel()
                raise BrokenPromiseError("a stream that came while an accept was cancelled is lost") from None
            await asyncio.gather(dialed.close(), accepted.close())


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _rest(stream: ByteStream, count: int) -> bytes:
    try:
        async with asyncio.timeout(5):
            return await read(stream, count)
    except TimeoutError:
        raise BrokenPromiseError(f"a cancelled receive has lost {count} bytes") from None
    except TransportError as error:
        raise BrokenPromiseError(f"a cancelled receive has broken the stream: {error}") from error


CHECKS: Final[tuple[Check, ...]] = (
    cancelling_is_heeded,
    cancelling_accept_is_heeded,
    a_cancelled_receive,
    receives_cancelled_at_random,
    a_cancelled_send,
    a_cancelled_close,
    a_cancelled_dial,
    a_cancelled_accept,
)
"""What this module asks."""
