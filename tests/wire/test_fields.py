from __future__ import annotations

import gzip
import random
import tracemalloc
from uuid import UUID

import pytest

from sttp.codes import OperationalModes, TextEncoding
from sttp.errors import LimitError, MessageError
from sttp.wire.fields import Guid, PrefixedText, Ticks, deflate, inflate, is_gzip

DOCUMENT = b"<DataSet/>" * 100


def test_guid_is_in_rfc_4122_order() -> None:
    guid = UUID("00112233-4455-6677-8899-aabbccddeeff")
    wire = bytes.fromhex("00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF")
    assert Guid.parse(wire) == guid
    assert Guid.build(guid) == wire


def test_ticks_are_signed() -> None:
    assert Ticks.parse(bytes.fromhex("08 DA A1 9E A6 B3 00 00")) == 638_000_000_000_000_000
    assert Ticks.parse(bytes.fromhex("88 DA A1 9E A6 B3 00 00")) < 0


@pytest.mark.parametrize(
    ("encoding", "wire"),
    [
        (TextEncoding.UTF_8, "00 00 00 02 C3 A9"),
        (TextEncoding.UTF_16LE, "00 00 00 02 E9 00"),
        (TextEncoding.UTF_16BE, "00 00 00 02 00 E9"),
    ],
)
def test_prefixed_text_follows_the_session(encoding: TextEncoding, wire: str) -> None:
    modes = OperationalModes(encoding=encoding)
    assert PrefixedText.parse(bytes.fromhex(wire), modes=modes) == "é"
    assert PrefixedText.build("é", modes=modes) == bytes.fromhex(wire)


def test_gzip_both_ways() -> None:
    wire = deflate(DOCUMENT)
    assert is_gzip(wire)
    assert gzip.decompress(wire) == DOCUMENT
    assert inflate(wire, limit=len(DOCUMENT), name="metadata") == DOCUMENT
    assert inflate(memoryview(wire), limit=len(DOCUMENT), name="metadata") == DOCUMENT
    assert deflate(DOCUMENT) == wire, "no clock in it"
    assert len(deflate(DOCUMENT, 9)) <= len(deflate(DOCUMENT, 1))


@pytest.mark.parametrize("document", [b"", b"\x1f", b"<DataSet/>", b"\xef\xbb\xbf<DataSet/>", b"\x8b\x1f"])
def test_without_signature_nothing_happens(document: bytes) -> None:
    assert inflate(document, limit=20, name="metadata") == document


def test_limit_holds_for_both_kinds() -> None:
    for document in (DOCUMENT, deflate(DOCUMENT)):
        with pytest.raises(LimitError) as caught:
            inflate(document, limit=len(DOCUMENT) - 1, name="metadata")
        assert caught.value.limit == "metadata"


def test_a_bomb_takes_no_memory() -> None:
    bomb = deflate(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(LimitError, match="more than the 4000000 bytes accepted"):
            inflate(bomb, limit=4_000_000, name="metadata")
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_nothing_grows_to_more_than_a_hundred_times_its_size() -> None:
    wire = deflate(bytes(20_000_000))
    with pytest.raises(LimitError, match=f"more than the {100 * len(wire)} bytes accepted"):
        inflate(wire, limit=2**30, name="metadata")
    small = bytes(2**20)
    assert len(deflate(small)) < 2**20 / 500
    assert inflate(deflate(small), limit=2**30, name="metadata") == small


@pytest.mark.parametrize("size", [0, 1, 2**14 - 1, 2**14, 2**14 + 1, 2**20 - 1, 3 * 2**20])
def test_documents_of_any_size_come_back(size: int) -> None:
    for document in (random.Random(size).randbytes(size), random.Random(size).randbytes(size // 64) * 64):
        wire = deflate(document)
        assert inflate(wire, limit=len(document), name="metadata") == document
        assert inflate(wire + deflate(b"more"), limit=len(document) + 4, name="metadata") == document + b"more"


def test_members_are_joined_and_share_one_limit() -> None:
    wire = deflate(b"one") + deflate(b"") + deflate(b"two")
    assert inflate(wire, limit=6, name="metadata") == b"onetwo"
    with pytest.raises(LimitError):
        inflate(wire, limit=5, name="metadata")


def test_members_without_end_are_refused() -> None:
    assert inflate(deflate(b"x") * 16, limit=100, name="metadata") == b"x" * 16
    with pytest.raises(MessageError, match="members"):
        inflate(deflate(b"x") * 17, limit=100, name="metadata")


def test_zeros_behind_the_end_are_padding_and_anything_else_is_damage() -> None:
    assert inflate(deflate(b"text") + bytes(9), limit=100, name="metadata") == b"text"
    with pytest.raises(MessageError, match="behind the end"):
        inflate(deflate(b"text") + b"more", limit=100, name="metadata")


def test_every_cut_is_noticed() -> None:
    wire = deflate(DOCUMENT)
    for cut in range(2, len(wire)):
        with pytest.raises(MessageError, match="cut off"):
            inflate(wire[:cut], limit=len(DOCUMENT), name="metadata")


def test_every_changed_byte_is_noticed_or_harmless() -> None:
    wire = deflate(DOCUMENT)
    for position in range(2, len(wire)):
        damaged = bytearray(wire)
        damaged[position] ^= 0xFF
        try:
            result = inflate(damaged, limit=len(DOCUMENT), name="metadata")
        except (MessageError, LimitError):
            continue
        assert result == DOCUMENT, "only header fields that nobody reads"
