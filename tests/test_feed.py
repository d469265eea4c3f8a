"""One connected subscriber, as its publisher serves it; the subscriber speaks `sttp.wire` and reads when it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import pytest

from sttp.backlog import PART_SIZE, Backlog
from sttp.catalogue import Catalogue
from sttp.codes import Command, ModeFlags, OperationalModes
from sttp.errors import LimitError, OverrunError, STTPError
from sttp.fan_out import FanOut
from sttp.feed import Feed
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.metadata import MeasurementRecord, Metadata, simulated_metadata
from sttp.peer_events import PeerEvents
from sttp.queues import Overflow
from sttp.session import PublisherConfig
from sttp.statistics import Tally
from sttp.transport import Link
from sttp.transport.memory import stream_pair
from sttp.wire import commands
from sttp.wire.fields import inflate, is_gzip
from sttp.wire.responses import ConfigurationChanged, DataPacket, DataStartTime, Failed, Succeeded, UpdateBaseTimes
from sttp.wire.responses import Metadata as MetadataResponse
from wire_peer import WireSubscriber

GRID = simulated_metadata(20)
EVERYTHING = "FILTER ActiveMeasurements WHERE True"
PLAIN = OperationalModes(flags=ModeFlags(0))
T = 638_000_000_000_000_000


@dataclass
class Served:
    """A feed that runs, and the subscriber at its other end."""

    feed: Feed
    peer: WireSubscriber
    link: Link
    tally: Tally
    backlog: Backlog
    running: asyncio.Task[STTPError | None]
    changes: list[bool] = field(default_factory=list)

    async def publish(self, batch: MeasurementBatch) -> None:
        while not self.backlog.append(batch):
            await self.backlog.room()


@asynccontextmanager
async def served(
    *,
    metadata: Metadata = GRID,
    overflow: Overflow = Overflow.WAIT,
    queue_limit: int = 1000,
    capacity: int = 64 * 1024,
    modes: OperationalModes = PLAIN,
) -> AsyncIterator[Served]:
    ours, theirs = stream_pair(capacity=capacity)
    link, tally, backlog, catalogue = Link(ours), Tally(), Backlog(queue_limit, overflow), Catalogue(metadata)
    changes: list[bool] = []
    feed = Feed(
        link,
        catalogue=lambda: catalogue,
        config=PublisherConfig(),
        backlog=backlog,
        fan_out=FanOut(),
        tally=tally,
        events=PeerEvents(),
        changed=lambda: changes.append(feed.active),
    )
    async with asyncio.TaskGroup() as tasks, WireSubscriber(theirs, modes) as peer:
        running = tasks.create_task(feed.run())
        yield Served(feed, peer, link, tally, backlog, running, changes)


def batch(*values: float, first: int = 0, signals: SignalTable = GRID.signals) -> MeasurementBatch:
    return MeasurementBatch.of(signals, range(first, first + len(values)), T, values)


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


# --- metadata


@pytest.mark.parametrize("flags", [ModeFlags(0), ModeFlags.COMPRESS_METADATA | ModeFlags.GZIP])
async def test_metadata_in_the_form_that_was_agreed(flags: ModeFlags) -> None:
    async with served(modes=OperationalModes(flags=flags)) as end:
        await end.peer.settle()
        await end.peer.say(commands.MetadataRefresh())
        document = (await end.peer.expect(MetadataResponse)).document
        assert is_gzip(document) is bool(flags)
        assert Metadata.read(inflate(document, limit=1 << 20, name="metadata")) == GRID
        assert end.link.useful


async def test_metadata_can_be_narrowed() -> None:
    async with served() as end:
        await end.peer.settle()
        await end.peer.say(commands.MetadataRefresh(filter_expression="FILTER TOP 3 MeasurementDetail WHERE True"))
        document = (await end.peer.expect(MetadataResponse)).document
        assert len(Metadata.read(document).signals) == 3


async def test_metadata_that_is_not_there_is_refused_and_the_conversation_goes_on() -> None:
    async with served() as end:
        await end.peer.settle()
        await end.peer.say(commands.MetadataRefresh(filter_expression="FILTER Elsewhere WHERE True"))
        refusal = await end.peer.expect(Failed)
        assert refusal.command == Command.METADATA_REFRESH
        assert "the metadata has no table Elsewhere\nFILTER Elsewhere WHERE True\n       ^" in refusal.text
        assert not end.link.useful
        await end.peer.say(commands.MetadataRefresh())
        await end.peer.expect(MetadataResponse)


async def test_metadata_that_cannot_be_written_is_refused_and_measurements_flow() -> None:
    metadata = Metadata.of(measurements=[MeasurementRecord(signal_id=UUID(int=1), key="A:1", tag="\x01")])
    async with served(metadata=metadata) as end:
        await end.peer.settle()
        await end.peer.say(commands.MetadataRefresh())
        refusal = await end.peer.expect(Failed)
        assert refusal.command == Command.METADATA_REFRESH
        assert "MeasurementDetail.PointTag: XML cannot hold the character" in refusal.text
        await end.peer.resubscribe(EVERYTHING)
        await turns()
        await end.publish(batch(2.0, signals=metadata.signals))
        assert await end.peer.values(1) == [(0, 2.0)]


# --- subscriptions


async def test_measurements_flow_once_the_signal_index_cache_is_confirmed() -> None:
    async with served() as end:
        assert not end.feed.active
        await end.publish(batch(1.0))
        assert await end.peer.subscribe(EVERYTHING) == SignalTable(GRID.signals.ids, GRID.signals.keys)
        await turns()
        assert end.feed.active
        assert end.link.useful
        assert end.changes == [True]
        await end.publish(batch(2.0, 3.0))
        assert await end.peer.values(2) == [(0, 2.0), (1, 3.0)], "nothing of before"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("FILTER Elsewhere WHERE True", "signals are selected from ActiveMeasurements, not from Elsewhere"),
        ("nobody", "ActiveMeasurements has no column nobody; a point tag stands in double quotes"),
    ],
)
async def test_a_filter_that_selects_from_what_is_not_there_is_refused(expression: str, reason: str) -> None:
    async with served() as end:
        await end.peer.settle()
        await end.peer.say(commands.Subscribe(connection_string=f"filterExpression={{{expression}}}"))
        refusal = await end.peer.expect(Failed)
        assert refusal.command == Command.SUBSCRIBE
        assert reason in refusal.text
        assert not end.feed.active
        assert not end.link.useful
        assert len(await end.peer.resubscribe("SIM:1;SIM:2")) == 2


async def test_a_refused_filter_leaves_the_subscription_as_it_was() -> None:
    """4.1"""
    async with served() as end:
        await end.peer.subscribe("SIM:3")
        await end.peer.say(commands.Subscribe(connection_string="filterExpression={FILTER Elsewhere WHERE True}"))
        await end.peer.expect(Failed)
        await end.publish(batch(*range(20)))
        assert await end.peer.values(1) == [(0, 2.0)]


async def test_signals_are_renumbered_and_others_left_out() -> None:
    async with served() as end:
        await end.peer.subscribe("SIM:7;SIM:2;SIM:9")
        await end.publish(batch(*range(20)))
        await end.publish(batch(90.0, 91.0, first=10))
        await end.publish(batch(6.5, first=6))
        assert await end.peer.values(4) == [(1, 1.0), (0, 6.0), (2, 8.0), (0, 6.5)]
        assert end.tally.measurements == 4


async def test_a_batch_may_have_a_signal_table_of_its_own() -> None:
    own = GRID.signals.select(np.array([19, 4, 0], np.intp))
    foreign = simulated_metadata(40).signals.select(np.arange(20, 40))
    async with served() as end:
        await end.peer.subscribe("SIM:1;SIM:5")
        await end.publish(batch(1.0, 2.0, 3.0, signals=own))
        await end.publish(batch(*range(20), signals=foreign))
        await end.publish(batch(4.0))
        assert await end.peer.values(3) == [(1, 2.0), (0, 3.0), (0, 4.0)]


async def test_more_signal_tables_than_are_remembered() -> None:
    async with served() as end:
        await end.peer.subscribe("SIM:1")
        for number in range(40):
            await end.publish(batch(number, signals=SignalTable(GRID.signals.ids)))
        assert await end.peer.values(40) == [(0, float(number)) for number in range(40)]


async def test_subscribing_anew_changes_what_flows() -> None:
    async with served() as end:
        await end.peer.subscribe("SIM:1")
        await end.publish(batch(1.0, 2.0, 3.0))
        assert await end.peer.values(1) == [(0, 1.0)]
        await end.peer.resubscribe("SIM:3;SIM:2")
        await turns()
        await end.publish(batch(1.0, 2.0, 3.0))
        assert await end.peer.values(2) == [(1, 2.0), (0, 3.0)]


async def test_a_large_batch_arrives_whole_and_in_order() -> None:
    count = 2 * PART_SIZE + 100
    values = np.arange(count, dtype=np.float32)
    async with served(queue_limit=10) as end:
        await end.peer.subscribe("SIM:5")
        columns = MeasurementBatch.of(GRID.signals, np.full(count, 4), T, values)
        publishing = asyncio.create_task(end.publish(columns))
        assert [value for _, value in await end.peer.values(count)] == values.tolist()
        await publishing
        assert end.tally.measurements == count


async def test_a_large_batch_is_encoded_in_pieces() -> None:
    """While one is encoded nobody else is served, and what is encoded takes memory until the subscriber takes it."""
    count = 20 * PART_SIZE
    async with served(capacity=1000) as end:
        await end.peer.subscribe("SIM:5")
        await end.publish(MeasurementBatch.of(GRID.signals, np.full(count, 4), T, 0.0))
        await turns()
        assert end.tally.measurements == PART_SIZE
        await end.peer.values(count)
        await end.feed.drained()
        assert end.tally.measurements == count


async def test_unsubscribing_forgets_the_rest_of_a_large_batch() -> None:
    count = 20 * PART_SIZE
    async with served(capacity=1000) as end:
        await end.peer.subscribe("SIM:5")
        await end.publish(MeasurementBatch.of(GRID.signals, np.full(count, 4), T, 1.0))
        await turns()
        await end.peer.say(commands.Unsubscribe())
        while not isinstance(await end.peer.hear(), Succeeded):
            pass
        await end.peer.resubscribe("SIM:5")
        await turns()
        await end.publish(batch(2.0, first=4))
        assert await end.peer.values(1) == [(0, 2.0)]


async def test_unsubscribing_forgets_what_waits() -> None:
    async with served(queue_limit=10, capacity=1000) as end:
        await end.peer.subscribe(EVERYTHING)
        publishing = asyncio.create_task(publish_many(end, 500))
        await turns()
        assert not publishing.done()
        await end.peer.say(commands.Unsubscribe())
        await publishing
        while not isinstance(message := await end.peer.hear(), Succeeded):
            assert isinstance(message, DataPacket | DataStartTime | UpdateBaseTimes)
        assert message.command == Command.UNSUBSCRIBE
        assert not end.feed.active
        assert end.changes == [True, False]
        assert end.feed.dropped == 0
        await end.publish(batch(1.0))
        await end.feed.drained()
        assert end.tally.measurements < 500


async def publish_many(end: Served, count: int) -> None:
    for number in range(count):
        await end.publish(batch(number))


# --- other commands


async def test_what_this_publisher_does_not_do_is_declined_and_what_nobody_knows_is_ignored() -> None:
    async with served() as end:
        await end.peer.settle()
        await end.peer.say(commands.RotateCipherKeys(), commands.UnknownCommand(code=0x4F))
        declined = await end.peer.expect(Failed)
        assert declined.command == Command.ROTATE_CIPHER_KEYS
        await end.peer.say(commands.Subscribe(connection_string="startTimeConstraint=*-1h; filterExpression={SIM:1}"))
        declined = await end.peer.expect(Failed)
        assert declined.command == Command.SUBSCRIBE
        assert "no archive" in declined.text
        assert len(await end.peer.resubscribe("SIM:1")) == 1


async def test_who_has_not_said_anything_yet_is_not_told_of_changes() -> None:
    async with served() as end:
        end.feed.follow()
        await end.peer.settle()
        end.feed.follow()
        await end.peer.expect(ConfigurationChanged)


# --- a subscriber that does not read

QUEUE = 40
MANY = 4_000
"""More than stream, writes under way and queue hold together."""


async def test_a_reader_that_stopped_makes_the_publisher_wait() -> None:
    async with served(overflow=Overflow.WAIT, queue_limit=QUEUE, capacity=1000) as end:
        await end.peer.subscribe(EVERYTHING)
        publishing = asyncio.create_task(publish_many(end, MANY))
        await turns()
        assert not publishing.done()
        assert [value for _, value in await end.peer.values(MANY)] == list(range(MANY))
        await publishing
        assert (end.feed.dropped, end.tally.measurements) == (0, MANY)


async def test_a_reader_that_stopped_loses_the_oldest() -> None:
    async with served(overflow=Overflow.DROP_OLDEST, queue_limit=QUEUE, capacity=1000) as end:
        await end.peer.subscribe(EVERYTHING)
        for number in range(MANY):
            await end.publish(batch(number))
            await asyncio.sleep(0)
        lost = end.feed.dropped
        assert lost > 0
        draining = asyncio.create_task(end.feed.drained())
        values = [value for _, value in await end.peer.values(MANY - lost)]
        await draining
        assert values == sorted(values)
        assert values[-QUEUE:] == list(range(MANY - QUEUE, MANY)), "the newest are kept"
        assert end.tally.measurements == MANY - lost


async def test_only_what_was_subscribed_to_counts_as_lost() -> None:
    async with served(overflow=Overflow.DROP_OLDEST, queue_limit=QUEUE, capacity=1000) as end:
        await end.peer.subscribe("SIM:2;SIM:30")
        for number in range(MANY):
            await end.publish(batch(-1.0, number, -1.0, -1.0))
            await asyncio.sleep(0)
        lost = end.feed.dropped
        assert lost > 0
        values = [value for _, value in await end.peer.values(MANY - lost)]
        await end.feed.drained()
        assert len(values) + lost == MANY
        assert -1.0 not in values


async def test_a_reader_that_stopped_can_be_disconnected_at_once() -> None:
    async with served(overflow=Overflow.DISCONNECT, queue_limit=QUEUE, capacity=1000) as end:
        await end.peer.subscribe(EVERYTHING)
        for number in range(MANY):
            await end.publish(batch(number))
            await asyncio.sleep(0)
        assert not end.feed.active
        async with asyncio.timeout(5):
            error = await end.running
        assert isinstance(error, OverrunError)
        await end.publish(batch(1.0))
        await end.feed.drained()


# --- the end


async def test_a_connection_can_be_refused_as_a_whole() -> None:
    ours, theirs = stream_pair()
    feed = Feed(
        Link(ours),
        catalogue=lambda: Catalogue(GRID),
        config=PublisherConfig(),
        backlog=Backlog(1, Overflow.WAIT),
        fan_out=FanOut(),
        tally=Tally(),
        events=PeerEvents(),
        changed=lambda: None,
    )
    feed.refuse("Connection refused: too many connections.")
    async with asyncio.TaskGroup() as tasks, WireSubscriber(theirs) as peer:
        running = tasks.create_task(feed.run())
        await peer.say(commands.DefineOperationalModes(modes=peer.modes))
        assert await peer.rest() == [Failed(command=Command.CONNECT, text="Connection refused: too many connections.")]
    assert await running is None


async def test_closing_ends_it_in_order() -> None:
    async with served() as end:
        await end.peer.subscribe(EVERYTHING)
        await end.publish(batch(1.0))
        await end.feed.drained()
        end.feed.close()
        assert [type(each) for each in await end.peer.rest()] == [DataStartTime, UpdateBaseTimes, DataPacket]
    assert await end.running is None


@pytest.mark.parametrize("waits", [False, True])
async def test_nobody_waits_for_a_subscriber_that_is_gone(waits: bool) -> None:
    async with served(queue_limit=QUEUE, capacity=1000) as end:
        await end.peer.subscribe(EVERYTHING)
        publishing = asyncio.create_task(publish_many(end, MANY if waits else 1))
        await turns()
        assert publishing.done() is not waits
        end.peer.stream.abort()
        await publishing
        await end.running
        assert not end.feed.active
        await end.publish(batch(1.0))
        await end.feed.drained()


async def test_nobody_waits_for_a_subscriber_whose_session_has_ended_though_bytes_for_it_are_stuck() -> None:
    async with served(queue_limit=QUEUE, capacity=1000) as end:
        await end.peer.subscribe(EVERYTHING)
        publishing = asyncio.create_task(publish_many(end, MANY))
        await turns()
        assert not publishing.done()
        await end.peer.stream.send([b"GET / HTTP/1.1\r\n\r\n"])
        async with asyncio.timeout(5):
            await publishing
        end.peer.stream.abort()
        assert isinstance(await end.running, LimitError)


async def test_a_peer_that_breaks_the_rules_ends_its_own_connection() -> None:
    async with served() as end:
        await end.peer.stream.send([b"GET / HTTP/1.1\r\n\r\n"])
        assert await end.peer.rest() == []
    assert isinstance(await end.running, LimitError)
