"""A feed: one connected subscriber, as its `Publisher` serves it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from sttp.catalogue import SMALL, Catalogue
from sttp.codes import OperationalModes
from sttp.connection import Connection
from sttp.errors import ClosedError, FilterError, OverrunError, STTPError
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.peer_events import PeerEvents
from sttp.queues import BatchQueue, Overflow
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

BATCH_SIZE: Final = 16_384
"""Most measurements that are encoded at one go, so that one subscriber never holds up the others for long."""


class Feed:
    """One subscriber: its session, its queue, and the way of the publisher's signals into its own.

    Args:
        link: where the subscriber is.
        catalogue: what there is to subscribe to; called at each request, because it may change.
        config: for the session.
        queue_limit: most measurements that wait for this subscriber.
        overflow: what happens to more.
        tally: where to count.
        events: where the rest goes that an application might want to know.
        changed: called when the subscription begins or ends.
    """

    def __init__(
        self,
        link: Link,
        *,
        catalogue: Callable[[], Catalogue],
        config: PublisherConfig,
        queue_limit: int,
        overflow: Overflow,
        tally: Tally,
        events: PeerEvents[PublisherEvent],
        changed: Callable[[], None],
    ) -> None:
        self._link = link
        self._catalogue = catalogue
        self._tally = tally
        self._events = events
        self._filter_expression = ""
        self._changed = changed
        self._subscriber_id = uuid4()
        self._session = PublisherSession(config, now=monotonic())
        self._queue = BatchQueue(queue_limit, overflow, count=self._count)
        self._connection: Connection[PublisherEvent] = Connection(
            link.stream, self._session, self._handle, supply=self._supply, tally=tally, read_size=READ_SIZE
        )
        # signals are selected in other threads, for one subscription or handover at a time
        self._selecting = asyncio.Lock()
        self._outdated = asyncio.Event()
        self._routes: dict[int, _Route] = {}
        self._offered = SignalTable.of(())
        # what is left of a batch that is too large to be encoded at one go
        self._rest: MeasurementBatch | None = None

    @property
    def peer(self) -> str:
        """Where the subscriber is, for people."""
        return self._link.stream.peer

    @property
    def active(self) -> bool:
        """Whether measurements flow: a signal index cache is in force."""
        return self._session.signals is not None

    async def run(self) -> STTPError | None:
        """Serve the subscriber until it is gone; return why."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow())
            try:
                return await self._connection.run()
            finally:
                following.cancel()
                self._queue.close()
                self._queue.clear()

    def close(self) -> None:
        """End the session in order; `run` returns soon."""
        self._session.close()
        self._connection.wake()

    def refuse(self, reason: str) -> None:
        """Answer the connection as a whole with Failed."""
        self._session.refuse_connection(reason)
        self._connection.wake()

    def follow(self) -> None:
        """Tell the subscriber that the catalogue has changed; its subscription is then handed over to what it selects.

        That happens a little later, because selecting takes a while.
        """
        if self._session.ended or self._session.modes is None:
            return
        self._session.send_configuration_changed()
        self._connection.wake()
        self._outdated.set()

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
        return self._queue.dropped

    async def publish(self, batch: MeasurementBatch) -> None:
        """Queue a batch for this subscriber, by the overflow policy; while nothing is subscribed it goes nowhere."""
        try:
            while self.active and not self._queue.offer(batch):
                await self._queue.room()
        except OverrunError as error:
            self._session.lose(error, now=monotonic())
            # what is under way would hold the connection up for as long as the subscriber takes nothing
            self._link.stream.abort()
        self._connection.wake()

    async def drained(self) -> None:
        """Wait until everything queued has been taken by the stream, or the subscriber is gone."""
        await self._connection.drained()

    def _supply(self) -> bool:
        signals = self._session.signals
        if signals is None:
            return False
        batch, self._rest = self._rest or self._queue.take(), None
        if batch is None:
            return False
        if len(batch) > BATCH_SIZE:
            self._rest = replace(batch, columns=batch.columns.select(slice(BATCH_SIZE, None)))
        columns = batch.columns.select(slice(BATCH_SIZE))
        index = self._route(batch.signals, signals).take(columns.signal_index)
        wanted = index >= 0
        columns = columns._replace(signal_index=index)
        if not wanted.all():
            columns = columns.select(wanted)
        self._tally.measurements += len(columns.signal_index)
        self._session.send_measurements(columns)
        return True

    def _count(self, batch: MeasurementBatch) -> int:
        signals = self._session.signals
        if signals is None:
            return 0
        return int(np.count_nonzero(self._route(batch.signals, signals).take(batch.signal_index) >= 0))

    def _route(self, ours: SignalTable, theirs: SignalTable) -> NDArray[np.int32]:
        """Look up, or work out once, where the signals of a batch stand in the subscriber's cache."""
        route = self._routes.get(id(ours))
        if route is None or route.ours is not ours or route.theirs is not theirs:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._routes[id(ours)] = _Route(ours, theirs)
        return route.indexes

    # --- events

    async def _handle(self, event: PublisherEvent) -> None:
        with suppress(ClosedError):  # the session may have ended meanwhile; then nobody waits for the answer
            await self._act(event)
        self._connection.wake()

    async def _act(self, event: PublisherEvent) -> None:
        match event:
            case ModesDefined():
                _log.info("%s: connected, version %d", self.peer, event.modes.version)
            case MetadataRequested():
                await self._send_metadata(event.filter_expression)
            case SubscribeRequested():
                await self._subscribe(event.options)
            case CipherKeysRequested():
                self._session.refuse_cipher_keys("Payloads of this publisher are not encrypted; use TLS.")
            case StreamingStarted():
                self._link.proved_useful()
                self._changed()
            case Unsubscribed():
                self._queue.clear()
                self._rest = None
                self._changed()
            case MessageIgnored():
                _log.debug("%s: %s: %s", self.peer, event.message, event.reason)
            case _:
                self._events.put(self.peer, event)

    async def _send_metadata(self, filter_expression: str) -> None:
        modes = self._session.modes or OperationalModes()
        try:
            document = await self._catalogue().document(filter_expression, modes)
        except FilterError as error:
            self._session.refuse_metadata(str(error))
        else:
            self._link.proved_useful()
            self._session.send_metadata(document)

    async def _subscribe(self, options: SubscriptionOptions) -> None:
        if options.start_time is not None or options.stop_time is not None:
            self._refuse_subscription("This publisher has no archive: it cannot serve a time in the past.")
            return
        async with self._selecting:
            try:
                signals = await self._select(options.filter_expression)
                cache, image = await self._write_cache(signals)
            except FilterError as error:
                self._refuse_subscription(str(error))
            else:
                _log.info("%s: subscribed to %d signals", self.peer, len(signals))
                self._filter_expression = options.filter_expression
                self._offered = signals
                self._session.accept_subscription(cache, image=image)

    async def _select(self, filter_expression: str) -> SignalTable:
        while True:
            catalogue = self._catalogue()
            # a few words can take seconds, in which the others must be served
            signals = await asyncio.to_thread(catalogue.select, filter_expression)
            if catalogue is self._catalogue():  # and has not changed meanwhile
                return signals

    async def _write_cache(self, signals: SignalTable) -> tuple[SignalIndexCache, bytes]:
        cache = SignalIndexCache(subscriber_id=self._subscriber_id, signals=signals)
        modes = self._session.modes or OperationalModes()
        if len(signals) <= SMALL:
            return cache, write_signal_index_cache(cache, modes)
        return cache, await asyncio.to_thread(write_signal_index_cache, cache, modes)

    def _refuse_subscription(self, reason: str) -> None:
        _log.info("%s: subscription refused: %s", self.peer, reason)
        self._session.refuse_subscription(reason)

    # --- following the catalogue

    async def _follow(self) -> None:
        while True:
            await self._outdated.wait()
            self._outdated.clear()
            async with self._selecting:
                if self._subscribed:
                    await self._hand_over()

    async def _hand_over(self) -> None:
        """Hand the subscription over to what it selects from the catalogue as it is now."""
        signals = await self._reselect()
        if signals == self._offered:
            return
        cache, image = await self._write_cache(signals)
        if self._subscribed:
            _log.info("%s: handed over to %d signals", self.peer, len(signals))
            self._offered = signals
            self._session.change_signals(cache, image=image)
            self._connection.wake()

    @property
    def _subscribed(self) -> bool:
        return not self._session.ended and self._session.phase in (Phase.OFFERED, Phase.STREAMING)

    async def _reselect(self) -> SignalTable:
        try:
            return await self._select(self._filter_expression)
        except FilterError as error:
            # it names something that is gone: what it had keeps coming, as far as it is still there
            _log.warning("%s: its subscription cannot be followed: %s", self.peer, error)
            ours = self._catalogue().metadata.signals
            there = self._offered.route_to(ours)
            return ours.select(there[there >= 0].astype(np.intp))


class _Route:
    """From the signal indexes of one table to those of another, and a hold on both tables."""

    __slots__ = ("indexes", "ours", "theirs")

    def __init__(self, ours: SignalTable, theirs: SignalTable) -> None:
        self.ours = ours
        self.theirs = theirs
        self.indexes = ours.route_to(theirs)


_MOST_ROUTES: Final = 16
"""A publisher has one table, or a few; more are not kept."""
