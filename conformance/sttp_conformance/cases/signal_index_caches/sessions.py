"""Sessions in which signal index caches are read, and handed over, byte by byte."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from sttp.codes import Command, OperationalModes, Response
from sttp.measurement import Columns, SignalTable
from sttp.wire import commands, responses
from sttp.wire.fields import inflate, is_gzip
from sttp_conformance import scripted_peer
from sttp_conformance.cache_images import gzipped
from sttp_conformance.case import Case
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.overheard import cache_payloads
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT
from sttp_conformance.violation import NotSupported

__all__ = [
    "VERSION_1",
    "double_buffered",
    "first_cache",
    "hand_over",
    "inflated",
    "permuted",
    "report",
]

_LARGEST_IMAGE = 2**24
VERSION_1 = replace(COMPACT, version=1)


async def first_cache(case: Case, modes: OperationalModes) -> bytes:
    """The payload of the first signal index cache in a session."""
    async with case.subscriber() as peer:
        await peer.begin(modes)
        await peer.subscribe()
        return cache_payloads(peer)[0]


def inflated(image: bytes) -> bytes:
    """An image as it is without compression."""
    return inflate(image, limit=_LARGEST_IMAGE, name="signal index cache")


def double_buffered(peer: ScriptedPublisher) -> None:
    """Go on only with a subscriber that has two slots.

    Raises:
        NotSupported: it has one, in version 1.
    """
    if not peer.modes.double_buffered:
        raise NotSupported("it asks for version 1, which has one signal index cache and no confirmation")


def _wrapped(peer: ScriptedPublisher, image: bytes) -> bytes:
    """An image, compressed where that was negotiated and it is not."""
    return gzipped(image) if peer.modes.compress_signal_index_cache and not is_gzip(image) else image


async def hand_over(
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


async def report(case: Case, peer: ScriptedPublisher, sent: Columns, signals: SignalTable, what: str) -> None:
    """Send compact measurements, and hold what is reported against them."""
    await peer.send(sent, tssc=False)
    wanted = rows(sent, signals)
    received = await case.received(len(wanted))
    case.require(received == wanted, f"{what}: {wanted}", received)


def permuted(by: int) -> SignalTable:
    """The signals of the suite, under other indexes."""
    return SIGNALS.select(np.roll(np.arange(len(SIGNALS)), by))
