# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compact measurements of mixed width, field by field (wire.md 6.2).

Written in Cython's pure Python mode, as `_tssc` is: it runs uncompiled with the same results. What the fields mean is
the business of `sttp.wire.compact`; here they are only taken apart and put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sttp.wire import _uncompiled as cython
else:
    try:
        import cython
    except ImportError:
        from sttp.wire import _uncompiled as cython

COMPILED = bool(cython.compiled)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _split(
    body: cython.p_uchar,
    length: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    offset_bytes: cython.Py_ssize_t,
    full_bytes: cython.Py_ssize_t,
    flags: cython.p_uchar,
    index: cython.p_uint,
    values: cython.p_uint,
    times: cython.p_ulonglong,
) -> cython.Py_ssize_t:
    position: cython.Py_ssize_t = 0
    end: cython.Py_ssize_t
    item: cython.Py_ssize_t
    byte: cython.Py_ssize_t
    number: cython.uint
    time: cython.ulonglong
    for item in range(count):
        if position + 9 > length:
            return position + 9
        flags[item] = body[position]
        end = position + 9 + (offset_bytes if body[position] & 0x40 else full_bytes)
        if end > length:
            return end
        number = body[position + 1]
        number = number << 24 | body[position + 2] << 16 | body[position + 3] << 8 | body[position + 4]
        index[item] = number
        number = body[position + 5]
        number = number << 24 | body[position + 6] << 16 | body[position + 7] << 8 | body[position + 8]
        values[item] = number
        time = 0
        for byte in range(position + 9, end):
            time = time << 8 | body[byte]
        times[item] = time
        position = end
    return position


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _join(
    flags: cython.p_uchar,
    index: cython.p_uint,
    values: cython.p_uint,
    times: cython.p_ulonglong,
    count: cython.Py_ssize_t,
    offset_bytes: cython.Py_ssize_t,
    full_bytes: cython.Py_ssize_t,
    out: cython.p_uchar,
) -> cython.Py_ssize_t:
    position: cython.Py_ssize_t = 0
    item: cython.Py_ssize_t
    shift: cython.Py_ssize_t
    for item in range(count):
        out[position] = flags[item]
        for shift in range(24, -8, -8):
            position += 1
            out[position] = index[item] >> shift & 0xFF
        for shift in range(24, -8, -8):
            position += 1
            out[position] = values[item] >> shift & 0xFF
        for shift in range(8 * (offset_bytes if flags[item] & 0x40 else full_bytes) - 8, -8, -8):
            position += 1
            out[position] = times[item] >> shift & 0xFF
        position += 1
    return position


def split(
    body: memoryview,
    offset_bytes: int,
    full_bytes: int,
    flags: memoryview,
    index: memoryview,
    values: memoryview,
    times: memoryview,
) -> int:
    """Take measurements apart.

    Args:
        body: the measurements, back to back.
        offset_bytes: length of a time with the flag 0x40.
        full_bytes: length of a time without.
        flags: compact flags to fill in, uint8; all columns have as many items as there are measurements.
        index: signal indexes to fill in, uint32.
        values: bits of the values to fill in, uint32.
        times: times to fill in as they stand there, uint64.

    Returns:
        Where the last measurement ends. If that is behind the end of `body`, it is cut off.
    """
    if cython.compiled:
        body_view = cython.declare("const unsigned char[::1]", body)
        flags_view = cython.declare("unsigned char[::1]", flags)
        index_view = cython.declare("unsigned int[::1]", index)
        values_view = cython.declare("unsigned int[::1]", values)
        times_view = cython.declare("unsigned long long[::1]", times)
        length = cython.declare(cython.Py_ssize_t, len(body))
        count = cython.declare(cython.Py_ssize_t, len(flags))
        offset_size = cython.declare(cython.Py_ssize_t, offset_bytes)
        full_size = cython.declare(cython.Py_ssize_t, full_bytes)
        end = cython.declare(cython.Py_ssize_t, 0)
        with cython.nogil:
            end = _split(
                cython.cast(cython.p_uchar, cython.address(body_view[0])),
                length,
                count,
                offset_size,
                full_size,
                cython.address(flags_view[0]),
                cython.address(index_view[0]),
                cython.address(values_view[0]),
                cython.address(times_view[0]),
            )
        return end
    return _split(body, len(body), len(flags), offset_bytes, full_bytes, flags, index, values, times)


def join(
    flags: memoryview,
    index: memoryview,
    values: memoryview,
    times: memoryview,
    offset_bytes: int,
    full_bytes: int,
    out: memoryview,
) -> int:
    """Put measurements together.

    Args:
        flags: compact flags, uint8.
        index: signal indexes, uint32.
        values: bits of the values, uint32.
        times: times as they shall stand there, uint64.
        offset_bytes: length of a time with the flag 0x40.
        full_bytes: length of a time without.
        out: memory for the measurements, with room for all of them.

    Returns:
        How many bytes they take.
    """
    if cython.compiled:
        flags_view = cython.declare("const unsigned char[::1]", flags)
        index_view = cython.declare("const unsigned int[::1]", index)
        values_view = cython.declare("const unsigned int[::1]", values)
        times_view = cython.declare("const unsigned long long[::1]", times)
        out_view = cython.declare("unsigned char[::1]", out)
        count = cython.declare(cython.Py_ssize_t, len(flags))
        offset_size = cython.declare(cython.Py_ssize_t, offset_bytes)
        full_size = cython.declare(cython.Py_ssize_t, full_bytes)
        end = cython.declare(cython.Py_ssize_t, 0)
        with cython.nogil:
            end = _join(
                cython.cast(cython.p_uchar, cython.address(flags_view[0])),
                cython.cast(cython.p_uint, cython.address(index_view[0])),
                cython.cast(cython.p_uint, cython.address(values_view[0])),
                cython.cast(cython.p_ulonglong, cython.address(times_view[0])),
                count,
                offset_size,
                full_size,
                cython.address(out_view[0]),
            )
        return end
    return _join(flags, index, values, times, len(flags), offset_bytes, full_bytes, out)
