"""STTP (IEEE 2664-2024) for Python: measurements from publishers to subscribers, whoever dials."""

from sttp.codes import StateFlags
from sttp.errors import (
    ClosedError,
    EndpointError,
    FilterError,
    MetadataError,
    OverrunError,
    PluginError,
    ProtocolError,
    RefusedError,
    SecurityError,
    STTPError,
    TransportError,
    TrustError,
    UsageError,
)
from sttp.measurement import Columns, Measurement, MeasurementBatch, Signal, SignalTable
from sttp.metadata import DeviceRecord, MeasurementRecord, Metadata, PhasorRecord
from sttp.peer_events import PeerEvent
from sttp.publisher import Publisher
from sttp.queues import Overflow
from sttp.session.config import PublisherConfig, SubscriberConfig
from sttp.statistics import PublisherStatistics, SubscriberStatistics
from sttp.subscriber import EVERYTHING, Encoding, Subscriber
from sttp.tolerances import Peer, Tolerances, tolerances_for
from sttp.wire.subscription import SubscriptionOptions

__all__ = [
    "EVERYTHING",
    "ClosedError",
    "Columns",
    "DeviceRecord",
    "Encoding",
    "EndpointError",
    "FilterError",
    "Measurement",
    "MeasurementBatch",
    "MeasurementRecord",
    "Metadata",
    "MetadataError",
    "Overflow",
    "OverrunError",
    "Peer",
    "PeerEvent",
    "PhasorRecord",
    "PluginError",
    "ProtocolError",
    "Publisher",
    "PublisherConfig",
    "PublisherStatistics",
    "RefusedError",
    "STTPError",
    "SecurityError",
    "Signal",
    "SignalTable",
    "StateFlags",
    "Subscriber",
    "SubscriberConfig",
    "SubscriberStatistics",
    "SubscriptionOptions",
    "Tolerances",
    "TransportError",
    "TrustError",
    "UsageError",
    "tolerances_for",
]
