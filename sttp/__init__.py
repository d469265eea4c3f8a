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
    STTPError,
    TransportError,
    UsageError,
)
from sttp.measurement import Columns, Measurement, MeasurementBatch, Signal, SignalTable
from sttp.metadata import DeviceRecord, MeasurementRecord, Metadata, PhasorRecord
from sttp.publisher import Publisher
from sttp.queues import Overflow
from sttp.statistics import PublisherStatistics, SubscriberStatistics
from sttp.subscriber import EVERYTHING, Encoding, Subscriber

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
    "PhasorRecord",
    "PluginError",
    "ProtocolError",
    "Publisher",
    "PublisherStatistics",
    "RefusedError",
    "STTPError",
    "Signal",
    "SignalTable",
    "StateFlags",
    "Subscriber",
    "SubscriberStatistics",
    "TransportError",
    "UsageError",
]
