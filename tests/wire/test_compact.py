from __future__ import annotations

import random
import tracemalloc

import construct
import numpy as np
import pytest

from codec_loops import COMPACT_LOOPS
from sttp.codes import StateFlags
from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import Limits
from sttp.measurement import Columns
from sttp.wire import compact
from sttp.wire.compact import (
    COMPACT_MEASUREMENT,
    MAX_PACKET,
    BaseTimes,
    TimeFormat,
    read_compact,
    to_compact_flags,
    to_state_flags,
    write_compact,
)

T = 0x08DAA19EA6B30000
NO_TIME = TimeFormat(include_time=False)
TICKS = TimeFormat()
MILLISECONDS = TimeFormat(milliseconds=True)
FORMATS = [NO_TIME, TICKS, MILLISECONDS]
BASES = BaseTimes(active=0, times=(T, T + 4_200_000_000))
ODD_BASES = BaseTimes(active=1, times=(T, T + 4_200_000_000))


@pytest.fixture(params=COMPACT_LOOPS, autouse=True)
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with the loops as they are installed and, if these are compiled, uncompiled too."""
    monkeypatch.setattr(compact, "_compact", COMPACT_LOOPS[request.param])


def _columns(*measurements: tuple[int, int, int, int]) -> Columns:
    index, ticks, flags, bits = zip(*measurements, strict=True)
    return Columns(
        np.array(index, np.int32), np.array(ticks, np.int64), np.array(flags, np.uint32),
        np.array(bits, np.uint32).view(np.float32),
    )  # fmt: skip


def _rows(columns: Columns) -> list[tuple[int, ...]]:
    assert [column.dtype for column in columns] == [np.int32, np.int64, np.uint32, np.float32]
    lists = (columns.signal_index, columns.ticks, columns.flags, columns.value.view(np.uint32))
    return list(zip(*(column.tolist() for column in lists), strict=True))


def _declared(body: bytes, count: int, time_format: TimeFormat, base_times: BaseTimes | None) -> list[tuple[int, ...]]:
    """What `body` means by the declaration and the tables of wire.md 6.2 and 6.3, one measurement at a time."""
    rows = []
    for record in construct.Array(count, COMPACT_MEASUREMENT).parse(body, time_format=time_format):
        time = record.time or 0
        if time_format.include_time and record.flags & 0x40:
            base = base_times.times[record.flags >> 7] if base_times else 0
            time = base + time * (10_000 if time_format.milliseconds else 1) if base > 0 else 0
        states = sum(mask for bit, mask in MASKS.items() if record.flags & bit)
        rows.append((record.signal_index, (time + 2**63) % 2**64 - 2**63, states, record.value))
    return rows


MASKS = {0x01: 0x000000FC, 0x02: 0x0000EF03, 0x04: 0x00BF0000, 0x08: 0xE0000000, 0x10: 0x00001000, 0x20: 0x00400000}
VALUE = 0x426FCCCD  # 59.95

EXAMPLES = {
    "no time": (NO_TIME, None, (0, 0, 0, VALUE), "00 00 00 00 00 42 6F CC CD"),
    "full time": (TICKS, None, (0, T, 0, VALUE), "00 00 00 00 00 42 6F CC CD 08 DA A1 9E A6 B3 00 00"),
    "milliseconds": (MILLISECONDS, BASES, (0, T + 150_000, 0, VALUE), "40 00 00 00 00 42 6F CC CD 00 0F"),
    "odd base": (
        TICKS, ODD_BASES, (1, T + 4_200_150_000, 0xEF03, 0xBFC00000), "C2 00 00 00 01 BF C0 00 00 00 02 49 F0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_worked_examples(example: tuple[TimeFormat, BaseTimes | None, tuple[int, int, int, int], str]) -> None:
    """wire.md 6.2."""
    time_format, base_times, measurement, text = example
    body = bytes.fromhex(text)
    assert write_compact(_columns(measurement), time_format, base_times) == [(1, body)]
    assert _rows(read_compact(memoryview(body), 1, time_format, base_times)) == [measurement]
    assert _declared(body, 1, time_format, base_times) == [measurement]


# the encoder's rule: which form a time takes

LAST_TICK = 2**32 - 2
LAST_MILLISECOND = 65_535 * 10_000 - 1


@pytest.mark.parametrize(
    ("time_format", "distance", "width"),
    [
        (TICKS, -1, 8),
        (TICKS, 0, 8),
        (TICKS, 1, 4),
        (TICKS, LAST_TICK, 4),
        (TICKS, LAST_TICK + 1, 8),
        (TICKS, 2**40, 8),
        (MILLISECONDS, 0, 8),
        (MILLISECONDS, 1, 2),
        (MILLISECONDS, 10_000, 2),
        (MILLISECONDS, LAST_MILLISECOND, 2),
        (MILLISECONDS, LAST_MILLISECOND + 1, 8),
    ],
)
@pytest.mark.parametrize("base_times", [BASES, ODD_BASES])
def test_when_times_are_offsets(time_format: TimeFormat, distance: int, width: int, base_times: BaseTimes) -> None:
    base = base_times.times[base_times.active]
    ((_, body),) = write_compact(_columns((1, base + distance, 0, 0)), time_format, base_times)
    assert len(body) == 9 + width
    # 0x80 is set whenever the index is 1, also with a full time
    assert body[0] == (0x40 if width < 8 else 0) | (0x80 if base_times.active else 0)
    unit = 10_000 if width == 2 else 1
    assert _rows(read_compact(body, 1, time_format, base_times))[0][1] == base + distance // unit * unit


@pytest.mark.parametrize("base_times", [None, BaseTimes(active=0, times=(0, T)), BaseTimes(active=1, times=(T, -5))])
@pytest.mark.parametrize("time_format", [TICKS, MILLISECONDS])
def test_no_offsets_without_a_base(time_format: TimeFormat, base_times: BaseTimes | None) -> None:
    ((_, body),) = write_compact(_columns((1, 20, 0, 0)), time_format, base_times)
    assert len(body) == 17


@pytest.mark.parametrize("mark", [-(2**63), -(2**62)])
@pytest.mark.parametrize("time_format", [TICKS, MILLISECONDS])
@pytest.mark.parametrize("base", [T, 2**62, 2**63 - 1])
def test_leap_second_marks_survive(mark: int, time_format: TimeFormat, base: int) -> None:
    base_times = BaseTimes(active=0, times=(base, 0))
    ticks = (T + 150_000) + mark
    ((_, body),) = write_compact(_columns((1, ticks, 0, 0)), time_format, base_times)
    assert len(body) == 17
    assert _rows(read_compact(body, 1, time_format, base_times))[0][1] == ticks


@pytest.mark.parametrize("base_times", [None, BaseTimes(active=0, times=(0, 0)), BaseTimes(active=0, times=(-1, -1))])
@pytest.mark.parametrize("flags", [0x40, 0xC0])
def test_an_offset_to_an_unknown_base_is_time_zero(base_times: BaseTimes | None, flags: int) -> None:
    body = bytes([flags]) + bytes(8) + bytes.fromhex("00 02 49 F0") + bytes(9) + T.to_bytes(8, "big")
    assert [row[1] for row in _rows(read_compact(body, 2, TICKS, base_times))] == [0, T]


def test_the_index_flag_is_ignored_on_full_times() -> None:
    body = b"\x80" + bytes(8) + T.to_bytes(8, "big")
    assert _rows(read_compact(body, 1, TICKS, BASES)) == [(0, T, 0, 0)]


def test_float_bits_survive() -> None:
    bits = [0x7F800001, 0xFFBFFFFF, 0x7FC12345, 0x80000000, 0x00000001, 0x7F800000]
    for ticks in ([T] * 6, [T, T + 1, T, T + 1, T, T]):
        columns = _columns(*((index, ticks[index], 0, value) for index, value in enumerate(bits)))
        ((count, body),) = write_compact(columns, TICKS, BASES)
        assert [row[3] for row in _rows(read_compact(body, count, TICKS, BASES))] == bits


# packets


@pytest.mark.parametrize("time_format", FORMATS)
@pytest.mark.parametrize("base_times", [None, BASES, ODD_BASES])
def test_packets_are_as_full_as_they_may_be(time_format: TimeFormat, base_times: BaseTimes | None) -> None:
    some = random.Random(1)
    measurements = [(index, T + some.randrange(-5, 10**8) * 100, 0, index) for index in range(9000)]
    packets = write_compact(_columns(*measurements), time_format, base_times)
    assert len(packets) > 1
    index = 0
    for number, (count, body) in enumerate(packets):
        rows = _rows(read_compact(body, count, time_format, base_times))
        assert [row[0] for row in rows] == list(range(index, index + count))
        assert rows == _declared(body, count, time_format, base_times)
        index += count
        assert 11 + len(body) <= MAX_PACKET
        if number + 1 < len(packets):
            assert 11 + len(body) + 17 > MAX_PACKET
    assert index == len(measurements)


def test_nothing_for_an_empty_batch() -> None:
    assert write_compact(Columns.empty(), TICKS, None) == []
    assert _rows(read_compact(b"", 0, TICKS, None)) == []


def test_what_is_not_written() -> None:
    with pytest.raises(UsageError):
        write_compact(_columns((0, T, 0, 0), (-1, T, 0, 0)), TICKS, None)


def test_columns_need_not_be_contiguous() -> None:
    columns = _columns(*((index, T + index % 4, index, index) for index in range(20)))
    for time_format in FORMATS:
        every_other = columns.select(slice(None, None, 2))
        copied = Columns(*(column.copy() for column in every_other))
        assert write_compact(every_other, time_format, BASES) == write_compact(copied, time_format, BASES)


# packets that cannot be

MIXED = _columns((7, T, 0, VALUE), (8, T + 1, 0x1003, 5), (9, T + 2, 0, 1), (1, T - 1, 0, 2))
ALIKE = _columns((7, T + 1, 0, VALUE), (8, T + 1, 0x1003, 5), (9, T + 2, 0, 1), (1, T + 1, 0, 2))


@pytest.mark.parametrize("time_format", FORMATS)
@pytest.mark.parametrize("columns", [MIXED, ALIKE], ids=["mixed", "alike"])
@pytest.mark.parametrize("base_times", [None, BASES])
def test_too_few_and_too_many_bytes(columns: Columns, time_format: TimeFormat, base_times: BaseTimes | None) -> None:
    ((count, body),) = write_compact(columns, time_format, base_times)
    for cut in range(len(body)):
        with pytest.raises(MessageError):
            read_compact(body[:cut], count, time_format, base_times)
    for more in (b"\0", b"\x40", bytes(9), bytes(17), body):
        with pytest.raises(MessageError):
            read_compact(body + more, count, time_format, base_times)
    for wrong in {-1, -(2**31), 0, count - 1, count + 1, 2**31 - 1}:
        with pytest.raises(MessageError if wrong <= count + 1 else LimitError):
            read_compact(body, wrong, time_format, base_times)


def test_a_negative_index() -> None:
    body = bytes(17) + b"\x00\xff\xff\xff\xfe" + bytes(12)
    with pytest.raises(MessageError, match="-2"):
        read_compact(body, 2, TICKS, None)


def test_the_index_that_gsfapi_gives_unknown_signals_is_read() -> None:
    body = b"\x00\x7f\xff\xff\xff" + bytes(4)
    assert _rows(read_compact(body, 1, NO_TIME, None)) == [(2**31 - 1, 0, 0, 0)]


def test_a_count_beyond_the_limit() -> None:
    with pytest.raises(LimitError) as caught:
        read_compact(bytes(27), 3, NO_TIME, None, limits=Limits(packet_measurements=2))
    assert caught.value.limit == "packet_measurements"


def test_a_count_that_cannot_be_is_refused_before_memory_is_taken() -> None:
    body = bytes(27)
    tracemalloc.start()
    try:
        for count in (4, 2**18, 2**31 - 1, 2**32 - 1):
            with pytest.raises((MessageError, LimitError)):
                read_compact(body, count, NO_TIME, None)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("time_format", FORMATS)
def test_every_flipped_bit_gives_measurements_or_an_error(time_format: TimeFormat) -> None:
    ((count, body),) = write_compact(MIXED, time_format, BASES)
    for bit in range(8 * len(body)):
        damaged = bytearray(body)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        try:
            rows = _rows(read_compact(damaged, count, time_format, BASES))
        except MessageError:
            continue
        assert rows == _declared(bytes(damaged), count, time_format, BASES)


# flags


@pytest.mark.parametrize(("flag", "mask"), MASKS.items())
def test_the_groups_of_states(flag: int, mask: int) -> None:
    """wire.md 6.3."""
    states = [1 << bit for bit in range(32) if mask >> bit & 1]
    assert to_compact_flags(np.array([*states, mask], np.uint32)).tolist() == [flag] * (len(states) + 1)
    assert to_state_flags(np.array([flag, flag | 0xC0], np.uint8)).tolist() == [mask, mask]


def test_user_flags_are_lost() -> None:
    assert sum(MASKS.values()) | 0x1F000000 == 0xFFFFFFFF
    user = StateFlags.USER_DEFINED_FLAG_1 | StateFlags.USER_DEFINED_FLAG_5
    assert to_compact_flags(np.array([0x1F000000, user], np.uint32)).tolist() == [0, 0]


def test_all_compact_flags_come_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert to_compact_flags(to_state_flags(every)).tolist() == (every & 0x3F).tolist()


def test_columns_that_may_not_be_written_to_are_written_all_the_same() -> None:
    near, far = BaseTimes(active=0, times=(T - 5, 0)), T + 2**40
    columns = Columns.empty(4)._replace(ticks=np.array([T, far, T, far]))  # mixed widths go through the loop
    expected = write_compact(columns, TimeFormat(), near)
    for column in columns:
        column.flags.writeable = False
    assert write_compact(columns, TimeFormat(), near) == expected
