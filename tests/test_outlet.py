"""What comes alone is sent at once over streams that can; what comes together goes together; nothing is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic, process_time

import pytest

from sttp import outlet
from sttp.connection import Connection
from sttp.errors import STTPError, TransportError
from sttp.session import PublisherSession
from sttp.session.events import PublisherEvent
from sttp.transport import ByteStream, load_plugins


@dataclass
class Source:
    """Gives a session the responses of an application to send, one after another."""

    connection: Connection[PublisherEvent] = field(init=False)
    waiting: deque[bytes | Exception] = field(default_factory=deque)

    def supply(self) -> bool:
        if not self.waiting:
            return False
        what = self.waiting.popleft()
        if isinstance(what, Exception):
            raise what
        self.connection.session._output.append(what)
        return True

    def say(self, *what: bytes | Exception, at_once: bool = True) -> None:
        for each in what:
            self.waiting.append(each)
            self.connection.wake(at_once=at_once)


@dataclass
class Talk:
    """A connection over a real socket, and the other end of it."""

    source: Source
    near: ByteStream
    far: ByteStream
    running: asyncio.Task[STTPError | None]


@asynccontextmanager
async def talking() -> AsyncIterator[Talk]:
    async def ignore(event: object) -> None:
        pass

    tcp = load_plugins().transports["tcp"]
    listener = await tcp.listen("127.0.0.1:0")
    near, far = await asyncio.gather(tcp.dial(listener.address), listener.accept())
    source = Source()
    source.connection = Connection(near, PublisherSession(now=monotonic()), ignore, supply=source.supply)
    running = asyncio.create_task(source.connection.run())
    await source.connection.drained()
    try:
        yield Talk(source, near, far, running)
    finally:
        source.connection.session.close()
        source.connection.wake()
        await far.close()
        with suppress(ZeroDivisionError, ExceptionGroup):
            await running
        await listener.close()


def sends(left: ByteStream, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """What is given to a stream from now on, and by which call."""
    seen: list[tuple[str, bytes]] = []

    def note(name: str) -> Callable[..., object]:
        call = getattr(left, name)

        def noted(buffers: list[bytes]) -> object:
            seen.append((name, b"".join(buffers)))
            return call(buffers)

        return noted

    for name in ("send", "send_now"):
        monkeypatch.setattr(left, name, note(name))
    return seen


async def read(stream: ByteStream, count: int) -> bytes:
    came = bytearray()
    buffer = bytearray(2**16)
    while len(came) < count:
        came += buffer[: await stream.receive_into(buffer)]
    return bytes(came)


async def test_what_comes_alone_is_sent_before_wake_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as talk:
        seen = sends(talk.near, monkeypatch)
        for word in (b"first", b"second"):
            talk.source.say(word)
            assert seen.pop() == ("send_now", word)
            await talk.source.connection.drained()
            await asyncio.sleep(0)
        assert await read(talk.far, 11) == b"firstsecond"
        assert talk.source.connection.tally.bytes_sent == 11


async def test_only_the_first_of_a_turn_is_sent_at_once_and_the_rest_goes_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with talking() as talk:
        seen = sends(talk.near, monkeypatch)
        talk.source.say(b"a", b"b", b"c")
        assert seen == [("send_now", b"a")]
        await talk.source.connection.drained()
        assert seen[1:] == [("send", b"bc")]
        talk.source.say(b"d", b"e", at_once=False)
        assert len(seen) == 2
        await talk.source.connection.drained()
        assert seen[2:] == [("send", b"de")]
        await asyncio.sleep(0)
        talk.source.say(b"f")
        assert seen[3:] == [("send_now", b"f")]
        assert await read(talk.far, 6) == b"abcdef"


async def test_what_comes_while_something_is_sent_at_once_goes_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as talk:
        call = talk.near.send_now  # type: ignore[attr-defined]

        def meanwhile(buffers: list[bytes]) -> None:
            monkeypatch.undo()
            talk.source.say(b"second")
            call(buffers)

        monkeypatch.setattr(talk.near, "send_now", meanwhile)
        talk.source.say(b"first")
        assert await read(talk.far, 11) == b"firstsecond"


async def test_bytes_arrive_in_order_whatever_way_they_go() -> None:
    words = [b"%7d" % number * (1 + number % 50 * (number % 7 == 0) * 400) for number in range(600)]
    whole = b"".join(words)
    async with talking() as talk:
        reading = asyncio.create_task(read(talk.far, len(whole)))
        for number, word in enumerate(words):
            talk.source.say(word)
            for _ in range(number % 4):
                await asyncio.sleep(0)
        assert await reading == whole
        assert talk.source.connection.tally.bytes_sent == len(whole)


async def test_what_a_peer_does_not_take_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a part of it lies here, nothing more goes at once, nothing is drained, and the peer is watched."""
    monkeypatch.setattr(outlet, "WRITE_SIZE", 2**26)
    async with talking() as talk:
        talk.source.say(bytes(2**24))
        draining = asyncio.create_task(talk.source.connection.drained())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not draining.done(), "the stream holds what the peer has not taken"
        assert await read(talk.far, 2**24) == bytes(2**24)
        await draining
        monkeypatch.setattr(outlet, "WRITE_TIMEOUT", 0.001)
        talk.source.say(bytes(2**24))
        assert str(await talk.running) == "the peer took too little in 0.001 s"


async def test_a_mistake_in_the_source_costs_the_connection_and_not_who_has_something_to_say() -> None:
    async with talking() as talk:
        talk.source.say(ZeroDivisionError())
        with pytest.raises((ZeroDivisionError, ExceptionGroup)):
            await talk.running


async def test_a_stream_that_breaks_while_it_sends_at_once_is_lost_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(buffers: list[bytes]) -> None:
        raise TransportError("it broke")

    async with talking() as talk:
        monkeypatch.setattr(talk.near, "send_now", breaks)
        talk.source.say(b"lost")
        assert str(await talk.running) == "it broke"


async def test_gathering_ends_so_that_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy() -> bool:
        until = process_time() + 0.3 * outlet.GATHERING
        while process_time() < until:
            pass
        talk.source.connection.session._output.append(b".")
        return True

    async with talking() as talk:
        monkeypatch.setattr(talk.source, "supply", busy)
        way = outlet.Outlet(
            talk.near, talk.source.connection.session, supply=talk.source.supply, tally=talk.source.connection.tally
        )
        output, is_all = way.gather()
        assert 1 <= len(output) <= 5
        assert not is_all
