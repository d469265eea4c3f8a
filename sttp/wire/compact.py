"""Compact measurements: 9 bytes each, and a time of 0, 2, 4 or 8 (wire.md 6.2, 6.3).

Where all measurements of a packet are of one width, they are NumPy records; others go through the loops of `_compact`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import construct
import numpy as np
from numpy.typing import NDArray

from sttp.codes import CompactFlags, StateFlags
from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.measurement import Columns
from sttp.ticks import TICKS_PER_MILLISECOND
from sttp.wire import _compact
from sttp.wire.frame import Buffer

__all__ = [
    "COMPACT_MEASUREMENT",
    "MAX_PACKET",
    "BaseTimes",
    "TimeFormat",
    "read_compact",
    "to_compact_flags",
    "to_state_flags",
    "write_compact",
]

MAX_PACKET: Final = 32_767
"""Longest response that carries compact measurements, headers included, in bytes: the default of gsfapi (1.4)."""

_ROOM: Final = MAX_PACKET - 6 - 5  # without the headers of the response and of the data packet
_SHORTEST: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFormat:
    """What the Subscribe command settled about times in compact measurements (6.2).

    Attributes:
        include_time: measurements carry a time.
        milliseconds: offsets to a base time are milliseconds in 2 bytes, else ticks in 4.
    """

    include_time: bool = True
    milliseconds: bool = False

    @property
    def offset_bytes(self) -> int:
        """Length of a time that is written as offset to a base time."""
        return 2 if self.milliseconds else 4

    @property
    def reach(self) -> int:
        """Distance from its base time, in ticks, below which a time is written as an offset (6.2)."""
        return int(2 ** (8 * self.offset_bytes) - 1) * self.offset_unit

    @property
    def offset_unit(self) -> int:
        """Unit of an offset, in ticks."""
        return TICKS_PER_MILLISECOND if self.milliseconds else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTimes:
    """What the last UpdateBaseTimes said (7.1).

    Attributes:
        active: which of the two the publisher uses now, 0 or 1.
        times: the two base times, in ticks; one that is not positive is not known.
    """

    active: int
    times: tuple[int, int]


def _widths(time_format: TimeFormat) -> tuple[int, int]:
    """Bytes of a time with the flag 0x40, and of one without."""
    return (time_format.offset_bytes, 8) if time_format.include_time else (0, 0)


def _time_bytes(context: Any) -> int:
    offset, full = _widths(context._params.time_format)
    return offset if context.flags & CompactFlags.BASE_TIME_OFFSET else full


COMPACT_MEASUREMENT: Final = construct.Struct(
    # 6.3: the state, and how the time is written
    "flags" / construct.Int8ub,
    # 5.2: never negative
    "signal_index" / construct.Int32sb,
    # 6.2: a binary32, here as bits: a Python float would quiet signalling NaNs
    "value" / construct.Int32ub,
    # 6.2: none, an offset to base time 0 or 1, or ticks with their leap-second marks
    "time" / construct.Switch(_time_bytes, {2: construct.Int16ub, 4: construct.Int32ub, 8: construct.Int64ub}),
)
"""The normative declaration, for `parse(..., time_format=...)`. The functions below do the same in columns."""

_RECORD: Final = {
    width: np.dtype([("flags", "u1"), ("signal_index", ">u4"), ("value", ">u4"), *time])
    for width, time in {0: [], 2: [("time", ">u2")], 4: [("time", ">u4")], 8: [("time", ">u8")]}.items()
}
"""A measurement by the width of its time."""

# 6.3: a compact flag is set if any state of its mask is, and comes back as all of them
_STATES: Final = {
    CompactFlags.DATA_RANGE: 0x000000FC,
    CompactFlags.DATA_QUALITY: 0x0000EF03,
    CompactFlags.TIME_QUALITY: 0x00BF0000,
    CompactFlags.SYSTEM_ISSUE: 0xE0000000,
    CompactFlags.CALCULATED_VALUE: int(StateFlags.CALCULATED_VALUE),
    CompactFlags.DISCARDED_VALUE: int(StateFlags.DISCARDED_VALUE),
}
_OFFSET: Final = int(CompactFlags.BASE_TIME_OFFSET)
_TIME_INDEX: Final = int(CompactFlags.TIME_INDEX)


def _compact_table(states: NDArray[np.uint32]) -> NDArray[np.uint8]:
    table = np.zeros(len(states), np.uint8)
    for flag, mask in _STATES.items():
        table[states & mask != 0] |= np.uint8(flag)
    return table


def _state_table() -> NDArray[np.uint32]:
    table = np.zeros(256, np.uint32)
    for flag, mask in _STATES.items():
        table[np.arange(256) & flag != 0] |= np.uint32(mask)
    return table


_LOW_HALF: Final = _compact_table(np.arange(2**16, dtype=np.uint32))
_HIGH_HALF: Final = _compact_table(np.arange(2**16, dtype=np.uint32) << np.uint32(16))
_STATE: Final = _state_table()


def to_compact_flags(states: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The state bits of compact flags bytes (6.3). User flags are lost, and which state of a group it was.

    Args:
        states: `StateFlags`, shape `(n,)`.
    """
    if not states.any():
        return np.zeros(len(states), np.uint8)
    compact: NDArray[np.uint8] = _LOW_HALF[states & np.uint32(0xFFFF)] | _HIGH_HALF[states >> np.uint32(16)]
    return compact


def to_state_flags(compact: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The states that compact flags bytes stand for: all of each group (6.3). Both time flags are ignored.

    Args:
        compact: `CompactFlags`, shape `(n,)`.
    """
    return _STATE[compact]


def read_compact(
    body: Buffer,
    count: int,
    time_format: TimeFormat,
    base_times: BaseTimes | None,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Columns:
    """Read the measurements of a compact data packet (6.2).

    Args:
        body: the measurements, back to back.
        count: how many there must be.
        time_format: what was settled about times.
        base_times: those in force; none before the first UpdateBaseTimes. A time that refers to one that is not known
            is 0 ticks, as with gsfapi.
        limits: `packet_measurements` bounds `count`.

    Raises:
        LimitError: `count` is too large.
        MessageError: too few or too many bytes for `count` measurements, or a signal index is negative.
    """
    if count > limits.packet_measurements:
        raise LimitError(
            f"a data packet of {count} measurements, where at most {limits.packet_measurements} are accepted",
            limit="packet_measurements",
            clause="6.1",
        )
    if not 0 <= count * _SHORTEST <= len(body):
        raise MessageError(f"{count} compact measurements in {len(body)} bytes", clause="6.2")
    fields = _split(body, count, time_format)
    columns = Columns(
        fields.signal_index.view(np.int32),
        _to_ticks(fields, time_format, base_times),
        to_state_flags(fields.flags),
        fields.value.view(np.float32),
    )
    if count and columns.signal_index.min() < 0:
        raise MessageError(f"signal index {columns.signal_index.min()} is negative", clause="6.2")
    return columns


def write_compact(columns: Columns, time_format: TimeFormat, base_times: BaseTimes | None) -> list[tuple[int, bytes]]:
    """Write measurements for compact data packets (6.2).

    A time is written as offset to the active base time if that is known and the offset is positive and fits, so that
    leap-second marks always take the long form.

    Args:
        columns: the measurements.
        time_format: what was settled about times.
        base_times: those that were sent; none before the first UpdateBaseTimes.

    Returns:
        For each packet of at most `MAX_PACKET` bytes, headers included, the number of measurements and their bytes.

    Raises:
        UsageError: a signal index is negative.
    """
    count = len(columns.signal_index)
    if count == 0:
        return []
    if columns.signal_index.min() < 0:
        raise UsageError(f"signal index {columns.signal_index.min()} is negative")
    columns = Columns(*map(np.ascontiguousarray, columns))
    flags = to_compact_flags(columns.flags)
    if base_times is not None and base_times.active == 1:
        flags |= _TIME_INDEX
    times = columns.ticks
    base = base_times.times[base_times.active] if base_times is not None else 0
    if time_format.include_time and base > 0:
        distance = times - base
        near = (times > base) & (distance < time_format.reach)
        flags[near] |= _OFFSET
        times = np.where(near, distance // time_format.offset_unit, times)
    fields = _Fields(flags, columns.signal_index.view(np.uint32), columns.value.view(np.uint32), times.view(np.uint64))
    record = _record_of(flags, time_format)
    if record is not None:
        return _packets(_join_alike(fields, record), np.arange(1, count + 1) * record.itemsize)
    ends = np.cumsum(_SHORTEST + np.where(flags & _OFFSET, *_widths(time_format)))
    return _packets(_join_mixed(fields, time_format, ends), ends)


class _Fields(NamedTuple):
    """Measurements field by field, as the packet has them: all unsigned, times as ticks or as offsets (flag 0x40)."""

    flags: NDArray[np.uint8]
    signal_index: NDArray[np.uint32]
    value: NDArray[np.uint32]
    time: NDArray[np.uint64]


def _record_of(flags: NDArray[np.uint8], time_format: TimeFormat) -> np.dtype[np.void] | None:
    """The record that all measurements with these flags are, if they are alike."""
    offset, full = _widths(time_format)
    has_offset = flags & _OFFSET
    if not has_offset.any():
        return _RECORD[full]
    return _RECORD[offset] if offset == full or has_offset.all() else None


def _split(body: Buffer, count: int, time_format: TimeFormat) -> _Fields:
    # where the length fits a record, and the flags at its distances agree, all records are alike: by induction
    for width in _widths(time_format):
        record = _RECORD[width]
        if 0 < len(body) == count * record.itemsize:
            records = np.frombuffer(body, record)
            if _record_of(records["flags"], time_format) is record:
                return _split_alike(records, width)
    return _split_mixed(body, count, time_format)


def _split_alike(records: NDArray[np.void], width: int) -> _Fields:
    return _Fields(
        records["flags"].copy(),
        records["signal_index"].astype(np.uint32),
        records["value"].astype(np.uint32),
        records["time"].astype(np.uint64) if width else np.zeros(len(records), np.uint64),
    )


def _split_mixed(body: Buffer, count: int, time_format: TimeFormat) -> _Fields:
    fields = _Fields(
        np.empty(count, np.uint8), np.empty(count, np.uint32), np.empty(count, np.uint32), np.empty(count, np.uint64)
    )
    end = _compact.split(memoryview(body), *_widths(time_format), *(field.data for field in fields))
    if end != len(body):
        raise MessageError(f"{count} compact measurements do not end with their {len(body)} bytes", clause="6.2")
    return fields


def _join_alike(fields: _Fields, record: np.dtype[np.void]) -> memoryview:
    records = np.empty(len(fields.flags), record)
    for name in record.fields or ():
        records[name] = getattr(fields, name)
    return records.view(np.uint8).data


def _join_mixed(fields: _Fields, time_format: TimeFormat, ends: NDArray[np.intp]) -> memoryview:
    body = memoryview(bytearray(int(ends[-1])))
    flags, index, value, time = (field.data for field in fields)
    _compact.join(flags, index, value, time, *_widths(time_format), body)
    return body


def _packets(body: memoryview, ends: NDArray[np.intp]) -> list[tuple[int, bytes]]:
    """Cut `body`, whose measurements end at `ends`, into packets."""
    packets = []
    first = begin = 0
    while first < len(ends):
        last = int(np.searchsorted(ends, begin + _ROOM, "right"))
        end = int(ends[last - 1])
        packets.append((last - first, bytes(body[begin:end])))
        first, begin = last, end
    return packets


def _to_ticks(fields: _Fields, time_format: TimeFormat, base_times: BaseTimes | None) -> NDArray[np.int64]:
    """The times that a packet's times stand for."""
    times = fields.time.view(np.int64)
    has_offset = fields.flags & _OFFSET
    if not time_format.include_time or not has_offset.any():
        return times
    bases = np.array([max(base, 0) for base in base_times.times] if base_times is not None else [0, 0], np.int64)
    base = bases[fields.flags >> 7]
    restored = np.where(base > 0, base + times * time_format.offset_unit, 0)
    return np.where(has_offset, restored, times)
