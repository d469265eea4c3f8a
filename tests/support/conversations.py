"""Conversations that are held in both directions, over each transport, and recorded at the publisher's end."""

from __future__ import annotations

import asyncio
import atexit
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from in_process import plug_in
from parties import Party
from sttp import (
    EVERYTHING,
    Encoding,
    MeasurementBatch,
    Metadata,
    Overflow,
    PeerEvent,
    Publisher,
    RefusedError,
    Subscriber,
)
from sttp.codes import OperationalModes, Response, Role
from sttp.measurement import Columns
from sttp.security import Security
from sttp.session import PublisherConfig, SubscriberConfig
from sttp.session.events import (
    BufferBlockConfirmed,
    CommandSucceeded,
    NotificationConfirmed,
    UserCommandReceived,
    UserResponseReceived,
)
from sttp.testing.recording import fault, grid, rows
from sttp.testing.tap import Recording, Tap
from sttp.transport import RedialPolicy
from sttp.transport.memory import MemoryTransport
from sttp.wire.commands import ConfirmUpdateSignalIndexCache, write_command
from sttp.wire.frame import FrameReader
from sttp.wire.responses import NoOP, write_response
from sttp_conformance.measurements import Measurements

__all__ = [
    "CONVERSATIONS",
    "DIRECTIONS",
    "NOOP",
    "WAYS",
    "Conversation",
    "Ends",
    "Way",
    "a_sign_of_life",
    "publish_the_fault",
    "record",
]

DIRECTIONS = {"forward": "", "reverse": "reverse+"}
TRANSPORTS = {"memory": "memory://hub", "tcp": "tcp://127.0.0.1:0", "tls": "tls://127.0.0.1:0"}
NOOP = write_response(NoOP(), OperationalModes())
_CONFIRM = write_command(ConfirmUpdateSignalIndexCache(), OperationalModes())
ROWS_AT_ONCE = {"forward": 1, "reverse": 7}
"""How many rows of the recording are published at once: transcripts may not tell."""


@dataclass(frozen=True)
class Way:
    """How the two ends come together."""

    direction: str
    transport: str

    def __str__(self) -> str:
        return f"{self.direction} over {self.transport}"


WAYS = [Way(direction, transport) for direction in DIRECTIONS for transport in TRANSPORTS]


async def never(seconds: float) -> None:
    """A wait before dialing again that lasts longer than any test."""
    await asyncio.Event().wait()


class Ends:
    """A publisher and a subscriber that are connected, and a tap at the publisher's end.

    Attributes:
        publisher: has the metadata of the fault recording, and waits where a queue is full.
        subscriber: as the conversation wants it.
        way: how they came together.
        version: of the protocol.
        tap: what it has recorded.
    """

    def __init__(self, publisher: Publisher, subscriber: Subscriber, way: Way, version: int, tap: Tap) -> None:
        self.publisher = publisher
        self.subscriber = subscriber
        self.way = way
        self.version = version
        self.tap = tap

    @classmethod
    @asynccontextmanager
    async def meet(
        cls,
        way: Way,
        wanted: str | None,
        *,
        encoding: Encoding,
        version: int,
        settings: Mapping[str, Any],
        publisher_config: PublisherConfig = PublisherConfig(),  # noqa: B008 - immutable
    ) -> AsyncIterator[Ends]:
        """Connect them. The end that listens is opened first, that is all that the direction says."""
        redial = RedialPolicy(sleep=never)
        url, prefix = TRANSPORTS[way.transport], DIRECTIONS[way.direction]
        config = SubscriberConfig(modes=OperationalModes(version=version))
        with pytest.MonkeyPatch.context() as patch:
            tap = Tap(at=Role.PUBLISHER)
            plug_in(patch, transports={"memory": MemoryTransport()}, layers={"tap": tap})

            def publisher(url: str) -> Publisher:
                return Publisher(
                    url.replace(prefix, f"{prefix}tap+", 1),
                    metadata=grid(),
                    overflow=Overflow.WAIT,
                    queue_limit=2000,
                    redial=redial,
                    security=security(),
                    config=publisher_config,
                )

            def subscriber(url: str) -> Subscriber:
                return Subscriber(
                    url, filter=wanted, encoding=encoding, redial=redial, config=config, security=security(), **settings
                )

            async with AsyncExitStack() as ends:
                if way.direction == "forward":
                    p = await ends.enter_async_context(publisher(prefix + url))
                    s = await ends.enter_async_context(subscriber(p.listening[0].replace("tap+", "")))
                else:
                    s = await ends.enter_async_context(subscriber(prefix + url))
                    assert s.listening is not None
                    p = await ends.enter_async_context(publisher(s.listening))
                yield cls(p, s, way, version, tap)


# --- conversations


@cache
def security() -> Security:
    """Of one who trusts nobody but itself, and so the other end."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    party = Party(folder, "both")
    party.trust("both", party.issuer)
    return party.security


def wanted_of_the_fault(keys: tuple[str, ...]) -> Measurements:
    """The measurements of some signals."""
    wanted = [grid().signals.keys.index(key) for key in keys]
    return rows(fault().select(np.isin(fault().signal_index, wanted)))


async def nothing(ends: Ends) -> None:
    """No pause."""


async def a_sign_of_life(ends: Ends) -> None:
    """A pause until the publisher has sent NoOP."""
    recording = await ends.tap.first()
    await recording.ends_with(NOOP)


async def publish_the_fault(
    ends: Ends, expected: Measurements, *, pause: Callable[[Ends], Awaitable[None]] = nothing
) -> None:
    """Everything, in order, to a subscriber that takes it as it comes."""
    publisher, subscriber, received = ends.publisher, ends.subscriber, []

    async def publish() -> None:
        await publisher.wait_for_subscription()
        whole = fault()
        size = ROWS_AT_ONCE[ends.way.direction] * len(publisher.signals)
        half = len(whole.value) // size // 2 * size
        for start in range(0, len(whole.value), size):
            if start == half:
                await pause(ends)
            await publisher.publish(MeasurementBatch(whole.select(slice(start, start + size)), publisher.signals))
        await publisher.drain()

    async def receive() -> None:
        async for batch in subscriber.measurements():
            received.append(Measurements.of(batch.columns, batch.signals).rows)
            if sum(map(len, received)) >= len(expected):
                break

    await asyncio.gather(publish(), receive())
    assert Measurements(np.concatenate(received)) == expected, "the application got something else"


async def be_refused(ends: Ends, expected: Measurements) -> None:
    """A subscription to a table that is not there; the subscriber hangs up."""
    recording = await ends.tap.first()
    await recording.over.wait()


async def ask_for_metadata(ends: Ends, expected: Measurements) -> None:
    """Metadata, and nothing else."""
    assert await ends.subscriber.refresh_metadata() == grid()


@dataclass(frozen=True)
class Conversation:
    """What is talked about.

    Attributes:
        wanted: the filter expression of the subscriber; None to subscribe to nothing.
        hold: both ends of it.
        expected: the measurements that must arrive.
        spoken: what the publisher must say; base times, which not every encoding needs, do not count.
        settings: of the subscriber, besides.
    """

    wanted: str | None
    hold: Callable[[Ends, Measurements], Awaitable[None]]
    expected: Callable[[], Measurements]
    spoken: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


async def say_everything(ends: Ends, expected: Measurements) -> None:
    """One thing after another: subscriptions that change, and all that either application can say to the other."""
    publisher, subscriber, tap = ends.publisher, ends.subscriber, await ends.tap.first()
    told, heard, batches = publisher.events(), subscriber.events(), subscriber.measurements()
    received: list[Any] = []
    width = len(publisher.signals)

    async def stream(row: int, count: int) -> None:
        """A row of the recording, of which so many measurements arrive."""
        await publisher.publish(MeasurementBatch(fault().select(slice(row * width, (row + 1) * width)), grid().signals))
        while count > 0:
            batch = await anext(batches)
            received.append(Measurements.of(batch.columns, batch.signals).rows)
            count -= len(batch)

    async def in_force() -> None:
        """The handover to other signals is done when they are confirmed; version 1 does not confirm."""
        if ends.version > 1:
            await tap.ends_with(_CONFIRM)

    await publisher.wait_for_subscription()
    await stream(0, width)
    await subscriber.subscribe(";".join(KEYS))
    await in_force()
    await stream(1, 3)
    with pytest.raises(RefusedError):
        await subscriber.subscribe("FILTER Elsewhere WHERE True")
    await stream(2, 3)

    subscriber.unsubscribe()
    while publisher.statistics.subscriptions:  # noqa: ASYNC110 - nothing tells when it is done
        await asyncio.sleep(0)
    await stream(3, 0)
    await subscriber.subscribe(EVERYTHING)
    await publisher.wait_for_subscription()
    await stream(4, width)

    publisher.notify("Maintenance at noon.")
    await _next(told, NotificationConfirmed)
    publisher.send_buffer_block(publisher.signals[1].signal_id, b"a file")
    await _next(told, BufferBlockConfirmed)
    subscriber.send_user_command(7, b"ping")
    asked = await _next(told, UserCommandReceived)
    publisher.send_user_response(3, b"pong", command=7, subscriber=asked.peer)
    await _next(heard, UserResponseReceived)
    subscriber.update_processing_interval(33)
    await _next(heard, CommandSucceeded)

    before = _caches(tap)
    publisher.change_metadata(Metadata.of(measurements=[grid().measurements[n] for n in (4, 2, 0)]))
    await tap.until(lambda: _caches(tap) > before)
    await in_force()
    await stream(5, 3)
    assert Measurements(np.concatenate(received)) == expected, "the application got something else"


def _caches(tap: Recording) -> int:
    """How many signal index caches the publisher has sent."""
    frames = FrameReader(1 << 24, name="test")
    frames.feed(tap.said_by(Role.PUBLISHER))
    return sum(frame[0] == Response.UPDATE_SIGNAL_INDEX_CACHE for frame in frames.frames())


async def _next(events: AsyncIterator[PeerEvent[Any]], kind: type) -> PeerEvent[Any]:
    async for event in events:
        if isinstance(event.event, kind):
            return event
    raise AssertionError("no more events")


def of_everything() -> Measurements:
    """What arrives of the six rows in `say_everything`."""
    width = len(grid().signals)
    wanted = [grid().signals.keys.index(key) for key in KEYS]
    arrives: dict[int, list[int]] = {0: [*range(width)], 1: wanted, 2: wanted, 4: [*range(width)], 5: [0, 2, 4]}
    parts = [
        fault().select(slice(row * width, (row + 1) * width)).select(np.sort(np.array(signals)))
        for row, signals in arrives.items()
    ]
    return rows(Columns.concatenate(parts))


KEYS = ("KUNDUR:17", "KUNDUR:40", "KUNDUR:3")
SETTLED = ("Succeeded", "Metadata")
OFFERED = ("UpdateSignalIndexCache", "Succeeded")
BEGUN = ("DataStartTime", "measurements")
CONVERSATIONS = {
    "the fault recording": Conversation(
        EVERYTHING, publish_the_fault, lambda: rows(fault()), (*SETTLED, *OFFERED, *BEGUN)
    ),
    "some signals of it": Conversation(
        ";".join(KEYS), publish_the_fault, lambda: wanted_of_the_fault(KEYS), (*SETTLED, *OFFERED, *BEGUN)
    ),
    "a subscription that is refused": Conversation(
        "FILTER Elsewhere WHERE True", be_refused, lambda: rows(Columns.empty()), (*SETTLED, "Failed")
    ),
    "metadata only": Conversation(None, ask_for_metadata, lambda: rows(Columns.empty()), SETTLED),
    "everything that can be said": Conversation(
        EVERYTHING,
        say_everything,
        of_everything,
        (
            "Succeeded", *OFFERED, *BEGUN, *OFFERED, "measurements", "Failed", "measurements", "Succeeded",
            *OFFERED, *BEGUN, "Notify", "BufferBlock", "UserResponse", "Succeeded",
            "ConfigurationChanged", "UpdateSignalIndexCache", "measurements",
        ),
        # with metadata it would ask for those that have changed, sooner or later than it confirms the new signals
        {"with_metadata": False},
    ),
}  # fmt: skip


async def record(way: Way, conversation: Conversation, **settings: Any) -> Recording:
    """Hold a conversation and return its bytes."""
    async with Ends.meet(way, conversation.wanted, settings=conversation.settings, **settings) as ends:
        await conversation.hold(ends, conversation.expected())
    (recording,) = ends.tap.recordings
    return recording
