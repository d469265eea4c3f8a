"""One stream and one session: real sessions over a pair of streams in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import pytest

from session_pair import cache
from sttp import connection as module
from sttp import outlet
from sttp.codes import Command, OperationalModes
from sttp.connection import LINGER, Connection
from sttp.errors import FrameError, LimitError, RefusedError, SilenceError, TransportError
from sttp.measurement import Columns
from sttp.outlet import PIECE_SIZE, WRITE_SIZE
from sttp.session import PublisherConfig, PublisherSession, SubscriberConfig, SubscriberSession
from sttp.session.events import (
    MeasurementsReceived,
    MetadataReceived,
    MetadataRequested,
    ModesAccepted,
    PublisherEvent,
    StreamingStarted,
    SubscribeRequested,
    SubscriberEvent,
)
from sttp.transport import ByteStream
from sttp.transport.memory import MemoryStream, stream_pair
from sttp.wire import commands, responses
from sttp.wire.subscription import SubscriptionOptions
from wire_peer import WirePublisher, WireSubscriber

OPTIONS = SubscriptionOptions(filter_expression="everything")


async def ignore(event: object) -> None:
    pass


def publishing(
    stream: ByteStream,
    handle: Callable[[PublisherEvent], Awaitable[None]] = ignore,
    *,
    config: PublisherConfig = PublisherConfig(),  # noqa: B008 - immutable
) -> Connection[PublisherEvent]:
    return Connection(stream, PublisherSession(config, now=monotonic()), handle)


def subscribing(
    stream: ByteStream,
    handle: Callable[[SubscriberEvent], Awaitable[None]] = ignore,
    *,
    config: SubscriberConfig = SubscriberConfig(),  # noqa: B008 - immutable
) -> Connection[SubscriberEvent]:
    return Connection(stream, SubscriberSession(config, now=monotonic()), handle)


class Answering:
    """Takes the events of a publisher, and answers every request."""

    def __init__(self, stream: ByteStream, **settings: PublisherConfig) -> None:
        self.connection = publishing(stream, self.handle, **settings)
        self.streaming = asyncio.Event()

    @property
    def session(self) -> PublisherSession:
        assert isinstance(self.connection.session, PublisherSession)
        return self.connection.session

    async def handle(self, event: PublisherEvent) -> None:
        if isinstance(event, MetadataRequested):
            self.session.send_metadata(b"<metadata/>")
        elif isinstance(event, SubscribeRequested):
            self.session.accept_subscription(cache(3))
        elif isinstance(event, StreamingStarted):
            self.streaming.set()
        self.connection.wake()


def close(connection: Connection[object]) -> None:
    connection.session.close()
    connection.wake()


async def turns(count: int = 50) -> None:
    """Let everything happen that can happen by itself."""
    for _ in range(count):
        await asyncio.sleep(0)


# --- a conversation


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_two_connections_hold_a_conversation(version: int) -> None:
    left, right = stream_pair()
    publisher = Answering(left)
    received: asyncio.Queue[MeasurementsReceived] = asyncio.Queue()

    async def take(event: SubscriberEvent) -> None:
        if isinstance(event, MeasurementsReceived):
            received.put_nowait(event)

    subscriber = subscribing(right, take, config=SubscriberConfig(modes=OperationalModes(version=version)))
    assert isinstance(subscriber.session, SubscriberSession)
    subscriber.session.subscribe(OPTIONS)
    ends = asyncio.gather(publisher.connection.run(), subscriber.run())
    # not five seconds later: with version 1 streaming starts while the request is still being handled
    async with asyncio.timeout(2):
        await publisher.streaming.wait()
    publisher.session.send_measurements(Columns.empty(3))
    publisher.connection.wake()
    assert len((await received.get()).columns.value) == 3
    close(publisher.connection)
    assert await ends == [None, None]
    assert publisher.connection.tally.bytes_sent == subscriber.tally.bytes_received > 0
    assert subscriber.tally.bytes_sent == publisher.connection.tally.bytes_received > 0


async def test_what_an_event_leads_to_is_handled_with_it() -> None:
    """A handler that acts on its session can cause the next event; nothing else need happen before that is told."""
    left, right = stream_pair()
    told: list[str] = []

    async def handle(event: PublisherEvent) -> None:
        told.append(type(event).__name__)
        if isinstance(event, SubscribeRequested):
            session.accept_subscription(cache(1))

    connection = publishing(left, handle)
    session = connection.session
    assert isinstance(session, PublisherSession)
    running = asyncio.create_task(connection.run())
    async with WireSubscriber(right, OperationalModes(version=1)) as peer:
        await peer.settle()
        await peer.say(commands.Subscribe(connection_string=OPTIONS.to_connection_string()))
        await peer.expect(responses.UpdateSignalIndexCache)
        await turns()
        assert told == ["ModesDefined", "SubscribeRequested", "StreamingStarted"]
    assert await running is None


@pytest.mark.parametrize("who", ["publisher", "subscriber"])
async def test_either_side_may_end_it_in_order(who: str) -> None:
    left, right = stream_pair()
    publisher, subscriber = publishing(left), subscribing(right)
    ends = asyncio.gather(publisher.run(), subscriber.run())
    await turns()
    close(publisher if who == "publisher" else subscriber)
    assert await ends == [None, None]
    for stream in (left, right):
        with pytest.raises(TransportError, match="closed the stream"):
            await stream.receive_into(bytearray(1))


async def test_the_last_words_reach_a_peer_that_is_still_talking() -> None:
    left, right = stream_pair()
    connection = publishing(left)
    assert isinstance(connection.session, PublisherSession)
    connection.session.refuse_connection("too many")
    running = asyncio.create_task(connection.run())
    async with WireSubscriber(right) as peer:
        await peer.say(commands.DefineOperationalModes(modes=peer.modes), commands.MetadataRefresh())
        assert await peer.rest() == [responses.Failed(command=Command.CONNECT, text="too many")]
    assert await running is None


# --- how it can end


async def test_a_peer_that_breaks_the_rules_is_why_it_ended() -> None:
    left, right = stream_pair()
    running = asyncio.create_task(publishing(left).run())
    await right.send([b"GET / HTTP/1.1\r\n\r\n"])
    assert await right.receive_into(bytearray(99)) == 0
    await right.close()
    assert isinstance(await running, LimitError)


async def test_a_stream_that_ends_inside_a_frame_is_why_it_ended() -> None:
    left, right = stream_pair()
    running = asyncio.create_task(publishing(left).run())
    await right.send([b"\0\0\0\5\6"])
    await right.close()
    assert isinstance(await running, FrameError)


async def test_a_stream_that_breaks_is_why_it_ended() -> None:
    left, right = stream_pair()
    running = asyncio.create_task(subscribing(left).run())
    await turns()
    right.abort()
    error = await running
    assert isinstance(error, TransportError)
    assert "reset" in str(error)


async def test_a_refusal_is_why_it_ended() -> None:
    left, right = stream_pair()
    running = asyncio.create_task(subscribing(left).run())
    async with WirePublisher(right) as peer:
        await peer.say(responses.Failed(command=Command.CONNECT, text="not you"))
        await peer.rest()
    error = await running
    assert isinstance(error, RefusedError)
    assert error.reason == "not you"


async def test_silence_is_why_it_ended() -> None:
    left, _right = stream_pair()
    error = await publishing(left, config=PublisherConfig(first_command_timeout=0.001)).run()
    assert isinstance(error, SilenceError)


async def test_a_peer_that_fell_silent_is_not_waited_for_once_more() -> None:
    here, there = stream_pair()
    async with asyncio.timeout(LINGER / 2):
        error = await subscribing(here, config=SubscriberConfig(silence_timeout=0.01)).run()
    assert isinstance(error, SilenceError)
    await there.close()


async def test_what_the_application_lost_it_for_is_why_it_ended() -> None:
    left, right = stream_pair()
    connection = publishing(left)
    running = asyncio.create_task(connection.run())
    await turns()
    lost = TransportError("enough")
    connection.session.lose(lost, now=monotonic())
    connection.wake()
    await right.close()
    assert await running is lost


async def test_a_peer_that_takes_nothing_is_why_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "WRITE_TIMEOUT", 0.001)
    left, right = stream_pair(capacity=4)
    running = asyncio.create_task(subscribing(left).run())
    error = await running
    assert isinstance(error, TransportError)
    assert str(error) == "the peer took too little in 0.001 s"
    await right.close()


async def test_a_peer_that_does_not_take_the_end_of_the_stream_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stuck(MemoryStream):
        async def send_eof(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(module, "WRITE_TIMEOUT", 0.001)
    left, right = stream_pair()
    connection = publishing(left)
    left.__class__ = Stuck
    close(connection)
    async with asyncio.timeout(5):
        assert await connection.run() is None
    await right.close()


async def test_an_error_in_a_handler_is_not_swallowed_and_closes_the_stream() -> None:
    async def fail(event: object) -> None:
        raise ZeroDivisionError

    left, right = stream_pair()
    running = asyncio.create_task(publishing(left, fail).run())
    peer = WireSubscriber(right)
    await peer.say(commands.DefineOperationalModes(modes=peer.modes))
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(ZeroDivisionError)
    assert await right.receive_into(bytearray(99)) >= 0
    with pytest.raises(TransportError):
        await right.send([b"x"])


@pytest.mark.parametrize("when", ["reading", "handling", "writing"])
async def test_cancelling_closes_the_stream_whatever_it_was_doing(when: str) -> None:
    reached = asyncio.Event()

    async def handle(event: object) -> None:
        if when == "handling":
            reached.set()
            await asyncio.Event().wait()

    left, right = stream_pair(capacity=1 if when == "writing" else 1000)
    running = asyncio.create_task(publishing(left, handle).run())
    peer = WireSubscriber(right)
    saying = asyncio.create_task(peer.say(commands.DefineOperationalModes(modes=peer.modes)))
    if when == "handling":
        await reached.wait()
    await turns()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.gather(saying, return_exceptions=True)
    with pytest.raises(TransportError):
        await right.send([b"x"])


# --- backpressure


async def test_nothing_is_read_while_an_event_is_handled() -> None:
    """What the peer says meanwhile waits in the stream, and in the end the peer waits."""
    left, right = stream_pair(capacity=1000)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(event: SubscriberEvent) -> None:
        if isinstance(event, ModesAccepted):
            begun.set()
            await go_on.wait()

    connection = subscribing(left, handle)
    running = asyncio.create_task(connection.run())
    async with WirePublisher(right) as peer:
        await peer.settle()
        await begun.wait()
        before = connection.tally.bytes_received
        saying = asyncio.create_task(peer.say(*[responses.Notify(hash=bytes(4), text="x" * 500)] * 3))
        await turns()
        assert not saying.done()
        assert connection.tally.bytes_received == before
        go_on.set()
        await saying
        for _ in range(3):
            await peer.expect(commands.ConfirmNotification)
    assert await running is None


async def test_a_handler_that_takes_its_time_is_not_the_silence_of_the_peer() -> None:
    left, right = stream_pair()
    handled = asyncio.Event()

    async def handle(event: SubscriberEvent) -> None:
        if isinstance(event, ModesAccepted):
            deadline = connection.session.deadline
            assert deadline is not None
            while monotonic() < deadline + 0.001:  # noqa: ASYNC110 - nothing to wait for but the clock
                await asyncio.sleep(0)
            await turns()
            handled.set()

    connection = subscribing(left, handle, config=SubscriberConfig(silence_timeout=0.05))
    running = asyncio.create_task(connection.run())
    async with WirePublisher(right) as peer:
        await peer.settle()
        await handled.wait()
        await turns()
        assert not connection.session.ended
    assert await running is None


async def test_what_is_said_while_a_handler_takes_its_time_goes_out() -> None:
    """Also when the peer would have been given up by now, if anybody listened."""
    left, right = stream_pair()
    go_on = asyncio.Event()

    async def handle(event: SubscriberEvent) -> None:
        if isinstance(event, ModesAccepted):
            await go_on.wait()

    connection = subscribing(left, handle, config=SubscriberConfig(silence_timeout=0.05))
    session = connection.session
    assert isinstance(session, SubscriberSession)
    running = asyncio.create_task(connection.run())
    async with WirePublisher(right) as peer:
        await peer.settle()
        deadline = session.deadline
        assert deadline is not None
        while monotonic() < deadline + 0.01:  # noqa: ASYNC110 - nothing to wait for but the clock
            await asyncio.sleep(0)
        await turns()
        session.send_user_command(0, b"now")
        connection.wake()
        async with asyncio.timeout(5):
            assert await peer.expect(commands.UserCommand) == commands.UserCommand(number=0, payload=b"now")
        go_on.set()
        await turns()
        assert not session.ended
    assert await running is None


class Counting(MemoryStream):
    """A stream that writes down how much it is given at once."""

    sizes: list[int]

    async def send(self, buffers: Sequence[bytes | bytearray | memoryview], /) -> None:
        self.sizes.append(sum(map(len, buffers)))
        await super().send(buffers)


def counting(*, capacity: int = 64 * 1024) -> tuple[Counting, MemoryStream]:
    left, right = stream_pair(capacity=capacity)
    left.__class__ = Counting
    assert isinstance(left, Counting)
    left.sizes = []
    return left, right


async def test_a_long_message_is_given_to_the_stream_in_pieces() -> None:
    """How long a peer may take is counted for each: metadata of megabytes takes its time on a slow line."""
    left, right = counting()
    publisher = Answering(left)
    document = bytes(range(256)) * 8000

    async def handle(event: PublisherEvent) -> None:
        if isinstance(event, MetadataRequested):
            publisher.session.send_metadata(document)
        publisher.connection.wake()

    publisher.connection.handle = handle
    running = asyncio.create_task(publisher.connection.run())
    async with WireSubscriber(right) as peer:
        await peer.settle()
        await peer.say(commands.MetadataRefresh())
        assert await peer.expect(responses.Metadata) == responses.Metadata(document=document)
    assert await running is None
    assert max(left.sizes) == PIECE_SIZE
    assert sum(left.sizes) > len(document)
    assert publisher.connection.tally.bytes_sent == sum(left.sizes)


async def test_the_source_is_asked_for_more_only_while_there_is_room() -> None:
    left, right = counting(capacity=1000)
    publisher = Answering(left)
    supplied = 0

    def supply() -> bool:
        nonlocal supplied
        if publisher.session.signals is None or supplied == 100:
            return False
        supplied += 1
        publisher.session.send_user_response(0, bytes(10_000), command=0)
        return True

    publisher.connection = Connection(left, publisher.session, publisher.handle, supply=supply)
    running = asyncio.create_task(publisher.connection.run())
    async with WireSubscriber(right) as peer:
        await peer.subscribe("everything")
        await publisher.streaming.wait()
        await turns()
        assert supplied == 1 + WRITE_SIZE // 10_000, "one write, and then the peer has to read"
        for _ in range(100):
            await peer.expect(responses.UserResponse)
        assert supplied == 100
    assert await running is None


async def test_draining_waits_until_the_stream_has_taken_everything() -> None:
    left, right = stream_pair(capacity=100)
    publisher = Answering(left)
    running = asyncio.create_task(publisher.connection.run())
    async with WireSubscriber(right) as peer:
        await peer.settle()
        await publisher.connection.drained()
        publisher.session.send_user_response(0, bytes(1000), command=0)
        publisher.connection.wake()
        draining = asyncio.create_task(publisher.connection.drained())
        await turns()
        assert not draining.done()
        await peer.expect(responses.UserResponse)
        await draining
    assert await running is None


async def test_draining_waits_also_for_what_comes_while_something_is_being_sent() -> None:
    left, right = stream_pair(capacity=100)
    publisher = Answering(left)
    running = asyncio.create_task(publisher.connection.run())
    async with WireSubscriber(right) as peer:
        await peer.settle()
        await publisher.connection.drained()
        for _ in range(2):
            publisher.session.send_user_response(0, bytes(1000), command=0)
            publisher.connection.wake()
            await turns()
        draining = asyncio.create_task(publisher.connection.drained())
        await peer.expect(responses.UserResponse)
        await turns()
        assert not draining.done()
        await peer.expect(responses.UserResponse)
        await draining
    assert await running is None


async def test_draining_does_not_wait_for_a_connection_that_has_ended() -> None:
    left, right = stream_pair()
    connection = publishing(left)
    await right.close()
    assert await connection.run() is None
    connection.wake()
    await connection.drained()


async def test_signs_of_life_go_out_by_themselves() -> None:
    left, right = stream_pair()
    running = asyncio.create_task(publishing(left, config=PublisherConfig(noop_interval=0.001)).run())
    noop = bytes.fromhex("00000006ff0200000000")
    buffer = bytearray(len(noop))
    for _ in range(3):
        assert await right.receive_into(buffer) == len(noop)
        assert buffer == noop
    await right.close()
    assert await running is None


async def test_metadata_is_told_as_it_came() -> None:
    left, right = stream_pair()
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(event: SubscriberEvent) -> None:
        if isinstance(event, MetadataReceived):
            told.put_nowait(event.document)

    subscriber = subscribing(right, take)
    assert isinstance(subscriber.session, SubscriberSession)
    subscriber.session.refresh_metadata()
    publisher = Answering(left).connection
    ends = asyncio.gather(publisher.run(), subscriber.run())
    assert await told.get() == b"<metadata/>"
    close(subscriber)
    assert await ends == [None, None]
