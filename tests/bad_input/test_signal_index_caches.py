"""Signal index caches that lie, in both directions."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest

from bad_peer import BadPeer, bomb, response, squeezed
from siege import DIRECTIONS, SubscriberSiege, ends, endure, goes_on
from sttp.wire import commands, responses


def cached(image: bytes, *, slot: int = 1) -> bytes:
    return response(0x83, bytes((slot,)) + image)


def image(*references: bytes, count: int | None = None, size: int | None = None, rest: bytes = bytes(4)) -> bytes:
    body = struct.pack(">16si", bytes(16), len(references) if count is None else count) + b"".join(references) + rest
    return struct.pack(">i", 4 + len(body) if size is None else size) + body


def reference(index: int, source: bytes = b"PPA", *, claims: int | None = None, signal: int = 1) -> bytes:
    length = len(source) if claims is None else claims
    return struct.pack(">i16si", index, UUID(int=signal).bytes, length) + source + struct.pack(">Q", 1)


def numbered(count: int) -> bytes:
    return image(*(reference(index, b"", signal=index + 1) for index in range(count)))


CACHES = {
    "nothing": goes_on(cached(b"")),
    "not even a slot": ends("UpdateSignalIndexCache of 0 bytes", response(0x83)),
    "slot 255": goes_on(cached(image(reference(0)), slot=255)),
    "slot 77": goes_on(cached(image(reference(0)), slot=77)),
    "half a head": ends("a signal index cache of 23 bytes", cached(bytes(23))),
    "no signals": goes_on(cached(image())),
    "no word about what is unauthorised": goes_on(cached(image(reference(0), rest=b""))),
    "two billion references": ends("2147483647 references", cached(image(reference(0), count=2**31 - 1))),
    "minus one references": ends("-1 references", cached(image(reference(0), count=-1))),
    "one reference too many": ends("references|a signal index cache", cached(image(reference(0), count=2))),
    "a source of 2 GB": ends("a source of 2147483647 bytes", cached(image(reference(0, claims=2**31 - 1)))),
    "a source of minus one": ends("a source of -1 bytes", cached(image(reference(0, claims=-1)))),
    "a source of minus 2 GB": ends("a source of -2147483648 bytes", cached(image(reference(0, claims=-(2**31))))),
    "a source that is not UTF-8": goes_on(cached(image(reference(0, b"\xff\xfe")))),
    "a negative signal index": ends("the signal index -1", cached(image(reference(-1)))),
    "a signal index of two billion": ends(
        r"the signal index 2147483647, where at most 1048575", cached(image(reference(2**31 - 1)))
    ),
    "a signal index twice": ends("occurs twice", cached(image(reference(5), reference(5)))),
    "a signal ID twice": goes_on(cached(image(reference(0), reference(1)))),
    "a signal ID of zeros": goes_on(cached(image(reference(0, signal=0)))),
    "two billion unauthorised": ends("2147483647 unauthorised", cached(image(rest=struct.pack(">i", 2**31 - 1)))),
    "minus one unauthorised": ends("-1 unauthorised", cached(image(rest=struct.pack(">i", -1)))),
    "a size of 2 GB": ends("gives 2147483647 as its size", cached(image(reference(0), size=2**31 - 1))),
    "a size of minus one": ends("gives -1 as its size", cached(image(reference(0), size=-1))),
    "damaged gzip": ends("damaged gzip", cached(b"\x1f\x8b" + bytes(30))),
    "a gzip bomb": ends("inflates to more than", cached(bomb())),
    "a thousand in one go": ends(
        "more than 16 signal index caches", *(cached(image(reference(0)), slot=slot % 2) for slot in range(1000))
    ),
}


HEAVY = {
    "a signal index of half a million": goes_on(
        *(cached(image(reference(2**19)), slot=slot % 2) for slot in range(10))
    ),
    "100 000 signals, again and again": goes_on(
        *(cached(squeezed(numbered(100_000)), slot=slot % 2) for slot in range(3))
    ),
}


async def hearing_a_subscription(peer: BadPeer) -> None:
    """The publisher has answered everything up to the subscription, which it has heard."""
    await peer.make_ready()
    await peer.hear(commands.MetadataRefresh)
    await peer.say(responses.Metadata(document=b""))
    await peer.hear(commands.Subscribe)


@DIRECTIONS
async def test_signal_index_caches(dialing: bool) -> None:
    async with SubscriberSiege(dialing=dialing).laid() as siege:
        await endure(siege, CACHES, hearing_a_subscription)


@pytest.mark.parametrize("name", HEAVY)
async def test_heavy_signal_index_caches(name: str) -> None:
    async with SubscriberSiege(dialing=False).laid() as siege:
        await endure(siege, {name: HEAVY[name]}, hearing_a_subscription)
