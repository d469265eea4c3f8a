"""A publisher or subscriber of ours, in either direction, with a genuine stream that bad peers must not disturb.

What a siege checks, besides what its test does:

* the genuine stream loses no value, and none is shown under another signal or time;
* afterwards a genuine peer is served within 5 s;
* resident memory grows by less than 100 MB, at its highest;
* the log has neither error nor traceback, and the event loop has nothing to complain of.

That no task is left behind is checked for every coroutine test.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from bad_peer import BadPeer, PeerListener
from sttp import MeasurementBatch, Publisher, Subscriber
from sttp.codes import Role
from sttp.metadata import simulated_metadata
from sttp.security import AdmissionPolicy
from sttp.session import PublisherConfig, SubscriberConfig
from sttp.transport.links import RedialPolicy
from sttp.wire.commands import AnyCommand
from sttp.wire.responses import AnyResponse

__all__ = [
    "DIRECTIONS",
    "FAST",
    "IN_ORDER",
    "METADATA",
    "SIGNALS",
    "Case",
    "PublisherSiege",
    "Siege",
    "SubscriberSiege",
    "ends",
    "endure",
    "goes_on",
]

DIRECTIONS = pytest.mark.parametrize("dialing", [False, True], ids=["listening", "dialing"])
"""Whether our end listens or dials."""

IN_ORDER = "(disconnected|the publisher ended the connection|it subscribed to nothing and asked for nothing.*)$"
"""The reason when a peer just leaves."""

MEMORY = 100 * 10**6
"""Bytes by which resident memory may grow, at its highest."""

SERVED = 5.0
"""Seconds within which a genuine peer must be served."""

FAST = RedialPolicy(base=0.005, cap=0.02)
OPEN = AdmissionPolicy(rate=1e9, burst=10**9, per_source=10**9, offences=10**9)
"""All attackers of a siege come from the address of the genuine peer."""
SIGNALS = 20
METADATA = simulated_metadata(SIGNALS)
SOME = f"FILTER TOP {SIGNALS} ActiveMeasurements WHERE True"

_FRAME = 0.01
_STREAM = 10**12
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


# --- streams whose values follow from signal and time


class Stream:
    """A publisher's frames: each has the first signals, at a time of its own; the values follow from both.

    Args:
        number: which stream; no two have a time in common.
    """

    def __init__(self, publisher: Publisher, number: int) -> None:
        self._publisher = publisher
        self._number = number
        self.frames = 0

    async def publish(self) -> None:
        """Publish one frame."""
        ticks = self._number * _STREAM + self.frames
        index = np.arange(SIGNALS)
        value = [_value(key, ticks) for key in self._publisher.signals.keys[:SIGNALS]]
        await self._publisher.publish(MeasurementBatch.of(self._publisher.signals, index, ticks, value))
        self.frames += 1

    async def go_on(self) -> None:
        """Publish one frame after another."""
        while True:
            await self.publish()
            await asyncio.sleep(_FRAME)


class Witness:
    """Takes batches, holds every value against its signal and time, and remembers which frames came."""

    def __init__(self) -> None:
        self._frames: dict[int, list[int]] = defaultdict(list)
        self._changed = asyncio.Condition()

    async def watch(self, subscriber: Subscriber) -> None:
        """Take everything that a subscriber gets from genuine publishers."""
        async for batch in subscriber.measurements():
            if batch.publisher == str(METADATA.node_id):
                await self._take(batch)

    async def _take(self, batch: MeasurementBatch) -> None:
        for measurement in batch:
            assert measurement.value == _value(measurement.signal.key, measurement.ticks), measurement
            if measurement.signal.key == METADATA.signals.keys[0]:
                number, frame = divmod(measurement.ticks, _STREAM)
                self._frames[number].append(frame)
        async with self._changed:
            self._changed.notify_all()

    async def has(self, number: int, frame: int = 0) -> None:
        """Wait until this frame, or a later one, of a stream has come."""
        async with self._changed:
            await self._changed.wait_for(lambda: any(each >= frame for each in self._frames[number]))

    def lost_nothing(self, number: int, frames: int) -> None:
        """Check that the first frames of a stream have come, each once and in order."""
        assert self._frames[number] == list(range(frames))


def _value(key: str, ticks: int) -> float:
    return float(int(key.partition(":")[2]) * 1000 + ticks % 1000)


@asynccontextmanager
async def running(*work: object) -> AsyncIterator[None]:
    """Run coroutines beside the body, to be cancelled with it; one that fails makes the body fail."""
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(each) for each in work]  # type: ignore[arg-type]
        yield
        for task in started:
            task.cancel()


@asynccontextmanager
async def publishing(publisher: Publisher, number: int) -> AsyncIterator[Stream]:
    """Publish a stream for as long as the body runs."""
    stream = Stream(publisher, number)
    async with running(stream.go_on()):
        yield stream


# --- what must not happen


def resident(name: str = "VmRSS") -> int:
    """Resident memory of this process in bytes; with `VmHWM` the most since it was last asked to forget it."""
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text()) if _STATUS.exists() else None
    return int(found[1]) * 1024 if found else 0


@contextmanager
def frugal() -> Iterator[None]:
    """Check that memory does not grow by `MEMORY`, not even for a moment. Only Linux can tell."""
    gc.collect()
    most = "VmHWM"
    try:
        _CLEAR.write_text("5")  # forget the most so far
    except OSError:
        most = "VmRSS"
    before = resident()
    yield
    grown = resident(most) - before
    assert grown < MEMORY, f"resident memory grew by {grown / 1e6:.0f} MB"


class Log(logging.Handler):
    """Everything that is said in the log, and whatever the event loop complains of."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.complaints: list[dict[str, object]] = []
        self._said = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._said.set()

    async def line(self, peer: str, words: str, *, since: int = 0) -> str:
        """Wait for a line about a peer that has these words, a regular expression, behind its name.

        Args:
            peer: how our end calls it.
            words: what must stand behind the name.
            since: how many lines were there before it came; a peer that is dialed has the same name each time.
        """
        while True:
            for record in self.records[since:]:
                line = record.getMessage()
                if line.startswith(f"{peer}: ") and re.search(words, line.removeprefix(f"{peer}: ")):
                    return line
            self._said.clear()
            await self._said.wait()

    def is_calm(self) -> None:
        """Check that there is no traceback, no error, and no complaint of the event loop."""
        loud = [record for record in self.records if record.exc_info or record.levelno >= logging.ERROR]
        assert not loud, [record.getMessage() for record in loud]
        assert not self.complaints, self.complaints


@contextmanager
def listening_to_the_log() -> Iterator[Log]:
    log = Log()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: log.complaints.append(context))
    loggers = [logging.getLogger(name) for name in ("sttp", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(log)
    loggers[0].setLevel(logging.INFO)
    try:
        yield log
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(log)
            logger.setLevel(level)
        loop.set_exception_handler(None)


# --- the sieges


class Siege(ABC):
    """An end of ours, and everything that must hold while bad peers are at it.

    Args:
        dialing: whether our end dials, or listens.

    Attributes:
        log: what was said.
        port: where our end listens or dials.
    """

    role: Role

    def __init__(self, *, dialing: bool) -> None:
        self.dialing = dialing
        self.log: Log
        self._peers: dict[BadPeer, int] = {}
        self._listener = PeerListener(self.role.other)
        self.port = 0

    async def peer(self) -> BadPeer:
        """A new connection with our end, whoever dials."""
        peer = await (self._listener.peer() if self.dialing else BadPeer.dial(self.port, self.role.other))
        self._peers[peer] = len(self.log.records)
        return peer

    async def ends(self, peer: BadPeer, reason: str) -> None:
        """Check that our end ends the connection and says why: a regular expression."""
        await peer.ended()
        await peer.close()
        await self.log.line(peer.name, rf"^(?=disconnected).*?(?:{reason})", since=self._peers[peer])

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Self]:
        """Everything set up, with the genuine stream running; at the end everything is checked."""
        with frugal(), listening_to_the_log() as self.log:
            if self.dialing:
                self.port = await self._listener.open()
            try:
                async with self._stream():
                    yield self
                    await self._leave()
                    async with asyncio.timeout(SERVED):
                        await self.serves_another()
            finally:
                await self._leave()
            gc.collect()
        self.log.is_calm()

    async def _leave(self) -> None:
        for peer in self._peers:
            await peer.close()
        if self.dialing:
            await self._listener.close()

    @asynccontextmanager
    @abstractmethod
    async def _stream(self) -> AsyncIterator[None]:
        """Open our end and let a genuine stream run through it; check at the end that nothing of it was lost."""
        yield

    @abstractmethod
    async def serves_another(self) -> None:
        """Let a genuine peer come, and wait until it is served."""


class PublisherSiege(Siege):
    """A publisher of ours, and bad subscribers. A genuine subscriber dials it all the while."""

    role = Role.PUBLISHER

    def __init__(self, *, dialing: bool, config: PublisherConfig | None = None, signals: int = SIGNALS) -> None:
        super().__init__(dialing=dialing)
        self._config = config or PublisherConfig()
        self._metadata = METADATA if signals == SIGNALS else simulated_metadata(signals)
        self.publisher: Publisher

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator[None]:
        urls = ["tcp://127.0.0.1:0"]
        if self.dialing:
            urls.append(f"reverse+tcp://127.0.0.1:{self.port}")
        witness = Witness()
        async with (
            Publisher(
                *urls, metadata=self._metadata, redial=FAST, config=self._config, admission=OPEN
            ) as self.publisher,
            Subscriber(self.publisher.listening[0], filter=SOME, redial=FAST) as subscriber,
            running(witness.watch(subscriber)),
        ):
            if not self.dialing:
                self.port = int(self.publisher.listening[0].rpartition(":")[2])
            await self.publisher.wait_for_subscription()
            async with publishing(self.publisher, 1) as stream:
                await witness.has(1)
                yield
            await witness.has(1, stream.frames - 1)
            witness.lost_nothing(1, stream.frames)

    async def serves_another(self) -> None:
        url = f"reverse+tcp://127.0.0.1:{self.port}" if self.dialing else f"tcp://127.0.0.1:{self.port}"
        witness = Witness()
        async with Subscriber(url, filter=SOME, redial=FAST) as subscriber, running(witness.watch(subscriber)):
            await witness.has(1)


class SubscriberSiege(Siege):
    """A subscriber of ours, and bad publishers. A genuine publisher dials it all the while if it listens."""

    role = Role.SUBSCRIBER

    def __init__(self, *, dialing: bool, config: SubscriberConfig | None = None, max_publishers: int = 4) -> None:
        super().__init__(dialing=dialing)
        self._config = config or SubscriberConfig()
        self._max_publishers = max_publishers
        self._witness = Witness()
        self.subscriber: Subscriber

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator[None]:
        url = f"tcp://127.0.0.1:{self.port}" if self.dialing else "reverse+tcp://127.0.0.1:0"
        async with (
            Subscriber(
                url, redial=FAST, config=self._config, max_publishers=self._max_publishers, admission=OPEN
            ) as self.subscriber,
            running(self._witness.watch(self.subscriber)),
        ):
            if self.dialing:
                yield
                return
            assert self.subscriber.listening is not None
            self.port = int(self.subscriber.listening.rpartition(":")[2])
            async with self._publisher() as publisher:
                async with publishing(publisher, 1) as stream:
                    await self._witness.has(1)
                    yield
                await self._witness.has(1, stream.frames - 1)
                self._witness.lost_nothing(1, stream.frames)

    @asynccontextmanager
    async def _publisher(self) -> AsyncIterator[Publisher]:
        url = f"tcp://127.0.0.1:{self.port}" if self.dialing else f"reverse+tcp://127.0.0.1:{self.port}"
        async with Publisher(url, metadata=METADATA, redial=FAST) as publisher:
            await publisher.wait_for_subscription()
            yield publisher

    async def serves_another(self) -> None:
        async with self._publisher() as publisher, publishing(publisher, 2):
            await self._witness.has(2)


# --- what single bad peers do


@dataclass(frozen=True)
class Case:
    """What a bad peer sends, all in one go, and what becomes of its connection.

    Attributes:
        said: bytes as they are, and messages as frames.
        reason: why it ends, a regular expression; None if it goes on.
        eof: whether the peer ends its side afterwards.
    """

    said: tuple[bytes | AnyCommand | AnyResponse, ...]
    reason: str | None = None
    eof: bool = False


def goes_on(*said: bytes | AnyCommand | AnyResponse) -> Case:
    """What is said is put up with."""
    return Case(said)


def ends(reason: str, *said: bytes | AnyCommand | AnyResponse, eof: bool = False) -> Case:
    """What is said costs the peer its connection."""
    return Case(said, reason, eof)


async def endure(siege: Siege, cases: Mapping[str, Case], begin: Callable[[BadPeer], Awaitable[None]]) -> None:
    """Let one bad peer after another come, and see what becomes of each.

    Args:
        siege: whom they come to.
        cases: what they send, by what it is.
        begin: how far each behaves before.
    """
    for name, each in cases.items():
        try:
            peer = await siege.peer()
            await begin(peer)
            await peer.say(*each.said)
            if each.eof:
                peer.end()
            if each.reason is None:
                await peer.is_served()
                await peer.close()
            else:
                await siege.ends(peer, each.reason)
        except BaseException as error:
            error.add_note(f"the case was: {name}")
            raise
