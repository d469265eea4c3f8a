"""One connected publisher, as its subscriber takes from it; it speaks `sttp.wire` and says what it is told."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pytest

from sttp.codes import Command, DataPacketFlags, OperationalModes
from sttp.errors import (
    MetadataError,
    OverrunError,
    ProtocolError,
    RefusedError,
    STTPError,
    TransportError,
)
from sttp.intake import SMALL, Intake
from sttp.measurement import Columns, MeasurementBatch
from sttp.metadata import Metadata, simulated_metadata
from sttp.metadata.records import DeviceRecord, MeasurementRecord
from sttp.peer_events import PeerEvents
from sttp.queues import BatchQueue, Overflow
from sttp.session import SubscriberConfig
from sttp.session.events import SubscriberEvent
from sttp.statistics import Tally
from sttp.transport import Link, PeerIdentity
from sttp.transport.memory import MemoryStream, stream_pair
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket, Failed, Succeeded
from sttp.wire.signal_index_cache import SignalIndexCache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from wire_peer import WirePublisher

GRID = simulated_metadata(3)
OTHER = simulated_metadata(30)
OPTIONS = SubscriptionOptions(filter_expression="FILTER ActiveMeasurements WHERE True")
T = 638_000_000_000_000_000
PACKET = 4 + 6 + 5
"""Bytes of a data packet besides its body."""


@dataclass
class Taking:
    """An intake that runs, and the publisher at its other end."""

    intake: Intake
    peer: WirePublisher
    link: Link
    queue: BatchQueue
    batches: AsyncIterator[MeasurementBatch]
    tally: Tally
    events: PeerEvents[SubscriberEvent]
    metadata: list[Metadata]
    running: asyncio.Task[STTPError | None]

    async def batch(self) -> MeasurementBatch:
        return await anext(self.batches)


@asynccontextmanager
async def taking(
    options: SubscriptionOptions | None = OPTIONS,
    *,
    with_metadata: bool = True,
    queue: BatchQueue | None = None,
    identity: PeerIdentity | None = None,
    config: SubscriberConfig = SubscriberConfig(),  # noqa: B008 - immutable
) -> AsyncIterator[Taking]:
    ours, theirs = stream_pair(peers=("pdc:7165", "us"))
    if identity is not None:
        ours.__class__ = type("Known", (MemoryStream,), {"identity": identity})
    link, tally, changes = Link(ours), Tally(), []
    queue = queue or BatchQueue(1000, Overflow.WAIT)
    events: PeerEvents[SubscriberEvent] = PeerEvents()
    intake = Intake(
        link,
        options=options,
        with_metadata=with_metadata,
        config=config,
        queue=queue,
        events=events,
        tally=tally,
        metadata_changed=changes.append,
    )
    async with asyncio.TaskGroup() as tasks, WirePublisher(theirs) as peer:
        running = tasks.create_task(intake.run())
        yield Taking(intake, peer, link, queue, queue.batches(), tally, events, changes, running)


def columns(*values: float, index: int = 0) -> Columns:
    count = len(values)
    return Columns(
        np.arange(index, index + count, dtype=np.int32),
        np.full(count, T, np.int64),
        np.zeros(count, np.uint32),
        np.array(values, np.float32),
    )


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


# --- from the connection to measurements


async def test_metadata_is_fetched_before_the_subscription_so_that_signals_have_names() -> None:
    async with taking() as end:
        await end.peer.settle()
        assert await end.peer.give_metadata(GRID) == ""
        assert await end.peer.accept(GRID.signals) == OPTIONS
        assert end.metadata == [GRID]
        assert end.link.useful
        await end.peer.send(columns(1.0, 2.0, 3.0))
        batch = await end.batch()
        assert [(each.signal.tag, each.value) for each in batch] == list(zip(GRID.signals.tags, (1, 2, 3), strict=True))
        assert batch.signals == GRID.signals


async def test_without_a_filter_nothing_is_asked_for() -> None:
    async with taking(options=None) as end:
        await end.peer.settle()
        await turns()
        asking = asyncio.create_task(end.intake.request_metadata(""))
        assert await end.peer.give_metadata(GRID) == ""
        assert await asking == GRID
        assert end.link.useful, "that was all that it was there for"


@pytest.mark.parametrize(
    "answer",
    [
        responses.Metadata(document=b""),
        Failed(command=Command.METADATA_REFRESH, text="not for you"),
        responses.Metadata(document=b"<DataSet><"),
    ],
    ids=["none", "refused", "unreadable"],
)
async def test_without_metadata_it_subscribes_all_the_same(
    answer: responses.AnyResponse, caplog: pytest.LogCaptureFixture
) -> None:
    async with taking() as end:
        await end.peer.settle()
        await end.peer.expect(commands.MetadataRefresh)
        await end.peer.say(answer)
        await end.peer.accept(GRID.signals)
        await end.peer.send(columns(1.0))
        (measurement,) = await end.batch()
        assert (measurement.signal.signal_id, measurement.signal.tag) == (GRID.signals[0].signal_id, "")
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == (
        answer != responses.Metadata(document=b"")
    )


async def test_a_refused_subscription_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    async with taking() as end:
        await end.peer.settle()
        await end.peer.give_metadata(GRID)
        await end.peer.expect(commands.Subscribe)
        await end.peer.say(Failed(command=Command.SUBSCRIBE, text="no such table"))
        assert await end.peer.rest() == []
    assert await end.running is None
    assert end.intake.refused is not None
    assert end.intake.refused.reason == "no such table"
    assert not end.link.useful


async def test_measurements_of_one_read_are_one_batch_and_all_are_counted() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        await end.peer.send(columns(*[0.0, 1.0, 2.0]))
        assert len(await end.batch()) == 3
        before = end.tally.packet_bytes
        assert before == PACKET + 3 * 17
        await end.peer.say(
            *(DataPacket(flags=DataPacketFlags.COMPACT, count=0, body=b"") for _ in range(2)),
        )
        await end.peer.send(columns(7.0))
        while end.tally.packets < 4:
            await turns()
        assert end.tally.packet_bytes == before + 3 * PACKET + 17
        assert end.tally.measurements == 4
        assert (end.tally.gaps, end.tally.dropped) == (0, 0)


async def test_signals_that_may_not_be_had_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with taking() as end:
        await end.peer.settle()
        await end.peer.give_metadata(GRID)
        await end.peer.expect(commands.Subscribe)
        cache = SignalIndexCache(subscriber_id=UUID(int=1), signals=GRID.signals, unauthorised=(UUID(int=8),) * 2)
        image = write_signal_index_cache(cache, end.peer.modes)
        await end.peer.say(responses.UpdateSignalIndexCache(cache_index=0, image=image))
        await end.peer.expect(commands.ConfirmUpdateSignalIndexCache)
    assert "2 signals may not be had" in caplog.text


async def test_two_caches_are_told_apart() -> None:
    """5.4: after a handover, packets of the old cache may still come."""
    async with taking() as end:
        await end.peer.stream_to(OTHER)
        swapped = OTHER.signals.select(np.array([1, 0], np.intp))
        image = write_signal_index_cache(SignalIndexCache(subscriber_id=UUID(int=1), signals=swapped), end.peer.modes)
        await end.peer.say(responses.UpdateSignalIndexCache(cache_index=1, image=image))
        await end.peer.expect(commands.ConfirmUpdateSignalIndexCache)
        tags = []
        for slot in (DataPacketFlags(0), DataPacketFlags.CACHE_INDEX, DataPacketFlags(0)):
            body = bytes.fromhex("00 00000000 42700000") + T.to_bytes(8, "big")
            await end.peer.say(DataPacket(flags=DataPacketFlags.COMPACT | slot, count=1, body=body))
            (measurement,) = await end.batch()
            tags.append(measurement.signal.tag)
        assert tags == [OTHER.signals.tags[0], OTHER.signals.tags[1], OTHER.signals.tags[0]]


# --- metadata on request


async def test_metadata_that_is_asked_for_comes_with_its_filter() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        asking = asyncio.create_task(end.intake.request_metadata("FILTER TOP 1 DeviceDetail WHERE True"))
        assert await end.peer.give_metadata(OTHER) == "FILTER TOP 1 DeviceDetail WHERE True"
        assert await asking == OTHER
        assert end.metadata == [GRID, OTHER]


async def test_a_part_of_the_metadata_takes_no_names_away() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        asking = asyncio.create_task(end.intake.request_metadata("FILTER TOP 0 MeasurementDetail WHERE True"))
        await end.peer.give_metadata()
        assert await asking == Metadata()
        await end.peer.send(columns(1.0))
        (measurement,) = await end.batch()
        assert (measurement.signal.tag, measurement.publisher) == (GRID.signals.tags[0], str(GRID.node_id))


async def test_metadata_that_is_refused() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        asking = asyncio.create_task(end.intake.request_metadata(""))
        await end.peer.expect(commands.MetadataRefresh)
        await end.peer.say(Failed(command=Command.METADATA_REFRESH, text="not now"))
        with pytest.raises(RefusedError, match="the peer refused the metadata refresh: not now"):
            await asking
        await end.peer.send(columns(1.0))
        assert len(await end.batch()) == 1, "it costs nothing else"


async def test_metadata_that_is_never_sent() -> None:
    """8.2: some publishers do not answer what they do not allow."""
    async with taking(config=SubscriberConfig(reply_timeout=0.05)) as end:
        await end.peer.stream_to(GRID)
        asking = asyncio.create_task(end.intake.request_metadata(""))
        with pytest.raises(RefusedError, match=r"no answer within 0\.05 s"):
            await asking


async def test_metadata_that_cannot_be_read() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        asking = asyncio.create_task(end.intake.request_metadata(""))
        await end.peer.expect(commands.MetadataRefresh)
        await end.peer.say(responses.Metadata(document=b"<DataSet><"))
        with pytest.raises(MetadataError):
            await asking
        assert end.metadata == [GRID]
        await end.peer.send(columns(1.0))
        (measurement,) = await end.batch()
        assert measurement.signal.tag == GRID.signals.tags[0]


async def test_metadata_that_the_connection_does_not_live_to_see() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        asking = [asyncio.create_task(end.intake.request_metadata("")) for _ in range(2)]
        await end.peer.expect(commands.MetadataRefresh)
        await end.peer.stream.close()
        for each in asking:
            with pytest.raises(TransportError, match="pdc:7165: the connection ended before the answer came"):
                await each
    assert await end.running is None


async def test_metadata_of_a_connection_that_has_ended() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        end.intake.close()
        with pytest.raises(TransportError, match="the connection ended before the answer came"):
            await end.intake.request_metadata("")
    assert await end.running is None
    with pytest.raises(TransportError, match="the connection ended before the answer came"):
        await end.intake.request_metadata("")


async def test_answers_belong_to_requests_in_their_order_also_when_one_is_given_up() -> None:
    async with taking() as end:
        await end.peer.stream_to(Metadata())
        asking = [asyncio.create_task(end.intake.request_metadata("")) for _ in range(3)]
        await turns()
        asking[0].cancel()
        for metadata in (Metadata(), GRID, OTHER):
            await end.peer.give_metadata(metadata)
        assert await asking[1] == GRID
        assert await asking[2] == OTHER
        assert asking[0].cancelled()


async def test_changed_metadata_is_fetched_and_signals_get_their_new_names() -> None:
    signal = MeasurementRecord(signal_id=GRID.signals[0].signal_id, key="SIM:1", tag="RENAMED")
    renamed = Metadata.of(devices=[DeviceRecord(acronym="D")], measurements=[signal])
    async with taking() as end:
        await end.peer.stream_to(GRID)
        await end.peer.say(responses.ConfigurationChanged())
        await end.peer.give_metadata(renamed)
        while end.metadata[-1] != renamed:
            await turns()
        await end.peer.send(columns(1.0))
        (measurement,) = await end.batch()
        assert measurement.signal.tag == "RENAMED"


async def test_many_changes_in_a_row_are_fetched_once_more_not_many_times() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        for _ in range(50):
            await end.peer.say(responses.ConfigurationChanged())
        await turns()
        await end.peer.give_metadata(GRID)  # asked for at the first change, and perhaps too early for the others
        await end.peer.give_metadata(OTHER)
        while end.metadata[-1] != OTHER:
            await turns()
        await end.peer.send(columns(1.0))
        await end.batch()
        assert end.intake.session.deadline is not None
        assert not end.intake._requests


async def test_large_metadata_does_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    large = simulated_metadata(1000)
    assert len(large.write()) > SMALL
    read, turned = Metadata.read, threading.Event()
    read_by: list[threading.Thread] = []

    def seen(document: bytes, **settings: object) -> Metadata:
        read_by.append(threading.current_thread())
        assert turned.wait(10), "the loop stood still"
        return read(document, **settings)

    monkeypatch.setattr(Metadata, "read", seen)
    async with taking() as end:
        await end.peer.settle()
        await end.peer.give_metadata(large)
        while not read_by:
            await turns()
        turned.set()
        await end.peer.accept(large.signals)
        assert end.metadata == [large]
    assert read_by != [threading.main_thread()]


# --- data that cannot be used


async def test_what_cannot_be_used_is_counted_and_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        for _ in range(3):
            await end.peer.send(columns(1.0, 2.0, index=7))
        await end.peer.send(columns(1.0))
        assert len(await end.batch()) == 1, "nothing comes of the others"
        assert (end.tally.gaps, end.tally.dropped, end.tally.measurements) == (3, 6, 1)
    complaints = [message for message in caplog.messages if "data dropped" in message]
    assert complaints == [f"{GRID.node_id}: data dropped: signal indexes that are not in the signal index cache"]


async def test_complaints_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A peer could have a new reason each time."""
    async with taking(config=SubscriberConfig(modes=OperationalModes())) as end:
        await end.peer.stream_to(GRID)
        for sequence in range(2, 60):
            body = bytes([85]) + sequence.to_bytes(2, "big")
            await end.peer.say(DataPacket(flags=DataPacketFlags.COMPRESSED, count=1, body=body))
        await end.peer.send(columns(1.0))
        await end.batch()
        assert end.tally.gaps == 58
    assert len([message for message in caplog.messages if "data dropped" in message]) == 20


async def test_a_publisher_that_breaks_the_rules_is_why_it_ended() -> None:
    async with taking() as end:
        await end.peer.stream_to(GRID)
        await end.peer.stream.send([b"HTTP/1.1 400 Bad Request\r\n\r\n"])
        assert await end.peer.rest() == []
    assert isinstance(await end.running, ProtocolError)


# --- an application that does not take


async def test_an_application_that_stopped_makes_the_publisher_wait() -> None:
    async with taking(queue=BatchQueue(10, Overflow.WAIT)) as end:
        await end.peer.stream_to(GRID)

        async def send() -> None:
            for _ in range(2000):
                await end.peer.send(columns(*range(3)))

        sending = asyncio.create_task(send())
        while end.tally.measurements < 6:
            await turns()
        await turns()
        assert not sending.done()
        received = 0
        while received < 6000:
            received += len(await end.batch())
        await sending
        assert end.queue.dropped == 0


async def test_an_application_that_stopped_can_cost_it_the_connection() -> None:
    async with taking(queue=BatchQueue(10, Overflow.DISCONNECT)) as end:
        await end.peer.stream_to(GRID)
        for _ in range(100):
            await end.peer.send(columns(*range(3)))
        assert await end.peer.rest() == []
    assert isinstance(await end.running, OverrunError)


# --- its label


async def test_a_publisher_is_called_by_its_address_until_its_node_is_known() -> None:
    async with taking() as end:
        assert end.intake.publisher == "pdc:7165"
        await end.peer.stream_to(GRID)
        assert end.intake.publisher == str(GRID.node_id)
        await end.peer.send(columns(1.0))
        assert (await end.batch()).publisher == str(GRID.node_id)


async def test_a_publisher_that_has_proved_its_identity_is_called_by_it() -> None:
    async with taking(identity=PeerIdentity(name="substation 7")) as end:
        await end.peer.stream_to(GRID)
        await end.peer.send(columns(1.0))
        assert (await end.batch()).publisher == "substation 7"


async def test_success_is_told_in_the_words_of_the_publisher(caplog: pytest.LogCaptureFixture) -> None:
    async with taking() as end:
        with caplog.at_level(logging.INFO, "sttp.subscriber"):
            await end.peer.settle()
            await end.peer.give_metadata(GRID)
            await end.peer.expect(commands.Subscribe)
            await end.peer.say(Succeeded(command=Command.SUBSCRIBE, text="3 signals it is."))
            await turns()
    assert f"{GRID.node_id}: 3 signals it is." in caplog.messages
