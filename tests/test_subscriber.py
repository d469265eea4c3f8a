"""The subscriber with real publishers, or with peers that do what they are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from sttp import Encoding, MeasurementBatch, Metadata, Overflow, Publisher, Subscriber
from sttp.codes import Command, ModeFlags, OperationalModes
from sttp.errors import (
    ClosedError,
    EndpointError,
    MetadataError,
    RefusedError,
    TransportError,
    UsageError,
)
from sttp.intake import Intake
from sttp.measurement import Columns
from sttp.metadata import simulated_metadata
from sttp.metadata.records import DeviceRecord
from sttp.session import SubscriberConfig
from sttp.transport import RedialPolicy
from sttp.transport.memory import MemoryTransport
from sttp.wire import commands, responses
from sttp.wire.responses import Failed
from wire_peer import WirePublisher

GRID = simulated_metadata(4)
SOON = RedialPolicy(base=1e-6, cap=1e-6)
T = 638_000_000_000_000_000

DIRECTIONS = {"forward": "", "reverse": "reverse+"}
both_directions = pytest.mark.parametrize("prefix", DIRECTIONS.values(), ids=DIRECTIONS)


def batch(*values: float) -> MeasurementBatch:
    return MeasurementBatch.of(GRID.signals, range(len(values)), T, values)


def columns(*values: float) -> Columns:
    return batch(*values).columns


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let things happen until the condition holds; what never happens runs into the time limit of the test."""
    while not condition():
        await turns(1)


async def next_batch(subscriber: Subscriber) -> MeasurementBatch:
    async for received in subscriber.measurements():
        return received
    raise AssertionError("measurements have ended")


@asynccontextmanager
async def ends(prefix: str, **settings: object) -> AsyncIterator[tuple[Publisher, Subscriber]]:
    """A publisher and a subscriber, connected over memory in one of the directions."""
    async with AsyncExitStack() as stack:
        publisher = Publisher(f"{prefix}memory://hub", metadata=GRID, redial=SOON)
        subscriber = Subscriber(f"{prefix}memory://hub", redial=SOON, **settings)
        for end in (subscriber, publisher) if prefix else (publisher, subscriber):
            await stack.enter_async_context(end)
        yield publisher, subscriber


@asynccontextmanager
async def wire_publisher(memory: MemoryTransport) -> AsyncIterator[WirePublisher]:
    """A publisher under this test's control, dialing a subscriber that listens at `hub`."""
    async with WirePublisher(await memory.dial("hub")) as peer:
        yield peer


# --- endpoints and settings


def test_an_endpoint_that_cannot_be_understood() -> None:
    with pytest.raises(EndpointError, match="no plugin provides 'tpc'"):
        Subscriber("tpc://hub")


def test_a_filter_that_cannot_be_sent() -> None:
    with pytest.raises(UsageError, match="brace without its partner"):
        Subscriber("tcp://hub", filter="FILTER ActiveMeasurements WHERE Tag = '}'")


async def test_an_address_that_is_taken(memory: MemoryTransport) -> None:
    await memory.listen("hub")
    with pytest.raises(TransportError, match="in use"):
        async with Subscriber("reverse+memory://hub"):
            raise AssertionError


async def test_only_an_end_that_listens_says_where(memory: MemoryTransport) -> None:
    subscriber = Subscriber("reverse+tcp://127.0.0.1:0")
    assert subscriber.listening is None
    async with subscriber:
        assert subscriber.listening is not None
        assert subscriber.listening.startswith("reverse+tcp://127.0.0.1:")
        assert not subscriber.listening.endswith(":0")
    async with Subscriber("memory://hub", redial=SOON) as dialing:
        assert dialing.listening is None


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("flags", [ModeFlags(0), ModeFlags.EVERYTHING_COMPRESSED])
async def test_the_encoding_is_asked_for_and_other_modes_stay(
    memory: MemoryTransport, encoding: Encoding, flags: ModeFlags
) -> None:
    config = SubscriberConfig(modes=OperationalModes(version=3, flags=flags))
    async with Subscriber("reverse+memory://hub", encoding=encoding, config=config), wire_publisher(memory) as peer:
        modes = (await peer.expect(commands.DefineOperationalModes)).modes
        tssc = ModeFlags.TSSC | ModeFlags.COMPRESS_PAYLOAD_DATA
        everyones = ModeFlags.RECEIVE_INTERNAL_METADATA | ModeFlags.RECEIVE_EXTERNAL_METADATA
        assert modes.compress_payload_data is (encoding is Encoding.TSSC)
        assert modes.flags & ~tssc == flags & ~tssc | everyones
        assert modes.version == 3


# --- measurements


@both_directions
async def test_measurements_have_names_and_a_publisher(memory: MemoryTransport, prefix: str) -> None:
    async with ends(prefix) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        await publisher.publish(batch(59.9, 60.1))
        first, second = await next_batch(subscriber)
        assert (first.signal, first.publisher) == (GRID.signals[0], str(GRID.node_id))
        assert (second.signal, second.ticks) == (GRID.signals[1], T)
        assert second.value == float(np.float32(60.1))
        assert subscriber.metadata == GRID


async def test_closing_ends_the_iteration(memory: MemoryTransport) -> None:
    async with ends("") as (publisher, subscriber):
        await publisher.wait_for_subscription()
        waiting = asyncio.create_task(collect(subscriber))
        await publisher.publish(batch(1.0))
        await turns()
    assert await waiting == [1.0]
    assert await collect(subscriber) == []


async def collect(subscriber: Subscriber) -> list[float]:
    return [value async for received in subscriber.measurements() for value in received.value.tolist()]


async def test_an_endpoint_that_nobody_can_dial_is_told_to_whoever_waits() -> None:
    async with Subscriber("tcp://127.0.0.1:0") as subscriber:
        asking = asyncio.create_task(subscriber.refresh_metadata())
        with pytest.raises(EndpointError, match="can be listened on but not dialed"):
            await next_batch(subscriber)
        with pytest.raises(EndpointError, match="can be listened on but not dialed"):
            await asking
        with pytest.raises(EndpointError, match="can be listened on but not dialed"):
            await subscriber.refresh_metadata()


# --- refusals


async def test_a_first_subscription_that_is_refused_is_told_to_whoever_dialed(memory: MemoryTransport) -> None:
    async with ends("", filter="FILTER Elsewhere WHERE True") as (publisher, subscriber):
        for _ in range(2):
            with pytest.raises(RefusedError, match="signals are selected from ActiveMeasurements, not from Elsewhere"):
                await next_batch(subscriber)
        await until(lambda: publisher.statistics.connected == 0)
        assert publisher.statistics.connections == 1, "asking again would not mend it"


async def test_who_listens_waits_for_a_publisher_that_does_not_refuse(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    async with Subscriber("reverse+memory://hub") as subscriber:
        async with wire_publisher(memory) as peer:
            await peer.settle()
            await peer.give_metadata()
            await peer.expect(commands.Subscribe)
            await peer.say(Failed(command=Command.SUBSCRIBE, text="no such table"))
            assert await peer.rest() == []
        await until(lambda: subscriber.statistics.connected == 0)
        async with wire_publisher(memory) as peer:
            await peer.stream_to(GRID)
            await peer.send(columns(60.0))
            assert (await next_batch(subscriber)).value.tolist() == [60.0]
    assert "hub#1: disconnected: the peer refused the subscription: no such table" in caplog.messages


async def test_a_subscription_that_was_accepted_once_is_asked_for_again(memory: MemoryTransport) -> None:
    listener = await memory.listen("hub")
    async with Subscriber("memory://hub", redial=SOON) as subscriber:
        for accepted in (True, False, True):
            async with WirePublisher(await listener.accept()) as peer:
                await peer.settle()
                await peer.give_metadata(GRID)
                if accepted:
                    await peer.accept(GRID.signals)
                    await peer.send(columns(60.0))
                    assert len(await next_batch(subscriber)) == 1
                else:
                    await peer.expect(commands.Subscribe)
                    await peer.say(Failed(command=Command.SUBSCRIBE, text="not now"))
                    assert await peer.rest() == []
        assert subscriber.statistics.connections == 3
    await listener.close()


# --- a publisher that comes back


@both_directions
async def test_a_publisher_that_comes_back_finds_the_subscription(memory: MemoryTransport, prefix: str) -> None:
    received: list[float] = []
    async with AsyncExitStack() as stack:
        first = Publisher(f"{prefix}memory://hub", metadata=GRID, redial=SOON)
        subscriber = Subscriber(f"{prefix}memory://hub", redial=SOON)
        for end in (subscriber, first) if prefix else (first, subscriber):
            await stack.enter_async_context(end)
        taking = asyncio.create_task(take(subscriber, received))
        await first.wait_for_subscription()
        await first.publish(batch(1.0))
        await until(lambda: received == [1.0])
        await first.__aexit__(None, None, None)
        for number in (2.0, 3.0):
            async with Publisher(f"{prefix}memory://hub", metadata=GRID, redial=SOON) as again:
                await again.wait_for_subscription()
                await again.publish(batch(number))
                await until(lambda: received[-1] == number)  # noqa: B023 - it is awaited here
        assert received == [1.0, 2.0, 3.0]
        assert subscriber.statistics.reconnects == 2
    await taking


async def take(subscriber: Subscriber, received: list[float]) -> None:
    async for each in subscriber.measurements():
        received += each.value.tolist()


@both_directions
async def test_a_publisher_that_comes_back_over_tcp_finds_the_subscription(prefix: str) -> None:
    """The same port is listened on again at once."""
    received: list[float] = []
    async with AsyncExitStack() as stack:
        url = f"{prefix}tcp://127.0.0.1:0"
        if prefix:
            subscriber = await stack.enter_async_context(Subscriber(url))
            assert subscriber.listening is not None
            url = subscriber.listening
            first = await stack.enter_async_context(Publisher(url, metadata=GRID, redial=SOON))
        else:
            first = await stack.enter_async_context(Publisher(url, metadata=GRID))
            (url,) = first.listening
            # as often as can be would keep one of few processors from everybody else
            soon = RedialPolicy(base=0.01, cap=0.01)
            subscriber = await stack.enter_async_context(Subscriber(url, redial=soon))
        taking = asyncio.create_task(take(subscriber, received))
        await first.wait_for_subscription()
        await first.publish(batch(1.0))
        await until(lambda: received == [1.0])
        await first.__aexit__(None, None, None)
        async with Publisher(url, metadata=GRID, redial=SOON) as again:
            await again.wait_for_subscription()
            await again.publish(batch(2.0))
            await until(lambda: received == [1.0, 2.0])
    await taking


async def test_a_connection_that_breaks_in_the_middle_is_made_again(memory: MemoryTransport) -> None:
    listener = await memory.listen("hub")
    async with Subscriber("memory://hub", redial=SOON) as subscriber:
        for number in range(3):
            peer = WirePublisher(await listener.accept())
            await peer.stream_to(GRID)
            await peer.send(columns(number))
            assert (await next_batch(subscriber)).value.tolist() == [number]
            peer.stream.abort()
        assert subscriber.statistics.reconnects >= 2
    await listener.close()


async def test_a_connection_that_is_ending_is_nobody_to_talk_to(memory: MemoryTransport) -> None:
    """Ours has ended; the publisher, which broke the rules, has not closed its side yet."""
    async with (
        Subscriber("reverse+memory://hub", max_publishers=2) as subscriber,
        wire_publisher(memory) as well,
        wire_publisher(memory) as ill,
    ):
        await well.stream_to(GRID)
        await ill.stream_to(GRID)
        await ill.stream.send([b"HTTP/1.1 400 Bad Request\r\n\r\n"])
        assert await ill.rest() == []
        assert subscriber.statistics.connected == 2
        subscriber.send_user_command(1, b"ping")
        assert await well.expect(commands.UserCommand) == commands.UserCommand(number=1, payload=b"ping")
        subscriber.unsubscribe()
        await well.expect(commands.Unsubscribe)
        await well.stream.close()
        await until(lambda: subscriber.statistics.connected == 1)
        with pytest.raises(UsageError, match="no publisher is connected"):
            subscriber.send_user_command(1, b"ping")
        with pytest.raises(TransportError, match="the connection ended before the answer came"):
            await subscriber.subscribe("SIM:1")


async def test_a_connection_that_is_refused_is_tried_again(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """7.12: too many at once, for example; it says nothing of what is asked for."""
    listener = await memory.listen("hub")
    async with Subscriber("memory://hub", redial=SOON) as subscriber:
        async with WirePublisher(await listener.accept()) as peer:
            await peer.say(Failed(command=Command.CONNECT, text="too many"))
            await peer.rest()
        async with WirePublisher(await listener.accept()) as peer:
            await peer.stream_to(GRID)
            await peer.send(columns(60.0))
            assert (await next_batch(subscriber)).value.tolist() == [60.0]
    await listener.close()
    assert "hub: disconnected: the peer refused the connection: too many" in caplog.messages


# --- more than one publisher


async def test_who_listens_turns_a_second_publisher_away(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    async with Subscriber("reverse+memory://hub") as subscriber:
        async with wire_publisher(memory) as first:
            await first.stream_to(GRID)
            async with wire_publisher(memory) as second:
                assert await second.rest() == [], "not a word, so that it can tell (9.7)"
            await first.send(columns(60.0))
            assert (await next_batch(subscriber)).value.tolist() == [60.0]
            assert subscriber.statistics.connected == 1
            assert subscriber.statistics.connections == 1
        await until(lambda: subscriber.statistics.connected == 0)
        async with wire_publisher(memory) as third:
            await third.stream_to(GRID)
            await third.send(columns(61.0))
            assert (await next_batch(subscriber)).value.tolist() == [61.0]
    assert "hub#2: turned away, 1 connected already" in caplog.messages


async def test_a_publisher_that_was_turned_away_gets_its_turn(memory: MemoryTransport) -> None:
    """It dials again and again, and is there when the first one leaves."""
    async with Subscriber("reverse+memory://hub") as subscriber, AsyncExitStack() as stack:
        first = await stack.enter_async_context(Publisher("reverse+memory://hub", metadata=GRID, redial=SOON))
        await first.wait_for_subscription()
        second = Publisher("reverse+memory://hub", metadata=GRID, redial=SOON)
        async with second:
            await until(lambda: second.statistics.connections > 3)
            assert second.statistics.subscriptions == 0
            await stack.aclose()
            await second.wait_for_subscription()
            await second.publish(batch(2.0))
            assert (await next_batch(subscriber)).value.tolist() == [2.0]


async def test_several_publishers_are_told_apart(memory: MemoryTransport) -> None:
    def node(number: int) -> Metadata:
        device = DeviceRecord(acronym=f"D{number}", node_id=UUID(int=number))
        return Metadata.of(devices=[device], measurements=GRID.measurements)

    async with AsyncExitStack() as stack:
        subscriber = await stack.enter_async_context(Subscriber("reverse+memory://hub", max_publishers=2))
        for number in (1, 2):
            publisher = await stack.enter_async_context(Publisher("reverse+memory://hub", metadata=node(number)))
            await publisher.wait_for_subscription()
            await publisher.publish(batch(number))
        received = [await next_batch(subscriber) for _ in range(2)]
        assert {each.publisher: each.value.tolist() for each in received} == {
            str(UUID(int=1)): [1.0],
            str(UUID(int=2)): [2.0],
        }
        assert subscriber.statistics.connected == 2


async def test_a_mistake_of_ours_in_one_connection_costs_no_other(
    memory: MemoryTransport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    take_metadata = Intake._take_metadata

    async def fail(intake: Intake, document: bytes) -> None:
        if b"poison" in document:
            raise ZeroDivisionError("a mistake")
        await take_metadata(intake, document)

    monkeypatch.setattr(Intake, "_take_metadata", fail)
    async with (
        Subscriber("reverse+memory://hub", max_publishers=2) as subscriber,
        wire_publisher(memory) as well,
    ):
        await well.stream_to(GRID)
        async with wire_publisher(memory) as ill:
            await ill.settle()
            await ill.expect(commands.MetadataRefresh)
            await ill.say(responses.Metadata(document=b"poison"))
            await ill.expect(commands.Subscribe)
            assert await ill.rest() == []
        await until(lambda: subscriber.statistics.connected == 1)
        await well.send(columns(60.0))
        assert (await next_batch(subscriber)).value.tolist() == [60.0]
        async with wire_publisher(memory) as later:
            await later.stream_to(GRID)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "hub#2: internal error"


# --- metadata


@both_directions
async def test_metadata_is_asked_for_as_soon_as_somebody_is_connected(memory: MemoryTransport, prefix: str) -> None:
    async with AsyncExitStack() as stack:
        publisher = Publisher(f"{prefix}memory://hub", metadata=GRID, redial=SOON)
        subscriber = Subscriber(f"{prefix}memory://hub", filter=None, redial=SOON)
        await stack.enter_async_context(subscriber)
        asking = asyncio.create_task(subscriber.refresh_metadata())
        await turns()
        assert not asking.done()
        assert subscriber.metadata is None
        await stack.enter_async_context(publisher)
        assert await asking == GRID
        assert subscriber.metadata == GRID
        part = await subscriber.refresh_metadata("FILTER TOP 1 MeasurementDetail WHERE True")
        assert len(part.measurements) == 1


@both_directions
async def test_metadata_that_is_refused(memory: MemoryTransport, prefix: str) -> None:
    async with ends(prefix, filter=None) as (publisher, subscriber):
        with pytest.raises(RefusedError, match="the metadata has no table Elsewhere"):
            await subscriber.refresh_metadata("FILTER Elsewhere WHERE True")
        assert await subscriber.refresh_metadata() == GRID, "the connection is none the worse for it"
        assert publisher.statistics.connections == 1


async def test_metadata_that_cannot_be_read(memory: MemoryTransport) -> None:
    async with Subscriber("reverse+memory://hub", filter=None) as subscriber, wire_publisher(memory) as peer:
        asking = asyncio.create_task(subscriber.refresh_metadata())
        await peer.settle()
        await peer.expect(commands.MetadataRefresh)
        await peer.say(responses.Metadata(document=b"<DataSet><"))
        with pytest.raises(MetadataError):
            await asking
        assert subscriber.metadata is None


async def test_metadata_that_the_connection_does_not_live_to_see(memory: MemoryTransport) -> None:
    async with Subscriber("reverse+memory://hub", filter=None) as subscriber:
        async with wire_publisher(memory) as peer:
            asking = asyncio.create_task(subscriber.refresh_metadata())
            await peer.settle()
            await peer.expect(commands.MetadataRefresh)
        with pytest.raises(TransportError, match="hub#1: the connection ended before the answer came"):
            await asking


async def test_nobody_waits_for_metadata_of_a_subscriber_that_was_closed(memory: MemoryTransport) -> None:
    async with Subscriber("reverse+memory://hub", filter=None) as subscriber:
        asking = asyncio.create_task(subscriber.refresh_metadata())
        await turns()
    with pytest.raises(ClosedError, match="this subscriber has been closed"):
        await asking
    with pytest.raises(ClosedError, match="this subscriber has been closed"):
        await subscriber.refresh_metadata()


# --- an application that does not take


async def flood(peer: WirePublisher, count: int) -> None:
    """Values that count."""
    for number in range(count):
        await peer.send(columns(number))


async def test_wait_holds_the_publisher_up_and_loses_nothing(memory: MemoryTransport) -> None:
    async with (
        Subscriber("reverse+memory://hub", overflow=Overflow.WAIT, queue_limit=10) as subscriber,
        wire_publisher(memory) as peer,
    ):
        await peer.stream_to(GRID)
        flooding = asyncio.create_task(flood(peer, 3000))
        before = -1
        while subscriber.statistics.bytes_received != before:
            before = subscriber.statistics.bytes_received
            await turns()
        assert not flooding.done()
        received: list[float] = []
        taking = asyncio.create_task(take(subscriber, received))
        await flooding
        await until(lambda: len(received) == 3000)
        assert received == list(range(3000))
        assert subscriber.statistics.dropped == 0
    await taking


async def test_drop_oldest_keeps_the_newest_and_counts_the_others(memory: MemoryTransport) -> None:
    async with (
        Subscriber("reverse+memory://hub", overflow=Overflow.DROP_OLDEST, queue_limit=10) as subscriber,
        wire_publisher(memory) as peer,
    ):
        await peer.stream_to(GRID)
        for number in range(100):
            await peer.send(columns(number))
            await turns(5)
        await until(lambda: subscriber.statistics.measurements == 100)
        lost = subscriber.statistics.dropped
        received: list[float] = []
        taking = asyncio.create_task(take(subscriber, received))
        await until(lambda: len(received) == 100 - lost)
        assert received == list(range(lost, 100))
        assert lost >= 80
        assert subscriber.statistics.gaps == 0, "nothing was lost on the way"
    await taking


async def test_disconnect_starts_anew(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    listener = await memory.listen("hub")
    async with Subscriber("memory://hub", overflow=Overflow.DISCONNECT, queue_limit=10, redial=SOON) as subscriber:
        async with WirePublisher(await listener.accept()) as peer:
            await peer.stream_to(GRID)
            with pytest.raises(TransportError):
                await flood(peer, 100_000)
        received: list[float] = []
        taking = asyncio.create_task(take(subscriber, received))
        async with WirePublisher(await listener.accept()) as peer:
            await peer.stream_to(GRID)
            await peer.send(columns(-1.0))
            await until(lambda: received[-1:] == [-1.0])
    await taking
    await listener.close()
    assert "hub: disconnected: more than 10 measurements are waiting to be taken" in caplog.messages


# --- statistics


async def test_statistics_add_up_over_connections(memory: MemoryTransport) -> None:
    size, listener = 0, await memory.listen("hub")
    async with Subscriber("memory://hub", redial=SOON) as subscriber:
        assert subscriber.statistics == replace(subscriber.statistics, connections=0, connected=0, measurements=0)
        for number in (1, 2):
            async with WirePublisher(await listener.accept()) as peer:
                await peer.stream_to(GRID)
                await peer.send(columns(1.0, 2.0))
                await peer.send(columns(3.0))
                await peer.send(columns(4.0)._replace(signal_index=np.array([7], np.int32)))
                size += 3 * 15 + 4 * 17
                await until(lambda: subscriber.statistics.gaps == number)  # noqa: B023 - it is awaited here
            statistics = subscriber.statistics
            assert statistics.connections == number
            assert statistics.reconnects == number - 1
            assert statistics.measurements == 3 * number
            assert statistics.dropped == number
            assert statistics.packets == 3 * number
            assert statistics.packet_bytes == size
            assert statistics.bytes_per_measurement == size / (3 * number)
            assert statistics.bytes_received > size
            assert statistics.bytes_sent > 0
            await until(lambda: subscriber.statistics.connected == 0)
    await listener.close()
