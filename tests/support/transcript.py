"""Transcripts: what was said in a conversation, read from its bytes and made comparable.

A *transcript* is the decoded messages of each speaker, in order. *Normalised*, nothing is left in it that must differ
between two runs of one conversation: NoOP, which depends on time; subscriber ID and node ID, which are random; ports;
what was taken from a clock. Adjacent data packets are merged into their measurements, because how many share a packet
is a matter of timing.

It reads with `sttp.wire` and nothing above it: what judges sessions may not borrow their reasoning.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice, zip_longest
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sttp.codes import DataPacketFlags, OperationalModes, Role
from sttp.limits import DEFAULT_LIMITS
from sttp.measurement import Columns, SignalTable
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, read_command
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact
from sttp.wire.fields import inflate
from sttp.wire.frame import FrameReader
from sttp.wire.responses import AnyResponse, DataPacket, read_responses
from sttp.wire.signal_index_cache import read_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscDecoder, read_tssc_payload

__all__ = ["ROWS", "Measurements", "Transcript", "difference", "read_transcript"]

ROWS: Final = np.dtype([("signal_id", "V16"), ("ticks", "i8"), ("flags", "u4"), ("value", "u4")])
"""A measurement in its bits: two NaNs are not equal as numbers, and two zeros are."""

_SHOWN: Final = 4
"""Lines that a difference shows before and after it begins."""

_PORT: Final = re.compile(r"(\d+(?:\.\d+){3}|\[[\da-f:]+\]|localhost):\d{1,5}\b", re.ASCII | re.IGNORECASE)
_NODE_OR_CLOCK: Final = re.compile(rb"<(NodeID|UpdatedOn)>[^<]*</\1>")


@dataclass(frozen=True, eq=False)
class Measurements:
    """Adjacent data packets, merged.

    Attributes:
        rows: the measurements in their order, of dtype `ROWS`.
    """

    rows: NDArray[np.void]

    @classmethod
    def of(cls, columns: Columns, signals: SignalTable) -> Measurements:
        """Measurements whose signal indexes point into `signals`; the signal ID is zeros where one points beyond."""
        rows = np.zeros(len(columns.signal_index), ROWS)
        known = columns.signal_index < len(signals)
        rows["signal_id"][known] = signals.ids.view("V16")[columns.signal_index[known], 0]
        rows["ticks"] = columns.ticks
        rows["flags"] = columns.flags
        rows["value"] = np.ascontiguousarray(columns.value).view(np.uint32)
        return cls(rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Measurements) and self.rows.tobytes() == other.rows.tobytes()

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.rows)

    def lines(self) -> Iterator[str]:
        """One line for each measurement."""
        values = np.ascontiguousarray(self.rows["value"]).view(np.float32)
        for row, value in zip(self.rows, values, strict=True):
            signal_id = UUID(bytes=row["signal_id"].tobytes())
            yield f"{signal_id} at {row['ticks']}: {value} ({row['value']:#010x}), flags {row['flags']:#010x}"


@dataclass(frozen=True)
class Transcript:
    """What each speaker said: a message as lines of text, measurements as such.

    Attributes:
        subscriber: what the subscriber said.
        publisher: what the publisher said.
    """

    subscriber: list[str | Measurements] = field(default_factory=list)
    publisher: list[str | Measurements] = field(default_factory=list)

    def of(self, role: Role) -> list[str | Measurements]:
        """What one of them said."""
        return self.subscriber if role is Role.SUBSCRIBER else self.publisher

    def lines(self, role: Role) -> Iterator[str]:
        """What one of them said, line by line."""
        for said in self.of(role):
            if isinstance(said, str):
                yield from said.splitlines()
            else:
                yield from said.lines()

    @property
    def measurements(self) -> Measurements:
        """All measurements, whatever was said between them."""
        parts = [said.rows for said in self.publisher if isinstance(said, Measurements)]
        return Measurements(np.concatenate(parts) if parts else np.zeros(0, ROWS))


def difference(first: Transcript, second: Transcript) -> str:
    """Where two transcripts part, for people; empty when they are equal."""
    found = []
    for role in Role:
        if first.of(role) == second.of(role):
            continue
        pairs = enumerate(zip_longest(first.lines(role), second.lines(role)), start=1)
        common: list[str] = []
        for number, (one, other) in pairs:
            if one == other:
                common = [*common[1 - _SHOWN :], f"    {one}"]
                continue
            parted = [(one, other), *(pair for _, pair in islice(pairs, _SHOWN - 1))]
            found += [f"the {role.value}s differ in line {number}:", *common]
            found += [f"  - {line}" for line, _ in parted if line is not None]
            found += [f"  + {line}" for _, line in parted if line is not None]
            break
    return "\n".join(found)


def read_transcript(chunks: Iterable[tuple[Role, bytes]]) -> Transcript:
    """Read and normalise a conversation.

    Args:
        chunks: who spoke, and bytes cut anywhere, in the order in which they passed one point.

    Raises:
        ProtocolError: a message cannot be read.
    """
    reading = _Reading()
    frames = {role: FrameReader(DEFAULT_LIMITS.response) for role in Role}
    for speaker, data in chunks:
        frames[speaker].feed(data)
        for frame in frames[speaker]:
            if speaker is Role.SUBSCRIBER:
                reading.command(read_command(frame, reading.modes))
            else:
                for response in read_responses(frame, reading.modes):
                    reading.response(response)
    transcript = reading.finish()
    for speaker, reader in frames.items():
        if reader.pending:
            transcript.of(speaker).append(f"(ends inside a frame, {reader.pending} bytes of which came)")
    return transcript


@dataclass
class _Slot:
    """A signal index cache and what its data packets are read with."""

    signals: SignalTable
    times: TimeFormat
    decoder: TsscDecoder


class _Reading:
    """What has to be remembered to read the next message."""

    def __init__(self) -> None:
        self.transcript = Transcript()
        self.modes = OperationalModes()
        self._times = TimeFormat()
        self._slots: dict[int, _Slot] = {}
        self._base_times: BaseTimes | None = None
        # rows of the data packets since the last other message of the publisher
        self._adjacent: list[NDArray[np.void]] = []

    def finish(self) -> Transcript:
        """The transcript, once everything has been read."""
        if self._adjacent:
            self.transcript.publisher.append(Measurements(np.concatenate(self._adjacent)))
            self._adjacent = []
        return self.transcript

    def command(self, command: AnyCommand) -> None:
        said = self.transcript.subscriber
        match command:
            case commands.DefineOperationalModes():
                self.modes = command.modes
                said.append(_shown(command))
            case commands.Subscribe():
                options = SubscriptionOptions.from_connection_string(command.connection_string)
                # a signal index cache is taken to be for the newest Subscribe that was said before it
                self._times = TimeFormat(include_time=options.include_time, milliseconds=options.milliseconds)
                udp = options.data_channel_port is not None
                settled = dataclasses.replace(options, data_channel_port=0 if udp else None)
                said.append(f"Subscribe flags={command.flags!r}\n" + _shown(settled, separator="\n  "))
            case _:
                said.append(_shown(command))

    def response(self, response: AnyResponse) -> None:
        match response:
            case responses.NoOP():
                pass
            case DataPacket():
                self._data_packet(response)
            case responses.UpdateSignalIndexCache():
                self._say(self._signal_index_cache(response))
            case responses.UpdateBaseTimes():
                self._base_times = BaseTimes(active=response.active, times=response.times)
                self._say("UpdateBaseTimes")
            case responses.Metadata():
                document = inflate(response.document, limit=DEFAULT_LIMITS.metadata, name="metadata")
                text = _NODE_OR_CLOCK.sub(rb"<\1/>", document).decode("utf-8", "replace")
                self._say("Metadata\n" + text.replace("><", ">\n<"))
            case responses.Succeeded() | responses.Failed() | responses.Notify():
                self._say(_shown(dataclasses.replace(response, text=_PORT.sub(r"\1", response.text))))
            case _:
                self._say(_shown(response))

    def _say(self, text: str) -> None:
        self.finish().publisher.append(text)

    def _signal_index_cache(self, update: responses.UpdateSignalIndexCache) -> str:
        cache = read_signal_index_cache(update.image, self.modes)
        self._slots[update.cache_index or 0] = _Slot(
            cache.signals, self._times, TsscDecoder(signal_indexes=cache.signals.present)
        )
        signals = [
            f"  {index} is {cache.signals[index].signal_id} {cache.signals[index].key}"
            for index in np.flatnonzero(cache.signals.present).tolist()
        ]
        refused = [f"  refused {signal_id}" for signal_id in cache.unauthorised]
        return "\n".join([f"UpdateSignalIndexCache cache_index={update.cache_index}", *signals, *refused])

    def _data_packet(self, packet: DataPacket) -> None:
        slot = self._slots.get(int(self.modes.double_buffered and DataPacketFlags.CACHE_INDEX in packet.flags))
        if slot is None:
            self._say(f"(a data packet of {packet.count} measurements without a signal index cache)")
            return
        if DataPacketFlags.COMPRESSED in packet.flags:
            block = read_tssc_payload(packet.body, packet.count)
            columns = slot.decoder.decode(block.block, sequence=block.sequence, count=block.count)
        else:
            columns = read_compact(packet.body, packet.count, slot.times, self._base_times)
        self._adjacent.append(Measurements.of(columns, slot.signals).rows)


def _shown(message: Any, *, separator: str = " ") -> str:
    """Name and fields of a message."""
    fields = [(each.name, getattr(message, each.name)) for each in dataclasses.fields(message)]
    shown = [f"{name}={value.name if isinstance(value, Enum) else value!r}" for name, value in fields]
    return separator.join([type(message).__name__, *shown])
