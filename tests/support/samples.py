"""One sample of every message, as whole frames, and sessions of both roles that are ready to hear them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable

import numpy as np

from session_pair import cache
from sttp.codes import Command, DataPacketFlags, OperationalModes
from sttp.measurement import Columns
from sttp.session import PublisherSession, SubscriberSession
from sttp.session.base import Session
from sttp.session.events import CipherKeysRequested, MetadataRequested, SubscribeRequested
from sttp.wire import commands as c
from sttp.wire import responses as r
from sttp.wire.compact import TimeFormat, write_compact
from sttp.wire.frame import write_frame
from sttp.wire.responses import BufferBlockFlags
from sttp.wire.signal_index_cache import write_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscEncoder, write_tssc_payload

__all__ = ["COLUMNS", "SAMPLES", "answer_everything", "streaming_publisher", "streaming_subscriber"]

MODES = OperationalModes()
PLAIN = OperationalModes(flags=MODES.flags & 0)
T = 638_000_000_000_000_000

COLUMNS = Columns(
    np.array([0, 1, 2, 0, 1, 2], np.int32),
    np.array([T, T, T, T + 333_333, T + 333_333, T + 333_333], np.int64),
    np.array([0, 2, 0, 0, 0x80000000, 0], np.uint32),
    np.array([59.95, 1.5, -0.0, 59.96, np.nan, np.inf], np.float32),
)

_COMMANDS = (
    c.DefineOperationalModes(modes=MODES, parameters=b"a=b"),
    c.MetadataRefresh(),
    c.MetadataRefresh(filter_expression="FILTER TOP 5 MeasurementDetail WHERE True"),
    c.Subscribe(connection_string="filterExpression={FILTER x WHERE True};includeTime=1"),
    c.Unsubscribe(),
    c.RotateCipherKeys(),
    c.UpdateProcessingInterval(milliseconds=33),
    c.ConfirmNotification(hash=b"\xde\xad\xbe\xef"),
    c.ConfirmBufferBlock(sequence=7),
    c.ConfirmUpdateBaseTimes(),
    c.PublishCommandMeasurements(payload=b"\0\0\0\4a=b;"),
    c.ConfirmUpdateSignalIndexCache(),
    c.ConfirmUpdateCipherKeys(),
    c.GetPrimaryMetadataSchema(payload=b"x"),
    c.GetSignalSelectionSchema(),
    c.UserCommand(number=15, payload=b"\1\2\3"),
    c.UnknownCommand(code=0x77, payload=b"?"),
)


def _tssc() -> r.DataPacket:
    (block,) = TsscEncoder().encode(COLUMNS)
    return r.DataPacket(flags=DataPacketFlags.COMPRESSED, count=block.count, body=write_tssc_payload(block))


def _compact() -> r.DataPacket:
    ((count, body),) = write_compact(COLUMNS, TimeFormat(), None)
    return r.DataPacket(flags=DataPacketFlags.COMPACT, count=count, body=body)


def _cache(index: int, modes: OperationalModes) -> r.UpdateSignalIndexCache:
    return r.UpdateSignalIndexCache(cache_index=index, image=write_signal_index_cache(cache(3), modes))


_RESPONSES = (
    r.NoOP(),
    r.Succeeded(command=Command.DEFINE_OPERATIONAL_MODES, text="Modes accepted."),
    r.Succeeded(command=Command.SUBSCRIBE, text="Subscribed to 3 signals."),
    r.Succeeded(command=Command.UNSUBSCRIBE),
    r.Failed(command=Command.METADATA_REFRESH, text="Not allowed."),
    r.Failed(command=Command.SUBSCRIBE, text="Nothing matches."),
    r.Failed(command=Command.CONNECT, text="Too many connections."),
    r.Metadata(document=b"<DataSet/>"),
    r.Metadata(document=gzip.compress(b"<DataSet/>", mtime=0)),
    _cache(1, MODES),
    _cache(0, PLAIN),
    _tssc(),
    _compact(),
    r.UpdateBaseTimes(active=1, times=(T, T + 4_200_000_000)),
    r.UpdateCipherKeys(active=0, even_key=bytes(range(32)), even_iv=bytes(16), odd_key=bytes(32), odd_iv=bytes(16)),
    r.DataStartTime(ticks=T),
    r.ProcessingComplete(text="done"),
    r.BufferBlock(sequence=0, flags=BufferBlockFlags.REQUIRE_CONFIRMATION, signal_index=1, payload=b"HELLO"),
    r.BufferBlock(
        sequence=1, flags=BufferBlockFlags.COMPRESSED, signal_index=1, payload=gzip.compress(b"HELLO", mtime=0)
    ),
    r.Notify(hash=b"\xde\xad\xbe\xef", text="[2026-01-02 03:04:05.678] hi"),
    r.ConfigurationChanged(),
    r.UserResponse(number=0, command=Command.USER_COMMAND_00, payload=b"ok"),
    r.UnknownResponse(code=0x10, payload=b"?"),
)


_UP_TO_THE_CONFIRM = [
    c.write_command(said, MODES) for said in (_COMMANDS[0], _COMMANDS[3], c.ConfirmUpdateSignalIndexCache())
]
_UP_TO_THE_CACHE = [r.write_response(said, MODES) for said in (_RESPONSES[1], _cache(0, MODES), _RESPONSES[2])]


def streaming_publisher() -> Session[object]:
    """A publisher to whose subscriber measurements flow."""
    session = PublisherSession(now=0)
    for frame in _UP_TO_THE_CONFIRM:
        session.receive_data(frame, now=0)
        answer_everything(session)
    assert session.signals is not None
    session.data_to_send()
    return session


def streaming_subscriber() -> Session[object]:
    """A subscriber to which measurements may flow, in slot 0."""
    session = SubscriberSession(now=0)
    session.subscribe(SubscriptionOptions(filter_expression="x"))
    for frame in _UP_TO_THE_CACHE:
        session.receive_data(frame, now=0)
    session.data_to_send(), session.events()
    return session


def answer_everything(session: Session[object]) -> list[object]:
    """Do what a host does: take the events, and answer those that want an answer. Return all of them."""
    told: list[object] = []
    while events := session.events():
        told += events
        for event in events:
            if not isinstance(session, PublisherSession) or session.ended:
                continue
            match event:
                case MetadataRequested():
                    session.send_metadata(b"<DataSet/>")
                case SubscribeRequested():
                    session.accept_subscription(cache(3))
                case CipherKeysRequested():
                    session.refuse_cipher_keys("no")
                case _:
                    pass
    return told


def _named(frames: list[tuple[object, bytes]]) -> dict[str, bytes]:
    return {f"{type(message).__name__} {number}": frame for number, (message, frame) in enumerate(frames)}


SAMPLES: dict[str, tuple[Callable[[], Session[object]], bytes]] = {
    **{
        name: (streaming_publisher, frame)
        for name, frame in _named([(said, c.write_command(said, MODES)) for said in _COMMANDS]).items()
    },
    **{
        name: (streaming_subscriber, frame)
        for name, frame in _named([(said, r.write_response(said, MODES)) for said in _RESPONSES]).items()
    },
    "two responses in a frame": (streaming_subscriber, write_frame(struct.pack(">BBi", 0xFF, 2, 0) * 2)),
}
"""By name: a session that may hear it, and the frame."""
