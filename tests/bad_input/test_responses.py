"""What a bad publisher can send to a subscriber, in both directions.

Each case is a connection of its own, while a genuine stream runs beside it where the subscriber listens.
"""

from __future__ import annotations

import random
import struct

import numpy as np

from bad_peer import BadPeer, bomb, command, response
from session_pair import cache
from siege import DIRECTIONS, IN_ORDER, SubscriberSiege, ends, endure, goes_on
from sttp.codes import Command
from sttp.measurement import Columns
from sttp.wire import commands, responses
from sttp.wire.frame import write_frame
from sttp.wire.tssc import TsscEncoder

# --- responses of a publisher that has not proved to be one

INNER = "a response claims .* follow"

FIRST_RESPONSES = {
    "a first response that is too long by its header": ends(
        r"the first response has 8199 bytes, where at most 8198 .*\(wire.md 1.4\)",
        struct.pack(">IBB", 8199, 0x80, 0x06),
    ),
    "metadata that is too long by its header": ends(
        "a frame of 134217729 bytes", struct.pack(">IBB", 2**27 + 1, 0x80, 0x01)
    ),
    "metadata of 128 MB that does not come": ends(
        "ended inside a frame", struct.pack(">IBBI", 2**27, 0x80, 0x01, 2**27 - 6) + b"<x>", eof=True
    ),
    "empty frames first": goes_on(bytes(4 * 1000), responses.NoOP()),
    "what a subscriber says": ends("a subscriber too", command(0x06, b"\xe0\0\2\x62")),
    "a response that is cut off": ends(
        r"a response of 5 bytes, where 6 .*\(wire.md 1.3\)", write_frame(b"\x80\x06\0\0\0")
    ),
    "an inner length that is negative": ends(INNER, write_frame(struct.pack(">BBi", 0xFF, 2, -1))),
    "an inner length that is too large": ends(INNER, write_frame(struct.pack(">BBi", 0xFF, 2, 1))),
    "an inner length of 2 GB": ends(INNER, write_frame(struct.pack(">BBi", 0xFF, 2, 2**31 - 1))),
    "an inner length that is too small": ends(
        "a response of 2 bytes", write_frame(struct.pack(">BBi", 0x80, 6, 2), b"fine")
    ),
    "two responses in a frame": goes_on(write_frame(struct.pack(">BBi", 0xFF, 2, 0) * 2)),
    "measurements first": goes_on(response(0x82, b"\2\0\0\0\0")),
    "success of nothing": goes_on(responses.Succeeded(command=Command.SUBSCRIBE, text="welcome")),
    "an unknown response": goes_on(response(0x10, b"?")),
    "an answer to a command that does not exist": goes_on(response(0x80, b"", 0x7F)),
}


async def hearing_a_request(peer: BadPeer) -> None:
    """The publisher has heard everything that comes before its first answer."""
    await peer.hear(commands.MetadataRefresh)


@DIRECTIONS
async def test_first_responses(dialing: bool) -> None:
    async with SubscriberSiege(dialing=dialing).laid() as siege:
        await endure(siege, FIRST_RESPONSES, hearing_a_request)


# --- responses while measurements flow


async def streaming(peer: BadPeer) -> None:
    """The publisher may send measurements of three signals, in slot 0."""
    await peer.start_streaming(cache(3))


T = 638_000_000_000_000_000


def columns(*indexes: int, ticks: int = T) -> Columns:
    count = len(indexes)
    return Columns(
        np.array(indexes, np.int32),
        np.full(count, ticks, np.int64),
        np.zeros(count, np.uint32),
        np.ones(count, np.float32),
    )


def tssc(content: Columns, *, version: int = 85, sequence: int = 0, count: int | None = None, slot: int = 0) -> bytes:
    (block,) = TsscEncoder().encode(content)
    payload = struct.pack(">BiBH", 0x08 | slot << 4, block.count if count is None else count, version, sequence)
    return response(0x82, payload + block.block)


def compact(*records: bytes, count: int | None = None, flags: int = 2) -> bytes:
    return response(0x82, struct.pack(">Bi", flags, len(records) if count is None else count) + b"".join(records))


def record(index: int = 0, *, flags: int = 0, time: bytes = T.to_bytes(8, "big")) -> bytes:
    return struct.pack(">BIf", flags, index & 0xFFFFFFFF, 59.95) + time


def base_times(active: int, *times: int) -> bytes:
    return response(0x84, struct.pack(f">i{len(times)}q", active, *times))


OFFSET, ODD = 0x40, 0x80
KEYS = responses.UpdateCipherKeys(active=0, even_key=bytes(32), even_iv=bytes(16), odd_key=bytes(32), odd_iv=bytes(16))

STREAMED = {
    "a data packet without anything": ends("a data packet of 0 bytes", response(0x82)),
    "a data packet without its count": ends("a data packet of 3 bytes", response(0x82, b"\2\0\0")),
    "no measurements": goes_on(compact(), compact()),
    "neither compact nor compressed": ends("neither compact nor compressed", compact(record(), flags=0)),
    "synchronized": ends("a synchronized data packet", compact(record(), flags=3)),
    "all flags": ends("a synchronized data packet", compact(record(), flags=0xFF)),
    "a slot that is empty": goes_on(compact(record(), flags=0x12)),
    "minus one measurements": ends("a data packet of -1 measurements", compact(record(), record(), count=-1)),
    "two billion measurements": ends(
        "a data packet of 2147483647 measurements", compact(record(), record(), count=2**31 - 1)
    ),
    "more measurements than bytes": ends(
        "200000 compact measurements in 34 bytes", compact(record(), record(), count=200_000)
    ),
    "one measurement too many": ends("3 compact|a data packet|too few|bytes", compact(record(), record(), count=3)),
    "one measurement too few": ends("bytes", compact(record(), record(), record(), count=1)),
    "a measurement that is cut off": ends("bytes", compact(record()[:-1], count=1)),
    "signal indexes that nobody has": goes_on(compact(record(3), record(0x7FFFFFFF), record(0))),
    "a negative signal index": ends("signal index -1 is negative", compact(record(-1))),
    "an offset from no base time": goes_on(compact(record(flags=OFFSET, time=bytes(4)))),
    "times that are none": goes_on(
        *(compact(record(time=ticks.to_bytes(8, "big"))) for ticks in (0, 2**63 - 1, 2**63, 2**64 - 1))
    ),
    "base times that are none": goes_on(
        base_times(0, -1, 2**63 - 1),
        compact(record(flags=OFFSET, time=b"\xff" * 4), record(flags=OFFSET | ODD, time=b"\xff" * 4)),
    ),
    "the lowest base time": goes_on(base_times(1, -(2**63), -(2**63)), compact(record(flags=OFFSET, time=bytes(4)))),
    "base time 2": ends("UpdateBaseTimes of 20 bytes", base_times(2, T, T)),
    "base time minus one": ends("UpdateBaseTimes of 20 bytes", base_times(-1, T, T)),
    "one base time": ends("UpdateBaseTimes of 12 bytes", base_times(0, T)),
    "another TSSC version": goes_on(tssc(columns(0), version=84)),
    "TSSC out of sequence": goes_on(tssc(columns(0)), tssc(columns(0), sequence=7), tssc(columns(0), sequence=65535)),
    "TSSC that starts anew each time": goes_on(*(tssc(columns(0)) for _ in range(1000))),
    "a TSSC block of noise": goes_on(
        response(0x82, struct.pack(">BiBH", 8, 100, 85, 0) + random.Random(3).randbytes(500))
    ),
    "a TSSC block of nothing": goes_on(response(0x82, struct.pack(">BiBH", 8, 100, 85, 0))),
    "a TSSC block without its head": goes_on(response(0x82, struct.pack(">Bi", 8, 1) + b"\x55")),
    "TSSC with too many measurements": goes_on(tssc(columns(0), count=2)),
    "TSSC with two billion measurements": ends(
        "a data packet of 2147483647 measurements", tssc(columns(0), count=2**31 - 1)
    ),
    "TSSC with a quarter of a million": goes_on(tssc(columns(0), count=2**18)),
    "TSSC of signals that nobody has": goes_on(tssc(columns(0, 1, 500_000))),
    "a start time of nine bytes": goes_on(response(0x86, bytes(9))),
    "a start time of seven bytes": ends("DataStartTime of 7 bytes", response(0x86, bytes(7))),
    "a start time before all time": goes_on(responses.DataStartTime(ticks=-1)),
    "a notice without its hash": ends("Notify of 3 bytes", response(0x89, b"\1\2\3")),
    "a notice that is not UTF-8": goes_on(response(0x89, b"hash\xff\xfe\xfd")),
    "a notice of 10 MB": goes_on(response(0x89, b"hash" + b"\xc3" * 10**7)),
    "a buffer block that is cut off": ends("BufferBlock of 8 bytes", response(0x88, bytes(8))),
    "a buffer block out of nowhere": goes_on(responses.BufferBlock(sequence=2**32 - 1, signal_index=-1, payload=b"?")),
    "a buffer block that is a gzip bomb": ends(
        "inflates to more than", response(0x88, struct.pack(">IBi", 0, 0x08, 0) + bomb())
    ),
    "a buffer block of damaged gzip": ends(
        "damaged gzip", response(0x88, struct.pack(">IBi", 0, 0x08, 0) + b"\x1f\x8b!!")
    ),
    "cipher keys and then measurements in plain": ends(
        "which is no number of blocks", KEYS, compact(record()), compact(record(), record())
    ),
    "cipher keys and then noise": ends(
        "whose padding cannot be", KEYS, response(0x82, b"\2" + random.Random(5).randbytes(160))
    ),
    "cipher keys that are cut off": ends("UpdateCipherKeys of 50 bytes", response(0x85, bytes(50))),
    "cipher keys of 2 GB": ends(
        "UpdateCipherKeys of 113 bytes", response(0x85, struct.pack(">Bi", 0, 2**31 - 1) + bytes(108))
    ),
    "texts that are not UTF-8": goes_on(
        response(0x80, b"\xff\xfe", 0x02), response(0x87, b"\xff"), response(0x81, b"\xc3", 0x0C)
    ),
    "every code that nobody defined": goes_on(
        *(response(code, b"?") for code in (*range(0x80), *range(0x8B, 0xE0), *range(0xF0, 0xFF)))
    ),
    "every user response": goes_on(
        *(responses.UserResponse(number=number, command=0xD0, payload=bytes(9)) for number in range(16))
    ),
    "answers that nobody asked for": goes_on(
        *(response(code, b"?", answered) for code in (0x80, 0x81) for answered in range(0x03, 0x06))
    ),
    "metadata that nobody asked for": goes_on(*(responses.Metadata(document=b"<a/>") for _ in range(1000))),
    "a refusal in the end": ends(
        "refused the connection: go away", responses.Failed(command=Command.CONNECT, text="go away")
    ),
    "a refusal of the modes": ends(
        "refused the operational modes: no", responses.Failed(command=Command.DEFINE_OPERATIONAL_MODES, text="no")
    ),
    "a change and a length bomb": ends("a frame of 4294967295 bytes", responses.ConfigurationChanged(), b"\xff" * 4),
    "what it subscribed to, and the end": ends(IN_ORDER, tssc(columns(0, 1, 2)), eof=True),
    "half a data packet": ends("ended inside a frame", tssc(columns(0, 1, 2))[:-3], eof=True),
    "a length bomb": ends("a frame of 134217729 bytes", struct.pack(">I", 2**27 + 1)),
}


@DIRECTIONS
async def test_responses_while_measurements_flow(dialing: bool) -> None:
    async with SubscriberSiege(dialing=dialing).laid() as siege:
        await endure(siege, STREAMED, streaming)
