"""Codes of the wire: roles, commands, responses, operational modes and flags.

Every number here is from wire.md sections 2 (commands and responses), 3 (operational modes), 6 (data packets)
and 11.3 (measurement state flags).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from typing import Final

__all__ = [
    "Command",
    "CompactFlags",
    "DataPacketFlags",
    "ModeFlags",
    "OperationalModes",
    "Response",
    "Role",
    "StateFlags",
    "TextEncoding",
    "is_user_command",
    "is_user_response",
]


class Role(Enum):
    """What an endpoint does with measurements. It says nothing about who dialed."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"

    __hash__ = object.__hash__  # each is equal to itself alone; that of `Enum` hashes the name, in Python

    @property
    def other(self) -> Role:
        """The role at the other end of the conversation."""
        return Role.SUBSCRIBER if self is Role.PUBLISHER else Role.PUBLISHER


class Command(IntEnum):
    """First byte of a frame from the subscriber to the publisher (2.1)."""

    CONNECT = 0x00
    METADATA_REFRESH = 0x01
    SUBSCRIBE = 0x02
    UNSUBSCRIBE = 0x03
    ROTATE_CIPHER_KEYS = 0x04
    UPDATE_PROCESSING_INTERVAL = 0x05
    DEFINE_OPERATIONAL_MODES = 0x06
    CONFIRM_NOTIFICATION = 0x07
    CONFIRM_BUFFER_BLOCK = 0x08
    CONFIRM_UPDATE_BASE_TIMES = 0x09
    CONFIRM_UPDATE_SIGNAL_INDEX_CACHE = 0x0A
    CONFIRM_UPDATE_CIPHER_KEYS = 0x0B
    GET_PRIMARY_METADATA_SCHEMA = 0x0C
    GET_SIGNAL_SELECTION_SCHEMA = 0x0D
    USER_COMMAND_00 = 0xD0
    USER_COMMAND_01 = 0xD1
    USER_COMMAND_02 = 0xD2
    USER_COMMAND_03 = 0xD3
    USER_COMMAND_04 = 0xD4
    USER_COMMAND_05 = 0xD5
    USER_COMMAND_06 = 0xD6
    USER_COMMAND_07 = 0xD7
    USER_COMMAND_08 = 0xD8
    USER_COMMAND_09 = 0xD9
    USER_COMMAND_10 = 0xDA
    USER_COMMAND_11 = 0xDB
    USER_COMMAND_12 = 0xDC
    USER_COMMAND_13 = 0xDD
    USER_COMMAND_14 = 0xDE
    USER_COMMAND_15 = 0xDF


class Response(IntEnum):
    """First byte of a frame from the publisher to the subscriber (2.2)."""

    SUCCEEDED = 0x80
    FAILED = 0x81
    DATA_PACKET = 0x82
    UPDATE_SIGNAL_INDEX_CACHE = 0x83
    UPDATE_BASE_TIMES = 0x84
    UPDATE_CIPHER_KEYS = 0x85
    DATA_START_TIME = 0x86
    PROCESSING_COMPLETE = 0x87
    BUFFER_BLOCK = 0x88
    NOTIFY = 0x89
    CONFIGURATION_CHANGED = 0x8A
    USER_RESPONSE_00 = 0xE0
    USER_RESPONSE_01 = 0xE1
    USER_RESPONSE_02 = 0xE2
    USER_RESPONSE_03 = 0xE3
    USER_RESPONSE_04 = 0xE4
    USER_RESPONSE_05 = 0xE5
    USER_RESPONSE_06 = 0xE6
    USER_RESPONSE_07 = 0xE7
    USER_RESPONSE_08 = 0xE8
    USER_RESPONSE_09 = 0xE9
    USER_RESPONSE_10 = 0xEA
    USER_RESPONSE_11 = 0xEB
    USER_RESPONSE_12 = 0xEC
    USER_RESPONSE_13 = 0xED
    USER_RESPONSE_14 = 0xEE
    USER_RESPONSE_15 = 0xEF
    NOOP = 0xFF


def is_user_command(code: int) -> bool:
    """Whether `code` is one of the sixteen user commands, 0xD0 to 0xDF."""
    return Command.USER_COMMAND_00 <= code <= Command.USER_COMMAND_15


def is_user_response(code: int) -> bool:
    """Whether `code` is one of the sixteen user responses, 0xE0 to 0xEF."""
    return Response.USER_RESPONSE_00 <= code <= Response.USER_RESPONSE_15


class TextEncoding(IntEnum):
    """How texts of a session are written; bits 8 and 9 of the operational modes (3.3)."""

    UTF_16LE = 0
    UTF_16BE = 1
    UTF_8 = 2

    @property
    def codec(self) -> str:
        """Name of Python's codec for this encoding."""
        return _CODECS[self]


_CODECS: Final = {
    TextEncoding.UTF_16LE: "utf-16-le",
    TextEncoding.UTF_16BE: "utf-16-be",
    TextEncoding.UTF_8: "utf-8",
}


class ModeFlags(IntFlag):
    """The single-bit operational modes (3.1)."""

    GZIP = 0x00000020
    TSSC = 0x00000040
    RECEIVE_EXTERNAL_METADATA = 0x02000000
    RECEIVE_INTERNAL_METADATA = 0x04000000
    COMPRESS_PAYLOAD_DATA = 0x20000000
    COMPRESS_SIGNAL_INDEX_CACHE = 0x40000000
    COMPRESS_METADATA = 0x80000000

    EVERYTHING_COMPRESSED = GZIP | TSSC | COMPRESS_PAYLOAD_DATA | COMPRESS_SIGNAL_INDEX_CACHE | COMPRESS_METADATA


_VERSION_MASK: Final = 0x0000001F
_ENCODING_SHIFT: Final = 8
_ENCODING_MASK: Final = 0x00000300
_EXTENSION_SHIFT: Final = 16
_EXTENSION_MASK: Final = 0x00FF0000
_FLAGS_MASK: Final = int(
    ModeFlags.EVERYTHING_COMPRESSED | ModeFlags.RECEIVE_EXTERNAL_METADATA | ModeFlags.RECEIVE_INTERNAL_METADATA
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationalModes:
    """What a subscriber asks for, once, with its first command: the 32 bits of DefineOperationalModes (3.1).

    Attributes:
        version: protocol version as deployed; 1, 2 or 3.
        encoding: how texts are written in both directions.
        flags: compression, and which metadata the subscriber wants.
        extension: the implementation-specific byte; zero means none.
    """

    version: int = 2
    encoding: TextEncoding = TextEncoding.UTF_8
    flags: ModeFlags = ModeFlags.EVERYTHING_COMPRESSED
    extension: int = 0

    @classmethod
    def from_bits(cls, bits: int) -> OperationalModes:
        """Read the 32-bit field. The undefined encoding 3 is taken as UTF-8, unassigned bits are dropped (3.1, 3.3)."""
        encoding = (bits & _ENCODING_MASK) >> _ENCODING_SHIFT
        return cls(
            version=bits & _VERSION_MASK,
            encoding=TextEncoding(encoding) if encoding in _CODECS else TextEncoding.UTF_8,
            flags=ModeFlags(bits & _FLAGS_MASK),
            extension=(bits & _EXTENSION_MASK) >> _EXTENSION_SHIFT,
        )

    def to_bits(self) -> int:
        """The 32-bit field as it stands on the wire."""
        return self.version | self.encoding << _ENCODING_SHIFT | self.extension << _EXTENSION_SHIFT | int(self.flags)

    @property
    def compress_metadata(self) -> bool:
        """Metadata is sent through gzip: bits 31 and 5, both (3.2)."""
        return self._both(ModeFlags.COMPRESS_METADATA, ModeFlags.GZIP)

    @property
    def compress_signal_index_cache(self) -> bool:
        """Signal index caches are sent through gzip: bits 30 and 5, both (3.2)."""
        return self._both(ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE, ModeFlags.GZIP)

    @property
    def compress_payload_data(self) -> bool:
        """Data packets are TSSC blocks: bits 29 and 6, both (3.2)."""
        return self._both(ModeFlags.COMPRESS_PAYLOAD_DATA, ModeFlags.TSSC)

    @property
    def double_buffered(self) -> bool:
        """Signal index caches alternate between two slots and are confirmed: versions above 1 (3.4)."""
        return self.version > 1

    def _both(self, wanted: ModeFlags, means: ModeFlags) -> bool:
        return wanted | means in self.flags


class DataPacketFlags(IntFlag):
    """First byte of a data packet (6.1)."""

    SYNCHRONIZED = 0x01
    COMPACT = 0x02
    CIPHER_INDEX = 0x04
    COMPRESSED = 0x08
    CACHE_INDEX = 0x10


class CompactFlags(IntFlag):
    """State byte of a compact measurement; the last two say how its time is written (6.3)."""

    DATA_RANGE = 0x01
    DATA_QUALITY = 0x02
    TIME_QUALITY = 0x04
    SYSTEM_ISSUE = 0x08
    CALCULATED_VALUE = 0x10
    DISCARDED_VALUE = 0x20
    BASE_TIME_OFFSET = 0x40
    TIME_INDEX = 0x80


class StateFlags(IntFlag):
    """State of a measurement, 32 bits (11.3). Zero is normal."""

    NORMAL = 0
    BAD_DATA = 0x00000001
    SUSPECT_DATA = 0x00000002
    OVER_RANGE_ERROR = 0x00000004
    UNDER_RANGE_ERROR = 0x00000008
    ALARM_HIGH = 0x00000010
    ALARM_LOW = 0x00000020
    WARNING_HIGH = 0x00000040
    WARNING_LOW = 0x00000080
    FLATLINE_ALARM = 0x00000100
    COMPARISON_ALARM = 0x00000200
    ROC_ALARM = 0x00000400
    RECEIVED_AS_BAD = 0x00000800
    CALCULATED_VALUE = 0x00001000
    CALCULATION_ERROR = 0x00002000
    CALCULATION_WARNING = 0x00004000
    RESERVED_QUALITY_FLAG = 0x00008000
    BAD_TIME = 0x00010000
    SUSPECT_TIME = 0x00020000
    LATE_TIME_ALARM = 0x00040000
    FUTURE_TIME_ALARM = 0x00080000
    UP_SAMPLED = 0x00100000
    DOWN_SAMPLED = 0x00200000
    DISCARDED_VALUE = 0x00400000
    RESERVED_TIME_FLAG = 0x00800000
    USER_DEFINED_FLAG_1 = 0x01000000
    USER_DEFINED_FLAG_2 = 0x02000000
    USER_DEFINED_FLAG_3 = 0x04000000
    USER_DEFINED_FLAG_4 = 0x08000000
    USER_DEFINED_FLAG_5 = 0x10000000
    SYSTEM_ERROR = 0x20000000
    SYSTEM_WARNING = 0x40000000
    MEASUREMENT_ERROR = 0x80000000
