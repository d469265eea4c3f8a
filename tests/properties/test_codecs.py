"""The fast ways of the codecs are equal to each other and to the declarations, and nothing is lost on the way."""

from __future__ import annotations

import construct
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sttp.errors import MessageError
from sttp.measurement import Columns
from sttp.wire import compact
from sttp.wire.compact import COMPACT_MEASUREMENT, BaseTimes, TimeFormat, read_compact, write_compact
from sttp.wire.tssc import (
    TSSC_PAYLOAD,
    OutOfSequence,
    TsscBlock,
    TsscDecoder,
    TsscEncoder,
    TsscError,
    read_tssc_payload,
    write_tssc_payload,
)

SIGNALS = 300
T = 638_000_000_000_000_000
U32 = st.integers(0, 2**32 - 1)

some_ticks = st.one_of(
    st.integers(T, T + 50).map(lambda step: T + (step - T) * 333_333),
    st.integers(-70_000, 70_000).map(lambda milliseconds: T + milliseconds * 10_000),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]),
)
measurements = st.tuples(
    st.one_of(st.integers(0, 5), st.integers(0, SIGNALS - 1)),
    some_ticks,
    st.one_of(st.just(0), st.sampled_from([1, 2, 0x1003, 0x80000000]), U32),
    st.one_of(st.integers(0, 3), U32, st.sampled_from([0x7F800001, 0x80000000])),
)
time_formats = st.builds(TimeFormat, include_time=st.booleans(), milliseconds=st.booleans())
some_base = st.one_of(st.just(0), st.just(T), st.integers(-5, 2**63 - 1))
base_times = st.none() | st.builds(BaseTimes, active=st.integers(0, 1), times=st.tuples(some_base, some_base))


def _columns(rows: list[tuple[int, int, int, int]]) -> Columns:
    index, ticks, flags, bits = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Columns(
        np.array(index, np.int32), np.array(ticks, np.int64), np.array(flags, np.uint32),
        np.array(bits, np.uint32).view(np.float32),
    )  # fmt: skip


def _bits(columns: Columns) -> list[bytes]:
    return [np.ascontiguousarray(column).tobytes() for column in columns]


def _decoder(signals: int = SIGNALS) -> TsscDecoder:
    return TsscDecoder(signal_indexes=np.ones(signals, np.bool_))


@given(st.lists(st.lists(measurements, max_size=60), max_size=6), st.integers(100, 600))
def test_tssc_loses_nothing(batches: list[list[tuple[int, int, int, int]]], block_size: int) -> None:
    encoder, decoder = TsscEncoder(block_size=block_size), _decoder()
    expected = 0
    for batch in map(_columns, batches):
        blocks = encoder.encode(batch)
        assert [block.sequence for block in blocks] == list(range(expected, expected + len(blocks)))
        assert all(len(block.block) <= block_size for block in blocks)
        parts = [decoder.decode(block.block, sequence=block.sequence, count=block.count) for block in blocks]
        assert _bits(Columns.concatenate(parts)) == _bits(batch)
        expected += len(blocks)


@given(st.lists(measurements, min_size=1, max_size=40), st.data())
def test_tssc_damage_is_an_error_or_measurements(rows: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    (block,) = TsscEncoder().encode(_columns(rows))
    damaged = bytearray(block.block)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    decoder = _decoder()
    try:
        decoded = decoder.decode(damaged, sequence=0, count=block.count)
    except TsscError:
        assert not decoder.synchronised
    else:
        assert len(decoded.ticks) == block.count
        assert decoded.signal_index.max() < SIGNALS
    decoder.decode(block.block, sequence=0, count=block.count)
    assert decoder.expected_sequence == 1


@given(
    st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 3), st.integers(-1, 200)), max_size=8), st.integers(0, 9)
)
def test_tssc_noise(packets: list[tuple[bytes, int, int]], signals: int) -> None:
    decoder = _decoder(signals)
    for block, sequence, count in packets:
        before = decoder.expected_sequence
        try:
            assert len(decoder.decode(block, sequence=sequence, count=count).value) == count
        except OutOfSequence:
            assert decoder.expected_sequence == before
        except TsscError:
            assert decoder.expected_sequence == 0
        else:
            assert decoder.expected_sequence == sequence + 1


@given(st.integers(0, 65_535), st.binary(max_size=50))
def test_tssc_payload_is_as_declared(sequence: int, block: bytes) -> None:
    body = write_tssc_payload(TsscBlock(sequence=sequence, count=1, block=block))
    assert body == TSSC_PAYLOAD.build({"sequence": sequence, "block": block})
    assert read_tssc_payload(body, 1) == TsscBlock(sequence=sequence, count=1, block=block)


def _unpacked(body: bytes, count: int, time_format: TimeFormat) -> list[tuple[int, int, int, int]]:
    """Flags, signal index, bits and time of the measurements, by the declaration."""
    declaration = construct.Struct("all" / construct.Array(count, COMPACT_MEASUREMENT), construct.Terminated)
    records = declaration.parse(body, time_format=time_format).all
    return [(record.flags, record.signal_index, record.value, record.time or 0) for record in records]


def _written_time(ticks: int, time_format: TimeFormat, base_times: BaseTimes | None) -> tuple[int, int]:
    """The flag 0x40, or none, and the number that stands for `ticks` (wire.md 6.2)."""
    if not time_format.include_time:
        return 0, 0
    base = base_times.times[base_times.active] if base_times else 0
    if base > 0 and ticks > base:
        distance = ticks - base
        if time_format.milliseconds and distance / 10_000 < 65_535:
            return 0x40, distance // 10_000
        if not time_format.milliseconds and distance < 2**32 - 1:
            return 0x40, distance
    return 0, ticks % 2**64


@given(st.lists(measurements, max_size=40), time_formats, base_times)
def test_compact_writes_what_is_declared(
    rows: list[tuple[int, int, int, int]], time_format: TimeFormat, base_times: BaseTimes | None
) -> None:
    columns = _columns(rows)
    states = compact.to_compact_flags(columns.flags).tolist()
    index_flag = 0x80 if base_times and base_times.active else 0
    expected = []
    for (index, ticks, _, bits), state in zip(rows, states, strict=True):
        offset, time = _written_time(ticks, time_format, base_times)
        expected.append((state | offset | index_flag, index, bits, time))
    packets = write_compact(columns, time_format, base_times)
    assert [record for count, body in packets for record in _unpacked(body, count, time_format)] == expected


@st.composite
def compact_bodies(draw: st.DrawFn) -> tuple[bytes, int, TimeFormat]:
    """Any measurements by the declaration, of one width more often than not."""
    time_format = draw(time_formats)
    flags = draw(st.sampled_from([st.integers(0, 255), st.integers(0, 63), st.integers(64, 127), st.just(0xC0)]))
    records = []
    for bits in draw(st.lists(flags, max_size=30)):
        full = 64 if time_format.include_time else 0
        offset = (16 if time_format.milliseconds else 32) if time_format.include_time else 0
        time = draw(st.integers(0, 2 ** (offset if bits & 0x40 else full) - 1))
        index = draw(st.integers(0, 2**31 - 1))
        records.append({"flags": bits, "signal_index": index, "value": draw(U32), "time": time})
    body = construct.Array(len(records), COMPACT_MEASUREMENT).build(records, time_format=time_format)
    return body, len(records), time_format


@given(compact_bodies(), base_times)
def test_compact_reads_what_is_declared(
    given_body: tuple[bytes, int, TimeFormat], base_times: BaseTimes | None
) -> None:
    body, count, time_format = given_body
    read = read_compact(body, count, time_format, base_times)
    expected = []
    for flags, index, bits, time in _unpacked(body, count, time_format):
        ticks = time
        if time_format.include_time and flags & 0x40:
            base = base_times.times[flags >> 7] if base_times else 0
            ticks = base + time * (10_000 if time_format.milliseconds else 1) if base > 0 else 0
        expected.append((index, (ticks + 2**63) % 2**64 - 2**63, bits))
    columns = (read.signal_index, read.ticks, read.value.view(np.uint32))
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


@given(compact_bodies(), st.tuples(some_base, some_base))
def test_compact_as_records_and_in_the_loop(given_body: tuple[bytes, int, TimeFormat], bases: tuple[int, int]) -> None:
    body, count, time_format = given_body
    known = (max(bases[0], 0), max(bases[1], 0)) if time_format.include_time else (0, 0)
    looped = compact._from_bytes(body, count, time_format, known)
    records = compact._as_records(body, count, time_format)
    if records is not None:
        assert _bits(compact._from_records(records, time_format, known)) == _bits(looped)
    if count:
        for base, time_index in ((known[0], 0), (known[1], 0x80)):
            packets = compact._through_records(looped, time_format, base, time_index)
            assert packets is None or packets == compact._to_bytes(looped, time_format, base, time_index)


@given(st.binary(max_size=120), st.integers(-1, 12), time_formats, base_times)
def test_compact_noise(body: bytes, count: int, time_format: TimeFormat, base_times: BaseTimes | None) -> None:
    try:
        read = read_compact(body, count, time_format, base_times)
    except MessageError:
        return
    assert [len(column) for column in read] == [count] * 4
    assert [row[1] for row in _unpacked(body, count, time_format)] == read.signal_index.tolist()
