"""A case: one check, met in one way. It is all that the body of a check is given."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from sttp.codes import Role
from sttp.measurement import Columns, SignalTable
from sttp_conformance.checks import Check
from sttp_conformance.control import ControlChannel
from sttp_conformance.data_channel import DataChannel, data_channel
from sttp_conformance.grace import Grace
from sttp_conformance.grid import Clock, columns, read_value, rows
from sttp_conformance.implementation import Implementation
from sttp_conformance.recording import Recording
from sttp_conformance.scripted_peer import ScriptedPeer
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import ScriptedSubscriber
from sttp_conformance.violation import NotSupported, Skip, Violation
from sttp_conformance.ways import Way

__all__ = ["Case"]

P = TypeVar("P", bound=ScriptedPeer[Any])

_TURNED_AWAY: Final = 50
"""How often a listening subscriber may close a new connection that comes before it has done away with the last."""

_POLL: Final = 0.01
"""Seconds between two requests for what was received."""


class Case:
    """One check in one way.

    Attributes:
        check: the check.
        way: who dials, and over what.
        implementation: what is judged, running.
        grace: how long to wait.
        clock: times for measurements.
        recordings: each connection of this case.
        notes: what the check found worth mentioning.
    """

    def __init__(self, check: Check, way: Way, implementation: Implementation, grace: Grace) -> None:
        self.check = check
        self.way = way
        self.implementation = implementation
        self.grace = grace
        self.clock = Clock()
        self.recordings: list[Recording] = []
        self.notes: list[str] = []
        self._told: list[dict[str, Any]] = []  # by the application, and not waited for yet

    # --- peers

    @asynccontextmanager
    async def subscriber(self, context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedSubscriber]:
        """A scripted subscriber that is connected with the publisher under test. It has said nothing yet.

        Args:
            context: how to speak TLS, where that is spoken; without it, as one should.
        """
        assert self.check.role is Role.PUBLISHER, "a subscriber is the other end of a publisher"
        recording = self._recording()
        stream = await self.implementation.connect(context=context)
        recording.note("connected")
        async with ScriptedSubscriber(stream, self.grace, recording) as peer:
            yield peer

    @asynccontextmanager
    async def publisher(self, context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedPublisher]:
        """A scripted publisher that is connected with the subscriber under test, which has begun to speak.

        Args:
            context: see `subscriber`.
        """
        assert self.check.role is Role.SUBSCRIBER, "a publisher is the other end of a subscriber"
        async with await self._publisher(context) as peer:
            yield peer

    async def _publisher(self, context: ssl.SSLContext | None) -> ScriptedPublisher:
        for _ in range(_TURNED_AWAY):
            recording = Recording()
            stream = await self.implementation.connect(context=context)
            recording.note("connected")
            peer = ScriptedPublisher(stream, self.grace, recording)
            try:
                spoke = await peer.arrives(within=self.grace.reply)
            except TimeoutError:
                spoke = True  # it is silent: the check will say so
            if spoke:
                self.recordings.append(recording)
                return peer
            await stream.close()
            await asyncio.sleep(_POLL)  # it may still be doing away with the connection before
        raise Violation(f"{self.implementation.end}: it ends every connection without a word")

    @asynccontextmanager
    async def data_channel(self) -> AsyncIterator[DataChannel]:
        """A UDP port of the suite, for the data of a subscription (10.5).

        Raises:
            NotSupported: the implementation is met by something that has no hosts and ports.
        """
        if not self.implementation.host:
            raise NotSupported(f"nobody has a UDP port at the other end of {self.way.transport}")
        recording = self.recordings[-1] if self.recordings else Recording()
        async with data_channel(self.implementation.datagrams, recording) as channel:
            yield channel

    def _recording(self) -> Recording:
        self.recordings.append(Recording())
        return self.recordings[-1]

    # --- measurements

    def frame(self, *index: int, flags: int = 0) -> Columns:
        """One measurement of each of some signals, at the next time."""
        return columns(self.clock, index, flags=flags)

    async def publish(self, measurements: Columns, signals: SignalTable) -> None:
        """Let the publisher under test publish measurements. Needs `control:publish`."""
        await self.publish_all([measurements], signals)

    async def publish_all(self, frames: Sequence[Columns], signals: SignalTable) -> None:
        """Let the publisher under test publish measurements of several times at once. Needs `control:publish`."""
        await self.publish_rows([row for frame in frames for row in rows(frame, signals)])

    async def publish_rows(self, written: list[list[Any]]) -> None:
        """Let the publisher under test publish measurements as `ADAPTER.md` writes them. Needs `control:publish`."""
        if self.implementation.adapter.ticks_as_text:
            written = [[signal_id, str(ticks), *others] for signal_id, ticks, *others in written]
        await self.control.ask("publish", measurements=written)

    async def received(self, count: int, *, within: float | None = None) -> list[list[Any]]:
        """Wait until the subscriber under test has received so many measurements. Needs `control:report`.

        Returns:
            All that it received since it was asked last: signal ID, ticks, value and flags of each.

        Raises:
            Violation: fewer came in time.
        """
        limit = self.grace.reply if within is None else within
        deadline = time.monotonic() + limit
        found: list[list[Any]] = []
        while True:
            found += await self.reported()
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise Violation(
                    f"expected that the application receives {count} measurements; it has {len(found)} after "
                    f"{limit:.1f} s"
                )
            await asyncio.sleep(_POLL)

    def can(self, request: str) -> bool:
        """Whether the adapter offers a request on the control channel, for what a check looks at besides."""
        return request in self.implementation.adapter.control[self.check.role]

    async def events(self) -> list[dict[str, Any]]:
        """All that the application was told and that nobody has waited for. Needs `control:events`."""
        found: list[dict[str, Any]] = self._told + (await self.control.ask("events"))["events"]
        self._told = []
        return found

    async def stall(self) -> None:
        """Let time pass without a word, long enough for an implementation that gives up too soon to do so."""
        await asyncio.sleep(self.grace.quiet)

    async def reported(self) -> list[list[Any]]:
        """What the subscriber under test has received since it was asked last. Needs `control:report`."""
        answer = await self.control.ask("report")
        return [
            [signal_id, int(ticks), read_value(value), *others]
            for signal_id, ticks, value, *others in answer["measurements"]
        ]

    async def received_nothing(self, *, what: str) -> None:
        """Check that the application receives nothing for as long as silence has to be. Needs `control:report`.

        Raises:
            Violation: it received something.
        """
        deadline = time.monotonic() + self.grace.quiet
        while time.monotonic() < deadline:
            if found := await self.reported():
                raise Violation(f"expected {what}, but the application received {found[0]}")
            await asyncio.sleep(_POLL)

    async def event(self, name: str, *, within: float | None = None, **fields: Any) -> dict[str, Any]:
        """Wait until the application is told something. Needs `control:events`.

        Args:
            name: what it is told, as `ADAPTER.md` calls it, such as `subscription-refused`.
            within: seconds; without it, the grace for a reply.
            fields: what must stand in it.

        Raises:
            Violation: it was not told so in time; the message says what it was told.
        """
        limit = self.grace.reply if within is None else within
        deadline = time.monotonic() + limit
        while True:
            self._told += (await self.control.ask("events"))["events"]
            for event in self._told:
                if event["event"] == name and all(event.get(key) == value for key, value in fields.items()):
                    self._told.remove(event)
                    return event
            if time.monotonic() > deadline:
                wanted = " ".join([name, *(f"{key}={value!r}" for key, value in fields.items())])
                raise Violation(
                    f"expected that the application is told {wanted}; within {limit:.1f} s it was told "
                    f"{', '.join(map(str, self._told))[:500] or 'nothing'}"
                )
            await asyncio.sleep(_POLL)

    @property
    def control(self) -> ControlChannel:
        """The control channel of the implementation.

        Raises:
            NotSupported: it has none.
        """
        if self.implementation.control is None:
            raise NotSupported("the adapter has no control channel")
        return self.implementation.control

    # --- what is known

    def timer(self, name: str) -> float:
        """What a timer of the implementation is, in seconds.

        Raises:
            Skip: nobody knows.
        """
        known = self.implementation.adapter.timer(name, self.implementation.settings)
        if known is None:
            raise Skip(f"the adapter does not say what the timer {name} is (timers.{name})")
        return known

    def require(self, true: object, expected: str, got: object = None) -> None:
        """Check that something is true.

        Raises:
            Violation: it is not.
        """
        if not true:
            raise Violation(f"expected {expected}" + ("" if got is None else f", not {got}"))

    def note(self, text: str) -> None:
        """Mention something in the report."""
        self.notes.append(text)

    @property
    def settings(self) -> Mapping[str, float]:
        """Timers as they were set."""
        return self.implementation.settings
