"""Numbers of the wire, against those written in wire.md."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.codes import (
    Command,
    CompactFlags,
    DataPacketFlags,
    ModeFlags,
    OperationalModes,
    Response,
    Role,
    StateFlags,
    TextEncoding,
    is_user_command,
    is_user_response,
)

MODES = st.builds(
    OperationalModes,
    version=st.integers(0, 31),
    encoding=st.sampled_from(TextEncoding),
    flags=st.lists(st.sampled_from(list(ModeFlags))).map(lambda flags: ModeFlags(sum(set(flags)))),
    extension=st.integers(0, 255),
)


def test_the_other_role() -> None:
    assert Role.PUBLISHER.other is Role.SUBSCRIBER
    assert Role.SUBSCRIBER.other is Role.PUBLISHER


# --- commands and responses


def test_commands() -> None:
    """2.1"""
    assert [command.value for command in Command] == [*range(0x0E), *range(0xD0, 0xE0)]
    assert Command(0x02) is Command.SUBSCRIBE
    assert Command(0x06) is Command.DEFINE_OPERATIONAL_MODES
    assert Command(0x0A) is Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE
    assert Command(0xDF) is Command.USER_COMMAND_15


def test_responses() -> None:
    """2.2"""
    assert [response.value for response in Response] == [*range(0x80, 0x8B), *range(0xE0, 0xF0), 0xFF]
    assert Response(0x82) is Response.DATA_PACKET
    assert Response(0x83) is Response.UPDATE_SIGNAL_INDEX_CACHE
    assert Response(0x8A) is Response.CONFIGURATION_CHANGED
    assert Response(0xFF) is Response.NOOP


def test_no_code_is_both() -> None:
    assert {int(command) for command in Command} & {int(response) for response in Response} == set()


def test_user_commands_and_responses() -> None:
    assert [code for code in range(256) if is_user_command(code)] == list(range(0xD0, 0xE0))
    assert [code for code in range(256) if is_user_response(code)] == list(range(0xE0, 0xF0))


# --- operational modes


@pytest.mark.parametrize(
    ("bits", "modes"),
    [
        (0xE0000262, OperationalModes()),
        (0x00000202, OperationalModes(flags=ModeFlags(0))),
        (0xE0000263, OperationalModes(version=3)),
        (
            0xC4000002,
            OperationalModes(
                encoding=TextEncoding.UTF_16LE,
                flags=ModeFlags.COMPRESS_METADATA
                | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE
                | ModeFlags.RECEIVE_INTERNAL_METADATA,
            ),
        ),
        (0x00AB0101, OperationalModes(version=1, encoding=TextEncoding.UTF_16BE, flags=ModeFlags(0), extension=0xAB)),
    ],
)
def test_modes_as_they_stand_on_the_wire(bits: int, modes: OperationalModes) -> None:
    """3.1; the first four were seen."""
    assert modes.to_bits() == bits
    assert OperationalModes.from_bits(bits) == modes


@given(MODES)
def test_modes_survive_the_wire(modes: OperationalModes) -> None:
    assert OperationalModes.from_bits(modes.to_bits()) == modes
    assert 0 <= modes.to_bits() < 2**32


@given(st.integers(0, 2**32 - 1))
def test_any_bits_can_be_read(bits: int) -> None:
    modes = OperationalModes.from_bits(bits)
    assert modes.version == bits & 0x1F
    assert OperationalModes.from_bits(modes.to_bits()) == modes


def test_an_undefined_encoding_is_read_as_utf_8() -> None:
    """3.3"""
    assert OperationalModes.from_bits(0x00000302).encoding is TextEncoding.UTF_8


def test_unassigned_bits_are_dropped() -> None:
    """3.1"""
    assert OperationalModes.from_bits(0x1900FC82) == OperationalModes.from_bits(0x00000002)


@pytest.mark.parametrize(
    ("wanted", "means", "name"),
    [
        (ModeFlags.COMPRESS_METADATA, ModeFlags.GZIP, "compress_metadata"),
        (ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE, ModeFlags.GZIP, "compress_signal_index_cache"),
        (ModeFlags.COMPRESS_PAYLOAD_DATA, ModeFlags.TSSC, "compress_payload_data"),
    ],
)
def test_compression_needs_both_bits(wanted: ModeFlags, means: ModeFlags, name: str) -> None:
    """3.2"""
    assert getattr(OperationalModes(flags=wanted | means), name)
    for flags in (wanted, means, ModeFlags(0), ModeFlags.EVERYTHING_COMPRESSED & ~wanted):
        assert not getattr(OperationalModes(flags=flags), name)


def test_version_1_has_one_signal_index_cache() -> None:
    """3.4"""
    assert [OperationalModes(version=version).double_buffered for version in (1, 2, 3)] == [False, True, True]


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (TextEncoding.UTF_16LE, b"\xe9\x00\xac\x20"),
        (TextEncoding.UTF_16BE, b"\x00\xe9\x20\xac"),
        (TextEncoding.UTF_8, b"\xc3\xa9\xe2\x82\xac"),
    ],
)
def test_text_encodings_have_no_byte_order_mark(encoding: TextEncoding, data: bytes) -> None:
    """3.3"""
    assert "é€".encode(encoding.codec) == data


# --- flags


def test_flags_of_data_packets() -> None:
    """6.1"""
    assert [flag.value for flag in DataPacketFlags] == [0x01, 0x02, 0x04, 0x08, 0x10]


def test_flags_of_compact_measurements() -> None:
    """6.3"""
    assert [flag.value for flag in CompactFlags] == [1 << bit for bit in range(8)]
    assert CompactFlags.BASE_TIME_OFFSET == 0x40
    assert CompactFlags.TIME_INDEX == 0x80


def test_state_flags() -> None:
    """11.3: each bit has a name, in the order of the bits."""
    assert [flag.value for flag in StateFlags] == [1 << bit for bit in range(32)]
    assert StateFlags(0) is StateFlags.NORMAL
    assert StateFlags.CALCULATED_VALUE == 1 << 12
    assert StateFlags.BAD_TIME == 1 << 16
    assert StateFlags.DISCARDED_VALUE == 1 << 22
    assert StateFlags.MEASUREMENT_ERROR == 1 << 31
