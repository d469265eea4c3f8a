"""Checks of both verbs: dialing, listening, who is there, and what is left when all is over."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from sttp.errors import EndpointError, TransportError
from sttp.testing.checks import Check, check
from sttp.testing.subject import BrokenPromiseError, Subject, promise, read, settle
from sttp.transport import ByteStream, Listener, PeerIdentity, Transport

__all__ = ["CHECKS"]

_FILES: Final = Path("/proc/self/fd")
_AT_ONCE: Final = 20


@check()
async def shape(subject: Subject) -> None:
    """Transport, listener and streams have every method of the contract, and streams say where the other end is."""
    promise(isinstance(subject.transport, Transport), f"{subject.transport!r} is not a Transport")
    async with subject.listening() as listener:
        promise(isinstance(listener, Listener), f"{listener!r} is not a Listener")
    async with subject.pair() as ends:
        for stream in ends:
            promise(isinstance(stream, ByteStream), f"{stream!r} is not a ByteStream")
            promise(stream.peer, f"a stream calls its other end {stream.peer!r}")


@check()
async def addresses(subject: Subject) -> None:
    """Completing an address twice changes nothing, and an empty or foreign address is an `EndpointError`."""
    transport = subject.transport
    for port in (None, 7167):
        once = transport.complete(subject.address, port=port)
        promise(transport.complete(once) == once, f"{once!r} is completed again, to {transport.complete(once)!r}")
    try:
        transport.complete("")
    except EndpointError:
        return
    raise BrokenPromiseError("an empty address is not refused with EndpointError")


@check()
async def identity(subject: Subject) -> None:
    """A stream says who the other end is, if that is proved, and else None; it stays so when the stream has ended."""
    async with subject.pair() as (dialed, accepted):
        for stream, who, expected in ((dialed, "listener", subject.listener), (accepted, "dialer", subject.dialer)):
            said = stream.identity
            promise(said is None or isinstance(said, PeerIdentity), f"the identity {said!r} is no PeerIdentity")
            promise(said == expected, f"of the {who} a stream says {said!r}; it is {expected!r}")
    promise(
        (dialed.identity, accepted.identity) == (subject.listener, subject.dialer),
        "a stream says something else of its other end after it has ended",
    )


@check("refusal_at_dial")
async def nobody_listens(subject: Subject) -> None:
    """Dialing an address where nobody listens fails in dial, not later."""
    async with subject.listening() as listener:
        address = listener.address
    try:
        async with asyncio.timeout(10):
            stream = await subject.transport.dial(address)
    except TransportError as error:
        promise(str(error), "a dial fails without saying why")
        return
    except TimeoutError:
        raise BrokenPromiseError("a dial to nobody still waits after 10 s") from None
    stream.abort()
    await stream.close()
    raise BrokenPromiseError("a dial to nobody succeeds; the error must come from dial, not from a later call")


@check("exclusive_address")
async def an_address_is_taken(subject: Subject) -> None:
    """An address that is listened on is refused to others."""
    async with subject.listening() as listener:
        try:
            second = await subject.transport.listen(listener.address)
        except TransportError as error:
            promise(str(error), "a listen fails without saying why")
            return
        await second.close()
    raise BrokenPromiseError(f"two listeners have {listener.address} at the same time")


@check("address_is_free_again")
async def an_address_is_free_again(subject: Subject) -> None:
    """An address can be listened on again as soon as its listener has closed, also after use."""
    async with subject.listening() as listener:
        dialed, accepted = await subject.meet(listener)
        await asyncio.gather(accepted.close(), dialed.close())
    again = await subject.transport.listen(listener.address)
    try:
        promise(again.address == listener.address, f"listening on {listener.address} again gives {again.address}")
    finally:
        await again.close()


@check()
async def streams_outlive_their_listener(subject: Subject) -> None:
    """Streams that were accepted live on when their listener closes."""
    async with subject.pair() as (left, right):  # its listener has closed
        await settle()
        await left.send([b"alive"])
        promise(await read(right, 5) == b"alive", "a stream ends with the listener that accepted it")


@check()
async def closing_a_listener(subject: Subject) -> None:
    """Closing a listener ends an accept that waits, and every further one, with `TransportError`. Again: no effect."""
    async with subject.listening() as listener:
        waiting = asyncio.create_task(listener.accept())
        await settle()
        await listener.close()
        await listener.close()
        done, _ = await asyncio.wait({waiting}, timeout=5)
        waiting.cancel()
        promise(done, "an accept waits on although the listener has closed")
        promise(isinstance(waiting.exception(), TransportError), "an accept does not end with TransportError")
        try:
            async with asyncio.timeout(5):
                await listener.accept()
        except TransportError:
            return
        except TimeoutError:
            pass
        raise BrokenPromiseError("an accept after the listener has closed does not fail with TransportError")


@check()
async def streams_that_nobody_accepts(subject: Subject) -> None:
    """Closing a listener ends the streams that nobody has accepted."""
    async with subject.listening() as listener:
        dialing = asyncio.create_task(subject.transport.dial(listener.address))
        await settle(500)
        await listener.close()
        try:
            async with asyncio.timeout(5):
                with suppress(TransportError):
                    dialed = await dialing
                    try:
                        promise(await dialed.receive_into(bytearray(1)) == 0, "bytes come that nobody has sent")
                    finally:
                        dialed.abort()
                        await dialed.close()
        except TimeoutError:
            raise BrokenPromiseError("a stream that nobody has accepted outlives its listener") from None


@check("many_streams")
async def many_at_once(subject: Subject) -> None:
    """Streams that are open at the same time do not mix."""
    async with subject.listening() as listener:

        async def dialer(number: int) -> None:
            stream = await subject.transport.dial(listener.address)
            try:
                await stream.send([b"%8d" % number])
                answer = await read(stream, 8)
                promise(answer == b"%8d" % (number + 1), f"to {number} comes the answer {answer!r}")
            finally:
                await stream.close()

        async def answer() -> None:
            stream = await listener.accept()
            try:
                number = int(await read(stream, 8))
                await settle()
                await stream.send([b"%8d" % (number + 1)])
                await read(stream, 1)
            finally:
                await stream.close()

        await asyncio.gather(*(dialer(10 * number) for number in range(_AT_ONCE)), *(answer() for _ in range(_AT_ONCE)))


@check()
async def a_thousand_connects(subject: Subject) -> None:
    """A thousand streams, ended in every way, leave no file, socket or task behind."""
    async with subject.pair() as ends:
        await asyncio.gather(*(stream.close() for stream in ends))  # the event loop has what it needs
    tasks = len(asyncio.all_tasks())
    before = _open_files()
    async with subject.listening() as listener:
        for number in range(subject.connects):
            dialed, accepted = await subject.meet(listener)
            await dialed.send([b"x"])
            promise(await read(accepted, 1) == b"x", f"stream {number} carries nothing")
            if number % 3 == 0:
                await asyncio.gather(dialed.close(), accepted.close())
            elif number % 3 == 1:
                dialed.abort()
                await accepted.close()
            else:
                accepted.abort()
                dialed.abort()
    for _ in range(50):
        await settle()
        files, left = _open_files() - before, len(asyncio.all_tasks()) - tasks
        if files <= 0 and left <= 0:
            return
    raise BrokenPromiseError(f"{subject.connects} streams have left {files} files and {left} tasks behind")


def _open_files() -> int:
    """How many files are open; 0 where the system does not tell."""
    return len(os.listdir(_FILES)) if _FILES.is_dir() else 0


CHECKS: Final[tuple[Check, ...]] = (
    shape,
    addresses,
    identity,
    nobody_listens,
    an_address_is_taken,
    an_address_is_free_again,
    streams_outlive_their_listener,
    closing_a_listener,
    streams_that_nobody_accepts,
    many_at_once,
    a_thousand_connects,
)
"""What this module asks."""
