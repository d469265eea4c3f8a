"""A subscriber under a check's control: the other end of a publisher that is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np

from sttp.codes import Command, ModeFlags, OperationalModes, Role
from sttp.errors import ProtocolError
from sttp.measurement import SignalTable
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, write_command
from sttp.wire.responses import AnyResponse, DataPacket, read_responses
from sttp.wire.signal_index_cache import SignalIndexCache, read_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_peer import ScriptedPeer
from sttp_conformance.violation import Violation

__all__ = ["COMPACT", "EVERYTHING", "TSSC", "ScriptedSubscriber", "Subscription"]

EVERYTHING: Final = "FILTER ActiveMeasurements WHERE True"
"""The filter expression that selects all signals."""

TSSC: Final = OperationalModes()
"""Modes with everything compressed, version 2."""

COMPACT: Final = OperationalModes(flags=ModeFlags(0))
"""Modes with nothing compressed, version 2."""

_HARMLESS: Final = (
    responses.NoOP,
    responses.Notify,
    responses.ConfigurationChanged,
    responses.DataStartTime,
    responses.UpdateBaseTimes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What came of a Subscribe.

    Attributes:
        cache_index: the slot that the signal index cache is for; None in version 1.
        subscriber_id: how the publisher knows us.
        signals: the signals by signal index.
        unauthorised: signal IDs that were refused.
        text: what the publisher said.
    """

    cache_index: int | None
    subscriber_id: UUID
    signals: SignalTable
    unauthorised: tuple[UUID, ...]
    text: str

    @property
    def indexes(self) -> list[int]:
        """The signal indexes that are in use."""
        found: list[int] = np.flatnonzero(self.signals.present).tolist()
        return found


class ScriptedSubscriber(ScriptedPeer[AnyResponse]):
    """See the module; `ScriptedPeer` has what both roles share."""

    role = Role.SUBSCRIBER

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._measured: list[Measurements] = []

    def written(self, message: AnyCommand) -> bytes:
        """The frame of a command."""
        return write_command(message, self.modes)

    def _said(self, message: Any) -> None:
        if not isinstance(message, bytes):
            self.packets.command(message)

    # --- how far it behaves

    async def define_modes(self, modes: OperationalModes = TSSC) -> responses.Succeeded:
        """Define the operational modes, as the first command, and wait for the answer."""
        await self.say(commands.DefineOperationalModes(modes=modes))
        return await self.expect(
            responses.Succeeded,
            lambda answer: answer.command == Command.DEFINE_OPERATIONAL_MODES,
            what="Succeeded for DefineOperationalModes",
        )

    async def begin(self, modes: OperationalModes = TSSC) -> None:
        """Define the operational modes and go on without waiting: not every publisher answers (3.4)."""
        await self.say(commands.DefineOperationalModes(modes=modes))

    async def subscribe(
        self, filter_expression: str = EVERYTHING, *, confirm: bool = True, within: float | None = None, **options: Any
    ) -> Subscription:
        """Subscribe, and confirm the signal index cache. Success and cache may come in any order (4.5).

        Args:
            filter_expression: what to subscribe to.
            confirm: whether to confirm.
            within: seconds for each of the two; without it, the grace for a reply.
            options: of `SubscriptionOptions`.
        """
        wanted = SubscriptionOptions(filter_expression=filter_expression, **options)
        await self.say(commands.Subscribe(connection_string=wanted.to_connection_string()))
        return await self.subscribed(confirm=confirm, within=within)

    async def subscribed(self, *, confirm: bool = True, within: float | None = None) -> Subscription:
        """Wait for what follows on a Subscribe that was said: success, and a signal index cache."""
        text: str | None = None
        update: tuple[int | None, SignalIndexCache] | None = None
        while text is None or update is None:
            what = "Succeeded for Subscribe" if update else "UpdateSignalIndexCache and Succeeded for Subscribe"
            answer = await self.expect(
                (responses.Succeeded, responses.UpdateSignalIndexCache),
                lambda each: getattr(each, "command", None) == Command.SUBSCRIBE,
                what="UpdateSignalIndexCache" if text is not None else what,
                within=within,
            )
            if isinstance(answer, responses.Succeeded):
                text = answer.text
            elif isinstance(answer, responses.UpdateSignalIndexCache):
                update = answer.cache_index, self._installed(answer)
        if confirm and self.modes.double_buffered:
            await self.say(commands.ConfirmUpdateSignalIndexCache())
        cache_index, cache = update
        return Subscription(
            cache_index=cache_index,
            subscriber_id=cache.subscriber_id,
            signals=cache.signals,
            unauthorised=cache.unauthorised,
            text=text,
        )

    async def fence(self) -> None:
        """Wait until the publisher has handled everything that was said before: commands are taken in order (9.3)."""
        await self.say(commands.UpdateProcessingInterval(milliseconds=-1))
        await self.fenced()

    async def fenced(self) -> None:
        """Wait for the answer to an UpdateProcessingInterval that was said."""
        await self.answer(Command.UPDATE_PROCESSING_INTERVAL, "UpdateProcessingInterval")

    async def answer(self, command: int, name: str) -> responses.Succeeded | responses.Failed:
        """Wait for the answer to a command, whichever it is; everything else is passed over.

        Args:
            command: its code.
            name: what it is called.

        Raises:
            Violation: none came.
        """
        either: tuple[type[responses.Succeeded | responses.Failed], ...] = (responses.Succeeded, responses.Failed)
        return await self.expect(
            either, lambda answer: answer.command == command, what=f"an answer to {name}", anything_before=True
        )

    async def expect_answer_or_end(self, *answered: int) -> responses.Succeeded | responses.Failed | None:
        """Wait until one of some commands is answered, or the connection ends, and return the answer.

        Raises:
            Violation: neither happens.
        """
        try:
            while (message := await self.hear()) is not None:
                if isinstance(message, responses.Succeeded | responses.Failed) and message.command in answered:
                    return message
        except TimeoutError:
            raise Violation(
                f"expected an answer, or the end of the connection, but neither came within {self.grace.reply:.1f} s"
            ) from None
        return None

    async def settle(self, *answered: int) -> None:
        """Wait until one of some commands is answered, the connection ends, or silence has been long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.grace.quiet):
                await self.expect_answer_or_end(*answered)

    # --- measurements

    async def measurements(self, count: int, *, within: float | None = None) -> Measurements:
        """Wait for so many measurements, and return all that came since the last call.

        Raises:
            Violation: too few came in time, something came in between that does not belong to them, or they cannot be
                read.
        """
        limit = self.grace.reply if within is None else within
        deadline = asyncio.get_running_loop().time() + limit
        while sum(map(len, self._measured)) < count:
            have = sum(map(len, self._measured))
            left = deadline - asyncio.get_running_loop().time()
            packet = await self.expect(
                DataPacket, within=max(left, 0.0), what=f"{count} measurements, of which {have} came"
            )
            self._take(packet)
        return self.taken()

    def taken(self) -> Measurements:
        """All measurements that have come since the last call."""
        found, self._measured = Measurements.joined(self._measured), []
        return found

    def _take(self, packet: DataPacket) -> None:
        try:
            measured = self.packets.response(packet)
        except ProtocolError as error:
            raise Violation(f"a data packet that cannot be read came: {error}") from None
        assert isinstance(measured, Measurements)
        self._measured.append(measured)

    def cache_in(self, frame: bytes) -> SignalIndexCache:
        """The signal index cache in a frame, which is not installed by this."""
        (update,) = read_responses(frame, self.modes)
        assert isinstance(update, responses.UpdateSignalIndexCache)
        return read_signal_index_cache(update.image, self.modes)

    def _installed(self, update: responses.UpdateSignalIndexCache) -> SignalIndexCache:
        try:
            cache = self.packets.response(update)
        except ProtocolError as error:
            raise Violation(f"a signal index cache that cannot be read came: {error}") from None
        assert isinstance(cache, SignalIndexCache)
        return cache

    # --- hearing

    def _read(self, frame: bytes) -> Sequence[AnyResponse]:
        heard = []
        for response in read_responses(frame, self.modes, cipher=self.packets.cipher):
            if isinstance(response, responses.UpdateCipherKeys):
                self.packets.response(response)  # whatever follows is encrypted with them
            heard.append(response)
        return heard

    async def _attend(self, message: AnyResponse) -> bool:
        match message:
            case responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES):
                return True
            case responses.UpdateBaseTimes():
                self.packets.response(message)
        return isinstance(message, _HARMLESS)
