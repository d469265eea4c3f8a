"""Peers whose bytes are good and whose manners are not: too slow, too many, too fast, or suddenly gone."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from bad_peer import EVERYTHING, BadPeer, connect_and_reset, offer
from session_pair import cache
from siege import DIRECTIONS, IN_ORDER, SIGNALS, PublisherSiege, Siege, SubscriberSiege
from sttp.codes import Command, ModeFlags, OperationalModes, Role
from sttp.measurement import MeasurementBatch
from sttp.session import PublisherConfig, SubscriberConfig
from sttp.wire import commands, responses

resource = pytest.importorskip("resource")

SIEGES = pytest.mark.parametrize("siege", [PublisherSiege, SubscriberSiege], ids=["publisher", "subscriber"])

UNCOMPRESSED = OperationalModes(flags=ModeFlags(0))


async def make_stream(peer: BadPeer) -> None:
    """Behave, in either role, until measurements may flow."""
    await peer.start_streaming(cache(3))


# --- slow


@SIEGES
@DIRECTIONS
async def test_byte_by_byte(siege: type[Siege], dialing: bool) -> None:
    async with siege(dialing=dialing).laid() as laid:
        peer = await laid.peer()
        if peer.role is Role.SUBSCRIBER:
            said = [
                commands.DefineOperationalModes(modes=peer.modes),
                commands.MetadataRefresh(),
                EVERYTHING,
                commands.ConfirmUpdateSignalIndexCache(),
            ]
        else:
            said = [
                responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES),
                responses.Metadata(document=b""),
                offer(cache(3), peer.modes),
                responses.Succeeded(command=Command.SUBSCRIBE),
            ]
        for byte in b"".join(peer.written(*said)):
            await peer.say(bytes((byte,)))
            await asyncio.sleep(0)
        await peer.is_served()


@SIEGES
@DIRECTIONS
async def test_silence_is_given_up(siege: type[Siege], dialing: bool) -> None:
    if siege is PublisherSiege:
        laid = PublisherSiege(dialing=dialing, config=PublisherConfig(first_command_timeout=0.2))
        reason = "the subscriber did not define its modes within 0.2 s"
    else:
        laid = SubscriberSiege(dialing=dialing, config=SubscriberConfig(silence_timeout=0.2))
        reason = "the publisher sent nothing for 0.2 s"
    async with laid.laid():
        await laid.ends(await laid.peer(), reason)


@DIRECTIONS
async def test_tssc_that_stays_out_of_step_is_given_up(dialing: bool) -> None:
    config = SubscriberConfig(resynchronise_timeout=0.05)
    async with SubscriberSiege(dialing=dialing, config=config).laid() as siege:
        peer = await siege.peer()
        await make_stream(peer)
        await peer.say(bytes.fromhex("0000000f 82 02 00000009 08 00000001 55 0007 00"))
        await siege.ends(peer, r"stayed out of step for 0.05 s \(wire.md 6.4\)")


# --- gone


@SIEGES
@DIRECTIONS
async def test_a_peer_that_ends_its_side_is_left(siege: type[Siege], dialing: bool) -> None:
    async with siege(dialing=dialing).laid() as laid:
        for begin in (BadPeer.make_ready, make_stream):
            peer = await laid.peer()
            await begin(peer)
            peer.end()
            await laid.ends(peer, IN_ORDER)


@SIEGES
@DIRECTIONS
async def test_a_peer_that_breaks_off_is_left(siege: type[Siege], dialing: bool) -> None:
    async with siege(dialing=dialing).laid() as laid:
        for begin in (BadPeer.make_ready, make_stream):
            peer = await laid.peer()
            await begin(peer)
            peer.reset()
            await laid.ends(peer, "connection reset by peer|lost")


async def test_a_subscriber_that_is_gone_before_its_answer_is_made() -> None:
    # metadata of 5000 signals is made in a thread; data that flows meanwhile finds out that nobody is there
    async with PublisherSiege(dialing=False, signals=5000).laid() as siege:
        for request in (commands.MetadataRefresh(), commands.MetadataRefresh(filter_expression="FILTER DeviceDetail")):
            peer = await siege.peer()
            await make_stream(peer)
            await peer.say(request)
            peer.reset()
            await siege.ends(peer, "")


# --- many


@SIEGES
async def test_a_thousand_connections_that_are_reset(siege: type[Siege]) -> None:
    async with siege(dialing=False).laid() as laid:
        for _ in range(20):
            await asyncio.gather(*(connect_and_reset(laid.port) for _ in range(50)))


@SIEGES
async def test_fifty_dials_that_are_reset(siege: type[Siege]) -> None:
    async with siege(dialing=True).laid() as laid:
        for _ in range(50):
            (await laid.peer()).reset()


@SIEGES
async def test_five_hundred_idle_connections(siege: type[Siege]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        async with siege(dialing=False).laid() as laid:
            for _ in range(10):
                await asyncio.gather(*(laid.peer() for _ in range(50)))
            await laid.serves_another()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- fast


@DIRECTIONS
async def test_a_subscriber_that_does_not_read_while_data_flows(dialing: bool) -> None:
    many = 2000
    async with PublisherSiege(dialing=dialing, signals=many).laid() as siege:
        peer = await siege.peer()
        peer.modes = UNCOMPRESSED
        await make_stream(peer)
        publisher = siege.publisher
        index = np.arange(many // 2, many)
        ticks = 0
        while not publisher.statistics.dropped:
            ticks += 1
            await publisher.publish(MeasurementBatch.of(publisher.signals, index, ticks, 1.0))
            await asyncio.sleep(0)
        peer.reset()
        await siege.ends(peer, "")


async def test_a_publisher_whose_configuration_changes_all_the_time() -> None:
    async with SubscriberSiege(dialing=False).laid() as siege:
        peer = await siege.peer()
        await make_stream(peer)
        await peer.say(*(responses.ConfigurationChanged() for _ in range(5_000)))
        await peer.is_served()
        peer.end()
        refreshes = [said for said in await peer.ended() if isinstance(said, commands.MetadataRefresh)]
        assert len(refreshes) <= 1


async def test_a_subscriber_that_never_confirms_gets_no_data() -> None:
    async with PublisherSiege(dialing=False, signals=SIGNALS + 1).laid() as siege:
        peer = await siege.peer()
        await peer.make_ready()
        await peer.say(EVERYTHING)
        await peer.hear(responses.UpdateSignalIndexCache)
        for number in range(100):
            await siege.publisher.publish(MeasurementBatch.of(siege.publisher.signals, SIGNALS, number, 1.0))
        await siege.publisher.drain()
        await peer.say(commands.UpdateProcessingInterval(milliseconds=-1))
        peer.end()
        assert {type(said).__name__ for said in await peer.ended()} == {"Succeeded"}


async def test_subscribing_and_unsubscribing_without_end() -> None:
    async with PublisherSiege(dialing=False).laid() as siege:
        peer = await siege.peer()
        await make_stream(peer)
        for confirms in (False, True):
            for _ in range(20):
                confirm = [commands.ConfirmUpdateSignalIndexCache()] * confirms
                await peer.say(*[EVERYTHING, *confirm, commands.Unsubscribe(), *confirm] * 10)
                await peer.is_served()
        await peer.say(EVERYTHING)
        await peer.hear(responses.UpdateSignalIndexCache)
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.hear(responses.DataPacket)


async def test_commands_sent_in_one_go_are_answered_at_once() -> None:
    async with PublisherSiege(dialing=False).laid() as siege:
        peer = await siege.peer()
        modes = commands.DefineOperationalModes(modes=peer.modes)
        async with asyncio.timeout(2):
            await peer.say(modes, commands.MetadataRefresh(), EVERYTHING, commands.MetadataRefresh(), EVERYTHING)
            await peer.hear(responses.Metadata)
            await peer.hear(responses.UpdateSignalIndexCache)
            await peer.hear(responses.Metadata)
            await peer.hear(responses.Succeeded)
