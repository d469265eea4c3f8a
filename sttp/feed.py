"""A feed: one connected subscriber, as its `Publisher` serves it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final
from uuid import UUID, uuid4

import numpy as np

from sttp.backlog import Backlog, Place
from sttp.catalogue import SMALL, Catalogue
from sttp.codes import OperationalModes
from sttp.connection import Connection
from sttp.errors import ClosedError, FilterError, OverrunError, STTPError, UsageError
from sttp.fan_out import FanOut, Member
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.offload import offload
from sttp.peer_events import PeerEvents
from sttp.security import Audited, audit
from sttp.session.config import PublisherConfig
from sttp.session.conversation import Phase
from sttp.session.events import (
    CipherKeysRequested,
    MessageIgnored,
    MetadataRequested,
    ModesDefined,
    PublisherEvent,
    StreamingStarted,
    SubscribeRequested,
    Unsubscribed,
)
from sttp.session.publisher import PublisherSession
from sttp.statistics import Tally
from sttp.transport.links import Link
from sttp.wire.signal_index_cache import SignalIndexCache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions

__all__ = ["Feed"]

_log = logging.getLogger("sttp.publisher")

READ_SIZE: Final = 4096
"""Bytes of commands taken from the stream at once. They are few and short; 4096 bytes full of the shortest are some
50 ms of work, in which nobody else is served."""


class Feed:
    """One subscriber: its session, its place in the backlog, and the way of the publisher's signals into its own.

    Args:
        link: where the subscriber is.
        catalogue: what there is to subscribe to; called at each request, because it may change.
        config: for the session.
        backlog: what is published.
        fan_out: what it shares with the other subscribers.
        tally: where to count.
        events: where the rest goes that an application might want to know.
        changed: called when the subscription begins or ends.
        proved: called when the peer has proved to be a subscriber, by modes that were accepted.
        rights: what the subscriber may see; called whenever that matters. See `Catalogue.seen_with`.
    """

    def __init__(
        self,
        link: Link,
        *,
        catalogue: Callable[[], Catalogue],
        config: PublisherConfig,
        backlog: Backlog,
        fan_out: FanOut,
        tally: Tally,
        events: PeerEvents[PublisherEvent],
        changed: Callable[[], None],
        rights: Callable[[], str | None] = lambda: None,
        proved: Callable[[Feed], None] = lambda feed: None,
    ) -> None:
        self._proved = proved
        self._rights = rights
        self._last_rights = rights()
        # what may be seen, where it may be less than the cache in force holds: rights are cut before caches are
        self._visible: SignalTable | None = None
        self._link = link
        self._catalogue = catalogue
        self._tally = tally
        self._events = events
        self._filter_expression = ""
        self._changed = changed
        self._subscriber_id = uuid4()
        self._session = PublisherSession(config, now=monotonic())
        self._member = Member(fan_out, self._session)
        self._place = Place(backlog, self)
        # parts taken since there was nothing more to take, and whether the last time that was one alone
        self._parts = 0
        self._comes_alone = True
        self._connection: Connection[PublisherEvent] = Connection(
            link.stream,
            self._session,
            self._handle,
            supply=self._supply,
            ended=self._place.leave,
            tally=tally,
            read_size=READ_SIZE,
        )
        # signals are selected in other threads, for one subscription or handover at a time
        self._selecting = asyncio.Lock()
        self._outdated = asyncio.Event()
        self._offered = SignalTable.of(())
        self._refused: tuple[UUID, ...] = ()

    @property
    def peer(self) -> str:
        """Where the subscriber is, for people."""
        return self._link.stream.peer

    @property
    def active(self) -> bool:
        """Whether measurements flow: a signal index cache is in force, and it has its place in what is published."""
        return self._place.part is not None and self._session.signals is not None

    async def run(self) -> STTPError | None:
        """Serve the subscriber until it is gone; return why."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow())
            try:
                return await self._connection.run()
            finally:
                following.cancel()
                self._member.leave()
                self._place.leave()

    def close(self) -> None:
        """End the session in order; `run` returns soon."""
        self._session.close()
        self._connection.wake()

    def refuse(self, reason: str) -> None:
        """Answer the connection as a whole with Failed."""
        self._session.refuse_connection(reason)
        self._connection.wake()

    def turn_away(self, error: STTPError) -> None:
        """Cut the stream at once; `run` returns the reason."""
        self._session.lose(error, now=monotonic())
        self._link.stream.abort()

    def follow(self) -> None:
        """Tell the subscriber that the catalogue has changed; its subscription is then handed over to what it selects.

        That happens a little later, because selecting takes a while.
        """
        if self._session.ended or self._session.modes is None:
            return
        self._session.send_configuration_changed()
        self._connection.wake()
        self._outdated.set()

    def follow_rights(self) -> None:
        """Cut what the subscriber may no longer see, and hand its subscription over, if its rights have changed."""
        if self._rights() != self._last_rights:
            self._last_rights = self._rights()
            _log.info("%s: its rights have changed", self.peer)
            stream = self._link.stream
            audit(Audited.RIGHTS, peer=stream.peer, identity=stream.identity, rights=self._last_rights)
            self.follow()

    def index_of(self, signal_id: UUID) -> int | None:
        """Where a signal stands in the subscriber's cache, if it is subscribed to and may be seen."""
        signals = self._session.signals
        index = None if signals is None else signals.index_of.get(signal_id)
        if index is None or self._visible is None:
            return index
        return index if signal_id in self._visible.index_of else None

    @property
    def session(self) -> PublisherSession:
        """The session, for intents; call `wake` after them."""
        return self._session

    def wake(self) -> None:
        """Say that the session has something to send."""
        self._connection.wake()

    # --- measurements

    @property
    def dropped(self) -> int:
        """Measurements that this subscriber has lost because it was too slow."""
        return self._place.dropped

    async def drained(self) -> None:
        """Wait until the stream has taken all that was published for it, or the subscriber is gone."""
        await self._connection.drained()

    def _supply(self) -> bool:
        part = None if self._session.signals is None else self._place.look()
        if part is None:
            if self._parts:
                self._comes_alone, self._parts = self._parts == 1, 0
            return False
        measurements, last = self._member.send(part)
        self._tally.measurements += measurements
        self._parts += last + 1 - part.number
        self._place.go_behind(last)
        return True

    def more_came(self) -> None:
        """See `Taker.more_came`."""
        # where several parts came last time, sending waits for the end of the turn, so that all go together
        self._connection.wake(at_once=self._comes_alone)

    def overran(self, error: OverrunError) -> None:
        """See `Taker.overran`."""
        self._session.lose(error, now=monotonic())
        # what is under way would hold the connection up for as long as the subscriber takes nothing
        self._link.stream.abort()
        self._connection.wake()

    def count(self, batch: MeasurementBatch) -> int:
        """See `Taker.count`."""
        return self._member.count(batch)

    # --- events

    async def _handle(self, event: PublisherEvent) -> None:
        with suppress(ClosedError):  # the session may have ended meanwhile; then nobody waits for the answer
            await self._act(event)
        self._connection.wake()

    async def _act(self, event: PublisherEvent) -> None:
        match event:
            case ModesDefined():
                _log.info("%s: connected, version %d", self.peer, event.modes.version)
                self._proved(self)
            case MetadataRequested():
                await self._send_metadata(event.filter_expression)
            case SubscribeRequested():
                await self._subscribe(event.options)
            case CipherKeysRequested():
                self._session.refuse_cipher_keys("Payloads of this publisher are not encrypted; use TLS.")
            case StreamingStarted():
                self._link.proved_useful()
                self._place.enter()
                self._changed()
            case Unsubscribed():
                self._place.leave()
                self._changed()
            case MessageIgnored():
                _log.debug("%s: %s: %s", self.peer, event.message, event.reason)
            case _:
                self._events.put(self.peer, event)

    async def _send_metadata(self, filter_expression: str) -> None:
        modes = self._session.modes or OperationalModes()
        try:
            document = await (await self._seen()).document(filter_expression, modes)
        except FilterError as error:
            self._session.refuse_metadata(str(error))
        except UsageError as error:
            _log.error("%s: the metadata cannot be sent: %s", self.peer, error)
            self._session.refuse_metadata(f"The metadata of this publisher cannot be sent: {error}")
        else:
            self._link.proved_useful()
            self._session.send_metadata(document)

    async def _subscribe(self, options: SubscriptionOptions) -> None:
        if options.start_time is not None or options.stop_time is not None:
            self._refuse_subscription("This publisher has no archive: it cannot serve a time in the past.")
            return
        async with self._selecting:
            try:
                signals, refused = await self._select(options.filter_expression)
                cache, image = await self._write_cache(signals, refused)
            except FilterError as error:
                self._refuse_subscription(str(error))
            else:
                also = f", and may not have {len(refused)}" if refused else ""
                _log.info("%s: subscribed to %d signals%s", self.peer, len(signals), also)
                self._filter_expression = options.filter_expression
                self._offered, self._refused = signals, refused
                self._session.accept_subscription(cache, image=image)

    async def _select(self, filter_expression: str) -> tuple[SignalTable, tuple[UUID, ...]]:
        while True:
            rights = self._rights()
            # a few words can take seconds, in which the others must be served
            selected = await offload(self._catalogue().select_permitted, filter_expression, rights)
            if rights == self._rights():  # a catalogue that has changed meanwhile is followed afterwards
                return selected

    async def _seen(self) -> Catalogue:
        catalogue, rights = self._catalogue(), self._rights()
        return catalogue if rights is None else await offload(catalogue.seen_with, rights)

    async def _write_cache(self, signals: SignalTable, refused: tuple[UUID, ...]) -> tuple[SignalIndexCache, bytes]:
        cache = SignalIndexCache(subscriber_id=self._subscriber_id, signals=signals, unauthorised=refused)
        modes = self._session.modes or OperationalModes()
        if len(signals) <= SMALL:
            return cache, write_signal_index_cache(cache, modes)
        image = await offload(write_signal_index_cache, cache, modes)
        # batches may still be built with the signals of before
        ours, before = self._catalogue().metadata.signals, self._member.source
        await offload(self._member.expect(signals).prepare, [ours] if before is None else [ours, before])
        return cache, image

    def _refuse_subscription(self, reason: str) -> None:
        _log.info("%s: subscription refused: %s", self.peer, reason)
        self._session.refuse_subscription(reason)

    # --- following the catalogue

    async def _follow(self) -> None:
        while True:
            await self._outdated.wait()
            self._outdated.clear()
            await self._cut()
            async with self._selecting:
                if self._subscribed:
                    await self._hand_over()

    async def _hand_over(self) -> None:
        """Hand the subscription over to what it selects from the catalogue as it is now."""
        signals, refused = await self._reselect()
        if signals == self._offered and refused == self._refused:
            return
        cache, image = await self._write_cache(signals, refused)
        if self._subscribed:
            _log.info("%s: handed over to %d signals", self.peer, len(signals))
            self._offered, self._refused = signals, refused
            self._session.change_signals(cache, image=image)
            self._connection.wake()

    @property
    def _subscribed(self) -> bool:
        return not self._session.ended and self._session.phase in (Phase.OFFERED, Phase.STREAMING)

    async def _cut(self) -> None:
        """Send nothing more that may not be seen, without waiting until the subscriber has confirmed another cache."""
        visible = None if self._rights() is None else (await self._seen()).metadata.signals
        if visible is not self._visible:
            self._visible = visible
            self._member.restrict(visible)

    async def _reselect(self) -> tuple[SignalTable, tuple[UUID, ...]]:
        try:
            return await self._select(self._filter_expression)
        except FilterError as error:
            # it names something that is gone: what it had keeps coming, as far as it is still there
            _log.warning("%s: its subscription cannot be followed: %s", self.peer, error)
            ours = (await self._seen()).metadata.signals
            there = self._offered.route_to(ours)
            return ours.select(there[there >= 0].astype(np.intp)), ()
