from __future__ import annotations

import hashlib
import json
import os
import random
import tracemalloc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import construct
import numpy as np
import pytest

from codec_loops import ARE_COMPILED, TSSC_LOOPS, with_each
from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import Limits
from sttp.measurement import Columns
from sttp.wire import tssc
from sttp.wire.tssc import (
    BLOCK_SIZE,
    TSSC_PAYLOAD,
    OutOfSequence,
    TsscBlock,
    TsscDecoder,
    TsscEncoder,
    TsscError,
    read_tssc_payload,
    write_tssc_payload,
)

VECTORS = sorted(path for path in (Path(__file__).parent / "vectors" / "tssc").glob("*.json") if path.stem[0].isdigit())
T = 0x08DAA19EA6B30000
ANY_INDEX = Limits(signal_index=2**31 - 1)


@pytest.fixture(params=TSSC_LOOPS, autouse=True)
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with the loops as they are installed and, if these are compiled, uncompiled too."""
    monkeypatch.setattr(tssc, "_tssc", TSSC_LOOPS[request.param])


def _columns(measurements: list[list[int]]) -> Columns:
    index, ticks, flags, bits = zip(*measurements, strict=True) if measurements else ((), (), (), ())
    return Columns(
        np.array(index, np.int32), np.array(ticks, np.int64), np.array(flags, np.uint32),
        np.array(bits, np.uint32).view(np.float32),
    )  # fmt: skip


def _rows(columns: Columns) -> list[list[int]]:
    lists = (columns.signal_index, columns.ticks, columns.flags, columns.value.view(np.uint32))
    return [list(row) for row in zip(*(column.tolist() for column in lists), strict=True)]


def _vector(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _batches(blocks: list[Any]) -> Iterator[list[Any]]:
    """Blocks that the publisher was handed in one batch."""
    batch = []
    for block in blocks:
        batch.append(block)
        if block["why"] == "batch":
            yield batch
            batch = []
    if batch:
        yield batch


def _decoder(signals: int = 10, **given: Any) -> TsscDecoder:
    return TsscDecoder(signal_indexes=np.ones(signals, np.bool_), **given)


def _decode(block: bytes, count: int, signals: int = 10) -> list[list[int]]:
    return _rows(_decoder(signals).decode(block, sequence=0, count=count))


def _seven(value: int, length: int = 0) -> bytes:
    """A 7-bit number, at least `length` bytes long."""
    out = bytearray()
    while len(out) < 8 and (value > 127 or len(out) + 1 < length):
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# A point's first six code words take a byte each, unless they are Value1 to Value3: blocks can be written by hand.
AT_T = b"\x11" + _seven(T)
VALUE = b"\x1f\x00\x00\xc0\x3f"  # 1.5
ONE_AND_A_HALF = 0x3FC00000


# what the peers write


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vectors_are_encoded_to_the_bit(path: Path) -> None:
    vector = _vector(path)
    encoded = hashlib.sha256()
    encoder = TsscEncoder(block_size=vector["buffer_length"], limits=ANY_INDEX)
    for batch in _batches(vector["blocks"]):
        if batch[0]["reset"]:
            encoder = TsscEncoder(block_size=vector["buffer_length"], limits=ANY_INDEX)
        blocks = encoder.encode(_columns([row for block in batch for row in block["measurements"]]))
        assert [block.block.hex() for block in blocks] == [block["encoded"] for block in batch]
        assert [block.count for block in blocks] == [block["count"] for block in batch]
        for block in blocks:
            encoded.update(block.block)
    assert encoded.hexdigest() == vector["encoded_sha256"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vectors_are_decoded_to_the_bit(path: Path) -> None:
    vector = _vector(path)
    decoded = hashlib.sha256()
    decoder = _decoder(1 + max(row[0] for block in vector["blocks"] for row in block["measurements"]))
    for sequence in range(vector["initial_sequence"]):
        decoder.decode(b"", sequence=sequence, count=0)
    for block in vector["blocks"]:
        payload = bytes.fromhex(block["header"] + block["encoded"])
        read = read_tssc_payload(payload[5:], int.from_bytes(payload[1:5], "big"))
        assert (read.sequence, read.count) == (block["sequence"], block["count"])
        columns = decoder.decode(read.block, sequence=read.sequence, count=read.count)
        assert [column.dtype for column in columns] == [np.int32, np.int64, np.uint32, np.float32]
        assert _rows(columns) == block["measurements"]
        for index, ticks, flags, bits in _rows(columns):
            decoded.update(index.to_bytes(4, "little") + ticks.to_bytes(8, "little", signed=True))
            decoded.update(flags.to_bytes(4, "little") + bits.to_bytes(4, "little"))
    assert decoded.hexdigest() == vector["measurements_sha256"]


def test_the_trace_both_ways() -> None:
    trace = _vector(VECTORS[0].with_name("trace-example.json"))
    encoder, decoder = TsscEncoder(), _decoder()
    for sequence, traced in enumerate(trace["blocks"]):
        measurements = [step["m"] for step in traced["measurements"]]
        (block,) = encoder.encode(_columns(measurements))
        assert block == TsscBlock(sequence=sequence, count=len(measurements), block=bytes.fromhex(traced["encoded"]))
        assert _rows(decoder.decode(block.block, sequence=sequence, count=block.count)) == measurements


def test_the_worked_blocks() -> None:
    """wire.md A.7."""
    batches = [
        [[0, T, 0, 0x426FCCCD], [1, T, 0, 0x3FC00000]],
        [[0, T + 333333, 0, 0x426FCCCD], [1, T + 333333, 2, 0x3FC00000]],
    ]
    written = [
        "11 80 80 CC B5 EA B3 A8 ED 08 1F CD CC 6F 42 1F 00 00 C0 3F",
        "01 21 18 95 AC 2C 9C 02 00",
    ]
    encoder, decoder = TsscEncoder(), _decoder(2)
    for sequence, (batch, block) in enumerate(zip(batches, written, strict=True)):
        expected = TsscBlock(sequence=sequence, count=2, block=bytes.fromhex(block))
        assert encoder.encode(_columns(batch)) == [expected]
        assert _rows(decoder.decode(expected.block, sequence=sequence, count=2)) == batch


# the payload around a block


def test_the_worked_packet() -> None:
    """wire.md 6.4."""
    body = bytes.fromhex("55 00 00 11 80 80 CC B5 EA B3 A8 ED 08 1F CD CC 6F 42 1F 00 00 C0 3F")
    block = read_tssc_payload(memoryview(body), 2)
    assert block == TsscBlock(sequence=0, count=2, block=body[3:])
    assert write_tssc_payload(block) == body


@pytest.mark.parametrize("body", [b"\x55\x00\x00", b"\x55\xff\xffblock", b"\x55\x00\x01\x00"])
def test_the_payload_is_as_declared(body: bytes) -> None:
    declared = TSSC_PAYLOAD.parse(body)
    read = read_tssc_payload(body, 7)
    assert (read.sequence, read.block, read.count) == (declared.sequence, declared.block, 7)
    assert write_tssc_payload(read) == TSSC_PAYLOAD.build({"sequence": read.sequence, "block": read.block}) == body


@pytest.mark.parametrize("body", [b"", b"\x55", b"\x55\x00", b"\x54\x00\x00", b"\x00\x00\x00block"])
def test_payloads_that_cannot_be(body: bytes) -> None:
    with pytest.raises(construct.ConstructError):
        TSSC_PAYLOAD.parse(body)
    with pytest.raises(TsscError):
        read_tssc_payload(body, 0)


# sequence numbers and blocks


def test_nothing_for_an_empty_batch() -> None:
    encoder = TsscEncoder()
    assert encoder.encode(Columns.empty()) == []
    assert encoder.encode(_columns([[0, T, 0, 1]]))[0].sequence == 0


def test_one_follows_on_65535() -> None:
    encoder, decoder = TsscEncoder(), _decoder(1)
    columns = _columns([[0, T, 0, 1]])
    sequences = []
    for _ in range(65_538):
        (block,) = encoder.encode(columns)
        assert decoder.expected_sequence == block.sequence
        decoder.decode(block.block, sequence=block.sequence, count=1)
        sequences.append(block.sequence)
    assert sequences == [*range(65_536), 1, 2]


def test_a_new_encoder_is_a_reset() -> None:
    columns = _columns([[3, T, 1, 5], [4, T, 1, 6]])
    decoder = _decoder()
    for _ in range(2):
        (block,) = TsscEncoder().encode(columns)
        assert _rows(decoder.decode(block.block, sequence=0, count=2)) == _rows(columns)
    assert decoder.expected_sequence == 1


def test_small_blocks_share_memory_and_no_measurement() -> None:
    encoder, decoder = TsscEncoder(), _decoder(100)
    kept = []
    for number in [0, 1, 3, 60, 64, 65, 100, 0, 1, 64, 64, 64, 64, 1, 2]:
        rows = [[index, T + index, number, index] for index in range(number)]
        (block,) = encoder.encode(_columns(rows)) or [None]
        if block is not None:
            kept.append((decoder.decode(block.block, sequence=block.sequence, count=number), rows))
    for columns, rows in kept:
        assert _rows(columns) == rows
    for columns, rows in kept:
        columns.ticks[:] = len(rows)
    for columns, rows in kept:
        assert set(columns.ticks.tolist()) == {len(rows)}
        assert all(column.flags.c_contiguous and column.flags.writeable for column in columns)


def test_of_a_large_block_a_decoder_keeps_nothing() -> None:
    """Otherwise each connection would hold megabytes until its next block."""
    (block,) = TsscEncoder().encode(_columns([[index % 10, T, 0, 0] for index in range(5000)]))
    decoder = _decoder()
    columns = decoder.decode(block.block, sequence=0, count=5000)
    memory = [weakref.ref(column) for column in columns]
    assert all(each() is not None for each in memory)
    del columns
    assert [each() for each in memory] == [None] * 4


def test_of_a_damaged_block_a_decoder_keeps_nothing() -> None:
    (block,) = TsscEncoder().encode(_columns([[index % 10, T, 0, 0] for index in range(50_000)]))
    decoder = _decoder()
    tracemalloc.start()
    try:
        with pytest.raises(TsscError):
            decoder.decode(block.block[:-1], sequence=0, count=50_000)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most > 20 * 50_000
    assert kept < 300_000, "a point takes 64 bytes, and each measurement might have been one"


def test_after_a_large_block_and_after_damage_others_are_read_as_ever() -> None:
    encoder, decoder = TsscEncoder(), _decoder()
    for count in (1, 5000, 0, 3, 5000, 70, 1):
        rows = [[index % 10, T + index, 0, 7 * index] for index in range(count)]
        for block in encoder.encode(_columns(rows)):
            columns = decoder.decode(block.block, sequence=block.sequence, count=block.count)
            assert _rows(columns) == rows[: block.count]
            rows = rows[block.count :]
        assert rows == []
    with pytest.raises(TsscError):
        decoder.decode(b"\xff", sequence=decoder.expected_sequence, count=3)
    assert _rows(decoder.decode(b"", sequence=0, count=0)) == []
    assert decoder.expected_sequence == 1


def test_a_block_that_is_damaged_leaves_what_was_decoded_before_as_it_is() -> None:
    rows = [[index, T, 0, index] for index in range(4)]
    (block,) = TsscEncoder().encode(_columns(rows))
    decoder = _decoder()
    before = decoder.decode(block.block, sequence=0, count=4)
    with pytest.raises(TsscError):
        decoder.decode(block.block[:-3], sequence=1, count=4)
    after = decoder.decode(block.block, sequence=0, count=4)
    assert _rows(before) == _rows(after) == rows


def test_a_wrong_sequence_changes_nothing() -> None:
    encoder, decoder = TsscEncoder(), _decoder()
    blocks = [encoder.encode(_columns([[index, T + index, 0, index]]))[0] for index in range(3)]
    assert not decoder.synchronised
    with pytest.raises(OutOfSequence) as caught:
        decoder.decode(blocks[1].block, sequence=1, count=1)
    assert (caught.value.expected, caught.value.got) == (0, 1)
    decoder.decode(blocks[0].block, sequence=0, count=1)
    for wrong in (2, 65_535):
        with pytest.raises(OutOfSequence):
            decoder.decode(blocks[2].block, sequence=wrong, count=1)
    assert decoder.synchronised
    assert decoder.expected_sequence == 1
    for block in blocks[1:]:
        assert _rows(decoder.decode(block.block, sequence=block.sequence, count=1))[0][0] == block.sequence


def test_blocks_end_where_fewer_than_100_bytes_are_left() -> None:
    random_bits = random.Random(1)
    columns = _columns([[index % 50, T, 0, random_bits.getrandbits(32)] for index in range(20_000)])
    blocks = TsscEncoder().encode(columns)
    assert [block.sequence for block in blocks] == list(range(len(blocks)))
    assert sum(block.count for block in blocks) == 20_000
    for block in blocks[:-1]:
        assert BLOCK_SIZE - 100 < len(block.block) <= BLOCK_SIZE
    decoder = _decoder(50)
    parts = [decoder.decode(block.block, sequence=block.sequence, count=block.count) for block in blocks]
    assert _rows(Columns.concatenate(parts)) == _rows(columns)


def test_what_an_encoder_refuses() -> None:
    with pytest.raises(UsageError):
        TsscEncoder(block_size=99)
    assert len(TsscEncoder(block_size=100).encode(_columns([[0, T, 0, 1]] * 3))) > 1
    encoder = TsscEncoder()
    with pytest.raises(UsageError):
        encoder.encode(_columns([[0, T, 0, 1], [-1, T, 0, 1]]))
    assert encoder.encode(_columns([[0, T, 0, 1]])) == TsscEncoder().encode(_columns([[0, T, 0, 1]]))


def test_an_encoder_takes_no_memory_for_an_index_beyond_the_limit() -> None:
    encoder = TsscEncoder(limits=Limits(signal_index=1000))
    ((_, before),) = [(block.count, block.block) for block in TsscEncoder().encode(_columns([[1000, T, 0, 1]]))]
    for index in (1001, 2**31 - 1):
        with pytest.raises(UsageError, match=f"{index}, where 1000 is the largest"):
            encoder.encode(_columns([[0, T, 0, 1], [index, T, 0, 1]]))
    with pytest.raises(UsageError):
        TsscEncoder().encode(_columns([[Limits().signal_index + 1, T, 0, 1]]))
    assert [block.block for block in encoder.encode(_columns([[1000, T, 0, 1]]))] == [before]
    assert len(encoder._points.slots) == 1001


@pytest.mark.parametrize("block_size", [100, 101, 103, 110, 133])
def test_runs_of_values_that_stay_end_where_a_block_is_full(block_size: int) -> None:
    """Constant values have a bit each; whatever begins in a block is the same as one measurement at a time."""
    frames = [[index, T + frame * 333_333, 0, 7] for frame in range(60) for index in range(41)]
    columns = _columns(frames)
    encoder = TsscEncoder(block_size=block_size)
    blocks = encoder.encode(columns)
    decoder = _decoder(41)
    parts = [decoder.decode(block.block, sequence=block.sequence, count=block.count) for block in blocks]
    assert _rows(Columns.concatenate(parts)) == frames
    assert max(len(block.block) for block in blocks) <= block_size
    assert len(blocks) > 3
    # every block but the last begins its last measurement with 100 bytes left, and could not begin another
    for block in blocks[:-1]:
        assert block_size - len(block.block) < 100
    # the same blocks come from batches that end where they end
    again, start = TsscEncoder(block_size=block_size), 0
    for block in blocks:
        assert again.encode(columns.select(slice(start, start + block.count))) == [block]
        start += block.count


def test_columns_need_not_be_contiguous() -> None:
    columns = _columns([[index, T + index, index, index] for index in range(20)])
    assert TsscEncoder().encode(columns.select(slice(None, None, 2))) == TsscEncoder().encode(
        _columns(_rows(columns)[::2])
    )


# the ten rules of tssc.md 11


def test_rule_1_truncated_blocks() -> None:
    for path in VECTORS:
        block = _vector(path)["blocks"][0]
        encoded = bytes.fromhex(block["encoded"])
        signals = 1 + max(row[0] for row in block["measurements"])
        for cut in range(min(len(encoded), 300)) if signals < 10_000 else (1, len(encoded) // 2, len(encoded) - 1):
            with pytest.raises(TsscError):
                _decode(encoded[:cut], block["count"], signals)


@pytest.mark.parametrize(
    "block",
    [
        b"\x07\x01\x00\x00\x00" + b"\x07\x01\x00\x00\x00" + VALUE,
        b"\x07\x01\x00\x00\x00" + b"\x00",
        AT_T + AT_T + VALUE,
        AT_T + b"\x08" + VALUE,
        AT_T + b"\x07\x01\x00\x00\x00" + VALUE,
        AT_T + b"\x00",
        b"\x13\x01" + b"\x13\x02" + VALUE,
        b"\x13\x01" + b"\x12" + VALUE,
        b"\x13\x01" + AT_T + VALUE,
        b"\x13\x01" + b"\x07\x01\x00\x00\x00" + VALUE,
        b"\x13\x01" + b"\x00",
    ],
)
def test_rule_2_codes_out_of_order(block: bytes) -> None:
    with pytest.raises(TsscError, match="may not stand"):
        _decode(block, 1)


@pytest.mark.parametrize("index", [5, 11, 2**20, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("between", [b"", AT_T, b"\x13\x01"])
def test_rule_3_signal_indexes_that_the_cache_does_not_name(index: int, between: bytes) -> None:
    present = np.ones(11, np.bool_)
    present[5] = False
    decoder = TsscDecoder(signal_indexes=present)
    block = b"\x07" + index.to_bytes(4, "little") + between + VALUE
    with pytest.raises(TsscError, match="not in the signal index cache"):
        decoder.decode(block, sequence=0, count=1)
    assert len(decoder._points.rows) == 2 * 64


def test_rule_3_memory_grows_with_the_points_that_turn_up() -> None:
    decoder = _decoder(2**20)
    for sequence, index in enumerate([2**20 - 1, 5, 700_000]):
        (block,) = TsscEncoder().encode(_columns([[index, T, 0, 1]]))
        decoder.decode(block.block, sequence=0, count=1)
        assert len(decoder._points.rows) <= 64 * 2 * (sequence + 2)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 100])
def test_rule_4_another_count_than_announced(count: int) -> None:
    with pytest.raises(TsscError, match="announced"):
        _decode(AT_T + VALUE + VALUE, count)


@pytest.mark.parametrize("count", [-1, -(2**31), 121])
def test_rule_4_a_count_that_cannot_be(count: int) -> None:
    with pytest.raises(TsscError, match="cannot hold"):
        _decode(AT_T + VALUE, count)


def test_rule_4_a_count_beyond_the_limit() -> None:
    decoder = _decoder(limits=Limits(packet_measurements=1))
    decoder.decode(AT_T + VALUE, sequence=0, count=1)
    with pytest.raises(LimitError) as caught:
        decoder.decode(VALUE + VALUE, sequence=1, count=2)
    assert caught.value.limit == "packet_measurements"
    assert not decoder.synchronised
    with pytest.raises(LimitError):
        _decoder().decode(b"\xff" * 2**16, sequence=0, count=2**31 - 1)


def test_what_cannot_be_is_refused_before_memory_is_taken() -> None:
    decoder, encoder = _decoder(), TsscEncoder()
    block = bytes(32_768)
    far = b"\x07\xff\xff\xff\x7f"  # PointIDXOR32: signal index 2 147 483 647
    tracemalloc.start()
    try:
        for count in (2**31 - 1, 2**32 - 1):
            with pytest.raises(LimitError):
                decoder.decode(block, sequence=0, count=count)
        with pytest.raises(TsscError, match="cannot hold"):
            decoder.decode(b"", sequence=0, count=2**18)
        with pytest.raises(TsscError, match="not in the signal index cache"):
            decoder.decode(far, sequence=0, count=1)
        with pytest.raises(OutOfSequence):
            decoder.decode(block, sequence=9, count=2**18)
        with pytest.raises(UsageError):
            encoder.encode(_columns([[2**31 - 1, T, 0, 1]]))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_rule_5_after_damage_only_sequence_0() -> None:
    encoder, decoder = TsscEncoder(), _decoder()
    blocks = [encoder.encode(_columns([[1, T + step, 0, step]]))[0] for step in range(3)]
    decoder.decode(blocks[0].block, sequence=0, count=1)
    with pytest.raises(TsscError):
        decoder.decode(blocks[1].block, sequence=1, count=2)
    assert not decoder.synchronised
    assert decoder.expected_sequence == 0
    for sequence in (1, 2, 65_535):
        with pytest.raises(OutOfSequence):
            decoder.decode(blocks[1].block, sequence=sequence, count=1)
    for block in blocks:
        decoder.decode(block.block, sequence=block.sequence, count=1)
    assert decoder.synchronised


def test_rule_5_a_damaged_reset_is_no_reset() -> None:
    decoder = _decoder()
    decoder.decode(AT_T + VALUE, sequence=0, count=1)
    with pytest.raises(TsscError):
        decoder.decode(AT_T, sequence=0, count=1)
    with pytest.raises(OutOfSequence):
        decoder.decode(VALUE, sequence=1, count=1)


def test_rule_6_no_bytes() -> None:
    decoder = _decoder()
    assert _rows(decoder.decode(b"", sequence=0, count=0)) == []
    assert _rows(decoder.decode(AT_T + VALUE, sequence=1, count=1)) == [[0, T, 0, ONE_AND_A_HALF]]
    assert _rows(decoder.decode(b"", sequence=2, count=0)) == []
    assert _rows(decoder.decode(VALUE, sequence=3, count=1)) == [[1, T, 0, ONE_AND_A_HALF]]


@pytest.mark.parametrize("length", range(1, 10))
def test_rule_7_overlong_times(length: int) -> None:
    assert _decode(b"\x11" + _seven(5, length) + VALUE, 1) == [[0, 5, 0, ONE_AND_A_HALF]]


@pytest.mark.parametrize("ninth", [0, 1, 0x7F, 0x80, 0xFF])
def test_rule_7_the_ninth_byte_is_whole(ninth: int) -> None:
    bits = 5 | ninth << 56
    ticks = bits - (bits >> 63 << 64)
    assert _decode(b"\x11" + _seven(bits, 9) + VALUE, 1) == [[0, ticks, 0, ONE_AND_A_HALF]]


@pytest.mark.parametrize("fifth", [0x01, 0x0F, 0x10, 0x7F, 0x81, 0xFF])
def test_rule_7_high_bits_of_the_fifth_byte_are_ignored(fifth: int) -> None:
    block = b"\x13\x85\x80\x80\x80" + bytes([fifth]) + VALUE
    assert _decode(block, 1) == [[0, 0, 5 | (fifth & 0xF) << 28, ONE_AND_A_HALF]]


def test_rule_8_choices_that_no_encoder_makes() -> None:
    # 0001 0100: Value1 in its long form
    assert _decode(AT_T + b"\x14", 1) == [[0, T, 0, 0]]
    # an index difference of zero; every value in 4 bytes; a time, then the same time
    assert _decode(b"\x07\x00\x00\x00\x00" + AT_T + VALUE, 1) == [[0, T, 0, ONE_AND_A_HALF]]
    assert _decode(b"\x1f\x01\x00\x00\x00" + b"\x11\x00" + b"\x1f\x00\x00\x00\x00", 2) == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert _decode(b"\x10" + b"\x12" + b"\x17", 1) == [[0, 0, 0, 0]]


def test_rule_8_such_choices_leave_the_state_as_if_made_by_an_encoder() -> None:
    decoder = _decoder()
    decoder.decode(b"\x07\x00\x00\x00\x00" + AT_T + VALUE, sequence=0, count=1)
    assert _rows(decoder.decode(VALUE, sequence=1, count=1)) == [[1, T, 0, ONE_AND_A_HALF]]


def test_rule_9_bytes_behind_the_end_code() -> None:
    for junk in (b"", b"\x00", b"\xff" * 40):
        assert _decode(AT_T + VALUE + b"\x00" + junk, 1) == [[0, T, 0, ONE_AND_A_HALF]]


EDGES = [0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63), T, T - 2**63]


def test_rule_10_times_wrap_around() -> None:
    order = random.Random(2)
    times = [order.choice(EDGES) + order.choice([0, 1, -1, 333_333]) for _ in range(400)]
    times = [*EDGES, *((time + 2**63) % 2**64 - 2**63 for time in times)]
    columns = _columns([[step % 3, ticks, 0, 7] for step, ticks in enumerate(times)])
    (block,) = TsscEncoder().encode(columns)
    assert _rows(_decoder().decode(block.block, sequence=0, count=block.count)) == _rows(columns)


def test_rule_10_a_step_of_the_smallest_number_stays_negative() -> None:
    # from 0 to -2^63; back by the step just learned, which sorts below all others: code 8, TimeDelta1Forward
    block = b"\x11" + _seven(2**63) + VALUE + b"\x08" + VALUE
    assert _decode(block, 2) == [[0, -(2**63), 0, ONE_AND_A_HALF], [1, 0, 0, ONE_AND_A_HALF]]


# damage


def _outcome(block: bytes, count: int, signals: int) -> str | list[list[int]]:
    try:
        return _decode(block, count, signals)
    except MessageError as error:
        return str(error)


@pytest.mark.parametrize("name", ["01-constant", "04-special-values", "07-flags-changing", "10-jitter"])
def test_every_flipped_bit_gives_measurements_or_an_error(name: str) -> None:
    block = _vector(VECTORS[0].with_name(f"{name}.json"))["blocks"][0]
    encoded = bytes.fromhex(block["encoded"])
    for bit in range(8 * min(len(encoded), 200)):
        damaged = bytearray(encoded)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        first, *others = with_each(lambda damaged=bytes(damaged): _outcome(damaged, block["count"], 12))
        assert all(outcome == first for outcome in others)
        assert isinstance(first, str) or len(first) == block["count"]


def test_random_bytes_give_measurements_or_an_error() -> None:
    noise = random.Random(3)
    for _ in range(1500):
        block = noise.randbytes(noise.randrange(60))
        outcome = _outcome(block, count := noise.randrange(1 + len(block)), noise.choice([0, 1, 5, 300]))
        assert isinstance(outcome, str) or len(outcome) == count


# compiled


@pytest.mark.skipif(os.environ.get("STTP_REQUIRE_EXTENSION") != "1", reason="compiled loops are not required here")
def test_the_loops_are_compiled_where_they_must_be() -> None:
    assert ARE_COMPILED


def test_columns_that_may_not_be_written_to_are_encoded_all_the_same() -> None:
    columns = Columns(*(column.copy() for column in Columns.empty(5)))
    expected = TsscEncoder().encode(columns)
    for column in columns:
        column.flags.writeable = False
    assert TsscEncoder().encode(columns) == expected
