"""What the suite judges by: golden streams, strict readings of caches, records and documents, and its samples."""

from __future__ import annotations

import json

import pytest

from sttp.wire.responses import DataPacket
from sttp_conformance import golden
from sttp_conformance.cache_images import Reference, gzipped, references_of, walk, write_image
from sttp_conformance.compact_records import Record, compact_packet, walk_records
from sttp_conformance.grid import METADATA, SIGNALS, read_value
from sttp_conformance.metadata_reading import cells_amiss, parse, shape_amiss
from sttp_conformance.metadata_samples import MUST_BE_READ, as_dotnet_writes_it, in_any_order
from sttp_conformance.violation import Violation

IDS = {signal.signal_id for signal in SIGNALS}


def test_golden_streams_hold_what_they_were_made_from() -> None:
    streams = golden.golden_streams()
    assert len(streams) == 10
    assert sum(len(each.ticks) for stream in streams.values() for each in stream.measurements) == 17_127


def test_a_golden_stream_that_is_read_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    golden.golden_streams.cache_clear()
    digest = golden._digest
    monkeypatch.setattr(golden, "_digest", lambda columns: digest(columns._replace(ticks=columns.ticks + 1)))
    with pytest.raises(ValueError, match="01-constant: the suite reads something else"):
        golden.golden_streams()
    golden.golden_streams.cache_clear()


def test_an_image_is_walked_as_it_was_written() -> None:
    references = references_of(SIGNALS)
    image = walk(write_image(references, size=-4))
    assert image.references == tuple(references)
    assert image.size == len(write_image(references)) - 4
    assert image.rest == bytes(4)
    assert walk(write_image(references, unauthorised=None)).rest == b""


def test_an_image_that_ends_early_is_a_violation() -> None:
    whole = write_image([Reference(0, SIGNALS[0].signal_id)])
    with pytest.raises(Violation, match="a source within the image"):
        walk(whole[:-6])


def test_gzip_with_a_name_is_gzip() -> None:
    import gzip  # noqa: PLC0415 - nothing else here has a use for it

    assert gzip.decompress(gzipped(b"a cache", level=1, name=b"cache.bin")) == b"a cache"


def test_records_must_end_with_their_packet() -> None:
    records = [Record(0, 1, 2, bytes(8)), Record(0x40, 1, 2, bytes(4))]
    packet = compact_packet(records)
    assert walk_records(packet) == records
    longer = DataPacket(flags=packet.flags, count=packet.count, body=bytes(packet.body) + b"\0")
    with pytest.raises(Violation, match="2 compact measurements end with their packet"):
        walk_records(longer)


@pytest.mark.parametrize("what", MUST_BE_READ)
def test_samples_have_the_signals_of_the_suite(what: str) -> None:
    found = parse(MUST_BE_READ[what]).signal_ids
    assert {each for each in found if each.int} == IDS


@pytest.mark.parametrize("document", [METADATA, as_dotnet_writes_it(), in_any_order()])
def test_documents_as_others_write_them_are_not_amiss(document: bytes) -> None:
    found = parse(document)
    assert found.signal_ids == IDS
    assert [*shape_amiss(found), *cells_amiss(found)] == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'id="DataSet"', b'id="NewDataSet"', "a schema with the id DataSet"),
        (b"<ID>", b"<Key>", ""),
        (b"<Internal>true", b"<Internal>True", "MeasurementDetail.Internal of type boolean, not 'True'"),
        (b"<AccessID>1", b"<AccessID>1.5", "DeviceDetail.AccessID of type int, not '1.5'"),
    ],
)
def test_documents_that_are_amiss_are_noticed(old: bytes, new: bytes, fault: str) -> None:
    text = METADATA.replace(old, new)
    if not fault:
        with pytest.raises(Violation, match="it cannot be read"):
            parse(text)
        return
    found = parse(text)
    assert fault in "\n".join([*shape_amiss(found), *cells_amiss(found)])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1", 1.0),
        ("0.33333334", 0.3333333432674408),
        ("-0.0", -0.0),
        ('"NaN"', "NaN"),
        ("1e300", 1e300),
        ("true", True),
    ],
)
def test_a_reported_value_is_the_binary32_that_is_meant(said: str, meant: object) -> None:
    assert repr(read_value(json.loads(said))) == repr(meant)
