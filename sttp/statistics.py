"""What publishers and subscribers count."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PublisherStatistics", "SubscriberStatistics", "Tally"]


@dataclass(slots=True)
class Tally:
    """Running counts of one publisher or subscriber, over all its connections; see the statistics for their meaning."""

    connections: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    measurements: int = 0
    packets: int = 0
    packet_bytes: int = 0
    dropped: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherStatistics:
    """Counts since the publisher was started.

    Attributes:
        connections: streams that came up, whoever dialed.
        connected: those that are up now.
        subscriptions: those that measurements flow to now.
        measurements: encoded for a subscriber; a measurement that goes to two subscribers counts twice.
        dropped: measurements that a full queue lost, by its policy.
        bytes_sent: taken by the streams.
        bytes_received: from the streams.
        turned_away: connections that were cut before they proved to be subscribers: too many or too often from one
            source, or crowded out by newer ones.
    """

    connections: int
    connected: int
    subscriptions: int
    measurements: int
    dropped: int
    bytes_sent: int
    bytes_received: int
    turned_away: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberStatistics:
    """Counts since the subscriber was started.

    Attributes:
        connections: streams on which a publisher has answered, whoever dialed; one more than the reconnects.
        connected: those that are up now.
        measurements: received and readable.
        packets: data packets that they came in.
        packet_bytes: what these packets had on the wire.
        gaps: times that data packets, or records in them, could not be used.
        dropped: measurements that were lost, in those packets or in a full queue.
        bytes_received: from the streams, everything included.
        bytes_sent: taken by the streams.
        turned_away: connections that were cut because there were too many from one source, or too often.
    """

    connections: int
    connected: int
    measurements: int
    packets: int
    packet_bytes: int
    gaps: int
    dropped: int
    bytes_received: int
    bytes_sent: int
    turned_away: int = 0

    @property
    def bytes_per_measurement(self) -> float:
        """Bytes of data packets per measurement; 0 before the first one."""
        return self.packet_bytes / self.measurements if self.measurements else 0.0

    @property
    def reconnects(self) -> int:
        """Streams that came up after the first one."""
        return max(self.connections - 1, 0)
