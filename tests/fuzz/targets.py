"""What is fuzzed: eight targets that together cover every parser and both sessions.

A target takes any bytes. What leaves it must be an `STTPError`, which is documented; anything else is a find. The first
byte or two choose variants, so that the fuzzer can reach them all.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from parties import Issuer, Party
from samples import SAMPLES, answer_everything, streaming_publisher, streaming_subscriber
from sttp.codes import ModeFlags, OperationalModes
from sttp.errors import ProtocolError, RefusedError, SilenceError, STTPError
from sttp.filter_expression import select, select_metadata
from sttp.limits import Limits
from sttp.metadata import Metadata
from sttp.security import Certificate, Security, fingerprint_of, read_certificates
from sttp.session import PublisherSession, SubscriberSession
from sttp.session.base import Session
from sttp.session.events import Ended
from sttp.wire.commands import Subscribe, read_command
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact
from sttp.wire.frame import FrameReader
from sttp.wire.responses import read_responses
from sttp.wire.signal_index_cache import read_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscDecoder, read_tssc_payload

__all__ = ["CORPUS", "SEEDS", "TARGETS", "corpus", "write_corpus"]

CORPUS = Path(__file__).parent / "corpus"
"""What earlier runs of the fuzzer have found to be of use: a file for each target, an input a line, in base 64."""

LIMITS = Limits(metadata=2**20, signal_index=4095, filter_steps=2**16, filter_texts=2**16)
"""Small enough that a run is about parsing, not about waiting."""

MODES = (
    OperationalModes(),
    OperationalModes(flags=ModeFlags(0)),
    OperationalModes(version=1),
    OperationalModes(flags=ModeFlags.TSSC | ModeFlags.GZIP | ModeFlags.COMPRESS_SIGNAL_INDEX_CACHE),
)
SIGNALS = np.ones(64, np.bool_)


def corpus(name: str) -> list[bytes]:
    """The inputs that were kept for a target."""
    path = CORPUS / f"{name}.txt"
    return [b64decode(line) for line in path.read_text("ascii").split()] if path.exists() else []


def write_corpus(name: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs for a target, the shortest first."""
    lines = sorted({b64encode(each).decode() for each in inputs if each}, key=lambda line: (len(line), line))
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _modes(data: bytes) -> OperationalModes:
    return MODES[data[0] % len(MODES)] if data else MODES[0]


def commands(data: bytes) -> None:
    """Everything that subscribers send, one message at a time, and the text of a Subscribe."""
    command = read_command(data[1:], _modes(data))
    if isinstance(command, Subscribe):
        SubscriptionOptions.from_connection_string(command.connection_string, LIMITS)


def responses(data: bytes) -> None:
    """Everything that publishers send, one message at a time."""
    for _ in read_responses(data[1:], _modes(data)):
        pass


def packets(data: bytes) -> None:
    """Measurements in both forms, and signal index caches."""
    data = data.ljust(3, b"\0")
    kind, count, body = data[0] % 4, int.from_bytes(data[1:3], "big"), data[3:]
    if kind == 0:
        TsscDecoder(signal_indexes=SIGNALS, limits=LIMITS).decode(body, sequence=0, count=count)
    elif kind == 1:
        block = read_tssc_payload(body, count)
        TsscDecoder(signal_indexes=SIGNALS, limits=LIMITS).decode(block.block, sequence=0, count=block.count)
    elif kind == 2:
        times = TimeFormat(include_time=bool(count & 1), milliseconds=bool(count & 2))
        read_compact(body, count >> 2, times, BaseTimes(active=count & 1, times=(1, 2)) if count & 4 else None)
    else:
        read_signal_index_cache(body, _modes(data[1:]), LIMITS)


def metadata(data: bytes) -> None:
    """Metadata documents, and everything that is worked out from them."""
    read = Metadata.read(data, limits=LIMITS)
    _ = read.devices, read.measurements, read.phasors, read.signals, read.tags, read.node_id, read.schema_version
    Metadata.read(read.write())


@cache
def _grid() -> Metadata:
    return Metadata.read((files("sttp") / "data" / "kundur-two-area-fault.metadata.xml").read_bytes())


def filters(data: bytes) -> None:
    """Filter expressions of both kinds, and connection strings."""
    text = data[1:].decode("utf-8", "replace")
    kind = data[0] % 3
    if kind == 0:
        select(text, _grid(), limits=LIMITS)
    elif kind == 1:
        select_metadata(text, _grid(), limits=LIMITS)
    else:
        SubscriptionOptions.from_connection_string(text, LIMITS).to_connection_string()


def publisher_session(data: bytes) -> None:
    """A subscriber that says anything, in any order, to a publisher that answers everything."""
    _endure(PublisherSession(now=0.0) if data[:1] < b"\x80" else streaming_publisher(), data[1:])


def subscriber_session(data: bytes) -> None:
    """A publisher that says anything, in any order, to a subscriber that wants everything."""
    session = SubscriberSession(now=0.0) if data[:1] < b"\x80" else streaming_subscriber()
    _endure(session, data[1:])


def _endure(session: Session[object], data: bytes) -> None:
    ends: list[Ended] = []
    cut = 1 + (data[0] if data else 0)
    for at in range(0, len(data), cut):
        session.receive_data(data[at : at + cut], now=float(at))
        ends += [event for event in answer_everything(session) if isinstance(event, Ended)]
        session.data_to_send()
    session.receive_eof(now=float(len(data)))
    ends += [event for event in answer_everything(session) if isinstance(event, Ended)]
    assert len(ends) == 1, "a session ends, and once"
    assert ends[0].error is None or isinstance(ends[0].error, ProtocolError | RefusedError | SilenceError)


@cache
def _folder() -> Path:
    party = Party(Path(mkdtemp()), "us")
    party.trust("them", Issuer("them", ["them.example"]))
    root = Issuer("root", authority=True)
    party.trust_authority("root", root, revocation=root.revoking())
    return party.folder


def trust(data: bytes) -> None:
    """Certificates, revocation lists, fingerprints and trust configurations; frames, too, which are cut by length."""
    kind, rest = data[0] % 5, data[1:]
    folder = _folder()
    if kind == 0:
        read = Certificate.of(rest)
        _ = read.label, read.is_authority, read.is_for("hub.example")
    elif kind == 1:
        (folder / "fuzzed").write_bytes(rest)
        read_certificates(folder / "fuzzed")
    elif kind == 2:
        fingerprint_of(rest.decode("utf-8", "replace"))
    elif kind == 3:
        (folder / "trust.toml").write_bytes(rest)
        Security(folder)
    else:
        reader = FrameReader(1 << 16)
        reader.feed(rest)
        for _ in reader.frames():
            pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (commands, responses, packets, metadata, filters, publisher_session, subscriber_session, trust)
}


def _frames() -> Iterable[bytes]:
    return (frame for _, frame in SAMPLES.values())


def _trust_seeds() -> Iterable[bytes]:
    issuer = Issuer("seed", ["seed.example", "192.0.2.1"])
    yield b"\0" + issuer.der
    yield b"\1" + issuer.pem.encode()
    yield b"\2" + fingerprint_of(issuer.der).encode()
    yield b"\3" + (_folder() / "trust.toml").read_bytes()
    with suppress(STTPError):
        yield b"\4" + b"".join(_frames())


SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "commands": lambda: (b"\0" + frame[4:] for frame in _frames()),
    "responses": lambda: (b"\0" + frame[4:] for frame in _frames()),
    "packets": lambda: (bytes([kind, 0, 6]) + frame[15:] for kind in range(4) for frame in _frames()),
    "metadata": lambda: [_grid().write()[:20_000], _grid().write()],
    "filters": lambda: [
        b"\0FILTER TOP 3 ActiveMeasurements WHERE SignalType = 'FREQ' AND Len(PointTag) > 3 ORDER BY PointTag DESC",
        b"\0SignalType IN ('FREQ', 'DFDT'); KUNDUR:1",
        b"\1FILTER MeasurementDetail WHERE SignalAcronym LIKE 'V%' OR Now() > #2020-01-01#",
        b"\2filterExpression={FILTER x WHERE True};includeTime=1;dataChannel={localport=9}",
    ],
    "publisher_session": lambda: [prefix + frame for frame in _frames() for prefix in (b"\0", b"\xff")],
    "subscriber_session": lambda: [prefix + frame for frame in _frames() for prefix in (b"\0", b"\xff")],
    "trust": _trust_seeds,
}
