"""What a session tells its application. Frozen values, complete when they are made.

`SubscriberEvent` and `PublisherEvent` are closed unions that `match` can exhaust.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sttp.codes import OperationalModes
from sttp.errors import STTPError
from sttp.measurement import Columns, Signal, SignalTable
from sttp.wire.commands import AnyCommand
from sttp.wire.responses import AnyResponse
from sttp.wire.subscription import SubscriptionOptions

__all__ = [
    "BaseTimesUpdated",
    "BufferBlockConfirmed",
    "BufferBlockReceived",
    "CipherKeysRequested",
    "CipherKeysUpdated",
    "CommandFailed",
    "CommandSucceeded",
    "ConfigurationChanged",
    "DataStarts",
    "Ended",
    "MeasurementsReceived",
    "MessageIgnored",
    "MetadataReceived",
    "MetadataRefused",
    "MetadataRequested",
    "ModesAccepted",
    "ModesDefined",
    "NotificationConfirmed",
    "NotificationReceived",
    "PacketDropped",
    "ProcessingCompleted",
    "ProcessingIntervalRequested",
    "PublisherEvent",
    "PublisherProved",
    "SignalsChanged",
    "StreamingStarted",
    "SubscribeRequested",
    "SubscriberEvent",
    "SubscriptionAccepted",
    "SubscriptionRefused",
    "Unsubscribed",
    "UserCommandReceived",
    "UserResponseReceived",
]


# --- both roles


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIgnored:
    """A message that was read and has no effect: an unknown code, one out of place, or one not handled here.

    Attributes:
        message: what came.
        reason: why nothing follows from it.
    """

    message: AnyCommand | AnyResponse
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The session is over; nothing follows.

    Attributes:
        error: why, and by that whose fault it was; None after an orderly end by either side.
    """

    error: STTPError | None = None


# --- told to a subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherProved:
    """The peer has said its first valid response that is no refusal: it is a publisher. Comes before all the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModesAccepted:
    """The publisher answered: it speaks STTP and takes our operational modes (3.4). Not every publisher says so."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataReceived:
    """The answer to a metadata refresh.

    Attributes:
        document: the XML, inflated; empty when the publisher has no metadata (8.2).
    """

    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRefused:
    """A metadata refresh was answered with Failed, or not at all."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionAccepted:
    """Subscribe was answered with Succeeded. The signals come apart from it, before or after (4.5)."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRefused:
    """Subscribe was answered with Failed; an earlier subscription stays as it was (4.1)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsChanged:
    """A signal index cache was received and confirmed: measurements that follow may point into its signals (5.4).

    Attributes:
        signals: what the publisher will send.
        unauthorised: signals that were asked for and may not be had.
        subscriber_id: how the publisher knows us; informative.
    """

    signals: SignalTable
    unauthorised: tuple[UUID, ...]
    subscriber_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasurementsReceived:
    """Measurements of one or more data packets, in the order in which they came.

    Attributes:
        columns: the measurements.
        signals: what `columns.signal_index` points into; the very object of the `SignalsChanged` event.
        packets: how many data packets they came in.
        size: how many bytes these had on the wire.
    """

    columns: Columns
    signals: SignalTable
    packets: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDropped:
    """A data packet that could not be used; the conversation goes on.

    Attributes:
        count: how many measurements it claimed to hold.
        reason: why.
    """

    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSucceeded:
    """The publisher reports success of a command that has no event of its own.

    Attributes:
        command: code of the command; any byte, for a publisher that makes up its own.
        text: for people; may be empty.
    """

    command: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    """The publisher reports failure of a command that has no event of its own.

    Attributes:
        command: code of the command; any byte, for a publisher that makes up its own.
        reason: for people.
    """

    command: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CipherKeysUpdated:
    """The publisher sent keys: from here on its data packets and buffer blocks are encrypted, and are decrypted (7.7).

    Attributes:
        active: which of the two keys it uses now, 0 or 1.
    """

    active: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTimesUpdated:
    """The publisher announced base times for compact measurements (7.1)."""

    active: int
    times: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataStarts:
    """Time of the first measurement of the subscription, in ticks (7.2)."""

    ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingCompleted:
    """A temporal subscription has sent all that it had (7.3)."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """The publisher's metadata is no longer what it was (7.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationReceived:
    """A notice from the publisher (7.5); it has been confirmed."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferBlockReceived:
    """Opaque bytes of one signal (7.6); confirmed, if that was asked for.

    They come as they arrive: in order over a stream, but a block that was sent again comes again.

    Attributes:
        sequence: number of the block within the subscription, modulo 2^32.
        signal: which signal; None for an index that is not in the signal index cache.
        payload: what was sent, inflated and decrypted.
    """

    sequence: int
    signal: Signal | None
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UserResponseReceived:
    """An application's own response, 0 to 15, and the command that it answers (7.11)."""

    number: int
    command: int
    payload: bytes


SubscriberEvent = (
    PublisherProved
    | ModesAccepted
    | MetadataReceived
    | MetadataRefused
    | SubscriptionAccepted
    | SubscriptionRefused
    | CommandSucceeded
    | CommandFailed
    | SignalsChanged
    | MeasurementsReceived
    | PacketDropped
    | CipherKeysUpdated
    | BaseTimesUpdated
    | DataStarts
    | ProcessingCompleted
    | ConfigurationChanged
    | NotificationReceived
    | BufferBlockReceived
    | UserResponseReceived
    | MessageIgnored
    | Ended
)


# --- told to a publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class ModesDefined:
    """The subscriber spoke first, as it must, and its operational modes are accepted (3)."""

    modes: OperationalModes


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRequested:
    """The subscriber asks for metadata; answer with `send_metadata` or `refuse_metadata` (8).

    Attributes:
        filter_expression: which rows of which tables; empty for all.
    """

    filter_expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeRequested:
    """The subscriber asks for signals; answer with `accept_subscription` or `refuse_subscription` (4)."""

    options: SubscriptionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStarted:
    """A signal index cache was confirmed and is in force: `send_measurements` now means its signals (5.4)."""

    signals: SignalTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """The subscriber wants no more measurements; it has been answered (4.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingIntervalRequested:
    """The subscriber wants another replay speed; it has been answered with Succeeded (7.9).

    Attributes:
        milliseconds: per frame; -1 for the default, 0 for as fast as possible.
    """

    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CipherKeysRequested:
    """The subscriber asks for new cipher keys; answer with `rotate_cipher_keys` or `refuse_cipher_keys` (7.7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationConfirmed:
    """The subscriber has received a notification (7.5).

    Attributes:
        hash: what `send_notification` returned.
    """

    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferBlockConfirmed:
    """The subscriber has received a buffer block (7.6).

    Attributes:
        sequence: what `send_buffer_block` returned.
    """

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCommandReceived:
    """An application's own command, 0 to 15; answer with `send_user_response` if you have agreed on one (7.11)."""

    number: int
    payload: bytes


PublisherEvent = (
    ModesDefined
    | MetadataRequested
    | SubscribeRequested
    | StreamingStarted
    | Unsubscribed
    | ProcessingIntervalRequested
    | CipherKeysRequested
    | NotificationConfirmed
    | BufferBlockConfirmed
    | UserCommandReceived
    | MessageIgnored
    | Ended
)
