"""Signal index caches (wire.md 5): their images, their slots, the confirmation, and handovers from one to the next."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import numpy as np

from sttp.codes import Command, DataPacketFlags, OperationalModes, Response
from sttp.measurement import Columns, SignalTable
from sttp.wire import commands, responses
from sttp.wire.fields import inflate, is_gzip
from sttp.wire.responses import UpdateSignalIndexCache
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance import scripted_peer
from sttp_conformance.cache_images import Image, Reference, gzipped, references_of, walk, write_image
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.grid import MEASUREMENTS, SIGNALS, rows
from sttp_conformance.overheard import cache_payloads, data_packets
from sttp_conformance.picking import everything, only, publish_and_compare, reads_metadata
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, TSSC, ScriptedSubscriber
from sttp_conformance.violation import NotSupported, Violation

_LARGEST_IMAGE = 2**24
_PATIENCE = 20.0
"""Seconds within which a hundred thousand references must have been read. It is not about speed."""

_VERSION_1 = replace(COMPACT, version=1)


# --- publishers: the image


async def _first_cache(case: Case, modes: OperationalModes) -> bytes:
    """The payload of the first signal index cache in a session."""
    async with case.subscriber() as peer:
        await peer.begin(modes)
        await peer.subscribe()
        return cache_payloads(peer)[0]


def _inflated(image: bytes) -> bytes:
    return inflate(image, limit=_LARGEST_IMAGE, name="signal index cache")


async def _first_images(case: Case, *sessions: OperationalModes) -> AsyncIterator[tuple[Image, int]]:
    """The first cache of sessions of version 2, and how many bytes it has when it is not compressed."""
    for modes in sessions:
        image = _inflated((await _first_cache(case, modes))[1:])
        yield walk(image), len(image)


@check(PUBLISHER)
async def cache_index_is_0_or_1(case: Case) -> None:
    """In versions 2 and 3 a byte 0 or 1 stands before the image of a cache, and outside of its gzip stream."""
    for modes, kind in ((COMPACT, "plain"), (TSSC, "compressed")):
        payload = await _first_cache(case, modes)
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
    payload = await _first_cache(case, _VERSION_1)
    image = walk(_inflated(payload))
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
        first, second = (walk(_inflated(payload[1:])).references for payload in cache_payloads(peer))
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


# --- publishers: slots


@check(PUBLISHER)
async def first_cache_has_index_0(case: Case) -> None:
    """The first signal index cache of a connection has the cache index 0."""
    for _ in range(2):
        payload = await _first_cache(case, TSSC)
        case.require(payload[0] == 0, "the cache index 0", payload[0])


@check(PUBLISHER)
async def new_caches_alternate_between_the_slots(case: Case) -> None:
    """A new cache is offered under the index that the current one does not have."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        for chosen in ((0,), (1,), (2,)):
            await peer.subscribe(only(signals, *chosen))
            before, now = (each[0] for each in cache_payloads(peer)[-2:])
            case.require({before, now} == {0, 1}, f"a cache index of 0 or 1 that is not {before}", now)


@check(PUBLISHER)
async def offers_one_cache_at_a_time(case: Case) -> None:
    """While a cache is unconfirmed no other is sent; then the newest that waits is, and older ones never."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        first = await peer.subscribe(only(signals, 0), confirm=False)
        for each in (1, 2):
            await _subscribe_without_cache(peer, only(signals, each))
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.expect(UpdateSignalIndexCache, what="the cache that waits for the confirm")
        payload = cache_payloads(peer)[-1]
        got = [each.signal_id for each in walk(_inflated(payload[1:])).references]
        case.require(got == [signals[2].signal_id], f"a cache of the newest subscription, {signals[2].signal_id}", got)
        case.require(payload[0] == 1 - (first.cache_index or 0), "the other cache index", payload[0])
        await peer.say(commands.ConfirmUpdateSignalIndexCache(), commands.UpdateProcessingInterval(milliseconds=-1))
        await _answered(peer, Command.UPDATE_PROCESSING_INTERVAL, "no further cache")


async def _subscribe_without_cache(peer: ScriptedSubscriber, expression: str) -> None:
    wanted = SubscriptionOptions(filter_expression=expression).to_connection_string()
    await peer.say(commands.Subscribe(connection_string=wanted))
    await _answered(peer, Command.SUBSCRIBE, "no cache while another is unconfirmed")


async def _answered(peer: ScriptedSubscriber, command: Command, what: str) -> None:
    await peer.expect(
        (responses.Succeeded, responses.Failed),
        lambda answer: getattr(answer, "command", None) == command,
        what=f"a reply to {command.name}, and {what}",
    )


@check(PUBLISHER)
async def ignores_a_needless_confirm(case: Case) -> None:
    """A confirm with nothing outstanding is ignored: before Subscribe, after the cache, after Unsubscribe."""
    indexes = []
    for needless in (0, 1, 2):
        confirms = [commands.ConfirmUpdateSignalIndexCache()] * needless
        async with case.subscriber() as peer:
            await peer.begin()
            await peer.say(*confirms)
            signals = await everything(case, peer)
            await peer.say(*confirms)
            await peer.subscribe(only(signals, 0))
            await peer.say(commands.Unsubscribe(), *confirms)
            await peer.fence()
            await peer.subscribe(only(signals, 1))
            indexes.append([payload[0] for payload in cache_payloads(peer)])
    for got in indexes[1:]:
        case.require(got == indexes[0], f"the cache indexes that come without needless confirms, {indexes[0]}", got)


@check(PUBLISHER)
async def forgets_unconfirmed_caches_at_unsubscribe(case: Case) -> None:
    """Unsubscribe forgets a cache that is not confirmed: the next subscription is offered its own at once."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await peer.subscribe(only(signals, 0), confirm=False)
        await peer.say(commands.Unsubscribe())
        await peer.fence()
        got = (await peer.subscribe(only(signals, 1))).signals
        wanted = signals[1].signal_id
        case.require(wanted in got.index_of, f"a cache with {wanted}", [str(each.signal_id) for each in got])


# --- publishers: data


@check(PUBLISHER, needs=("control:publish",))
async def packets_name_the_cache_that_made_them(case: Case) -> None:
    """Every data packet names the cache that it was made with, and from its confirm on a new cache is in use."""
    for modes in (TSSC, COMPACT):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            for chosen in ((2, 0), (1,), (0, 2)):
                await peer.subscribe(only(signals, *chosen))
                await peer.fence()
                await publish_and_compare(case, peer, signals, *chosen)


@check(PUBLISHER, needs=("control:publish",))
async def streams_on_during_a_handover(case: Case) -> None:
    """While a new cache is unconfirmed, the data of the old one goes on; with the confirm the new one takes over."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await peer.subscribe(only(signals, 1, 2), confirm=False)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.fence()
        await publish_and_compare(case, peer, signals, 1, 2)


@check(PUBLISHER, needs=("control:publish",))
async def holds_data_of_a_new_subscription_until_confirmed(case: Case) -> None:
    """After Unsubscribe and a new Subscribe no data comes until the new cache is confirmed."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        await peer.say(commands.Unsubscribe())
        await peer.fence()
        await peer.subscribe(only(signals, 1), confirm=False)
        await case.publish(case.frame(*range(len(signals))), signals)
        await peer.say(commands.UpdateProcessingInterval(milliseconds=-1))
        await _answered(peer, Command.UPDATE_PROCESSING_INTERVAL, "no data before the new cache is confirmed")
        await peer.say(commands.ConfirmUpdateSignalIndexCache())
        await peer.fence()


@check(PUBLISHER, needs=("version:1", "control:publish"))
async def version_1_streams_without_a_confirm(case: Case) -> None:
    """In version 1 nothing is confirmed: data follows the cache, is read with it, and never names a slot."""
    for modes in (_VERSION_1, replace(TSSC, version=1)):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer)
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            await peer.subscribe(only(signals, 2, 1))
            await peer.fence()
            await publish_and_compare(case, peer, signals, 2, 1)
            flagged = [each for each in data_packets(peer) if DataPacketFlags.CACHE_INDEX in each.flags]
            case.require(not flagged, "no CacheIndex bit in version 1", flagged)


# --- subscribers: the confirmation


def _double_buffered(peer: ScriptedPublisher) -> None:
    if not peer.modes.double_buffered:
        raise NotSupported("it asks for version 1, which has one signal index cache and no confirmation")


def _wrapped(peer: ScriptedPublisher, image: bytes) -> bytes:
    """An image, compressed where that was negotiated and it is not."""
    return gzipped(image) if peer.modes.compress_signal_index_cache and not is_gzip(image) else image


async def _hand_over(
    peer: ScriptedPublisher,
    image: bytes,
    cache_index: int,
    *,
    byte: int | None = None,
    succeed: bool = False,
    within: float | None = None,
) -> None:
    """Offer an image of any kind, wait for the confirmation, and use it from now on."""
    image = _wrapped(peer, image)
    index = bytes((cache_index if byte is None else byte,)) if peer.modes.double_buffered else b""
    head = struct.pack(">BBi", Response.UPDATE_SIGNAL_INDEX_CACHE, Command.SUBSCRIBE, len(index) + len(image))
    await peer.say(
        scripted_peer.frame(head, index, image), *((responses.Succeeded(command=Command.SUBSCRIBE),) if succeed else ())
    )
    if peer.modes.double_buffered:
        await peer.expect(
            commands.ConfirmUpdateSignalIndexCache,
            within=within,
            what="ConfirmUpdateSignalIndexCache for a cache that can be read",
        )
    peer.active = cache_index


async def _report(case: Case, peer: ScriptedPublisher, sent: Columns, signals: SignalTable, what: str) -> None:
    """Send compact measurements, and hold what is reported against them."""
    await peer.send(sent, tssc=False)
    wanted = rows(sent, signals)
    received = await case.received(len(wanted))
    case.require(received == wanted, f"{what}: {wanted}", received)


def _permuted(by: int) -> SignalTable:
    """The signals of the suite, under other indexes."""
    return SIGNALS.select(np.roll(np.arange(len(SIGNALS)), by))


@check(SUBSCRIBER)
async def confirms_each_cache_once(case: Case) -> None:
    """A subscriber confirms each cache once, as soon as it has read it, with an empty command."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        _double_buffered(peer)
        await peer.wait_for_subscribe()
        for index in (0, 1, 0):
            await peer.say(
                UpdateSignalIndexCache(cache_index=index, image=_wrapped(peer, write_image(references_of(SIGNALS)))),
                *((responses.Succeeded(command=Command.SUBSCRIBE),) if index == 0 else ()),
            )
            await peer.expect(commands.ConfirmUpdateSignalIndexCache)
        await peer.expect_silence(what="one confirmation for each cache")
        said = [frame[4:] for speaker, frame in peer.recording.taken if speaker is not peer.role]
        confirms = [frame.hex(" ") for frame in said if frame[0] == Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE]
        case.require(confirms == ["0a"] * 3, "three confirmations without a payload", confirms)


@check(SUBSCRIBER, topic="")
async def does_not_confirm_a_broken_cache(case: Case) -> None:
    """A cache that cannot be read is not confirmed, and the next session is served."""
    good = write_image(references_of(SIGNALS))
    damaged = bytearray(gzipped(good))
    damaged[len(damaged) // 2] ^= 0xFF
    broken = {
        "an image that is cut": good[: len(good) // 2],
        "an image of 2^31-1 references": write_image(references_of(SIGNALS), count=2**31 - 1),
        "an image whose first source has a length of -1": good[:44] + b"\xff" * 4 + good[48:],
        "a gzip stream that is damaged": bytes(damaged),
    }
    for what, image in broken.items():
        async with case.publisher() as peer:
            await peer.accept_modes()
            _double_buffered(peer)
            await peer.wait_for_subscribe()
            await peer.say(
                UpdateSignalIndexCache(cache_index=0, image=_wrapped(peer, image)),
                responses.Succeeded(command=Command.SUBSCRIBE),
            )
            await _no_confirm(case, peer, what)
    async with case.publisher() as peer:
        await peer.serve()


async def _no_confirm(case: Case, peer: ScriptedPublisher, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + case.grace.quiet
    try:
        while (command := await peer.hear(within=max(deadline - asyncio.get_running_loop().time(), 0))) is not None:
            if isinstance(command, commands.ConfirmUpdateSignalIndexCache):
                raise Violation(f"expected no confirmation of {what}, but it came")
    except TimeoutError:
        pass


# --- subscribers: slots


@check(SUBSCRIBER, needs=("control:report",))
async def reads_each_packet_with_the_cache_that_it_names(case: Case) -> None:
    """Two caches are kept, and each packet is read with the one that it names, whatever came last."""
    async with case.publisher() as peer:
        await peer.serve()
        _double_buffered(peer)
        other = _permuted(3)
        await peer.offer(other, cache_index=1, succeed=False)
        sent = []
        for active in (0, 1, 0, 1, 1, 0):
            peer.active = active
            frame = case.frame(0, 1, 7)
            await peer.send(frame, tssc=False)
            sent += rows(frame, other if active else SIGNALS)
        received = await case.received(len(sent))
        case.require(received == sent, f"each measurement under the signal of its cache: {sent}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def follows_a_handover_that_it_did_not_ask_for(case: Case) -> None:
    """Handovers without a Subscribe are followed without loss; each cache replaces the one in its slot."""
    async with case.publisher() as peer:
        await peer.serve()
        sent: list[list[object]] = []
        for number in range(1, 5):
            signals = _permuted(number)
            index = number % 2 if peer.modes.double_buffered else 0
            await peer.offer(signals, cache_index=index, succeed=False)
            for tssc in (False, peer.modes.compress_payload_data):
                frame = case.frame(*range(8))
                await peer.send(frame, tssc=tssc)
                sent += rows(frame, signals)
        received = await case.received(len(sent))
        case.require(received == sent, f"all measurements under their signals: {sent}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def drops_packets_of_an_empty_slot(case: Case) -> None:
    """From packets of a slot without a cache nothing is reported; what comes afterwards is."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        _double_buffered(peer)
        await peer.wait_for_subscribe()
        await peer.send(case.frame(0, 1), tssc=False)
        await peer.offer()
        peer.active = 1
        await peer.send(case.frame(2, 3), tssc=False)
        peer.active = 0
        frame = case.frame(0, 1, 2)
        await peer.send(frame, tssc=False)
        received = await case.received(3)
        case.require(received == rows(frame, SIGNALS), f"only {rows(frame, SIGNALS)}", received)


@check(SUBSCRIBER, needs=("control:report", "control:subscribe", "control:unsubscribe"), fresh=True)
async def drops_packets_of_stale_slots(case: Case) -> None:
    """After Unsubscribe and Subscribe, packets of the cache from before are dropped until the new one is there."""
    async with case.publisher() as peer:
        await peer.serve()
        _double_buffered(peer)
        await peer.send(case.frame(0), tssc=False)
        await case.received(1)
        await case.control.ask("unsubscribe")
        asking = asyncio.create_task(case.control.ask("subscribe", filter=only(SIGNALS, 3)))
        await peer.wait_for_subscribe()
        await peer.send(case.frame(0, 1), tssc=False)
        await peer.offer(SIGNALS.select(np.array([3])), cache_index=1)
        await asking
        frame = case.frame(0)
        await peer.send(frame, tssc=False)
        received = await case.received(1)
        wanted = rows(frame, SIGNALS.select(np.array([3])))
        case.require(received == wanted, f"only the measurement of the new subscription, {wanted}", received)


# --- subscribers: images


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
        await _hand_over(peer, write_image(references), 0, succeed=True)
        await _report(case, peer, case.frame(42, 100_000, 0, 7), SignalTable(ids), "what was sent under each index")


async def _reads_images(case: Case, images: dict[str, bytes]) -> None:
    """Hand over from one image to the next, and send measurements of each."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        for number, (what, image) in enumerate(images.items()):
            await _hand_over(peer, image, number % 2 if peer.modes.double_buffered else 0, succeed=number == 0)
            await _report(case, peer, case.frame(0, 1, 2), SIGNALS, f"measurements of {what}")


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
        _double_buffered(peer)
        other = _permuted(1)
        await _hand_over(peer, write_image(references_of(other)), 1, byte=2)
        await _report(case, peer, case.frame(0, 1), other, "measurements of the cache with the cache index 2")


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
        await _hand_over(peer, write_image(references), 0, succeed=True)
        await _report(case, peer, case.frame(0, 1, 7), SIGNALS, "measurements of signals of the source ÜBER")


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
        await _hand_over(peer, image, 0, succeed=True, within=_PATIENCE)
        await _report(case, peer, case.frame(*index), SignalTable(ids), "measurements of five of the signals")


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
