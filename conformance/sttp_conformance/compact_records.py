"""Compact measurements (wire.md 6.2) record by record: read without mercy, written with any fault that is needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from sttp.codes import DataPacketFlags
from sttp.wire.responses import DataPacket
from sttp_conformance.violation import Violation

__all__ = ["GROUPS", "Record", "compact_packet", "walk_records"]

GROUPS: Final = {
    0x01: 0x000000FC, 0x02: 0x0000EF03, 0x04: 0x00BF0000, 0x08: 0xE0000000, 0x10: 0x00001000, 0x20: 0x00400000,
}  # fmt: skip
"""Bits of the state byte, and the full states that each stands for (6.3)."""

_HEAD: Final = struct.Struct(">BiI")


class Record(NamedTuple):
    """One measurement as it stands.

    Attributes:
        flags: the state byte.
        signal_index: the signal index.
        bits: the binary32.
        time: its bytes: none, an offset of 2 or 4, or ticks of 8.
    """

    flags: int
    signal_index: int
    bits: int
    time: bytes

    def written(self) -> bytes:
        """The bytes of the record."""
        return _HEAD.pack(self.flags, self.signal_index, self.bits) + self.time


def compact_packet(records: Sequence[Record], *, count: int | None = None, slot: int = 0) -> DataPacket:
    """A compact data packet.

    Args:
        records: its measurements.
        count: what is given as their number; None for the true one.
        slot: which signal index cache it names.
    """
    flags = DataPacketFlags.COMPACT | (DataPacketFlags.CACHE_INDEX if slot else DataPacketFlags(0))
    body = b"".join(record.written() for record in records)
    return DataPacket(flags=flags, count=len(records) if count is None else count, body=body)


def walk_records(packet: DataPacket, *, include_time: bool = True, milliseconds: bool = False) -> list[Record]:
    """The records of a compact data packet.

    Args:
        packet: the packet.
        include_time: whether the subscriber asked for times.
        milliseconds: whether it asked for offsets in milliseconds.

    Raises:
        Violation: the records do not end with the packet.
    """
    body, records, at = bytes(packet.body), [], 0
    for _ in range(packet.count):
        if at + _HEAD.size > len(body):
            break
        flags, index, bits = _HEAD.unpack_from(body, at)
        width = (8 if not flags & 0x40 else 2 if milliseconds else 4) if include_time else 0
        at += _HEAD.size + width
        records.append(Record(flags, index, bits, body[at - width : at]))
    if len(records) != packet.count or at != len(body):
        raise Violation(
            f"expected that {packet.count} compact measurements end with their packet, but it has {len(body)} bytes "
            f"behind the count: {body[:32].hex(' ')}"
        )
    return records
