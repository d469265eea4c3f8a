"""A small grid of the suite's own: signals, their metadata, and measurements that can be told apart.

A publisher under test is given the metadata as a file; a subscriber under test finds them at the scripted publisher.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid5

import numpy as np

from sttp import ticks
from sttp.measurement import Columns, Signal, SignalTable
from sttp_conformance.dataset import document

__all__ = [
    "DEVICE",
    "MEASUREMENTS",
    "METADATA",
    "METADATA_FILE",
    "SIGNALS",
    "Clock",
    "columns",
    "numbered",
    "read_value",
    "rows",
    "wire_value",
]

METADATA_FILE: Final = "metadata.xml"

_NAMESPACE: Final = UUID("d1a5c0de-0b5e-4f3e-9a57-5c0ffee0c0de")
_TYPES: Final = ("FREQ", "DFDT", "VPHM", "VPHA", "IPHM", "IPHA", "ALOG", "FLAG")
_BEGINNING: Final = ticks.from_iso("2026-01-02T03:04:05")

SIGNALS: Final = SignalTable.of(
    [
        Signal(signal_id=uuid5(_NAMESPACE, kind), key=f"SUITE:{number}", tag=f"SUITE!BUS1:{kind}")
        for number, kind in enumerate(_TYPES, 1)
    ]
)
"""Eight signals of one device."""


def numbered(count: int) -> SignalTable:
    """So many signals that nobody has metadata of, with IDs that no compression makes smaller."""
    chance = random.Random(count)
    return SignalTable.of(
        [
            Signal(signal_id=UUID(bytes=chance.randbytes(16)), key=f"MANY:{number}", tag="")
            for number in range(1, count + 1)
        ]
    )


DEVICE: Final = {
    "NodeID": uuid5(_NAMESPACE, "node"), "UniqueID": uuid5(_NAMESPACE, "device"), "IsConcentrator": "false",
    "Acronym": "SUITE!BUS1", "Name": "Bus 1", "AccessID": 1, "ProtocolName": "IeeeC37_118V1", "FramesPerSecond": 30,
    "CompanyAcronym": "SUITE", "Enabled": "true", "UpdatedOn": "2026-01-01T00:00:00",
}  # fmt: skip
"""The row of the device."""

MEASUREMENTS: Final = [
    {
        "DeviceAcronym": "SUITE!BUS1", "ID": signal.key, "SignalID": signal.signal_id, "PointTag": signal.tag,
        "SignalReference": f"SUITE!BUS1-{number}", "SignalAcronym": kind, "Description": f"signal {number}",
        "Internal": "true", "Enabled": "true", "UpdatedOn": "2026-01-01T00:00:00",
    }
    for number, (signal, kind) in enumerate(zip(SIGNALS, _TYPES, strict=True), 1)
]  # fmt: skip
"""The rows of the signals."""

METADATA: Final = document(
    {"DeviceDetail": [DEVICE], "MeasurementDetail": MEASUREMENTS, "SchemaVersion": [{"VersionNumber": 14}]}
)
"""The metadata of these signals, as a publisher sends them and as a publisher under test is given them."""


class Clock:
    """Times for measurements: no two of one run are equal, and a conversation that is held again has the same ones."""

    def __init__(self) -> None:
        self._next = itertools.count(_BEGINNING, ticks.TICKS_PER_SECOND // 30)

    def tick(self) -> int:
        """The next time, in ticks."""
        return next(self._next)


def columns(clock: Clock, index: Sequence[int], *, flags: int = 0) -> Columns:
    """A frame: one measurement of each of some signals, at the next time, with values that follow from both."""
    time, count = clock.tick(), len(index)
    number = (time - _BEGINNING) // (ticks.TICKS_PER_SECOND // 30)
    return Columns(
        np.array(index, np.int32),
        np.full(count, time, np.int64),
        np.full(count, flags, np.uint32),
        np.array([100 * (each + 1) + number / 8 for each in index], np.float32),
    )


def rows(columns: Columns, signals: SignalTable) -> list[list[Any]]:
    """Measurements as they stand in requests and reports of the control channel."""
    return [
        [str(signals[index].signal_id), time, wire_value(value), flags]
        for index, time, flags, value in zip(*(each.tolist() for each in columns), strict=True)
    ]


def wire_value(value: float) -> float | str:
    """A value as JSON can say it: a number, or the word for what is none."""
    if value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")


def read_value(value: Any) -> Any:
    """A value as somebody's JSON says it, in the one form that can be compared: the binary32 that is meant.

    `1` and `1.0` are the same number, and so are the shortest decimals of a binary32 and its exact ones.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        meant: float = struct.unpack(">f", struct.pack(">f", value))[0]
    except (OverflowError, struct.error):
        return value
    return meant
