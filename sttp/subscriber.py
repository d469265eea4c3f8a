"""The subscriber: one endpoint, one publisher or several, whoever dials."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

from sttp.codes import ModeFlags, Role
from sttp.errors import ClosedError, EndpointError, RefusedError, STTPError, UsageError
from sttp.intake import Intake
from sttp.measurement import MeasurementBatch
from sttp.metadata import Metadata
from sttp.queues import BatchQueue, Overflow
from sttp.session.config import SubscriberConfig
from sttp.statistics import SubscriberStatistics, Tally
from sttp.transport.endpoint import open_links, parse_endpoint
from sttp.transport.links import Link, Links, RedialPolicy
from sttp.wire.subscription import SubscriptionOptions

__all__ = ["EVERYTHING", "Encoding", "Subscriber"]

_log = logging.getLogger("sttp.subscriber")

EVERYTHING: Final = "FILTER ActiveMeasurements WHERE True"
"""The filter expression that selects all signals."""

_REDIAL: Final = RedialPolicy()
_CONFIG: Final = SubscriberConfig()

QUEUE_LIMIT: Final = 1_000_000
"""Measurements that may wait for the application: 20 MB of columns."""

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
        filter: filter expression that selects the signals; None to subscribe to nothing.
        encoding: how measurements are to be encoded. The publisher may choose another one; all are understood.
        overflow: what happens to measurements that the application does not take in time.
        queue_limit: most measurements that wait for the application.
        max_publishers: most publishers at once, where this end listens; further ones are turned away.
        redial: how a dialing endpoint tries again.
        config: modes, limits and timeouts of the sessions.

    Raises:
        EndpointError: the URL cannot be understood.
        UsageError: the filter expression cannot be sent.
    """

    def __init__(
        self,
        url: str,
        *,
        filter: str | None = EVERYTHING,  # noqa: A002 - the word that users have for it
        encoding: Encoding = Encoding.TSSC,
        overflow: Overflow = Overflow.WAIT,
        queue_limit: int = QUEUE_LIMIT,
        max_publishers: int = 1,
        redial: RedialPolicy = _REDIAL,
        config: SubscriberConfig = _CONFIG,
    ) -> None:
        self._endpoint = parse_endpoint(url)
        self._options = None if filter is None else SubscriptionOptions(filter_expression=filter)
        if self._options is not None:
            self._options.to_connection_string()  # complain now of what cannot be sent
        self._config = replace(config, modes=replace(config.modes, flags=_flags(config.modes.flags, encoding)))
        self._max_publishers = max_publishers
        self._redial = redial
        self._queue = BatchQueue(queue_limit, overflow)
        self._tasks = asyncio.TaskGroup()
        self._links: Links | None = None
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
        self._links = await open_links(self._endpoint, Role.SUBSCRIBER, policy=self._redial)
        await self._tasks.__aenter__()
        self._tasks.create_task(self._serve(self._links))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._links is not None:
            await self._links.close()
        self._queue.close()
        self._queue.clear()
        for intake in self._intakes:
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
        )

    async def measurements(self) -> AsyncGenerator[MeasurementBatch, None]:
        """Iterate over what is received, batch by batch, until the subscriber is closed.

        A lost connection does not end it: the next batches come from the next connection.

        Raises:
            RefusedError: this end dials, and the publisher refused the very first subscription.
            EndpointError: the endpoint has turned out to be one that nobody can dial.
            UsageError: there is no filter expression, so that nothing will ever come.
        """
        if self._options is None:
            raise UsageError("this subscriber was made without a filter, so that it subscribes to nothing")
        while (batch := await self._queue.get()) is not None:
            yield batch

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
        while not self._intakes:
            if self._error is not None:
                raise self._error
            if self._closing:
                raise ClosedError("this subscriber has been closed")
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
            intake = Intake(
                link,
                options=self._options,
                config=self._config,
                queue=self._queue,
                tally=self._tally,
                metadata_changed=self._take_metadata,
            )
            self._intakes.add(intake)
            self._tally.connections += 1
            self._connected.set()
            _log.info("%s: connected", link.stream.peer)
            try:
                error = await intake.run()
            except* Exception:  # noqa: BLE001 - a mistake of ours must not cost the other connections
                _log.exception("%s: internal error", link.stream.peer)
            else:
                self._ended(link, intake.refused or error)
            finally:
                self._intakes.discard(intake)

    def _ended(self, link: Link, error: STTPError | None) -> None:
        self._accepted_once = self._accepted_once or link.useful
        if isinstance(error, RefusedError) and not self._accepted_once and self.listening is None:
            # the mistake is in what we ask for, and asking again would not mend it
            self._fail(error)
        elif not self._closing:
            reason = str(error) if error else "the publisher ended the connection"
            _log.warning("%s: disconnected: %s", link.stream.peer, reason)

    def _fail(self, error: STTPError) -> None:
        self._error = error
        self._queue.close(error)
        self._connected.set()
        if self._links is not None:
            self._tasks.create_task(self._links.close())

    def _take_metadata(self, metadata: Metadata) -> None:
        self._metadata = metadata


def _flags(flags: ModeFlags, encoding: Encoding) -> ModeFlags:
    tssc = ModeFlags.TSSC | ModeFlags.COMPRESS_PAYLOAD_DATA
    return flags | tssc if encoding is Encoding.TSSC else flags & ~tssc
