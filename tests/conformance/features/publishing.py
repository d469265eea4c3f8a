"""A publisher with cipher keys, buffer blocks that are sent again, replays, throttling, and data over UDP."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import numpy as np
from streams import Link, udp_socket

from sttp import Metadata, ticks
from sttp.codes import ModeFlags, Response
from sttp.errors import FilterError
from sttp.measurement import Columns
from sttp.session import PublisherSession, events
from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions

_IN_A_DATAGRAM = 60
"""Measurements that fit into 1400 bytes, whatever they are."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RELATIVE = re.compile(r"\*\s*([+-])\s*(\d+(?:\.\d+)?)\s*([smhd])", re.IGNORECASE)


class Publisher:
    """All that its connections share."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.links: list[Served] = []
        self.requests = {
            "publish": self.publish,
            "redefine-metadata": self.redefine_metadata,
            "buffer-block": self.send_buffer_block,
        }

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a subscriber."""
        served = Served(self, reader, writer)
        self.links.append(served)
        try:
            await served.link.run()
        finally:
            self.links.remove(served)
            served.close()

    async def publish(self, measurements: list) -> None:
        """Hand measurements to everybody who has subscribed to them."""
        for each in self.links:
            each.publish(measurements)

    async def redefine_metadata(self, document: str) -> None:
        """Have other signals from now on."""
        self.metadata = Metadata.read(document.encode())
        for each in self.links:
            each.session.send_configuration_changed()
            each.link.flush()

    async def send_buffer_block(self, signal: str, payload: str) -> None:
        """Send a buffer block to everybody who has subscribed to its signal."""
        for each in self.links:
            each.send_buffer_block(UUID(signal), bytes.fromhex(payload))


class Served:
    """One subscriber."""

    def __init__(self, publisher: Publisher, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._publisher = publisher
        self._loop = asyncio.get_running_loop()
        self._peer = writer.get_extra_info("peername")[0]
        self.session = PublisherSession(now=self._loop.time())
        self.link = Link(self.session, reader, writer, self._take, self._sent)
        self._flags = ModeFlags(0)
        self._options = SubscriptionOptions()
        self._rotated = -1.0
        self._socket = udp_socket()
        self._replaying: asyncio.Task[None] | None = None
        self._unconfirmed: dict[int, bytes] = {}
        self._repeating: asyncio.TimerHandle | None = None
        self._latest: dict[str, list] = {}  # what a throttled stream sends next, by signal
        self._publishing: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Forget everything."""
        self._socket.close()
        self._stop()

    def _stop(self) -> None:
        self._unconfirmed.clear()
        self._latest.clear()
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None
        if self._replaying is not None:
            self._replaying.cancel()
        if self._repeating is not None:
            self._repeating.cancel()

    @property
    def _port(self) -> int | None:
        return self._options.data_channel_port

    def _sent(self, frame: bytes) -> bool:
        """Data goes over UDP, if that was asked for, without the length of a frame (10.5)."""
        if self._port is None or frame[4] not in (Response.DATA_PACKET, Response.BUFFER_BLOCK):
            return False
        self._socket.sendto(frame[4:], (self._peer, self._port))
        return True

    # --- events

    def _take(self, event: object) -> None:
        session = self.session
        match event:
            case events.ModesDefined():
                self._flags = event.modes.flags
            case events.MetadataRequested():
                session.refuse_metadata("It is in a file.")
            case events.SubscribeRequested():
                self._subscribe(event.options)
            case events.StreamingStarted() if self._options.start_time is not None:
                self._replaying = self._loop.create_task(self._replay())
            case events.Unsubscribed():
                self._stop()
                self._options = SubscriptionOptions()
            case events.CipherKeysRequested() if self._loop.time() - self._rotated < 1.0:
                session.refuse_cipher_keys("They were rotated within the last second.")
            case events.CipherKeysRequested():
                self._rotated = self._loop.time()
                session.rotate_cipher_keys()
            case events.BufferBlockConfirmed():
                self._unconfirmed.pop(event.sequence, None)

    def _subscribe(self, options: SubscriptionOptions) -> None:
        try:
            signals = self._publisher.metadata.select(options.filter_expression)
            for text in (options.start_time, options.stop_time):
                _moment(text or "*")
        except (FilterError, ValueError) as error:
            self.session.refuse_subscription(str(error))
            return
        self._stop()
        self._options = options
        # there is no order in which TSSC could be read
        flags = self._flags & ~ModeFlags.COMPRESS_PAYLOAD_DATA if self._port is not None else self._flags
        self.session.modes = replace(self.session.modes, flags=flags)
        self.session.accept_subscription(SignalIndexCache(subscriber_id=uuid4(), signals=signals))

    # --- data

    def publish(self, measurements: list) -> None:
        """Send measurements, if they are subscribed to; of a throttled stream the latest, when they are due."""
        if self._options.throttled and measurements:
            self._latest |= {each[0]: each for each in measurements}
            if self._publishing is None:
                self._publishing = self._loop.call_later(self._options.publish_interval, self._publish_latest)
            return
        self._publish(measurements)

    def _publish_latest(self) -> None:
        due, self._latest, self._publishing = list(self._latest.values()), {}, None
        self._publish(due)

    def _publish(self, measurements: list) -> None:
        signals = self.session.signals
        if signals is None or self._options.start_time is not None:
            return
        known = [each for each in measurements if UUID(each[0]) in signals.index_of]
        self._send(
            Columns(
                np.array([signals.index_of[UUID(each[0])] for each in known], np.int32),
                np.array([each[1] for each in known], np.int64),
                np.array([each[3] for each in known], np.uint32),
                np.array([float(each[2]) for each in known], np.float32),
            )
        )

    def _send(self, columns: Columns) -> None:
        size = len(columns.ticks) if self._port is None else _IN_A_DATAGRAM
        for start in range(0, len(columns.ticks), size):
            self.session.send_measurements(Columns(*(each[start : start + size] for each in columns)))
        self.link.flush()

    async def _replay(self) -> None:
        """Send a measurement of each second of a span, and tell the end."""
        start, stop = _moment(self._options.start_time or "*"), _moment(self._options.stop_time or "*")
        times = np.arange(start, stop, ticks.TICKS_PER_SECOND, np.int64)[:1000]
        count = len(times)
        self._send(
            Columns(np.zeros(count, np.int32), times, np.zeros(count, np.uint32), np.arange(count, dtype=np.float32))
        )
        self.session.complete_processing("archive")
        self.link.flush()

    # --- buffer blocks

    def send_buffer_block(self, signal_id: UUID, payload: bytes) -> None:
        """Send a buffer block, again and again until it is confirmed."""
        signals = self.session.signals
        if signals is None or signal_id not in signals.index_of:
            return
        self.link.flush()
        sequence = self.session.send_buffer_block(signals.index_of[signal_id], payload)
        (frame,) = self.session.data_to_send()
        self._unconfirmed[sequence] = frame
        self._transmit(frame)
        self._repeat_later()

    def _transmit(self, frame: bytes) -> None:
        if not self._sent(frame):
            self.link.write(frame)

    def _repeat_later(self) -> None:
        if self._repeating is not None:
            self._repeating.cancel()
        seconds = float(self._options.extra.get("bufferblockretransmissiontimeout", 5.0))
        self._repeating = self._loop.call_later(seconds, self._repeat)

    def _repeat(self) -> None:
        for frame in self._unconfirmed.values():
            self._transmit(frame)
        if self._unconfirmed:
            self._repeat_later()


def _moment(text: str) -> int:
    """A time of a replay, in ticks (4.3).

    Raises:
        ValueError: none of the forms that there are.
    """
    now = ticks.now()
    if text.strip() == "*":
        return now
    if found := _RELATIVE.match(text.strip()):
        distance = timedelta(seconds=float(found[2]) * _UNITS[found[3].lower()])
        return now + int(f"{found[1]}1") * int(distance.total_seconds() * ticks.TICKS_PER_SECOND)
    return ticks.from_iso(text.strip().replace(" ", "T", 1))
