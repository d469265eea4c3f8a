"""Scale: a hundred thousand signals, thousands of messages, hundreds of caches and connections, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from uuid import UUID

import numpy as np

from sttp.errors import TransportError
from sttp.measurement import Columns, SignalTable
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.control import ControlError
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.measurements import Measurements
from sttp_conformance.metadata_reading import parse
from sttp_conformance.multitude import apart, multitude
from sttp_conformance.picking import everything, only, publish_and_compare
from sttp_conformance.same import require_same_measurements, require_same_rows
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, TSSC, ScriptedSubscriber
from sttp_conformance.sessions import cache_goes_on, goes_on, streaming
from sttp_conformance.violation import Skip
from sttp_conformance.ways import Direction

_FEW, _MANY = 10_000, 100_000
_PATIENCE = 120.0
"""Seconds that ten thousand signals may take, and anything that is told to an application."""

_SHARE = 5_000
"""Measurements that are handed over at one go."""

_MESSAGES, _CACHES, _AT_ONCE = 3_000, 200, 50
_WARM, _TURNS = 20, 150
"""Connections before what is held is looked at, and between two looks."""

_SPARE_DESCRIPTORS, _SPARE_MEMORY = 8, 24 * 2**20


# --- a hundred thousand signals


class _Growth:
    """How long ten thousand take, and from that how long a hundred thousand may: ten times that, times two."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.limit = _PATIENCE

    @contextmanager
    def timed(self, count: int) -> Iterator[None]:
        """Take the time that so many signals take.

        Raises:
            Violation: it was too long.
        """
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self._case.note(f"{count} signals take {took:.1f} s, of {self.limit:.0f} s")
        self._case.require(took <= self.limit, f"{count} signals in {self.limit:.1f} s", f"{took:.1f} s")
        self.limit = 2 * took * _MANY / count + self._case.grace.reply


@asynccontextmanager
async def _of_many(case: Case, count: int) -> AsyncIterator[tuple[ScriptedSubscriber, SignalTable]]:
    """A subscriber of a publisher that has many signals, and these."""
    signals, document = multitude(count)
    await case.control.ask("redefine-metadata", within=_PATIENCE, document=document.decode())
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        yield peer, signals


@check(PUBLISHER, needs=("control:redefine-metadata", "control:publish", "metadata"), slow=True, fresh=True, topic="")
async def serves_100000_signals(case: Case) -> None:
    """A publisher offers a hundred thousand signals, and their data, in some ten times the time of ten thousand."""
    growth = _Growth(case)
    for count in (_FEW, _MANY):
        async with _of_many(case, count) as (peer, signals):
            with growth.timed(count):
                offered = (await peer.subscribe(within=growth.limit)).signals
                amiss = apart(signals, offered)
                case.require(not amiss, f"the {count} signals of its metadata", amiss)
                await peer.fence()
                await _one_of_each(case, peer, offered, growth.limit)


async def _one_of_each(case: Case, peer: ScriptedSubscriber, signals: SignalTable, within: float) -> None:
    """Let a measurement of each signal be published.

    Raises:
        Violation: of some signal nothing arrived.
    """
    ids: set[bytes] = set()
    for start in range(0, len(signals), _SHARE):
        frame = case.frame(*range(start, min(start + _SHARE, len(signals))))
        await case.publish(frame, signals)
        arrived = await peer.measurements(len(frame.ticks), within=within)
        ids.update(each.tobytes() for each in arrived.rows["signal_id"])
    _require_all(case, signals, ids, "a measurement of each of")


def _require_all(case: Case, signals: SignalTable, found: Collection[bytes], what: str) -> None:
    """Check that there are as many signals as there should be; the message names the first that is missing."""
    count = int(signals.present.sum())
    if len(found) != count:
        wanted = (row.tobytes() for row in signals.ids[signals.present])
        missing = next((UUID(bytes=each) for each in wanted if each not in found), None)
        case.require(False, f"{what} {count} signals", f"{len(found)}; the first that is missing is {missing}")


@check(PUBLISHER, needs=("control:redefine-metadata", "metadata"), slow=True, fresh=True, topic="")
async def gives_metadata_of_100000_signals(case: Case) -> None:
    """A publisher gives metadata of a hundred thousand signals whole, in some ten times the time of ten thousand."""
    growth = _Growth(case)
    for count in (_FEW, _MANY):
        async with _of_many(case, count) as (peer, signals):
            with growth.timed(count):
                await peer.say(commands.MetadataRefresh())
                answer = await peer.find(responses.Metadata, within=growth.limit, what="Succeeded for MetadataRefresh")
        got = set(parse(answer.document).column("MeasurementDetail", "SignalID"))
        _require_all(case, signals, _bytes(got), "metadata of")


@check(SUBSCRIBER, needs=("control:report",), slow=True, topic="")
async def takes_data_of_100000_signals(case: Case) -> None:
    """A subscriber takes a hundred thousand signals, and data of each, in some ten times the time of ten thousand."""
    growth = _Growth(case)
    for count in (_FEW, _MANY):
        signals, _ = multitude(count)
        async with case.publisher() as peer:
            await peer.accept_modes()
            await peer.wait_for_subscribe()
            with growth.timed(count):
                await peer.offer(signals, within=growth.limit)
                for start in range(0, count, _SHARE):
                    frame = case.frame(*range(start, start + _SHARE))
                    await peer.send(frame)
                    received = await case.received(_SHARE, within=growth.limit)
                    what = f"the measurements of signals from {start} on"
                    require_same_rows(case, rows(frame, signals), received, what, ordered=False)


@check(SUBSCRIBER, needs=("control:refresh-metadata",), slow=True, topic="")
async def reads_metadata_of_100000_signals(case: Case) -> None:
    """A subscriber reads metadata of a hundred thousand signals, in some ten times the time of ten thousand."""
    growth = _Growth(case)
    for count in (_FEW, _MANY):
        signals, document = multitude(count)
        async with case.publisher() as peer:
            await peer.serve()
            peer.document = document
            with growth.timed(count):
                asking = asyncio.create_task(case.control.ask("refresh-metadata", within=max(growth.limit, _PATIENCE)))
                try:
                    await peer.expect(commands.MetadataRefresh)
                    await peer.give_metadata()
                    found = set((await asking)["signals"])
                finally:
                    asking.cancel()
                    with suppress(asyncio.CancelledError, ControlError):
                        await asking
            _require_all(case, signals, _bytes(found), "that the application finds")


def _bytes(found: Iterable[object]) -> set[bytes]:
    """Signal IDs that are written as text; what is none counts, too."""
    return {_signal_id(str(each)) for each in found}


def _signal_id(text: str) -> bytes:
    try:
        return UUID(text).bytes
    except ValueError:
        return text.encode()


# --- thousands of messages, hundreds of caches


@check(PUBLISHER, needs=("control:publish",), topic="")
async def streams_thousands_of_messages(case: Case) -> None:
    """A publisher sends thousands of messages on one connection, all of them, in order and exact."""
    for modes in (TSSC, COMPACT):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            for _ in range(_MESSAGES // 20):
                sent = [case.frame(0, 1, 2) for _ in range(10)]
                await asyncio.gather(*(case.publish(each, signals) for each in sent))
                wanted = Measurements.of(Columns.concatenate(sent), signals)
                got = await peer.measurements(len(wanted))
                require_same_measurements(case, wanted, got, "the measurements as they were published")


@check(PUBLISHER, needs=("control:publish",), topic="")
async def hands_over_hundreds_of_times(case: Case) -> None:
    """A publisher hands over from one signal index cache to the next hundreds of times, and the data is right."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for number in range(1, _CACHES + 1):
            await peer.subscribe(only(signals, number % 3))
            if number % 20 == 0:
                await peer.fence()
                await publish_and_compare(case, peer, signals, number % 3)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def takes_thousands_of_messages(case: Case) -> None:
    """A subscriber takes thousands of messages on one connection, all of them, in order."""
    async with case.publisher() as peer:
        await peer.serve()
        for _ in range(_MESSAGES // 250):
            sent = [case.frame(0, 3, 7) for _ in range(250)]
            packets = [packet for each in sent for packet in peer.data_packets(each)]
            await peer.say(*packets, responses.NoOP())
            wanted = rows(Columns.concatenate(sent), SIGNALS)
            received = await case.received(len(wanted))
            what = f"the measurements of {len(packets)} messages in order"
            require_same_rows(case, wanted, received, what, ordered=True)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def follows_hundreds_of_caches(case: Case) -> None:
    """A subscriber follows from one signal index cache to the next hundreds of times, and reads each as it should."""
    async with case.publisher() as peer:
        await peer.serve()
        wanted: list[list[object]] = []
        for number in range(1, _CACHES + 1):
            signals = SIGNALS.select(np.roll(np.arange(len(SIGNALS)), number))
            await peer.offer(signals, cache_index=number % 2, succeed=False)
            frame = case.frame(0, 5)
            await peer.send(frame)
            wanted += rows(frame, signals)
        received = await case.received(len(wanted))
        what = f"what {_CACHES} caches say of their measurements"
        require_same_rows(case, wanted, received, what, ordered=True)


# --- hundreds of connections


async def _holds_no_more(case: Case, session: Callable[[int], Awaitable[None]]) -> None:
    """Hold many sessions, one after another, and see that the process holds no more at the end."""
    for number in range(_WARM):
        await session(number)
    process = case.implementation
    descriptors, memory = process.descriptors, process.memory
    for number in range(_TURNS):
        await session(number)
    if not descriptors:
        case.note("nobody can see what the process holds")
        return
    deadline = time.monotonic() + case.grace.reply
    while True:  # the last ones may still be on their way out
        if process.descriptors <= descriptors + _SPARE_DESCRIPTORS or time.monotonic() > deadline:
            break
        await asyncio.sleep(case.grace.step)
    more, grown = process.descriptors - descriptors, process.memory - memory
    case.note(f"after {_TURNS} connections it holds {more:+d} descriptors, {grown / 2**20:+.1f} MiB")
    case.require(more <= _SPARE_DESCRIPTORS, f"no more open descriptors after {_TURNS} connections", f"{more} more")
    limit = f"at most {_SPARE_MEMORY >> 20} MiB more after {_TURNS} connections"
    case.require(grown <= _SPARE_MEMORY, limit, f"{grown / 2**20:.1f} MiB")


@check(PUBLISHER, slow=True, topic="")
async def publisher_serves_hundreds_of_connections_in_turn(case: Case) -> None:
    """A publisher serves hundreds of connections, one after another, and keeps nothing of those that are gone."""

    async def session(number: int) -> None:
        async with streaming(case) as (peer, subscription):
            await goes_on(case, peer, subscription)
            if number % 2:
                peer.abort()

    await _holds_no_more(case, session)


@check(SUBSCRIBER, slow=True, topic="")
async def subscriber_serves_hundreds_of_connections_in_turn(case: Case) -> None:
    """A subscriber has hundreds of connections, one after another, and keeps nothing of those that are gone."""

    async def session(number: int) -> None:
        async with case.publisher() as peer:
            await peer.serve()
            await cache_goes_on(case, peer)
            if number % 2:
                peer.abort()

    await _holds_no_more(case, session)


@check(PUBLISHER, directions=(Direction.FORWARD,), needs=("control:publish",))
async def serves_fifty_subscribers_at_once(case: Case) -> None:
    """A publisher that listens serves fifty subscribers at once, each with what it asked for."""
    if 0 < (most := case.implementation.adapter.capabilities.get("max-connections", 0)) < _AT_ONCE:
        raise Skip(f"it takes at most {most} connections (capabilities.max-connections)")
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(case.subscriber()) for _ in range(_AT_ONCE)]
        for number, peer in enumerate(peers):
            await peer.begin(TSSC if number % 2 else COMPACT)
        signals = [await everything(case, peer) for peer in peers]
        for _ in range(3):
            frame = case.frame(*range(len(signals[0])))
            await case.publish(frame, signals[0])
            for number, (peer, own) in enumerate(zip(peers, signals, strict=True)):
                got = await peer.measurements(len(own))
                what = f"the measurements as they were published, at subscriber {number}"
                require_same_measurements(case, Measurements.of(frame, signals[0]), got, what)


@check(SUBSCRIBER, directions=(Direction.REVERSE,), needs=("control:report",))
async def many_second_publishers_leave_the_first_alone(case: Case) -> None:
    """A subscriber that listens serves its publisher on while many others come and go."""
    async with case.publisher() as first:
        await first.serve()
        for number in range(_AT_ONCE):
            with suppress(TransportError):
                stream = await case.implementation.connect()
                if number % 2:
                    stream.abort()
                else:
                    await stream.close()
            if number % 10 == 0:
                await _is_served(case, first)
        await _is_served(case, first)


async def _is_served(case: Case, peer: ScriptedPublisher) -> None:
    frame = case.frame(0, 7)
    await peer.send(frame)
    received = await case.received(2)
    what = "the measurements of the first publisher"
    require_same_rows(case, rows(frame, SIGNALS), received, what, ordered=True)
