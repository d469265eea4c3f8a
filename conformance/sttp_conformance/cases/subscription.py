"""Subscriptions (wire.md 4, 9.2, 9.3): Subscribe, its replies, what follows, and Unsubscribe."""

from __future__ import annotations

from sttp.codes import Command
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_subscriber import COMPACT, TSSC


@check(PUBLISHER)
async def offers_a_cache_for_a_subscription(case: Case) -> None:
    """A publisher answers Subscribe with a signal index cache and Succeeded, in whatever order."""
    async with case.subscriber() as peer:
        await peer.begin()
        subscription = await peer.subscribe()
        case.require(len(subscription.signals), "at least one signal", "none")


@check(PUBLISHER, needs=("control:publish",))
async def sends_only_what_was_subscribed(case: Case) -> None:
    """What is published arrives once, in order, and bit for bit."""
    async with case.subscriber() as peer:
        await peer.begin()
        subscription = await peer.subscribe()
        index = [*range(len(subscription.signals))]
        await peer.fence()  # the cache is confirmed
        for _ in range(3):
            frame = case.frame(*index)
            await case.publish(frame, subscription.signals)
            arrived = await peer.measurements(len(index))
            case.require(
                sorted(arrived.lines()) == sorted(Measurements.of(frame, subscription.signals).lines()),
                "the measurements as they were published",
                "; ".join(arrived.lines()),
            )


@check(PUBLISHER, needs=("control:publish",))
async def holds_data_until_the_cache_is_confirmed(case: Case) -> None:
    """A publisher holds data packets back until the first signal index cache is confirmed."""
    async with case.subscriber() as peer:
        await peer.begin()
        subscription = await peer.subscribe(confirm=False)
        await case.publish(case.frame(0), subscription.signals)
        await peer.expect_silence(what="no data packet before the signal index cache is confirmed")


@check(PUBLISHER)
async def answers_unsubscribe(case: Case) -> None:
    """A publisher answers Unsubscribe with Succeeded and keeps the connection."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.subscribe()
        await peer.say(commands.Unsubscribe())
        await peer.find(
            responses.Succeeded, lambda answer: answer.command == Command.UNSUBSCRIBE, what="Succeeded for Unsubscribe"
        )
        await peer.fence()


@check(PUBLISHER, needs=("control:publish",))
async def sends_no_data_after_unsubscribe(case: Case) -> None:
    """A publisher sends no data packet that is published after it has answered Unsubscribe."""
    async with case.subscriber() as peer:
        await peer.begin(COMPACT)
        subscription = await peer.subscribe()
        await peer.say(commands.Unsubscribe())
        await peer.find(
            responses.Succeeded, lambda answer: answer.command == Command.UNSUBSCRIBE, what="Succeeded for Unsubscribe"
        )
        await case.publish(case.frame(0), subscription.signals)
        await peer.expect_silence(what="no data packet after Unsubscribe")


@check(PUBLISHER)
async def accepts_subscribe_while_subscribed(case: Case) -> None:
    """A publisher takes a Subscribe while another subscription is in force, and replaces it."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        first = await peer.subscribe()
        wanted = first.signals[0].signal_id
        second = await peer.subscribe(str(wanted))
        got = [signal.signal_id for signal in second.signals if signal.signal_id.int]
        case.require(got == [wanted], f"a signal index cache with {wanted} only", got)
