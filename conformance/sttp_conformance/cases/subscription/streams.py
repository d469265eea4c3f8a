"""Streams of a publisher: replies, what is sent and what not, subscribing anew, Unsubscribe (wire.md 4.5 to 4.8)."""

from __future__ import annotations

import asyncio
import time

from sttp.codes import Command, Response, Role
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_subscriber import COMPACT, EVERYTHING, TSSC, ScriptedSubscriber
from sttp_conformance.sessions import catalogue, goes_on, offered, said, streaming
from sttp_conformance.ways import Direction

_TEXTS = (Command.DEFINE_OPERATIONAL_MODES, Command.SUBSCRIBE, Command.UNSUBSCRIBE)

_INTERVAL, _DURING = 1.0, 3.0
"""Seconds between two values of a throttled stream, and for how long is looked."""

_QUIET = (responses.NoOP, responses.UpdateBaseTimes)

_UNREADABLE = "filterExpression={FILTER ActiveMeasurements WHERE Ärger = 'ünlesbar' AND (}"


@check(PUBLISHER)
async def offers_a_cache_for_a_subscription(case: Case) -> None:
    """A publisher answers Subscribe with a signal index cache and Succeeded, in whatever order."""
    async with case.subscriber() as peer:
        await peer.begin()
        subscription = await peer.subscribe()
        case.require(subscription.indexes, "at least one signal", "none")


# --- texts


async def _texts(case: Case) -> list[tuple[int, int, bytes]]:
    """Code, command and bytes of the texts that a publisher says to good and bad commands."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.subscribe()
        await peer.say(commands.Subscribe(connection_string=_UNREADABLE), commands.Subscribe(connection_string="{"))
        await peer.say(commands.Unsubscribe())
        await peer.fence()
        return [
            (each[0], each[1], each[6:])
            for each in said(peer.recording, Role.PUBLISHER)
            if each[0] in (Response.SUCCEEDED, Response.FAILED)
        ]


@check(PUBLISHER)
async def failures_have_a_text(case: Case) -> None:
    """A publisher says why it fails."""
    failures = [(command, text) for code, command, text in await _texts(case) if code == Response.FAILED]
    case.require(failures, "Failed for a Subscribe that cannot be read", "none")
    for command, text in failures:
        case.require(text.strip(), f"a text with Failed for {command:#04x}", "none")


@check(PUBLISHER)
async def successes_have_a_text(case: Case) -> None:
    """A publisher adds a text to its successes."""
    for code, command, text in await _texts(case):
        if code == Response.SUCCEEDED and command in _TEXTS:
            case.require(text.strip(), f"a text with Succeeded for {Command(command).name}", "none")


@check(PUBLISHER)
async def texts_fill_their_replies(case: Case) -> None:
    """A publisher writes texts in the encoding of the session, with no length before them and no zero behind."""
    for _, command, text in await _texts(case):
        name = Command(command).name if command in list(Command) else f"{command:#04x}"
        prefixed = len(text) >= 4 and int.from_bytes(text[:4], "big") == len(text) - 4
        case.require(not prefixed, f"a reply to {name} that begins with its text", f"a length: {text[:16].hex(' ')}")
        case.require(not text.endswith(b"\0"), f"a reply to {name} without a zero behind the text", text[-8:].hex(" "))
        try:
            text.decode()
        except UnicodeDecodeError as error:
            case.require(False, f"a reply to {name} in UTF-8", error)


# --- data


@check(PUBLISHER, needs=("control:publish", "throttling"), topic="")
async def throttling_limits_the_rate(case: Case) -> None:
    """With throttled, a publisher sends the latest value of each signal, once in each publish interval."""
    async with case.subscriber() as peer:
        await peer.begin(COMPACT)
        signals = (await peer.subscribe(throttled=True, publish_interval=_INTERVAL)).signals
        await peer.fence()
        began, sent = time.monotonic(), []
        while time.monotonic() < began + _DURING:
            sent.append(case.frame(0, 1))
            await case.publish(sent[-1], signals)
            await asyncio.sleep(1 / 50)
        most = 2 * (2 + (time.monotonic() - began) / _INTERVAL)
        last = int(sent[-1].ticks[0])
        arrived: list[Measurements] = []
        while last not in (times := [time for each in arrived for time in each.rows["ticks"].tolist()]):
            case.require(len(times) <= most, f"at most {most:.0f} measurements of {2 * len(sent)}", len(times))
            arrived.append(await peer.measurements(1, within=_INTERVAL + case.grace.reply))
        case.note(f"{len(times)} of {2 * len(sent)} measurements came")
        case.require(len(times) <= most, f"at most {most:.0f} measurements of {2 * len(sent)}", len(times))


@check(PUBLISHER, needs=("control:publish",))
async def sends_only_what_was_subscribed(case: Case) -> None:
    """What is published of subscribed signals arrives once, in order and bit for bit, and of other signals nothing."""
    rows = await catalogue(case)
    wanted = rows[1]
    async with streaming(case, TSSC, str(wanted.signal_id)) as (peer, subscription):
        case.require(offered(subscription) == [wanted.signal_id], f"{wanted.signal_id} only", offered(subscription))
        for _ in range(3):
            time = case.clock.tick()
            await case.publish_rows([[str(row.signal_id), time, 7.5, 0] for row in rows])
            arrived = await peer.measurements(1)
            case.require(len(arrived) == 1, "one measurement", "; ".join(arrived.lines()))
            line = next(arrived.lines())
            case.require(
                line.startswith(f"{wanted.signal_id} at {time}: 7.5 "), f"7.5 of {wanted.signal_id} at {time}", line
            )
        await peer.expect_silence(what="no measurement of another signal")


@check(PUBLISHER, needs=("control:publish",), directions=(Direction.FORWARD,))
async def subscribers_get_their_own_signals(case: Case) -> None:
    """A publisher sends each of two subscribers the signals that it has subscribed to."""
    one, two, *_ = await catalogue(case)
    async with (
        streaming(case, TSSC, str(one.signal_id)) as (first, subscribed),
        streaming(case, TSSC, str(two.signal_id)) as (second, also_subscribed),
    ):
        time = case.clock.tick()
        await case.publish_rows([[str(row.signal_id), time, 1.5, 0] for row in (one, two)])
        for peer, subscription, row in ((first, subscribed, one), (second, also_subscribed, two)):
            wanted = row.signal_id
            case.require(offered(subscription) == [wanted], f"{wanted} only", offered(subscription))
            arrived = [*(await peer.measurements(1)).lines()]
            case.require(len(arrived) == 1 and str(wanted) in arrived[0], f"one of {wanted}", "; ".join(arrived))
        await first.expect_silence(what="nothing that the other has subscribed to")


@check(PUBLISHER, needs=("control:publish",))
async def holds_data_until_the_cache_is_confirmed(case: Case) -> None:
    """A publisher holds data packets back until the first signal index cache is confirmed."""
    async with case.subscriber() as peer:
        await peer.begin()
        subscription = await peer.subscribe(confirm=False)
        await case.publish(case.frame(0), subscription.signals)
        await peer.expect_silence(what="no data packet before the signal index cache is confirmed")
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.fence()
        frame = case.frame(0)
        await case.publish(frame, subscription.signals)
        await peer.find(DataPacket)


@check(PUBLISHER, needs=("control:publish",), topic="")
async def sends_nan_as_it_was_asked(case: Case) -> None:
    """A publisher sends values that are no numbers, and leaves them out where requestNaNValueFilter asks for that."""
    row = (await catalogue(case))[0]
    for modes in (TSSC, COMPACT):
        for leave_out in (False, True):
            async with case.subscriber() as peer:
                await peer.begin(modes)
                await peer.subscribe(str(row.signal_id), request_nan_filter=leave_out)
                await peer.fence()
                values = [1.0, "NaN", 2.0]
                await case.publish_rows([[str(row.signal_id), case.clock.tick(), value, 0] for value in values])
                arrived = [*(await peer.measurements(2 if leave_out else 3)).lines()]
                nans = sum(": nan " in line for line in arrived)
                case.require(
                    nans == int(not leave_out), f"{int(not leave_out)} NaN with the filter {leave_out}", arrived
                )


@check(PUBLISHER, needs=("control:publish",))
async def start_time_precedes_the_data(case: Case) -> None:
    """A publisher that tells when its data begins does so in eight bytes of ticks, before the data."""
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)
        frames = said(peer.recording, Role.PUBLISHER)
        codes = [each[0] for each in frames]
        for each in frames:
            if each[0] == Response.DATA_START_TIME:
                case.require(len(each) == 14, "8 bytes of ticks", f"{len(each) - 6}")
                case.require(not each[6] >> 6, "ticks without bits of leap seconds", each[6:].hex(" "))
                first = codes.index(Response.DATA_PACKET)
                case.require(codes.index(Response.DATA_START_TIME) < first, "DataStartTime before data", "it behind")


@check(PUBLISHER, needs=("control:publish",))
async def start_time_is_that_of_the_first_measurement(case: Case) -> None:
    """A publisher announces the time of the first measurement that it sends for a subscription."""
    async with streaming(case) as (peer, subscription):
        frame = case.frame(0)
        await case.publish(frame, subscription.signals)
        start = await peer.expect(responses.DataStartTime, what="DataStartTime before data", harmless=_QUIET)
        case.require(start.ticks == int(frame.ticks[0]), f"{int(frame.ticks[0])} ticks", start.ticks)


# --- anew


@check(PUBLISHER)
async def accepts_subscribe_while_subscribed(case: Case) -> None:
    """A publisher takes a Subscribe while another subscription is in force, and replaces it."""
    rows = await catalogue(case)
    wanted = rows[0].signal_id
    async with streaming(case) as (peer, _):
        second = await peer.subscribe(str(wanted))
        got = offered(second)
        case.require(got == [wanted], f"a signal index cache with {wanted} only", got)
        await peer.fence()
        await goes_on(case, peer, second)


@check(PUBLISHER, needs=("control:publish",))
async def resubscribing_replaces_the_selection(case: Case) -> None:
    """A publisher sends data of the new selection, and of no other signal, once a Subscribe has replaced another."""
    one, two, *_ = await catalogue(case)
    async with streaming(case, TSSC, str(one.signal_id)) as (peer, _):
        second = await peer.subscribe(str(two.signal_id))
        await peer.fence()
        time = case.clock.tick()
        await case.publish_rows([[str(row.signal_id), time, 2.5, 0] for row in (one, two)])
        arrived = [*(await peer.measurements(1)).lines()]
        case.require(len(arrived) == 1 and str(two.signal_id) in arrived[0], f"one of {two.signal_id}", arrived)
        await peer.expect_silence(what="nothing of the signal before")
        case.require(offered(second) == [two.signal_id], f"{two.signal_id}", offered(second))


@check(PUBLISHER)
async def failed_subscribe_leaves_the_subscription(case: Case) -> None:
    """A Subscribe that fails leaves the running subscription as it is."""
    async with streaming(case) as (peer, subscription):
        await goes_on(case, peer, subscription)
        await peer.say(commands.Subscribe(connection_string=_UNREADABLE))
        await peer.find(responses.Failed, lambda answer: answer.command == Command.SUBSCRIBE, what="Failed/Subscribe")
        await goes_on(case, peer, subscription)


# --- Unsubscribe


async def _unsubscribed(peer: ScriptedSubscriber) -> None:
    await peer.say(commands.Unsubscribe())
    await peer.find(
        responses.Succeeded, lambda answer: answer.command == Command.UNSUBSCRIBE, what="Succeeded for Unsubscribe"
    )


@check(PUBLISHER)
async def answers_unsubscribe(case: Case) -> None:
    """A publisher answers Unsubscribe with Succeeded, also when nothing is subscribed."""
    async with streaming(case) as (peer, _):
        await _unsubscribed(peer)
        await _unsubscribed(peer)
        await peer.fence()


@check(PUBLISHER)
async def keeps_the_connection_after_unsubscribe(case: Case) -> None:
    """A publisher keeps the connection after Unsubscribe, and still answers."""
    async with streaming(case) as (peer, _):
        await peer.say(commands.Unsubscribe(), commands.MetadataRefresh())
        await peer.find((responses.Metadata, responses.Failed), what="an answer to MetadataRefresh")  # type: ignore[arg-type]


@check(PUBLISHER, needs=("control:publish",))
async def sends_no_data_after_unsubscribe(case: Case) -> None:
    """A publisher sends no data packet that is published after it has handled Unsubscribe."""
    async with streaming(case, COMPACT) as (peer, subscription):
        await peer.say(commands.Unsubscribe())
        await peer.fence()
        await case.publish(case.frame(0), subscription.signals)
        await peer.expect_silence(what="no data packet after Unsubscribe")


@check(PUBLISHER, needs=("control:publish",), topic="")
async def streams_after_unsubscribe_and_subscribe(case: Case) -> None:
    """A publisher streams again after Unsubscribe and a Subscribe right behind it, also while data flows."""
    for _ in range(3):
        async with streaming(case) as (peer, subscription):
            await case.publish(case.frame(0), subscription.signals)
            everything = peer.written(commands.Subscribe(connection_string=f"filterExpression={{{EVERYTHING}}}"))
            await peer.say(peer.written(commands.Unsubscribe()) + everything)
            while True:  # what was under way still comes, in either reading
                answer = await peer.find(
                    responses.Succeeded, lambda each: each.command in (Command.SUBSCRIBE, Command.UNSUBSCRIBE)
                )
                if answer.command == Command.SUBSCRIBE:
                    break
            await peer.say(commands.ConfirmUpdateSignalIndexCache())
            await peer.fence()
            await case.publish(case.frame(0), subscription.signals)
            await peer.find(DataPacket, what="data after subscribing again")
