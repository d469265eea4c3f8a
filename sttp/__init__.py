"""STTP (IEEE 2664-2024) for Python: measurements from publishers to subscribers, whoever dials."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Each part is imported when it is used first: a program that only reads metadata, or prints a help text, does not wait
# for sessions and transports (PEP 562). Type checkers see the imports above.
_PARTS = {
    "sttp.codes": ("StateFlags",),
    "sttp.errors": (
        "ClosedError",
        "EndpointError",
        "FilterError",
        "MetadataError",
        "OverrunError",
        "PluginError",
        "ProtocolError",
        "RefusedError",
        "SecurityError",
        "STTPError",
        "TransportError",
        "TrustError",
        "UsageError",
    ),
    "sttp.measurement": ("Columns", "Measurement", "MeasurementBatch", "Signal", "SignalTable"),
    "sttp.metadata": ("DeviceRecord", "MeasurementRecord", "Metadata", "PhasorRecord"),
    "sttp.peer_events": ("PeerEvent",),
    "sttp.publisher": ("Publisher",),
    "sttp.queues": ("Overflow",),
    "sttp.session.config": ("PublisherConfig", "SubscriberConfig"),
    "sttp.statistics": ("PublisherStatistics", "SubscriberStatistics"),
    "sttp.subscriber": ("EVERYTHING", "Encoding", "Subscriber"),
    "sttp.tolerances": ("Peer", "Tolerances", "tolerances_for"),
    "sttp.wire.subscription": ("SubscriptionOptions",),
}
_HOME = {name: module for module, names in _PARTS.items() for name in names}
_MODULES = {module.split(".")[1] for module in _PARTS}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
