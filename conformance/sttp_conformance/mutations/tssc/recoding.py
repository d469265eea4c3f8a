"""TSSC streams that are decoded, changed and encoded again on their way."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sttp.codes import Response
from sttp.errors import ProtocolError
from sttp.measurement import Columns
from sttp.wire.tssc import TsscDecoder, TsscEncoder, write_tssc_payload
from sttp_conformance.rewrites import Conversation, Item, Rewrite

__all__ = ["is_tssc", "recoded", "with_ticks"]

_DATA = Response.DATA_PACKET
_INDEXES = np.ones(2**18, np.bool_)


def is_tssc(frame: bytes) -> bool:
    """Whether a frame is a data packet with a TSSC block."""
    return frame[0] == _DATA and bool(frame[6] & 0x08)


def recoded(
    change: Callable[[Columns], Columns], *, block_size: int = 32_768, honest: bool = True, size: str = "slot"
) -> Rewrite:
    """TSSC streams carry other measurements.

    Args:
        change: from those of a packet to others.
        block_size: size of the buffer that is encoded into.
        honest: whether the stream begins anew with sequence 0 where the honest one does.
        size: what shares one encoder: each slot, or the connection.
    """

    def rewrite(frame: bytes, conversation: Conversation) -> Iterable[Item]:
        if not is_tssc(frame):
            return (frame,)
        slot, sequence = frame[6] & 0x10, int.from_bytes(frame[12:14], "big")
        memory = conversation.memory
        decoder = memory.setdefault(f"decoder {slot}", TsscDecoder(signal_indexes=_INDEXES))
        key = f"encoder {slot if size == 'slot' else ''}"
        if key not in memory or (sequence == 0 and honest):
            memory[key] = TsscEncoder(block_size=block_size)
        count = int.from_bytes(frame[7:11], "big")
        try:
            columns = decoder.decode(frame[14:], sequence=sequence, count=count)
        except ProtocolError:
            return (frame,)
        return [
            frame[:2] + struct.pack(">iBi", 5 + len(body), frame[6], block.count) + body
            for block in memory[key].encode(change(columns))
            for body in (write_tssc_payload(block),)
        ]

    return rewrite


def with_ticks(change: Callable[[Any], Any]) -> Callable[[Columns], Columns]:
    """Measurements with other times."""
    return lambda columns: columns._replace(ticks=change(columns.ticks))
