"""How a publisher hands over (wire.md 5.4, 5.5): slots, confirmations, and the data of each cache."""

from __future__ import annotations

from dataclasses import replace

from sttp.codes import Command, DataPacketFlags
from sttp.wire import commands, responses
from sttp.wire.responses import UpdateSignalIndexCache
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.cache_images import walk
from sttp_conformance.case import Case
from sttp_conformance.cases.signal_index_caches.sessions import VERSION_1, first_cache, inflated
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.overheard import cache_payloads, data_packets
from sttp_conformance.picking import everything, only, publish_and_compare
from sttp_conformance.scripted_subscriber import COMPACT, TSSC, ScriptedSubscriber


@check(PUBLISHER)
async def first_cache_has_index_0(case: Case) -> None:
    """The first signal index cache of a connection has the cache index 0."""
    for _ in range(2):
        payload = await first_cache(case, TSSC)
        case.require(payload[0] == 0, "the cache index 0", payload[0])


@check(PUBLISHER)
async def new_caches_alternate_between_the_slots(case: Case) -> None:
    """A new cache is offered under the index that the current one does not have."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        for chosen in ((0,), (1,), (2,)):
            await peer.subscribe(only(signals, *chosen))
            before, now = (each[0] for each in cache_payloads(peer)[-2:])
            case.require({before, now} == {0, 1}, f"a cache index of 0 or 1 that is not {before}", now)


@check(PUBLISHER)
async def offers_one_cache_at_a_time(case: Case) -> None:
    """While a cache is unconfirmed no other is sent; then the newest that waits is, and older ones never."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        first = await peer.subscribe(only(signals, 0), confirm=False)
        for each in (1, 2):
            await _subscribe_without_cache(peer, only(signals, each))
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.expect(UpdateSignalIndexCache, what="the cache that waits for the confirm")
        payload = cache_payloads(peer)[-1]
        got = [each.signal_id for each in walk(inflated(payload[1:])).references]
        case.require(got == [signals[2].signal_id], f"a cache of the newest subscription, {signals[2].signal_id}", got)
        case.require(payload[0] == 1 - (first.cache_index or 0), "the other cache index", payload[0])
        await peer.say(commands.ConfirmUpdateSignalIndexCache(), commands.UpdateProcessingInterval(milliseconds=-1))
        await _answered(peer, Command.UPDATE_PROCESSING_INTERVAL, "no further cache")


async def _subscribe_without_cache(peer: ScriptedSubscriber, expression: str) -> None:
    wanted = SubscriptionOptions(filter_expression=expression).to_connection_string()
    await peer.say(commands.Subscribe(connection_string=wanted))
    await _answered(peer, Command.SUBSCRIBE, "no cache while another is unconfirmed")


async def _answered(peer: ScriptedSubscriber, command: Command, what: str) -> None:
    await peer.expect(
        (responses.Succeeded, responses.Failed),
        lambda answer: getattr(answer, "command", None) == command,
        what=f"a reply to {command.name}, and {what}",
    )


@check(PUBLISHER)
async def ignores_a_needless_confirm(case: Case) -> None:
    """A confirm with nothing outstanding is ignored: before Subscribe, after the cache, after Unsubscribe."""
    indexes = []
    for needless in (0, 1, 2):
        confirms = [commands.ConfirmUpdateSignalIndexCache()] * needless
        async with case.subscriber() as peer:
            await peer.begin()
            await peer.say(*confirms)
            signals = await everything(case, peer)
            await peer.say(*confirms)
            await peer.subscribe(only(signals, 0))
            await peer.say(commands.Unsubscribe(), *confirms)
            await peer.fence()
            await peer.subscribe(only(signals, 1))
            indexes.append([payload[0] for payload in cache_payloads(peer)])
    for got in indexes[1:]:
        case.require(got == indexes[0], f"the cache indexes that come without needless confirms, {indexes[0]}", got)


@check(PUBLISHER)
async def forgets_unconfirmed_caches_at_unsubscribe(case: Case) -> None:
    """Unsubscribe forgets a cache that is not confirmed: the next subscription is offered its own at once."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await peer.subscribe(only(signals, 0), confirm=False)
        await peer.say(commands.Unsubscribe())
        await peer.fence()
        got = (await peer.subscribe(only(signals, 1))).signals
        wanted = signals[1].signal_id
        case.require(wanted in got.index_of, f"a cache with {wanted}", [str(each.signal_id) for each in got])


@check(PUBLISHER, needs=("control:publish",))
async def packets_name_the_cache_that_made_them(case: Case) -> None:
    """Every data packet names the cache that it was made with, and from its confirm on a new cache is in use."""
    for modes in (TSSC, COMPACT):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            for chosen in ((2, 0), (1,), (0, 2)):
                await peer.subscribe(only(signals, *chosen))
                await peer.fence()
                await publish_and_compare(case, peer, signals, *chosen)


@check(PUBLISHER, needs=("control:publish",))
async def streams_on_during_a_handover(case: Case) -> None:
    """While a new cache is unconfirmed, the data of the old one goes on; with the confirm the new one takes over."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await peer.subscribe(only(signals, 1, 2), confirm=False)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.fence()
        await publish_and_compare(case, peer, signals, 1, 2)


@check(PUBLISHER, needs=("control:publish",))
async def holds_data_of_a_new_subscription_until_confirmed(case: Case) -> None:
    """After Unsubscribe and a new Subscribe no data comes until the new cache is confirmed."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        await peer.say(commands.Unsubscribe())
        await peer.fence()
        await peer.subscribe(only(signals, 1), confirm=False)
        await case.publish(case.frame(*range(len(signals))), signals)
        await peer.say(commands.UpdateProcessingInterval(milliseconds=-1))
        await _answered(peer, Command.UPDATE_PROCESSING_INTERVAL, "no data before the new cache is confirmed")
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.fence()


@check(PUBLISHER, needs=("version:1", "control:publish"))
async def version_1_streams_without_a_confirm(case: Case) -> None:
    """In version 1 nothing is confirmed: data follows the cache, is read with it, and never names a slot."""
    for modes in (VERSION_1, replace(TSSC, version=1)):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            await peer.subscribe(only(signals, 2, 1))
            await peer.fence()
            await publish_and_compare(case, peer, signals, 2, 1)
            flagged = [each for each in data_packets(peer) if DataPacketFlags.CACHE_INDEX in each.flags]
            case.require(not flagged, "no CacheIndex bit in version 1", flagged)
