"""Reading data packets: what has to be remembered of a conversation to know what its measurements mean.

Whoever listens to a conversation, in the middle of it or at one end, tells a `PacketReader` everything that is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from sttp.codes import DataPacketFlags, OperationalModes
from sttp.errors import ProtocolError
from sttp.measurement import SignalTable
from sttp.wire import commands, responses
from sttp.wire.cipher import CipherKey, DataCipher
from sttp.wire.commands import AnyCommand
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact
from sttp.wire.responses import AnyResponse, DataPacket
from sttp.wire.signal_index_cache import SignalIndexCache, read_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscDecoder, read_tssc_payload
from sttp_conformance.measurements import Measurements

__all__ = ["NoCache", "PacketReader"]


class NoCache(ProtocolError):
    """A data packet for whose slot no signal index cache has come (wire.md 5.4)."""


@dataclass
class _Slot:
    """A signal index cache and what its data packets are read with."""

    signals: SignalTable
    times: TimeFormat
    decoder: TsscDecoder


class PacketReader:
    """Follows a conversation and reads its data packets.

    Attributes:
        modes: what the subscriber settled last.
        base_times: those that came last.
        cipher: the keys that came last, with which data packets and buffer blocks are to be read (7.7).
    """

    def __init__(self) -> None:
        self.modes = OperationalModes()
        self.base_times: BaseTimes | None = None
        self.cipher = DataCipher()
        self._times = TimeFormat()
        self._slots: dict[int, _Slot] = {}

    def command(self, command: AnyCommand) -> None:
        """Take note of what the subscriber said."""
        match command:
            case commands.DefineOperationalModes():
                self.modes = command.modes
            case commands.Subscribe():
                # a signal index cache is taken to be for the newest Subscribe that was said before it
                try:
                    options = SubscriptionOptions.from_connection_string(command.connection_string)
                except ProtocolError:
                    return  # it is wrong on purpose, and is to be refused
                self._times = TimeFormat(include_time=options.include_time, milliseconds=options.milliseconds)

    def response(self, response: AnyResponse) -> SignalIndexCache | Measurements | None:
        """Take note of what the publisher said.

        Returns:
            The signal index cache or the measurements that the response carried.

        Raises:
            ProtocolError: they cannot be read; `NoCache` when there is nothing to read them with.
        """
        match response:
            case responses.UpdateBaseTimes():
                self.base_times = BaseTimes(active=response.active, times=response.times)
            case responses.UpdateCipherKeys():
                even, odd = CipherKey(response.even_key, response.even_iv), CipherKey(response.odd_key, response.odd_iv)
                self.cipher.keys, self.cipher.active = (even, odd), response.active
            case responses.UpdateSignalIndexCache():
                cache = read_signal_index_cache(response.image, self.modes)
                self._slots[response.cache_index or 0] = _Slot(
                    cache.signals, self._times, TsscDecoder(signal_indexes=cache.signals.present)
                )
                return cache
            case DataPacket():
                return self._measurements(response)
        return None

    def _measurements(self, packet: DataPacket) -> Measurements:
        slot = self._slots.get(int(self.modes.double_buffered and DataPacketFlags.CACHE_INDEX in packet.flags))
        if slot is None:
            raise NoCache(f"a data packet of {packet.count} measurements without a signal index cache", clause="5.4")
        if DataPacketFlags.COMPRESSED in packet.flags:
            block = read_tssc_payload(packet.body, packet.count)
            columns = slot.decoder.decode(block.block, sequence=block.sequence, count=block.count)
        else:
            columns = read_compact(packet.body, packet.count, slot.times, self.base_times)
        return Measurements.of(columns, slot.signals)
