"""TSSC blocks that are made by hand, and how a subscriber is given them (tssc.md 1, 3 to 5)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from sttp.codes import DataPacketFlags
from sttp.errors import ProtocolError
from sttp.measurement import Columns, SignalTable
from sttp.wire.responses import DataPacket
from sttp.wire.tssc import TsscBlock, TsscDecoder, TsscEncoder, write_tssc_payload
from sttp_conformance.grid import SIGNALS
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.violation import NotSupported

__all__ = [
    "EVERY_INDEX",
    "FLAGS_7_BIT",
    "LAST_SEQUENCE",
    "POINT_8",
    "TIME_7_BIT",
    "VALUE_1",
    "VALUE_32",
    "decodes",
    "encoded",
    "packet_of",
    "serve",
    "seven_bit",
    "value_of",
]

EVERY_INDEX = np.ones(2**20, np.bool_)

LAST_SEQUENCE = 65_535


def decodes(blocks: Sequence[TsscBlock]) -> bool:
    """Whether a decoder that begins anew can read blocks, one after another."""
    decoder = TsscDecoder(signal_indexes=EVERY_INDEX)
    try:
        for each in blocks:
            decoder.decode(each.block, sequence=each.sequence, count=each.count)
    except ProtocolError:
        return False
    return True


async def serve(peer: ScriptedPublisher, signals: SignalTable = SIGNALS) -> None:
    """Serve a subscriber of TSSC.

    Raises:
        NotSupported: it does not ask for that.
    """
    await peer.serve(signals)
    if not peer.modes.compress_payload_data:
        raise NotSupported("it does not ask for TSSC")


def packet_of(block: TsscBlock, *, slot: int = 0) -> DataPacket:
    """A data packet with a block, of the signal index cache in a slot."""
    flags = DataPacketFlags.COMPRESSED | (DataPacketFlags.CACHE_INDEX if slot else DataPacketFlags(0))
    return DataPacket(flags=flags, count=block.count, body=write_tssc_payload(block))


def encoded(encoder: TsscEncoder, sent: Sequence[Columns]) -> list[TsscBlock]:
    """The blocks that an encoder makes of measurements."""
    return [block for each in sent for block in encoder.encode(each)]


POINT_8, TIME_7_BIT, FLAGS_7_BIT, VALUE_1, VALUE_32 = (bytes((code,)) for code in (2, 17, 19, 20, 31))
"""Codes of a point that has coded little: three zero bits before five that are the code, which is a byte."""


def seven_bit(number: int) -> bytes:
    """A number of 64 bits, seven bits to a byte; the ninth byte has eight."""
    out = b""
    while number > 0x7F and len(out) < 8:
        out += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return out + bytes((number,))


def value_of(value: float) -> bytes:
    """A value in 32 bits, behind its code."""
    return VALUE_32 + struct.pack("<f", value)
