"""Commands: what a subscriber says to a publisher (wire.md 1.2, 2.1, 3, 4, 5.4, 7, 8.1).

Each is a frozen class and, below the classes, one declaration of its payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

import construct

from sttp.codes import Command, DataPacketFlags, OperationalModes, is_user_command
from sttp.errors import MessageError, UsageError
from sttp.tolerances import DEFAULT_TOLERANCES, Tolerances
from sttp.wire.fields import Declaration, Modes, OptionalText, PrefixedText, flags
from sttp.wire.frame import Buffer, write_frame

__all__ = [
    "COMMAND",
    "AnyCommand",
    "ConfirmBufferBlock",
    "ConfirmNotification",
    "ConfirmUpdateBaseTimes",
    "ConfirmUpdateCipherKeys",
    "ConfirmUpdateSignalIndexCache",
    "DefineOperationalModes",
    "GetPrimaryMetadataSchema",
    "GetSignalSelectionSchema",
    "MetadataRefresh",
    "PublishCommandMeasurements",
    "RotateCipherKeys",
    "Subscribe",
    "UnknownCommand",
    "Unsubscribe",
    "UpdateProcessingInterval",
    "UserCommand",
    "read_command",
    "write_command",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRefresh:
    """Asks for the metadata (8.1).

    Attributes:
        filter_expression: FILTER statements separated by `;`, each for one table; empty asks for everything.
    """

    code: ClassVar[Command] = Command.METADATA_REFRESH
    filter_expression: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Asks for measurements; replaces a subscription that there is (4.1, 4.7).

    Attributes:
        flags: the format wanted; COMPACT has to be among them.
        connection_string: what is wanted, see `sttp.wire.subscription`.
    """

    code: ClassVar[Command] = Command.SUBSCRIBE
    flags: DataPacketFlags = DataPacketFlags.COMPACT
    connection_string: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """Ends the subscription, not the connection (4.8)."""

    code: ClassVar[Command] = Command.UNSUBSCRIBE


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateCipherKeys:
    """Asks for new keys of the data channel (7.7)."""

    code: ClassVar[Command] = Command.ROTATE_CIPHER_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProcessingInterval:
    """Changes the speed of a replay (7.9).

    Attributes:
        milliseconds: time per frame; -1 is the default speed, 0 as fast as possible.
    """

    code: ClassVar[Command] = Command.UPDATE_PROCESSING_INTERVAL
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineOperationalModes:
    """The first command of every connection (3.1, 3.6).

    Attributes:
        modes: version, text encoding and compression.
        parameters: what follows the bit field. Nobody sends any, and its form is not known (3.5).
    """

    code: ClassVar[Command] = Command.DEFINE_OPERATIONAL_MODES
    modes: OperationalModes
    parameters: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmNotification:
    """A notification has arrived (7.5).

    Attributes:
        hash: the four bytes that came with it.
    """

    code: ClassVar[Command] = Command.CONFIRM_NOTIFICATION
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmBufferBlock:
    """A buffer block has arrived (7.6).

    Attributes:
        sequence: its number, modulo 2^32.
    """

    code: ClassVar[Command] = Command.CONFIRM_BUFFER_BLOCK
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmUpdateBaseTimes:
    """Base times have arrived. Named by some peers, sent by none: gsfapi takes it for something else (2.1, 7.1)."""

    code: ClassVar[Command] = Command.CONFIRM_UPDATE_BASE_TIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCommandMeasurements:
    """The other meaning of 0x09, known to gsfapi alone: measurements for the publisher (7.13).

    Attributes:
        payload: an i32 byte count and a text, as they came; never empty.
    """

    code: ClassVar[Command] = Command.CONFIRM_UPDATE_BASE_TIMES
    payload: bytes

    def __post_init__(self) -> None:
        if not self.payload:
            raise UsageError("without measurements the code means ConfirmUpdateBaseTimes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmUpdateSignalIndexCache:
    """The outstanding signal index cache has arrived and is in use (5.4)."""

    code: ClassVar[Command] = Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmUpdateCipherKeys:
    """Cipher keys have arrived. Named by some peers, of no effect (2.1)."""

    code: ClassVar[Command] = Command.CONFIRM_UPDATE_CIPHER_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPrimaryMetadataSchema:
    """Named by some peers, defined by none (7.10).

    Attributes:
        payload: all that followed the code.
    """

    code: ClassVar[Command] = Command.GET_PRIMARY_METADATA_SCHEMA
    payload: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSignalSelectionSchema:
    """Named by some peers, defined by none (7.10).

    Attributes:
        payload: all that followed the code.
    """

    code: ClassVar[Command] = Command.GET_SIGNAL_SELECTION_SCHEMA
    payload: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCommand:
    """One of sixteen commands whose meaning is up to the applications (7.11).

    Attributes:
        number: 0 to 15.
        payload: the application's bytes.
    """

    number: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.number < 16:
            raise UsageError(f"user commands are numbered 0 to 15, not {self.number}")

    @property
    def code(self) -> Command:
        """0xD0 and upward."""
        return Command(Command.USER_COMMAND_00 + self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCommand:
    """A command that nobody defined; to be ignored (1.5). Writing one puts any code and bytes on the wire.

    Attributes:
        code: first byte of the frame.
        payload: all that followed.
    """

    code: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.code < 256:
            raise UsageError(f"a command code is one byte, not {self.code}")


AnyCommand: TypeAlias = (
    MetadataRefresh
    | Subscribe
    | Unsubscribe
    | RotateCipherKeys
    | UpdateProcessingInterval
    | DefineOperationalModes
    | ConfirmNotification
    | ConfirmBufferBlock
    | ConfirmUpdateBaseTimes
    | PublishCommandMeasurements
    | ConfirmUpdateSignalIndexCache
    | ConfirmUpdateCipherKeys
    | GetPrimaryMetadataSchema
    | GetSignalSelectionSchema
    | UserCommand
    | UnknownCommand
)

COMMAND: Final = construct.Struct(
    # 1.2, 2.1
    "code" / construct.Int8ub,
    # 1.2: by code, see below; possibly empty
    "payload" / construct.GreedyBytes,
)

_DECLARATIONS: Final[tuple[Declaration[Any], ...]] = (
    Declaration(
        MetadataRefresh,
        "8.1",
        # 8.1: where the byte count exceeds what came, cppapi answers with everything; we refuse
        "filter_expression" / OptionalText,
    ),
    Declaration(
        Subscribe,
        "4.1",
        # 4.1: COMPACT must be set. SYNCHRONIZED is obsolete: cppapi refuses it, pyapi looks at no flag
        "flags" / flags(DataPacketFlags),
        # 4.1: an empty text is for the publisher to refuse; pyapi's takes it for all signals
        "connection_string" / PrefixedText,
    ),
    Declaration(Unsubscribe, "4.8"),
    Declaration(RotateCipherKeys, "7.7"),
    Declaration(
        UpdateProcessingInterval,
        "7.9",
        # 4.3: -1 default speed, 0 as fast as possible
        "milliseconds" / construct.Int32sb,
    ),
    Declaration(
        DefineOperationalModes,
        "3.6",
        # 3.1
        "modes" / Modes,
        # 3.5: foreseen as a text, but nobody sends one, and whether a byte count stands before it is not known
        "parameters" / construct.GreedyBytes,
    ),
    Declaration(
        ConfirmNotification,
        "7.5",
        # 7.5: a number to its sender, opaque to everybody else
        "hash" / construct.Bytes(4),
    ),
    Declaration(
        ConfirmBufferBlock,
        "7.6",
        # 7.6: as it stood in the buffer block
        "sequence" / construct.Int32ub,
    ),
    # 2.1: 0x09 has two meanings. Empty it is the first, else the second
    Declaration(ConfirmUpdateBaseTimes, "7.1"),
    Declaration(
        PublishCommandMeasurements,
        "7.13",
        # 7.13: an i32 byte count and a text. gsfapi reads it; nobody else has to
        "payload" / construct.GreedyBytes,
    ),
    Declaration(ConfirmUpdateSignalIndexCache, "5.4"),
    Declaration(ConfirmUpdateCipherKeys, "2.1"),
    # 7.10: neither payload is defined anywhere
    Declaration(GetPrimaryMetadataSchema, "7.10", "payload" / construct.GreedyBytes),
    Declaration(GetSignalSelectionSchema, "7.10", "payload" / construct.GreedyBytes),
)

_BY_KIND: Final = {declaration.kind: declaration for declaration in _DECLARATIONS}
_BY_CODE: Final[dict[int, Declaration[Any]]] = {declaration.kind.code: declaration for declaration in _DECLARATIONS}


def read_command(frame: Buffer, modes: OperationalModes, tolerances: Tolerances = DEFAULT_TOLERANCES) -> AnyCommand:
    """Read a frame that came from a subscriber (1.2).

    Args:
        frame: the frame without its length.
        modes: what the subscriber settled; only the text encoding counts here.
        tolerances: which departures to read all the same.

    Returns:
        The command. One that nobody defined comes as `UnknownCommand`.

    Raises:
        MessageError: an empty frame, or a payload that does not fit its code.
    """
    if not frame:
        raise MessageError("a command without a code", clause="1.2")
    code, payload = frame[0], frame[1:]
    if is_user_command(code):
        return UserCommand(number=code - Command.USER_COMMAND_00, payload=bytes(payload))
    declaration = _BY_CODE.get(code)
    if declaration is None:
        return UnknownCommand(code=code, payload=bytes(payload))
    if code == Command.CONFIRM_UPDATE_BASE_TIMES and not payload:
        return ConfirmUpdateBaseTimes()
    command: AnyCommand = declaration.parse(payload, trailing=tolerances.trailing_bytes, modes=modes)
    return command


def write_command(command: AnyCommand, modes: OperationalModes) -> bytes:
    """Write a command as a whole frame, length included (1.2).

    Args:
        command: what to say.
        modes: what was settled with the first command; only the text encoding counts here.

    Raises:
        UsageError: a value that the wire cannot carry.
    """
    if isinstance(command, UserCommand | UnknownCommand):
        payload = command.payload
    else:
        payload = _BY_KIND[type(command)].build(command, modes=modes)
    return write_frame(bytes((command.code,)), payload)
