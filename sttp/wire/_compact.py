# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The loops of compact measurements: one turn per measurement, whatever its width (wire.md 6.2, 6.3).

Written in Cython's pure Python mode, as `_tssc` is: it runs uncompiled with the same results. What the groups of states
are stands here, because both loops look them up; what is wrong with a packet is said by `sttp.wire.compact`.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from sttp.codes import CompactFlags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sttp.wire import _uncompiled as cython
else:
    try:
        import cython
    except ImportError:
        from sttp.wire import _uncompiled as cython

COMPILED = bool(cython.compiled)

_HEAD = cython.declare(cython.const[cython.Py_ssize_t], 9)  # bytes without the time
_BASE_TIME_OFFSET = cython.declare(cython.const[cython.uint], 0x40)
_TIME_INDEX = cython.declare(cython.const[cython.uint], 0x80)
_SIGN_32 = cython.declare(cython.const[cython.ulonglong], 0x8000_0000)
_MASK_32 = cython.declare(cython.const[cython.ulonglong], 0xFFFF_FFFF)
_MASK_64 = cython.declare(cython.const[cython.ulonglong], 0xFFFF_FFFF_FFFF_FFFF)
_SIGN_64 = cython.declare(cython.const[cython.ulonglong], 0x8000_0000_0000_0000)

GROUPS = {
    int(CompactFlags.DATA_RANGE): 0x000000FC,
    int(CompactFlags.DATA_QUALITY): 0x0000EF03,
    int(CompactFlags.TIME_QUALITY): 0x00BF0000,
    int(CompactFlags.SYSTEM_ISSUE): 0xE0000000,
    int(CompactFlags.CALCULATED_VALUE): 0x00001000,
    int(CompactFlags.DISCARDED_VALUE): 0x00400000,
}
"""By compact flag, its states: it is set if any of them is, and comes back as all of them (6.3)."""

# _STATES: by compact flags, the states they come back as.
# _MARKS: by a byte of the states, and 256 times which byte that is, compact flags
_STATES = cython.declare("unsigned int[256]", [0] * 256)
_MARKS = cython.declare("unsigned char[1024]", [0] * 1024)


def _fill_tables() -> None:
    for flag, group in GROUPS.items():
        for number in range(256):
            if number & flag:
                _STATES[number] |= group
            for byte in range(4):
                if number << 8 * byte & group:
                    _MARKS[256 * byte + number] |= flag


_fill_tables()


# The C compiler makes one instruction of each of the next four, where it sees constant distances from one pointer.


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _four(at: cython.p_uchar, place: cython.Py_ssize_t) -> cython.uint:
    """The number in four bytes, the highest first."""
    a: cython.uint = at[place]
    b: cython.uint = at[place + 1]
    c: cython.uint = at[place + 2]
    d: cython.uint = at[place + 3]
    return a << 24 | b << 16 | c << 8 | d


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _eight(at: cython.p_uchar, place: cython.Py_ssize_t) -> cython.ulonglong:
    """The number in eight bytes, the highest first."""
    a: cython.ulonglong = at[place]
    b: cython.ulonglong = at[place + 1]
    c: cython.ulonglong = at[place + 2]
    d: cython.ulonglong = at[place + 3]
    e: cython.ulonglong = at[place + 4]
    f: cython.ulonglong = at[place + 5]
    g: cython.ulonglong = at[place + 6]
    h: cython.ulonglong = at[place + 7]
    return a << 56 | b << 48 | c << 40 | d << 32 | e << 24 | f << 16 | g << 8 | h


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_four(number: cython.ulonglong, at: cython.p_uchar, place: cython.Py_ssize_t) -> cython.void:
    """Write a number of 32 bits, the highest byte first."""
    at[place] = number >> 24 & 0xFF
    at[place + 1] = number >> 16 & 0xFF
    at[place + 2] = number >> 8 & 0xFF
    at[place + 3] = number & 0xFF


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_eight(number: cython.ulonglong, at: cython.p_uchar, place: cython.Py_ssize_t) -> cython.void:
    """Write a number of 64 bits, the highest byte first."""
    at[place] = number >> 56 & 0xFF
    at[place + 1] = number >> 48 & 0xFF
    at[place + 2] = number >> 40 & 0xFF
    at[place + 3] = number >> 32 & 0xFF
    at[place + 4] = number >> 24 & 0xFF
    at[place + 5] = number >> 16 & 0xFF
    at[place + 6] = number >> 8 & 0xFF
    at[place + 7] = number & 0xFF


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _read(
    body: cython.p_uchar,
    length: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    offset_bytes: cython.Py_ssize_t,
    full_bytes: cython.Py_ssize_t,
    unit: cython.ulonglong,
    even: cython.ulonglong,
    odd: cython.ulonglong,
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
) -> cython.Py_ssize_t:
    position: cython.Py_ssize_t = 0
    end: cython.Py_ssize_t
    item: cython.Py_ssize_t
    here: cython.p_uchar
    mark: cython.uint
    number: cython.ulonglong
    time: cython.ulonglong
    base: cython.ulonglong
    for item in range(count):
        if position >= length:
            return position + _HEAD
        here = cython.address(body[position]) if cython.compiled else body[position:]
        mark = here[0]
        end = position + _HEAD + (offset_bytes if mark & _BASE_TIME_OFFSET else full_bytes)
        if end > length:
            return end
        number = _eight(here, 1)
        index[item] = (number >> 32 ^ _SIGN_32) - _SIGN_32  # with its sign
        if number & _SIGN_64:
            return ~item
        time = 0
        if end - position == 17:
            time = _eight(here, 9)
        elif end - position > 9:
            base = odd if mark & _TIME_INDEX else even
            if base > 0:
                time = _four(here, 9) if end - position == 13 else here[9] << 8 | here[10]
                time = (base + time * unit) & _MASK_64
        ticks[item] = time
        flags[item] = _STATES[mark]
        values[item] = number & _MASK_32
        position = end
    return position


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _write(
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
    item: cython.Py_ssize_t,
    stop: cython.Py_ssize_t,
    full_bytes: cython.Py_ssize_t,
    milliseconds: cython.bint,
    reach: cython.ulonglong,
    base: cython.ulonglong,
    time_index: cython.uint,
    out: cython.p_uchar,
    size: cython.Py_ssize_t,
    length: cython.p_ulonglong,
) -> cython.Py_ssize_t:
    position: cython.Py_ssize_t = 0
    end: cython.Py_ssize_t
    here: cython.p_uchar
    mark: cython.uint
    state: cython.uint
    word: cython.ulonglong
    value: cython.ulonglong
    time: cython.ulonglong
    distance: cython.ulonglong
    # no distance leads behind the largest time
    if base > _SIGN_64 - reach:
        reach = _SIGN_64 - base
    while item < stop:
        if index[item] < 0:
            return ~item
        mark = time_index
        state = flags[item]
        if state != 0:
            mark |= (
                _MARKS[state & 0xFF]
                | _MARKS[256 + (state >> 8 & 0xFF)]
                | _MARKS[512 + (state >> 16 & 0xFF)]
                | _MARKS[768 + (state >> 24)]
            )
        time = ticks[item]
        end = position + _HEAD + full_bytes
        if base > 0:
            distance = (time - base) & _MASK_64
            if 0 < distance < reach:
                mark |= _BASE_TIME_OFFSET
                if milliseconds:
                    time = distance // 10_000
                    end = position + _HEAD + 2
                else:
                    time = distance
                    end = position + _HEAD + 4
        if end > size:
            break
        here = cython.address(out[position]) if cython.compiled else out[position:]
        word = mark
        word = word << 32 | index[item]
        value = values[item]
        _put_eight(word << 24 | value >> 8, here, 0)
        here[8] = value & 0xFF
        if end - position == 17:
            _put_eight(time, here, 9)
        elif end - position == 13:
            _put_four(time, here, 9)
        elif end - position == 11:
            here[9] = time >> 8 & 0xFF
            here[10] = time & 0xFF
        position = end
        item += 1
    length[0] = position
    return item


def read(
    body: bytes | bytearray | memoryview,
    offset_bytes: int,
    full_bytes: int,
    unit: int,
    base_times: tuple[int, int],
    index: NDArray[np.int32],
    ticks: NDArray[np.int64],
    flags: NDArray[np.uint32],
    values: NDArray[np.float32],
) -> int:
    """Read measurements.

    Args:
        body: the measurements, back to back.
        offset_bytes: length of a time with the flag 0x40: 0, 2 or 4.
        full_bytes: length of a time without: 0 or 8.
        unit: unit of an offset to a base time, in ticks.
        base_times: the two base times, in ticks, or 0 for one that is not known; offsets to that are 0 ticks.
        index: signal indexes to fill in; all columns have as many items as there are measurements, and one at least.
        ticks: times to fill in.
        flags: states to fill in.
        values: values to fill in; here, as everywhere, only their bits count.

    Returns:
        Where the last measurement ends; behind the end of `body` if it is cut off. Or `~n`, which is negative, when
        the signal index of measurement `n` is.
    """
    if cython.compiled:
        body_view = cython.declare("const unsigned char[::1]", body)
        index_view = cython.declare("int[::1]", index)
        ticks_view = cython.declare("long long[::1]", ticks)
        flags_view = cython.declare("unsigned int[::1]", flags)
        values_view = cython.declare("float[::1]", values)
        length = cython.declare(cython.Py_ssize_t, len(body))
        count = cython.declare(cython.Py_ssize_t, len(index))
        offset_size = cython.declare(cython.Py_ssize_t, offset_bytes)
        full_size = cython.declare(cython.Py_ssize_t, full_bytes)
        ticks_per_unit = cython.declare(cython.ulonglong, unit)
        even = cython.declare(cython.ulonglong, base_times[0])
        odd = cython.declare(cython.ulonglong, base_times[1])
        end = cython.declare(cython.Py_ssize_t, 0)
        with cython.nogil:
            end = _read(
                cython.cast(cython.p_uchar, cython.address(body_view[0])),
                length,
                count,
                offset_size,
                full_size,
                ticks_per_unit,
                even,
                odd,
                cython.address(index_view[0]),
                cython.cast(cython.p_ulonglong, cython.address(ticks_view[0])),
                cython.address(flags_view[0]),
                cython.cast(cython.p_uint, cython.address(values_view[0])),
            )
        return end
    return _read(
        memoryview(body), len(body), len(index), offset_bytes, full_bytes, unit, *base_times,
        index.data, ticks.view("u8").data, flags.data, values.view("u4").data,
    )  # fmt: skip


def write(
    index: NDArray[np.int32],
    ticks: NDArray[np.int64],
    flags: NDArray[np.uint32],
    values: NDArray[np.float32],
    start: int,
    full_bytes: int,
    milliseconds: bool,
    reach: int,
    base: int,
    time_index: int,
    out: NDArray[np.uint8],
) -> tuple[int, bytes]:
    """Write measurements, from `start` on, until all are written or the next has no room.

    Args:
        index: signal indexes.
        ticks: times.
        flags: states.
        values: values.
        start: the first measurement to write.
        full_bytes: length of a time that is no offset: 0 or 8.
        milliseconds: offsets are milliseconds in 2 bytes, else ticks in 4.
        reach: distance from the base time, in ticks, from which on a time is no offset.
        base: base time that offsets refer to, in ticks; 0 for no offsets.
        time_index: the flag 0x80, or 0.
        out: memory to write to, with room for the longest measurement at least.

    Returns:
        The first measurement that was not written, and what was. Or `~n`, which is negative, when the signal index of
        measurement `n` is.

    Raises:
        ValueError: columns of different length, of another type, or with gaps.
    """
    if not len(index) == len(ticks) == len(flags) == len(values):
        raise ValueError("columns of different length")
    if cython.compiled:
        index_view = cython.declare("const int[::1]", index)
        ticks_view = cython.declare("const long long[::1]", ticks)
        flags_view = cython.declare("const unsigned int[::1]", flags)
        values_view = cython.declare("const float[::1]", values)
        out_view = cython.declare("unsigned char[::1]", out)
        first = cython.declare(cython.Py_ssize_t, start)
        stop = cython.declare(cython.Py_ssize_t, len(index))
        size = cython.declare(cython.Py_ssize_t, len(out))
        full_size = cython.declare(cython.Py_ssize_t, full_bytes)
        in_milliseconds = cython.declare(cython.bint, milliseconds)
        distance = cython.declare(cython.ulonglong, reach)
        base_time = cython.declare(cython.ulonglong, base)
        flag = cython.declare(cython.uint, time_index)
        end = cython.declare(cython.ulonglong, 0)
        done = cython.declare(cython.Py_ssize_t, 0)
        with cython.nogil:
            done = _write(
                cython.cast(cython.p_int, cython.address(index_view[0])),
                cython.cast(cython.p_ulonglong, cython.address(ticks_view[0])),
                cython.cast(cython.p_uint, cython.address(flags_view[0])),
                cython.cast(cython.p_uint, cython.address(values_view[0])),
                first,
                stop,
                full_size,
                in_milliseconds,
                distance,
                base_time,
                flag,
                cython.address(out_view[0]),
                size,
                cython.address(end),
            )
        return done, bytes(cython.cast(cython.p_char, cython.address(out_view[0]))[:end])
    length = memoryview(array("Q", [0]))
    done = _write(
        index.data, ticks.view("u8").data, flags.data, values.view("u4").data, start, len(index), full_bytes,
        milliseconds, reach, base, time_index, out.data, len(out), length,
    )  # fmt: skip
    return done, bytes(out.data[: length[0]])
