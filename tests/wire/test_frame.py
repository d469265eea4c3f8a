from __future__ import annotations

import tracemalloc
from time import perf_counter

import pytest

from sttp.errors import LimitError
from sttp.wire.frame import FRAME, FrameReader, write_frame

UNSUBSCRIBE = bytes.fromhex("00 00 00 01 03")
NOOP = bytes.fromhex("00 00 00 06 FF 02 00 00 00 00")
EMPTY = bytes(4)


def read_all(reader: FrameReader, data: bytes) -> list[bytes]:
    reader.feed(data)
    return [bytes(frame) for frame in reader]


def test_worked_examples_both_ways() -> None:
    assert read_all(FrameReader(100), UNSUBSCRIBE + NOOP) == [UNSUBSCRIBE[4:], NOOP[4:]]
    assert write_frame(b"\x03") == UNSUBSCRIBE
    assert write_frame(NOOP[4:6], memoryview(NOOP)[6:]) == NOOP
    assert FRAME.build({"body": NOOP[4:]}) == NOOP
    assert FRAME.parse(NOOP).body == NOOP[4:]


@pytest.mark.parametrize("cut", range(len(UNSUBSCRIBE + NOOP) + 1))
def test_cut_anywhere_gives_the_same_frames(cut: int) -> None:
    stream = UNSUBSCRIBE + NOOP
    reader = FrameReader(100)
    frames = read_all(reader, stream[:cut])
    complete = sum(end <= cut for end in (len(UNSUBSCRIBE), len(stream)))
    assert len(frames) == complete
    assert reader.pending == cut - (0, len(UNSUBSCRIBE), len(stream))[complete]
    assert frames + read_all(reader, stream[cut:]) == [UNSUBSCRIBE[4:], NOOP[4:]]
    assert reader.pending == 0


def test_byte_by_byte() -> None:
    reader = FrameReader(100)
    stream = NOOP + EMPTY + UNSUBSCRIBE
    assert [frame for byte in stream for frame in read_all(reader, bytes((byte,)))] == [NOOP[4:], UNSUBSCRIBE[4:]]


@pytest.mark.parametrize("cut", range(13))
def test_empty_frames_are_skipped(cut: int) -> None:
    stream = EMPTY + EMPTY + UNSUBSCRIBE
    reader = FrameReader(100)
    assert read_all(reader, stream[:cut]) + read_all(reader, stream[cut:]) == [b"\x03"]


@pytest.mark.parametrize("cut", [4, 5])
def test_limit_counts_the_frame_without_its_header(cut: int) -> None:
    reader = FrameReader(8197, name="first_command")
    accepted = write_frame(bytes(8197))
    assert read_all(reader, accepted[:cut]) + read_all(reader, accepted[cut:]) == [bytes(8197)]
    # the header alone is enough to refuse
    with pytest.raises(LimitError) as caught:
        read_all(reader, (8198).to_bytes(4, "big"))
    assert caught.value.limit == "first_command"
    assert caught.value.clause == "1.4"


def test_limit_is_checked_when_the_header_comes_in_two_parts() -> None:
    reader = FrameReader(100)
    assert read_all(reader, b"\xff\xff") == []
    with pytest.raises(LimitError):
        read_all(reader, b"\xff\xff")


def test_after_a_refusal_there_is_no_way_on() -> None:
    reader = FrameReader(5)
    for data in (NOOP, UNSUBSCRIBE):
        with pytest.raises(LimitError):
            read_all(reader, data)


def test_limit_may_change_between_two_frames() -> None:
    reader = FrameReader(1)
    reader.feed(UNSUBSCRIBE + NOOP)
    frames = iter(reader)
    assert next(frames) == b"\x03"
    reader.limit = 6
    assert [bytes(frame) for frame in frames] == [NOOP[4:]]


def test_frames_within_one_read_are_not_copied() -> None:
    data = bytearray(NOOP + UNSUBSCRIBE)
    reader = FrameReader(100)
    reader.feed(data)
    frames = list(reader)
    assert all(frame.obj is data and frame.readonly for frame in frames)


def test_unfinished_bytes_are_kept_when_the_caller_reuses_its_buffer() -> None:
    buffer = bytearray(NOOP[:7])
    reader = FrameReader(100)
    assert read_all(reader, buffer) == []
    buffer[:] = bytes(7)
    assert read_all(reader, NOOP[7:]) == [NOOP[4:]]


def test_peek_shows_the_beginning_of_an_unfinished_frame() -> None:
    reader = FrameReader(100)
    read_all(reader, UNSUBSCRIBE + NOOP[:7])
    assert reader.peek(5) == NOOP[:5]
    assert reader.peek(100) == NOOP[:7]
    assert read_all(reader, NOOP[7:]) == [NOOP[4:]]
    assert reader.peek(100) == b""


def test_feeding_before_all_frames_are_taken_loses_nothing() -> None:
    reader = FrameReader(100)
    reader.feed(UNSUBSCRIBE + UNSUBSCRIBE)
    assert next(iter(reader)) == b"\x03"
    assert reader.pending == len(UNSUBSCRIBE)
    assert read_all(reader, NOOP) == [b"\x03", NOOP[4:]]


def test_memory_grows_with_what_arrived_not_with_what_is_claimed() -> None:
    reader = FrameReader(2**31)
    tracemalloc.start()
    try:
        assert read_all(reader, (2**31).to_bytes(4, "big") + bytes(1000)) == []
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert reader.pending == 1004


def test_a_frame_in_many_reads_costs_no_more_than_its_length() -> None:
    def seconds(length: int) -> float:
        stream = memoryview(write_frame(bytes(length)))
        reader = FrameReader(length)
        frames = 0
        started = perf_counter()
        for begin in range(0, len(stream), 1024):
            reader.feed(stream[begin : begin + 1024])
            frames += len(list(reader))
        assert frames == 1
        return perf_counter() - started

    # eight times the length is 64 times the time when every read copies what came before
    short = min(seconds(2**20) for _ in range(3))
    assert min(seconds(2**23) for _ in range(3)) < 32 * short
