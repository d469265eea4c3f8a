"""The publisher: any number of endpoints, any number of subscribers, whoever dials."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from sttp.catalogue import Catalogue
from sttp.codes import Role
from sttp.errors import EndpointError, STTPError, UsageError
from sttp.feed import Feed
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.metadata import Metadata
from sttp.queues import Overflow
from sttp.session.config import PublisherConfig
from sttp.statistics import PublisherStatistics, Tally
from sttp.transport.endpoint import open_links, parse_endpoint
from sttp.transport.links import Link, Links, RedialPolicy

__all__ = ["Publisher"]

_log = logging.getLogger("sttp.publisher")

_REDIAL: Final = RedialPolicy()
_CONFIG: Final = PublisherConfig()

QUEUE_LIMIT: Final = 1_000_000
"""Measurements that may wait for one subscriber: 20 MB of columns, 33 s of 1000 signals at 30 frames per second."""

MAX_CONNECTIONS: Final = 1_000
"""Subscribers that may be connected at once; cppapi and pyapi have no limit."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that subscribers have, when the publisher leaves, to take what was under way."""


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
        max_connections: most subscribers at once; further ones are refused.
        redial: how a dialing endpoint tries again.
        config: limits and timeouts of the sessions.

    Raises:
        EndpointError: a URL cannot be understood.
        UsageError: no URL.
    """

    def __init__(
        self,
        *urls: str,
        metadata: Metadata,
        overflow: Overflow = Overflow.DROP_OLDEST,
        queue_limit: int = QUEUE_LIMIT,
        max_connections: int = MAX_CONNECTIONS,
        redial: RedialPolicy = _REDIAL,
        config: PublisherConfig = _CONFIG,
    ) -> None:
        if not urls:
            raise UsageError("a publisher needs at least one endpoint")
        self._endpoints = [parse_endpoint(url) for url in urls]
        self._catalogue = Catalogue(metadata)
        self._overflow = overflow
        self._queue_limit = queue_limit
        self._max_connections = max_connections
        self._redial = redial
        self._config = config
        self._tasks = asyncio.TaskGroup()
        self._links: list[Links] = []
        self._feeds: set[Feed] = set()
        self._subscribed = asyncio.Event()
        self._error: STTPError | None = None
        self._tally = Tally()
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
                links = await open_links(endpoint, Role.PUBLISHER, policy=self._redial)
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
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        await self._close_links()
        for feed in self._feeds:
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
        """
        self._check()
        for feed in tuple(self._feeds):
            if feed.active:
                await feed.publish(batch)

    async def wait_for_subscription(self) -> None:
        """Wait until measurements flow to at least one subscriber.

        Raises:
            EndpointError: an endpoint has turned out to be one that nobody can dial.
        """
        await self._subscribed.wait()
        self._check()

    async def drain(self) -> None:
        """Wait until everything that was published has been taken by the streams of its subscribers."""
        for feed in tuple(self._feeds):
            await feed.drained()

    # --- connections

    async def _serve(self, links: Links) -> None:
        try:
            async for link in links:
                self._tasks.create_task(self._serve_link(link))
        except EndpointError as error:
            _log.error("%s", error)
            self._error = error
            self._subscribed.set()

    async def _serve_link(self, link: Link) -> None:
        async with link:
            if self._closing:
                return
            feed = Feed(
                link,
                catalogue=lambda: self._catalogue,
                config=self._config,
                queue_limit=self._queue_limit,
                overflow=self._overflow,
                tally=self._tally,
                changed=self._update,
            )
            if len(self._feeds) >= self._max_connections:
                feed.refuse("Connection refused: too many connections.")
            self._feeds.add(feed)
            self._tally.connections += 1
            try:
                error = await feed.run()
            except* Exception:  # noqa: BLE001 - a mistake of ours must not cost the other connections
                _log.exception("%s: internal error", feed.peer)
            else:
                _log.info("%s: disconnected%s", feed.peer, f": {error}" if error else "")
            finally:
                self._feeds.discard(feed)
                self._tally.dropped += feed.dropped
                self._update()

    def _update(self) -> None:
        if any(feed.active for feed in self._feeds) or self._error:
            self._subscribed.set()
        else:
            self._subscribed.clear()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _close_links(self) -> None:
        for links in self._links:
            await links.close()
