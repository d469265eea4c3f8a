"""An intake: one connected publisher, as its `Subscriber` takes from it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple

from sttp.connection import Connection
from sttp.errors import ClosedError, MetadataError, OverrunError, RefusedError, STTPError, TransportError
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.metadata import Metadata
from sttp.offload import offload
from sttp.peer_events import PeerEvents
from sttp.queues import BatchQueue
from sttp.session.config import SubscriberConfig
from sttp.session.events import (
    ConfigurationChanged,
    MeasurementsReceived,
    MessageIgnored,
    MetadataReceived,
    MetadataRefused,
    NotificationReceived,
    PacketDropped,
    PublisherProved,
    SignalsChanged,
    SubscriberEvent,
    SubscriptionAccepted,
    SubscriptionRefused,
)
from sttp.session.subscriber import SubscriberSession
from sttp.statistics import Tally
from sttp.transport.links import Link
from sttp.wire.subscription import SubscriptionOptions

__all__ = ["Intake"]

_log = logging.getLogger("sttp.subscriber")

SMALL: Final = 256 * 1024
"""Bytes of metadata up to which a document is read on the spot; that takes a few milliseconds."""


class Intake:
    """One publisher: its session, its metadata, and what its signals are called.

    Args:
        link: where the publisher is.
        options: what to subscribe to; None for nothing.
        with_metadata: whether to ask for metadata first, so that signals have tags.
        config: for the session.
        queue: where its measurements go.
        events: where the rest goes that an application might want to know.
        tally: where to count.
        proved: called once, when the peer has proved to be a publisher and before anything of it is used.
        metadata_changed: called with each new metadata.
    """

    def __init__(
        self,
        link: Link,
        *,
        options: SubscriptionOptions | None,
        with_metadata: bool,
        config: SubscriberConfig,
        queue: BatchQueue[MeasurementBatch],
        events: PeerEvents[SubscriberEvent],
        tally: Tally,
        proved: Callable[[Intake], None] = lambda intake: None,
        metadata_changed: Callable[[Metadata], None],
    ) -> None:
        self._link = link
        self._options = options
        self._with_metadata = with_metadata
        self._config = config
        self._queue = queue
        self._events = events
        self._tally = tally
        self._proved = proved
        self._metadata_changed = metadata_changed
        self._turned_away = False
        self._metadata = Metadata()
        self._publisher = self._label()
        # who waits for the answer to each MetadataRefresh and to each Subscribe; None for nobody
        self._requests: deque[_Request] = deque()
        self._subscriptions: deque[asyncio.Future[None] | None] = deque()
        self._subscribed = False
        self._has_asked = False
        self._named: list[tuple[SignalTable, SignalTable]] = []
        self._complained: set[str] = set()
        self._session = SubscriberSession(config, now=monotonic())
        self._connection: Connection[SubscriberEvent] = Connection(
            link.stream, self._session, self._handle, handle_now=self._handle_now, tally=tally
        )
        #: why the publisher refused the subscription, if it did
        self.refused: RefusedError | None = None

    @property
    def link(self) -> Link:
        """Where the publisher is."""
        return self._link

    @property
    def peer(self) -> str:
        """Where the publisher is, for people."""
        return self._link.stream.peer

    @property
    def publisher(self) -> str:
        """Label of the publisher: its name in the trust configuration, else its node ID, else its address."""
        return self._publisher

    def _label(self) -> str:
        stream = self._link.stream
        if stream.identity is not None:
            return stream.identity.name
        return str(self._metadata.node_id) if self._metadata.devices else stream.peer

    async def run(self) -> STTPError | None:
        """Take from the publisher until it is gone; return why."""
        if self._with_metadata and self._options is not None:
            self._refresh(None, "")
        else:
            self._subscribe_at_first()
        try:
            return await self._connection.run()
        finally:
            for request in (*(each.answer for each in self._requests), *self._subscriptions):
                if request is not None and not request.done():
                    request.set_exception(self._lost())

    def close(self) -> None:
        """End the session in order; `run` returns soon."""
        self._session.close()
        self._connection.wake()

    @property
    def session(self) -> SubscriberSession:
        """The session, for intents; call `wake` after them."""
        return self._session

    def wake(self) -> None:
        """Say that the session has something to send."""
        self._connection.wake()

    async def subscribe(self, options: SubscriptionOptions) -> None:
        """Ask for these signals instead of those before, and wait for the answer.

        Raises:
            RefusedError: the publisher refused; what was subscribed before stays so.
            TransportError: the connection ended before it answered.
        """
        self._options = options
        if self._session.ended:
            raise self._lost()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._with_metadata and not self._has_asked:
            self._refresh(None, "")
        self._subscribe(answer)
        self._queue.look_again()
        await answer

    def prefer(self, options: SubscriptionOptions) -> None:
        """Ask for these signals instead of those before, when it is time, and let nobody wait for the answer."""
        self._options = options
        if self._session.ended:
            return
        if self._subscribed:
            self._subscribe(None)
        elif self._with_metadata and not self._has_asked:
            self._refresh(None, "")
        elif not self._with_metadata:
            self._subscribe_at_first()

    def unsubscribe(self) -> None:
        """Ask for no more measurements. The connection stays."""
        self._options = None
        self._subscribed = True
        if not self._session.ended:
            self._session.unsubscribe()
            self._connection.wake()

    def turn_away(self, reason: str) -> None:
        """Cut the stream at once, and use nothing more of what came over it; `run` returns the reason."""
        self._turned_away = True
        self._session.lose(TransportError(f"turned away: {reason}"), now=monotonic())
        self._link.stream.abort()

    async def request_metadata(self, filter_expression: str) -> Metadata:
        """Ask for metadata and wait for it.

        Raises:
            RefusedError: the publisher will not give it.
            TransportError: the connection ended before it came.
            MetadataError: it cannot be read.
        """
        if self._session.ended:
            raise self._lost()
        request: asyncio.Future[Metadata] = asyncio.get_running_loop().create_future()
        self._refresh(request, filter_expression)
        self._queue.look_again()
        return await request

    # --- events

    async def _handle(self, event: SubscriberEvent) -> None:
        if self._turned_away:
            return
        with suppress(ClosedError):  # the session may have ended meanwhile; then there is nothing more to ask
            await self._act(event)

    async def _act(self, event: SubscriberEvent) -> None:
        match event:
            case PublisherProved():
                self._proved(self)
            case MeasurementsReceived():
                await self._take(event)
            case SignalsChanged():
                self._link.proved_useful()
                self._name(event.signals)
                if not len(event.signals):
                    _log.warning("%s: it has no signal that the filter asks for, so nothing will come", self.publisher)
                if event.unauthorised:
                    _log.warning("%s: %d signals may not be had", self.publisher, len(event.unauthorised))
            case MetadataReceived():
                # reading may take a while, in which the publisher can look for the signals
                self._subscribe_at_first()
                await self._take_metadata(event.document)
            case MetadataRefused():
                self._events.put(self.publisher, event)
                self._answer(RefusedError(event.reason, what="metadata refresh"))
            case SubscriptionAccepted():
                self._link.proved_useful()
                _log.info("%s: %s", self.publisher, event.text or "subscribed")
                self._events.put(self.publisher, event)
                self._subscription_answered(None)
            case SubscriptionRefused():
                self._events.put(self.publisher, event)
                self._subscription_answered(RefusedError(event.reason, what="subscription"))
            case ConfigurationChanged():
                self._events.put(self.publisher, event)
                if self._with_metadata and sum(each.answer is None for each in self._requests) < _REFRESHES:
                    self._refresh(None, "")
            case PacketDropped():
                self._tally.gaps += 1
                self._tally.dropped += event.count
                self._complain(event.reason)
            case MessageIgnored():
                _log.debug("%s: %s: %s", self.publisher, event.message, event.reason)
            case NotificationReceived():
                _log.info("%s: notification: %s", self.publisher, event.text)
                self._events.put(self.publisher, event)
            case _:
                self._events.put(self.publisher, event)

    async def _take(self, event: MeasurementsReceived) -> None:
        while not self._handle_now(event):
            if self._is_asked_for_more:
                # whoever waits for an answer takes no measurements meanwhile, and the answer comes behind them
                self._queue.force(self._batch(event))
                self._count(event)
                break
            await self._queue.room()

    def _handle_now(self, event: SubscriberEvent) -> bool:
        """Queue measurements. False for all else, and when there is no room for them and their policy is to wait."""
        if not isinstance(event, MeasurementsReceived):
            return False
        if self._turned_away:
            return True
        batch = self._batch(event)
        try:
            is_taken = self._queue.offer(batch)
        except OverrunError as error:
            self._tally.dropped += len(batch)
            self._queue.drop()
            self._session.lose(error, now=monotonic())
            is_taken = True
        if is_taken:
            self._count(event)
        return is_taken

    def _batch(self, event: MeasurementsReceived) -> MeasurementBatch:
        signals = event.signals
        for known, named in reversed(self._named):
            if known is signals:
                return MeasurementBatch(event.columns, named, self._publisher)
        return MeasurementBatch(event.columns, self._name(signals), self._publisher)

    def _count(self, event: MeasurementsReceived) -> None:
        tally = self._tally
        tally.measurements += len(event.columns.signal_index)
        tally.packets += event.packets
        tally.packet_bytes += event.size

    @property
    def _is_asked_for_more(self) -> bool:
        waiting = (*(request.answer for request in self._requests), *self._subscriptions)
        return any(answer is not None and not answer.done() for answer in waiting)

    def _complain(self, reason: str) -> None:
        # one line per connection and reason: a stream out of step would fill the log
        if reason not in self._complained and len(self._complained) < _MOST_COMPLAINTS:
            self._complained.add(reason)
            _log.warning("%s: data dropped: %s", self.publisher, reason)

    # --- names of signals

    def _name(self, signals: SignalTable) -> SignalTable:
        """Remember what the signals are called. Two caches can be in use at once, not more."""
        named = signals.with_tags_of(self._metadata.known_signals)
        self._named = [*self._named[-1:], (signals, named)]
        return named

    # --- metadata

    def _refresh(self, request: asyncio.Future[Metadata] | None, filter_expression: str) -> None:
        self._session.refresh_metadata(filter_expression)
        self._requests.append(_Request(request, filter_expression))
        self._has_asked = self._has_asked or not filter_expression
        self._connection.wake()

    def _lost(self) -> TransportError:
        return TransportError(f"{self.peer}: the connection ended before the answer came")

    async def _take_metadata(self, document: bytes) -> None:
        limits = self._config.limits
        try:
            if len(document) <= SMALL:
                metadata = Metadata.read(document, limits=limits) if document else Metadata()
            else:
                metadata = await offload(Metadata.read, document, limits=limits)
        except MetadataError as error:
            _log.warning("%s: %s", self.publisher, error)
            self._answer(error)
            return
        if not (self._requests and self._requests[0].filter_expression):
            # a part that somebody wanted to see says nothing of the signals that are not in it
            self._metadata = metadata
            self._publisher = self._label()
            self._named = []
        self._metadata_changed(metadata)
        if self._options is None:
            self._link.proved_useful()
        self._answer(metadata)

    def _answer(self, answer: Metadata | STTPError) -> None:
        request = self._requests.popleft().answer if self._requests else None
        if request is None:
            if isinstance(answer, RefusedError):
                _log.warning("%s: %s", self.publisher, answer)
            self._subscribe_at_first()
        elif not request.done():
            if isinstance(answer, Metadata):
                request.set_result(answer)
            else:
                request.set_exception(answer)

    # --- subscription

    def _subscribe_at_first(self) -> None:
        """Subscribe, once the metadata has come or will not come."""
        if not self._subscribed and self._options is not None and not self._session.ended:
            self._subscribe(None)

    def _subscribe(self, answer: asyncio.Future[None] | None) -> None:
        assert self._options is not None
        self._subscribed = True
        self._session.subscribe(self._options)
        self._subscriptions.append(answer)
        self._connection.wake()

    def _subscription_answered(self, refused: RefusedError | None) -> None:
        # gsfapi may also report success unasked, when rights have changed (4.5)
        answer = self._subscriptions.popleft() if self._subscriptions else None
        if answer is None:
            if refused is not None:
                self.refused = refused
                self.close()
        elif not answer.done():
            if refused is None:
                answer.set_result(None)
            else:
                answer.set_exception(refused)


class _Request(NamedTuple):
    """Metadata that was asked for; nobody waits for the answer where it is for the names of signals."""

    answer: asyncio.Future[Metadata] | None
    filter_expression: str


_MOST_COMPLAINTS: Final = 20

_REFRESHES: Final = 2
"""One that is under way, whose answer may be older than the change, and one that waits and will see all changes."""
