"""Checks of whole conversations: a publisher and a subscriber over the transport, in both directions.

*Role invariance*: the normalised transcript of a conversation is the same whoever dials, and the same over TCP.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from sttp.codes import Role
from sttp.measurement import Columns, MeasurementBatch
from sttp.publisher import Publisher
from sttp.queues import Overflow
from sttp.subscriber import EVERYTHING, Subscriber
from sttp.testing.checks import Check, check
from sttp.testing.recording import fault, grid, rows
from sttp.testing.subject import BrokenPromiseError, Subject, promise
from sttp.testing.tap import Recording, Tap
from sttp.transport import RedialPolicy
from sttp_conformance.measurements import ROWS, Measurements
from sttp_conformance.transcript import Transcript, difference, read_transcript

__all__ = ["CHECKS"]

FORWARD: Final = ""
REVERSE: Final = "reverse+"

_COMPARED: Final = "tcp://127.0.0.1:0"
"""Over what a conversation sounds as it should."""

_ROWS_AT_ONCE: Final = 7
_QUEUE: Final = 2000


@dataclass(frozen=True, slots=True)
class _Ends:
    """A publisher of the recording and a subscriber, connected, and what passes between them."""

    publisher: Publisher
    subscriber: Subscriber
    recording: Recording


@asynccontextmanager
async def _met(subject: Subject, url: str, direction: str, wanted: str | None) -> AsyncIterator[_Ends]:
    """The end that listens is opened first: that is all that the direction says."""
    tap = Tap(at=Role.PUBLISHER)
    plugins = replace(subject.plugins, layers={**subject.plugins.layers, "tap": tap})
    common: dict[str, Any] = {"redial": RedialPolicy(sleep=_never), "plugins": plugins}

    def publisher(url: str) -> Publisher:
        tapped = f"{direction}tap+{url.removeprefix(direction).removeprefix('tap+')}"
        return Publisher(tapped, metadata=grid(), overflow=Overflow.WAIT, queue_limit=_QUEUE, **common)

    def subscriber(url: str) -> Subscriber:
        return Subscriber(direction + url.removeprefix(direction).removeprefix("tap+"), filter=wanted, **common)

    async with AsyncExitStack() as ends:
        if direction == FORWARD:
            p = await ends.enter_async_context(publisher(url))
            s = await ends.enter_async_context(subscriber(p.listening[0]))
        else:
            s = await ends.enter_async_context(subscriber(url))
            p = await ends.enter_async_context(publisher(s.listening or ""))
        yield _Ends(p, s, await tap.first())


async def _stream(ends: _Ends) -> None:
    """The whole recording, to a subscriber that takes it as it comes."""
    received: list[Any] = [np.zeros(0, ROWS)]

    async def publish() -> None:
        await ends.publisher.wait_for_subscription()
        whole, size = fault(), _ROWS_AT_ONCE * len(ends.publisher.signals)
        for start in range(0, len(whole.value), size):
            batch = MeasurementBatch(whole.select(slice(start, start + size)), ends.publisher.signals)
            await ends.publisher.publish(batch)
        await ends.publisher.drain()

    async def receive() -> None:
        async for batch in ends.subscriber.measurements():
            received.append(Measurements.of(batch.columns, batch.signals).rows)
            if sum(map(len, received)) >= len(fault().value):
                break

    await asyncio.gather(publish(), receive())
    came = Measurements(np.concatenate(received))
    promise(
        came == rows(fault()), f"{_checksum(rows(fault()))} was published, and {_checksum(came)} came to the subscriber"
    )


async def _be_refused(ends: _Ends) -> None:
    """A subscription to a table that is not there; the subscriber hangs up."""
    await ends.recording.over.wait()


async def _ask_for_metadata(ends: _Ends) -> None:
    promise(await ends.subscriber.refresh_metadata() == grid(), "other metadata came than is published")


_CONVERSATIONS: Final[dict[str, tuple[str | None, Callable[[_Ends], Awaitable[None]], Callable[[], Columns]]]] = {
    "the recording": (EVERYTHING, _stream, fault),
    "a subscription that is refused": ("FILTER Elsewhere WHERE True", _be_refused, Columns.empty),
    "metadata only": (None, _ask_for_metadata, Columns.empty),
}


async def _transcript(subject: Subject, url: str, direction: str, name: str) -> Transcript:
    wanted, hold, expected = _CONVERSATIONS[name]
    async with _met(subject, url, direction, wanted) as ends:
        await hold(ends)
    transcript = read_transcript(ends.recording.chunks)
    promise(transcript.measurements == rows(expected()), f"{name}: other measurements on the wire than were published")
    return transcript


@check()
async def stream_forward(subject: Subject) -> None:
    """A recording of 48 000 measurements arrives bit for bit where the subscriber dials."""
    await _transcript(subject, subject.url, FORWARD, "the recording")


@check()
async def stream_reverse(subject: Subject) -> None:
    """A recording of 48 000 measurements arrives bit for bit where the publisher dials."""
    await _transcript(subject, subject.url, REVERSE, "the recording")


@check()
async def role_invariance(subject: Subject) -> None:
    """Every conversation says the same whoever dials, and the same as over TCP."""
    for name in _CONVERSATIONS:
        over_tcp = await _transcript(subject, _COMPARED, FORWARD, name)
        for direction in (FORWARD, REVERSE):
            here = await _transcript(subject, subject.url, direction, name)
            if parted := difference(over_tcp, here):
                where = "reverse" if direction else "forward"
                raise BrokenPromiseError(f"{name}: over tcp (-) and here, {where} (+):\n{parted}")


@check()
async def reconnecting(subject: Subject) -> None:
    """When a stream breaks, the end that dials dials again, and the subscription is back; in both directions."""
    for direction in (FORWARD, REVERSE):
        await _break_and_return(subject, direction)


async def _break_and_return(subject: Subject, direction: str) -> None:
    at_once = RedialPolicy(base=0.01, cap=0.01)
    tap = Tap(at=Role.PUBLISHER)
    plugins = replace(subject.plugins, layers={**subject.plugins.layers, "tap": tap})
    async with AsyncExitStack() as ends:
        listening, dialing = (Publisher, Subscriber) if direction == FORWARD else (Subscriber, Publisher)
        settings: dict[type, dict[str, Any]] = {Publisher: {"metadata": grid()}, Subscriber: {}}
        first: Any = await ends.enter_async_context(
            listening(f"{direction}tap+{subject.url}", plugins=plugins, redial=at_once, **settings[listening])
        )
        bound = first.listening if direction else first.listening[0]
        second: Any = await ends.enter_async_context(
            dialing(bound.replace("tap+", ""), plugins=plugins, redial=at_once, **settings[dialing])
        )
        publisher, subscriber = (first, second) if direction == FORWARD else (second, first)
        row = fault().select(slice(0, len(publisher.signals)))
        batches = subscriber.measurements()
        for connections in (1, 2):
            while not _connected_again(publisher, connections):  # noqa: ASYNC110 - nothing tells when it is
                await asyncio.sleep(0.001)
            await publisher.publish(MeasurementBatch(row, publisher.signals))
            batch = await anext(batches)
            promise(rows(batch.columns) == rows(row), "something else came than was published")
            tap.streams[-1].abort()


def _connected_again(publisher: Publisher, connections: int) -> bool:
    now = publisher.statistics
    return now.connections >= connections and now.connected == now.subscriptions == 1


def _checksum(measurements: Measurements) -> str:
    return f"{len(measurements)} measurements, SHA-256 {hashlib.sha256(measurements.rows.tobytes()).hexdigest()[:16]}…"


async def _never(seconds: float) -> None:
    """A wait before dialing again that lasts longer than any check."""
    await asyncio.Event().wait()


CHECKS: Final[tuple[Check, ...]] = (stream_forward, stream_reverse, role_invariance, reconnecting)
"""What this module asks."""
