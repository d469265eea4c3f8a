"""One publisher at several endpoints, one listening subscriber for several publishers, and both at once."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest

from ends import SOON, frame, some_of, values_fit
from sttp import Metadata, Publisher, Subscriber
from sttp.metadata import DeviceRecord, simulated_metadata


def of_node(number: int) -> Metadata:
    """Metadata of two signals whose publisher has a node ID of its own."""
    chosen = some_of(100, 2 * number, 2 * number + 1)
    device = simulated_metadata(1).devices[0]
    names = {name: getattr(device, name) for name in ("acronym", "name", "access_id")}
    node = simulated_metadata(20 * (number + 1)).devices[-1].unique_id
    return Metadata.of(devices=[DeviceRecord(**names, node_id=node, unique_id=node)], measurements=chosen.measurements)


async def test_one_publisher_serves_subscribers_that_dial_and_that_listen() -> None:
    metadata = some_of(4, 0, 1, 2, 3)
    async with AsyncExitStack() as stack:
        listening = [
            await stack.enter_async_context(
                Subscriber("reverse+tcp://127.0.0.1:0", filter=f"SIM:{number}", redial=SOON)
            )
            for number in (0, 1)
        ]
        urls = [url for each in listening if (url := each.listening) is not None]
        publisher = await stack.enter_async_context(
            Publisher("tcp://127.0.0.1:0", *urls, "tcp://127.0.0.1:0", metadata=metadata, redial=SOON)
        )
        assert len(publisher.listening) == 2
        dialing = [
            await stack.enter_async_context(Subscriber(url, filter=f"SIM:{number}"))
            for number, url in zip((2, 3), publisher.listening, strict=True)
        ]

        async def receives_its_own(subscriber: Subscriber, number: int) -> None:
            count = 0
            async for batch in subscriber.measurements():
                assert values_fit(batch)
                assert set(batch.signals.keys) == {f"SIM:{number}"}
                count += len(batch)
                if count >= 20:
                    return

        async def publish() -> None:
            number = 0
            while True:
                await publisher.publish(frame(publisher.signals, number))
                number += 1
                await asyncio.sleep(0)

        publishing = asyncio.create_task(publish())
        await asyncio.gather(*(receives_its_own(each, n) for n, each in enumerate([*listening, *dialing])))
        publishing.cancel()
        await asyncio.wait([publishing])
        assert publisher.statistics.subscriptions == 4


async def test_a_listening_subscriber_keeps_several_publishers_apart() -> None:
    async with AsyncExitStack() as stack:
        subscriber = await stack.enter_async_context(Subscriber("reverse+tcp://127.0.0.1:0", max_publishers=3))
        assert subscriber.listening is not None
        publishers = [
            await stack.enter_async_context(Publisher(subscriber.listening, metadata=of_node(n), redial=SOON))
            for n in range(3)
        ]
        for publisher in publishers:
            await publisher.wait_for_subscription()
        for number in range(50):
            for publisher in publishers:
                await publisher.publish(frame(publisher.signals, number))
        times: dict[str, list[int]] = {}
        count = 0
        async for batch in subscriber.measurements():
            assert values_fit(batch)
            times.setdefault(batch.publisher, []).extend(batch.ticks.tolist())
            keys = {batch.signals.keys[index] for index in batch.signal_index.tolist()}
            (owner,) = [p for p in publishers if keys <= set(p.signals.keys)]
            assert batch.publisher == str(owner.metadata.node_id)
            count += len(batch)
            if count == 3 * 2 * 50:
                break
        assert len(times) == 3
        for each in times.values():
            assert each == sorted(each)
            assert len(each) == 100


async def test_a_publisher_too_many_is_told_apart_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with Subscriber("reverse+tcp://127.0.0.1:0") as subscriber:
        assert subscriber.listening is not None
        async with Publisher(subscriber.listening, metadata=of_node(0), redial=SOON) as first:
            await first.wait_for_subscription()
            with caplog.at_level(logging.INFO, "sttp"):
                async with Publisher(subscriber.listening, metadata=of_node(1), redial=SOON) as second:
                    while "perhaps it has a publisher already" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                        await asyncio.sleep(0.01)
                    assert second.statistics.subscriptions == 0
            assert first.statistics.connections == 1
    assert "turned away" in caplog.text


async def test_a_publisher_that_leaves_touches_no_other() -> None:
    async with AsyncExitStack() as stack:
        subscriber = await stack.enter_async_context(Subscriber("reverse+tcp://127.0.0.1:0", max_publishers=2))
        assert subscriber.listening is not None
        staying = await stack.enter_async_context(Publisher(subscriber.listening, metadata=of_node(0), redial=SOON))
        await staying.wait_for_subscription()
        async with Publisher(subscriber.listening, metadata=of_node(1), redial=SOON) as leaving:
            await leaving.wait_for_subscription()
            assert subscriber.statistics.connected == 2
        await staying.publish(frame(staying.signals, 1))
        batch = await anext(subscriber.measurements())
        assert batch.publisher == str(staying.metadata.node_id)
        assert staying.statistics.connections == 1
