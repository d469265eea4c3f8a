"""Responses: what a publisher says to a subscriber (wire.md 1.3, 2.2, 4.6, 5.1, 7, 8.2).

Each is a frozen class and, below the classes, one declaration of its payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, ClassVar, Final, TypeAlias

import construct

from sttp.codes import Command, DataPacketFlags, OperationalModes, Response, is_user_command, is_user_response
from sttp.errors import FrameError, MessageError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.tolerances import DEFAULT_TOLERANCES, Tolerances
from sttp.wire.cipher import DataCipher
from sttp.wire.data_packet import DataPacket, read_data_packet, write_data_packet
from sttp.wire.fields import Declaration, Text, Ticks, flags
from sttp.wire.frame import Buffer, write_frame

__all__ = [
    "RESPONSE",
    "AnyResponse",
    "BufferBlock",
    "BufferBlockFlags",
    "ConfigurationChanged",
    "DataPacket",
    "DataStartTime",
    "Failed",
    "Metadata",
    "NoOP",
    "Notify",
    "ProcessingComplete",
    "Succeeded",
    "UnknownResponse",
    "UpdateBaseTimes",
    "UpdateCipherKeys",
    "UpdateSignalIndexCache",
    "UserResponse",
    "read_response",
    "read_responses",
    "write_response",
]


class BufferBlockFlags(IntFlag):
    """Flags of a buffer block in its current layout (7.6)."""

    NONE = 0
    REQUIRE_CONFIRMATION = 0x01
    KEY_INDEX = 0x04
    COMPRESSED = 0x08
    CACHE_INDEX = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The publisher did what a command asked for (4.5, 4.6). The answer to MetadataRefresh is `Metadata` instead.

    Attributes:
        command: code of the command that is answered.
        text: for people; may be empty.
    """

    code: ClassVar[Response] = Response.SUCCEEDED
    command: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The publisher did not do what a command asked for (4.5, 4.6).

    Attributes:
        command: code of the command that is answered; `Command.CONNECT` refuses the connection as a whole (7.12).
        text: the reason, for people.
    """

    code: ClassVar[Response] = Response.FAILED
    command: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The answer to MetadataRefresh (8.2).

    Attributes:
        document: XML as it stands on the wire, perhaps through gzip; see `sttp.wire.fields.inflate`. Empty when the
            publisher has no metadata.
    """

    code: ClassVar[Response] = Response.SUCCEEDED
    command: ClassVar[Command] = Command.METADATA_REFRESH
    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSignalIndexCache:
    """A signal index cache, to be confirmed except in version 1 (5.1, 5.4).

    Attributes:
        cache_index: the slot that it is for, 0 or 1; None in version 1.
        image: the cache as it stands on the wire, perhaps through gzip; see `sttp.wire.signal_index_cache`.
    """

    code: ClassVar[Response] = Response.UPDATE_SIGNAL_INDEX_CACHE
    command: ClassVar[Command] = Command.SUBSCRIBE
    cache_index: int | None
    image: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateBaseTimes:
    """The two times that short timestamps of compact measurements count from (7.1).

    Attributes:
        active: which of them the publisher uses now. A subscriber goes by the flag of each measurement instead.
        times: ticks.
    """

    code: ClassVar[Response] = Response.UPDATE_BASE_TIMES
    command: ClassVar[Command] = Command.SUBSCRIBE
    active: int
    times: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCipherKeys:
    """Keys of the data channel: two sets for AES-256-CBC (7.7).

    Attributes:
        active: which set the publisher uses now, 0 for even and 1 for odd.
        even_key: 32 bytes.
        even_iv: 16 bytes.
        odd_key: 32 bytes.
        odd_iv: 16 bytes.
    """

    code: ClassVar[Response] = Response.UPDATE_CIPHER_KEYS
    command: ClassVar[Command] = Command.SUBSCRIBE
    active: int
    even_key: bytes = field(repr=False)
    even_iv: bytes = field(repr=False)
    odd_key: bytes = field(repr=False)
    odd_iv: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStartTime:
    """Time of the first measurement of a subscription (7.2).

    Attributes:
        ticks: 100 ns since 0001-01-01 UTC.
    """

    code: ClassVar[Response] = Response.DATA_START_TIME
    command: ClassVar[Command] = Command.SUBSCRIBE
    ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingComplete:
    """A replay has reached its end (7.3).

    Attributes:
        text: some name of what has ended; may be empty.
    """

    code: ClassVar[Response] = Response.PROCESSING_COMPLETE
    command: ClassVar[Command] = Command.SUBSCRIBE
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferBlock:
    """Bytes of the application that belong to a signal, in the current layout (7.6).

    Attributes:
        sequence: number of the block, from 0 per subscription, modulo 2^32.
        flags: whether to confirm, and which cipher key, compression and signal index cache belong to the block.
        signal_index: which signal.
        payload: the bytes; a gzip stream when flagged COMPRESSED.
    """

    code: ClassVar[Response] = Response.BUFFER_BLOCK
    command: ClassVar[Command] = Command.SUBSCRIBE
    sequence: int
    flags: BufferBlockFlags = BufferBlockFlags.NONE
    signal_index: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """A notice for people, to be confirmed (7.5).

    Attributes:
        hash: four bytes that the confirmation repeats.
        text: the notice.
    """

    code: ClassVar[Response] = Response.NOTIFY
    command: ClassVar[Command] = Command.SUBSCRIBE
    hash: bytes
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """The metadata has changed (7.4)."""

    code: ClassVar[Response] = Response.CONFIGURATION_CHANGED
    command: ClassVar[Command] = Command.SUBSCRIBE


@dataclass(frozen=True, slots=True, kw_only=True)
class UserResponse:
    """One of sixteen responses whose meaning is up to the applications (7.11).

    Attributes:
        number: 0 to 15.
        command: code of the user command that is answered, or of any user command; gsfapi delivers no others.
        payload: the application's bytes.
    """

    number: int
    command: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.number < 16:
            raise UsageError(f"user responses are numbered 0 to 15, not {self.number}")

    @property
    def code(self) -> Response:
        """0xE0 and upward."""
        return Response(Response.USER_RESPONSE_00 + self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOP:
    """A sign of life (7.8)."""

    code: ClassVar[Response] = Response.NOOP
    command: ClassVar[Command] = Command.SUBSCRIBE


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownResponse:
    """A response that nobody defined; to be ignored (1.5). Writing one puts any codes and bytes on the wire.

    Attributes:
        code: first byte of the response.
        command: second byte.
        payload: what the inner length counts.
    """

    code: int
    command: int = Command.SUBSCRIBE
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not (0 <= self.code < 256 and 0 <= self.command < 256):
            raise UsageError(f"codes are one byte each, not {self.code} and {self.command}")


AnyResponse: TypeAlias = (
    Succeeded
    | Failed
    | Metadata
    | DataPacket
    | UpdateSignalIndexCache
    | UpdateBaseTimes
    | UpdateCipherKeys
    | DataStartTime
    | ProcessingComplete
    | BufferBlock
    | Notify
    | ConfigurationChanged
    | UserResponse
    | NoOP
    | UnknownResponse
)

RESPONSE: Final = construct.Struct(
    # 1.3, 2.2
    "code" / construct.Int8ub,
    # 1.3: the command answered, 0x02 when unsolicited. pyapi drops the connection on one that is not defined (1.5)
    "command" / construct.Int8ub,
    # 1.3: an i32 that is never negative. gsfapi goes by it, so several responses may share a frame; cppapi, goapi and
    # pyapi ignore it and read to the end of the frame. We send one and read several
    "payload" / construct.Prefixed(construct.Int32sb, construct.GreedyBytes),
)
"""The normative declaration of the header. `read_responses` and `write_response` do the same with `struct`."""

_HEADER: Final = struct.Struct(">BBi")
_BEFORE_PAYLOAD: Final = 4 + _HEADER.size


def _read_cache_index(byte: int, context: Any) -> int:
    tolerances: Tolerances = context._params.tolerances
    if byte == 0xFF and tolerances.cache_index_255_is_0:
        return 0
    if byte > 1:
        if not tolerances.cache_index_above_1_is_1:
            raise MessageError(f"a signal index cache for slot {byte}", clause="5.1")
        return 1
    return byte


def _write_cache_index(cache_index: int | None, context: Any) -> int:
    if cache_index not in (0, 1):
        raise UsageError(f"signal index caches have the slots 0 and 1, not {cache_index}")
    return cache_index


# 1.3: byte 1 of the header
_ANSWERED: Final = construct.Computed(lambda context: context._params.command)

_ZERO_OR_ONE: Final = (0, 1)

_DECLARATIONS: Final[tuple[Declaration[Any], ...]] = (
    # 4.6: pyapi's publisher puts a byte count before the text
    Declaration(Succeeded, "4.6", "command" / _ANSWERED, "text" / Text),
    Declaration(Failed, "4.6", "command" / _ANSWERED, "text" / Text),
    # 8.2: no byte count, no text; cppapi's publisher sends nothing at all when it has no metadata
    Declaration(Metadata, "8.2", "document" / construct.GreedyBytes),
    Declaration(
        UpdateSignalIndexCache,
        "5.1",
        # 5.1: not in version 1, and never compressed. pyapi's publisher sends 0xFF with an uncompressed cache (5.6)
        "cache_index"
        / construct.If(
            lambda context: context._params.modes.double_buffered,
            construct.ExprAdapter(construct.Int8ub, _read_cache_index, _write_cache_index),
        ),
        # 5.2: gsfapi's publisher sends nothing with version 1 when no signal matched (5.6)
        "image" / construct.GreedyBytes,
    ),
    Declaration(
        UpdateBaseTimes,
        "7.1",
        "active" / construct.OneOf(construct.Int32sb, _ZERO_OR_ONE),
        "times" / construct.ExprAdapter(Ticks[2], lambda times, context: tuple(times), lambda times, context: times),
    ),
    Declaration(
        UpdateCipherKeys,
        "7.7",
        "active" / construct.OneOf(construct.Int8ub, _ZERO_OR_ONE),
        # 7.7: each behind its i32 byte count, which is the same for all that ever sent it
        construct.Const(32, construct.Int32sb),
        "even_key" / construct.Bytes(32),
        construct.Const(16, construct.Int32sb),
        "even_iv" / construct.Bytes(16),
        construct.Const(32, construct.Int32sb),
        "odd_key" / construct.Bytes(32),
        construct.Const(16, construct.Int32sb),
        "odd_iv" / construct.Bytes(16),
    ),
    Declaration(DataStartTime, "7.2", "ticks" / Ticks),
    # 7.3: gsfapi the name of a class, cppapi its node ID
    Declaration(ProcessingComplete, "7.3", "text" / Text),
    Declaration(
        BufferBlock,
        "7.6",
        # 7.6: modulo 2^32
        "sequence" / construct.Int32ub,
        # 7.6: older builds of gsfapi have the slot of the cache here; see _OLD_BUFFER_BLOCK
        "flags" / flags(BufferBlockFlags),
        # 7.6: from here on encrypted when keys are active
        "signal_index" / construct.Int32sb,
        "payload" / construct.GreedyBytes,
    ),
    Declaration(
        Notify,
        "7.5",
        # 7.5: a number to its sender, opaque to everybody else
        "hash" / construct.Bytes(4),
        # 7.5: gsfapi may leave the tail of a longer notice behind it (G13)
        "text" / Text,
    ),
    Declaration(ConfigurationChanged, "7.4"),
    Declaration(NoOP, "7.8"),
)

_BY_KIND: Final = {declaration.kind: declaration for declaration in _DECLARATIONS}
_BY_CODE: Final[dict[int, Declaration[Any]]] = {
    declaration.kind.code: declaration for declaration in _DECLARATIONS if declaration.kind is not Metadata
}

_DEFINED_COMMANDS: Final = frozenset(Command)

_OLD_BUFFER_BLOCK: Final = construct.Struct(
    # 7.6: the layouts before flags were invented. Every block is to be confirmed, none is compressed
    "sequence" / construct.Int32ub,
    "cache_index" / construct.If(lambda context: context._params.modes.double_buffered, construct.Int8ub),
    "signal_index" / construct.Int32sb,
    # 7.6: older builds append six zeros, which nothing tells from data
    "payload" / construct.GreedyBytes,
)

_DATA_PACKET: Final = int(Response.DATA_PACKET)

_CIPHER_CLEAR: Final = {Response.DATA_PACKET: 1, Response.BUFFER_BLOCK: 5}
"""Bytes of a payload that are never encrypted: up to the flags, which say with which key the others are (6.1, 7.6)."""


def read_responses(
    frame: Buffer,
    modes: OperationalModes,
    limits: Limits = DEFAULT_LIMITS,
    tolerances: Tolerances = DEFAULT_TOLERANCES,
    cipher: DataCipher | None = None,
) -> Iterator[AnyResponse]:
    """Read a frame, or a datagram, that came from a publisher (1.3).

    Args:
        frame: the frame without its length.
        modes: what was settled with the first command; version and text encoding count here.
        limits: `text` and `packet_measurements` count here.
        tolerances: which departures to read all the same.
        cipher: the keys of the connection; looked at anew for each response, so that keys may stand in front of the
            first packet that needs them.

    Yields:
        The responses in their order, normally one. One that nobody defined comes as `UnknownResponse`. The body of a
        `DataPacket` is a view into `frame`.

    Raises:
        FrameError: a header that is cut off, or an inner length that does not fit into the frame.
        MessageError: a payload that does not fit its code, or that no key opens.
        LimitError: a data packet with too many measurements.
    """
    rest: memoryview | None = memoryview(frame)
    while rest is not None:
        response, rest = read_response(rest, modes, limits, tolerances, cipher)
        yield response


def read_response(
    frame: memoryview,
    modes: OperationalModes,
    limits: Limits = DEFAULT_LIMITS,
    tolerances: Tolerances = DEFAULT_TOLERANCES,
    cipher: DataCipher | None = None,
) -> tuple[AnyResponse, memoryview | None]:
    """Read the first response of a frame; the arguments, and what is raised, are those of `read_responses`.

    Returns:
        The response, and what of the frame is still to be read; None when that was all.
    """
    size = len(frame)
    if size < _HEADER.size:
        raise FrameError(f"a response of {size} bytes, where {_HEADER.size} are the least", clause="1.3")
    code, command, length = _HEADER.unpack_from(frame)
    end = _HEADER.size + length
    if length < 0 or end > size:
        raise FrameError(f"a response claims {length} bytes where {size - _HEADER.size} follow", clause="1.3")
    rest = None
    if end != size:
        if not tolerances.several_responses_in_a_frame:
            raise FrameError("more than one response in a frame", clause="1.3")
        rest = frame[end:]
    payload = frame[_HEADER.size : end]
    if cipher is not None and cipher.keys is not None and code in _CIPHER_CLEAR:
        payload = _opened(payload, _CIPHER_CLEAR[Response(code)], cipher)
    if code == _DATA_PACKET:
        return read_data_packet(payload, limits, tolerances), rest
    return _read(code, command, payload, modes, limits, tolerances), rest


_NOOP: Final = NoOP()


def _read(
    code: int, command: int, payload: memoryview, modes: OperationalModes, limits: Limits, tolerances: Tolerances
) -> AnyResponse:
    if code == Response.NOOP and not payload:
        return _NOOP  # every few seconds from everyone; and a flood of them must cost little
    if is_user_response(code):
        return UserResponse(number=code - Response.USER_RESPONSE_00, command=command, payload=bytes(payload))
    if code == Response.SUCCEEDED and command == Command.METADATA_REFRESH:
        return Metadata(document=bytes(payload))
    if code == Response.BUFFER_BLOCK and tolerances.old_buffer_blocks:
        return _read_old_buffer_block(payload, modes)
    declaration = _BY_CODE.get(code)
    if declaration is None:
        return UnknownResponse(code=code, command=command, payload=bytes(payload))
    response: AnyResponse = declaration.parse(
        payload,
        trailing=tolerances.trailing_bytes,
        command=command,
        modes=modes,
        limits=limits,
        tolerances=tolerances,
    )
    return response


def _read_old_buffer_block(payload: memoryview, modes: OperationalModes) -> BufferBlock:
    try:
        block = _OLD_BUFFER_BLOCK.parse(payload, modes=modes)
    except construct.ConstructError:
        raise MessageError(f"BufferBlock of {len(payload)} bytes cannot be read", clause="7.6") from None
    slot = BufferBlockFlags.CACHE_INDEX if block.cache_index else BufferBlockFlags.NONE
    return BufferBlock(
        sequence=block.sequence,
        flags=BufferBlockFlags.REQUIRE_CONFIRMATION | slot,
        signal_index=block.signal_index,
        payload=block.payload,
    )


def _opened(payload: memoryview, clear: int, cipher: DataCipher) -> memoryview:
    if len(payload) < clear:
        raise MessageError(f"{len(payload)} bytes, where {clear} are the least", clause="7.7")
    odd = bool(payload[clear - 1] & DataPacketFlags.CIPHER_INDEX)
    return memoryview(b"".join((payload[:clear], cipher.decrypt(payload[clear:], odd=odd))))


def _sealed(payload: Buffer, clear: int, cipher: DataCipher) -> bytes:
    head = bytearray(payload[:clear])
    if cipher.active:
        head[-1] |= DataPacketFlags.CIPHER_INDEX
    return b"".join((head, cipher.encrypt(payload[clear:])))


def write_response(response: AnyResponse, modes: OperationalModes, cipher: DataCipher | None = None) -> bytes:
    """Write a response as a whole frame, length included; always one in a frame (1.3).

    Args:
        response: what to say.
        modes: what was settled with the first command; version and text encoding count here.
        cipher: the keys of the connection. If there are any, data packets and buffer blocks are encrypted, and flagged
            with the key (7.7).

    Raises:
        UsageError: a value that the wire cannot carry, or an answer to a command that is not defined, which pyapi's
            subscriber would not survive (1.5).
    """
    match response:
        case DataPacket():
            frame = write_data_packet(response.flags, response.count, response.body)
            if cipher is None or cipher.keys is None:
                return frame
            return _frame(response, _sealed(frame[_BEFORE_PAYLOAD:], _CIPHER_CLEAR[response.code], cipher))
        case UserResponse() if not is_user_command(response.command):
            raise UsageError(f"a user response answers a user command, not {response.command:#04x}")
        case Succeeded(command=Command.METADATA_REFRESH):
            raise UsageError("the answer to MetadataRefresh is Metadata, not Succeeded")
        case Succeeded() | Failed() if response.command not in _DEFINED_COMMANDS:
            raise UsageError(f"a publisher answers defined commands, not {response.command:#04x}")
        case UserResponse() | UnknownResponse():
            return _frame(response, response.payload)
    payload = _BY_KIND[type(response)].build(response, command=response.command, modes=modes)
    if isinstance(response, BufferBlock) and cipher is not None and cipher.keys is not None:
        payload = _sealed(payload, _CIPHER_CLEAR[response.code], cipher)
    return _frame(response, payload)


def _frame(response: AnyResponse, *parts: Buffer) -> bytes:
    return write_frame(_HEADER.pack(response.code, response.command, sum(map(len, parts))), *parts)
