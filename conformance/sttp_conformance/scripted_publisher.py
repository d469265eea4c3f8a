"""A publisher under a check's control: the other end of a subscriber that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from sttp.codes import Command, DataPacketFlags, ModeFlags, Role
from sttp.errors import ProtocolError
from sttp.limits import DEFAULT_LIMITS
from sttp.measurement import Columns, SignalTable
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, read_command
from sttp.wire.compact import BaseTimes, TimeFormat, write_compact
from sttp.wire.fields import deflate
from sttp.wire.frame import FrameReader
from sttp.wire.responses import AnyResponse, DataPacket, write_response
from sttp.wire.signal_index_cache import SignalIndexCache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscEncoder, write_tssc_payload
from sttp_conformance.grid import METADATA, SIGNALS
from sttp_conformance.scripted_peer import ScriptedPeer
from sttp_conformance.transcript import shown
from sttp_conformance.violation import Violation

__all__ = ["ScriptedPublisher"]

_SUBSCRIBER_ID: Final = UUID(int=0x0F0E0D0C0B0A09080706050403020100)

_HARMLESS: Final = (
    commands.ConfirmNotification,
    commands.ConfirmBufferBlock,
    commands.ConfirmUpdateBaseTimes,
    commands.UpdateProcessingInterval,
    commands.UserCommand,
)


class ScriptedPublisher(ScriptedPeer[AnyCommand]):
    """See the module; `ScriptedPeer` has what both roles share.

    While it waits for something it answers politely what a subscriber may ask meanwhile.

    Attributes:
        polite: whether it does that.
        document: the metadata that it gives.
        metadata_compressed: whether it gives them as gzip; None for what the modes say.
        asked: what the subscriber asked for last.
        subscribes: each Subscribe that came.
    """

    role = Role.PUBLISHER

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.polite = True
        self.document = METADATA
        self.metadata_compressed: bool | None = None
        self.asked = SubscriptionOptions()
        self.subscribes: list[commands.Subscribe] = []
        self._encoders: dict[int, TsscEncoder] = {}
        self.active = 0

    def written(self, message: AnyResponse) -> bytes:
        """The frame of a response."""
        return write_response(message, self.modes, self.packets.cipher)

    # --- how far it behaves

    async def accept_modes(self) -> commands.DefineOperationalModes:
        """Wait for the operational modes, which must come first, and accept them."""
        polite, self.polite = self.polite, False
        try:
            defined = await self.expect(commands.DefineOperationalModes)
        finally:
            self.polite = polite
        await self.say(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="STTP v2 modes accepted."))
        return defined

    async def wait_for_subscribe(self) -> SubscriptionOptions:
        """Answer what comes before it, modes and metadata among them, and wait for a Subscribe."""
        asked = await self.expect(commands.Subscribe)
        self.subscribes.append(asked)
        try:
            self.asked = SubscriptionOptions.from_connection_string(asked.connection_string)
        except ProtocolError as error:
            raise Violation(
                f"a connection string that cannot be read came: {error}: {asked.connection_string}"
            ) from None
        return self.asked

    async def offer(
        self,
        signals: SignalTable = SIGNALS,
        *,
        cache_index: int = 0,
        succeed: bool = True,
        confirmed: bool = True,
        compressed: bool | None = None,
        within: float | None = None,
    ) -> None:
        """Send a signal index cache, report success, and wait for the confirmation; measurements may follow.

        Args:
            signals: the signals by signal index.
            cache_index: the slot; version 1 has none.
            succeed: whether success is reported for Subscribe.
            confirmed: whether to wait until the subscriber has confirmed the cache.
            compressed: whether the cache is gzip; without it, as the modes say.
            within: seconds until it must be confirmed; without it, the grace for a reply.
        """
        cache = SignalIndexCache(subscriber_id=_SUBSCRIBER_ID, signals=signals)
        modes = self.modes
        if compressed is not None:
            both = ModeFlags.GZIP | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE
            modes = replace(modes, flags=modes.flags | both if compressed else modes.flags & ~both)
        update = responses.UpdateSignalIndexCache(
            cache_index=cache_index if self.modes.double_buffered else None,
            image=write_signal_index_cache(cache, modes),
        )
        said: list[AnyResponse] = [update]
        if succeed:
            text = f"Client subscribed as compact with {len(signals)} signals."
            said.append(responses.Succeeded(command=Command.SUBSCRIBE, text=text))
        await self.say(*said)
        self._encoders[cache_index] = TsscEncoder()
        if confirmed and self.modes.double_buffered:
            await self.expect(commands.ConfirmUpdateSignalIndexCache, within=within)
        self.active = cache_index

    async def serve(self, signals: SignalTable = SIGNALS) -> SubscriptionOptions:
        """Everything that leads to measurements: modes, metadata, and a subscription that is confirmed."""
        await self.accept_modes()
        asked = await self.wait_for_subscribe()
        await self.offer(signals)
        return asked

    def require_only(self, *kinds: type) -> None:
        """Check that a subscriber has said nothing since its first Subscribe but certain commands.

        Raises:
            Violation: it has; the message says what.
        """
        reader = FrameReader(DEFAULT_LIMITS.response)
        reader.feed(self.recording.said_by(Role.SUBSCRIBER))
        heard = [read_command(bytes(each), self.modes) for each in reader]
        after = next(number for number, each in enumerate(heard) if isinstance(each, commands.Subscribe)) + 1
        for each in heard[after:]:
            if not isinstance(each, kinds):
                raise Violation(f"expected nothing but {' and '.join(k.__name__ for k in kinds)}, not {shown(each)}")

    # --- measurements

    def data_packets(
        self, columns: Columns, *, tssc: bool | None = None, base_times: BaseTimes | None = None
    ) -> list[DataPacket]:
        """Measurements in data packets of the active signal index cache.

        Args:
            columns: the measurements.
            tssc: whether as TSSC blocks; without it, as the modes say.
            base_times: those that were sent, for compact measurements.
        """
        slot = DataPacketFlags.CACHE_INDEX if self.active and self.modes.double_buffered else DataPacketFlags(0)
        if self.modes.compress_payload_data if tssc is None else tssc:
            return [
                DataPacket(flags=DataPacketFlags.COMPRESSED | slot, count=block.count, body=write_tssc_payload(block))
                for block in self._encoders[self.active].encode(columns)
            ]
        times = TimeFormat(include_time=self.asked.include_time, milliseconds=self.asked.milliseconds)
        return [
            DataPacket(flags=DataPacketFlags.COMPACT | slot, count=count, body=body)
            for count, body in write_compact(columns, times, base_times)
        ]

    def restart_tssc(self) -> None:
        """Begin the TSSC stream of the active signal index cache anew, with sequence 0."""
        self._encoders[self.active] = TsscEncoder()

    async def send(self, columns: Columns, *, tssc: bool | None = None) -> None:
        """Send measurements, as the subscriber asked for them."""
        await self.say(*self.data_packets(columns, tssc=tssc))

    # --- hearing

    def _read(self, frame: bytes) -> Sequence[AnyCommand]:
        command = read_command(frame, self.modes)
        self.packets.command(command)
        return [command]

    async def _attend(self, message: AnyCommand) -> bool:
        if not self.polite:
            return False
        match message:
            case commands.DefineOperationalModes():
                await self.say(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="Modes accepted."))
            case commands.MetadataRefresh():
                await self.give_metadata()
            case commands.Unsubscribe():
                await self.say(responses.Succeeded(command=Command.UNSUBSCRIBE, text="Client unsubscribed."))
            case _:
                return isinstance(message, _HARMLESS)
        return True

    async def give_metadata(self) -> None:
        """Answer a MetadataRefresh."""
        wanted = self.modes.compress_metadata if self.metadata_compressed is None else self.metadata_compressed
        document = deflate(self.document) if wanted else self.document
        await self.say(responses.Metadata(document=document))
