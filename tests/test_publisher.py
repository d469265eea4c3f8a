"""The publisher with real subscribers, or with peers that read only when they are told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import numpy as np
import pytest

from open_files import open_files
from sttp import MeasurementBatch, Overflow, Publisher, Subscriber
from sttp.catalogue import Catalogue
from sttp.codes import Command, ModeFlags, OperationalModes
from sttp.errors import ClosedError, EndpointError, TransportError, UsageError
from sttp.measurement import Columns
from sttp.metadata import simulated_metadata
from sttp.session import PublisherConfig
from sttp.transport import RedialPolicy, SocketStream, load_plugins
from sttp.transport.memory import MemoryTransport
from sttp.wire import commands
from sttp.wire.responses import Failed, Succeeded
from sttp.wire.responses import Metadata as MetadataResponse
from wire_peer import WireSubscriber

GRID = simulated_metadata(4)
EVERYTHING = "FILTER ActiveMeasurements WHERE True"
PLAIN = OperationalModes(flags=ModeFlags(0))
SOON = RedialPolicy(base=1e-6, cap=1e-6)
T = 638_000_000_000_000_000


def batch(value: float, count: int = 1) -> MeasurementBatch:
    """The first signals, all with one value."""
    return MeasurementBatch.of(GRID.signals, range(count), T, value)


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let things happen until the condition holds; what never happens runs into the time limit of the test."""
    while not condition():
        await turns(1)


@asynccontextmanager
async def wire_subscriber(
    memory: MemoryTransport, expression: str | None = EVERYTHING
) -> AsyncIterator[WireSubscriber]:
    """A subscriber under this test's control; with an expression measurements flow to it."""
    async with WireSubscriber(await memory.dial("hub"), PLAIN) as peer:
        if expression is not None:
            await peer.subscribe(expression)
        yield peer


async def values(peer: WireSubscriber, count: int) -> list[float]:
    """Hear so many measurements."""
    return [value for _, value in await peer.values(count)]


# --- endpoints


def test_a_publisher_needs_an_endpoint() -> None:
    with pytest.raises(UsageError, match="at least one endpoint"):
        Publisher(metadata=GRID)


def test_an_endpoint_that_cannot_be_understood() -> None:
    with pytest.raises(EndpointError, match="no plugin provides 'tpc'"):
        Publisher("tcp://:7165", "tpc://:7165", metadata=GRID)


async def test_endpoints_that_listen_say_where(memory: MemoryTransport) -> None:
    urls = ("tcp://127.0.0.1:0", "reverse+memory://elsewhere", "memory://hub")
    publisher = Publisher(*urls, metadata=GRID)
    assert publisher.listening == ()
    async with publisher:
        tcp, hub = publisher.listening
        assert hub == "memory://hub"
        assert tcp.startswith("tcp://127.0.0.1:")
        assert not tcp.endswith(":0")
        assert publisher.metadata is GRID
        assert publisher.signals is GRID.signals


async def test_an_address_that_is_taken_leaves_nothing_open(memory: MemoryTransport) -> None:
    taken = await memory.listen("taken")
    with pytest.raises(TransportError, match="in use"):
        async with Publisher("memory://hub", "memory://taken", metadata=GRID):
            raise AssertionError
    await taken.close()
    async with Publisher("memory://hub", "memory://taken", metadata=GRID) as publisher:
        assert len(publisher.listening) == 2


async def test_forward_and_reverse_endpoints_serve_alike(memory: MemoryTransport) -> None:
    urls = ("memory://hub", "reverse+memory://dmz", "tcp://127.0.0.1:0")
    async with (
        Subscriber("reverse+memory://dmz") as dialed,
        Publisher(*urls, metadata=GRID, redial=SOON) as publisher,
        Subscriber("memory://hub") as dialing,
        Subscriber(publisher.listening[1]) as over_tcp,
    ):
        await until(lambda: publisher.statistics.subscriptions == 3)
        await publisher.publish(batch(60.0, 4))
        for subscriber in (dialed, dialing, over_tcp):
            async for received in subscriber.measurements():
                assert received.value.tolist() == [60.0] * 4
                break
        assert publisher.statistics.measurements == 12


async def test_an_endpoint_that_nobody_can_dial_is_told_to_whoever_publishes() -> None:
    async with Publisher("reverse+tcp://127.0.0.1:0", metadata=GRID) as publisher:
        with pytest.raises(EndpointError, match="can be listened on but not dialed"):
            await publisher.wait_for_subscription()
        with pytest.raises(EndpointError, match="can be listened on but not dialed"):
            await publisher.publish(batch(1.0))


# --- waiting


async def test_what_nobody_has_subscribed_to_goes_nowhere(memory: MemoryTransport) -> None:
    async with Publisher("memory://hub", metadata=GRID, overflow=Overflow.WAIT, queue_limit=1) as publisher:
        async with wire_subscriber(memory, expression=None):
            for _ in range(10):
                await publisher.publish(batch(1.0))
            await publisher.drain()
        assert publisher.statistics.measurements == 0
        assert publisher.statistics.dropped == 0


@pytest.mark.parametrize("index", [-1, len(GRID.signals)])
async def test_an_index_without_a_signal_is_refused(memory: MemoryTransport, index: int) -> None:
    columns = Columns.empty(1)._replace(signal_index=np.array([index], np.int32))
    async with Publisher("memory://hub", metadata=GRID) as publisher:
        with pytest.raises(UsageError, match="beyond its table"):
            await publisher.publish(MeasurementBatch(columns, publisher.signals))


async def test_waiting_for_a_subscription_and_again_after_it_has_ended(memory: MemoryTransport) -> None:
    async with Publisher("memory://hub", metadata=GRID) as publisher:
        waiting = asyncio.create_task(publisher.wait_for_subscription())
        await turns()
        assert not waiting.done()
        async with wire_subscriber(memory) as peer:
            await waiting
            await publisher.wait_for_subscription()
            await peer.say(commands.Unsubscribe())
            await until(lambda: not publisher.statistics.subscriptions)
            waiting = asyncio.create_task(publisher.wait_for_subscription())
            await turns()
            assert not waiting.done()
        async with wire_subscriber(memory):
            await waiting


async def test_nobody_waits_for_a_publisher_that_was_closed(memory: MemoryTransport) -> None:
    async with Publisher("memory://hub", metadata=GRID) as publisher:
        waiting = asyncio.create_task(publisher.wait_for_subscription())
        await turns()
    with pytest.raises(ClosedError, match="this publisher has been closed"):
        await waiting
    with pytest.raises(ClosedError, match="this publisher has been closed"):
        await publisher.wait_for_subscription()


async def test_draining_waits_for_the_slowest(memory: MemoryTransport) -> None:
    async with (
        Publisher("memory://hub", metadata=GRID, overflow=Overflow.WAIT) as publisher,
        wire_subscriber(memory) as quick,
        wire_subscriber(memory) as slow,
    ):
        await until(lambda: publisher.statistics.subscriptions == 2)
        for number in range(3000):
            await publisher.publish(batch(number, 4))
        draining = asyncio.create_task(publisher.drain())
        assert len(await values(quick, 12_000)) == 12_000
        await turns()
        assert not draining.done()
        assert len(await values(slow, 12_000)) == 12_000
        await draining


# --- a reader that stopped, and another that reads

QUEUE = 100
MANY = 10_000
"""Measurements: more than the stream, a write under way and the queue hold together."""
AT_ONCE = 50


@asynccontextmanager
async def two_readers(
    memory: MemoryTransport, overflow: Overflow
) -> AsyncIterator[tuple[Publisher, WireSubscriber, WireSubscriber]]:
    async with (
        Publisher("memory://hub", metadata=GRID, overflow=overflow, queue_limit=QUEUE) as publisher,
        wire_subscriber(memory) as stopped,
        wire_subscriber(memory) as reading,
    ):
        await until(lambda: publisher.statistics.subscriptions == 2)
        yield publisher, stopped, reading


async def publish_many(publisher: Publisher) -> None:
    """Values that count."""
    for start in range(0, MANY, AT_ONCE):
        values = range(start, start + AT_ONCE)
        await publisher.publish(MeasurementBatch.of(publisher.signals, [0] * AT_ONCE, T, values))
        await turns(5)


async def test_wait_loses_nothing_and_goes_on_with_the_slowest(memory: MemoryTransport) -> None:
    async with two_readers(memory, Overflow.WAIT) as (publisher, stopped, reading):
        publishing = asyncio.create_task(publish_many(publisher))
        hearing = asyncio.create_task(values(reading, MANY))
        before = -1
        while publisher.statistics.measurements != before:
            before = publisher.statistics.measurements
            await turns()
        assert not publishing.done()
        assert await values(stopped, MANY) == list(range(MANY))
        assert await hearing == list(range(MANY))
        await publishing
        assert publisher.statistics.dropped == 0
        assert publisher.statistics.measurements == 2 * MANY


async def stuck(publisher: Publisher, first: float, count: int) -> tuple[asyncio.Task[None], float]:
    """Publish until one subscriber is too slow; the batch that waits, and its value."""
    while True:
        publishing = asyncio.create_task(publisher.publish(batch(first, count)))
        await turns()
        if not publishing.done():
            return publishing, first
        first += 1


async def hear(peer: WireSubscriber, into: list[float]) -> None:
    with suppress(TransportError):
        while True:
            into += await values(peer, 1)


async def test_a_large_batch_that_waits_is_not_overtaken_by_a_small_one(memory: MemoryTransport) -> None:
    async with (
        Publisher("memory://hub", metadata=GRID, overflow=Overflow.WAIT, queue_limit=11) as publisher,
        wire_subscriber(memory) as peer,
    ):
        waiting, last = await stuck(publisher, 0.0, 4)
        overtaking = asyncio.create_task(publisher.publish(batch(last + 1)))
        await turns()
        expected = [value for value in range(int(last) + 1) for _ in range(4)] + [last + 1]
        async with asyncio.timeout(10):
            assert await values(peer, len(expected)) == expected
        await asyncio.gather(waiting, overtaking)


async def test_while_one_is_waited_for_the_others_get_each_measurement_once(memory: MemoryTransport) -> None:
    async with (
        Publisher("memory://hub", metadata=GRID, overflow=Overflow.WAIT, queue_limit=4000) as publisher,
        wire_subscriber(memory) as before,
        wire_subscriber(memory) as slow,
        wire_subscriber(memory) as behind,
    ):
        await until(lambda: publisher.statistics.subscriptions == 3)
        heard: list[list[float]] = [[], []]
        hearing = [asyncio.create_task(hear(*each)) for each in zip((before, behind), heard, strict=True)]
        feed = list(publisher._feeds)[1]
        last = 0

        async def publish(value: float, count: int) -> None:
            await publisher.publish(MeasurementBatch.of(GRID.signals, [0] * count, T, value))

        def waiting() -> int:
            part = feed._place.part
            assert part is not None
            return publisher._backlog._end.before - part.before

        while waiting() < 3400:  # some are left: small batches fit, a large one does not
            await publish(last, 100)
            last += 1
            await turns()
        publisher._hurry = 0

        async def several() -> None:
            for value, count in ((last, 100), (last + 1, 100), (last + 2, 100), (last + 3, 500)):
                await publish(value, count)

        publishing = asyncio.create_task(several())
        await turns()
        assert not publishing.done()
        expected = [value for value in range(last + 3) for _ in range(100)] + [last + 3] * 500
        assert await values(slow, len(expected)) == expected
        await publishing
        await publisher.publish(batch(-1.0))
        await until(lambda: all(-1.0 in each for each in heard))
        assert heard == [[*expected, -1.0]] * 2
        for task in hearing:
            task.cancel()


async def test_who_unsubscribes_while_another_is_waited_for_gets_nothing_of_it_later(memory: MemoryTransport) -> None:
    async with (
        Publisher("memory://hub", metadata=GRID, overflow=Overflow.WAIT, queue_limit=11) as publisher,
        wire_subscriber(memory) as slow,
        wire_subscriber(memory) as other,
    ):
        await until(lambda: publisher.statistics.subscriptions == 2)
        hearing = asyncio.create_task(hear(other, []))
        waiting, _ = await stuck(publisher, 0.0, 4)
        hearing.cancel()
        await asyncio.wait({hearing})
        await other.say(commands.Unsubscribe())
        while not isinstance(await other.hear(), Succeeded):
            pass
        slow.stream.abort()
        await waiting
        await other.resubscribe(EVERYTHING)
        await publisher.publish(batch(-1.0))
        assert await values(other, 1) == [-1.0], "what was published while it had unsubscribed is not for it"


async def test_drop_oldest_does_not_touch_the_other_and_counts_what_is_lost(memory: MemoryTransport) -> None:
    async with two_readers(memory, Overflow.DROP_OLDEST) as (publisher, stopped, reading):
        hearing = asyncio.create_task(values(reading, MANY))
        await publish_many(publisher)
        assert await hearing == list(range(MANY))
        lost = publisher.statistics.dropped
        assert 0 < lost < MANY
        late = await values(stopped, MANY - lost)
        assert late[-QUEUE:] == list(range(MANY - QUEUE, MANY)), "the newest have been kept"
        await publisher.drain()
        assert publisher.statistics.measurements + publisher.statistics.dropped == 2 * MANY


async def test_disconnect_ends_the_one_and_does_not_touch_the_other(memory: MemoryTransport) -> None:
    async with two_readers(memory, Overflow.DISCONNECT) as (publisher, stopped, reading):
        hearing = asyncio.create_task(values(reading, MANY))
        await publish_many(publisher)
        assert await hearing == list(range(MANY))
        assert (publisher.statistics.connected, publisher.statistics.subscriptions) == (1, 1)
        with pytest.raises(TransportError):
            await stopped.rest()


async def test_what_a_subscriber_lost_still_counts_when_it_is_gone(memory: MemoryTransport) -> None:
    async with two_readers(memory, Overflow.DROP_OLDEST) as (publisher, stopped, reading):
        hearing = asyncio.create_task(values(reading, MANY))
        await publish_many(publisher)
        await hearing
        lost = publisher.statistics.dropped
        stopped.stream.abort()
        await until(lambda: publisher.statistics.connected == 1)
        assert publisher.statistics.dropped == lost > 0


# --- connections


async def test_one_connection_too_many_is_refused_in_words(memory: MemoryTransport) -> None:
    async with (
        Publisher("memory://hub", metadata=GRID, max_connections=1) as publisher,
        wire_subscriber(memory) as peer,
    ):
        async with wire_subscriber(memory, expression=None) as refused:
            await refused.say(commands.DefineOperationalModes(modes=PLAIN))
            assert await refused.rest() == [
                Failed(command=Command.CONNECT, text="Connection refused: too many connections.")
            ]
        await publisher.publish(batch(60.0))
        assert await values(peer, 1) == [60.0]
        assert publisher.statistics.connections == 2


async def test_who_was_refused_takes_nobodys_place(memory: MemoryTransport) -> None:
    """It is given a moment to read why; meanwhile the place may have become free."""
    async with Publisher("memory://hub", metadata=GRID, max_connections=1) as publisher:
        async with wire_subscriber(memory):
            lingering = WireSubscriber(await memory.dial("hub"), PLAIN)
            await lingering.expect(Failed)
            assert publisher.statistics.connected == 1
        await until(lambda: publisher.statistics.connected == 0)
        async with wire_subscriber(memory) as peer:
            await publisher.publish(batch(60.0))
            assert await values(peer, 1) == [60.0]
        await lingering.stream.close()


async def test_a_mistake_of_ours_in_one_connection_costs_no_other(
    memory: MemoryTransport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(catalogue: Catalogue, filter_expression: str, modes: OperationalModes) -> bytes:
        if filter_expression:
            raise ZeroDivisionError("a mistake")
        return await document(catalogue, filter_expression, modes)

    document = Catalogue.document
    monkeypatch.setattr(Catalogue, "document", fail)
    async with Publisher("memory://hub", metadata=GRID) as publisher, wire_subscriber(memory) as well:
        async with wire_subscriber(memory, expression=None) as ill:
            await ill.settle()
            await ill.say(commands.MetadataRefresh(filter_expression="FILTER DeviceDetail WHERE True"))
            assert await ill.rest() == []
        await until(lambda: publisher.statistics.connected == 1)
        await publisher.publish(batch(60.0))
        assert await values(well, 1) == [60.0]
        await well.say(commands.MetadataRefresh())
        await well.expect(MetadataResponse)
        async with wire_subscriber(memory) as later:
            await publisher.publish(batch(61.0))
            assert await values(later, 1) == [61.0]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "hub#2: internal error"
    assert record.exc_info is not None


async def test_a_peer_that_breaks_the_rules_costs_no_other(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sttp.publisher")
    async with Publisher("memory://hub", metadata=GRID) as publisher, wire_subscriber(memory) as well:
        async with wire_subscriber(memory) as ill:
            await ill.say(commands.DefineOperationalModes(modes=OperationalModes()))
            assert await ill.rest() == []
        await publisher.publish(batch(60.0))
        assert await values(well, 1) == [60.0]
    (reason,) = [message for message in caplog.messages if message.startswith("hub#2: disconnected: ")]
    assert reason.endswith("may not say DEFINE_OPERATIONAL_MODES while streaming (wire.md 9)")


async def test_a_peer_that_says_nothing_is_not_kept(memory: MemoryTransport) -> None:
    config = PublisherConfig(first_command_timeout=0.01)
    async with (
        Publisher("memory://hub", metadata=GRID, config=config) as publisher,
        wire_subscriber(memory, expression=None) as silent,
    ):
        assert await silent.rest() == []
        assert publisher.statistics.subscriptions == 0


async def test_a_dialing_publisher_tries_again_and_again(memory: MemoryTransport) -> None:
    async with Publisher("reverse+memory://dmz", metadata=GRID, redial=SOON) as publisher:
        await turns()
        listener = await memory.listen("dmz")
        for _ in range(3):
            async with WireSubscriber(await listener.accept(), PLAIN) as peer:
                await peer.subscribe(EVERYTHING)
                await publisher.wait_for_subscription()
                await publisher.publish(batch(60.0))
                assert await values(peer, 1) == [60.0]
            await until(lambda: publisher.statistics.connected == 0)
        assert publisher.statistics.connections == 3
        await listener.close()


# --- statistics


async def test_statistics_add_up(memory: MemoryTransport) -> None:
    async with Publisher("memory://hub", metadata=GRID, overflow=Overflow.WAIT) as publisher:
        async with AsyncExitStack() as stack:
            subscribers = [await stack.enter_async_context(Subscriber("memory://hub")) for _ in range(2)]
            some = await stack.enter_async_context(Subscriber("memory://hub", filter="SIM:1;SIM:3"))
            await until(lambda: publisher.statistics.subscriptions == 3)
            assert publisher.statistics.connected == 3
            for number in range(50):
                await publisher.publish(batch(number, 4))
            await publisher.drain()
            await until(lambda: some.statistics.measurements == 100)
            await until(lambda: all(each.statistics.measurements == 200 for each in subscribers))
            ours, theirs = publisher.statistics, [each.statistics for each in (*subscribers, some)]
            assert ours.measurements == sum(each.measurements for each in theirs) == 500
            assert ours.bytes_sent == sum(each.bytes_received for each in theirs)
            assert ours.bytes_received == sum(each.bytes_sent for each in theirs)
            assert ours.dropped == sum(each.dropped + each.gaps for each in theirs) == 0
            assert all(0 < each.packet_bytes < each.bytes_received for each in theirs)
            assert all(each.packets > 0 for each in theirs)
        await until(lambda: publisher.statistics.connected == 0)
        assert publisher.statistics.connections == 3
        assert publisher.statistics.subscriptions == 0
        assert publisher.statistics.measurements == 500


# --- the end


async def test_closing_lets_subscribers_have_what_is_under_way(memory: MemoryTransport) -> None:
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(Publisher("memory://hub", metadata=GRID))
        peer = await stack.enter_async_context(wire_subscriber(memory))
        await publisher.wait_for_subscription()
        await publisher.publish(batch(60.0))
        await publisher.drain()
        closing = asyncio.create_task(publisher.__aexit__(None, None, None))
        assert await values(peer, 1) == [60.0]
        assert await peer.rest() == []
        await peer.stream.close()
        await closing
        stack.pop_all()


async def test_closing_cuts_off_who_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sttp.publisher.CLOSE_TIMEOUT", 0.05)
    tcp = load_plugins().transports["tcp"]
    publisher = Publisher("tcp://127.0.0.1:0", metadata=GRID, overflow=Overflow.WAIT, queue_limit=1)
    await publisher.__aenter__()
    peer = WireSubscriber(await tcp.dial(publisher.listening[0].removeprefix("tcp://")), PLAIN)
    await peer.subscribe(EVERYTHING)
    await publisher.wait_for_subscription()
    flood = MeasurementBatch.of(GRID.signals, [0] * 1_000_000, T, 0.0)
    publishing = asyncio.create_task(publish_for_ever(publisher, flood))
    await until(lambda: publisher.statistics.bytes_sent > 100_000)
    before = -1
    while publisher.statistics.bytes_sent != before:
        before = publisher.statistics.bytes_sent
        await turns(2000)
    async with asyncio.timeout(3):  # a stream that is closed in order would try for five seconds
        await publisher.__aexit__(None, None, None)
    publishing.cancel()
    with pytest.raises(TransportError):
        await peer.rest()
    await peer.stream.close()
    await asyncio.gather(publishing, return_exceptions=True)


async def publish_for_ever(publisher: Publisher, what: MeasurementBatch) -> None:
    while True:
        await publisher.publish(what)
        await asyncio.sleep(0)


async def stream_and_leave(prefix: str, how: str) -> None:
    """Two ends over TCP, measurements under way that nobody takes, and then the end of both."""
    streaming = asyncio.Event()

    async def use() -> None:
        async with AsyncExitStack() as ends:
            if prefix:
                subscriber = await ends.enter_async_context(Subscriber("reverse+tcp://127.0.0.1:0", queue_limit=10))
                assert subscriber.listening is not None
                publisher = await ends.enter_async_context(Publisher(subscriber.listening, metadata=GRID))
            else:
                publisher = await ends.enter_async_context(Publisher("tcp://127.0.0.1:0", metadata=GRID))
                await ends.enter_async_context(Subscriber(publisher.listening[0], queue_limit=10))
            await publisher.wait_for_subscription()
            for number in range(2000):
                await publisher.publish(batch(number, 4))
            streaming.set()
            if how == "failed":
                raise ZeroDivisionError
            if how == "cancelled":
                await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await streaming.wait()
    if how == "cancelled":
        using.cancel()
    (outcome,) = await asyncio.gather(using, return_exceptions=True)
    assert type(outcome) is {"left": type(None), "cancelled": asyncio.CancelledError, "failed": ZeroDivisionError}[how]


@pytest.mark.parametrize("how", ["left", "cancelled", "failed"])
@pytest.mark.parametrize("prefix", ["", "reverse+"], ids=["forward", "reverse"])
async def test_nothing_is_left_behind(prefix: str, how: str) -> None:
    await stream_and_leave(prefix, how)
    tasks, files = asyncio.all_tasks(), open_files()
    await stream_and_leave(prefix, how)
    assert asyncio.all_tasks() == tasks
    assert open_files() == files


async def test_batches_that_come_alone_go_at_once_and_those_that_come_together_go_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []

    def note(name: str) -> None:
        call = getattr(SocketStream, name)

        def noted(self: SocketStream, buffers: Sequence[bytes]) -> object:
            sent.append(name)
            return call(self, buffers)

        monkeypatch.setattr(SocketStream, name, noted)

    async with (
        Publisher("tcp://127.0.0.1:0", metadata=GRID) as publisher,
        Subscriber(publisher.listening[0], with_metadata=False) as subscriber,
    ):
        await publisher.wait_for_subscription()
        batches = subscriber.measurements()

        async def publish(count: int) -> list[str]:
            sent.clear()
            for number in range(count):
                await publisher.publish(batch(number))
            came = 0
            while came < count:
                came += len(await anext(batches))
            await publisher.drain()
            return sent.copy()

        note("send"), note("send_now")
        await publish(1)
        assert await publish(1) == ["send_now"]
        assert await publish(5) == ["send_now", "send"]
        assert await publish(5) == ["send"]
        assert await publish(1) == ["send"]
        assert await publish(1) == ["send_now"]


GOOD = MeasurementBatch.of(GRID.signals, range(4), T, 1.0).columns
WRONG = {
    "fewer times": GOOD._replace(ticks=GOOD.ticks[:1]),
    "more values": GOOD._replace(value=np.zeros(5, np.float32)),
    "signal indexes of 64 bits": GOOD._replace(signal_index=GOOD.signal_index.astype(np.int64)),
    "values of 64 bits": GOOD._replace(value=GOOD.value.astype(np.float64)),
    "the other byte order": GOOD._replace(ticks=GOOD.ticks.astype(GOOD.ticks.dtype.newbyteorder())),
    "two dimensions": Columns(*(column.reshape(2, 2) for column in GOOD)),
}


@pytest.mark.parametrize("columns", WRONG.values(), ids=WRONG.keys())
async def test_columns_that_are_not_as_they_should_be_are_refused_and_cost_nobody_anything(
    columns: Columns, memory: MemoryTransport
) -> None:
    async with Publisher("memory://hub", metadata=GRID) as publisher, wire_subscriber(memory) as peer:
        await publisher.wait_for_subscription()
        with pytest.raises(UsageError, match="columns have"):
            await publisher.publish(MeasurementBatch(columns, publisher.signals))
        await publisher.publish(batch(1.0, 4))
        assert await values(peer, 4) == [1.0] * 4


@pytest.mark.parametrize("size", [1_000, 17_000, 20_000, 40_000, 100_000])
async def test_who_keeps_up_loses_nothing_whatever_the_size_of_the_batches(size: int) -> None:
    async with (
        Publisher("tcp://127.0.0.1:0", metadata=GRID, queue_limit=300_000) as publisher,
        Subscriber(publisher.listening[0], with_metadata=False) as subscriber,
    ):
        await publisher.wait_for_subscription()
        columns = MeasurementBatch.of(publisher.signals, np.arange(size) % 4, T, np.arange(size))
        total, came = -(-2_000_000 // size) * size, 0
        publishing = asyncio.create_task(publish_again(publisher, columns, total // size))
        async for received in subscriber.measurements():
            came += len(received)
            if came == total:
                break
        await publishing
        assert publisher.statistics.dropped == 0


async def publish_again(publisher: Publisher, columns: MeasurementBatch, times: int) -> None:
    for _ in range(times):
        await publisher.publish(columns)
