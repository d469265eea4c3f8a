"""Measurements as they are compared between two implementations, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from interop_table import Outcome
from sttp.measurement import MeasurementBatch
from sttp.wire.compact import to_compact_flags, to_state_flags

__all__ = ["Rows", "verdict"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Measurements in columns, all of shape `(n,)`.

    Attributes:
        signal_id: texts.
        ticks: int64.
        flags: uint32, the 32 states.
        bits: uint32, the values as they are in memory, so that every NaN is one of its own.
    """

    signal_id: NDArray[np.str_]
    ticks: NDArray[np.int64]
    flags: NDArray[np.uint32]
    bits: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.ticks)

    @classmethod
    def of_batch(cls, batch: MeasurementBatch) -> Self:
        """What a batch holds."""
        signal_ids = np.array([str(signal.signal_id) for signal in batch.signals])
        values = np.ascontiguousarray(batch.value)
        return cls(signal_ids[batch.signal_index], batch.ticks, batch.flags, values.view(np.uint32))

    @classmethod
    def of_event(cls, event: dict[str, Any]) -> Self:
        """What a peer program tells of one packet."""
        return cls(
            np.array(event["signal_id"], np.str_),
            np.array(event["ticks"], np.int64),
            np.array(event["flags"], np.uint32),
            np.array(event["bits"], np.uint32),
        )

    def to_command(self) -> dict[str, Any]:
        """The columns, as a peer program takes them."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All rows of `parts`, in order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def of(self, signal_ids: Iterable[str]) -> Self:
        """The rows of some signals only."""
        wanted = np.isin(self.signal_id, list(signal_ids))
        return type(self)(*(getattr(self, field.name)[wanted] for field in fields(self)))


def verdict(sent: Rows, received: Rows) -> Outcome:
    """How received measurements compare with those that were sent.

    Raises:
        AssertionError: in no way that the table has a word for; says which measurement differs first, and how.
    """
    assert len(received) == len(sent), f"{len(received)} of {len(sent)} measurements"
    differing = {name for name in _COLUMNS if not np.array_equal(getattr(sent, name), getattr(received, name))}
    if not differing:
        return Outcome.EQUAL
    if differing == {"ticks"}:
        return Outcome.BUT_FOR_TIMES
    if differing == {"flags"} and np.array_equal(received.flags, to_state_flags(to_compact_flags(sent.flags))):
        return Outcome.BY_GROUP
    raise AssertionError("; ".join(_first_difference(sent, received, name) for name in _COLUMNS if name in differing))


_COLUMNS: Final = tuple(field.name for field in fields(Rows))


def _first_difference(sent: Rows, received: Rows, name: str) -> str:
    ours, theirs = getattr(sent, name), getattr(received, name)
    position = int(np.flatnonzero(ours != theirs)[0])
    return f"{name} of measurement {position} is {theirs[position]}, where {ours[position]} was sent"
