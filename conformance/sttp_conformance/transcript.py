"""Transcripts: what was said in a conversation, read from its bytes and made comparable.

A *transcript* is the decoded messages of each speaker, in order. *Normalised*, nothing is left in it that must differ
between two runs of one conversation: NoOP, which depends on time; subscriber ID and node ID, which are random; ports;
what was taken from a clock; the hashes of notifications, which mean nothing to others; cipher keys, and that data was
encrypted with them. Adjacent data packets are merged into their measurements, because how many share a packet is a
matter of timing.

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

import numpy as np

from sttp.codes import OperationalModes, Role
from sttp.errors import ProtocolError
from sttp.limits import DEFAULT_LIMITS
from sttp.wire import commands, responses
from sttp.wire.commands import AnyCommand, read_command
from sttp.wire.fields import inflate
from sttp.wire.frame import FrameReader
from sttp.wire.responses import AnyResponse, BufferBlockFlags, DataPacket, read_responses
from sttp.wire.signal_index_cache import SignalIndexCache
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.measurements import Measurements
from sttp_conformance.packets import NoCache, PacketReader

__all__ = ["Transcript", "difference", "read_transcript", "shown"]

_SHOWN: Final = 4
"""Lines that a difference shows before and after it begins."""

_PORT: Final = re.compile(r"(\d+(?:\.\d+){3}|\[[\da-f:]+\]|localhost):\d{1,5}\b", re.ASCII | re.IGNORECASE)
_CLOCK: Final = re.compile(r"\[\d{4}-\d\d-\d\d [\d:.]+\] ", re.ASCII)
_ANY_HASH: Final = b"hash"
_NODE_OR_CLOCK: Final = re.compile(rb"<(NodeID|UpdatedOn)>[^<]*</\1>")


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
        return Measurements.joined([said for said in self.publisher if isinstance(said, Measurements)])


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


def read_transcript(chunks: Iterable[tuple[Role, bytes]], *, lenient: bool = False) -> Transcript:
    """Read and normalise a conversation.

    Args:
        chunks: who spoke, and bytes cut anywhere, in the order in which they passed one point.
        lenient: let what cannot be read stand as its bytes. A conversation in which one end says wrong things on
            purpose can be read in no other way.

    Raises:
        ProtocolError: a message cannot be read, and the reading is not lenient.
    """
    reading = _Reading(lenient=lenient)
    frames = {role: FrameReader(DEFAULT_LIMITS.response) for role in Role}
    lost: dict[Role, bytearray] = {}
    for speaker, data in chunks:
        if speaker in lost:
            lost[speaker] += data
            continue
        try:
            frames[speaker].feed(data)
            for frame in frames[speaker]:
                reading.frame(speaker, frame)
        except ProtocolError:
            if not lenient:
                raise
            lost[speaker] = bytearray(data)  # there is no way to find the next frame
    transcript = reading.finish()
    for speaker, reader in frames.items():
        if speaker in lost:
            transcript.of(speaker).append(f"(no frames from here on: {bytes(lost[speaker]).hex()})")
        elif reader.pending:
            transcript.of(speaker).append(f"(ends inside a frame, {reader.pending} bytes of which came)")
    return transcript


class _Reading:
    """Takes messages, one after another, and puts down what is to be compared."""

    def __init__(self, *, lenient: bool) -> None:
        self._transcript = Transcript()
        self._packets = PacketReader()
        self._lenient = lenient
        self._notified = b""  # hash of the last notification
        # data packets since the last other message of the publisher
        self._adjacent: list[Measurements] = []

    def finish(self) -> Transcript:
        """The transcript, once everything has been read."""
        if self._adjacent:
            self._transcript.publisher.append(Measurements.joined(self._adjacent))
            self._adjacent = []
        return self._transcript

    def frame(self, speaker: Role, frame: memoryview) -> None:
        """Take a frame of one end."""
        try:
            if speaker is Role.SUBSCRIBER:
                self._command(read_command(frame, self._packets.modes))
            else:
                for response in read_responses(frame, self._packets.modes, cipher=self._packets.cipher):
                    self._response(response)
        except ProtocolError as error:
            if not self._lenient:
                raise
            self.finish().of(speaker).append(f"(cannot be read: {error}: {bytes(frame).hex()})")

    def _command(self, command: AnyCommand) -> None:
        said = self._transcript.subscriber
        match command:
            case commands.Subscribe():
                options = SubscriptionOptions.from_connection_string(command.connection_string)
                udp = options.data_channel_port is not None
                settled = dataclasses.replace(options, data_channel_port=0 if udp else None)
                said.append(f"Subscribe flags={command.flags!r}\n" + shown(settled, separator="\n  "))
            case commands.ConfirmNotification() if command.hash == self._notified:
                said.append(shown(commands.ConfirmNotification(hash=_ANY_HASH)))
            case _:
                said.append(shown(command))
        self._packets.command(command)

    def _response(self, response: AnyResponse) -> None:
        match response:
            case responses.NoOP():
                pass
            case DataPacket():
                self._data_packet(response)
            case responses.UpdateSignalIndexCache():
                cache = self._packets.response(response)
                assert isinstance(cache, SignalIndexCache)
                self._say(_cache(response.cache_index, cache))
            case responses.UpdateCipherKeys():
                self._packets.response(response)
                self._say(f"UpdateCipherKeys active={response.active}")
            case responses.BufferBlock() if BufferBlockFlags.COMPRESSED in response.flags:
                payload = inflate(response.payload, limit=DEFAULT_LIMITS.buffer_block, name="buffer_block")
                self._say(shown(dataclasses.replace(response, payload=bytes(payload))))
            case responses.UpdateBaseTimes():
                self._packets.response(response)
                self._say("UpdateBaseTimes")
            case responses.Metadata():
                document = inflate(response.document, limit=DEFAULT_LIMITS.metadata, name="metadata")
                text = _NODE_OR_CLOCK.sub(rb"<\1/>", document).decode("utf-8", "replace")
                self._say("Metadata\n" + text.replace("><", ">\n<"))
            case responses.Notify():
                self._notified = response.hash
                text = _CLOCK.sub("", response.text, count=1)
                self._say(shown(dataclasses.replace(response, hash=_ANY_HASH, text=text)))
            case responses.Succeeded() | responses.Failed():
                self._say(shown(dataclasses.replace(response, text=_PORT.sub(r"\1", response.text))))
            case _:
                self._say(shown(response))

    def _say(self, text: str) -> None:
        self.finish().publisher.append(text)

    def _data_packet(self, packet: DataPacket) -> None:
        try:
            measurements = self._packets.response(packet)
        except NoCache as error:
            self._say(f"({error.reason})")
            return
        assert isinstance(measurements, Measurements)
        self._adjacent.append(measurements)


def _cache(cache_index: int | None, cache: SignalIndexCache) -> str:
    signals = [
        f"  {index} is {cache.signals[index].signal_id} {cache.signals[index].key}"
        for index in np.flatnonzero(cache.signals.present).tolist()
    ]
    refused = [f"  refused {signal_id}" for signal_id in cache.unauthorised]
    return "\n".join([f"UpdateSignalIndexCache cache_index={cache_index}", *signals, *refused])


def shown(message: Any, *, separator: str = " ") -> str:
    """Name and fields of a message."""
    return separator.join([type(message).__name__, *_shown_fields(message)])


def _shown_fields(value: Any) -> list[str]:
    return [f"{each.name}={_shown_value(getattr(value, each.name))}" for each in dataclasses.fields(value)]


def _shown_value(value: Any) -> str:
    if isinstance(value, memoryview):  # its own text is a place in memory
        value = bytes(value)
    if isinstance(value, OperationalModes):
        return f"({', '.join(_shown_fields(value))})"
    if isinstance(value, Enum):
        return value.name or "NONE"  # flags, none of which is set, have no name
    return repr(value)
