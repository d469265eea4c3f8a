"""A `Publisher` and a `Subscriber` of one process, joined over the loopback in either direction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from sttp import MeasurementBatch, Metadata, Publisher, Subscriber
from sttp.measurement import SignalTable
from sttp.metadata import MeasurementRecord, simulated_metadata
from sttp.transport import RedialPolicy

__all__ = ["DIRECTIONS", "SOON", "frame", "joined", "some_of", "values_fit"]

DIRECTIONS = ("forward", "reverse")
SOON = RedialPolicy(base=0.01, cap=0.05)
"""Dials again at once; tests have no time to wait."""


@asynccontextmanager
async def joined(
    direction: str,
    metadata: Metadata,
    *,
    publisher: Mapping[str, Any] | None = None,
    subscriber: Mapping[str, Any] | None = None,
    scheme: str = "tcp",
) -> AsyncIterator[tuple[Publisher, Subscriber]]:
    """Both ends. Whoever listens does so at a port that the system chooses."""
    to_publisher = {"metadata": metadata, "redial": SOON, **(publisher or {})}
    to_subscriber = {"redial": SOON, **(subscriber or {})}
    if direction == "forward":
        async with (
            Publisher(f"{scheme}://127.0.0.1:0", **to_publisher) as sending,
            Subscriber(sending.listening[0], **to_subscriber) as receiving,
        ):
            yield sending, receiving
    else:
        async with Subscriber(f"reverse+{scheme}://127.0.0.1:0", **to_subscriber) as receiving:
            assert receiving.listening is not None
            async with Publisher(receiving.listening, **to_publisher) as sending:
                yield sending, receiving


def some_of(count: int, *numbers: int) -> Metadata:
    """Of `count` simulated signals those with these numbers, in this order, and a key that tells the number."""
    records = simulated_metadata(count).measurements
    return Metadata.of(
        measurements=[
            MeasurementRecord(
                signal_id=records[number].signal_id,
                key=f"SIM:{number}",
                tag=f"TAG{number}",
                device_acronym=records[number].device_acronym,
                signal_reference=records[number].signal_reference,
                signal_type="FREQ" if number % 2 else "ALOG",
            )
            for number in numbers
        ]
    )


def frame(signals: SignalTable, number: int) -> MeasurementBatch:
    """One measurement of every signal, whose value is the number in its key, and whose time is that of the frame."""
    index = np.arange(len(signals))
    values = [float(key.rpartition(":")[2]) for key in signals.keys]
    return MeasurementBatch.of(signals, index, 638_000_000_000_000_000 + number * 200_000, values)


def values_fit(batch: MeasurementBatch) -> bool:
    """Whether no measurement is shown under another signal's name."""
    numbers = np.array([float(key.rpartition(":")[2]) for key in batch.signals.keys], np.float32)
    return bool((numbers[batch.signal_index] == batch.value).all())
