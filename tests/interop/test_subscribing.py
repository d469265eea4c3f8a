"""The publisher of `sttpapi`, and our subscriber."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from interop_peer import Peer, StartPeer
from interop_rows import Rows, verdict
from interop_samples import EVEN, UNEVEN, all_states, identifying, retimed, special_values
from interop_table import THEIRS, Outcome, proves
from running import Start
from sttp.codes import ModeFlags, OperationalModes
from sttp.errors import RefusedError
from sttp.measurement import MeasurementBatch
from sttp.metadata import Metadata
from sttp.session import SubscriberConfig
from sttp.session.events import BufferBlockReceived, ConfigurationChanged, UserResponseReceived
from sttp.subscriber import EVERYTHING, Encoding, Subscriber
from sttp.tolerances import DEFAULT_TOLERANCES, Tolerances, tolerances_for
from sttp.transport.links import RedialPolicy

StartPair = Callable[..., AbstractAsyncContextManager[tuple[Peer, Subscriber]]]

T = TypeVar("T")

SUBSCRIBED = "subscribed to"
"""In what the peer says when data may flow."""

PYAPI = tolerances_for("pyapi")


@pytest.fixture
def start_pair(peer_publisher: StartPeer, fault_files: tuple[Path, Path]) -> StartPair:
    """Starts a peer that publishes the signals of the recording, and a subscriber with such settings to it."""
    return partial(_pair, peer_publisher, fault_files[1])


@asynccontextmanager
async def _pair(
    start: StartPeer, document: Path | None, filter_expression: str | None = EVERYTHING, **settings: Any
) -> AsyncIterator[tuple[Peer, Subscriber]]:
    async with (
        _listening(start, document) as (peer, url),
        _subscriber(url, filter_expression, **settings) as subscriber,
    ):
        yield peer, subscriber


@asynccontextmanager
async def _listening(start: StartPeer, document: Path | None, **settings: Any) -> AsyncIterator[tuple[Peer, str]]:
    metadata = None if document is None else str(document)
    async with start(metadata=metadata, **settings) as peer:
        yield peer, f"tcp://127.0.0.1:{(await peer.next('listening'))['port']}"


def _subscriber(
    url: str,
    filter_expression: str | None = EVERYTHING,
    *,
    encoding: Encoding = Encoding.TSSC,
    version: int = 2,
    gzip: bool = True,
    tolerances: Tolerances = PYAPI,
) -> Subscriber:
    modes = OperationalModes(version=version, flags=ModeFlags.EVERYTHING_COMPRESSED if gzip else ModeFlags(0))
    return Subscriber(
        url,
        filter=filter_expression,
        encoding=encoding,
        redial=RedialPolicy(base=0.05, cap=0.05),
        config=SubscriberConfig(modes=modes, tolerances=tolerances, resynchronise_timeout=0.1),
    )


async def _received(peer: Peer, subscriber: Subscriber, rows: Rows, count: int | None = None) -> Rows:
    """Have a peer publish to one who has subscribed, or is about to; see what comes: everything, or `count` of it."""
    await peer.next("status", SUBSCRIBED)
    await peer.do("publish", **rows.to_command())
    return Rows.joined([Rows.of_batch(batch) for batch in await _taken(subscriber, count or len(rows))])


async def _taken(subscriber: Subscriber, count: int) -> list[MeasurementBatch]:
    """The batches that come next, until there are `count` measurements."""
    batches: list[MeasurementBatch] = []
    async with aclosing(subscriber.measurements()) as measurements:
        while sum(map(len, batches)) < count:
            batches.append(await anext(measurements))
    return batches


@proves("recording", THEIRS)
async def test_a_recording_arrives(
    start_pair: StartPair, fault: MeasurementBatch, encoding: Encoding, expected: Outcome
) -> None:
    sent = Rows.of_batch(fault)
    async with start_pair(encoding=encoding) as (peer, subscriber):
        assert verdict(sent, await _received(peer, subscriber, sent)) is expected


@proves("even times", THEIRS)
async def test_even_times_arrive(
    start_pair: StartPair, fault: MeasurementBatch, encoding: Encoding, expected: Outcome
) -> None:
    sent = Rows.of_batch(retimed(_beginning(fault), spacing=EVEN, per_frame=len(fault.signals)))
    async with start_pair(encoding=encoding) as (peer, subscriber):
        assert verdict(sent, await _received(peer, subscriber, sent)) is expected


@proves("command line", THEIRS)
async def test_a_recording_arrives_at_the_command_line(
    start: Start,
    peer_publisher: StartPeer,
    fault_files: tuple[Path, Path],
    fault: MeasurementBatch,
    encoding: Encoding,
    expected: Outcome,
) -> None:
    sent = Rows.of_batch(_beginning(fault))
    async with _listening(peer_publisher, fault_files[1]) as (peer, url):
        options = ["--peer", "pyapi", "--encoding", encoding, "--count", str(len(sent)), "--format", "jsonl"]
        subscribe = start("subscribe", url, *options)
        await peer.next("status", SUBSCRIBED)
        await peer.do("publish", **sent.to_command())
        code, out, err = await asyncio.to_thread(subscribe.ended)
    assert code == 0, err
    printed = [json.loads(line) for line in out.splitlines()]
    received = Rows(
        np.array([row["signal_id"] for row in printed]),
        np.array([row["ticks"] for row in printed], np.int64),
        np.array([row["flags"] for row in printed], np.uint32),
        np.array([row["value"] for row in printed], np.float32).view(np.uint32),
    )
    assert verdict(sent, received) is expected


@proves("special values", THEIRS)
async def test_special_values_arrive_in_every_version(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    spacing = EVEN if encoding is Encoding.TSSC else UNEVEN
    sent = Rows.of_batch(special_values(metadata.signals, spacing=spacing))

    async def outcome(version: int, gzip: bool) -> Outcome:
        async with start_pair(encoding=encoding, version=version, gzip=gzip) as (peer, subscriber):
            return verdict(sent, await _received(peer, subscriber, sent))

    async with asyncio.TaskGroup() as tasks:
        tries = [tasks.create_task(outcome(*settings)) for settings in ((1, True), (2, False), (3, True))]
    assert {each.result() for each in tries} == {expected}


@proves("all states", THEIRS)
async def test_all_states_arrive(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    sent = Rows.of_batch(all_states(metadata.signals))
    async with start_pair(encoding=encoding) as (peer, subscriber):
        if expected is Outcome.LOST:
            await peer.next("status", SUBSCRIBED)
            await peer.do("publish", **sent.to_command())
            await peer.next("error", "out of bounds for uint8")
            await peer.next("disconnected")
            assert subscriber.statistics.measurements == 0
        else:
            assert verdict(sent, await _received(peer, subscriber, sent)) is expected


@proves("no switches", THEIRS)
async def test_compact_measurements_need_the_switches(
    start_pair: StartPair,
    metadata: Metadata,
    encoding: Encoding,
    expected: Outcome,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = Rows.of_batch(identifying(metadata.signals, 1))
    async with start_pair(encoding=encoding, tolerances=DEFAULT_TOLERANCES) as (peer, subscriber):
        if expected is Outcome.DISCONNECTS:
            await peer.next("status", SUBSCRIBED)
            await peer.do("publish", **sent.to_command())
            await peer.next("disconnected")
            await peer.next("connected")
            assert subscriber.statistics.measurements == 0
            assert "compact measurements" in caplog.text
        else:
            assert verdict(sent, await _received(peer, subscriber, sent)) is expected


@proves("other signals", THEIRS)
async def test_other_signals_can_be_asked_for(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    async with start_pair(_of_type("FREQ"), encoding=encoding) as (peer, subscriber):
        for number, signal_type in enumerate(("FREQ", "DFDT", "FREQ", "VPHM")):
            if number > 0:
                await subscriber.subscribe(_of_type(signal_type))
            frame = Rows.of_batch(identifying(metadata.signals, number))
            wanted = frame.of(_ids_of_type(metadata, signal_type))
            assert verdict(wanted, await _received(peer, subscriber, frame, len(wanted))) is expected


@proves("unsubscribe", THEIRS)
async def test_other_signals_can_be_asked_for_after_an_unsubscribe(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    async with start_pair(_of_type("FREQ"), encoding=encoding) as (peer, subscriber):
        for number, signal_type in enumerate(("FREQ", "DFDT", "FREQ")):
            if number > 0:
                subscriber.unsubscribe()
                await subscriber.subscribe(_of_type(signal_type))
            frame = Rows.of_batch(identifying(metadata.signals, number))
            wanted = frame.of(_ids_of_type(metadata, signal_type))
            assert verdict(wanted, await _received(peer, subscriber, frame, len(wanted))) is expected


@proves("restart", THEIRS)
async def test_it_comes_back_after_a_restart_of_the_publisher(
    peer_publisher: StartPeer,
    fault_files: tuple[Path, Path],
    metadata: Metadata,
    encoding: Encoding,
    expected: Outcome,
) -> None:
    first, second = (Rows.of_batch(identifying(metadata.signals, number)) for number in (1, 2))
    async with AsyncExitStack() as subscribers:
        async with _listening(peer_publisher, fault_files[1]) as (peer, url):
            subscriber = await subscribers.enter_async_context(_subscriber(url, encoding=encoding))
            assert verdict(first, await _received(peer, subscriber, first)) is expected
        async with _listening(peer_publisher, fault_files[1], port=int(url.rpartition(":")[2])) as (peer, _):
            assert verdict(second, await _received(peer, subscriber, second)) is expected


@proves("buffer block", THEIRS)
async def test_buffer_blocks_arrive(
    start_pair: StartPair, metadata: Metadata, encoding: Encoding, expected: Outcome
) -> None:
    blocks = [(metadata.signals[index].signal_id, bytes(range(100 * index))) for index in range(3)]
    async with start_pair(encoding=encoding) as (peer, subscriber):
        await peer.next("status", SUBSCRIBED)
        for signal_id, block in blocks:
            await peer.do("send_buffer_block", signal_id=str(signal_id), data=block.hex())
        received = [await _told(subscriber, BufferBlockReceived) for _ in blocks]
        for sequence in range(3):
            await peer.next("status", f"confirmed buffer block with sequence number {sequence}")
    assert expected is Outcome.EQUAL
    assert [each.signal and (each.signal.signal_id, each.payload) for each in received] == blocks


@proves("metadata", THEIRS)
async def test_metadata_is_read(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    async with start_pair(None) as (_, subscriber):
        read = await subscriber.refresh_metadata()
    assert expected is Outcome.WORKS
    assert read.devices == metadata.devices
    assert read.measurements == metadata.measurements
    assert read.phasors == metadata.phasors
    assert read.schema_version == metadata.schema_version


@proves("metadata change", THEIRS)
async def test_a_change_of_metadata_is_followed(
    start_pair: StartPair, metadata: Metadata, tmp_path: Path, expected: Outcome
) -> None:
    """It is asked for again without the application doing anything."""
    fewer = Metadata.of(devices=metadata.devices, measurements=metadata.measurements[:7], phasors=metadata.phasors)
    (tmp_path / "fewer.xml").write_bytes(fewer.write())
    async with start_pair() as (peer, subscriber):
        await peer.next("status", SUBSCRIBED)
        await peer.do("define_metadata", path=str(tmp_path / "fewer.xml"))
        await _told(subscriber, ConfigurationChanged)
        await peer.next("status", "Compressed metadata")
        await subscriber.refresh_metadata()  # answers come in order
        assert subscriber.metadata is not None
        assert subscriber.metadata.measurements == fewer.measurements
    assert expected is Outcome.WORKS


@proves("metadata filter", THEIRS)
async def test_a_metadata_filter_is_ignored(start_pair: StartPair, metadata: Metadata, expected: Outcome) -> None:
    async with start_pair(None) as (_, subscriber):
        read = await subscriber.refresh_metadata("FILTER MeasurementDetail WHERE SignalAcronym = 'FREQ'")
    assert expected is Outcome.IGNORED
    assert read.measurements == metadata.measurements


@proves("metadata refused", THEIRS)
async def test_a_publisher_without_metadata_says_so(peer_publisher: StartPeer, expected: Outcome) -> None:
    async with _pair(peer_publisher, None, None) as (_, subscriber):
        with pytest.raises(RefusedError, match=r"metadata refresh: No metadata available$"):
            await subscriber.refresh_metadata()
    assert expected is Outcome.REFUSED


@proves("filter", THEIRS)
async def test_filter_statements_select(
    peer_publisher: StartPeer, fault_files: tuple[Path, Path], metadata: Metadata, expected: Outcome
) -> None:
    """One of them says what a list would say, which this publisher cannot read."""
    first, second = metadata.signals[1], metadata.signals[39]
    assert expected is Outcome.WORKS
    await _select(
        peer_publisher,
        fault_files[1],
        metadata,
        {
            EVERYTHING: {str(each.signal_id) for each in metadata.signals},
            "FILTER ActiveMeasurements WHERE SignalType = 'FREQ'": _ids_of_type(metadata, "FREQ"),
            f"FILTER ActiveMeasurements WHERE SignalID IN ('{first.signal_id}', '{second.signal_id}')": {
                str(first.signal_id),
                str(second.signal_id),
            },
            f"FILTER ActiveMeasurements WHERE PointTag = '{first.tag}'": {str(first.signal_id)},
        },
    )


@proves("one signal", THEIRS)
async def test_one_signal_can_be_named(
    peer_publisher: StartPeer, fault_files: tuple[Path, Path], metadata: Metadata, expected: Outcome
) -> None:
    assert expected is Outcome.WORKS
    signal = metadata.signals[5]
    signal_id = str(signal.signal_id)
    await _select(peer_publisher, fault_files[1], metadata, {signal_id: {signal_id}, signal.key: {signal_id}})


@proves("list", THEIRS)
async def test_lists_are_refused(
    peer_publisher: StartPeer, fault_files: tuple[Path, Path], metadata: Metadata, expected: Outcome
) -> None:
    assert expected is Outcome.REFUSED
    signals = [metadata.signals[index] for index in (3, 5)]
    lists = [";".join(str(signal.signal_id) for signal in signals), ";".join(signal.key for signal in signals)]
    await _refuse(peer_publisher, fault_files[1], lists)


@proves("broken filter", THEIRS)
async def test_a_broken_filter_is_refused(
    peer_publisher: StartPeer, fault_files: tuple[Path, Path], expected: Outcome
) -> None:
    assert expected is Outcome.REFUSED
    await _refuse(peer_publisher, fault_files[1], ["FILTER ActiveMeasurements WHERE"])


@proves("user command", THEIRS)
async def test_user_commands_are_answered(start_pair: StartPair, expected: Outcome) -> None:
    async with start_pair() as (peer, subscriber):
        await peer.next("status", SUBSCRIBED)
        subscriber.send_user_command(3, b"open breaker")
        answer = await _told(subscriber, UserResponseReceived)
    assert expected is Outcome.WORKS
    assert (answer.number, answer.command & 0x0F, answer.payload) == (3, 3, b"open breaker")


async def _select(start: StartPeer, document: Path, metadata: Metadata, wanted: Mapping[str, set[str]]) -> None:
    """Subscribe to one filter expression after another, and look at whose measurements come."""
    frame = Rows.of_batch(identifying(metadata.signals, 1))
    async with _listening(start, document) as (peer, url):
        for filter_expression, signal_ids in wanted.items():
            async with _subscriber(url, filter_expression) as subscriber:
                received = await _received(peer, subscriber, frame, len(signal_ids))
                assert verdict(frame.of(signal_ids), received) is Outcome.EQUAL
            await peer.next("disconnected")


async def _refuse(start: StartPeer, document: Path, filter_expressions: Iterable[str]) -> None:
    """Have each of these filter expressions refused, with a reason that can be read."""
    async with _listening(start, document) as (_, url):
        for filter_expression in filter_expressions:
            async with _subscriber(url, filter_expression) as subscriber:
                with pytest.raises(RefusedError, match=r": No measurements matched subscription filter$"):
                    await _taken(subscriber, 1)


async def _told(subscriber: Subscriber, kind: type[T]) -> T:
    """The next event of a kind."""
    async with aclosing(subscriber.events()) as events:
        while not isinstance(event := (await anext(events)).event, kind):
            pass
    return event


def _beginning(recording: MeasurementBatch) -> MeasurementBatch:
    """The first five seconds: more than one packet in either encoding."""
    return MeasurementBatch(recording.columns.select(slice(12_000)), recording.signals)


def _of_type(signal_type: str) -> str:
    return f"FILTER ActiveMeasurements WHERE SignalType = '{signal_type}'"


def _ids_of_type(metadata: Metadata, signal_type: str) -> set[str]:
    return {str(each.signal_id) for each in metadata.measurements if each.signal_type == signal_type}
