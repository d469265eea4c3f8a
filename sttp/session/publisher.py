"""The publisher's side of a conversation: one subscriber, seen by its publisher (wire.md 9.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from enum import Enum, auto
from typing import Final, TypeVar
from zlib import crc32

from sttp import ticks
from sttp.codes import Command, DataPacketFlags, OperationalModes, Response, Role
from sttp.errors import LimitError, MessageError, ProtocolError, RefusedError, SilenceError, STTPError, UsageError
from sttp.measurement import Columns, SignalTable
from sttp.session.base import Session, kind_of
from sttp.session.config import PublisherConfig
from sttp.session.conversation import Phase
from sttp.session.events import (
    BufferBlockConfirmed,
    CipherKeysRequested,
    MessageIgnored,
    MetadataRequested,
    ModesDefined,
    NotificationConfirmed,
    ProcessingIntervalRequested,
    PublisherEvent,
    StreamingStarted,
    SubscribeRequested,
    Unsubscribed,
    UserCommandReceived,
)
from sttp.session.handover import Handover, Offer
from sttp.session.packets import PacketForm, Packets, PacketWriter
from sttp.session.subscription import PublishedSubscription
from sttp.wire.cipher import CipherKey, DataCipher
from sttp.wire.commands import (
    AnyCommand,
    ConfirmBufferBlock,
    ConfirmNotification,
    ConfirmUpdateSignalIndexCache,
    DefineOperationalModes,
    GetPrimaryMetadataSchema,
    GetSignalSelectionSchema,
    MetadataRefresh,
    PublishCommandMeasurements,
    RotateCipherKeys,
    Subscribe,
    Unsubscribe,
    UpdateProcessingInterval,
    UserCommand,
    read_command,
)
from sttp.wire.compact import TimeFormat
from sttp.wire.responses import (
    AnyResponse,
    BufferBlock,
    BufferBlockFlags,
    ConfigurationChanged,
    DataStartTime,
    Failed,
    Metadata,
    NoOP,
    Notify,
    ProcessingComplete,
    Succeeded,
    UpdateBaseTimes,
    UpdateCipherKeys,
    UpdateSignalIndexCache,
    UserResponse,
    write_response,
)
from sttp.wire.signal_index_cache import SignalIndexCache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions

__all__ = ["PublisherSession"]

Request = MetadataRequested | SubscribeRequested | CipherKeysRequested
R = TypeVar("R", MetadataRequested, SubscribeRequested, CipherKeysRequested)

_DEFAULT_CONFIG: Final = PublisherConfig()

# they have no answer and change nothing, so they need not wait for the answers to others
_CONFIRMATIONS: Final = frozenset(
    {
        Command.CONFIRM_NOTIFICATION,
        Command.CONFIRM_BUFFER_BLOCK,
        Command.CONFIRM_UPDATE_BASE_TIMES,
        Command.CONFIRM_UPDATE_CIPHER_KEYS,
    }
)


# with a payload that cannot be read they are answered with Failed, as by the other publishers; the connection stays
_REFUSED_IF_MALFORMED: Final = frozenset({Command.SUBSCRIBE, Command.UPDATE_PROCESSING_INTERVAL})


class _Timer(Enum):
    FIRST_COMMAND = auto()
    NOOP = auto()


class PublisherSession(Session[PublisherEvent]):
    """Publishes to one subscriber.

    It waits until the subscriber has defined its operational modes, answers commands one after another in the order in
    which they came, and sends measurements only while a signal index cache is in force.

    Args:
        config: limits and timeouts.
        now: the time at which the stream came up, in seconds of any clock that only goes forward.

    Attributes:
        modes: what the subscriber asked for; None before it did.
        signals: the signals in force: what `send_measurements` means by a signal index. None while nothing may be sent.
    """

    role = Role.PUBLISHER

    def __init__(self, config: PublisherConfig = _DEFAULT_CONFIG, *, now: float) -> None:
        super().__init__(limit=config.limits.first_command, limit_name="first_command", now=now)
        self._config = config
        self.modes: OperationalModes | None = None
        self.signals: SignalTable | None = None
        self._subscription = PublishedSubscription()
        self._handover = Handover()
        self._writer: PacketWriter | None = None  # while signals are in force
        # a command that the application has yet to answer, and what came behind it
        self._unanswered: Request | None = None
        self._held: deque[bytes] = deque()
        self._cipher = DataCipher()
        self._deadlines = {
            _Timer.FIRST_COMMAND: now + config.first_command_timeout,
            _Timer.NOOP: now + config.noop_interval,
        }

    # --- intents

    def send_metadata(self, document: bytes) -> None:
        """Answer a `MetadataRequested` event.

        Args:
            document: the XML as it goes on the wire: through gzip if `modes.compress_metadata`, else plain (3.2).

        Raises:
            UsageError: no such request is unanswered.
        """
        self._answer(MetadataRequested)
        self._say(Metadata(document=document))
        self._resume()

    def refuse_metadata(self, reason: str) -> None:
        """Answer a `MetadataRequested` event with Failed.

        Raises:
            UsageError: no such request is unanswered.
        """
        self._answer(MetadataRequested)
        self._say(Failed(command=Command.METADATA_REFRESH, text=reason))
        self._resume()

    def accept_subscription(self, cache: SignalIndexCache, *, image: bytes | None = None) -> None:
        """Answer a `SubscribeRequested` event: offer the signals and report success (4.5).

        Data flows once the subscriber has confirmed the cache; see the event `StreamingStarted`. Until then a
        subscription that was in force before stays so.

        Args:
            cache: the signals, and those that were asked for and may not be had.
            image: what `write_signal_index_cache` makes of it with `modes`, when that was done elsewhere: a large cache
                takes a while.

        Raises:
            UsageError: no such request is unanswered, or a measurement key that cannot be written.
        """
        request = self._answer(SubscribeRequested)
        self._subscription.options = request.options
        self._offer(cache, image)
        count = int(cache.signals.present.sum())
        form = "TSSC" if self._require_modes().compress_payload_data else "compact"
        self._say(Succeeded(command=Command.SUBSCRIBE, text=f"Subscribed to {count} signals as {form}."))
        self._resume()

    def refuse_subscription(self, reason: str) -> None:
        """Answer a `SubscribeRequested` event with Failed; an earlier subscription stays as it is (4.1).

        Raises:
            UsageError: no such request is unanswered.
        """
        self._answer(SubscribeRequested)
        self._say(Failed(command=Command.SUBSCRIBE, text=reason))
        self._resume()

    def change_signals(self, cache: SignalIndexCache, *, image: bytes | None = None) -> None:
        """Hand a running subscription over to other signals, without being asked (5.4).

        Args:
            cache: as for `accept_subscription`.
            image: as for `accept_subscription`.

        Raises:
            UsageError: nothing is subscribed, or a measurement key that cannot be written.
        """
        self._require_open()
        if self.phase not in (Phase.OFFERED, Phase.STREAMING):
            raise UsageError("signals can only be changed while something is subscribed")
        self._offer(cache, image)

    @property
    def form(self) -> PacketForm | None:
        """The form of data packets now; None while no signals are in force, and where packets are encrypted."""
        if self.signals is None or self._writer is None or self._cipher.keys is not None:
            return None
        return self._writer.form

    def send_measurements(self, columns: Columns) -> int:
        """Encode measurements, as the operational modes want them, into as many data packets as needed (6).

        Values that are not a number are left out, if the subscriber asked for that (4.3).

        Args:
            columns: their signal index means the table in `signals`.

        Returns:
            How many were sent.

        Raises:
            UsageError: no signals are in force.
        """
        self._require_signals()
        assert self._writer is not None
        packets = self._writer.write(columns)
        self.send_packets(packets)
        return packets.measurements

    def send_packets(self, packets: Packets) -> None:
        """Send data packets that were made elsewhere, by a `PacketWriter` of the form that is in force.

        The subscriber must be able to read them: they begin at a restart, or follow those sent last.

        Raises:
            UsageError: no signals are in force.
        """
        self._require_signals()
        if not packets.measurements:
            return
        subscription = self._subscription
        if not subscription.started:
            subscription.started = True
            self._say(DataStartTime(ticks=packets.start & ticks.VALUE_MASK))
        if packets.before is not None and packets.before != subscription.base_times:
            self._say(UpdateBaseTimes(active=packets.before.active, times=packets.before.times))
        subscription.base_times = packets.after
        self._conversation.say(Response.DATA_PACKET)
        self._output += packets.frames

    def restart_packets(self) -> None:
        """Let `send_measurements` begin anew, after packets that were made elsewhere.

        Raises:
            UsageError: no signals are in force.
        """
        self._require_signals()
        assert self._writer is not None
        self._begin_packets(self._writer.form)

    def complete_processing(self, text: str = "") -> None:
        """Say that a replay has sent all that it had (7.3). The subscription stays in force.

        Args:
            text: some name of what has ended.

        Raises:
            UsageError: no signals are in force.
        """
        self._require_signals()
        self._say(ProcessingComplete(text=text))

    def send_buffer_block(self, signal_index: int, payload: bytes, *, confirm: bool = True) -> int:
        """Send bytes of the application that belong to a signal, in the current layout, not compressed (7.6).

        Nothing is sent again by itself. Only for subscribers that are known to read buffer blocks.

        Args:
            signal_index: means the table in `signals`.
            payload: the bytes.
            confirm: whether the subscriber is to say that they arrived; see the event `BufferBlockConfirmed`.

        Returns:
            The number of the block within the subscription.

        Raises:
            UsageError: no signals are in force, there is none with this index, or `core_responses_only` is set.
        """
        if not self._require_signals().has(signal_index):
            raise UsageError(f"no signal in force has the index {signal_index}")
        self._require_more_than_core("buffer blocks")
        sequence = self._subscription.buffer_blocks
        self._subscription.buffer_blocks = (sequence + 1) % 2**32
        flags = BufferBlockFlags.REQUIRE_CONFIRMATION if confirm else BufferBlockFlags.NONE
        if self._in_slot_1:
            flags |= BufferBlockFlags.CACHE_INDEX
        self._say(BufferBlock(sequence=sequence, flags=flags, signal_index=signal_index, payload=payload))
        return sequence

    def send_notification(self, text: str) -> bytes:
        """Send a notice for people (7.5). Nothing is sent again by itself.

        Returns:
            Four bytes that the event `NotificationConfirmed` will repeat.

        Raises:
            UsageError: the subscriber has not defined its modes yet, or `core_responses_only` is set.
        """
        self._require_open()
        self._require_modes()
        self._require_more_than_core("notifications")
        digest = crc32(text.encode()).to_bytes(4, "big")
        self._say(Notify(hash=digest, text=text))
        return digest

    def rotate_cipher_keys(self) -> None:
        """Send new cipher keys, and encrypt data packets and buffer blocks from here on (7.7).

        Answers a `CipherKeysRequested` event, if there is one. The keys are worth as much as the stream that they
        travel on: without TLS nothing.

        Raises:
            UsageError: the subscriber has not defined its modes yet, or `core_responses_only` is set.
        """
        self._require_open()
        self._require_modes()
        self._require_more_than_core("cipher keys")
        cipher = self._cipher
        if cipher.keys is None:
            cipher.keys = (CipherKey.fresh(), CipherKey.fresh())
        else:
            even, odd = cipher.keys
            cipher.keys = (even, CipherKey.fresh()) if cipher.active else (CipherKey.fresh(), odd)
            cipher.active ^= 1
        even, odd = cipher.keys
        self._say(
            UpdateCipherKeys(active=cipher.active, even_key=even.key, even_iv=even.iv, odd_key=odd.key, odd_iv=odd.iv)
        )
        if isinstance(self._unanswered, CipherKeysRequested):
            self._answer(CipherKeysRequested)
            self._say(Succeeded(command=Command.ROTATE_CIPHER_KEYS, text="New cipher keys established."))
            self._resume()

    def refuse_cipher_keys(self, reason: str) -> None:
        """Answer a `CipherKeysRequested` event with Failed.

        Raises:
            UsageError: no such request is unanswered.
        """
        self._answer(CipherKeysRequested)
        self._say(Failed(command=Command.ROTATE_CIPHER_KEYS, text=reason))
        self._resume()

    def send_configuration_changed(self) -> None:
        """Tell the subscriber that the metadata is no longer what it was (7.4).

        Raises:
            UsageError: the subscriber has not defined its modes yet.
        """
        self._require_open()
        self._require_modes()
        self._say(ConfigurationChanged())

    def send_user_response(self, number: int, payload: bytes, *, command: int) -> None:
        """Send an application's own response (7.11).

        Args:
            number: 0 to 15.
            payload: raw bytes.
            command: number of the user command that it answers, 0 to 15.

        Raises:
            UsageError: a number out of range, or no modes yet.
        """
        self._require_open()
        self._require_modes()
        if not (0 <= number <= 15 and 0 <= command <= 15):
            raise UsageError("user commands and responses are numbered 0 to 15")
        self._say(UserResponse(number=number, command=Command.USER_COMMAND_00 + command, payload=payload))

    def refuse_connection(self, reason: str) -> None:
        """Answer the connection as a whole with Failed and end it (7.12).

        Raises:
            ClosedError: the session has ended.
        """
        self._require_open()
        self._say(Failed(command=Command.CONNECT, text=reason))
        self._end(None)

    # --- commands

    def _receive_frame(self, frame: memoryview) -> None:
        if self._unanswered is None or frame[0] in _CONFIRMATIONS:
            self._receive_command(frame)
            return
        # commands are handled one after another (9.3); what cannot be handled yet waits as bytes
        limits = self._config.limits
        if len(self._held) >= limits.pending_commands:
            raise LimitError(
                f"more than {limits.pending_commands} commands sent without waiting for an answer",
                limit="pending_commands",
            )
        self._held.append(bytes(frame))

    def _resume(self) -> None:
        try:
            while self._held and self._unanswered is None and not self.ended:
                self._receive_command(memoryview(self._held.popleft()))
        except ProtocolError as error:
            self._end(error)

    def _receive_command(self, frame: memoryview) -> None:
        try:
            command = read_command(frame, self.modes or OperationalModes(), self._config.tolerances)
        except MessageError as error:
            if frame[0] not in _REFUSED_IF_MALFORMED or self.phase is Phase.CONNECTED:
                raise
            # refused like any other; what was subscribed stays so (4.1, 7.9)
            refused = Command(frame[0])
            self._conversation.hear(refused)
            self._say(Failed(command=refused, text=error.reason))
            return
        kind = kind_of(command)
        if kind is None:
            if self.phase is Phase.CONNECTED:
                hint = "; the other end is a publisher too" if frame[0] >= Response.SUCCEEDED else ""
                raise ProtocolError(f"the first command must define the operational modes{hint}", clause="3.6")
            self._emit(MessageIgnored(message=command, reason="unknown command"))
        elif (
            isinstance(command, DefineOperationalModes)
            and command.modes == self.modes
            and self.phase not in (Phase.CONNECTED, Phase.READY)
        ):
            # said again they change nothing (3.6); others than these end the session, as a subscription depends on them
            self._say(Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="The modes are as they were."))
        elif self._conversation.hear(kind):
            self._act(command)
        else:
            self._emit(MessageIgnored(message=command, reason="has no effect"))

    def _act(self, command: AnyCommand) -> None:
        match command:
            case DefineOperationalModes():
                self._define_modes(command.modes)
            case MetadataRefresh():
                self._ask(MetadataRequested(filter_expression=command.filter_expression))
            case Subscribe():
                self._receive_subscribe(command)
            case Unsubscribe():
                self._subscription = PublishedSubscription()
                self._handover.forget()
                self._writer = self.signals = None
                self._say(Succeeded(command=Command.UNSUBSCRIBE, text="Unsubscribed."))
                self._emit(Unsubscribed())
            case ConfirmUpdateSignalIndexCache():
                self._confirm()
            case UpdateProcessingInterval():
                self._say(Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL, text="Processing interval noted."))
                self._emit(ProcessingIntervalRequested(milliseconds=command.milliseconds))
            case UserCommand():
                self._emit(UserCommandReceived(number=command.number, payload=command.payload))
            case RotateCipherKeys():
                self._ask(CipherKeysRequested())
            case ConfirmNotification():
                self._emit(NotificationConfirmed(hash=command.hash))
            case ConfirmBufferBlock():
                self._emit(BufferBlockConfirmed(sequence=command.sequence))
            case GetPrimaryMetadataSchema() | GetSignalSelectionSchema():
                self._decline(command, "This publisher has no schema to send.")
            case PublishCommandMeasurements():
                self._decline(command, "This publisher takes no measurements.")
            case _:
                self._emit(MessageIgnored(message=command, reason="nothing to confirm"))

    def _define_modes(self, modes: OperationalModes) -> None:
        # the answer is in the encoding that was asked for, so the modes hold from here on
        self.modes = modes
        if modes.extension:
            self._refuse_modes(f"UNSUPPORTED EXTENSION: {modes.extension}")
        elif modes.version not in self._config.versions:
            offered = ", ".join(str(version) for version in sorted(self._config.versions))
            self._refuse_modes(f"STTP version {modes.version} is not supported; use {offered}.")
        else:
            self._deadlines.pop(_Timer.FIRST_COMMAND, None)
            self._proved = True
            self._frames.limit = self._config.limits.command
            self._frames.name = "command"
            if self._config.tolerances.answer_operational_modes:
                text = f"STTP version {modes.version}: operational modes accepted."
                self._say(Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text=text))
            self._emit(ModesDefined(modes=modes))

    def _refuse_modes(self, reason: str) -> None:
        self._say(Failed(command=Command.DEFINE_OPERATIONAL_MODES, text=reason))
        self._end(RefusedError(reason, what="operational modes"))

    def _receive_subscribe(self, command: Subscribe) -> None:
        if DataPacketFlags.SYNCHRONIZED in command.flags:
            self._say(Failed(command=Command.SUBSCRIBE, text="Synchronized subscriptions are not supported."))
            return
        if not command.connection_string:
            self._say(Failed(command=Command.SUBSCRIBE, text="Subscribe came without a connection string."))
            return
        try:
            options = SubscriptionOptions.from_connection_string(command.connection_string, self._config.limits)
        except ProtocolError as error:
            self._say(Failed(command=Command.SUBSCRIBE, text=error.reason))
            return
        self._ask(SubscribeRequested(options=options))

    def _decline(self, command: AnyCommand, reason: str) -> None:
        self._say(Failed(command=int(command.code), text=reason))
        self._emit(MessageIgnored(message=command, reason=reason))

    def _ask(self, request: Request) -> None:
        self._unanswered = request
        self._emit(request)

    # --- handover of signal index caches (5.4)

    def _offer(self, cache: SignalIndexCache, image: bytes | None) -> None:
        if image is None:
            image = write_signal_index_cache(cache, self._require_modes())
        self._send_offer(self._handover.offer(Offer(cache, image, self._subscription.options)))

    def _send_offer(self, offer: Offer | None) -> None:
        if offer is None:
            return
        modes = self._require_modes()
        index = self._handover.next_index if modes.double_buffered else None
        self._say(UpdateSignalIndexCache(cache_index=index, image=offer.image))
        if not modes.double_buffered:
            # version 1 has no confirm: a cache is in force as soon as it is sent (3.4)
            self._conversation.hear(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE)
            self._confirm()

    def _confirm(self) -> None:
        in_force = self._handover.confirm()
        if in_force is None:
            return
        options = in_force.options
        self.signals = in_force.cache.signals
        self._begin_packets(
            PacketForm(
                signals=self.signals,
                slot=DataPacketFlags.CACHE_INDEX if self._in_slot_1 else DataPacketFlags(0),
                tssc=self._require_modes().compress_payload_data,
                times=TimeFormat(include_time=options.include_time, milliseconds=options.milliseconds),
                without_nan=options.request_nan_filter,
            )
        )
        self._emit(StreamingStarted(signals=self.signals))
        waiting = self._handover.take_waiting()
        if waiting is not None:
            self._send_offer(self._handover.offer(waiting))

    def _begin_packets(self, form: PacketForm) -> None:
        # the codec is fresh with every cache: the handover is the reset (6.4). Base times outlive it
        self._writer = PacketWriter(form, base_times=self._subscription.base_times, cipher=self._cipher)

    # --- timers

    def _due(self, timer: Hashable) -> None:
        if timer is _Timer.NOOP:
            self._say(NoOP())
            self._deadlines[_Timer.NOOP] = self._now + self._config.noop_interval
        else:
            self._end(
                SilenceError(f"the subscriber did not define its modes within {self._config.first_command_timeout:g} s")
            )

    # --- helpers

    def _end(self, error: STTPError | None) -> None:
        self.signals = None
        super()._end(error)

    def _say(self, response: AnyResponse) -> None:
        kind = kind_of(response)
        if kind is None:
            raise UsageError(f"not a response of the protocol: {response}")
        self._conversation.say(kind)
        self._output.append(write_response(response, self.modes or OperationalModes(), self._cipher))

    def _answer(self, kind: type[R]) -> R:
        self._require_open()
        request = self._unanswered
        if not isinstance(request, kind):
            raise UsageError(f"there is no unanswered {kind.__name__}")
        self._unanswered = None
        return request

    @property
    def _in_slot_1(self) -> bool:
        """Whether data packets are made with the cache that has index 1."""
        return self._require_modes().double_buffered and self._handover.index == 1

    def _require_signals(self) -> SignalTable:
        self._require_open()
        if self.signals is None:
            raise UsageError("this can only be sent while signals are in force")
        return self.signals

    def _require_more_than_core(self, what: str) -> None:
        if self._config.tolerances.core_responses_only:
            raise UsageError(f"{what} are not sent to this subscriber, which would not survive them (wire.md 12.5)")

    def _require_modes(self) -> OperationalModes:
        if self.modes is None:
            raise UsageError("the subscriber has not defined its operational modes")
        return self.modes
