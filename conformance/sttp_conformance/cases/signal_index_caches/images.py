"""The image of a signal index cache (wire.md 5.1 to 5.3): what publishers write and subscribers read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import numpy as np

from sttp.codes import OperationalModes
from sttp.measurement import SignalTable
from sttp.wire.fields import is_gzip
from sttp_conformance.cache_images import Image, Reference, gzipped, references_of, walk, write_image
from sttp_conformance.case import Case
from sttp_conformance.cases.signal_index_caches.sessions import (
    VERSION_1,
    double_buffered,
    first_cache,
    hand_over,
    inflated,
    permuted,
    report,
)
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import MEASUREMENTS, SIGNALS
from sttp_conformance.overheard import cache_payloads
from sttp_conformance.picking import everything, only, reads_metadata
from sttp_conformance.scripted_subscriber import COMPACT, TSSC
from sttp_conformance.violation import NotSupported

_PATIENCE = 20.0
"""Seconds within which a hundred thousand references must have been read. It is not about speed."""


async def _first_images(case: Case, *sessions: OperationalModes) -> AsyncIterator[tuple[Image, int]]:
    """The first cache of sessions of version 2, and how many bytes it has when it is not compressed."""
    for modes in sessions:
        image = inflated((await first_cache(case, modes))[1:])
        yield walk(image), len(image)


@check(PUBLISHER)
async def cache_index_is_0_or_1(case: Case) -> None:
    """In versions 2 and 3 a byte 0 or 1 stands before the image of a cache, and outside of its gzip stream."""
    for modes, kind in ((COMPACT, "plain"), (TSSC, "compressed")):
        payload = await first_cache(case, modes)
        case.require(
            payload[0] in (0, 1), f"a {kind} cache that begins with its cache index, 0 or 1", payload[:8].hex(" ")
        )
        image = payload[1:]
        case.require(
            is_gzip(image) or image[:2] == b"\0\0", "a gzip stream or a size behind the index", payload[:8].hex(" ")
        )


@check(PUBLISHER, needs=("version:1",))
async def version_1_cache_has_no_index_byte(case: Case) -> None:
    """In version 1 the payload of a cache is the image alone."""
    payload = await first_cache(case, VERSION_1)
    image = walk(inflated(payload))
    case.require(image.references, "references", "none")


@check(PUBLISHER)
async def cache_size_counts_itself(case: Case) -> None:
    """The size at the head of a cache is that of the whole image, not compressed, with the size itself."""
    async for image, length in _first_images(case, COMPACT, TSSC):
        case.require(image.size == length, f"a size of {length}", image.size)


@check(PUBLISHER)
async def cache_records_fill_the_image(case: Case) -> None:
    """References and the list of unauthorised signals, if there is one, fill the image of a cache without a rest."""
    async for image, _ in _first_images(case, COMPACT):
        if image.rest:
            count = int.from_bytes(image.rest[:4], "big", signed=True)
            case.require(
                len(image.rest) == 4 + 16 * count,
                "a list of unauthorised signals that ends with the image, or none",
                f"{len(image.rest)} bytes, which begin with {image.rest[:8].hex(' ')}",
            )


@check(PUBLISHER)
async def cache_has_a_count_of_unauthorised_signals(case: Case) -> None:
    """The count of unauthorised signals stands in a cache, also when it is zero."""
    async for image, _ in _first_images(case, TSSC):
        case.require(len(image.rest) >= 4, "a count of unauthorised signals behind the references", "the end")


@check(PUBLISHER)
async def cache_holds_what_was_selected(case: Case) -> None:
    """A cache has exactly the signals that were selected, once each, in network order and with indexes of their own."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await peer.subscribe(only(signals, 0, 2))
        first, second = (walk(inflated(payload[1:])).references for payload in cache_payloads(peer))
        for references in (first, second):
            indexes = [each.signal_index for each in references]
            case.require(
                len(set(indexes)) == len(indexes) and min(indexes) >= 0, "distinct indexes, none negative", indexes
            )
        known = {each.signal_id for each in SIGNALS}
        offered = {each.signal_id for each in first}
        case.require(len(offered) == len(first), "each signal once", first)
        case.require(
            known <= offered or not reads_metadata(case),
            "the signals of the metadata, their IDs in the order of RFC 4122",
            ", ".join(map(str, sorted(offered))),
        )
        wanted = {signals[0].signal_id, signals[2].signal_id}
        case.require({each.signal_id for each in second} == wanted, f"only {wanted}", second)


@check(PUBLISHER)
async def cache_keys_match_the_metadata(case: Case) -> None:
    """Source and number of each reference are those of the measurement key in the metadata."""
    if not reads_metadata(case):
        raise NotSupported("it does not read the metadata of the suite")
    keys = {each["SignalID"]: each["ID"] for each in MEASUREMENTS}
    async for image, _ in _first_images(case, TSSC):
        for each in image.references:
            key = f"{each.source.decode()}:{each.number}"
            case.require(keys.get(each.signal_id) == key, f"the key {keys.get(each.signal_id)}", key)


@check(SUBSCRIBER, needs=("control:report",))
async def reads_sparse_indexes_in_any_order(case: Case) -> None:
    """Signal indexes need be neither in order nor without gaps."""
    indexes = (7, 0, 100_000, 42)
    references = [
        Reference(index, SIGNALS[number].signal_id, b"SUITE", number + 1) for number, index in enumerate(indexes)
    ]
    ids = np.zeros((max(indexes) + 1, 16), np.uint8)
    for each in references:
        ids[each.signal_index] = np.frombuffer(each.signal_id.bytes, np.uint8)
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        await hand_over(peer, write_image(references), 0, succeed=True)
        await report(case, peer, case.frame(42, 100_000, 0, 7), SignalTable(ids), "what was sent under each index")


async def _reads_images(case: Case, images: dict[str, bytes]) -> None:
    """Hand over from one image to the next, and send measurements of each."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        for number, (what, image) in enumerate(images.items()):
            await hand_over(peer, image, number % 2 if peer.modes.double_buffered else 0, succeed=number == 0)
            await report(case, peer, case.frame(0, 1, 2), SIGNALS, f"measurements of {what}")


@check(SUBSCRIBER, needs=("control:report",))
async def reads_a_cache_whatever_follows_its_references(case: Case) -> None:
    """The count of unauthorised signals may be missing, and signals that were refused are no error."""
    references = references_of(SIGNALS)
    refused = (UUID(int=0x1234), UUID(int=0x5678))
    await _reads_images(
        case,
        {
            "a cache without a count of unauthorised signals": write_image(references, unauthorised=None),
            "a cache with two unauthorised signals": write_image(references, unauthorised=refused),
        },
    )


@check(SUBSCRIBER, needs=("control:report",))
async def tolerates_a_cache_size_that_excludes_itself(case: Case) -> None:
    """A cache whose size does not count itself is read all the same."""
    await _reads_images(case, {"a cache whose size is 4 too small": write_image(references_of(SIGNALS), size=-4)})


@check(SUBSCRIBER, needs=("control:report",))
async def takes_any_other_cache_index_for_1(case: Case) -> None:
    """A cache index other than 0 and 255 counts as 1."""
    async with case.publisher() as peer:
        await peer.serve()
        double_buffered(peer)
        other = permuted(1)
        await hand_over(peer, write_image(references_of(other)), 1, byte=2)
        await report(case, peer, case.frame(0, 1), other, "measurements of the cache with the cache index 2")


@check(SUBSCRIBER, needs=("control:report",))
async def reads_gzip_with_optional_fields(case: Case) -> None:
    """A compressed cache is read at every level, and with a file name in the header of its gzip stream."""
    image = write_image(references_of(SIGNALS))
    async with case.publisher() as peer:
        await peer.accept_modes()
        if not peer.modes.compress_signal_index_cache:
            raise NotSupported("it does not ask for compressed signal index caches")
    await _reads_images(
        case,
        {f"a cache of level {level}": gzipped(image, level=level) for level in (0, 1, 9)}
        | {"a cache with a file name": gzipped(image, name=b"cache.bin")},
    )


@check(SUBSCRIBER, needs=("control:report",))
async def reads_sources_beyond_ascii(case: Case) -> None:
    """Sources of measurement keys are texts in the encoding of the session, counted in bytes."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        codec = peer.modes.encoding.codec
        await peer.wait_for_subscribe()
        references = [each._replace(source="ÜBER".encode(codec)) for each in references_of(SIGNALS)]
        await hand_over(peer, write_image(references), 0, succeed=True)
        await report(case, peer, case.frame(0, 1, 7), SIGNALS, "measurements of signals of the source ÜBER")


@check(SUBSCRIBER, needs=("control:report",))
async def reads_a_cache_of_100000_signals(case: Case) -> None:
    """A cache of a hundred thousand signals is read, and its data."""
    count, index = 100_000, [0, 1, 4_711, 65_536, 99_999]
    ids = np.zeros((count, 16), np.uint8)
    ids[:, 12:] = np.arange(1, count + 1, dtype=">u4").view(np.uint8).reshape(-1, 4)
    ids[:, 6], ids[:, 8] = 0x40, 0x80
    image = gzipped(_write_many(ids), level=1)
    async with case.publisher() as peer:
        await peer.accept_modes()
        if not peer.modes.compress_signal_index_cache:
            raise NotSupported("it does not ask for compressed signal index caches")
        await peer.wait_for_subscribe()
        await hand_over(peer, image, 0, succeed=True, within=_PATIENCE)
        await report(case, peer, case.frame(*index), SignalTable(ids), "measurements of five of the signals")


def _write_many(ids: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> bytes:
    """An image of many signals of one source."""
    empty = write_image([])
    record = np.zeros(len(ids), [("index", ">i4"), ("id", "V16"), ("length", ">i4"), ("source", "S1"), ("key", ">u8")])
    record["index"] = np.arange(len(ids))
    record["id"] = ids.view("V16")[:, 0]
    record["length"] = 1
    record["source"] = b"S"
    record["key"] = np.arange(1, len(ids) + 1)
    body = record.tobytes()
    size = len(empty) + len(body)
    return size.to_bytes(4, "big") + empty[4:20] + len(ids).to_bytes(4, "big") + body + empty[24:]
