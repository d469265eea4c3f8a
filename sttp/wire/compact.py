"""Compact measurements: 9 bytes each, and a time of 0, 2, 4 or 8 (wire.md 6.2, 6.3).

The loops of `_compact` read and write them. Where these are not compiled, measurements that are all of one width are
taken as NumPy records instead: that is as fast as it can be without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import construct
import numpy as np
from numpy.typing import NDArray

from sttp.codes import CompactFlags
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
_LONGEST: Final = 17


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

_OFFSET: Final = int(CompactFlags.BASE_TIME_OFFSET)
_TIME_INDEX: Final = int(CompactFlags.TIME_INDEX)


def _compact_table(states: NDArray[np.uint32]) -> NDArray[np.uint8]:
    table = np.zeros(len(states), np.uint8)
    for flag, group in _compact.GROUPS.items():
        table[states & group != 0] |= np.uint8(flag)
    return table


def _state_table() -> NDArray[np.uint32]:
    table = np.zeros(256, np.uint32)
    for flag, group in _compact.GROUPS.items():
        table[np.arange(256) & flag != 0] |= np.uint32(group)
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
    bases = (0, 0)
    if base_times is not None:
        bases = (max(base_times.times[0], 0), max(base_times.times[1], 0))
    records = None if _compact.COMPILED else _as_records(body, count, time_format)
    if records is not None:
        return _from_records(records, time_format, bases)
    return _from_bytes(body, count, time_format, bases)


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
    if not len(columns.signal_index):
        return []
    columns = Columns(*map(np.ascontiguousarray, columns))
    base = time_index = 0
    if base_times is not None:
        time_index = _TIME_INDEX * base_times.active
        base = max(base_times.times[base_times.active], 0) if time_format.include_time else 0
    packets = None if _compact.COMPILED else _through_records(columns, time_format, base, time_index)
    return packets if packets is not None else _to_bytes(columns, time_format, base, time_index)


def _negative(signal_index: np.int32) -> MessageError:
    return MessageError(f"signal index {signal_index} is negative", clause="6.2")


# by the loops


def _from_bytes(body: Buffer, count: int, time_format: TimeFormat, bases: tuple[int, int]) -> Columns:
    columns = Columns(
        np.empty(count, np.int32), np.empty(count, np.int64), np.empty(count, np.uint32), np.empty(count, np.float32)
    )  # fmt: skip
    offset, full = _widths(time_format)
    end = _compact.read(body, offset, full, time_format.offset_unit, bases, *columns) if count else 0
    if end < 0:
        raise _negative(columns.signal_index[~end])
    if end != len(body):
        raise MessageError(f"{count} compact measurements do not end with their {len(body)} bytes", clause="6.2")
    return columns


def _to_bytes(columns: Columns, time_format: TimeFormat, base: int, time_index: int) -> list[tuple[int, bytes]]:
    packets = []
    done, stop = 0, len(columns.signal_index)
    full_bytes, milliseconds, reach = _widths(time_format)[1], time_format.milliseconds, time_format.reach
    out = np.empty(min(_ROOM, _LONGEST * stop), np.uint8)
    while done < stop:
        first = done
        done, body = _compact.write(*columns, first, full_bytes, milliseconds, reach, base, time_index, out)
        if done < 0:
            raise UsageError(f"signal index {columns.signal_index[~done]} is negative")
        packets.append((done - first, body))
    return packets


# as records


def _as_records(body: Buffer, count: int, time_format: TimeFormat) -> NDArray[np.void] | None:
    """The measurements as NumPy records, if they are alike."""
    # where the length fits a record, and the flags at its distances agree, all records are alike: by induction
    for width in _widths(time_format):
        record = _RECORD[width]
        if 0 < len(body) == count * record.itemsize:
            records = np.frombuffer(body, record)
            if _record_of(records["flags"], time_format) is record:
                return records
    return None


def _record_of(flags: NDArray[np.uint8], time_format: TimeFormat) -> np.dtype[np.void] | None:
    """The record that all measurements with these flags are, if they are alike."""
    offset, full = _widths(time_format)
    has_offset = flags & _OFFSET
    if not has_offset.any():
        return _RECORD[full]
    return _RECORD[offset] if offset == full or has_offset.all() else None


def _from_records(records: NDArray[np.void], time_format: TimeFormat, bases: tuple[int, int]) -> Columns:
    index = records["signal_index"].astype(np.int32)
    if index.min() < 0:
        raise _negative(index[index < 0][0])
    flags = records["flags"]
    if records.dtype is _RECORD[0]:
        ticks = np.zeros(len(records), np.int64)
    elif records.dtype is _RECORD[8]:
        ticks = records["time"].astype(np.uint64).view(np.int64)
    else:
        base = np.array(bases, np.int64)[flags >> 7]
        ticks = np.where(base > 0, base + records["time"] * np.int64(time_format.offset_unit), 0)
    return Columns(index, ticks, to_state_flags(flags), records["value"].astype(np.uint32).view(np.float32))


def _through_records(
    columns: Columns, time_format: TimeFormat, base: int, time_index: int
) -> list[tuple[int, bytes]] | None:
    """The packets, if all measurements are alike and good; the loop finds the words for what is wrong."""
    if columns.signal_index.min() < 0:
        return None
    flags = to_compact_flags(columns.flags) | np.uint8(time_index)
    times = columns.ticks
    if base > 0:
        distance = times - base
        near = (times > base) & (distance < time_format.reach)
        flags[near] |= _OFFSET
        times = np.where(near, distance // time_format.offset_unit, times)
    record = _record_of(flags, time_format)
    if record is None:
        return None
    records = np.empty(len(flags), record)
    records["flags"] = flags
    records["signal_index"] = columns.signal_index
    records["value"] = columns.value.view(np.uint32)
    if record is not _RECORD[0]:
        records["time"] = times.view(np.uint64)
    most = _ROOM // record.itemsize
    parts = [records[first : first + most] for first in range(0, len(records), most)]
    return [(len(part), part.tobytes()) for part in parts]
