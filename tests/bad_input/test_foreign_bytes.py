"""Bytes that belong to something else, or to nothing, in both roles and both directions."""

from __future__ import annotations

import random

from bad_peer import BadPeer
from siege import DIRECTIONS, IN_ORDER, PublisherSiege, SubscriberSiege, ends, endure
from sttp.wire import commands

STRANGE = {
    "HTTP request": ends(r"a frame of 1195725856 bytes.*\(wire.md 1.4\)", b"GET / HTTP/1.1\r\nHost: grid\r\n\r\n"),
    "HTTP response": ends("a frame of 1213486160 bytes", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "TLS ClientHello": ends("a frame of 369295616 bytes", bytes.fromhex("16030100c8010000c40303") + b"\x11" * 194),
    "TLS alert": ends("a frame of 352518912 bytes", bytes.fromhex("15030300020246")),
    "SSH": ends("a frame of 1397966893 bytes", b"SSH-2.0-OpenSSH_9.6\r\n"),
    "C37.118 command": ends("a frame of 2856386578 bytes", bytes.fromhex("aa41001200f161b9b7c000000000000570a5")),
    "noise": ends("a frame of", b"\xf3" + random.Random(7).randbytes(5000)),
    "nothing": ends(IN_ORDER, eof=True),
    "half a header": ends(r"ended inside a frame \(wire.md 1.1\)", b"\0\0", eof=True),
    "a header and no more": ends("ended inside a frame", b"\0\0\0\5", eof=True),
    "a length of 2 GB": ends("a frame of 2147483647 bytes", b"\x7f\xff\xff\xff"),
    "a negative length": ends("a frame of 4294967295 bytes", b"\xff\xff\xff\xff"),
    "a length bomb and what follows": ends("a frame of 4294967295 bytes", b"\xff\xff\xff\xff" + bytes(100_000)),
}


async def nothing(peer: BadPeer) -> None:
    """The peer misbehaves from the first byte on."""


async def hearing_modes(peer: BadPeer) -> None:
    """A publisher hears the modes first, so that nothing is lost with a reset."""
    await peer.hear(commands.MetadataRefresh)


@DIRECTIONS
async def test_a_publisher_and_bytes_that_are_no_commands(dialing: bool) -> None:
    async with PublisherSiege(dialing=dialing).laid() as siege:
        await endure(siege, STRANGE, nothing)


@DIRECTIONS
async def test_a_subscriber_and_bytes_that_are_no_responses(dialing: bool) -> None:
    async with SubscriberSiege(dialing=dialing).laid() as siege:
        await endure(siege, STRANGE, hearing_modes)
