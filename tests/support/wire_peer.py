"""Peers that say what a test tells them to, and read only when it does: `sttp.wire` over a stream, no session."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Generic, Self, TypeVar
from uuid import UUID

from sttp.codes import Command, DataPacketFlags, OperationalModes
from sttp.limits import DEFAULT_LIMITS
from sttp.measurement import Columns, SignalTable
from sttp.metadata import Metadata
from sttp.transport import ByteStream
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, read_command, write_command
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact, write_compact
from sttp.wire.fields import deflate
from sttp.wire.frame import FrameReader
from sttp.wire.responses import AnyResponse, DataPacket, read_responses, write_response
from sttp.wire.signal_index_cache import SignalIndexCache, read_signal_index_cache, write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions

__all__ = ["WirePublisher", "WireSubscriber"]

M = TypeVar("M")
W = TypeVar("W")


class _Peer(Generic[M]):
    """One end of a conversation. Leaving it as a context manager closes the stream.

    Args:
        stream: where the other end is.
        modes: what is said with, and read with, from the beginning.
    """

    def __init__(self, stream: ByteStream, modes: OperationalModes = OperationalModes()) -> None:  # noqa: B008
        self.stream = stream
        self.modes = modes
        self._frames = FrameReader(DEFAULT_LIMITS.response)
        self._heard: deque[M] = deque()

    async def hear(self) -> M | None:
        """The next message; None when the other end says nothing more."""
        buffer = bytearray(64 * 1024)
        while not self._heard:
            count = await self.stream.receive_into(buffer)
            if not count:
                return None
            self._frames.feed(buffer[:count])
            for frame in self._frames:
                self._heard += self._read(bytes(frame))
        return self._heard.popleft()

    async def expect(self, kind: type[W]) -> W:
        """The next message, which must be of a certain kind."""
        message = await self.hear()
        assert isinstance(message, kind), message
        return message

    async def rest(self) -> list[M]:
        """All messages until the other end says nothing more."""
        heard = []
        while (message := await self.hear()) is not None:
            heard.append(message)
        return heard

    def _read(self, frame: bytes) -> list[M]:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stream.close()


class WireSubscriber(_Peer[AnyResponse]):
    """A subscriber under a test's control. Measurements it can read when its modes do not ask for TSSC."""

    _base_times: BaseTimes | None = None

    async def say(self, *said: AnyCommand) -> None:
        """Send commands."""
        await self.stream.send([write_command(command, self.modes) for command in said])

    async def settle(self) -> None:
        """Define the operational modes."""
        await self.say(commands.DefineOperationalModes(modes=self.modes))
        settled = await self.expect(responses.Succeeded)
        assert settled.command == Command.DEFINE_OPERATIONAL_MODES

    async def subscribe(self, filter_expression: str) -> SignalTable:
        """Define the modes and subscribe; measurements flow from then on."""
        await self.settle()
        return await self.resubscribe(filter_expression)

    async def resubscribe(self, filter_expression: str) -> SignalTable:
        """Subscribe, and confirm the signal index cache."""
        options = SubscriptionOptions(filter_expression=filter_expression)
        await self.say(commands.Subscribe(connection_string=options.to_connection_string()))
        update = await self.expect(responses.UpdateSignalIndexCache)
        await self.expect(responses.Succeeded)
        await self.say(commands.ConfirmUpdateSignalIndexCache())
        return read_signal_index_cache(update.image, self.modes).signals

    async def values(self, count: int) -> list[tuple[int, float]]:
        """Hear so many measurements, and nothing else but what belongs to them: signal index and value of each."""
        found: list[tuple[int, float]] = []
        while len(found) < count:
            message = await self.hear()
            if isinstance(message, DataPacket):
                columns = read_compact(message.body, message.count, TimeFormat(), self._base_times)
                assert columns.ticks.all(), "times that cannot be read"
                found += zip(columns.signal_index.tolist(), columns.value.tolist(), strict=True)
            elif isinstance(message, responses.UpdateBaseTimes):
                self._base_times = BaseTimes(active=message.active, times=message.times)
            else:
                assert isinstance(message, responses.DataStartTime), f"{message} after {len(found)} measurements"
        return found

    def _read(self, frame: bytes) -> list[AnyResponse]:
        return [each for each in read_responses(frame, self.modes) if not isinstance(each, responses.NoOP)]


class WirePublisher(_Peer[AnyCommand]):
    """A publisher under a test's control."""

    async def say(self, *said: AnyResponse) -> None:
        """Send responses."""
        await self.stream.send([write_response(response, self.modes) for response in said])

    async def settle(self) -> None:
        """Accept the operational modes."""
        self.modes = (await self.expect(commands.DefineOperationalModes)).modes
        await self.say(responses.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES))

    async def give_metadata(self, metadata: Metadata = Metadata()) -> str:  # noqa: B008 - immutable
        """Answer a MetadataRefresh; returns its filter expression."""
        asked = await self.expect(commands.MetadataRefresh)
        document = metadata.write()
        await self.say(responses.Metadata(document=deflate(document) if self.modes.compress_metadata else document))
        return asked.filter_expression

    async def accept(self, signals: SignalTable, *, cache_index: int = 0) -> SubscriptionOptions:
        """Answer a Subscribe: offer signals, report success, wait for the confirm; returns what was asked for."""
        asked = await self.expect(commands.Subscribe)
        cache = SignalIndexCache(subscriber_id=UUID(int=1), signals=signals)
        image = write_signal_index_cache(cache, self.modes)
        await self.say(
            responses.UpdateSignalIndexCache(cache_index=cache_index, image=image),
            responses.Succeeded(command=Command.SUBSCRIBE),
        )
        await self.expect(commands.ConfirmUpdateSignalIndexCache)
        return SubscriptionOptions.from_connection_string(asked.connection_string)

    async def stream_to(self, metadata: Metadata) -> None:
        """Everything that leads to measurements: modes, metadata, and a subscription to all signals."""
        await self.settle()
        await self.give_metadata(metadata)
        await self.accept(metadata.signals)

    async def send(self, columns: Columns) -> None:
        """Send measurements, as compact as they come."""
        packets = write_compact(columns, TimeFormat(), None)
        await self.say(*(DataPacket(flags=DataPacketFlags.COMPACT, count=count, body=body) for count, body in packets))

    def _read(self, frame: bytes) -> list[AnyCommand]:
        return [read_command(frame, self.modes)]
