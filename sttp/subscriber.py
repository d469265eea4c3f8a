"""The subscriber: one endpoint, one publisher or several, whoever dials."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from sttp.codes import ModeFlags, Role
from sttp.errors import ClosedError, EndpointError, RefusedError, STTPError, TrustError, UsageError
from sttp.intake import Intake
from sttp.measurement import MeasurementBatch
from sttp.metadata import Metadata
from sttp.peer_events import PeerEvent, PeerEvents
from sttp.queues import BatchQueue, Overflow
from sttp.security import (
    DEFAULT_ADMISSION,
    Admission,
    AdmissionPolicy,
    Audited,
    Guest,
    Reason,
    audit,
    source_of,
)
from sttp.session.config import SubscriberConfig
from sttp.session.events import SubscriberEvent
from sttp.statistics import SubscriberStatistics, Tally
from sttp.transport.endpoint import open_links, parse_endpoint, security_for
from sttp.transport.links import Link, Links, RedialPolicy
from sttp.transport.plugins import Plugins
from sttp.wire.subscription import SubscriptionOptions

if TYPE_CHECKING:
    from sttp.security import Security

__all__ = ["EVERYTHING", "Encoding", "Subscriber"]

_log = logging.getLogger("sttp.subscriber")

EVERYTHING: Final = "FILTER ActiveMeasurements WHERE True"
"""The filter expression that selects all signals."""

_REDIAL: Final = RedialPolicy()
_CONFIG: Final = SubscriberConfig()
_OPTIONS: Final = SubscriptionOptions()

QUEUE_LIMIT: Final = 1_000_000
"""Measurements that may wait for the application: 20 MB of columns."""

MAX_STRANGERS: Final = 32
"""Streams at once that have not proved to come from a publisher. Each costs a file, two tasks and some 70 KB, and what
it has sent of its first response. A publisher proves itself within a round trip, at the latest
with its first NoOP after 5 s, and the oldest stranger gives way to a new one: whoever wants to keep a publisher out has
to open 32 streams within that time, again and again."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds until connections that do not end in order are cut."""


class Encoding(StrEnum):
    """How measurements are encoded on the wire (wire.md 6)."""

    TSSC = "tssc"
    """Time-series special compression: lossless, small."""
    COMPACT = "compact"
    """Plain records; of the 32 state flags it keeps six groups."""


class Subscriber:
    """Takes measurements from the publisher at an endpoint, or from those that dial it.

    ```python
    async with Subscriber("tcp://pdc:7165", filter="FILTER ActiveMeasurements WHERE True") as subscriber:
        async for batch in subscriber.measurements():
            print(batch.value.mean())
    ```

    After a lost connection it connects and subscribes again by itself.

    Args:
        url: the endpoint.
        filter: filter expression that selects the signals; None to subscribe to nothing, or not yet.
        encoding: how measurements are to be encoded. The publisher may choose another one; all are understood.
        options: what else is asked of the publisher, such as compact times in milliseconds; its filter does not count.
        with_metadata: ask for the metadata first. Without it the first measurements come sooner, and signals have no
            tags.
        overflow: what happens to measurements that the application does not take in time.
        queue_limit: most measurements that wait for the application.
        max_publishers: most publishers at once, where this end listens; further ones are turned away. A stream counts
            from the first valid response on, so that a stranger who connects and is silent keeps no publisher out.
        admission: how often strangers may come, where this end listens.
        redial: how a dialing endpoint tries again.
        security: the security folder, or what was made of it, for an endpoint with TLS; without it, the default folder.
        plugins: what URLs may name; without it, what is installed.
        config: modes, limits and timeouts of the sessions.

    Raises:
        EndpointError: the URL cannot be understood.
        SecurityError: the endpoint needs a security folder, and there is none that can be used.
        UsageError: the filter expression cannot be sent, or a UDP port is asked for.
    """

    def __init__(
        self,
        url: str,
        *,
        filter: str | None = EVERYTHING,  # noqa: A002 - the word that users have for it
        encoding: Encoding = Encoding.TSSC,
        options: SubscriptionOptions = _OPTIONS,
        with_metadata: bool = True,
        overflow: Overflow = Overflow.WAIT,
        queue_limit: int = QUEUE_LIMIT,
        max_publishers: int = 1,
        admission: AdmissionPolicy = DEFAULT_ADMISSION,
        redial: RedialPolicy = _REDIAL,
        security: Security | str | os.PathLike[str] | None = None,
        plugins: Plugins | None = None,
        config: SubscriberConfig = _CONFIG,
    ) -> None:
        if options.data_channel_port is not None:
            raise UsageError("this subscriber takes its data over the connection; it opens no UDP port")
        self._endpoint = parse_endpoint(url, plugins=plugins)
        self._security = security_for([self._endpoint], security, plugins=plugins)
        self._unfiltered = options
        self._options = None if filter is None else self._selecting(filter)
        self._with_metadata = with_metadata
        self._config = replace(config, modes=replace(config.modes, flags=_flags(config.modes.flags, encoding)))
        self._max_publishers = max_publishers
        self._redial = redial
        self._plugins = plugins
        self._queue: BatchQueue[MeasurementBatch] = BatchQueue(queue_limit, overflow)
        self._events: PeerEvents[SubscriberEvent] = PeerEvents()
        self._tasks = asyncio.TaskGroup()
        self._links: Links | None = None
        self._following: asyncio.Task[None] | None = None
        self._strangers: dict[Intake, Guest | None] = {}  # the oldest comes first
        self._admission = Admission(admission)
        self._intakes: set[Intake] = set()
        self._connected = asyncio.Event()
        self._accepted_once = False
        self._closing = False
        self._error: STTPError | None = None
        self._metadata: Metadata | None = None
        self._tally = Tally()

    async def __aenter__(self) -> Self:
        """Open the endpoint.

        Raises:
            TransportError: it cannot be listened on.
        """
        self._links = await open_links(
            self._endpoint, Role.SUBSCRIBER, policy=self._redial, plugins=self._plugins, security=self._security
        )
        await self._tasks.__aenter__()
        self._tasks.create_task(self._serve(self._links))
        if self._security is not None:
            self._following = self._tasks.create_task(self._follow_rights(self._security))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._connected.set()
        if self._following is not None:
            self._following.cancel()
        if self._links is not None:
            await self._links.close()
        self._queue.close()
        self._queue.clear()
        self._events.close()
        for intake in (*self._strangers, *self._intakes):
            intake.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._tasks.__aexit__(None, None, None)

    # --- what there is

    @property
    def listening(self) -> str | None:
        """URL of the endpoint with the address that it is bound to; None when this end dials."""
        bound = None if self._links is None else self._links.bound
        return None if bound is None else self._endpoint.at(bound)

    @property
    def metadata(self) -> Metadata | None:
        """The metadata that came last, from any publisher; None before there was any."""
        return self._metadata

    @property
    def statistics(self) -> SubscriberStatistics:
        """Counts since the start."""
        tally = self._tally
        return SubscriberStatistics(
            connections=tally.connections,
            connected=len(self._intakes),
            measurements=tally.measurements,
            packets=tally.packets,
            packet_bytes=tally.packet_bytes,
            gaps=tally.gaps,
            dropped=tally.dropped + self._queue.dropped,
            bytes_received=tally.bytes_received,
            bytes_sent=tally.bytes_sent,
            turned_away=self._admission.turned_away.total(),
        )

    def measurements(self) -> AsyncGenerator[MeasurementBatch, None]:
        """Iterate over what is received, batch by batch, until the subscriber is closed.

        A lost connection does not end it: the next batches come from the next connection.

        Raises:
            RefusedError: this end dials, and the publisher refused the very first subscription.
            EndpointError: the endpoint has turned out to be one that nobody can dial.
        """
        return self._queue.batches()

    async def events(self) -> AsyncGenerator[PeerEvent[SubscriberEvent], None]:
        """Iterate over what publishers say besides measurements.

        These are notifications, buffer blocks, user responses, the end of a replay, changes of their configuration,
        whether they accepted a subscription or refused it, and the like. Of what nobody takes, the newest thousand are
        kept.
        """
        async for event in self._events:
            yield event

    # --- intents

    async def subscribe(self, filter: str) -> None:  # noqa: A002 - as above
        """Ask for other signals than before, on every connection that is up and on those to come.

        Measurements go on without a gap: the old signals flow until the publisher has handed over to the new ones.

        Args:
            filter: filter expression that selects the signals.

        Raises:
            UsageError: the filter expression cannot be sent.
            RefusedError: a publisher refused. Its earlier subscription stays as it was, and is what connections to
                come will ask for.
            TransportError: a connection ended before its publisher answered; the next one will ask for these signals.
        """
        self._check()
        before, self._options = self._options, self._selecting(filter)
        options = self._options
        try:
            await self._subscribe(options)
        except RefusedError:
            if self._options is options:
                self._options = before
            raise

    async def _subscribe(self, options: SubscriptionOptions) -> None:
        for stranger in self._strangers:
            stranger.prefer(options)
        await asyncio.gather(*(intake.subscribe(options) for intake in self._intakes))

    def unsubscribe(self) -> None:
        """Ask for no more measurements, on any connection. Connections stay up; see `subscribe`.

        Raises:
            ClosedError: the subscriber was closed.
        """
        self._check()
        self._options = None
        for intake in (*self._strangers, *self._intakes):
            intake.unsubscribe()

    def send_user_command(self, number: int, payload: bytes = b"", *, publisher: str = "") -> None:
        """Send an application's own command (wire.md 7.11). Its answer, if it has one, is among the `events`.

        Args:
            number: 0 to 15.
            payload: raw bytes.
            publisher: label of the publisher that is meant; empty for every one that is connected.

        Raises:
            UsageError: a number out of range, or nobody is connected who is meant.
        """
        for intake in self._meant(publisher):
            intake.session.send_user_command(number, payload)
            intake.wake()

    def update_processing_interval(self, milliseconds: int, *, publisher: str = "") -> None:
        """Ask for another speed of a replay (wire.md 7.9). The answer is among the `events`.

        Args:
            milliseconds: per frame; -1 for the default, 0 for as fast as possible.
            publisher: label of the publisher that is meant; empty for every one that is connected.

        Raises:
            UsageError: a number that does not fit, or nobody is connected who is meant.
        """
        for intake in self._meant(publisher):
            intake.session.update_processing_interval(milliseconds)
            intake.wake()

    def _meant(self, publisher: str) -> list[Intake]:
        meant = [intake for intake in self._intakes if publisher in ("", intake.publisher) and not intake.session.ended]
        if not meant:
            raise UsageError(f"no publisher is connected{f' that is called {publisher!r}' if publisher else ''}")
        return meant

    def _selecting(self, filter_expression: str) -> SubscriptionOptions:
        options = replace(self._unfiltered, filter_expression=filter_expression)
        options.to_connection_string()  # complain now of what cannot be sent
        return options

    async def refresh_metadata(self, filter: str = "") -> Metadata:  # noqa: A002 - as above
        """Ask for metadata, as soon as a publisher is connected.

        Args:
            filter: which rows of which tables; empty for all.

        Raises:
            RefusedError: the publisher will not give it.
            TransportError: the connection ended before it came.
            MetadataError: it cannot be read.
            EndpointError: the endpoint has turned out to be one that nobody can dial.
            ClosedError: the subscriber was closed.
        """
        while True:
            self._check()
            if self._intakes:
                break
            self._connected.clear()
            await self._connected.wait()
        return await next(iter(self._intakes)).request_metadata(filter)

    # --- connections

    async def _serve(self, links: Links) -> None:
        try:
            async for link in links:
                self._tasks.create_task(self._serve_link(link))
        except EndpointError as error:
            self._fail(error)

    async def _serve_link(self, link: Link) -> None:
        async with link:
            if self._closing or self._error is not None:
                return
            if len(self._intakes) >= self._max_publishers:
                # 9.7: closed at once, so that the other end can tell; it will dial again
                _log.warning("%s: turned away, %d connected already", link.stream.peer, len(self._intakes))
                return
            try:
                guest = None if self.listening is None else self._let_in(link)
            except TrustError as error:
                link.stream.abort()
                self._audit(Audited.REFUSED, link, code=error.code, reason=error.reason)
                if (line := self._admission.line(link.stream.peer, error, now=monotonic())) is not None:
                    _log.warning("%s", line)
                return
            try:
                await self._take(link, guest)
            finally:
                if guest is not None:
                    guest.left(now=monotonic())

    def _audit(self, what: Audited, link: Link, **details: str | float | None) -> None:
        direction = "dialed" if self.listening is None else "accepted"
        stream = link.stream
        audit(what, peer=stream.peer, identity=stream.identity, role="subscriber", direction=direction, **details)

    def _let_in(self, link: Link) -> Guest:
        stream = link.stream
        # who has been authenticated answers for itself, wherever it comes from
        source = source_of(stream.peer) if stream.identity is None else stream.identity.name
        return self._admission.enter(source, lambda error: stream.abort(), now=monotonic())

    async def _take(self, link: Link, guest: Guest | None) -> None:
        if not self._may_publish(link):
            self._refuse(link)
            return
        self._make_room()
        intake = Intake(
            link,
            options=self._options,
            with_metadata=self._with_metadata,
            config=self._config,
            queue=self._queue,
            events=self._events,
            tally=self._tally,
            proved=self._admit,
            metadata_changed=self._take_metadata,
        )
        self._strangers[intake] = guest
        if self.listening is None and link.stream.identity is None:
            # whom we dialed we know, and a gsfapi publisher may say nothing for 5 s; but by TLS 1.3 it may
            # still refuse us, so there it counts from its first response on
            self._admit(intake)
        try:
            error = await intake.run()
        except* Exception:  # noqa: BLE001 - a mistake of ours must not cost the other connections
            _log.exception("%s: internal error", link.stream.peer)
        else:
            self._ended(link, intake.refused or error)
        finally:
            self._strangers.pop(intake, None)
            self._intakes.discard(intake)

    def _may_publish(self, link: Link) -> bool:
        """Whether whoever dials us may be a publisher; whom we dial is whom we want."""
        if self._security is None or self.listening is None:
            return True
        return self._security.may_publish(link.stream.identity)

    def _refuse(self, link: Link) -> None:
        self._audit(Audited.REFUSED, link, code=Reason.NOT_PERMITTED, reason="it may not publish here")
        _log.warning("%s: turned away: it may not publish here [%s]", link.stream.peer, Reason.NOT_PERMITTED)

    async def _follow_rights(self, security: Security) -> None:
        from sttp.security import changes  # noqa: PLC0415 - it takes its time, and there are certificates now

        async for _ in changes(security):
            for intake in (*self._strangers, *self._intakes):
                if not self._may_publish(intake.link):
                    self._refuse(intake.link)
                    intake.turn_away(f"it may not publish here [{Reason.NOT_PERMITTED}]")

    def _make_room(self) -> None:
        while len(self._strangers) >= MAX_STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.turn_away(f"{MAX_STRANGERS} newer connections, and it has said nothing of a publisher")

    def _admit(self, intake: Intake) -> None:
        """Give a place to a stranger that has proved to be a publisher; without one it goes at once (9.7)."""
        if intake in self._intakes:
            return
        if len(self._intakes) >= self._max_publishers:
            intake.turn_away(f"{len(self._intakes)} connected already")
            return
        if (guest := self._strangers.pop(intake, None)) is not None:
            guest.proved()
        self._intakes.add(intake)
        self._tally.connections += 1
        self._connected.set()
        self._audit(Audited.CONNECTED, intake.link)
        _log.info("%s: connected", intake.peer)

    def _ended(self, link: Link, error: STTPError | None) -> None:
        self._accepted_once = self._accepted_once or link.useful
        refused = isinstance(error, RefusedError) and error.what != "connection"
        if error is not None and refused and not self._accepted_once and self.listening is None:
            # the mistake is in what we ask for, and asking again would not mend it
            self._fail(error)
        elif not self._closing:
            reason = str(error) if error else "the publisher ended the connection"
            code = error.code if isinstance(error, TrustError) else None
            self._audit(Audited.ENDED, link, code=code, reason=reason)
            _log.warning("%s: disconnected: %s", link.stream.peer, reason)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closing:
            raise ClosedError("this subscriber has been closed")

    def _fail(self, error: STTPError) -> None:
        self._error = error
        self._queue.close(error)
        self._events.close()
        self._connected.set()
        if self._links is not None:
            self._tasks.create_task(self._links.close())

    def _take_metadata(self, metadata: Metadata) -> None:
        self._metadata = metadata


def _flags(flags: ModeFlags, encoding: Encoding) -> ModeFlags:
    # whoever subscribes to everything wants to know what all of it is called (8.3)
    flags |= ModeFlags.RECEIVE_INTERNAL_METADATA | ModeFlags.RECEIVE_EXTERNAL_METADATA
    tssc = ModeFlags.TSSC | ModeFlags.COMPRESS_PAYLOAD_DATA
    return flags | tssc if encoding is Encoding.TSSC else flags & ~tssc
