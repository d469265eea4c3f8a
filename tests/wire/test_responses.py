from __future__ import annotations

import struct

import pytest

from sttp.codes import Command, DataPacketFlags, OperationalModes, Response, TextEncoding
from sttp.errors import FrameError, LimitError, MessageError, UsageError
from sttp.limits import Limits
from sttp.tolerances import STRICT, Tolerances
from sttp.wire.responses import (
    RESPONSE,
    AnyResponse,
    BufferBlock,
    BufferBlockFlags,
    ConfigurationChanged,
    DataPacket,
    DataStartTime,
    Failed,
    Metadata,
    NoOP,
    Notify,
    ProcessingComplete,
    Succeeded,
    UnknownResponse,
    UpdateBaseTimes,
    UpdateCipherKeys,
    UpdateSignalIndexCache,
    UserResponse,
    read_responses,
    write_response,
)

MODES = OperationalModes()
V1 = OperationalModes(version=1)
T = 638_000_000_000_000_000

NOTICE = "[2026-01-02 03:04:05.678] hi"
REFUSAL = "Connection refused: too many active connections."
EVEN = bytes(range(0x20))
ODD = bytes(range(0x80, 0xA0))

EXAMPLES: list[tuple[str, AnyResponse]] = [
    # wire.md 1.3
    ("00000006 FF 02 00000000", NoOP()),
    ("00000008 80 06 00000002 4F4B", Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="OK")),
    # 4.6
    (
        "00000032 80 02 0000002C" + b"Client subscribed as compact with 2 signals.".hex(),
        Succeeded(command=Command.SUBSCRIBE, text="Client subscribed as compact with 2 signals."),
    ),
    # 6.2, 6.4
    (
        "0000001C 82 02 00000016 02 00000001 00 00000000 426FCCCD 08DAA19EA6B30000",
        DataPacket(
            flags=DataPacketFlags.COMPACT, count=1, body=bytes.fromhex("00 00000000 426FCCCD 08DAA19EA6B30000")
        ),
    ),
    (
        "00000022 82 02 0000001C 08 00000002 55 0000 11 8080CCB5EAB3A8ED08 1FCDCC6F42 1F0000C03F",
        DataPacket(
            flags=DataPacketFlags.COMPRESSED,
            count=2,
            body=bytes.fromhex("55 0000 11 8080CCB5EAB3A8ED08 1FCDCC6F42 1F0000C03F"),
        ),
    ),
    # 7.1 to 7.6
    (
        "0000001A 84 02 00000014 00000000 08DAA19EA6B30000 08DAA19FA109EA00",
        UpdateBaseTimes(active=0, times=(T, T + 420 * 10_000_000)),
    ),
    ("0000000E 86 02 00000008 08DAA19EA6B30000", DataStartTime(ticks=T)),
    ("0000000A 87 02 00000004 646F6E65", ProcessingComplete(text="done")),
    ("00000006 8A 02 00000000", ConfigurationChanged()),
    ("00000026 89 02 00000020 DEADBEEF" + NOTICE.encode().hex(), Notify(hash=b"\xde\xad\xbe\xef", text=NOTICE)),
    (
        "00000014 88 02 0000000E 00000000 01 00000001 48454C4C4F",
        BufferBlock(sequence=0, flags=BufferBlockFlags.REQUIRE_CONFIRMATION, signal_index=1, payload=b"HELLO"),
    ),
    # 7.7
    (
        "00000077 85 02 00000071 00 00000020" + EVEN.hex() + "00000010" + bytes(range(16)).hex()
        + "00000020" + ODD.hex() + "00000010" + bytes(range(0xF0, 0x100)).hex(),
        UpdateCipherKeys(
            active=0, even_key=EVEN, even_iv=bytes(range(16)), odd_key=ODD, odd_iv=bytes(range(0xF0, 0x100))
        ),
    ),
    # 7.11, 7.12
    ("00000008 E0 D0 00000002 6F6B", UserResponse(number=0, command=Command.USER_COMMAND_00, payload=b"ok")),
    ("00000036 81 00 00000030" + REFUSAL.encode().hex(), Failed(command=Command.CONNECT, text=REFUSAL)),
]  # fmt: skip

OTHERS: list[AnyResponse] = [
    Succeeded(command=Command.SUBSCRIBE),
    Failed(command=Command.SUBSCRIBE, text="é, or no such table"),
    Metadata(document=b""),
    Metadata(document=b"\x1f\x8b\x08 some gzip"),
    UpdateSignalIndexCache(cache_index=0, image=b""),
    UpdateSignalIndexCache(cache_index=1, image=b"\x1f\x8b\x08 some gzip"),
    UpdateBaseTimes(active=1, times=(0, -1)),
    ProcessingComplete(),
    DataPacket(flags=DataPacketFlags.COMPACT, count=0, body=b""),
    BufferBlock(
        sequence=2**32 - 1,
        flags=BufferBlockFlags.COMPRESSED | BufferBlockFlags.CACHE_INDEX,
        signal_index=7,
        payload=b"",
    ),
    UserResponse(number=15, command=Command.USER_COMMAND_15),
    UnknownResponse(code=0x8B),
    UnknownResponse(code=0x01, command=0x77, payload=b"a command, really"),
]


def read(frame: bytes, modes: OperationalModes = MODES, **switches: object) -> list[AnyResponse]:
    return list(read_responses(frame[4:], modes, **switches))  # type: ignore[arg-type]


@pytest.mark.parametrize(("wire", "response"), EXAMPLES)
def test_worked_examples_both_ways(wire: str, response: AnyResponse) -> None:
    frame = bytes.fromhex(wire)
    assert write_response(response, MODES) == frame
    assert read(frame) == [response]
    assert read(frame, tolerances=STRICT) == [response]


@pytest.mark.parametrize("response", [response for _, response in EXAMPLES] + OTHERS)
def test_round_trip_and_header(response: AnyResponse) -> None:
    for encoding in TextEncoding:
        modes = OperationalModes(encoding=encoding)
        frame = write_response(response, modes)
        assert read(frame, modes) == [response]
        assert read(frame, modes, tolerances=STRICT) == [response]
        declared = RESPONSE.parse(frame[4:])
        assert (declared.code, declared.command) == (response.code, response.command)
        assert RESPONSE.build(declared) == frame[4:]


def test_every_defined_response_has_a_class() -> None:
    codes = {response.code for response in (*(each for _, each in EXAMPLES), *OTHERS)}
    for code in Response:
        if not 0xE1 <= code <= 0xEE:
            assert code in codes


@pytest.mark.parametrize("response", [response for _, response in EXAMPLES] + OTHERS)
def test_every_frame_cut_at_every_byte(response: AnyResponse) -> None:
    frame = write_response(response, MODES)
    for cut in range(4, len(frame)):
        with pytest.raises(FrameError) as caught:
            read(frame[:cut])
        assert caught.value.clause == "1.3"


@pytest.mark.parametrize("response", [response for _, response in EXAMPLES] + OTHERS)
def test_every_payload_cut_at_every_byte(response: AnyResponse) -> None:
    payload = write_response(response, MODES)[10:]
    for cut in range(len(payload)):
        short = UnknownResponse(code=response.code, command=response.command, payload=payload[:cut])
        try:
            (found,) = read(write_response(short, MODES))
        except (MessageError, LimitError):
            continue
        # a text or the bytes of an application may end anywhere
        assert type(found) is type(response)
        assert found != response


@pytest.mark.parametrize(
    ("payload", "clause"),
    [
        ("84 02 00000014 00000002 0000000000000000 0000000000000000", "7.1"),
        ("85 02 00000001 02", "7.7"),
        ("85 02 00000009 00 00000010 00112233", "7.7"),  # a key of 16 bytes
        ("83 02 00000000", "5.1"),  # no cache index
        ("86 02 00000004 08DAA19E", "7.2"),
        ("89 02 00000003 DEADBE", "7.5"),
        ("88 02 00000005 00000000 01", "7.6"),
    ],
)
def test_payloads_that_do_not_fit(payload: str, clause: str) -> None:
    with pytest.raises(MessageError) as caught:
        list(read_responses(bytes.fromhex(payload), MODES))
    assert caught.value.clause == clause


@pytest.mark.parametrize("length", ["FFFFFFFF", "80000000", "00000001", "7FFFFFFF"])
def test_inner_length_that_lies(length: str) -> None:
    with pytest.raises(FrameError):
        list(read_responses(bytes.fromhex("FF 02" + length), MODES))


def test_empty_frame() -> None:
    with pytest.raises(FrameError):
        list(read_responses(b"", MODES))


def test_several_responses_in_a_frame() -> None:
    frame = bytes.fromhex("FF 02 00000000 80 06 00000002 4F4B 8A 02 00000000")
    assert list(read_responses(frame, MODES)) == [NoOP(), Succeeded(command=6, text="OK"), ConfigurationChanged()]
    with pytest.raises(FrameError, match="more than one"):
        list(read_responses(frame, MODES, tolerances=STRICT))


def test_what_follows_the_last_response_is_no_response() -> None:
    responses = read_responses(bytes.fromhex("FF 02 00000000 80 06"), MODES)
    assert next(responses) == NoOP()
    with pytest.raises(FrameError):
        next(responses)


def test_the_body_of_a_data_packet_is_not_copied() -> None:
    frame = bytes.fromhex(EXAMPLES[3][0])
    view = memoryview(frame)[4:]
    (packet,) = read_responses(view, MODES)
    assert isinstance(packet, DataPacket)
    assert isinstance(packet.body, memoryview)
    assert packet.body.obj is frame


@pytest.mark.parametrize("body", [b"records", bytearray(b"records"), memoryview(b"records")])
def test_a_data_packet_is_written_from_any_buffer(body: bytes | bytearray | memoryview) -> None:
    packet = DataPacket(flags=DataPacketFlags.COMPACT, count=1, body=body)
    assert write_response(packet, MODES).endswith(b"\x02\0\0\0\1records")


# Texts


def test_length_before_a_text_is_a_tolerance() -> None:
    # wire.md 4.6, from pyapi's publisher
    frame = bytes.fromhex("00000020 80 03 0000001A 00000016") + b"Unsubscribe successful"
    assert read(frame) == [Succeeded(command=Command.UNSUBSCRIBE, text="Unsubscribe successful")]
    assert read(frame, tolerances=STRICT) == [Succeeded(command=3, text="\0\0\0\x16Unsubscribe successful")]
    # a text that happens to begin like a length, but not like its own, is left alone
    for other in (0x15, 0x17):
        frame = bytes.fromhex(f"00000020 80 03 0000001A 000000{other:02X}") + b"Unsubscribe successful"
        assert read(frame) == [Succeeded(command=3, text=f"\0\0\0{other:c}Unsubscribe successful")]


def test_text_that_is_not_valid_is_for_people_all_the_same() -> None:
    assert read(bytes.fromhex("00000008 81 02 00000002 FF41")) == [Failed(command=2, text="\N{REPLACEMENT CHARACTER}A")]


def test_a_long_text_is_cut() -> None:
    frame = write_response(Failed(command=2, text="abcdef"), MODES)
    assert read(frame, limits=Limits(text=4)) == [Failed(command=2, text="abcd")]


@pytest.mark.parametrize(
    ("encoding", "payload"), [(TextEncoding.UTF_16LE, "4F004B00"), (TextEncoding.UTF_16BE, "004F004B")]
)
def test_text_follows_the_session(encoding: TextEncoding, payload: str) -> None:
    modes = OperationalModes(encoding=encoding)
    frame = bytes.fromhex("0000000A 80 06 00000004" + payload)
    assert write_response(Succeeded(command=6, text="OK"), modes) == frame
    assert read(frame, modes) == [Succeeded(command=6, text="OK")]


# Signal index caches


def test_a_cache_has_no_index_in_version_1() -> None:
    cache = UpdateSignalIndexCache(cache_index=None, image=b"image")
    frame = write_response(cache, V1)
    assert frame == bytes.fromhex("0000000B 83 02 00000005") + b"image"
    assert read(frame, V1) == [cache]


@pytest.mark.parametrize(("byte", "slot"), [(0x02, 1), (0xFE, 1), (0xFF, 0)])
def test_cache_index_above_1_is_a_tolerance(byte: int, slot: int) -> None:
    frame = bytes.fromhex("00000007 83 02 00000001") + bytes((byte,))
    assert read(frame) == [UpdateSignalIndexCache(cache_index=slot, image=b"")]
    with pytest.raises(MessageError) as caught:
        read(frame, tolerances=STRICT)
    assert caught.value.clause == "5.1"


# Unknown codes


def test_unknown_codes_are_no_error() -> None:
    frame = bytes.fromhex("00000008 90 77 00000002 0102")
    assert read(frame) == [UnknownResponse(code=0x90, command=0x77, payload=b"\x01\x02")]
    assert read(bytes.fromhex("00000006 81 77 00000000")) == [Failed(command=0x77, text="")]


@pytest.mark.parametrize(
    "response",
    [
        Succeeded(command=0x77),
        Failed(command=0x80, text="?"),
        Succeeded(command=Command.METADATA_REFRESH, text="this would be read as a document"),
        UserResponse(number=0, command=Command.SUBSCRIBE),
        UpdateSignalIndexCache(cache_index=2, image=b""),
        UpdateSignalIndexCache(cache_index=None, image=b""),
        UpdateBaseTimes(active=2, times=(0, 0)),
        DataStartTime(ticks=2**63),
        Notify(hash=b"", text=""),
        Notify(hash=b"1234", text="\ud800"),
        BufferBlock(sequence=-1, signal_index=0, payload=b""),
        UpdateCipherKeys(active=0, even_key=b"short", even_iv=bytes(16), odd_key=bytes(32), odd_iv=bytes(16)),
    ],
)
def test_what_cannot_be_written(response: AnyResponse) -> None:
    with pytest.raises(UsageError):
        write_response(response, MODES)


def test_numbers_that_cannot_be() -> None:
    for number in (-1, 16):
        with pytest.raises(UsageError):
            UserResponse(number=number, command=Command.USER_COMMAND_00)
    for code in (-1, 256):
        with pytest.raises(UsageError):
            UnknownResponse(code=code)


def test_the_old_layout_of_buffer_blocks_is_a_tolerance() -> None:
    old = Tolerances(old_buffer_blocks=True)
    wanted = BufferBlockFlags.REQUIRE_CONFIRMATION
    for wire, modes, flags in (
        ("0000000E 88 02 0000000E 00000005 00 00000001 48454C4C4F", MODES, wanted),
        ("0000000E 88 02 0000000E 00000005 01 00000001 48454C4C4F", MODES, wanted | BufferBlockFlags.CACHE_INDEX),
        ("0000000D 88 02 0000000D 00000005 00000001 48454C4C4F", OperationalModes(version=1), wanted),
    ):
        block = BufferBlock(sequence=5, flags=flags, signal_index=1, payload=b"HELLO")
        assert read(bytes.fromhex(wire), modes, tolerances=old) == [block]
    for length in range(9):
        frame = struct.pack(">IBBi", 6 + length, 0x88, 2, length) + bytes(length)
        with pytest.raises(MessageError, match="BufferBlock"):
            read(frame, tolerances=old)
