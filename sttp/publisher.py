"""The publisher: any number of endpoints, any number of subscribers, whoever dials."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from sttp.backlog import PART_SIZE, Backlog
from sttp.catalogue import Catalogue
from sttp.codes import Role
from sttp.errors import ClosedError, EndpointError, STTPError, TrustError, UsageError
from sttp.fan_out import FanOut
from sttp.feed import Feed
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.metadata import Metadata
from sttp.peer_events import PeerEvent, PeerEvents
from sttp.queues import Overflow
from sttp.security import (
    DEFAULT_ADMISSION,
    Admission,
    AdmissionPolicy,
    Audited,
    Guest,
    audit,
    source_of,
)
from sttp.session.config import PublisherConfig
from sttp.session.events import PublisherEvent
from sttp.statistics import PublisherStatistics, Tally
from sttp.transport.endpoint import open_links, parse_endpoint, security_for
from sttp.transport.links import Link, Links, RedialPolicy
from sttp.transport.plugins import Plugins

if TYPE_CHECKING:
    from sttp.security import Security

__all__ = ["Publisher"]

_log = logging.getLogger("sttp.publisher")

_REDIAL: Final = RedialPolicy()
_CONFIG: Final = PublisherConfig()

QUEUE_LIMIT: Final = 1_000_000
"""Measurements that may wait for one subscriber: 20 MB of columns, 33 s of 1000 signals at 30 frames per second."""

MAX_CONNECTIONS: Final = 1_000
"""Subscribers that may be connected at once; cppapi and pyapi have no limit."""

_TOO_MANY: Final = "Connection refused: too many connections."

_WANTED_NOTHING: Final = "it subscribed to nothing and asked for nothing; perhaps it has a publisher already"

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that subscribers have, when the publisher leaves, to take what was under way."""

_LEAST: Final = 64
"""What a batch counts for, at least, until the others have their turn: publishing it costs as much."""


class Publisher:
    """Publishes measurements to whoever subscribes.

    ```python
    async with Publisher("tcp://:7165", "reverse+tcp://dmz:7165", metadata=metadata) as publisher:
        await publisher.publish(MeasurementBatch.of(publisher.signals, [0, 1], ticks.now(), [60.0, 59.98]))
    ```

    Args:
        urls: endpoints, forward and reverse as you like.
        metadata: what there is to publish.
        overflow: what happens to measurements for a subscriber that is too slow.
        queue_limit: most measurements that wait for one subscriber.
        max_connections: most subscribers at once; further ones are refused. A connection counts from its first command
            on, so that strangers who connect and are silent keep no subscriber out.
        admission: how many such strangers there may be, and how often they may come.
        redial: how a dialing endpoint tries again.
        security: the security folder, or what was made of it, for endpoints with TLS; without it, the default folder.
        plugins: what URLs may name; without it, what is installed.
        config: limits and timeouts of the sessions.

    Raises:
        EndpointError: a URL cannot be understood.
        SecurityError: an endpoint needs a security folder, and there is none that can be used.
        UsageError: no URL, or metadata with a measurement key that cannot be sent.
    """

    def __init__(
        self,
        *urls: str,
        metadata: Metadata,
        overflow: Overflow = Overflow.DROP_OLDEST,
        queue_limit: int = QUEUE_LIMIT,
        max_connections: int = MAX_CONNECTIONS,
        admission: AdmissionPolicy = DEFAULT_ADMISSION,
        redial: RedialPolicy = _REDIAL,
        security: Security | str | os.PathLike[str] | None = None,
        plugins: Plugins | None = None,
        config: PublisherConfig = _CONFIG,
    ) -> None:
        if not urls:
            raise UsageError("a publisher needs at least one endpoint")
        self._endpoints = [parse_endpoint(url, plugins=plugins) for url in urls]
        self._security = security_for(self._endpoints, security, plugins=plugins)
        self._catalogue = Catalogue(metadata)
        self._backlog = Backlog(queue_limit, overflow)
        self._max_connections = max_connections
        self._redial = redial
        self._plugins = plugins
        self._config = config
        self._tasks = asyncio.TaskGroup()
        self._preparing: asyncio.Task[None] | None = None
        self._unprepared = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._links: list[Links] = []
        self._feeds: dict[Feed, None] = {}  # in the order in which they came
        self._strangers: dict[Feed, Guest | None] = {}  # and those that were strangers, until they leave
        self._admission = Admission(admission)
        self._events: PeerEvents[PublisherEvent] = PeerEvents()
        self._subscribed = asyncio.Event()
        self._error: STTPError | None = None
        self._tally = Tally()
        self._fan_out = FanOut()
        # batches that wait for room, one behind another
        self._waiting = 0
        self._publishing = asyncio.Lock()
        # measurements published since the others had their turn, and how many may be
        self._hurry = 0
        self._patience = min(2 * PART_SIZE, queue_limit // 2)
        self._listening: tuple[str, ...] = ()
        self._closing = False

    async def __aenter__(self) -> Self:
        """Open the endpoints.

        Raises:
            TransportError: one of them cannot be listened on.
        """
        listening = []
        try:
            for endpoint in self._endpoints:
                links = await open_links(
                    endpoint, Role.PUBLISHER, policy=self._redial, plugins=self._plugins, security=self._security
                )
                self._links.append(links)
                if links.bound is not None:
                    listening.append(endpoint.at(links.bound))
        except BaseException:
            await self._close_links()
            raise
        self._listening = tuple(listening)
        await self._tasks.__aenter__()
        for links in self._links:
            self._tasks.create_task(self._serve(links))
        self._unprepared.set()
        self._preparing = self._tasks.create_task(self._prepare())
        if self._security is not None:
            self._following = self._tasks.create_task(self._follow_rights(self._security))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for task in (self._preparing, self._following):
            if task is not None:
                task.cancel()
        self._update()
        await self._close_links()
        self._events.close()
        for feed in (*self._feeds, *self._strangers):
            feed.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._tasks.__aexit__(None, None, None)

    # --- what there is

    @property
    def listening(self) -> tuple[str, ...]:
        """URLs of the endpoints that listen, with the addresses that they are bound to."""
        return self._listening

    @property
    def metadata(self) -> Metadata:
        """What there is to publish."""
        return self._catalogue.metadata

    @property
    def signals(self) -> SignalTable:
        """The signals of the metadata, for building batches."""
        return self._catalogue.metadata.signals

    @property
    def statistics(self) -> PublisherStatistics:
        """Counts since the start."""
        tally = self._tally
        return PublisherStatistics(
            connections=tally.connections,
            connected=len(self._feeds),
            subscriptions=sum(feed.active for feed in self._feeds),
            measurements=tally.measurements,
            dropped=tally.dropped + sum(feed.dropped for feed in self._feeds),
            bytes_sent=tally.bytes_sent,
            bytes_received=tally.bytes_received,
            turned_away=self._admission.turned_away.total(),
        )

    # --- measurements

    async def publish(self, batch: MeasurementBatch) -> None:
        """Hand measurements to everyone who has subscribed to them.

        Nobody who is slow holds this up, unless the overflow policy is to wait. What nobody has subscribed to goes
        nowhere.

        Args:
            batch: the measurements. Its columns must not be changed afterwards.

        Raises:
            EndpointError: an endpoint has turned out to be one that nobody can dial.
            ClosedError: the publisher was closed.
            UsageError: columns of another type than `Columns` says, or not equally long; or a signal index that is not
                in the batch's table.
        """
        self._check()
        batch.columns.check()
        if not batch.signals.spans(batch.columns.signal_index):
            raise UsageError(f"a batch with signal indexes beyond its table of {len(batch.signals)}")
        if self._waiting or not self._backlog.append(batch):
            await self._publish_in_turn(batch)
        weight = max(len(batch), _LEAST)
        self._hurry += weight
        if self._hurry + weight // 2 > self._patience:  # as near to it as batches of this size come
            turns, self._hurry = -(-self._hurry // PART_SIZE), 0
            for _ in range(turns):  # whoever publishes in a loop must leave time for sending: a part takes a turn
                await asyncio.sleep(0)

    async def _publish_in_turn(self, batch: MeasurementBatch) -> None:
        """Publish when there is room for it, behind those who wait already."""
        self._waiting += 1
        try:
            async with self._publishing:
                while not self._backlog.append(batch):
                    await self._backlog.room()
        finally:
            self._waiting -= 1

    async def events(self) -> AsyncGenerator[PeerEvent[PublisherEvent], None]:
        """Iterate over what subscribers say besides the usual: user commands, confirmations, wishes for another speed.

        Of what nobody takes, the newest thousand are kept.
        """
        async for event in self._events:
            yield event

    # --- other intents

    def change_metadata(self, metadata: Metadata) -> None:
        """Publish something else from now on.

        Every subscriber is told, and its subscription follows: its filter expression is evaluated anew, signals that
        are gone leave, new ones come, and those that stay flow on without a gap. Batches may still be built with the
        signals of before; signals are told apart by their IDs.

        Args:
            metadata: what there is to publish from now on.

        Raises:
            UsageError: a measurement key that cannot be sent; nothing has changed.
            ClosedError: the publisher was closed.
        """
        self._check()
        self._catalogue = Catalogue(metadata)
        self._unprepared.set()
        for feed in tuple(self._feeds):
            feed.follow()

    def notify(self, text: str) -> None:
        """Send a notice for people to every subscriber (wire.md 7.5). Confirmations are among the `events`.

        Raises:
            UsageError: the peers are configured not to get any; see `core_responses_only` in `sttp.tolerances`.
        """
        for feed in self._ready():
            feed.session.send_notification(text)
            feed.wake()

    def send_buffer_block(self, signal_id: UUID, payload: bytes) -> None:
        """Send bytes that belong to a signal to everyone who has subscribed to it (wire.md 7.6).

        Only where subscribers are known to read buffer blocks: cppapi's unsubscribes. Confirmations are among the
        `events`.

        Args:
            signal_id: which signal.
            payload: the bytes, at most a few megabytes.

        Raises:
            UsageError: the peers are configured not to get any; see `core_responses_only` in `sttp.tolerances`.
        """
        for feed in self._ready():
            index = feed.index_of(signal_id)
            if index is not None:
                feed.session.send_buffer_block(index, payload)
                feed.wake()

    def send_user_response(self, number: int, payload: bytes, *, command: int, subscriber: str) -> None:
        """Send an application's own response (wire.md 7.11).

        Args:
            number: 0 to 15.
            payload: raw bytes.
            command: number of the user command that it answers, 0 to 15.
            subscriber: who sent the command: `peer` of the event that brought it.

        Raises:
            UsageError: a number out of range, or that subscriber is no longer connected.
        """
        meant = [feed for feed in self._ready() if feed.peer == subscriber]
        if not meant:
            raise UsageError(f"the subscriber {subscriber} is not connected")
        meant[0].session.send_user_response(number, payload, command=command)
        meant[0].wake()

    def _ready(self) -> list[Feed]:
        return [feed for feed in self._feeds if feed.session.modes is not None and not feed.session.ended]

    async def wait_for_subscription(self) -> None:
        """Wait until measurements flow to at least one subscriber.

        Raises:
            EndpointError: an endpoint has turned out to be one that nobody can dial.
            ClosedError: the publisher was closed.
        """
        await self._subscribed.wait()
        self._check()

    async def drain(self) -> None:
        """Wait until everything that was published has been taken by the streams of its subscribers."""
        for feed in tuple(self._feeds):
            await feed.drained()

    async def _prepare(self) -> None:
        # one after another, and only the newest: metadata that change all the time must not take all the threads
        while True:
            await self._unprepared.wait()
            self._unprepared.clear()
            await self._catalogue.prepare()

    # --- connections

    async def _serve(self, links: Links) -> None:
        try:
            async for link in links:
                self._tasks.create_task(self._serve_link(link, dialed=links.bound is None))
        except EndpointError as error:
            _log.error("%s", error)
            self._error = error
            self._subscribed.set()

    async def _serve_link(self, link: Link, *, dialed: bool) -> None:
        async with link:
            if self._closing:
                return
            try:
                guest = None if dialed else self._let_in(link)
            except TrustError as error:
                self._turn_away(link, error)
                return
            feed = Feed(
                link,
                catalogue=lambda: self._catalogue,
                config=self._config,
                backlog=self._backlog,
                fan_out=self._fan_out,
                tally=self._tally,
                events=self._events,
                changed=self._update,
                rights=lambda: self._rights_of(link),
                proved=lambda feed: self._admit(feed, link, dialed=dialed),
            )
            self._strangers[feed] = guest
            if len(self._feeds) >= self._max_connections:
                feed.refuse(_TOO_MANY)
            elif guest is None:
                self._feeds[feed] = None  # whom we dialed we know
            self._tally.connections += 1
            begin = monotonic()
            try:
                ended = await feed.run()
            except* Exception:  # noqa: BLE001 - a mistake of ours must not cost the other connections
                _log.exception("%s: internal error", feed.peer)
            else:
                reason = ended or (None if link.useful else _WANTED_NOTHING)
                self._audit(
                    Audited.ENDED,
                    link,
                    dialed=dialed,
                    code=ended.code if isinstance(ended, TrustError) else None,
                    reason=str(reason) if reason else None,
                    seconds=round(monotonic() - begin, 3),
                )
                _log.info("%s: disconnected%s", feed.peer, f": {reason}" if reason else "")
            finally:
                self._feeds.pop(feed, None)
                del self._strangers[feed]
                if guest is not None:
                    guest.left(now=monotonic())
                self._tally.dropped += feed.dropped
                self._update()

    def _let_in(self, link: Link) -> Guest:
        """Let somebody in who dialed us; it is pending until it has defined its modes."""
        stream = link.stream
        # who has been authenticated answers for itself, wherever it comes from
        source = source_of(stream.peer) if stream.identity is None else stream.identity.name

        def crowd_out(error: TrustError) -> None:
            for feed, each in self._strangers.items():
                if each is guest:
                    feed.turn_away(error)
                    break
            self._turn_away(link, error)

        guest = self._admission.enter(source, crowd_out, now=monotonic())
        return guest

    def _turn_away(self, link: Link, error: TrustError) -> None:
        link.stream.abort()
        self._audit(Audited.REFUSED, link, dialed=False, code=error.code, reason=error.reason)
        if (line := self._admission.line(link.stream.peer, error, now=monotonic())) is not None:
            _log.warning("%s", line)

    def _audit(self, what: Audited, link: Link, *, dialed: bool, **details: str | float | None) -> None:
        direction = "dialed" if dialed else "accepted"
        stream = link.stream
        audit(what, peer=stream.peer, identity=stream.identity, role="publisher", direction=direction, **details)

    def _admit(self, feed: Feed, link: Link, *, dialed: bool) -> None:
        """Give a place to a peer that has proved to be a subscriber; strangers take none."""
        self._audit(Audited.CONNECTED, link, dialed=dialed, rights=self._rights_of(link))
        guest = self._strangers.get(feed)
        if guest is not None:
            guest.proved()
            if len(self._feeds) >= self._max_connections:
                feed.refuse(_TOO_MANY)
            else:
                self._feeds[feed] = None

    def _rights_of(self, link: Link) -> str | None:
        return None if self._security is None else self._security.rights_of(link.stream.identity)

    async def _follow_rights(self, security: Security) -> None:
        from sttp.security import changes  # noqa: PLC0415 - it takes its time, and there are certificates now

        async for _ in changes(security):
            for feed in tuple(self._feeds):
                feed.follow_rights()

    def _update(self) -> None:
        if any(feed.active for feed in self._feeds) or self._error or self._closing:
            self._subscribed.set()
        else:
            self._subscribed.clear()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closing:
            raise ClosedError("this publisher has been closed")

    async def _close_links(self) -> None:
        for links in self._links:
            await links.close()
