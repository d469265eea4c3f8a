from __future__ import annotations

import pytest

from sttp.codes import Command, DataPacketFlags, ModeFlags, OperationalModes, TextEncoding
from sttp.errors import MessageError, UsageError
from sttp.tolerances import STRICT
from sttp.wire.commands import (
    COMMAND,
    AnyCommand,
    ConfirmBufferBlock,
    ConfirmNotification,
    ConfirmUpdateBaseTimes,
    ConfirmUpdateCipherKeys,
    ConfirmUpdateSignalIndexCache,
    DefineOperationalModes,
    GetPrimaryMetadataSchema,
    GetSignalSelectionSchema,
    MetadataRefresh,
    PublishCommandMeasurements,
    RotateCipherKeys,
    Subscribe,
    UnknownCommand,
    Unsubscribe,
    UpdateProcessingInterval,
    UserCommand,
    read_command,
    write_command,
)

MODES = OperationalModes()
FILTER = "FILTER MeasurementDetail WHERE SignalAcronym='FREQ'"

EXAMPLES: list[tuple[str, AnyCommand]] = [
    # wire.md 3.1
    ("00000005 06 E0000262", DefineOperationalModes(modes=OperationalModes())),
    ("00000005 06 00000202", DefineOperationalModes(modes=OperationalModes(flags=ModeFlags(0)))),
    ("00000005 06 E0000263", DefineOperationalModes(modes=OperationalModes(version=3))),
    (
        "00000005 06 C4000002",
        DefineOperationalModes(
            modes=OperationalModes(
                encoding=TextEncoding.UTF_16LE,
                flags=ModeFlags.COMPRESS_METADATA
                | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE
                | ModeFlags.RECEIVE_INTERNAL_METADATA,
            )
        ),
    ),
    (
        "00000005 06 C0000222",
        DefineOperationalModes(
            modes=OperationalModes(
                flags=ModeFlags.COMPRESS_METADATA | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE | ModeFlags.GZIP
            )
        ),
    ),
    # 4.1
    (
        "0000001F 02 02 00000019 66696C74657245787072657373696F6E3D7B5050413A317D3B",
        Subscribe(flags=DataPacketFlags.COMPACT, connection_string="filterExpression={PPA:1};"),
    ),
    # 1.2, 4.8, 5.4
    ("00000001 03", Unsubscribe()),
    ("00000001 0A", ConfirmUpdateSignalIndexCache()),
    # 7.5, 7.6, 7.9
    ("00000005 07 DEADBEEF", ConfirmNotification(hash=b"\xde\xad\xbe\xef")),
    ("00000005 08 00000000", ConfirmBufferBlock(sequence=0)),
    ("00000005 05 00000021", UpdateProcessingInterval(milliseconds=33)),
    # 7.11
    ("00000003 D0 01 02", UserCommand(number=0, payload=b"\x01\x02")),
    # 8.1
    ("00000001 01", MetadataRefresh()),
    ("00000038 01 00000033" + FILTER.encode().hex(), MetadataRefresh(filter_expression=FILTER)),
]

OTHERS: list[AnyCommand] = [
    RotateCipherKeys(),
    UpdateProcessingInterval(milliseconds=-1),
    ConfirmBufferBlock(sequence=2**32 - 1),
    ConfirmUpdateBaseTimes(),
    ConfirmUpdateCipherKeys(),
    DefineOperationalModes(modes=OperationalModes(), parameters=b"Gzip"),
    GetPrimaryMetadataSchema(payload=b"?"),
    GetSignalSelectionSchema(),
    PublishCommandMeasurements(payload=b"\0\0\0\1x"),
    UserCommand(number=15),
    UnknownCommand(code=0x00),
    UnknownCommand(code=0x77, payload=b"what"),
    UnknownCommand(code=0x80, payload=b"a response, really"),
]


@pytest.mark.parametrize(("wire", "command"), EXAMPLES)
def test_worked_examples_both_ways(wire: str, command: AnyCommand) -> None:
    frame = bytes.fromhex(wire)
    assert write_command(command, MODES) == frame
    assert read_command(frame[4:], MODES) == command
    assert read_command(memoryview(frame)[4:], MODES, STRICT) == command


@pytest.mark.parametrize("command", [command for _, command in EXAMPLES] + OTHERS)
def test_round_trip_and_header(command: AnyCommand) -> None:
    for encoding in TextEncoding:
        modes = OperationalModes(encoding=encoding)
        frame = write_command(command, modes)
        assert read_command(frame[4:], modes) == command
        declared = COMMAND.parse(frame[4:])
        assert declared.code == command.code
        assert COMMAND.build(declared) == frame[4:]


def test_every_defined_command_but_connect_has_a_class() -> None:
    codes = {command.code for command in (*(each for _, each in EXAMPLES), *OTHERS)}
    for code in Command:
        if code is not Command.CONNECT and not 0xD1 <= code <= 0xDE:
            assert code in codes


def test_every_example_cut_at_every_byte() -> None:
    for _, command in EXAMPLES:
        body = write_command(command, MODES)[4:]
        for cut in range(len(body)):
            try:
                read_command(body[:cut], MODES)
            except MessageError:
                continue
            # what is left must be a message of its own: a bare code, or fewer bytes of the application
            assert cut == 1 or isinstance(command, UserCommand)


@pytest.mark.parametrize(
    ("body", "clause"),
    [
        ("", "1.2"),
        ("06 E0 00 02", "3.6"),  # fewer than four bytes of modes
        ("02", "4.1"),
        ("02 02 00 00 00 05 61 62 63 64", "4.1"),  # the text is longer than what came
        ("02 02 FF FF FF FF", "4.1"),
        ("02 02 00 00 00 01 FF", "4.1"),  # not UTF-8
        ("01 00 00 00", "8.1"),
        ("01 00 00 00 02 61", "8.1"),
        ("05 00", "7.9"),
        ("07 00 00 00", "7.5"),
        ("08", "7.6"),
    ],
)
def test_what_cannot_be_read(body: str, clause: str) -> None:
    with pytest.raises(MessageError) as caught:
        read_command(bytes.fromhex(body), MODES)
    assert caught.value.clause == clause


def test_an_empty_connection_string_is_for_the_publisher_to_judge() -> None:
    assert read_command(bytes.fromhex("02 02 00 00 00 00"), MODES) == Subscribe(connection_string="")


def test_undefined_encoding_is_read_as_utf_8() -> None:
    command = read_command(bytes.fromhex("06 00 00 03 02"), MODES)
    assert isinstance(command, DefineOperationalModes)
    assert command.modes.encoding is TextEncoding.UTF_8


@pytest.mark.parametrize("body", ["03 00", "0A 01", "02 02 00 00 00 00 00", "05 00 00 00 21 00"])
def test_trailing_bytes_are_a_tolerance(body: str) -> None:
    read_command(bytes.fromhex(body), MODES)
    with pytest.raises(MessageError, match="too many"):
        read_command(bytes.fromhex(body), MODES, STRICT)


@pytest.mark.parametrize(
    "command",
    [
        UpdateProcessingInterval(milliseconds=2**31),
        ConfirmBufferBlock(sequence=-1),
        ConfirmNotification(hash=b"\x01\x02\x03"),
        Subscribe(connection_string="\ud800"),
        MetadataRefresh(filter_expression="\ud800"),
    ],
)
def test_what_cannot_be_written(command: AnyCommand) -> None:
    with pytest.raises(UsageError):
        write_command(command, MODES)


def test_numbers_that_cannot_be() -> None:
    for number in (-1, 16):
        with pytest.raises(UsageError):
            UserCommand(number=number)
    for code in (-1, 256):
        with pytest.raises(UsageError):
            UnknownCommand(code=code)
    with pytest.raises(UsageError):
        PublishCommandMeasurements(payload=b"")
