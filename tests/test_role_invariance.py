"""Role invariance: the normalised transcript of a conversation is equal in both directions, over every transport.

The direction decides who dials, and nothing else. There is no exception here for any combination.
"""

from __future__ import annotations

import ast
import asyncio
import csv
import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pytest

import sttp.session
from in_process import plug_in
from sttp import EVERYTHING, Encoding, MeasurementBatch, Metadata, Overflow, Publisher, Subscriber, ticks
from sttp.codes import Command, OperationalModes, Role
from sttp.measurement import Columns
from sttp.session import PublisherConfig, PublisherSession, SubscriberConfig, SubscriberSession
from sttp.session.base import Session
from sttp.transport import ByteStream, Link, RedialPolicy
from sttp.transport.memory import MemoryTransport
from sttp.wire.responses import NoOP, write_response
from tap import Recording, Tap
from transcript import Measurements, Transcript, difference, read_transcript

DIRECTIONS = {"forward": "", "reverse": "reverse+"}
TRANSPORTS = {"memory": "memory://hub", "tcp": "tcp://127.0.0.1:0"}
VERSIONS = (1, 2, 3)
NOOP = write_response(NoOP(), OperationalModes())
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
        tap: what it has recorded.
    """

    def __init__(self, publisher: Publisher, subscriber: Subscriber, way: Way, tap: Tap) -> None:
        self.publisher = publisher
        self.subscriber = subscriber
        self.way = way
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
                    config=publisher_config,
                )

            def subscriber(url: str) -> Subscriber:
                return Subscriber(url, filter=wanted, encoding=encoding, redial=redial, config=config)

            async with AsyncExitStack() as ends:
                if way.direction == "forward":
                    p = await ends.enter_async_context(publisher(prefix + url))
                    s = await ends.enter_async_context(subscriber(p.listening[0].replace("tap+", "")))
                else:
                    s = await ends.enter_async_context(subscriber(prefix + url))
                    assert s.listening is not None
                    p = await ends.enter_async_context(publisher(s.listening))
                yield cls(p, s, way, tap)


# --- conversations


@cache
def grid() -> Metadata:
    with as_file(files("sttp") / "data" / "kundur-two-area-fault.metadata.xml") as path:
        return Metadata.from_file(path)


@cache
def fault() -> Columns:
    """The fault recording, read without help of the code under test but for its time stamps."""
    text = (files("sttp") / "data" / "kundur-two-area-fault-60fps.csv").read_text("utf-8")
    header, *rows = csv.reader(text.splitlines())
    index = {tag: index for index, tag in enumerate(grid().signals.tags)}
    order = np.array([index[tag] for tag in header[1:]], np.int32)
    count = len(order)
    return Columns(
        np.tile(order, len(rows)),
        np.repeat(np.array([ticks.from_iso(row[0]) for row in rows], np.int64), count),
        np.zeros(count * len(rows), np.uint32),
        np.array([row[1:] for row in rows]).astype(np.float32).ravel(),
    )


def rows(columns: Columns) -> Measurements:
    """Columns of the recording with their signal IDs, bit for bit."""
    return Measurements.of(columns, grid().signals)


def wanted_of_the_fault(keys: tuple[str, ...]) -> Measurements:
    """The measurements of some signals."""
    wanted = [grid().row_by_key[key.lower()] for key in keys]
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
        spoken: the messages that must be in the transcript, besides those that settle the modes and fetch the metadata.
    """

    wanted: str | None
    hold: Callable[[Ends, Measurements], Awaitable[None]]
    expected: Callable[[], Measurements]
    spoken: tuple[str, ...]


KEYS = ("KUNDUR:17", "KUNDUR:40", "KUNDUR:3")
STREAMED = ("UpdateSignalIndexCache", "Succeeded", "DataStartTime", "measurements")
CONVERSATIONS = {
    "the fault recording": Conversation(EVERYTHING, publish_the_fault, lambda: rows(fault()), STREAMED),
    "some signals of it": Conversation(";".join(KEYS), publish_the_fault, lambda: wanted_of_the_fault(KEYS), STREAMED),
    "a subscription that is refused": Conversation(
        "FILTER Elsewhere WHERE True", be_refused, lambda: rows(Columns.empty()), ("Failed",)
    ),
    "metadata only": Conversation(None, ask_for_metadata, lambda: rows(Columns.empty()), ()),
}


async def record(way: Way, conversation: Conversation, **settings: Any) -> Recording:
    """Hold a conversation and return its bytes."""
    async with Ends.meet(way, conversation.wanted, **settings) as ends:
        await conversation.hold(ends, conversation.expected())
    (recording,) = ends.tap.recordings
    return recording


def names(said: list[str | Measurements]) -> tuple[str, ...]:
    return tuple(each.split()[0] if isinstance(each, str) else "measurements" for each in said)


# --- the heart of it


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_who_dials_over_what_makes_no_difference(name: str, encoding: Encoding, version: int) -> None:
    conversation = CONVERSATIONS[name]
    first: Transcript | None = None
    for way in WAYS:
        recording = await record(way, conversation, encoding=encoding, version=version)
        transcript = read_transcript(recording.chunks)
        assert transcript.measurements == conversation.expected(), f"{way}: other measurements on the wire"
        first = first or transcript
        assert difference(first, transcript) == "", f"{WAYS[0]} (-) and {way} (+)"
        spoken = [each for each in names(transcript.publisher) if each != "UpdateBaseTimes"]
        assert spoken == ["Succeeded", "Metadata", *conversation.spoken]
        assert f"version={version}" in next(transcript.lines(Role.SUBSCRIBER))


async def test_recordings_differ_until_they_are_normalised() -> None:
    """Packets are cut by timing, and the subscriber ID is random: bytes that were equal would prove little."""
    conversation = CONVERSATIONS["the fault recording"]
    forward, reverse = [
        await record(Way(direction, "memory"), conversation, encoding=Encoding.TSSC, version=2)
        for direction in DIRECTIONS
    ]
    assert forward.said_by(Role.PUBLISHER) != reverse.said_by(Role.PUBLISHER)
    assert forward.said_by(Role.SUBSCRIBER) == reverse.said_by(Role.SUBSCRIBER)
    assert read_transcript(forward.chunks) == read_transcript(reverse.chunks)


async def test_signs_of_life_make_no_difference() -> None:
    quiet = CONVERSATIONS["the fault recording"]
    talkative = replace(quiet, hold=partial(publish_the_fault, pause=a_sign_of_life))
    settings = {"encoding": Encoding.TSSC, "version": 2}
    forward = await record(Way("forward", "memory"), quiet, **settings)
    lively = PublisherConfig(noop_interval=0.001)
    reverse = await record(Way("reverse", "memory"), talkative, publisher_config=lively, **settings)
    assert NOOP not in forward.said_by(Role.PUBLISHER)
    assert NOOP in reverse.said_by(Role.PUBLISHER)
    assert difference(read_transcript(forward.chunks), read_transcript(reverse.chunks)) == ""


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_the_subscriber_speaks_first_whoever_dialed(way: Way) -> None:
    recording = await record(way, CONVERSATIONS["metadata only"], encoding=Encoding.TSSC, version=2)
    speaker, data = recording.chunks[0]
    assert speaker is Role.SUBSCRIBER
    assert data[4] == Command.DEFINE_OPERATIONAL_MODES


# --- sessions are not told

TELLING = {
    "accepted", "acceptor", "client", "connector", "dial", "dialed", "dialer", "dialled", "dialing", "direction",
    "forward", "inbound", "initiator", "listener", "listening", "outbound", "outgoing", "reverse", "server",
}  # fmt: skip
"""Words that would name the end that opened the connection, or the end that did not."""

ADDRESSING = {"address", "connectivity", "endpoint", "host", "link", "links", "peer", "socket", "url"}
"""Words for what could be asked who opened it."""

SESSION_MODULES = [
    "sttp.session",
    *(module.name for module in pkgutil.iter_modules(sttp.session.__path__, "sttp.session.")),
]


def identifiers(module: str) -> set[str]:
    """All names in the code of a module: of parameters, attributes, variables, functions, classes and imports."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module)))):
        for label in ("id", "attr", "arg", "name", "asname", "module"):
            name = getattr(node, label, None)
            if isinstance(name, str):
                found.add(name)
    return found


def words(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in re.split(r"[._]", name.lower())}


@pytest.mark.parametrize("module", SESSION_MODULES)
def test_no_name_in_a_session_says_who_dialed(module: str) -> None:
    assert words(identifiers(module)) & (TELLING | ADDRESSING) == set()


@pytest.mark.parametrize("module", ["sttp.connection", "sttp.feed", "sttp.intake"])
def test_no_name_between_stream_and_session_says_who_dialed(module: str) -> None:
    """They have a stream or a link, which have no property that tells."""
    assert words(identifiers(module)) & TELLING == set()
    for contract in (ByteStream, Link):
        assert words(name for name in dir(contract) if not name.startswith("__")) & TELLING == set()


@pytest.mark.parametrize("session", [PublisherSession, SubscriberSession])
def test_a_session_is_given_its_settings_and_the_time(session: type[Session[object]]) -> None:
    assert list(inspect.signature(session).parameters) == ["config", "now"]


@pytest.mark.parametrize("session", [PublisherSession, SubscriberSession])
def test_what_a_session_is_told_later_comes_from_the_wire_or_the_application(session: type[Session[object]]) -> None:
    methods = inspect.getmembers(session, inspect.isfunction)
    parameters = {parameter for _, method in methods for parameter in inspect.signature(method).parameters}
    assert words(parameters) & (TELLING | ADDRESSING) == set()


@pytest.mark.parametrize("session", [PublisherSession(now=0.0), SubscriberSession(now=0.0)], ids=lambda each: each.role)
def test_a_session_that_has_begun_holds_nothing_that_tells(session: Session[object]) -> None:
    seen: set[int] = set()

    def held(value: object) -> Iterator[str]:
        if id(value) in seen or not type(value).__module__.startswith("sttp"):
            return
        seen.add(id(value))
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in {*getattr(value, "__dict__", {}), *slots} - {"__dict__", "__weakref__"}:
            yield name
            yield from held(getattr(value, name, None))

    names = set(held(session))
    assert {"_conversation", "_config", "_phase", "limits"} <= names, "the walk sees nested values"
    assert words(names) & (TELLING | ADDRESSING) == set()
