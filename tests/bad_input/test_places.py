"""Who gets a place at a subscriber that listens: publishers, once they have proved to be some; strangers get none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bad_peer import BadPeer
from siege import FAST, METADATA, SubscriberSiege
from sttp import Publisher, Subscriber
from sttp.codes import Command, Role
from sttp.subscriber import MAX_STRANGERS
from sttp.wire import commands, responses

ACCEPTED = responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES)


@asynccontextmanager
async def listening(max_publishers: int = 1) -> AsyncIterator[tuple[Subscriber, int]]:
    async with Subscriber("reverse+tcp://127.0.0.1:0", max_publishers=max_publishers) as subscriber:
        assert subscriber.listening is not None
        yield subscriber, int(subscriber.listening.rpartition(":")[2])


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[BadPeer]:
    """A peer that has been accepted, which it knows from what the subscriber says first."""
    dialed = await BadPeer.dial(port, Role.PUBLISHER)
    try:
        await dialed.hear(commands.DefineOperationalModes)
        yield dialed
    finally:
        await dialed.close()


async def test_a_silent_stranger_keeps_no_publisher_out() -> None:
    async with listening() as (subscriber, port), peer(port) as stranger:
        async with Publisher(f"reverse+tcp://127.0.0.1:{port}", metadata=METADATA) as publisher:
            async with asyncio.timeout(1):
                await publisher.wait_for_subscription()
            assert subscriber.statistics.connected == 1
            assert publisher.statistics.connections == 1
        await stranger.say(ACCEPTED)
        await stranger.is_served()


async def test_strangers_are_not_counted_as_publishers() -> None:
    async with listening() as (subscriber, port), peer(port), peer(port) as other:
        assert subscriber.statistics.connected == 0
        assert subscriber.statistics.connections == 0
        await other.say(ACCEPTED)
        await other.is_served()
        assert subscriber.statistics.connected == 1
        assert subscriber.statistics.connections == 1


async def test_the_oldest_stranger_gives_way() -> None:
    async with SubscriberSiege(dialing=False).laid() as siege:
        strangers = [await siege.peer() for _ in range(MAX_STRANGERS)]
        for stranger in strangers:
            await stranger.hear(commands.DefineOperationalModes)
        newest = await siege.peer()
        await siege.ends(strangers[0], f"turned away: {MAX_STRANGERS} newer connections")
        for stranger in (*strangers[1:3], newest):
            await stranger.is_served()


async def test_a_publisher_that_proves_itself_too_late_is_turned_away_at_once() -> None:
    async with SubscriberSiege(dialing=False, max_publishers=3).laid() as siege:
        early, late, later = [await siege.peer() for _ in range(3)]
        for each in (early, late):
            await each.hear(commands.DefineOperationalModes)
        await early.say(ACCEPTED)
        await early.is_served()
        await late.say(ACCEPTED)
        await late.is_served()
        # the genuine publisher has the third place
        await later.say(ACCEPTED)
        await siege.ends(later, "turned away: 3 connected already")
        await early.is_served()
        await late.close()
        await early.close()


async def test_of_a_publisher_that_is_turned_away_nothing_is_used() -> None:
    async with listening() as (subscriber, port), peer(port) as first, peer(port) as second:
        await first.say(ACCEPTED, responses.Metadata(document=b""))
        await first.hear(commands.Subscribe)
        await second.say(
            ACCEPTED, responses.Metadata(document=METADATA.write()), responses.Notify(hash=b"hash", text="")
        )
        await second.ended()
        assert subscriber.metadata is not None
        assert subscriber.metadata.devices == ()
        assert subscriber.statistics.connections == 1


async def test_metadata_is_asked_of_a_publisher_and_not_of_a_stranger() -> None:
    async with Subscriber("reverse+tcp://127.0.0.1:0", filter=None, redial=FAST) as subscriber:
        assert subscriber.listening is not None
        port = int(subscriber.listening.rpartition(":")[2])
        async with peer(port), peer(port) as genuine:
            asking = asyncio.create_task(subscriber.refresh_metadata())
            await genuine.say(responses.NoOP())
            await genuine.hear(commands.MetadataRefresh)
            await genuine.say(responses.Metadata(document=METADATA.write()))
            assert (await asking).node_id == METADATA.node_id


async def test_a_stranger_learns_of_a_change_of_mind() -> None:
    async with listening() as (subscriber, port), peer(port) as stranger:
        await subscriber.subscribe("SIM:7")
        await stranger.say(ACCEPTED, responses.Metadata(document=b""))
        assert "SIM:7" in (await stranger.hear(commands.Subscribe)).connection_string


async def test_when_the_subscriber_is_closed_strangers_are_left_too() -> None:
    async with AsyncExitStack() as stack:
        async with listening() as (_, port):
            strangers = [await stack.enter_async_context(peer(port)) for _ in range(3)]
            closing = asyncio.gather(*(stranger.ended() for stranger in strangers))
            await asyncio.sleep(0)
        await closing
