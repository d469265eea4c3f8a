from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.codes import ModeFlags, OperationalModes, TextEncoding
from sttp.errors import LimitError, MessageError, ProtocolError, UsageError
from sttp.limits import Limits
from sttp.measurement import Signal, SignalTable
from sttp.tolerances import STRICT
from sttp.wire.fields import deflate, is_gzip
from sttp.wire.responses import UpdateSignalIndexCache, write_response
from sttp.wire.signal_index_cache import (
    SIGNAL_INDEX_CACHE,
    SignalIndexCache,
    _split_keys,
    check_keys,
    read_signal_index_cache,
    write_signal_index_cache,
)

PLAIN = OperationalModes(flags=ModeFlags(0))
COMPRESSED = OperationalModes()

G1 = UUID("00112233-4455-6677-8899-aabbccddeeff")
G2 = UUID("38a47b00-f10b-4143-9a0a-0dbc4ffef1e8")
SUBSCRIBER = UUID("0f0e0d0c-0b0a-0908-0706-050403020100")


def table(**signal_ids: UUID) -> SignalTable:
    """Signals numbered from 0, by key; no tags, because the wire knows none."""
    ids = np.frombuffer(b"".join(each.bytes for each in signal_ids.values()), np.uint8).reshape(-1, 16)
    return SignalTable(ids, tuple(signal_ids))


TWO = SignalIndexCache(subscriber_id=SUBSCRIBER, signals=table(**{"PPA:1": G1, "PPA:2": G2}))
TWO_IMAGE = bytes.fromhex(
    "00000062 0F0E0D0C0B0A09080706050403020100 00000002"
    "00000000 00112233445566778899AABBCCDDEEFF 00000003 505041 0000000000000001"
    "00000001 38A47B00F10B41439A0A0DBC4FFEF1E8 00000003 505041 0000000000000002"
    "00000000"
)
NONE = SignalIndexCache(subscriber_id=SUBSCRIBER, signals=SignalTable.of(()), unauthorised=(G1,))
NONE_IMAGE = bytes.fromhex(
    "0000002C 0F0E0D0C0B0A09080706050403020100 00000000 00000001 00112233445566778899AABBCCDDEEFF"
)


def image_of(
    *references: tuple[int, UUID, bytes, int], unauthorised: bytes = bytes(4), size: int | None = None
) -> bytes:
    body = b"".join(
        (
            SUBSCRIBER.bytes,
            struct.pack(">i", len(references)),
            *(
                struct.pack(">i16si", index, signal_id.bytes, len(source)) + source + struct.pack(">Q", number)
                for index, signal_id, source, number in references
            ),
            unauthorised,
        )
    )
    return struct.pack(">i", 4 + len(body) if size is None else size) + body


def tables(count: int, sources: tuple[str, ...]) -> SignalTable:
    ids = np.zeros((count, 16), np.uint8)
    ids[:, 12:] = np.arange(1, count + 1, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return SignalTable(ids, tuple(f"{sources[index % len(sources)]}:{index}" for index in range(count)))


@pytest.mark.parametrize(("cache", "image"), [(TWO, TWO_IMAGE), (NONE, NONE_IMAGE)])
def test_worked_examples_both_ways(cache: SignalIndexCache, image: bytes) -> None:
    assert write_signal_index_cache(cache, PLAIN) == image
    assert read_signal_index_cache(image, PLAIN) == cache
    assert read_signal_index_cache(memoryview(image), PLAIN, tolerances=STRICT) == cache
    assert SIGNAL_INDEX_CACHE.build(SIGNAL_INDEX_CACHE.parse(image)) == image


def test_worked_example_as_a_frame() -> None:
    update = UpdateSignalIndexCache(cache_index=0, image=write_signal_index_cache(TWO, PLAIN))
    assert write_response(update, PLAIN) == bytes.fromhex("00000069 83 02 00000063 00") + TWO_IMAGE


def test_compression_follows_the_session() -> None:
    image = write_signal_index_cache(TWO, COMPRESSED)
    assert is_gzip(image)
    assert read_signal_index_cache(image, COMPRESSED, tolerances=STRICT) == TWO


@pytest.mark.parametrize(("image", "modes"), [(TWO_IMAGE, COMPRESSED), (deflate(TWO_IMAGE), PLAIN)])
def test_compression_against_what_was_negotiated_is_a_tolerance(image: bytes, modes: OperationalModes) -> None:
    assert read_signal_index_cache(image, modes) == TWO
    with pytest.raises(MessageError) as caught:
        read_signal_index_cache(image, modes, tolerances=STRICT)
    assert caught.value.clause == "3.2"


@pytest.mark.parametrize("image", [TWO_IMAGE, NONE_IMAGE])
def test_every_cut_is_noticed(image: bytes) -> None:
    for cut in range(1, len(image)):
        with pytest.raises(MessageError):
            read_signal_index_cache(image[:cut], PLAIN)
    compressed = deflate(image)
    for cut in range(1, len(compressed)):
        with pytest.raises(MessageError):
            read_signal_index_cache(compressed[:cut], PLAIN)


def test_order_and_gaps_are_free() -> None:
    image = image_of((7, G2, b"B", 2), (3, G1, b"A", 1))
    signals = read_signal_index_cache(image, PLAIN).signals
    assert len(signals) == 8
    assert [index for index in range(8) if signals.has(index)] == [3, 7]
    assert (signals[3], signals[7]) == (Signal(signal_id=G1, key="A:1"), Signal(signal_id=G2, key="B:2"))
    # written in the order of the index, without the holes
    again = write_signal_index_cache(read_signal_index_cache(image, PLAIN), PLAIN)
    assert again == image_of((3, G1, b"A", 1), (7, G2, b"B", 2))


@pytest.mark.parametrize(
    "references",
    [
        [(0, G1, b"A", 1), (1, G2, b"BB", 2)],
        [(0, G1, b"", 1), (1, G2, b"A", 2)],
        [(0, G1, b"A", 1), (1, G2, b"", 2)],
        [(0, G1, b"A", 0), (1, G2, b"", 0)],
    ],
)
def test_sources_of_different_length(references: list[tuple[int, UUID, bytes, int]]) -> None:
    image = image_of(*references)
    cache = read_signal_index_cache(image, PLAIN)
    expected = [f"{source.decode()}:{number}" if source or number else "" for _, _, source, number in references]
    assert [signal.key for signal in cache.signals] == expected
    assert write_signal_index_cache(cache, PLAIN) == image


@pytest.mark.parametrize("encoding", list(TextEncoding))
def test_sources_follow_the_session(encoding: TextEncoding) -> None:
    modes = OperationalModes(encoding=encoding, flags=ModeFlags(0))
    cache = replace(TWO, signals=table(**{"Zürich:A:18446744073709551615": G1}))
    image = write_signal_index_cache(cache, modes)
    assert "Zürich:A".encode(encoding.codec) in image
    assert read_signal_index_cache(image, modes) == cache


def test_a_source_that_is_not_valid_text_spoils_only_its_key() -> None:
    signals = read_signal_index_cache(image_of((0, G1, b"\xff", 1)), PLAIN).signals
    assert signals[0].key == "\N{REPLACEMENT CHARACTER}:1"


def test_without_keys() -> None:
    cache = replace(TWO, signals=SignalTable(TWO.signals.ids))
    found = read_signal_index_cache(write_signal_index_cache(cache, PLAIN), PLAIN)
    assert [signal.key for signal in found.signals] == ["", ""]


@pytest.mark.parametrize(
    "image",
    [
        image_of((0, G1, b"A", 1), (0, G2, b"A", 2)),
        image_of((-1, G1, b"A", 1)),
        image_of((0, G1, b"A", 1), unauthorised=b"\xff\xff\xff\xff"),
        image_of((0, G1, b"A", 1), unauthorised=b"\0\0\0\1"),
        image_of((0, G1, b"A", 1), unauthorised=b"\0\0"),
        image_of((0, G1, b"A", 1), size=-1),
        image_of((0, G1, b"A", 1), size=28),
        image_of((0, G1, b"A", 1), size=62),
        TWO_IMAGE[:20] + b"\x7f\xff\xff\xff" + TWO_IMAGE[24:],  # references
        TWO_IMAGE[:20] + b"\xff\xff\xff\xff" + TWO_IMAGE[24:],
        TWO_IMAGE[:20] + b"\x00\x00\x00\x03" + TWO_IMAGE[24:],
        TWO_IMAGE[:44] + b"\x7f\xff\xff\xff" + TWO_IMAGE[48:],  # length of the first source
        TWO_IMAGE[:44] + b"\xff\xff\xff\xff" + TWO_IMAGE[48:],
        TWO_IMAGE[:79] + b"\x7f\xff\xff\xff" + TWO_IMAGE[83:],  # of the second
        TWO_IMAGE[:79] + b"\xff\xff\xff\xfd" + TWO_IMAGE[83:],
    ],
)
def test_what_cannot_be(image: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        read_signal_index_cache(image, PLAIN)
    assert caught.value.clause == "5.2"


def test_limits() -> None:
    limits = Limits(signal_index=5)
    assert len(read_signal_index_cache(image_of((5, G1, b"A", 1)), PLAIN, limits).signals) == 6
    too_many = [(index, UUID(int=index + 1), b"A", index) for index in range(7)]
    for image in (image_of((6, G1, b"A", 1)), image_of((2**31 - 1, G1, b"A", 1)), image_of(*too_many)):
        with pytest.raises(LimitError) as caught:
            read_signal_index_cache(image, PLAIN, limits)
        assert caught.value.limit == "signal_index"
    for image in (TWO_IMAGE, deflate(TWO_IMAGE)):
        with pytest.raises(LimitError) as caught:
            read_signal_index_cache(image, PLAIN, Limits(signal_index_cache=97))
        assert caught.value.limit == "signal_index_cache"


def test_missing_list_of_unauthorised_signals_is_a_tolerance() -> None:
    image = image_of((0, G1, b"", 0), unauthorised=b"")
    assert read_signal_index_cache(image, PLAIN).unauthorised == ()
    with pytest.raises(MessageError):
        read_signal_index_cache(image, PLAIN, tolerances=STRICT)


def test_size_without_itself_is_a_tolerance() -> None:
    image = image_of((0, G1, b"A", 1), size=57)
    assert read_signal_index_cache(image, PLAIN).signals[0].key == "A:1"
    with pytest.raises(MessageError):
        read_signal_index_cache(image, PLAIN, tolerances=STRICT)


def test_empty_image_is_a_tolerance() -> None:
    assert len(read_signal_index_cache(b"", COMPRESSED).signals) == 0
    with pytest.raises(MessageError):
        read_signal_index_cache(b"", PLAIN, tolerances=STRICT)


def test_trailing_bytes_are_a_tolerance() -> None:
    assert read_signal_index_cache(TWO_IMAGE + b"more", PLAIN) == TWO
    with pytest.raises(MessageError):
        read_signal_index_cache(TWO_IMAGE + b"more", PLAIN, tolerances=STRICT)


def test_a_hole_has_no_reference() -> None:
    cache = read_signal_index_cache(image_of((0, UUID(int=0), b"A", 1), (1, G1, b"A", 2)), PLAIN)
    assert not cache.signals.has(0)
    assert write_signal_index_cache(cache, PLAIN) == image_of((1, G1, b"A", 2))


@pytest.mark.parametrize("key", ["PPA", "PPA:", "PPA:x", "PPA:-1", "PPA:٣", "PPA:18446744073709551616"])
def test_keys_that_cannot_be_written(key: str) -> None:
    with pytest.raises(UsageError):
        write_signal_index_cache(replace(TWO, signals=table(**{key: G1})), PLAIN)


@pytest.mark.parametrize("sources", [("PPA",), ("PPA", "SHELBY", "")])
def test_many_signals_agree_with_the_declaration(sources: tuple[str, ...]) -> None:
    cache = replace(TWO, signals=tables(2000, sources), unauthorised=(G1, G2))
    image = write_signal_index_cache(cache, PLAIN)
    assert read_signal_index_cache(image, PLAIN) == cache
    declared = SIGNAL_INDEX_CACHE.parse(image)
    assert declared.size == len(image)
    assert [each.signal_index for each in declared.references] == list(range(2000))
    assert [each.signal_id for each in declared.references] == [signal.signal_id for signal in cache.signals]
    assert SIGNAL_INDEX_CACHE.build(declared) == image


def test_any_damaged_byte_raises_only_documented_errors() -> None:
    for position in range(len(TWO_IMAGE)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF):
            image = TWO_IMAGE[:position] + bytes((value,)) + TWO_IMAGE[position + 1 :]
            with suppress(ProtocolError):
                read_signal_index_cache(image, PLAIN)


@given(st.lists(st.text("A:\n1\u0661 ", max_size=6) | st.from_regex(r"\A[A-Z]*:[0-9]{1,22}\Z"), max_size=4))
def test_keys_are_checked_all_at_once_as_they_are_one_by_one(keys: list[str]) -> None:
    def refused(check: Callable[[Sequence[str]], object]) -> bool:
        try:
            check(keys)
        except UsageError:
            return True
        return False

    assert refused(check_keys) == refused(_split_keys)
