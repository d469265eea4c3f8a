"""Checks of how streams end: half, in order, or at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sttp.errors import TransportError, UsageError
from sttp.testing.checks import Check, check, stream_check
from sttp.testing.subject import BrokenPromiseError, Subject, gone, promise, read, read_all, settle
from sttp.transport import ByteStream

__all__ = ["CHECKS"]


@stream_check("half_close")
async def half_close(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """The end of one direction is 0, now and at every further receive, and leaves the other direction open."""
    await left.send([b"the end"])
    await left.send_eof()
    await left.send_eof()
    try:
        async with asyncio.timeout(5):
            rest = await read_all(right)
            again = await right.receive_into(bytearray(1))
    except TimeoutError:
        raise _never_ends() from None
    except (TransportError, OSError) as error:
        raise _broken_by_an_end(error) from error
    promise(rest == b"the end", f"before the end of the stream came {rest!r} instead of b'the end'")
    promise(again == 0, f"a receive after the end of the stream says {again} instead of 0")
    await right.send([b"still here"])
    back = await read(left, 10)
    promise(back == b"still here", f"the other direction brings {back!r} instead of b'still here'")
    promise(await _raises(UsageError, left.send([b"more"])), "send after send_eof is not refused with UsageError")
    await right.send_eof()
    promise(await read_all(left) == b"", "after both ends have ended their direction more bytes come")


@stream_check()
async def end_of_stream(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """The end of a stream comes after everything that was sent, and reaches a receiver that waits."""
    waiting = asyncio.create_task(right.receive_into(bytearray(1)))
    await settle()
    ending = asyncio.create_task(left.send_eof())
    done, _ = await asyncio.wait({waiting}, timeout=5)
    await ending
    if not done:
        waiting.cancel()
        raise _never_ends()
    try:
        promise(waiting.result() == 0, f"the end of the stream is {waiting.result()!r} instead of 0")
    except (TransportError, OSError) as error:
        raise _broken_by_an_end(error) from error


@stream_check()
async def close_delivers(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Closing delivers what was sent first; then the other end finds the end of the stream."""
    data = b"goodbye" * 1000
    await left.send([data])
    closing = asyncio.create_task(left.close())
    try:
        rest = await read_all(right)
    except (TransportError, OSError) as error:
        raise _broken_by_an_end(error) from error
    finally:
        await right.close()
        await closing
    promise(rest == data, f"of {len(data)} bytes that were sent before close() {len(rest)} arrive")


@stream_check()
async def close_spares_the_peer(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Closing does not take from a peer what it has not read yet, also when the peer was still sending.

    As when a publisher refuses a subscriber that has already sent its commands.
    """
    await right.send([b"not read by anyone"])
    await left.send([b"refused"])
    closing = asyncio.create_task(left.close())
    await settle()
    try:
        heard = await read(right, 7)
    except (TransportError, OSError) as error:
        raise _broken_by_an_end(error) from error
    finally:
        await right.close()
        await closing
    promise(heard == b"refused", f"the last words before close() arrive as {heard!r} instead of b'refused'")


@stream_check()
async def closing_again(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Closing and aborting again has no effect, in any order, and nobody complains of a peer that is gone."""
    await asyncio.gather(left.close(), left.close(), right.close())
    await left.close()
    left.abort()
    right.abort()
    await asyncio.gather(left.close(), right.close())
    promise(left.peer and isinstance(left.peer, str), "peer does not outlive the stream")


@stream_check()
async def closing_after_the_peer(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Closing a stream whose other end has been aborted is quiet."""
    left.abort()
    await settle()
    await right.close()


@stream_check()
async def abort_ends_here(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """After abort every call at this end fails with `TransportError`, also one that waits."""
    await _fails_here(left, lambda: _aborted(left))


@stream_check()
async def close_ends_here(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """After close every call at this end fails with `TransportError`, also one that waits."""
    await right.send([b"late"])
    await settle()
    first = await read(left, 1)
    promise(first == b"l", f"before close() came {first!r}")
    await read(left, 3)
    await _fails_here(left, lambda: asyncio.gather(left.close(), right.close()))


@stream_check()
async def close_drops_what_waits(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """A stream that this end has closed delivers nothing that came before."""
    await left.send([b"late"])
    await settle()
    await asyncio.gather(left.close(), right.close())
    promise(
        await _raises(TransportError, right.receive_into(bytearray(4))),
        "a receive after close() still delivers what had come before",
    )


@stream_check("abort_is_told")
async def abort_is_told(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """The other end of an aborted stream finds it broken, also in a receive that waits."""
    waiting = asyncio.create_task(right.receive_into(bytearray(1)))
    await settle()
    left.abort()
    promise(await _raises(TransportError, waiting), "a receive that waits takes an abort for the end of the stream")
    for call in (right.receive_into(bytearray(1)), right.send([b"x"])):
        promise(await _raises(TransportError, call), "a call after the peer's abort does not fail with TransportError")


@check()
async def sending_to_nobody(subject: Subject) -> None:
    """Whoever goes on sending to a peer that has gone is told at last."""
    for flipped in (False, True):
        async with subject.pair(flipped=flipped) as (left, right):
            right.abort()
            try:
                async with asyncio.timeout(5):
                    while True:
                        await left.send([bytes(1000)])
                        await asyncio.sleep(0)
            except TransportError:
                continue
            except TimeoutError:
                pass
        raise BrokenPromiseError("send never fails, although the peer is gone")


@stream_check()
async def an_end_is_seen_by_a_peer_that_reads(subject: Subject, left: ByteStream, right: ByteStream) -> None:
    """Whatever way a stream ends, a peer that reads is told soon."""
    reading = asyncio.create_task(gone(right))
    left.abort()
    done, _ = await asyncio.wait({reading}, timeout=5)
    reading.cancel()
    promise(done, "5 s after an abort the other end still waits for bytes")


def _broken_by_an_end(error: Exception) -> BrokenPromiseError:
    return BrokenPromiseError(f"an end in order is taken for a broken stream: {error}")


def _never_ends() -> BrokenPromiseError:
    return BrokenPromiseError("the end of the stream does not arrive: receive_into waits on instead of returning 0")


async def _aborted(stream: ByteStream) -> None:
    stream.abort()


async def _fails_here(stream: ByteStream, end: Callable[[], Awaitable[object]]) -> None:
    waiting = asyncio.create_task(stream.receive_into(bytearray(1)))
    await settle()
    await end()
    promise(
        await _raises(TransportError, waiting),
        "a receive that waits does not fail when this end ends the stream",
    )
    for name, call in (
        ("receive_into", stream.receive_into(bytearray(1))),
        ("send", stream.send([b"x"])),
        ("send_eof", stream.send_eof()),
    ):
        promise(await _raises(TransportError, call), f"{name} on a stream that this end has ended is no TransportError")


async def _raises(kind: type[Exception], call: Awaitable[object]) -> bool:
    """Whether it fails as it should. Other exceptions leave; one that goes on waiting is given up after a second."""
    try:
        async with asyncio.timeout(1):
            await call
    except kind:
        return True
    except TimeoutError:
        pass
    return False


CHECKS: Final[tuple[Check, ...]] = (
    half_close,
    end_of_stream,
    close_delivers,
    close_spares_the_peer,
    closing_again,
    closing_after_the_peer,
    abort_ends_here,
    close_ends_here,
    close_drops_what_waits,
    abort_is_told,
    sending_to_nobody,
    an_end_is_seen_by_a_peer_that_reads,
)
"""What this module asks."""
