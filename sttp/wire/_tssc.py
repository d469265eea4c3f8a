# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The loops of time-series special compression: one turn per code word (tssc.md 3 to 8).

Written in Cython's pure Python mode: it runs uncompiled with the same results, only slower. Numbers are unsigned, and
each operation that could pass their width is masked, so that C and Python wrap around alike. `sttp.wire.tssc` owns the
memory that the loops work on:

* `stream`, numbers of 64 bits: the last two times, the four smallest time steps, where the point of the previous
  measurement stands, how many points there are, and the length of the block encoded last. Zeros are a fresh stream.
* `slots`, a number per signal index: its point, `UNSEEN`, or `UNNAMED`.
* `rows`, 64 bytes a point. The first 32 bytes count how often each code was used since the last adaptation; then six
  words of 32 bits follow, and a cell of 64 bits, which the constants below explain. So `counts`, `words` and `cells`
  are one memory under three types: a point stands at cell `point`, word `2 * point` and byte `8 * point`. Point 0 is
  the anonymous one that precedes the first measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

# A name that were not `const` would be a variable to the C compiler, and loaded anew at each use.

# what `decode` returns, besides 0
_TRUNCATED = cython.declare(cython.const[cython.Py_ssize_t], 1)
_OUT_OF_ORDER = cython.declare(cython.const[cython.Py_ssize_t], 2)
_NO_SIGNAL = cython.declare(cython.const[cython.Py_ssize_t], 3)
_TOO_MANY = cython.declare(cython.const[cython.Py_ssize_t], 4)
_TOO_FEW = cython.declare(cython.const[cython.Py_ssize_t], 5)

_MARGIN = cython.declare(cython.const[cython.Py_ssize_t], 100)
_UNSEEN = cython.declare(cython.const[cython.Py_ssize_t], 0)
_UNNAMED = cython.declare(cython.const[cython.Py_ssize_t], -1)

# numbers of `stream`: the last two times, the smallest time steps, the point of the previous measurement
_T1 = cython.declare(cython.const[cython.Py_ssize_t], 0)
_T2 = cython.declare(cython.const[cython.Py_ssize_t], 1)
_D1 = cython.declare(cython.const[cython.Py_ssize_t], 2)
_D4 = cython.declare(cython.const[cython.Py_ssize_t], 5)
_PREVIOUS = cython.declare(cython.const[cython.Py_ssize_t], 6)
_ROWS = cython.declare(cython.const[cython.Py_ssize_t], 7)
_LENGTH = cython.declare(cython.const[cython.Py_ssize_t], 8)

# words of a row: the predicted index of the measurement that follows, two flags, three values
_NEXT = cython.declare(cython.const[cython.Py_ssize_t], 8)
_F1 = cython.declare(cython.const[cython.Py_ssize_t], 9)
_F2 = cython.declare(cython.const[cython.Py_ssize_t], 10)
_V1 = cython.declare(cython.const[cython.Py_ssize_t], 11)
_V2 = cython.declare(cython.const[cython.Py_ssize_t], 12)
_V3 = cython.declare(cython.const[cython.Py_ssize_t], 13)

# The cell of a row. Its bytes, the lowest first: how many code words are left until the point adapts; its mode less
# one, and `_ADAPTED` from the first adaptation on; three times a short code, or `_NO_CODE`, and what follows it
_CODER = cython.declare(cython.const[cython.Py_ssize_t], 7)
_ADAPTED = cython.declare(cython.const[cython.ulonglong], 0x400)
_NO_CODE = cython.declare(cython.const[cython.ulonglong], 0xFF)
_CODE_A = cython.declare(cython.const[cython.ulonglong], 0xFF_0000)
_SAME = cython.declare(cython.const[cython.ulonglong], 0x14_0000)  # the first short code is Value1: one bit
_FIRST = cython.declare(cython.const[cython.ulonglong], 0x0016_0015_0014_0306)  # mode 4 with Value1, Value2, Value3

# masks; the sign, flipped on both sides, makes comparisons signed
_MASK_32 = cython.declare(cython.const[cython.ulonglong], 0xFFFF_FFFF)
_MASK_64 = cython.declare(cython.const[cython.ulonglong], 0xFFFF_FFFF_FFFF_FFFF)
_SIGN = cython.declare(cython.const[cython.ulonglong], 0x8000_0000_0000_0000)

STREAM_NUMBERS = 9
ROWS = _ROWS
"""Which number of `stream` says how many points there are."""
LENGTH = _LENGTH
"""Which number of `stream` is the length of the block encoded last, in bytes."""
ROW_BYTES = 64
SLACK = 16
"""Bytes that must stand behind a block to be decoded: a code word reads at most 11, and the next looks two ahead."""
MARGIN = _MARGIN
"""An encoder refuses a record when fewer bytes are left, as all peers do; the longest has 26 (tssc.md 6)."""
UNSEEN = _UNSEEN
"""In `slots`: the index has a signal, which has not turned up yet."""
UNNAMED = _UNNAMED
"""In `slots`: the index has no signal."""
FAULTS = (
    "is good",
    "ends in the middle of a measurement",
    "has a code word where it may not stand",
    "has a signal index that is not in the signal index cache",
    "holds more measurements than announced",
    "holds fewer measurements than announced",
)
"""What the results of `decode` mean."""

# _EXTRA: by code, the bits of the XOR field that follows it; or, for a 7-bit number, 128 + 8 times the bytes that may
# come before its last.
# _WORD: by the next 8 bits and the mode, a code word: from the lowest byte on the code, what follows it, and the length
# of the word in bits; or 0, 0, the length, and at which bit of the point's cell code and extra stand.
_EXTRA = cython.declare("unsigned char[32]", [0] * 32)
_WORD = cython.declare("unsigned int[1024]", [0] * 1024)


def _fill_tables() -> None:
    for size, code in enumerate((1, 2, 3, 4, 5, 6), 1):
        _EXTRA[code] = 4 * size
    _EXTRA[7] = 32
    _EXTRA[17] = 128 + 8 * 8
    _EXTRA[19] = 128 + 8 * 4
    for size in range(1, 9):
        _EXTRA[23 + size] = 4 * size
    for mode in range(4):
        for window in range(256):
            for short in range(mode):
                if window >> (7 - short) == 1:
                    _WORD[window << 2 | mode] = (short + 1) << 16 | (16 + 16 * short) << 24
                    break
            else:
                code = window >> (3 - mode) & 31
                _WORD[window << 2 | mode] = code | _EXTRA[code] << 8 | (mode + 5) << 16


_fill_tables()


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _new_point(
    following: cython.uint, stream: cython.p_ulonglong, words: cython.p_uint, cells: cython.p_ulonglong
) -> cython.Py_ssize_t:
    """Take the next row for a point in its initial state, which predicts the signal index `following` (tssc.md 2)."""
    point: cython.Py_ssize_t = 8 * stream[_ROWS]
    stream[_ROWS] += 1
    words[2 * point + _NEXT] = following
    cells[point + _CODER] = _FIRST
    return point


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _begin(stream: cython.p_ulonglong, words: cython.p_uint, cells: cython.p_ulonglong) -> cython.void:
    """Give a stream of zeros its initial state, with the anonymous point (tssc.md 2)."""
    k: cython.Py_ssize_t
    for k in range(4):
        stream[_D1 + k] = 0x7FFF_FFFF_FFFF_FFFF
    _new_point(0, stream, words, cells)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _adapt(
    point: cython.Py_ssize_t, cell: cython.ulonglong, counts: cython.p_uchar, words: cython.p_uint
) -> cython.ulonglong:
    """Choose mode and short codes by what was counted, and count anew (tssc.md 4). Returns the new cell."""
    n1: cython.Py_ssize_t = 0
    n2: cython.Py_ssize_t = 0
    n3: cython.Py_ssize_t = 0
    c1: cython.Py_ssize_t = 0
    c2: cython.Py_ssize_t = 1
    c3: cython.Py_ssize_t = 2
    total: cython.Py_ssize_t = 0
    four: cython.Py_ssize_t
    code: cython.Py_ssize_t
    n: cython.Py_ssize_t
    for four in range(8):
        if words[2 * point + four] == 0:
            continue
        for code in range(4 * four, 4 * four + 4):
            n = counts[8 * point + code]
            total += n
            if n > n1:
                c3, n3, c2, n2, c1, n1 = c2, n2, c1, n1, code, n
            elif n > n2:
                c3, n3, c2, n2 = c2, n2, code, n
            elif n > n3:
                c3, n3 = code, n
        words[2 * point + four] = 0

    mode: cython.ulonglong = 0
    cost: cython.Py_ssize_t = 5 * total
    if n1 + 6 * (total - n1) < cost:
        mode = 1
        cost = n1 + 6 * (total - n1)
    if n1 + 2 * n2 + 7 * (total - n1 - n2) < cost:
        mode = 2
        cost = n1 + 2 * n2 + 7 * (total - n1 - n2)
    if n1 + 2 * n2 + 3 * n3 + 8 * (total - n1 - n2 - n3) < cost:
        mode = 3

    first: cython.ulonglong = c1 | _EXTRA[c1] << 8 if mode > 0 else _NO_CODE
    second: cython.ulonglong = c2 | _EXTRA[c2] << 8 if mode > 1 else _NO_CODE
    third: cython.ulonglong = c3 | _EXTRA[c3] << 8 if mode > 2 else _NO_CODE
    return (101 if cell & _ADAPTED else 21) | mode << 8 | _ADAPTED | first << 16 | second << 32 | third << 48


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _learn_step(stream: cython.p_ulonglong, time: cython.ulonglong) -> cython.void:
    """Make `time` the last one, and keep its distance from the one before if it is among the smallest (tssc.md 6)."""
    step: cython.ulonglong = (stream[_T1] - time) & _MASK_64
    place: cython.Py_ssize_t = _D4
    stream[_T2] = stream[_T1]
    stream[_T1] = time
    if step & _SIGN:
        step = (0 - step) & _MASK_64
    if (
        (step ^ _SIGN) >= (stream[_D4] ^ _SIGN)
        or step == stream[_D1]
        or step == stream[_D1 + 1]
        or step == stream[_D1 + 2]
    ):
        return
    while place > _D1 and (step ^ _SIGN) < (stream[place - 1] ^ _SIGN):
        stream[place] = stream[place - 1]
        place -= 1
    stream[place] = step


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _time_code(stream: cython.p_ulonglong, time: cython.ulonglong) -> cython.Py_ssize_t:
    """The code for a time that differs from the last one (tssc.md 6)."""
    last: cython.ulonglong = stream[_T1]
    k: cython.Py_ssize_t
    if time == stream[_T2]:
        return 16
    if (time ^ _SIGN) > (last ^ _SIGN):
        for k in range(4):
            if time == (last + stream[_D1 + k]) & _MASK_64:
                return 8 + k
    else:
        for k in range(4):
            if time == (last - stream[_D1 + k]) & _MASK_64:
                return 12 + k
    return 17


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _nibbles(x: cython.ulonglong) -> cython.Py_ssize_t:
    """How many groups of 4 bits hold `x`, 1 to 8; it is not 0."""
    if not cython.compiled:
        return x.bit_length() + 3 >> 2
    upper: cython.Py_ssize_t = (x > 0xFFFF) << 4
    x >>= upper
    high: cython.Py_ssize_t = (x > 0xFF) << 3
    return 1 + (upper >> 2) + (high >> 2) + (x >> high > 0xF)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _decode_same(
    data: cython.p_uchar,
    position: cython.Py_ssize_t,
    length: cython.Py_ssize_t,
    spent: cython.Py_ssize_t,
    window: cython.ulonglong,
    time: cython.ulonglong,
    point: cython.Py_ssize_t,
    slots: cython.p_int,
    counts: cython.p_uchar,
    words: cython.p_uint,
    cells: cython.p_ulonglong,
    produced: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
) -> cython.Py_ssize_t:
    """Decode measurements of one bit each, whose value is the one before, while nothing else is to be done for them.

    Returns how many; what else changed follows from that.
    """
    begin: cython.Py_ssize_t = produced
    own: cython.Py_ssize_t
    history: cython.Py_ssize_t
    number: cython.uint
    cell: cython.ulonglong
    bits: cython.ulonglong = window << spent
    left: cython.Py_ssize_t = 7 - (spent & 7)  # bits that are known to be there
    position += spent >> 3
    if position > length:
        return 0
    while produced < count:
        if left == 0:
            if position >= length:
                break
            bits = data[position]
            bits <<= 15
            position += 1
            left = 8
        cell = cells[point + _CODER]
        number = words[2 * point + _NEXT]
        own = slots[number]
        if bits & 0x40_0000 == 0 or cell & _CODE_A != _SAME or cell & 0xFF == 1 or own <= _UNSEEN:
            break
        counts[8 * point + 20] += 1
        cells[point + _CODER] = cell - 1
        history = 2 * own
        index[produced] = number
        ticks[produced] = time
        flags[produced] = words[history + _F1]
        values[produced] = words[history + _V1]
        produced += 1
        point = own
        bits <<= 1
        left -= 1
    return produced - begin


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _decode(
    data: cython.p_uchar,
    length: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    stream: cython.p_ulonglong,
    slots: cython.p_int,
    slot_count: cython.Py_ssize_t,
    counts: cython.p_uchar,
    words: cython.p_uint,
    cells: cython.p_ulonglong,
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
) -> cython.Py_ssize_t:
    if stream[_ROWS] == 0:
        _begin(stream, words, cells)
    position: cython.Py_ssize_t = 0
    window: cython.ulonglong = 0  # 24 bits: the bit byte in use, and the two bytes that may be the next ones
    spent: cython.Py_ssize_t = 7  # how many bits of the first have been read, less one
    least: cython.Py_ssize_t = 1  # lowest code that may come: 1 at first, 8 after an index, 18 a time, 20 flags
    produced: cython.Py_ssize_t = 0
    time: cython.ulonglong = stream[_T1]
    point: cython.Py_ssize_t = stream[_PREVIOUS]  # of the previous measurement
    own: cython.Py_ssize_t  # of this measurement
    history: cython.Py_ssize_t  # the same in words
    cell: cython.ulonglong
    word: cython.ulonglong
    code: cython.Py_ssize_t
    extra: cython.Py_ssize_t
    half: cython.Py_ssize_t
    at: cython.Py_ssize_t
    here: cython.p_uchar
    one: cython.ulonglong = 1
    byte: cython.ulonglong
    shift: cython.Py_ssize_t
    room: cython.Py_ssize_t
    x: cython.ulonglong
    number: cython.uint
    value: cython.uint

    while True:
        window = window << (spent & 24) & 0xFF0000
        position += spent >> 3
        spent &= 7
        if position >= length:
            if position > length:
                return _TRUNCATED
            if spent == 7 and least == 1:
                break
        byte = data[position]
        window |= byte << 8 | data[position + 1]
        cell = cells[point + _CODER]
        word = _WORD[window >> (13 - spent) & 0x3FC | cell >> 8 & 3]
        spent += word >> 16 & 0xFF
        if word >> 24:
            word = cell >> (word >> 24)
        code = word & 0xFF
        extra = word >> 8 & 0xFF
        counts[8 * point + code] += 1
        cell -= 1
        if cell & 0xFF == 0:
            cell = _adapt(point, cell, counts, words)
        cells[point + _CODER] = cell
        if code < least:
            if code == 0 and least == 1:
                position += spent >> 3
                break
            return _OUT_OF_ORDER
        if produced == count:
            return _TOO_MANY

        x = 0
        if extra >= 128:
            at = position + (spent >> 3)
            shift = 0
            room = (extra & 127) >> 3
            while True:
                byte = data[at]
                at += 1
                position += 1
                if room == 0 or byte < 128:
                    x |= byte << shift
                    break
                x |= (byte & 0x7F) << shift
                shift += 7
                room -= 1
        elif extra:
            # an XOR field: 4 bits if its width is not a multiple of 8, then bytes. Branches on the width would miss
            half = extra & 4
            spent += half
            at = position + (spent >> 3)
            if cython.compiled:
                here = cython.address(data[at])
                number = here[3]
                x = number << 24 | here[2] << 16 | here[1] << 8 | here[0]
            else:
                x = int.from_bytes(data[at : at + 4], "little")
            x = (x << 4 | window >> (23 - spent) & 15) >> (4 - half) & ((one << extra) - 1)
            position += extra >> 3

        if code >= 18:
            number = words[2 * point + _NEXT]
            own = slots[number]
            if own <= _UNSEEN:
                if own == _UNNAMED:
                    return _NO_SIGNAL
                own = _new_point(number + 1, stream, words, cells)
                slots[number] = own
            history = 2 * own
            if code > 20:
                value = words[history + _V1]
                if code == 21:
                    value = words[history + _V2]
                else:
                    if code == 22:
                        value = words[history + _V3]
                    elif code == 23:
                        value = 0
                    else:
                        value ^= x
                    words[history + _V3] = words[history + _V2]
                words[history + _V2] = words[history + _V1]
                words[history + _V1] = value
                index[produced] = number
                ticks[produced] = time
                flags[produced] = words[history + _F1]
                values[produced] = value
                produced += 1
                point = own
                least = 1
            elif code == 20:
                index[produced] = number
                ticks[produced] = time
                flags[produced] = words[history + _F1]
                values[produced] = words[history + _V1]
                produced += 1
                point = own
                least = 1
                # where one value stays as it was, others do too
                extra = _decode_same(
                    data, position, length, spent, window, time, point, slots, counts, words, cells,
                    produced, count, index, ticks, flags, values,
                )  # fmt: skip
                if extra > 0:
                    produced += extra
                    point = slots[index[produced - 1]]
                    window <<= spent & 24
                    position += spent >> 3
                    spent = (spent & 7) + extra
                    if spent > 7:
                        position += spent >> 3
                        spent &= 7
                        window = data[position - 1]
                        window <<= 16
            else:
                value = words[history + _F2] if code == 18 else x & _MASK_32
                words[history + _F2] = words[history + _F1]
                words[history + _F1] = value
                least = 20
        elif code >= 8:
            if code == 16:
                time = stream[_T2]
            elif code == 17:
                time ^= x
            elif code < 12:
                time = (time + stream[_D1 + code - 8]) & _MASK_64
            else:
                time = (time - stream[_D1 + code - 12]) & _MASK_64
            _learn_step(stream, time)
            least = 18
        else:
            number = words[2 * point + _NEXT] ^ x
            if number >= slot_count:
                return _NO_SIGNAL
            words[2 * point + _NEXT] = number
            least = 8

    if position > length:
        return _TRUNCATED
    stream[_PREVIOUS] = point
    return 0 if produced == count else _TOO_FEW


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _count_same(
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
    item: cython.Py_ssize_t,
    stop: cython.Py_ssize_t,
    time: cython.ulonglong,
    point: cython.Py_ssize_t,
    slots: cython.p_int,
    counts: cython.p_uchar,
    words: cython.p_uint,
    cells: cython.p_ulonglong,
) -> cython.Py_ssize_t:
    """Count measurements that take one bit each, while nothing else is to be done for them, as if they were encoded."""
    begin: cython.Py_ssize_t = item
    own: cython.Py_ssize_t
    history: cython.Py_ssize_t
    number: cython.uint
    cell: cython.ulonglong
    while item < stop:
        cell = cells[point + _CODER]
        number = index[item]
        own = slots[number]
        history = 2 * own
        if (
            number != words[2 * point + _NEXT]
            or values[item] != words[history + _V1]
            or ticks[item] != time
            or flags[item] != words[history + _F1]
            or own == _UNSEEN
            or cell & _CODE_A != _SAME
            or cell & 0xFF == 1
        ):
            break
        counts[8 * point + 20] += 1
        cells[point + _CODER] = cell - 1
        item += 1
        point = own
    return item - begin


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _encode(
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
    start: cython.Py_ssize_t,
    stop: cython.Py_ssize_t,
    out: cython.p_uchar,
    size: cython.Py_ssize_t,
    stream: cython.p_ulonglong,
    slots: cython.p_int,
    counts: cython.p_uchar,
    words: cython.p_uint,
    cells: cython.p_ulonglong,
) -> cython.Py_ssize_t:
    if stream[_ROWS] == 0:
        _begin(stream, words, cells)
    position: cython.Py_ssize_t = 0
    last: cython.Py_ssize_t = size - _MARGIN  # where a measurement may still begin
    window: cython.ulonglong = 0  # 24 bits: the bit byte in use, and the two bytes that may be the next ones
    spent: cython.Py_ssize_t = 7  # how many bits of the first have been written, less one
    reserved: cython.Py_ssize_t = 0  # where it goes
    taken: cython.Py_ssize_t
    item: cython.Py_ssize_t = start
    point: cython.Py_ssize_t = stream[_PREVIOUS]  # of the previous measurement
    own: cython.Py_ssize_t = 0  # of this measurement
    history: cython.Py_ssize_t  # the same in words
    number: cython.uint
    time: cython.ulonglong
    state: cython.uint
    value: cython.uint
    x: cython.ulonglong
    code: cython.Py_ssize_t = 20
    one: cython.ulonglong = 1
    cell: cython.ulonglong
    word: cython.ulonglong
    width: cython.Py_ssize_t
    extra: cython.Py_ssize_t
    half: cython.Py_ssize_t
    room: cython.Py_ssize_t

    while True:
        # each branch changes the history, so that the next turn finds nothing to do there and goes on
        x = 0
        if code >= 20 and (item == stop or position > last):
            if spent == 7:
                break
            code = 0
        else:
            number = index[item]
            time = ticks[item]
            if number != words[2 * point + _NEXT]:
                x = number ^ words[2 * point + _NEXT]
                words[2 * point + _NEXT] = number
                code = _nibbles(x)
                if code == 8:
                    code = 7
            elif time != stream[_T1]:
                code = _time_code(stream, time)
                x = time ^ stream[_T1]
                _learn_step(stream, time)
            else:
                own = slots[number]
                if own == _UNSEEN:
                    own = _new_point(number + 1, stream, words, cells)
                    slots[number] = own
                history = 2 * own
                state = flags[item]
                value = values[item]
                if state != words[history + _F1]:
                    code = 18 if state == words[history + _F2] else 19
                    x = state
                    words[history + _F2] = words[history + _F1]
                    words[history + _F1] = state
                elif value == words[history + _V1]:
                    code = 20
                else:
                    if value == words[history + _V2]:
                        code = 21
                    else:
                        if value == words[history + _V3]:
                            code = 22
                        elif value == 0:
                            code = 23
                        else:
                            x = value ^ words[history + _V1]
                            code = 23 + _nibbles(x)
                        words[history + _V3] = words[history + _V2]
                    words[history + _V2] = words[history + _V1]
                    words[history + _V1] = value

        cell = cells[point + _CODER]
        width = (code == (cell >> 16 & 0xFF)) + 2 * (code == (cell >> 32 & 0xFF)) + 3 * (code == (cell >> 48 & 0xFF))
        word = 1
        if width == 0:
            width = 5 + (cell >> 8 & 3)
            word = code
        counts[8 * point + code] += 1
        cell -= 1
        if cell & 0xFF == 0:
            cell = _adapt(point, cell, counts, words)
        cells[point + _CODER] = cell

        extra = _EXTRA[code]
        if extra:
            half = extra & 4
            width += half
            word = (word << 4 | x & 15) >> (4 - half)
            x >>= half
        spent += width
        window |= word << (23 - spent)
        out[reserved] = window >> 16
        out[position] = window >> 8 & 0xFF
        taken = spent >> 3
        reserved += (position + taken - 1 - reserved) & -(taken + 1 >> 1)  # if any was taken; a branch would miss
        position += taken
        window = window << (spent & 24) & 0xFF0000
        spent &= 7

        if extra >= 128:
            room = (extra & 127) >> 3
            while x > 127 and room > 0:
                out[position] = x & 0x7F | 0x80
                position += 1
                room -= 1
                x >>= 7
            out[position] = x
            position += 1
        elif extra:
            out[position] = x & 0xFF
            out[position + 1] = x >> 8 & 0xFF
            out[position + 2] = x >> 16 & 0xFF
            out[position + 3] = x >> 24 & 0xFF
            position += extra >> 3
        if code >= 20:
            item += 1
            point = own
            if code == 20:
                # where one value stays as it was, others do too; so many may begin before the block is full
                room = min(8 * (last - position) + 8 - spent, stop - item)
                room = _count_same(
                    index, ticks, flags, values, item, item + room, time, point, slots, counts, words, cells
                )
                if room > 0:
                    item += room
                    point = slots[index[item - 1]]
                while room > 0:
                    if spent == 7:
                        out[reserved] = window >> 16
                        reserved = position
                        position += 1
                        window = 0
                        spent = -1
                    taken = room if room < 7 - spent else 7 - spent
                    spent += taken
                    room -= taken
                    window |= ((one << taken) - 1) << (23 - spent)
        elif code == 0:
            break

    out[reserved] = window >> 16
    stream[_PREVIOUS] = point
    stream[_LENGTH] = position
    return item


@cython.cclass
class Reader:
    """Decodes blocks of one stream into columns that lie ready; see `fill`.

    To ask an array for its memory takes longer than a short block does. So that is done once for many blocks.

    Args:
        stream: state of the stream, uint64; changed.
        slots: points by signal index, int32, and `UNNAMED` at the end; changed.
        rows: points, uint8, with room for every one that may turn up; changed.
    """

    _stream = cython.declare("unsigned long long[::1]")
    _slots = cython.declare("int[::1]")
    _slot_count = cython.declare(cython.Py_ssize_t)
    _rows = cython.declare("unsigned char[::1]")
    _index = cython.declare("int[::1]")
    _ticks = cython.declare("long long[::1]")
    _flags = cython.declare("unsigned int[::1]")
    _values = cython.declare("float[::1]")

    def __init__(self, stream: memoryview, slots: memoryview, rows: memoryview) -> None:
        self._stream = stream
        self._slots = slots
        self._slot_count = len(slots)
        self._rows = rows

    def fill(
        self, index: NDArray[np.int32], ticks: NDArray[np.int64], flags: NDArray[np.uint32], values: NDArray[np.float32]
    ) -> None:
        """Fill in these columns from now on.

        Args:
            index: signal indexes; all columns have equally many items.
            ticks: times.
            flags: flags.
            values: values; here, as everywhere, only their bits count.
        """
        self._index = index if cython.compiled else index.data
        self._ticks = ticks if cython.compiled else ticks.view("u8").data
        self._flags = flags if cython.compiled else flags.data
        self._values = values if cython.compiled else values.view("u4").data

    def decode(self, data: bytes, length: int, count: int, at: int) -> int:
        """Decode one block.

        Args:
            data: the block, with `SLACK` more bytes behind it.
            length: bytes of the block.
            count: measurements that it must hold.
            at: where in the columns the first of them goes; there must be room for all.

        Returns:
            0 when all is well, else what is wrong, of `FAULTS`; the state is of no use then.
        """
        if cython.compiled:
            size = cython.declare(cython.Py_ssize_t, length)
            records = cython.declare(cython.Py_ssize_t, count)
            first = cython.declare(cython.Py_ssize_t, at)
            block = cython.declare(cython.p_uchar, cython.cast(cython.p_uchar, data))
            counts = cython.declare(cython.p_uchar, cython.address(self._rows[0]))
            fault = cython.declare(cython.Py_ssize_t, 0)
            with cython.nogil:
                fault = _decode(
                    block,  # type: ignore[arg-type]  # a pointer here
                    size,
                    records,
                    cython.address(self._stream[0]),
                    cython.address(self._slots[0]),
                    self._slot_count,
                    counts,
                    cython.cast(cython.p_uint, counts),
                    cython.cast(cython.p_ulonglong, counts),
                    cython.address(self._index[first]),
                    cython.cast(cython.p_ulonglong, cython.address(self._ticks[first])),
                    cython.address(self._flags[first]),
                    cython.cast(cython.p_uint, cython.address(self._values[first])),
                )
        else:
            rows = self._rows
            fault = _decode(
                memoryview(data), length, count, self._stream, self._slots, self._slot_count, rows, rows.cast("I"),
                rows.cast("Q"), self._index[at:], self._ticks[at:], self._flags[at:], self._values[at:],
            )  # fmt: skip
        return fault


@cython.cclass
class Writer:
    """Encodes blocks of one stream.

    Args:
        out: memory for a block, uint8.
        stream: state of the stream, uint64; changed. The length of the newest block is in `stream[LENGTH]`.
        slots: points by signal index, int32; changed.
        rows: points, uint8, with room for every one that may turn up; changed.
    """

    _out = cython.declare("unsigned char[::1]")
    _size = cython.declare(cython.Py_ssize_t)
    _stream = cython.declare("unsigned long long[::1]")
    _slots = cython.declare("int[::1]")
    _rows = cython.declare("unsigned char[::1]")

    def __init__(self, out: memoryview, stream: memoryview, slots: memoryview, rows: memoryview) -> None:
        self._out = out
        self._size = len(out)
        self._stream = stream
        self._slots = slots
        self._rows = rows

    def encode(
        self,
        index: NDArray[np.int32],
        ticks: NDArray[np.int64],
        flags: NDArray[np.uint32],
        values: NDArray[np.float32],
        start: int,
    ) -> int:
        """Encode one block: measurements from `start` on, until all are in or fewer than `MARGIN` bytes are left.

        Args:
            index: signal indexes, each with a place in `slots`.
            ticks: times.
            flags: flags.
            values: values.
            start: the first measurement that goes in.

        Returns:
            The first measurement that did not go in.

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
            counts = cython.declare(cython.p_uchar, cython.address(self._rows[0]))
            first = cython.declare(cython.Py_ssize_t, start)
            stop = cython.declare(cython.Py_ssize_t, len(index))
            done = cython.declare(cython.Py_ssize_t, 0)
            with cython.nogil:
                done = _encode(
                    cython.cast(cython.p_int, cython.address(index_view[0])),
                    cython.cast(cython.p_ulonglong, cython.address(ticks_view[0])),
                    cython.cast(cython.p_uint, cython.address(flags_view[0])),
                    cython.cast(cython.p_uint, cython.address(values_view[0])),
                    first,
                    stop,
                    cython.address(self._out[0]),
                    self._size,
                    cython.address(self._stream[0]),
                    cython.address(self._slots[0]),
                    counts,
                    cython.cast(cython.p_uint, counts),
                    cython.cast(cython.p_ulonglong, counts),
                )
        else:
            rows = self._rows
            done = _encode(
                index.data, ticks.view("u8").data, flags.data, values.view("u4").data, start, len(index), self._out,
                self._size, self._stream, self._slots, rows, rows.cast("I"), rows.cast("Q"),
            )  # fmt: skip
        return done
