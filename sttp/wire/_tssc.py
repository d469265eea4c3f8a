# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The loops of time-series special compression: one turn per code word (tssc.md 3 to 8).

Written in Cython's pure Python mode: it runs uncompiled with the same results, only slower. Numbers are unsigned, and
each operation that could pass their width is masked, so that C and Python wrap around alike. `sttp.wire.tssc` owns the
memory that the loops work on:

* `stream`, numbers of 64 bits: the last two times, the four smallest time steps, the row of the previous
  measurement's point, how many rows are in use, and the length of the block encoded last. Zeros are a fresh stream.
* `slots`, a number per signal index: the row of its point, `UNSEEN`, or `UNNAMED`.
* `words` and `model`, one memory under two types, 64 bytes a row. Of a point's row, the first 32 bytes count how
  often each code was used since the last adaptation; the constants below say what the rest holds. Row 0 is the
  anonymous point that precedes the first measurement.
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

STREAM_CELLS = 9
ROWS = 7
"""Cell of `stream`: how many rows are in use."""
LENGTH = 8
"""Cell of `stream`: how many bytes the block has that was encoded last."""
ROW_WORDS = 16
SLACK = 16
"""Bytes that must stand behind a block to be decoded: a code word reads at most 11, and the next looks one ahead."""
MARGIN = 100
"""An encoder refuses a record when fewer bytes are left, as all peers do; the longest has 26 (tssc.md 6)."""
UNSEEN = 0
"""In `slots`: the index has a signal, which has not turned up yet."""
UNNAMED = -1
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

# The same for C, and what only the loops need. A name that is not `const` would be a variable for the C compiler,
# which would load it anew at each use. Faults:
_TRUNCATED = cython.declare(cython.const[cython.Py_ssize_t], 1)
_OUT_OF_ORDER = cython.declare(cython.const[cython.Py_ssize_t], 2)
_NO_SIGNAL = cython.declare(cython.const[cython.Py_ssize_t], 3)
_TOO_MANY = cython.declare(cython.const[cython.Py_ssize_t], 4)
_TOO_FEW = cython.declare(cython.const[cython.Py_ssize_t], 5)

_MARGIN = cython.declare(cython.const[cython.Py_ssize_t], 100)
_UNSEEN = cython.declare(cython.const[cython.Py_ssize_t], 0)
_UNNAMED = cython.declare(cython.const[cython.Py_ssize_t], -1)

# cells of `stream`: the last two times, the smallest time steps, the row of the previous measurement
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

# bytes of a row: code words left until it adapts, how often it did (at most two), mode less one, three short codes
_LEFT = cython.declare(cython.const[cython.Py_ssize_t], 56)
_STAGE = cython.declare(cython.const[cython.Py_ssize_t], 57)
_MODE = cython.declare(cython.const[cython.Py_ssize_t], 58)
_SHORT = cython.declare(cython.const[cython.Py_ssize_t], 59)
_NO_CODE = cython.declare(cython.const[cython.Py_ssize_t], 255)

# masks; the sign, flipped on both sides, makes comparisons signed
_MASK_32 = cython.declare(cython.const[cython.ulonglong], 0xFFFF_FFFF)
_MASK_64 = cython.declare(cython.const[cython.ulonglong], 0xFFFF_FFFF_FFFF_FFFF)
_SIGN = cython.declare(cython.const[cython.ulonglong], 0x8000_0000_0000_0000)

# _WORD: by mode and the next 8 bits, the length of the code word (high byte) and the code, or 32 to 34 for a short one.
# _EXTRA: by code, the bits of the XOR field that follows it; or, for a 7-bit number, 128 + 8 times the bytes that may
# come before its last.
_WORD = cython.declare("unsigned short[1024]", [0] * 1024)
_EXTRA = cython.declare("unsigned char[32]", [0] * 32)


def _fill_tables() -> None:
    for mode in range(4):
        for window in range(256):
            for short in range(mode):
                if window >> (7 - short) == 1:
                    _WORD[mode << 8 | window] = (short + 1) << 8 | 32 + short
                    break
            else:
                _WORD[mode << 8 | window] = (mode + 5) << 8 | (window >> (3 - mode) & 31)
    for size, code in enumerate((1, 2, 3, 4, 5, 6), 1):
        _EXTRA[code] = 4 * size
    _EXTRA[7] = 32
    _EXTRA[17] = 128 + 8 * 8
    _EXTRA[19] = 128 + 8 * 4
    for size in range(1, 9):
        _EXTRA[23 + size] = 4 * size


_fill_tables()


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _new_row(
    following: cython.uint, stream: cython.p_ulonglong, words: cython.p_uint, model: cython.p_uchar
) -> cython.Py_ssize_t:
    """Take the next row for a point in its initial state, which predicts the signal index `following` (tssc.md 2)."""
    row: cython.Py_ssize_t = stream[_ROWS]
    stream[_ROWS] += 1
    words[row * 16 + _NEXT] = following
    model[row * 64 + _LEFT] = 6
    model[row * 64 + _MODE] = 3
    model[row * 64 + _SHORT] = 20
    model[row * 64 + _SHORT + 1] = 21
    model[row * 64 + _SHORT + 2] = 22
    return row


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _begin(stream: cython.p_ulonglong, words: cython.p_uint, model: cython.p_uchar) -> cython.void:
    """Give a stream of zeros its initial state, with the anonymous point (tssc.md 2)."""
    k: cython.Py_ssize_t
    for k in range(4):
        stream[_D1 + k] = 0x7FFF_FFFF_FFFF_FFFF
    _new_row(0, stream, words, model)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _adapt(model: cython.p_uchar, base: cython.Py_ssize_t) -> cython.void:
    """Choose mode and short codes by what was counted, and count anew (tssc.md 4)."""
    n1: cython.Py_ssize_t = 0
    n2: cython.Py_ssize_t = 0
    n3: cython.Py_ssize_t = 0
    c1: cython.Py_ssize_t = 0
    c2: cython.Py_ssize_t = 1
    c3: cython.Py_ssize_t = 2
    total: cython.Py_ssize_t = 0
    code: cython.Py_ssize_t
    n: cython.Py_ssize_t
    for code in range(32):
        n = model[base + code]
        if n == 0:
            continue
        model[base + code] = 0
        total += n
        if n > n1:
            c3, n3, c2, n2, c1, n1 = c2, n2, c1, n1, code, n
        elif n > n2:
            c3, n3, c2, n2 = c2, n2, code, n
        elif n > n3:
            c3, n3 = code, n

    mode: cython.Py_ssize_t = 0
    cost: cython.Py_ssize_t = 5 * total
    if n1 + 6 * (total - n1) < cost:
        mode = 1
        cost = n1 + 6 * (total - n1)
    if n1 + 2 * n2 + 7 * (total - n1 - n2) < cost:
        mode = 2
        cost = n1 + 2 * n2 + 7 * (total - n1 - n2)
    if n1 + 2 * n2 + 3 * n3 + 8 * (total - n1 - n2 - n3) < cost:
        mode = 3
    model[base + _MODE] = mode
    model[base + _SHORT] = c1 if mode > 0 else _NO_CODE
    model[base + _SHORT + 1] = c2 if mode > 1 else _NO_CODE
    model[base + _SHORT + 2] = c3 if mode > 2 else _NO_CODE

    if model[base + _STAGE] == 0:
        model[base + _STAGE] = 1
        model[base + _LEFT] = 21
    else:
        model[base + _LEFT] = 101


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
    """How many groups of 4 bits hold `x`, 1 to 8."""
    return 1 + (x > 0xF) + (x > 0xFF) + (x > 0xFFF) + (x > 0xFFFF) + (x > 0xF_FFFF) + (x > 0xFF_FFFF) + (x > 0xFFF_FFFF)


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
    words: cython.p_uint,
    model: cython.p_uchar,
    index: cython.p_int,
    ticks: cython.p_ulonglong,
    flags: cython.p_uint,
    values: cython.p_uint,
) -> cython.Py_ssize_t:
    if stream[_ROWS] == 0:
        _begin(stream, words, model)
    position: cython.Py_ssize_t = 0
    current: cython.uint = 0  # the bit byte in use; its low `bits` bits are still to come
    bits: cython.Py_ssize_t = 0
    least: cython.Py_ssize_t = (
        0  # lowest code that may come: 0 at a new record, 8 after an index, 18 after a time, 20 after flags
    )
    produced: cython.Py_ssize_t = 0
    time: cython.ulonglong
    one: cython.ulonglong = 1
    row: cython.Py_ssize_t = stream[_PREVIOUS]
    point: cython.Py_ssize_t = row * 16  # the previous measurement's, in words and in bytes
    coder: cython.Py_ssize_t = row * 64
    own: cython.Py_ssize_t = 0  # this measurement's, in words
    entry: cython.uint
    code: cython.Py_ssize_t
    extra: cython.Py_ssize_t
    half: cython.Py_ssize_t
    nibble: cython.uint
    x: cython.ulonglong
    byte: cython.ulonglong
    shift: cython.Py_ssize_t
    room: cython.Py_ssize_t
    number: cython.uint
    value: cython.uint

    while True:
        if position >= length:
            if position > length:
                return _TRUNCATED
            if bits == 0 and least == 0:
                break

        entry = _WORD[model[coder + _MODE] << 8 | ((current << 8 | data[position]) >> bits & 0xFF)]
        bits -= entry >> 8
        if bits < 0:
            bits += 8
            current = data[position]
            position += 1
        code = entry & 0xFF
        if code >= 32:
            code = model[coder + _SHORT - 32 + code]

        model[coder + code] += 1
        model[coder + _LEFT] -= 1
        if model[coder + _LEFT] == 0:
            _adapt(model, coder)
        if code < least:
            return _OUT_OF_ORDER
        if code == 0:
            break
        if produced == count:
            return _TOO_MANY

        x = 0
        extra = _EXTRA[code]
        if extra >= 128:
            shift = 0
            room = (extra & 127) >> 3
            while True:
                byte = data[position]
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
            bits -= half
            nibble = (current << 8 | data[position]) >> (bits + 8) & ((1 << half) - 1)
            if bits < 0:
                bits += 8
                current = data[position]
                position += 1
            byte = data[position + 3]
            x = data[position] | data[position + 1] << 8 | data[position + 2] << 16 | byte << 24
            x = (x & ((one << (extra & 56)) - 1)) << half | nibble
            position += extra >> 3

        if code >= 20:
            number = words[point + _NEXT]
            if least < 20:
                row = slots[number] if number < slot_count else _UNNAMED
                if row <= _UNSEEN:
                    if row == _UNNAMED:
                        return _NO_SIGNAL
                    row = _new_row(number + 1, stream, words, model)
                    slots[number] = row
                own = row * 16
            value = words[own + _V1]
            if code > 20:
                if code == 21:
                    value = words[own + _V2]
                else:
                    if code == 22:
                        value = words[own + _V3]
                    elif code == 23:
                        value = 0
                    else:
                        value ^= x
                    words[own + _V3] = words[own + _V2]
                words[own + _V2] = words[own + _V1]
                words[own + _V1] = value
            index[produced] = number
            ticks[produced] = stream[_T1]
            flags[produced] = words[own + _F1]
            values[produced] = value
            produced += 1
            point = own
            coder = own * 4
            least = 0
        elif code >= 18:
            number = words[point + _NEXT]
            row = slots[number] if number < slot_count else _UNNAMED
            if row <= _UNSEEN:
                if row == _UNNAMED:
                    return _NO_SIGNAL
                row = _new_row(number + 1, stream, words, model)
                slots[number] = row
            own = row * 16
            number = words[own + _F2] if code == 18 else x & _MASK_32
            words[own + _F2] = words[own + _F1]
            words[own + _F1] = number
            least = 20
        elif code >= 8:
            if code == 16:
                time = stream[_T2]
            elif code == 17:
                time = stream[_T1] ^ x
            elif code < 12:
                time = (stream[_T1] + stream[_D1 + code - 8]) & _MASK_64
            else:
                time = (stream[_T1] - stream[_D1 + code - 12]) & _MASK_64
            _learn_step(stream, time)
            least = 18
        else:
            words[point + _NEXT] ^= x
            least = 8

    if position > length:
        return _TRUNCATED
    stream[_PREVIOUS] = point >> 4
    return 0 if produced == count else _TOO_FEW


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
    words: cython.p_uint,
    model: cython.p_uchar,
) -> cython.Py_ssize_t:
    if stream[_ROWS] == 0:
        _begin(stream, words, model)
    position: cython.Py_ssize_t = 0
    reserved: cython.Py_ssize_t = 0  # where the bit byte in use goes, while there are bits in it
    cache: cython.uint = 0  # its bits, low, behind others that are written already
    bits: cython.Py_ssize_t = 0
    row: cython.Py_ssize_t = stream[_PREVIOUS]
    point: cython.Py_ssize_t = row * 16  # the previous measurement's, in words and in bytes
    coder: cython.Py_ssize_t = row * 64
    own: cython.Py_ssize_t  # this measurement's, in words
    number: cython.uint
    time: cython.ulonglong
    state: cython.uint
    value: cython.uint
    code: cython.Py_ssize_t
    word: cython.uint
    width: cython.Py_ssize_t
    extra: cython.Py_ssize_t
    half: cython.Py_ssize_t
    x: cython.ulonglong
    room: cython.Py_ssize_t
    item: cython.Py_ssize_t = start
    fresh: cython.bint = True
    ended: cython.bint = False

    while True:
        if fresh:
            fresh = False
            ended = item == stop or size - position < _MARGIN
            if ended:
                if bits == 0:
                    break
            else:
                number = index[item]
                time = ticks[item]
                state = flags[item]
                value = values[item]
                row = slots[number]
                if row == _UNSEEN:
                    row = _new_row(number + 1, stream, words, model)
                    slots[number] = row
                own = row * 16

        # each branch changes the history, so that the next turn finds nothing to do there and goes on
        x = 0
        if ended:
            code = 0
        elif number != words[point + _NEXT]:
            x = number ^ words[point + _NEXT]
            words[point + _NEXT] = number
            code = _nibbles(x)
            if code == 8:
                code = 7
        elif time != stream[_T1]:
            code = _time_code(stream, time)
            x = time ^ stream[_T1]
            _learn_step(stream, time)
        elif state != words[own + _F1]:
            code = 18 if state == words[own + _F2] else 19
            x = state
            words[own + _F2] = words[own + _F1]
            words[own + _F1] = state
        else:
            fresh = True
            item += 1
            if value == words[own + _V1]:
                code = 20
            else:
                if value == words[own + _V2]:
                    code = 21
                else:
                    if value == words[own + _V3]:
                        code = 22
                    elif value == 0:
                        code = 23
                    else:
                        x = value ^ words[own + _V1]
                        code = 23 + _nibbles(x)
                    words[own + _V3] = words[own + _V2]
                words[own + _V2] = words[own + _V1]
                words[own + _V1] = value

        word = 1
        if code == model[coder + _SHORT]:
            width = 1
        elif code == model[coder + _SHORT + 1]:
            width = 2
        elif code == model[coder + _SHORT + 2]:
            width = 3
        else:
            word = code
            width = 5 + model[coder + _MODE]
        model[coder + code] += 1
        model[coder + _LEFT] -= 1
        if model[coder + _LEFT] == 0:
            _adapt(model, coder)

        extra = _EXTRA[code]
        half = extra & 4
        if bits == 0:
            reserved = position
            position += 1
        bits += width + half
        cache = (cache << (width + half) | word << half | x & ((1 << half) - 1)) & 0xF_FFFF
        while bits >= 8:
            bits -= 8
            out[reserved] = cache >> bits & 0xFF
            if bits > 0:
                reserved = position
                position += 1

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
            x >>= half
            out[position] = x & 0xFF
            out[position + 1] = x >> 8 & 0xFF
            out[position + 2] = x >> 16 & 0xFF
            out[position + 3] = x >> 24 & 0xFF
            position += extra >> 3

        if fresh:
            point = own
            coder = own * 4
        elif ended:
            break

    if bits > 0:
        out[reserved] = cache << (8 - bits) & 0xFF
    stream[_PREVIOUS] = point >> 4
    stream[_LENGTH] = position
    return item


def decode(
    data: memoryview,
    length: int,
    count: int,
    stream: memoryview,
    slots: memoryview,
    words: memoryview,
    model: memoryview,
    index: memoryview,
    ticks: memoryview,
    flags: memoryview,
    values: memoryview,
) -> int:
    """Decode one block.

    Args:
        data: the block, with `SLACK` more bytes behind it; writable memory of bytes.
        length: bytes of the block.
        count: measurements that it must hold.
        stream: state of the stream, uint64; changed.
        slots: row by signal index, int32; changed.
        words: rows, uint32, with room for every point that may turn up; changed.
        model: the same memory as uint8.
        index: signal indexes to fill in, int32; all columns have `count` items.
        ticks: times to fill in, uint64.
        flags: flags to fill in, uint32.
        values: bits of the values to fill in, uint32.

    Returns:
        0 when all is well, else what is wrong, of `FAULTS`; the state is of no use then.
    """
    if cython.compiled:
        data_view = cython.declare("unsigned char[::1]", data)
        stream_view = cython.declare("unsigned long long[::1]", stream)
        slots_view = cython.declare("int[::1]", slots)
        words_view = cython.declare("unsigned int[::1]", words)
        model_view = cython.declare("unsigned char[::1]", model)
        index_view = cython.declare("int[::1]", index)
        ticks_view = cython.declare("unsigned long long[::1]", ticks)
        flags_view = cython.declare("unsigned int[::1]", flags)
        values_view = cython.declare("unsigned int[::1]", values)
        result = cython.declare(cython.Py_ssize_t, 0)
        size = cython.declare(cython.Py_ssize_t, length)
        records = cython.declare(cython.Py_ssize_t, count)
        slot_count = cython.declare(cython.Py_ssize_t, len(slots))
        with cython.nogil:
            result = _decode(
                cython.address(data_view[0]),
                size,
                records,
                cython.address(stream_view[0]),
                cython.address(slots_view[0]),
                slot_count,
                cython.address(words_view[0]),
                cython.address(model_view[0]),
                cython.address(index_view[0]),
                cython.address(ticks_view[0]),
                cython.address(flags_view[0]),
                cython.address(values_view[0]),
            )
        return result
    return _decode(data, length, count, stream, slots, len(slots), words, model, index, ticks, flags, values)


def encode(
    index: memoryview,
    ticks: memoryview,
    flags: memoryview,
    values: memoryview,
    start: int,
    out: memoryview,
    stream: memoryview,
    slots: memoryview,
    words: memoryview,
    model: memoryview,
) -> int:
    """Encode one block: measurements from `start` on, until all are in or fewer than `MARGIN` bytes are left.

    Args:
        index: signal indexes, int32, each with a place in `slots`.
        ticks: times, uint64.
        flags: flags, uint32.
        values: bits of the values, uint32.
        start: the first measurement that goes in.
        out: memory for the block, uint8.
        stream: state of the stream, uint64; changed. The length of the block is in `stream[LENGTH]`.
        slots: row by signal index, int32; changed.
        words: rows, uint32, with room for every point that may turn up; changed.
        model: the same memory as uint8.

    Returns:
        The first measurement that did not go in.
    """
    if cython.compiled:
        index_view = cython.declare("const int[::1]", index)
        ticks_view = cython.declare("const unsigned long long[::1]", ticks)
        flags_view = cython.declare("const unsigned int[::1]", flags)
        values_view = cython.declare("const unsigned int[::1]", values)
        out_view = cython.declare("unsigned char[::1]", out)
        stream_view = cython.declare("unsigned long long[::1]", stream)
        slots_view = cython.declare("int[::1]", slots)
        words_view = cython.declare("unsigned int[::1]", words)
        model_view = cython.declare("unsigned char[::1]", model)
        first = cython.declare(cython.Py_ssize_t, start)
        stop = cython.declare(cython.Py_ssize_t, len(index))
        size = cython.declare(cython.Py_ssize_t, len(out))
        result = cython.declare(cython.Py_ssize_t, 0)
        with cython.nogil:
            result = _encode(
                cython.cast(cython.p_int, cython.address(index_view[0])),
                cython.cast(cython.p_ulonglong, cython.address(ticks_view[0])),
                cython.cast(cython.p_uint, cython.address(flags_view[0])),
                cython.cast(cython.p_uint, cython.address(values_view[0])),
                first,
                stop,
                cython.address(out_view[0]),
                size,
                cython.address(stream_view[0]),
                cython.address(slots_view[0]),
                cython.address(words_view[0]),
                cython.address(model_view[0]),
            )
        return result
    return _encode(index, ticks, flags, values, start, len(index), out, len(out), stream, slots, words, model)
