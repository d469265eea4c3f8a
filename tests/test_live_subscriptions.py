"""Subscriptions that change while measurements flow, in both directions: nothing is ever shown under a wrong name."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ends import DIRECTIONS, frame, joined, some_of, values_fit
from sttp import (
    ClosedError,
    Encoding,
    MeasurementBatch,
    Metadata,
    Overflow,
    PeerEvent,
    Publisher,
    RefusedError,
    Subscriber,
    UsageError,
)
from sttp.catalogue import Catalogue
from sttp.session.events import (
    BufferBlockConfirmed,
    BufferBlockReceived,
    CommandSucceeded,
    ConfigurationChanged,
    NotificationConfirmed,
    NotificationReceived,
    ProcessingIntervalRequested,
    SubscriberEvent,
    SubscriptionAccepted,
    SubscriptionRefused,
    UserCommandReceived,
    UserResponseReceived,
)
from sttp.wire.subscription import SubscriptionOptions

both_directions = pytest.mark.parametrize("direction", DIRECTIONS)
both_encodings = pytest.mark.parametrize("encoding", Encoding)


@asynccontextmanager
async def streaming(publisher: Publisher) -> AsyncIterator[None]:
    """Publish frame after frame of whatever the publisher has, as fast as the subscribers take them."""

    async def stream() -> None:
        number = 0
        while True:
            await publisher.publish(frame(publisher.signals, number))
            number += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(stream())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class Seen:
    """What a subscriber got: the times of each signal."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._batches = subscriber.measurements()
        self.times: dict[str, list[int]] = defaultdict(list)
        self.tags: set[str] = set()

    async def until(self, enough: Callable[[MeasurementBatch], bool]) -> None:
        async for batch in self._batches:
            assert values_fit(batch)
            for index, ticks in zip(batch.signal_index.tolist(), batch.ticks.tolist(), strict=True):
                self.times[batch.signals.keys[index]].append(ticks)
            self.tags = {batch.signals.tags[index] for index in set(batch.signal_index.tolist())}
            if enough(batch):
                return

    async def until_only(self, *keys: str) -> None:
        await self.until(lambda batch: {batch.signals.keys[i] for i in batch.signal_index.tolist()} == set(keys))

    def gaps(self, key: str) -> list[int]:
        """Distances between the times of a signal that are not those of consecutive frames."""
        times = self.times[key]
        return [after - before for before, after in itertools.pairwise(times) if after - before != 200_000]


WAITING = {"overflow": Overflow.WAIT, "queue_limit": 1000}


@both_directions
@both_encodings
async def test_signals_come_and_go_without_a_gap_in_those_that_stay(direction: str, encoding: Encoding) -> None:
    ends = joined(direction, some_of(10, 0, 1, 2, 3), publisher=WAITING, subscriber={"encoding": encoding})
    async with ends as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until_only("SIM:0", "SIM:1", "SIM:2", "SIM:3")
            publisher.change_metadata(some_of(10, 3, 5, 1))  # 0 and 2 leave, 5 comes, all get other indexes
            await seen.until_only("SIM:1", "SIM:3", "SIM:5")
            publisher.change_metadata(some_of(10, 7, 1, 3))
            publisher.change_metadata(some_of(10, 8, 3, 1))
            await seen.until_only("SIM:1", "SIM:3", "SIM:8")
    assert seen.gaps("SIM:1") == seen.gaps("SIM:3") == seen.gaps("SIM:8") == []
    assert subscriber.statistics.gaps == 0
    assert subscriber.statistics.dropped == 0
    assert publisher.statistics.dropped == 0


@both_directions
async def test_new_signals_get_their_tags(direction: str) -> None:
    async with joined(direction, some_of(10, 0, 1), publisher=WAITING) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until_only("SIM:0", "SIM:1")
            publisher.change_metadata(some_of(10, 0, 4))
            await seen.until(lambda batch: "TAG4" in batch.signals.tags and "TAG0" in batch.signals.tags)


@both_directions
@both_encodings
async def test_subscribing_again_replaces_the_signals(direction: str, encoding: Encoding) -> None:
    ends = joined(direction, some_of(10, *range(10)), publisher=WAITING, subscriber={"encoding": encoding})
    async with ends as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until(lambda batch: len(set(batch.signal_index.tolist())) == 10)
            await asyncio.gather(subscriber.subscribe("SIM:4;SIM:9;SIM:1"), seen.until_only("SIM:1", "SIM:4", "SIM:9"))
            # in quick succession: of those that wait only the newest counts
            await asyncio.gather(
                *(subscriber.subscribe(f"SIM:{number}") for number in (2, 3, 5)), seen.until_only("SIM:5")
            )
    assert seen.gaps("SIM:4") == []


@both_directions
async def test_a_refused_change_leaves_what_was(direction: str) -> None:
    async with joined(direction, some_of(10, 0, 1), publisher=WAITING) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until_only("SIM:0", "SIM:1")

            async def try_it() -> None:
                with pytest.raises(RefusedError, match="nonsense"):
                    await subscriber.subscribe("nonsense")

            await asyncio.gather(try_it(), seen.until(lambda batch: len(seen.times["SIM:0"]) > 200))
    assert seen.gaps("SIM:0") == seen.gaps("SIM:1") == []


async def test_after_a_refused_change_a_new_connection_asks_for_what_was() -> None:
    async with joined("forward", some_of(10, 0, 1), publisher=WAITING, subscriber={"filter": "SIM:0"}) as ends:
        publisher, subscriber = ends
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            with pytest.raises(RefusedError):
                await subscriber.subscribe("nonsense")
            for feed in tuple(publisher._feeds):
                feed.close()
            connections = subscriber.statistics.connections
            await seen.until(lambda batch: subscriber.statistics.connections > connections)
            await seen.until_only("SIM:0")


async def test_metadata_that_change_all_the_time_do_not_keep_a_subscription_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    select, loop = Catalogue.select_permitted, asyncio.get_running_loop()
    variants = itertools.cycle([some_of(10, 0, 1), some_of(10, 0, 2)])

    def selected_too_late(catalogue: Catalogue, *arguments: str | None) -> object:
        if not publisher.statistics.subscriptions:
            loop.call_soon_threadsafe(publisher.change_metadata, next(variants))
        return select(catalogue, *arguments)

    async with joined("forward", some_of(10, 0, 1), publisher=WAITING, subscriber={"filter": None}) as ends:
        publisher, subscriber = ends
        monkeypatch.setattr(Catalogue, "select_permitted", selected_too_late)
        await subscriber.subscribe("SIM:0; SIM:9")
        await publisher.wait_for_subscription()
        publisher.change_metadata(some_of(10, 0, 9))
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until_only("SIM:0", "SIM:9")


@both_directions
async def test_subscribing_anew_from_within_the_iteration(direction: str) -> None:
    """Although the queue is full, and nobody takes from it until the answer is here."""
    ends = joined(direction, some_of(10, 0, 1), publisher=WAITING, subscriber={"queue_limit": 10, "filter": "SIM:0"})
    async with ends as (publisher, subscriber):
        await publisher.wait_for_subscription()
        async with streaming(publisher):
            async for batch in subscriber.measurements():
                assert values_fit(batch)
                if batch.signals.keys == ("SIM:1",):
                    break
                if subscriber.statistics.measurements > 100:
                    await subscriber.refresh_metadata()
                    await subscriber.subscribe("SIM:1")
    assert subscriber.statistics.dropped == 0


@both_directions
async def test_unsubscribe_and_subscribe_on_one_connection(direction: str) -> None:
    async with joined(direction, some_of(10, 0, 1), publisher=WAITING) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until_only("SIM:0", "SIM:1")
            subscriber.unsubscribe()
            await asyncio.gather(subscriber.subscribe("SIM:1"), seen.until_only("SIM:1"))
        assert subscriber.statistics.connections == 1


async def test_a_subscriber_may_begin_with_nothing() -> None:
    async with joined("forward", some_of(2, 0, 1), subscriber={"filter": None}) as (publisher, subscriber):
        while not publisher.statistics.connected:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        assert publisher.statistics.subscriptions == 0
        await subscriber.subscribe("SIM:0")
        await publisher.wait_for_subscription()
        await publisher.publish(frame(publisher.signals, 0))
        seen = Seen(subscriber)
        await seen.until_only("SIM:0")
        assert seen.tags == {"TAG0"}


@both_directions
async def test_after_a_new_connection_the_newest_subscription_is_asked_for(direction: str) -> None:
    async with joined(direction, some_of(2, 0, 1), publisher=WAITING) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await asyncio.gather(subscriber.subscribe("SIM:1"), seen.until_only("SIM:1"))
            for feed in tuple(publisher._feeds):
                feed.close()
            connections = subscriber.statistics.connections
            await seen.until(lambda batch: subscriber.statistics.connections > connections)
            await seen.until_only("SIM:1")


async def test_without_metadata_signals_have_keys_and_no_tags() -> None:
    async with joined("forward", some_of(2, 0, 1), subscriber={"with_metadata": False}) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        await publisher.publish(frame(publisher.signals, 0))
        seen = Seen(subscriber)
        await seen.until_only("SIM:0", "SIM:1")
        assert seen.tags == {""}
        assert subscriber.metadata is None


async def test_a_subscription_whose_filter_fails_on_the_new_metadata_keeps_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fails_with_tag_3 = "IIf(PointTag = 'TAG3', 1 / 0, 1) = 1"
    ends = joined("forward", some_of(5, 0, 1), publisher=WAITING, subscriber={"filter": fails_with_tag_3})
    async with ends as (publisher, subscriber):
        await publisher.wait_for_subscription()
        seen = Seen(subscriber)
        async with streaming(publisher):
            await seen.until_only("SIM:0", "SIM:1")
            with caplog.at_level(logging.WARNING, "sttp.publisher"):
                publisher.change_metadata(some_of(5, 3, 1))
            await seen.until_only("SIM:1")  # for a moment this may also be what both tables have
            while "cannot be followed" not in caplog.text:  # noqa: ASYNC110 - a line of the log comes when it comes
                await asyncio.sleep(0)
    assert seen.gaps("SIM:1") == []


async def test_a_replay_that_nobody_has_is_refused() -> None:
    options = SubscriptionOptions(start_time="*-1h")
    async with joined("forward", some_of(2, 0), subscriber={"options": options}) as (_, subscriber):
        with pytest.raises(RefusedError, match="no archive"):
            await anext(subscriber.measurements())


async def test_options_reach_the_publisher() -> None:
    options = SubscriptionOptions(include_time=False)
    ends = joined("forward", some_of(2, 0), subscriber={"options": options, "encoding": Encoding.COMPACT})
    async with ends as (publisher, subscriber):
        await publisher.wait_for_subscription()
        await publisher.publish(frame(publisher.signals, 5))
        batch = await anext(subscriber.measurements())
        assert batch.ticks.tolist() == [0]


# --- other messages


async def next_of(events: AsyncIterator[PeerEvent[object]], kind: type) -> PeerEvent[object]:
    async for event in events:
        if isinstance(event.event, kind):
            return event
    raise AssertionError("no more events")


@both_directions
async def test_everything_else_that_can_be_said(direction: str) -> None:
    async with joined(direction, some_of(3, 0, 1, 2)) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        heard, told = subscriber.events(), publisher.events()

        assert (await next_of(heard, SubscriptionAccepted)).event == SubscriptionAccepted(
            text="Subscribed to 3 signals as TSSC."
        )
        with pytest.raises(RefusedError):
            await subscriber.subscribe("FILTER ActiveMeasurements WHERE Nonsense = 1")
        refused = (await next_of(heard, SubscriptionRefused)).event
        assert isinstance(refused, SubscriptionRefused)
        assert "Nonsense" in refused.reason

        publisher.notify("Maintenance at noon.")
        assert (await next_of(heard, NotificationReceived)).event == NotificationReceived(text="Maintenance at noon.")
        await next_of(told, NotificationConfirmed)

        signal = publisher.signals[1]
        publisher.send_buffer_block(signal.signal_id, b"a file")
        block = (await next_of(heard, BufferBlockReceived)).event
        assert isinstance(block, BufferBlockReceived)
        assert block.payload == b"a file"
        assert block.signal is not None
        assert block.signal.signal_id == signal.signal_id
        assert (await next_of(told, BufferBlockConfirmed)).event == BufferBlockConfirmed(sequence=0)

        subscriber.send_user_command(7, b"ping")
        asked = await next_of(told, UserCommandReceived)
        assert asked.event == UserCommandReceived(number=7, payload=b"ping")
        publisher.send_user_response(3, b"pong", command=7, subscriber=asked.peer)
        answer = await next_of(heard, UserResponseReceived)
        assert answer.event == UserResponseReceived(number=3, command=0xD7, payload=b"pong")

        subscriber.update_processing_interval(33)
        assert (await next_of(told, ProcessingIntervalRequested)).event == ProcessingIntervalRequested(milliseconds=33)
        assert (await next_of(heard, CommandSucceeded)).event == CommandSucceeded(
            command=5, text="Processing interval noted."
        )

        publisher.change_metadata(some_of(3, 0, 1))
        await next_of(heard, ConfigurationChanged)


async def test_who_is_not_there_cannot_be_meant() -> None:
    async with joined("forward", some_of(1, 0)) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        with pytest.raises(UsageError, match="is called 'somebody'"):
            subscriber.send_user_command(1, publisher="somebody")
        with pytest.raises(UsageError, match="is not connected"):
            publisher.send_user_response(1, b"", command=1, subscriber="nobody")


async def test_a_subscriber_opens_no_udp_port() -> None:
    with pytest.raises(UsageError, match="no UDP port"):
        Subscriber("tcp://127.0.0.1:1", options=SubscriptionOptions(data_channel_port=9000))


async def test_nothing_is_asked_of_what_was_closed() -> None:
    async with joined("forward", some_of(1, 0)) as (publisher, subscriber):
        await publisher.wait_for_subscription()
    for asks in (subscriber.subscribe("SIM:0"), publisher.publish(frame(publisher.signals, 0))):
        with pytest.raises(ClosedError):
            await asks
    with pytest.raises(ClosedError):
        subscriber.unsubscribe()
    with pytest.raises(ClosedError):
        publisher.change_metadata(some_of(1, 0))


async def test_metadata_with_a_key_that_cannot_be_sent_is_refused_at_once() -> None:
    signal = some_of(1, 0).measurements[0]
    bad = Metadata.of(measurements=[replace(signal, key="abc")])
    with pytest.raises(UsageError, match="not a measurement key such as PPA:1: 'abc'"):
        Publisher("tcp://127.0.0.1:0", metadata=bad)
    async with joined("forward", some_of(1, 0)) as (publisher, _):
        await publisher.wait_for_subscription()
        with pytest.raises(UsageError, match="not a measurement key"):
            publisher.change_metadata(bad)
        assert publisher.metadata == some_of(1, 0)


async def test_publishing_in_a_loop_leaves_time_for_sending() -> None:
    overflow = {"overflow": Overflow.DROP_OLDEST, "queue_limit": 100}
    async with joined("forward", some_of(1, 0), publisher=overflow) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        for number in range(500):
            await publisher.publish(frame(publisher.signals, number))
        await publisher.drain()
        assert publisher.statistics.dropped == 0
        received = 0
        async for batch in subscriber.measurements():
            received += len(batch)
            if received == 500:
                break


async def test_events_end_with_the_ends() -> None:
    async with joined("forward", some_of(1, 0)) as (publisher, subscriber):
        await publisher.wait_for_subscription()
        publisher.notify("last words")

        async def all_events(events: AsyncIterator[PeerEvent[SubscriberEvent]]) -> list[object]:
            return [event.event async for event in events]

        listening: Awaitable[list[object]] = asyncio.create_task(all_events(subscriber.events()))
        await next_of(publisher.events(), NotificationConfirmed)
    assert NotificationReceived(text="last words") in await listening
