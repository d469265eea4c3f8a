from __future__ import annotations

import pytest

from sttp.codes import Command, DataPacketFlags, Response
from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import Limits
from sttp.tolerances import Tolerances
from sttp.wire.data_packet import DATA_PACKET, read_data_packet, write_data_packet
from sttp.wire.responses import RESPONSE

RECORD = "00 00 00 00 00 42 6F CC CD 08 DA A1 9E A6 B3 00 00"
COMPACT = bytes.fromhex("02 00 00 00 01" + RECORD)
TSSC = bytes.fromhex("08 00 00 00 02 55 00 00 11 80 80 CC B5 EA B3 A8 ED 08 1F CD CC 6F 42 1F 00 00 C0 3F")
UNCOUNTED = Tolerances(data_packets_without_count=True)


@pytest.mark.parametrize(
    ("payload", "flags", "count"),
    [
        (COMPACT, DataPacketFlags.COMPACT, 1),
        (b"\x12" + COMPACT[1:], DataPacketFlags.COMPACT | DataPacketFlags.CACHE_INDEX, 1),
        (TSSC, DataPacketFlags.COMPRESSED, 2),
    ],
)
def test_worked_examples_both_ways(payload: bytes, flags: DataPacketFlags, count: int) -> None:
    packet = read_data_packet(memoryview(payload))
    assert (packet.flags, packet.count) == (flags, count)
    assert packet.body == payload[5:]
    header = RESPONSE.parse(write_data_packet(packet.flags, packet.count, packet.body)[4:])
    assert (header.code, header.command, header.payload) == (Response.DATA_PACKET, Command.SUBSCRIBE, payload)
    declared = DATA_PACKET.parse(payload)
    assert (declared.flags, declared.count, declared.body) == (flags, count, payload[5:])
    assert DATA_PACKET.build(declared) == payload


def test_the_body_is_not_copied() -> None:
    packet = read_data_packet(memoryview(TSSC))
    assert isinstance(packet.body, memoryview)
    assert packet.body.obj is TSSC


@pytest.mark.parametrize("length", range(5))
def test_too_short(length: int) -> None:
    with pytest.raises(MessageError) as caught:
        read_data_packet(memoryview(COMPACT[:length]))
    assert caught.value.clause == "6.1"


@pytest.mark.parametrize("flags", [0x00, 0x01, 0x03, 0x09, 0x10, 0x14])
def test_formats_that_were_given_up(flags: int) -> None:
    with pytest.raises(MessageError) as caught:
        read_data_packet(memoryview(bytes((flags,)) + COMPACT[1:]))
    assert caught.value.clause == "6.1"


def test_negative_count() -> None:
    with pytest.raises(MessageError, match="-1 measurements"):
        read_data_packet(memoryview(bytes.fromhex("02 FF FF FF FF")))


def test_count_has_a_limit() -> None:
    limits = Limits(packet_measurements=1)
    assert read_data_packet(memoryview(COMPACT), limits).count == 1
    with pytest.raises(LimitError) as caught:
        read_data_packet(memoryview(TSSC), limits)
    assert caught.value.limit == "packet_measurements"


def test_no_measurements_is_a_packet_too() -> None:
    assert read_data_packet(memoryview(bytes.fromhex("02 00 00 00 00"))).body == b""


@pytest.mark.parametrize("records", [1, 3])
def test_missing_count_is_a_tolerance(records: int) -> None:
    payload = b"\x02" + bytes.fromhex(RECORD) * records
    packet = read_data_packet(memoryview(payload), tolerances=UNCOUNTED)
    assert (packet.count, packet.body) == (records, payload[1:])
    # the first four bytes of a record, taken for a count
    assert read_data_packet(memoryview(payload)).count == 0


@pytest.mark.parametrize("payload", [COMPACT, TSSC, COMPACT[:5], b"\x08" + bytes.fromhex(RECORD)])
def test_packets_with_count_are_read_alike_with_that_tolerance(payload: bytes) -> None:
    assert read_data_packet(memoryview(payload), tolerances=UNCOUNTED) == read_data_packet(memoryview(payload))


def test_what_cannot_be_written() -> None:
    with pytest.raises(UsageError):
        write_data_packet(DataPacketFlags.COMPACT, 2**31, b"")
