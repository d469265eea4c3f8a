"""Our publisher, and the subscriber of `sttpapi`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
import pytest

from interop_peer import Peer, StartPeer
from interop_rows import Rows, verdict
from interop_samples import UNEVEN, all_states, identifying, special_values
from interop_table import OURS, Outcome, proves
from running import Start
from sttp.codes import Command, Response
from sttp.measurement import MeasurementBatch
from sttp.metadata import Metadata
from sttp.publisher import Publisher
from sttp.queues import Overflow
from sttp.session.events import BufferBlockConfirmed, UserCommandReceived
from sttp.subscriber import Encoding
from sttp.ticks import TICKS_PER_SECOND

StartPair = Callable[..., AbstractAsyncContextManager[tuple[Publisher, Peer]]]

FULL_LENGTH = 17
"""Bytes of a compact measurement whose time is not an offset to a base time."""

"""Can go when they have."""

E = TypeVar("E")


@pytest.fixture
def start_pair(peer_subscriber: StartPeer, metadata: Metadata) -> StartPair:
    """Starts a publisher with the signals of the recording, and a peer with such settings that subscribes to it."""
    return partial(_pair, peer_subscriber, metadata)


@asynccontextmanager
async def _pair(start: StartPeer, metadata: Metadata, **settings: object) -> AsyncIterator[tuple[Publisher, Peer]]:
    async with _publisher(metadata) as publisher, start(port=_port(publisher.listening[0]), **settings) as peer:
        yield publisher, peer


def _publisher(metadata: Metadata, url: str = "tcp://127.0.0.1:0") -> Publisher:
    return Publisher(url, metadata=metadata, overflow=Overflow.WAIT)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _received(publisher: Publisher, peer: Peer, batch: MeasurementBatch, count: int | None = None) -> Rows:
    """Publish to a peer that has subscribed, or is about to, and see what it gets: everything, or `count` of it."""
    await publisher.wait_for_subscription()
    await publisher.publish(batch)
    return await peer.measurements(len(batch) if count is None else count)


@proves("recording", OURS)
async def test_a_recording_arrives(
    start_pair: StartPair, fault: MeasurementBatch, encoding: Encoding, expected: Outcome
) -> None:
    async with start_pair(encoding=encoding) as (publisher, peer):
        assert verdict(Rows.of_batch(fault), await _received(publisher, peer, fault)) is expected


@proves("command line", OURS)
async def test_a_recording_arrives_from_the_command_line(
    start: Start,
    peer_subscriber: StartPeer,
    fault_files: tuple[Path, Path],
    fault: MeasurementBatch,
    encoding: Encoding,
    expected: Outcome,
) -> None:
    csv, document = map(str, fault_files)
    publish = start("publish", "tcp://127.0.0.1:0", "--csv", csv, "--metadata", document, "--rate", "0")
    async with peer_subscriber(port=_port(publish.listening()), encoding=encoding) as peer:
        assert verdict(Rows.of_batch(fault), await peer.measurements(len(fault))) is expected
    code, _, err = publish.ended()
    assert code == 0, err


@proves("special values", OURS)
async def test_special_values_arrive_in_every_version(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    batch = special_values(metadata.signals, spacing=UNEVEN)

    async def outcome(version: int, gzip: bool) -> Outcome:
        async with start_pair(encoding=encoding, version=version, gzip=gzip) as (publisher, peer):
            return verdict(Rows.of_batch(batch), await _received(publisher, peer, batch))

    async with asyncio.TaskGroup() as tasks:
        tries = [tasks.create_task(outcome(*settings)) for settings in ((1, True), (2, False), (3, True))]
    assert {each.result() for each in tries} == {expected}


@proves("all states", OURS)
async def test_all_states_arrive(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    batch = all_states(metadata.signals)
    async with start_pair(encoding=encoding) as (publisher, peer):
        assert verdict(Rows.of_batch(batch), await _received(publisher, peer, batch)) is expected


@proves("base times", OURS)
async def test_short_times_are_understood(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    """Ten minutes, so that base times are announced more than once."""
    frames = [identifying(metadata.signals, number, spacing=50 * TICKS_PER_SECOND) for number in range(12)]
    sent = Rows.joined([Rows.of_batch(frame) for frame in frames])

    async def outcome(*, milliseconds: bool) -> Outcome:
        async with start_pair(encoding=encoding, milliseconds=milliseconds) as (publisher, peer):
            await publisher.wait_for_subscription()
            before = publisher.statistics.bytes_sent
            for frame in frames:
                await publisher.publish(frame)
            received = await peer.measurements(len(sent))
            assert publisher.statistics.bytes_sent - before < len(sent) * FULL_LENGTH
            await peer.ever("status", "Received new base time offset from publisher")
            return verdict(sent, received)

    async with asyncio.TaskGroup() as tasks:
        tries = [tasks.create_task(outcome(milliseconds=milliseconds)) for milliseconds in (False, True)]
    assert {each.result() for each in tries} == {expected}


@proves("no times", OURS)
async def test_times_can_be_left_out(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    batch = identifying(metadata.signals, 1)
    untimed = MeasurementBatch(batch.columns._replace(ticks=np.zeros(len(batch), np.int64)), batch.signals)
    async with start_pair(encoding=encoding, include_time=False) as (publisher, peer):
        assert verdict(Rows.of_batch(untimed), await _received(publisher, peer, batch)) is expected


@proves("other signals", OURS)
async def test_other_signals_follow_without_a_gap(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    """The peer subscribes again while data flows: each frame comes whole, as the one half or as the other."""
    first, second = _halves(metadata)
    wanted, number = first, 0
    async with start_pair(encoding=encoding, filter_expression=";".join(first)) as (publisher, peer):
        await publisher.wait_for_subscription()
        await peer.do("subscribe", filter_expression=";".join(second))
        while wanted is first:
            frame = identifying(metadata.signals, number := number + 1)
            await publisher.publish(frame)
            received = await peer.measurements(1)
            wanted = second if received.signal_id[0] in second else first
            assert verdict(Rows.of_batch(frame).of(wanted), received) is expected


@proves("unsubscribe", OURS)
async def test_other_signals_follow_after_an_unsubscribe(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    first, second = _halves(metadata)
    async with start_pair(encoding=encoding, filter_expression=";".join(first)) as (publisher, peer):
        frame = identifying(metadata.signals, 1)
        received = await _received(publisher, peer, frame, len(first))
        assert verdict(Rows.of_batch(frame).of(first), received) is expected
        await peer.do("unsubscribe")
        await peer.next("status", "UNSUBSCRIBE")
        await peer.do("subscribe", filter_expression=";".join(second))
        frame = identifying(metadata.signals, 2)
        received = await _received(publisher, peer, frame, len(second))
        assert verdict(Rows.of_batch(frame).of(second), received) is expected


@proves("restart", OURS)
async def test_it_comes_back_after_a_restart_of_the_publisher(
    peer_subscriber: StartPeer, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    first, second = (identifying(metadata.signals, number) for number in (1, 2))
    async with AsyncExitStack() as peers:
        async with _publisher(metadata) as publisher:
            url = publisher.listening[0]
            peer = await peers.enter_async_context(peer_subscriber(port=_port(url), encoding=encoding))
            assert verdict(Rows.of_batch(first), await _received(publisher, peer, first)) is expected
        async with _publisher(metadata, url) as publisher:
            assert verdict(Rows.of_batch(second), await _received(publisher, peer, second)) is expected


@proves("buffer block", OURS)
async def test_buffer_blocks_arrive(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    blocks = [(str(metadata.signals[index].signal_id), bytes(range(100 * index))) for index in range(3)]
    async with start_pair(encoding=encoding) as (publisher, peer):
        await publisher.wait_for_subscription()
        for signal_id, block in blocks:
            publisher.send_buffer_block(UUID(signal_id), block)
        received = [await peer.next("buffer block") for _ in blocks]
        confirmed = [each.event async for each in _first(publisher.events(), len(blocks))]
    assert expected is Outcome.EQUAL
    assert [(each["signal_id"], bytes.fromhex(each["data"])) for each in received] == blocks
    assert confirmed == [BufferBlockConfirmed(sequence=sequence) for sequence in range(3)]


@proves("metadata", OURS)
async def test_metadata_is_read(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    async with start_pair() as (_, peer):
        read = await peer.next("metadata")
        signals = (await peer.next("signals"))["signals"]
    assert expected is Outcome.WORKS
    assert read["rows"] == {table.name: len(table) for table in metadata.dataset.tables}
    assert read["measurements"] == [
        [str(each.signal_id), each.key, each.tag, each.signal_type, each.device_acronym]
        for each in metadata.measurements
    ]
    assert read["devices"] == [[each.acronym, each.name, each.frames_per_second] for each in metadata.devices]
    assert read["phasors"] == [[each.device_acronym, each.label, each.type, each.phase] for each in metadata.phasors]
    assert signals == [[str(each.signal_id), each.key] for each in metadata.signals]


@proves("metadata change", OURS)
async def test_a_change_of_metadata_is_followed(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    """The library only reports the change; its signals change all the same, without being asked."""
    fewer = Metadata.of(devices=metadata.devices, measurements=metadata.measurements[:7], phasors=metadata.phasors)
    async with start_pair() as (publisher, peer):
        await peer.next("signals")
        publisher.change_metadata(fewer)
        await peer.next("configuration changed")
        signals = (await peer.next("signals"))["signals"]
    assert expected is Outcome.WORKS
    assert signals == [[str(each.signal_id), each.key] for each in fewer.signals]


@proves("metadata filter", OURS)
async def test_metadata_is_filtered(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    async with start_pair(metadata_filters="FILTER MeasurementDetail WHERE SignalAcronym = 'FREQ'") as (_, peer):
        read = await peer.next("metadata")
    assert expected is Outcome.WORKS
    wanted = [str(each.signal_id) for each in metadata.measurements if each.signal_type == "FREQ"]
    assert [signal_id for signal_id, *_ in read["measurements"]] == wanted
    assert len(read["devices"]) == len(metadata.devices)


@proves("metadata refused", OURS)
async def test_a_broken_metadata_filter_is_refused(start_pair: StartPair, expected: Outcome) -> None:
    async with start_pair(metadata_filters="FILTER MeasurementDetail WHERE") as (_, peer):
        failure = await peer.next("error", "METADATAREFRESH")
    assert expected is Outcome.REFUSED
    assert "WHERE" in failure["text"]


@proves("filter", OURS)
async def test_filter_statements_select(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    statements = {
        "FILTER ActiveMeasurements WHERE True": range(40),
        "FILTER ActiveMeasurements WHERE SignalType = 'FREQ' AND Device LIKE '%BUS0%'": range(0, 36, 4),
        "FILTER ActiveMeasurements WHERE ID IN ('KUNDUR:2', 'KUNDUR:40')": [1, 39],
        "FILTER TOP 3 ActiveMeasurements WHERE True ORDER BY PointTag": [1, 0, 2],
    }
    assert expected is Outcome.WORKS
    await _selects(start_pair, {text: _signal_ids(metadata, rows) for text, rows in statements.items()})


@proves("one signal", OURS)
async def test_one_signal_can_be_named(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    assert expected is Outcome.WORKS
    signal = metadata.signals[5]
    signal_id = str(signal.signal_id)
    await _selects(start_pair, {signal_id: [signal_id], signal.key: [signal_id]})


@proves("list", OURS)
async def test_signals_can_be_listed(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    assert expected is Outcome.WORKS
    signal_ids = _signal_ids(metadata, (5, 3, 9))
    keys = [metadata.signals[index].key for index in (5, 3, 9)]
    await _selects(start_pair, {";".join(signal_ids): signal_ids, ";".join(keys): signal_ids})


@proves("broken filter", OURS)
async def test_a_broken_filter_is_refused(start_pair: StartPair, expected: Outcome) -> None:
    async with start_pair(filter_expression="FILTER ActiveMeasurements WHERE") as (_, peer):
        failure = await peer.next("error", "SUBSCRIBE")
    assert expected is Outcome.REFUSED
    assert "WHERE" in failure["text"]


@proves("user command", OURS)
async def test_user_commands_are_answered(start_pair: StartPair, expected: Outcome) -> None:
    async with start_pair() as (publisher, peer):
        await peer.next("signals")
        await peer.do("send_user_command", number=3, data=b"open breaker".hex())
        async for asked in _first(publisher.events(), 1):
            assert asked.event == UserCommandReceived(number=3, payload=b"open breaker")
            publisher.send_user_response(7, b"opened", command=3, subscriber=asked.peer)
        answer = await peer.next("user response")
    assert expected is Outcome.WORKS
    assert (answer["response"], answer["command"]) == (Response.USER_RESPONSE_07, Command.USER_COMMAND_03)
    assert bytes.fromhex(answer["data"]) == b"opened"


@proves("notification", OURS)
async def test_a_notification_is_too_much(start_pair: StartPair, expected: Outcome) -> None:
    async with start_pair() as (publisher, peer):
        await publisher.wait_for_subscription()
        publisher.notify("Maintenance at noon.")
        await peer.next("disconnected")
        await peer.next("signals")
    assert expected is Outcome.DISCONNECTS


async def _selects(start_pair: StartPair, wanted: dict[str, list[str]]) -> None:
    """Have a peer subscribe to one filter expression after another, and look at the signals that it is given."""
    first = next(iter(wanted))
    async with start_pair(filter_expression=first) as (_, peer):
        for filter_expression, signal_ids in wanted.items():
            if filter_expression is not first:
                await peer.do("subscribe", filter_expression=filter_expression)
            assert [signal_id for signal_id, _ in (await peer.next("signals"))["signals"]] == signal_ids


def _halves(metadata: Metadata) -> tuple[list[str], list[str]]:
    """Signal IDs of every second signal, and of the others."""
    return _signal_ids(metadata, range(0, 40, 2)), _signal_ids(metadata, range(1, 40, 2))


def _signal_ids(metadata: Metadata, rows: Iterable[int]) -> list[str]:
    return [str(metadata.signals[row].signal_id) for row in rows]


async def _first(events: AsyncGenerator[E, None], number: int) -> AsyncIterator[E]:
    async with aclosing(events):
        for _ in range(number):
            yield await anext(events)
