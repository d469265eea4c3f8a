"""The subscriber's side of a conversation (wire.md 9.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import numpy as np

from sttp.codes import Command, DataPacketFlags, Response, Role
from sttp.errors import LimitError, MessageError, ProtocolError, RefusedError, SilenceError
from sttp.measurement import Columns, SignalTable
from sttp.session.base import Session, kind_of
from sttp.session.config import SubscriberConfig
from sttp.session.conversation import TRANSITIONS, Phase
from sttp.session.events import (
    BaseTimesUpdated,
    BufferBlockReceived,
    CipherKeysUpdated,
    CommandFailed,
    CommandSucceeded,
    ConfigurationChanged,
    DataStarts,
    MeasurementsReceived,
    MessageIgnored,
    MetadataReceived,
    MetadataRefused,
    ModesAccepted,
    NotificationReceived,
    PacketDropped,
    ProcessingCompleted,
    PublisherProved,
    SignalsChanged,
    SubscriberEvent,
    SubscriptionAccepted,
    SubscriptionRefused,
    UserResponseReceived,
)
from sttp.session.subscription import ReceivedSlot, ReceivedSubscription
from sttp.wire import commands, responses
from sttp.wire.cipher import CipherKey, DataCipher
from sttp.wire.commands import AnyCommand
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact
from sttp.wire.fields import inflate
from sttp.wire.frame import Buffer
from sttp.wire.responses import AnyResponse, BufferBlockFlags, DataPacket, read_response
from sttp.wire.signal_index_cache import read_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TSSC_HEADER, read_tssc_header

__all__ = ["SubscriberSession"]

_DEFAULT_CONFIG: Final = SubscriberConfig()

# length, response code and command code of a frame
_FIRST_BYTES: Final = 6

# bytes of a data packet in front of its body: frame, response, flags and count
_DATA_PACKET_OVERHEAD: Final = 4 + 6 + 5

# no response begins like one
_COMMANDS: Final = frozenset(map(int, Command)) - {Command.CONNECT}

_NO_CACHE: Final = "made with a signal index cache that is not known"

_COMPRESSED: Final = int(DataPacketFlags.COMPRESSED)

# phases in which a subscription is asked for or in force
_SUBSCRIBED: Final = (Phase.SUBSCRIBING, Phase.OFFERED, Phase.STREAMING)


# phases in which the table lets data packets come and stays where it is, so that they need not be looked up one by one
_FLOWING: Final = frozenset(
    phase for phase in Phase if TRANSITIONS.get((phase, Role.PUBLISHER, Response.DATA_PACKET)) is phase
)


class _Timer(Enum):
    """What is being waited for. A running timer is also the mark that it has not come yet."""

    __hash__ = object.__hash__  # each is equal to itself alone; that of `Enum` hashes the name, in Python

    BYTES = auto()
    MODES_REPLY = auto()
    METADATA_REPLY = auto()
    SUBSCRIBE_REPLY = auto()
    UNSUBSCRIBE_REPLY = auto()
    UNSUBSCRIBE_PAUSE = auto()
    RESYNCHRONISE = auto()


@dataclass(frozen=True, slots=True)
class _Intent:
    """A command that may have to wait, already in the form that goes on the wire: what cannot be sent is refused early.

    Attributes:
        command: what is said.
        frame: the bytes.
        options: what a Subscribe asks for.
    """

    command: AnyCommand
    frame: bytes
    options: SubscriptionOptions | None = None


class SubscriberSession(Session[SubscriberEvent]):
    """Subscribes to one publisher.

    It speaks first: the operational modes are the first bytes of `data_to_send`. Intents may be given at any time; what
    may not be said yet waits, in order.

    Args:
        config: modes, limits and timeouts.
        now: the time at which the stream came up, in seconds of any clock that only goes forward.
    """

    role = Role.SUBSCRIBER

    def __init__(self, config: SubscriberConfig = _DEFAULT_CONFIG, *, now: float) -> None:
        super().__init__(limit=config.limits.response, limit_name="response", now=now)
        self._config = config
        # before version 2 there is one signal index cache, and the flag means nothing
        self._cache_flag = int(DataPacketFlags.CACHE_INDEX) if config.modes.double_buffered else 0
        self._subscription = ReceivedSubscription()
        self._intents: deque[_Intent] = deque()
        self._requested: SubscriptionOptions | None = None
        self._cipher = DataCipher()
        # for each UpdateProcessingInterval without answer, the cache that is in force from that answer on (C2)
        self._fences: deque[ReceivedSlot | None] = deque()
        self._caches = 0  # signal index caches of one read
        # data packets of one read, to be handed over as one batch
        self._received: list[Columns] = []
        self._received_signals: SignalTable | None = None
        self._received_size = 0
        self._deadlines = {_Timer.BYTES: now + config.silence_timeout}
        if config.modes.version > 2:
            # 3.4: only from version 3 on is the answer to be waited for
            self._deadlines[_Timer.MODES_REPLY] = now + config.reply_timeout
        self._say(commands.DefineOperationalModes(modes=config.modes))

    # --- intents

    def refresh_metadata(self, filter_expression: str = "") -> None:
        """Ask for metadata; `MetadataReceived` or `MetadataRefused` answers (8).

        Args:
            filter_expression: which rows of which tables; empty for all.

        Raises:
            UsageError: text that the encoding cannot express.
            ClosedError: the session has ended.
        """
        self._intend(commands.MetadataRefresh(filter_expression=filter_expression))

    def subscribe(self, options: SubscriptionOptions) -> None:
        """Ask for signals, or for others than before; `SubscriptionAccepted` or `SubscriptionRefused` answers (4).

        Raises:
            UsageError: options that cannot be sent.
            ClosedError: the session has ended.
        """
        self._intend(commands.Subscribe(connection_string=options.to_connection_string()), options)

    def unsubscribe(self) -> None:
        """Ask for no more measurements; those still under way are dropped (4.8).

        Raises:
            ClosedError: the session has ended.
        """
        self._intend(commands.Unsubscribe())

    def update_processing_interval(self, milliseconds: int) -> None:
        """Ask for another speed of a replay; `CommandSucceeded` or `CommandFailed` answers (7.9).

        Args:
            milliseconds: per frame; -1 for the default, 0 for as fast as possible.

        Raises:
            UsageError: a number of more than 32 bits.
            ClosedError: the session has ended.
        """
        self._intend(commands.UpdateProcessingInterval(milliseconds=milliseconds))

    def rotate_cipher_keys(self) -> None:
        """Ask for new cipher keys: `CipherKeysUpdated` and `CommandSucceeded` answer, or `CommandFailed` (7.7).

        Raises:
            ClosedError: the session has ended.
        """
        self._intend(commands.RotateCipherKeys())

    def send_user_command(self, number: int, payload: bytes) -> None:
        """Send an application's own command, 0 to 15. A publisher that does not know it stays silent (7.11).

        Raises:
            UsageError: a number out of range.
            ClosedError: the session has ended.
        """
        self._intend(commands.UserCommand(number=number, payload=payload))

    # --- responses

    def _begin_read(self) -> None:
        self._caches = 0
        self._deadlines[_Timer.BYTES] = self._now + self._config.silence_timeout

    def _postpone(self, seconds: float) -> None:
        for timer in self._deadlines:
            self._deadlines[timer] += seconds
        self._deadlines[_Timer.BYTES] = self._now + self._config.silence_timeout

    def _check_unfinished(self) -> None:
        begin = self._frames.peek(_FIRST_BYTES)
        if len(begin) == _FIRST_BYTES:
            self._check_first(int.from_bytes(begin[:4], "big"), begin[4:])

    def _check_first(self, length: int, begin: Buffer) -> None:
        """Refuse a long first frame, unless it is metadata, which is long by nature and may come first (1.4, 3.4)."""
        limits = self._config.limits
        if self._proved or length <= limits.first_response:
            return
        if bytes(begin[:2]) != bytes((Response.SUCCEEDED, Command.METADATA_REFRESH)):
            raise LimitError(
                f"the first response has {length} bytes, where at most {limits.first_response} are accepted",
                limit="first_response",
                clause="1.4",
            )

    def _receive_frame(self, frame: memoryview) -> None:
        config = self._config
        if not self._proved:
            self._check_first(len(frame), frame)
            if frame[0] in _COMMANDS:
                raise ProtocolError("the other end is a subscriber too; one of the two must publish", clause="9.1")
        rest: memoryview | None = frame
        while rest is not None and not self._ended:
            response, rest = read_response(rest, config.modes, config.limits, config.tolerances, self._cipher)
            if type(response) is DataPacket and self._conversation.phase in _FLOWING:
                self._receive_data_packet(response)
            else:
                self._receive_response(response)

    def _receive_response(self, response: AnyResponse) -> None:
        kind = kind_of(response)
        if kind is None or self._conversation.hear(kind):
            self._act(response)
        elif isinstance(response, DataPacket):
            if self.phase in _SUBSCRIBED:
                self._receive_data_packet(response)
            else:
                self._follow(response)
        elif isinstance(response, responses.UpdateBaseTimes | responses.DataStartTime) and self.phase in _SUBSCRIBED:
            # they belong to what has been subscribed to, whose cache may follow them (7.2, 9.3)
            self._act(response)
        elif isinstance(response, responses.UpdateSignalIndexCache):
            self._receive_signal_index_cache(response)
        else:
            self._emit(MessageIgnored(message=response, reason="came too late, or nobody asked for it"))

    def _act(self, response: AnyResponse) -> None:
        if not self._proved and not isinstance(response, responses.Failed | responses.UnknownResponse):
            self._proved = True
            self._emit(PublisherProved())
        match response:
            case DataPacket():
                self._receive_data_packet(response)
            case responses.NoOP():
                pass
            case responses.Succeeded():
                self._receive_success(response)
            case responses.Failed():
                self._receive_failure(response)
            case responses.Metadata():
                self._deadlines.pop(_Timer.METADATA_REPLY, None)
                limit = self._config.limits.metadata
                self._emit(MetadataReceived(document=inflate(response.document, limit=limit, name="metadata")))
                self._advance()
            case responses.UpdateSignalIndexCache():
                self._receive_signal_index_cache(response)
            case responses.UpdateBaseTimes():
                self._subscription.base_times = BaseTimes(active=response.active, times=response.times)
                self._emit(BaseTimesUpdated(active=response.active, times=response.times))
            case responses.UpdateCipherKeys():
                self._receive_cipher_keys(response)
            case responses.DataStartTime():
                self._emit(DataStarts(ticks=response.ticks))
            case responses.ProcessingComplete():
                self._emit(ProcessingCompleted(text=response.text))
            case responses.ConfigurationChanged():
                self._emit(ConfigurationChanged())
            case responses.Notify():
                self._emit(NotificationReceived(text=response.text))
                self._say(commands.ConfirmNotification(hash=response.hash))
            case responses.BufferBlock():
                self._receive_buffer_block(response)
            case responses.UserResponse():
                self._emit(
                    UserResponseReceived(number=response.number, command=response.command, payload=response.payload)
                )
            case responses.UnknownResponse():
                self._emit(MessageIgnored(message=response, reason="unknown response"))

    def _receive_success(self, response: responses.Succeeded) -> None:
        match response.command:
            case Command.DEFINE_OPERATIONAL_MODES:
                self._deadlines.pop(_Timer.MODES_REPLY, None)
                self._emit(ModesAccepted(text=response.text))
            case Command.SUBSCRIBE:
                self._subscribe_answered()
                self._emit(SubscriptionAccepted(text=response.text))
            case Command.UNSUBSCRIBE:
                self._deadlines.pop(_Timer.UNSUBSCRIBE_REPLY, None)
            case Command.UPDATE_PROCESSING_INTERVAL if self._passes_fence():
                pass
            case _:
                self._emit(CommandSucceeded(command=response.command, text=response.text))
        self._advance()

    def _receive_failure(self, response: responses.Failed) -> None:
        match response.command:
            case Command.CONNECT:
                self._end(RefusedError(response.text, what="connection"))
            case Command.DEFINE_OPERATIONAL_MODES:
                self._end(RefusedError(response.text, what="operational modes"))
            case Command.METADATA_REFRESH:
                self._deadlines.pop(_Timer.METADATA_REPLY, None)
                self._emit(MetadataRefused(reason=response.text))
            case Command.SUBSCRIBE:
                self._deadlines.pop(_Timer.SUBSCRIBE_REPLY, None)
                self._requested = None
                self._emit(SubscriptionRefused(reason=response.text))
            case Command.UNSUBSCRIBE:
                self._deadlines.pop(_Timer.UNSUBSCRIBE_REPLY, None)
            case Command.UPDATE_PROCESSING_INTERVAL if self._passes_fence():
                pass
            case _:
                self._emit(CommandFailed(command=response.command, reason=response.text))
        self._advance()

    def _subscribe_answered(self) -> None:
        self._deadlines.pop(_Timer.SUBSCRIBE_REPLY, None)
        if self._requested is not None:
            self._subscription.options = self._requested

    def _receive_signal_index_cache(self, response: responses.UpdateSignalIndexCache) -> None:
        config = self._config
        self._caches += 1
        if max(self._caches, len(self._subscription.incoming)) > config.limits.pending_caches:
            raise LimitError(
                f"more than {config.limits.pending_caches} signal index caches sent without waiting for a confirmation",
                limit="pending_caches",
                clause="5.4",
            )
        cache = read_signal_index_cache(response.image, config.modes, config.limits, config.tolerances)
        slot = None
        if self.phase in _SUBSCRIBED:
            slot = self._install(cache.signals, response.cache_index or 0)
            self._emit(
                SignalsChanged(
                    signals=cache.signals, unauthorised=cache.unauthorised, subscriber_id=cache.subscriber_id
                )
            )
        if config.modes.double_buffered:
            # also when it comes too late: gsfapi holds the next one back until then (5.5)
            self._say(commands.ConfirmUpdateSignalIndexCache())
            if slot is not None and slot in self._subscription.incoming:
                # 5.5: commands are handled in order, so what follows the answer was made with the new cache
                self._say(commands.UpdateProcessingInterval(milliseconds=slot.options.processing_interval))
                self._fences[-1] = slot
        elif self.phase is Phase.OFFERED:
            # version 1 has no confirm: a cache is in force as soon as it is sent (3.4)
            self._conversation.say(Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE)

    def _install(self, signals: SignalTable, index: int) -> ReceivedSlot:
        """Put a cache where its packets will find it."""
        config, subscription = self._config, self._subscription
        # a publisher that accepts a subscription sends the cache before or after it says so (4.5)
        options = self._requested or subscription.options
        if config.tolerances.cache_index_never_set and config.modes.double_buffered:
            slot = ReceivedSlot(signals, options, config.limits)
            if subscription.slots[0] is not None or subscription.retired is not None:
                subscription.incoming.append(slot)
                return slot
            index = 0
        else:
            before = subscription.slots[index] or subscription.retired
            continues = config.tolerances.tssc_continues_across_caches
            slot = ReceivedSlot(signals, options, config.limits, after=before if continues else None)
        subscription.slots[index] = slot
        self._deadlines.pop(_Timer.RESYNCHRONISE, None)
        return slot

    def _passes_fence(self) -> bool:
        """Take an answer to UpdateProcessingInterval. True when nobody but us asked for it."""
        slot = self._fences.popleft() if self._fences else None
        if slot is None:
            return False
        self._subscription.take_over(slot)
        return True

    def _receive_cipher_keys(self, response: responses.UpdateCipherKeys) -> None:
        even, odd = CipherKey(response.even_key, response.even_iv), CipherKey(response.odd_key, response.odd_iv)
        self._cipher.keys, self._cipher.active = (even, odd), response.active
        self._emit(CipherKeysUpdated(active=response.active))

    def _receive_buffer_block(self, response: responses.BufferBlock) -> None:
        payload: Buffer = response.payload
        if BufferBlockFlags.COMPRESSED in response.flags:
            payload = inflate(payload, limit=self._config.limits.buffer_block, name="buffer_block")
        slot = self._subscription.slots[int(BufferBlockFlags.CACHE_INDEX in response.flags)]
        known = slot is not None and slot.signals.has(response.signal_index)
        signal = slot.signals[response.signal_index] if slot is not None and known else None
        self._emit(BufferBlockReceived(sequence=response.sequence, signal=signal, payload=bytes(payload)))
        if BufferBlockFlags.REQUIRE_CONFIRMATION in response.flags:
            self._say(commands.ConfirmBufferBlock(sequence=response.sequence))

    # --- data packets

    def _receive_data_packet(self, packet: DataPacket) -> None:
        bits = int(packet.flags)  # the operators of flags are written in Python
        index = int(bits & self._cache_flag != 0)
        if not bits & _COMPRESSED:
            self._receive_compact(packet, index)
            return
        subscription, body = self._subscription, packet.body
        try:
            sequence = read_tssc_header(body)
            if sequence == 0 and subscription.incoming:
                subscription.take_over(subscription.incoming[0])
            slot = subscription.slots[index]
            if slot is None:
                self._drop(packet.count, _NO_CACHE)
                return
            columns = slot.decoder.decode(body[TSSC_HEADER:], sequence=sequence, count=packet.count)
        except MessageError as error:
            # out of step, or damaged: nothing can be read until the publisher starts anew with sequence 0 (6.4)
            due = self._now + self._config.resynchronise_timeout
            self._deadlines.setdefault(_Timer.RESYNCHRONISE, due)
            self._drop(packet.count, error.reason)
            return
        self._deadlines.pop(_Timer.RESYNCHRONISE, None)
        self._collect(columns, slot.signals, len(body))

    def _receive_compact(self, packet: DataPacket, index: int) -> None:
        slot = self._subscription.slots[index]
        if self._subscription.incoming:
            self._drop(packet.count, "made with the old or the new signal index cache, and it does not say which (C2)")
            return
        if slot is None:
            self._drop(packet.count, _NO_CACHE)
            return
        options = slot.options
        times = TimeFormat(include_time=options.include_time, milliseconds=options.milliseconds)
        columns = read_compact(
            packet.body, packet.count, times, self._subscription.base_times, limits=self._config.limits
        )
        if not slot.signals.have(columns.signal_index):
            # gsfapi can send an index that is not in its cache; such records are skipped (6.2)
            known = slot.signals.which(columns.signal_index)
            self._drop(int(np.count_nonzero(~known)), "signal indexes that are not in the signal index cache")
            columns = columns.select(known)
        self._collect(columns, slot.signals, len(packet.body))

    def _follow(self, packet: DataPacket) -> None:
        """Keep step with a publisher that never resets TSSC, while nothing is subscribed (Y7)."""
        retired = self._subscription.retired
        if retired is not None and DataPacketFlags.COMPRESSED in packet.flags:
            with suppress(MessageError):
                sequence = read_tssc_header(packet.body)
                retired.decoder.decode(packet.body[TSSC_HEADER:], sequence=sequence, count=packet.count)

    def _drop(self, count: int, reason: str) -> None:
        self._emit(PacketDropped(count=count, reason=reason))

    def _collect(self, columns: Columns, signals: SignalTable, size: int) -> None:
        if signals is not self._received_signals:
            self._deliver()
            self._received_signals = signals
        self._received.append(columns)
        self._received_size += _DATA_PACKET_OVERHEAD + size

    def _deliver(self) -> None:
        received = self._received
        if received and self._received_signals is not None:
            self._received = []
            size, self._received_size = self._received_size, 0
            event = MeasurementsReceived(
                columns=received[0] if len(received) == 1 else Columns.concatenate(received),
                signals=self._received_signals,
                packets=len(received),
                size=size,
            )
            # before the end of the session, which may have come with the same bytes
            self._events.insert(len(self._events) - self._ended, event)

    def _emit(self, event: SubscriberEvent) -> None:
        self._deliver()
        super()._emit(event)

    # --- commands

    def _intend(self, command: AnyCommand, options: SubscriptionOptions | None = None) -> None:
        self._require_open()
        self._intents.append(_Intent(command, commands.write_command(command, self._config.modes), options))
        self._advance()

    def _advance(self) -> None:
        while self._intents and not self.ended and self._may_say(self._intents[0].command):
            intent = self._intents.popleft()
            if intent.options is not None:
                self._requested = intent.options
            self._say(intent.command, intent.frame)

    def _may_say(self, command: AnyCommand) -> bool:
        waiting = self._deadlines
        if _Timer.MODES_REPLY in waiting:
            return False
        match command:
            case commands.MetadataRefresh():
                return _Timer.METADATA_REPLY not in waiting
            case commands.Subscribe() if _Timer.UNSUBSCRIBE_PAUSE in waiting:
                return False
            case commands.Subscribe() | commands.Unsubscribe():
                return _Timer.SUBSCRIBE_REPLY not in waiting and _Timer.UNSUBSCRIBE_REPLY not in waiting
            case _:
                return True

    def _say(self, command: AnyCommand, frame: bytes | None = None) -> None:
        config = self._config
        self._output.append(commands.write_command(command, config.modes) if frame is None else frame)
        kind = kind_of(command)
        assert kind is not None
        self._conversation.say(kind)
        match command:
            case commands.MetadataRefresh():
                self._deadlines[_Timer.METADATA_REPLY] = self._now + config.reply_timeout
            case commands.Subscribe():
                self._deadlines[_Timer.SUBSCRIBE_REPLY] = self._now + config.reply_timeout
            case commands.UpdateProcessingInterval():
                self._fences.append(None)
            case commands.Unsubscribe():
                self._end_subscription()
                self._deadlines[_Timer.UNSUBSCRIBE_REPLY] = self._now + config.unsubscribe_grace
                if config.tolerances.pause_before_subscribing_again:
                    self._deadlines[_Timer.UNSUBSCRIBE_PAUSE] = self._now + config.unsubscribe_pause
            case _:
                pass

    def _end_subscription(self) -> None:
        tolerances, before = self._config.tolerances, self._subscription
        goes_on = tolerances.cache_index_never_set or tolerances.tssc_continues_across_caches
        self._subscription = ReceivedSubscription(retired=(before.slots[0] or before.retired) if goes_on else None)
        self._requested = None
        self._deadlines.pop(_Timer.RESYNCHRONISE, None)

    # --- timers

    def _due(self, timer: Hashable) -> None:
        config = self._config
        match timer:
            case _Timer.BYTES:
                reason = f"the publisher sent nothing for {config.silence_timeout:g} s"
                self._end(SilenceError(reason if self._proved else f"{reason}; is it one of STTP?"))
            case _Timer.METADATA_REPLY if self._frames.pending:
                # a long document is on its way
                self._deadlines[_Timer.METADATA_REPLY] = self._now + config.reply_timeout
            case _Timer.METADATA_REPLY:
                self._emit(MetadataRefused(reason=f"no answer within {config.reply_timeout:g} s"))
                self._advance()
            case _Timer.SUBSCRIBE_REPLY:
                self._end(SilenceError(f"the publisher did not answer Subscribe within {config.reply_timeout:g} s"))
            case _Timer.MODES_REPLY:
                self._end(
                    SilenceError(
                        f"the publisher did not answer version {config.modes.version} within "
                        f"{config.reply_timeout:g} s; version 2 needs no answer (wire.md 3.4)"
                    )
                )
            case _Timer.UNSUBSCRIBE_REPLY:
                self._conversation.stop_waiting_for_unsubscribe()
                self._advance()
            case _Timer.UNSUBSCRIBE_PAUSE:
                self._advance()
            case _:
                self._end(
                    ProtocolError(
                        f"the TSSC stream stayed out of step for {config.resynchronise_timeout:g} s", clause="6.4"
                    )
                )
