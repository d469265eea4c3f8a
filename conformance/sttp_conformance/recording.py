"""What passed between the two ends, with times: for people, decoded and in hex, and for comparing, normalised."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sttp.codes import OperationalModes, Role
from sttp.errors import ProtocolError
from sttp.limits import DEFAULT_LIMITS
from sttp.wire.cipher import CipherKey, DataCipher
from sttp.wire.commands import DefineOperationalModes, read_command
from sttp.wire.frame import FrameReader
from sttp.wire.responses import DataPacket, Metadata, UpdateCipherKeys, UpdateSignalIndexCache, read_responses
from sttp_conformance.transcript import Transcript, read_transcript, shown

__all__ = ["Recording", "hexadecimal"]

_MOST_HEX: Final = 1024
"""Bytes of a message that are shown in hex."""

_LONGEST: Final = 600
"""Characters of a message that are shown."""


def hexadecimal(data: bytes) -> str:
    """Bytes as they can be typed: pairs of digits; of long ones the beginning."""
    shown = data[:_MOST_HEX].hex(" ")
    return shown if len(data) <= _MOST_HEX else f"{shown} … ({len(data)} bytes)"


@dataclass(eq=False)
class Recording:
    """One connection.

    Attributes:
        chunks: when, in seconds of the monotonic clock, who spoke, and the bytes of one read or write.
        notes: when, and what else happened, such as that the connection was closed.
        began: when the connection came up.
        taken: who spoke, and what the check has said or looked at, frame by frame. What arrives behind the last thing
            that a check waits for depends on the moment at which it stops listening, and is not compared.
    """

    chunks: list[tuple[float, Role, bytes]] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    taken: list[tuple[Role, bytes]] = field(default_factory=list)

    def add(self, speaker: Role, data: bytes) -> None:
        """Write down what passes."""
        self.chunks.append((time.monotonic(), speaker, data))

    def note(self, text: str) -> None:
        """Write down something else that happens."""
        self.notes.append((time.monotonic(), text))

    def said_by(self, role: Role) -> bytes:
        """All bytes of one speaker."""
        return b"".join(data for _, speaker, data in self.chunks if speaker is role)

    def normalised(self) -> Transcript:
        """What must be equal in both directions and over every transport."""
        return read_transcript(self.taken, lenient=True)

    def lines(self) -> Iterator[str]:
        """One line for each message, in the order in which they passed: time, speaker, what it is, and its hex."""
        events = [*self._messages(), *((moment, f"-- {text}") for moment, text in self.notes)]
        for moment, text in sorted(events, key=lambda event: event[0]):
            yield f"{moment - self.began:+9.4f} s  {text}"

    def _messages(self) -> Iterator[tuple[float, str]]:
        frames = {role: FrameReader(DEFAULT_LIMITS.response) for role in Role}
        lost: set[Role] = set()
        modes, cipher = OperationalModes(), DataCipher()
        for moment, speaker, data in self.chunks:
            who = f"{speaker.value:>10}"
            if speaker in lost:
                yield moment, f"{who}: {hexadecimal(data)}"
                continue
            try:
                frames[speaker].feed(data)
                for frame in frames[speaker]:
                    text, modes = _decoded(speaker, bytes(frame), modes, cipher)
                    raw = len(frame).to_bytes(4, "big") + frame
                    yield moment, f"{who}: {text}  [{hexadecimal(raw)}]"
            except ProtocolError as error:
                lost.add(speaker)
                yield moment, f"{who}: no frame: {error}  [{hexadecimal(data)}]"
        for speaker, reader in frames.items():
            if speaker not in lost and reader.pending:
                rest = reader.peek(_MOST_HEX)
                last = max((moment for moment, who, _ in self.chunks if who is speaker), default=self.began)
                yield last, f"{speaker.value:>10}: a frame that does not end  [{hexadecimal(rest)}]"


def _decoded(speaker: Role, frame: bytes, modes: OperationalModes, cipher: DataCipher) -> tuple[str, OperationalModes]:
    """A frame in words, and the modes that hold after it. The keys in it are put into `cipher`."""
    try:
        if speaker is Role.SUBSCRIBER:
            command = read_command(frame, modes)
            if isinstance(command, DefineOperationalModes):
                modes = command.modes
            return _cut(shown(command)), modes
        heard = []
        for response in read_responses(frame, modes, cipher=cipher):
            if isinstance(response, UpdateCipherKeys):
                cipher.keys = (
                    CipherKey(response.even_key, response.even_iv),
                    CipherKey(response.odd_key, response.odd_iv),
                )
                cipher.active = response.active
            heard.append(_cut(_brief(response)))
        return " | ".join(heard), modes
    except ProtocolError as error:
        return f"cannot be read: {error}", modes


def _brief(response: object) -> str:
    match response:
        case DataPacket():
            return f"DataPacket flags={response.flags!r} count={response.count}"
        case UpdateSignalIndexCache():
            return f"UpdateSignalIndexCache cache_index={response.cache_index} image of {len(response.image)} bytes"
        case Metadata():
            return f"Metadata of {len(response.document)} bytes"
    return shown(response)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
