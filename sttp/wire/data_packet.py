"""Data packets: what stands before the measurements (wire.md 6.1, 6.4).

The measurements themselves are for `sttp.wire.compact` and `sttp.wire.tssc`; the flags say which of the two.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final

import construct

from sttp.codes import Command, DataPacketFlags, Response
from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.tolerances import DEFAULT_TOLERANCES, Tolerances
from sttp.wire.fields import flags
from sttp.wire.frame import Buffer

__all__ = ["DATA_PACKET", "DataPacket", "read_data_packet", "write_data_packet"]

DATA_PACKET: Final = construct.Struct(
    # 6.1: COMPACT or COMPRESSED; all publishers send COMPRESSED alone. Neither is a legacy format, never sent, and
    # SYNCHRONIZED would put a timestamp before the count; only cppapi's subscriber still reads that
    "flags" / flags(DataPacketFlags),
    # 6.1: the exact number of measurements; pyapi's publisher leaves it out of compact packets (Y1)
    "count" / construct.Int32sb,
    # 6.2 compact measurements back to back, or 6.4 a TSSC block behind its version and sequence number
    "body" / construct.GreedyBytes,
)
"""The normative declaration. The functions of this module do the same with `struct`."""

_HEADER: Final = struct.Struct(">Bi")
_FRAME_HEAD: Final = struct.Struct(">IBBiBi")
"""1.1, 1.3 and 6.1 in one: length of the frame, response, command, length of the payload, flags, count."""
_RESPONSE_BYTES: Final = 6
_ANSWERS: Final = (int(Response.DATA_PACKET), int(Command.SUBSCRIBE))
_FLAGS: Final = tuple(DataPacketFlags(bits) for bits in range(256))
_FORMATS: Final = int(DataPacketFlags.COMPACT | DataPacketFlags.COMPRESSED)
_SYNCHRONIZED: Final = int(DataPacketFlags.SYNCHRONIZED)
_FULL_TIME_RECORD: Final = 17
"""Bytes of a compact measurement with a full timestamp (6.2), the only kind that pyapi's publisher knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPacket:
    """Measurements, still in their bytes (6.1).

    Attributes:
        flags: format, and which signal index cache and cipher key belong to the packet.
        count: number of measurements, not negative.
        body: everything behind the count. When read, a view into the frame, valid as long as the frame is.
    """

    code: ClassVar[Response] = Response.DATA_PACKET
    command: ClassVar[Command] = Command.SUBSCRIBE
    flags: DataPacketFlags
    count: int
    body: Buffer


def read_data_packet(
    payload: memoryview, limits: Limits = DEFAULT_LIMITS, tolerances: Tolerances = DEFAULT_TOLERANCES
) -> DataPacket:
    """Read the payload of a data packet; the body is not copied.

    Args:
        payload: what follows the response header.
        limits: `packet_measurements` counts here.
        tolerances: `data_packets_without_count` counts here.

    Raises:
        MessageError: too short, a negative count, or a format that nobody sends any more (6.1).
        LimitError: more measurements than `Limits.packet_measurements`.
    """
    if len(payload) < _HEADER.size:
        raise MessageError(f"a data packet of {len(payload)} bytes, where {_HEADER.size} are the least", clause="6.1")
    bits, count = _HEADER.unpack_from(payload)
    if bits & _SYNCHRONIZED:
        raise MessageError("a synchronized data packet, a format that was given up", clause="6.1")
    if not bits & _FORMATS:
        raise MessageError("a data packet that is neither compact nor compressed", clause="6.1")
    body = payload[_HEADER.size :]
    if tolerances.data_packets_without_count and bits & _FORMATS == DataPacketFlags.COMPACT:
        records, rest = divmod(len(payload) - 1, _FULL_TIME_RECORD)
        if rest == 0 and len(body) != count * _FULL_TIME_RECORD:
            count, body = records, payload[1:]
    if count < 0:
        raise MessageError(f"a data packet of {count} measurements", clause="6.1")
    if count > limits.packet_measurements:
        raise LimitError(
            f"a data packet of {count} measurements, where at most {limits.packet_measurements} are accepted",
            limit="packet_measurements",
            clause="6.1",
        )
    return DataPacket(flags=_FLAGS[bits], count=count, body=body)


def write_data_packet(flags: int, count: int, body: Buffer) -> bytes:
    """Write a data packet as a whole frame, length and response header included (1.3, 6.1).

    Args:
        flags: `DataPacketFlags`.
        count: number of measurements.
        body: what follows the count.

    Raises:
        UsageError: flags or a count that the wire cannot carry.
    """
    payload = _HEADER.size + len(body)
    try:
        head = _FRAME_HEAD.pack(payload + _RESPONSE_BYTES, *_ANSWERS, payload, flags, count)
    except struct.error as error:
        raise UsageError(f"DataPacket cannot be written: {error}") from None
    return b"".join((head, body))
