"""Conversations that many checks hold: whole sessions to look at, streams to disturb, and what a publisher has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from xml.etree import ElementTree

from sttp.codes import OperationalModes, Role
from sttp.measurement import SignalTable
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.measurements import Measurements
from sttp_conformance.recording import Recording
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, EVERYTHING, TSSC, ScriptedSubscriber, Subscription
from sttp_conformance.violation import Skip, Violation

__all__ = [
    "Row",
    "cache_goes_on",
    "catalogue",
    "goes_on",
    "interleaved",
    "is_readable",
    "offered",
    "publisher_frames",
    "said",
    "same_rows",
    "streaming",
    "subscriber_frames",
]

_HEADER: Final = 4


def said(recording: Recording, role: Role, *, whole: bool = True) -> list[bytes]:
    """All that one end has said, cut into frames without their lengths.

    Args:
        recording: of the connection.
        role: which end.
        whole: whether the last frame must be complete. It need not be while that end speaks, or when it has closed.

    Raises:
        Violation: the bytes are no sequence of frames.
    """
    data, frames, place = recording.said_by(role), [], 0
    while place < len(data):
        length = int.from_bytes(data[place : place + _HEADER], "big")
        end = place + _HEADER + length
        if end > len(data):
            if not whole:
                break
            raise Violation(
                f"expected frames that fill what the {role.value} says, but {len(data) - place} bytes are left: "
                f"{data[place : place + 32].hex(' ')}"
            )
        frames.append(data[place + _HEADER : end])
        place = end
    return frames


async def publisher_frames(case: Case, modes: OperationalModes = TSSC) -> list[bytes]:
    """Hold a whole session with a publisher: everything that is usual, and an unknown command.

    Returns:
        The frames of the publisher.
    """
    async with case.subscriber() as peer:
        await peer.begin(modes)
        await peer.say(commands.MetadataRefresh())
        await peer.fence()
        subscription = await peer.subscribe()
        await peer.fence()
        await goes_on(case, peer, subscription)
        await peer.say(commands.UnknownCommand(code=0x40), commands.Unsubscribe())
        await peer.fence()
        return said(peer.recording, Role.PUBLISHER)


async def subscriber_frames(case: Case) -> list[bytes]:
    """Hold a whole session with a subscriber: metadata, a subscription, measurements, another signal index cache.

    Returns:
        The frames of the subscriber.
    """
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(responses.NoOP())
        await cache_goes_on(case, peer)
        await peer.offer(cache_index=1, succeed=False)
        await cache_goes_on(case, peer)
        return said(peer.recording, Role.SUBSCRIBER)


def is_readable(text: str) -> bool:
    """Whether a text can be one that was written in the encoding in which it was read."""
    return all((each.isprintable() and each.isascii()) or each.isspace() for each in text)


# --- streams


@asynccontextmanager
async def streaming(
    case: Case, modes: OperationalModes = TSSC, filter_expression: str = EVERYTHING
) -> AsyncIterator[tuple[ScriptedSubscriber, Subscription]]:
    """A subscription whose signal index cache the publisher knows to be confirmed."""
    async with case.subscriber() as peer:
        await peer.begin(modes)
        subscription = await peer.subscribe(filter_expression)
        await peer.fence()
        yield peer, subscription


async def goes_on(case: Case, peer: ScriptedSubscriber, subscription: Subscription) -> None:
    """Check that a publisher still serves a subscription: commands are answered, and what is published arrives.

    Without the request `publish` only the first can be seen.
    """
    await peer.fence()
    if "publish" not in case.implementation.adapter.control[Role.PUBLISHER]:
        return
    frame = case.frame(*subscription.indexes)
    await case.publish(frame, subscription.signals)
    arrived = await peer.measurements(len(subscription.indexes))
    same_rows(case, arrived, Measurements.of(frame, subscription.signals))


def same_rows(case: Case, arrived: Measurements, published: Measurements) -> None:
    """Check that measurements of one time arrived as they were published, in whatever order."""
    case.require(
        sorted(arrived.lines()) == sorted(published.lines()),
        f"the measurements as they were published: {'; '.join(published.lines())}",
        "; ".join(arrived.lines()) or "none",
    )


async def cache_goes_on(case: Case, peer: ScriptedPublisher, signals: SignalTable = SIGNALS) -> None:
    """Check that a subscriber still takes measurements. Without the request `report` it only has to stay connected."""
    frame = case.frame(0, len(signals) - 1)
    await peer.send(frame)
    if "report" not in case.implementation.adapter.control[Role.SUBSCRIBER]:
        await peer.expect_silence(what="that the connection stays up")
        return
    received = await case.received(2)
    case.require(sorted(received) == sorted(rows(frame, signals)), "the measurements as they were sent", received)


# --- what a publisher has


@dataclass(frozen=True, slots=True)
class Row:
    """A signal of a publisher, as its metadata tells of it.

    Attributes:
        signal_id: its ID.
        key: its measurement key, `SOURCE:number`.
        tag: its point tag.
        kind: its type, such as `FREQ`.
    """

    signal_id: UUID
    key: str
    tag: str
    kind: str


async def catalogue(case: Case) -> list[Row]:
    """The signals that a publisher gives to whoever asks for everything, as its metadata describes them.

    It is asked once for each process, on a connection that is not part of the case.

    Raises:
        Skip: it gives no metadata, or not of two signals that can be subscribed.
    """
    implementation = case.implementation
    if implementation.known is None:
        stream = await implementation.connect()
        async with ScriptedSubscriber(stream, case.grace, Recording()) as peer:
            await peer.begin(COMPACT)
            await peer.say(commands.MetadataRefresh())
            answer: responses.Metadata | responses.Failed = await peer.expect(
                (responses.Metadata, responses.Failed), anything_before=True
            )
            there = offered(await peer.subscribe())
        implementation.known = _rows(answer.document, there) if isinstance(answer, responses.Metadata) else []
    if len(implementation.known) < 2:
        raise Skip("the publisher has no metadata with at least two signals that can be subscribed")
    return list(implementation.known)


def _rows(document: bytes, there: list[UUID]) -> list[Row]:
    found = []
    for element in ElementTree.fromstring(document):
        if element.tag.rpartition("}")[2] != "MeasurementDetail":
            continue
        values = {each.tag.rpartition("}")[2]: each.text or "" for each in element}
        signal_id = UUID(values.get("SignalID", "0" * 32))
        if signal_id in there:
            found.append(
                Row(signal_id, values.get("ID", ""), values.get("PointTag", ""), values.get("SignalAcronym", ""))
            )
    return found


def offered(subscription: Subscription) -> list[UUID]:
    """The IDs of the signals of a subscription, in the order of their indexes."""
    return [subscription.signals[index].signal_id for index in subscription.indexes]


async def interleaved(case: Case, peer: ScriptedPublisher, other: SignalTable, *, tssc: bool) -> list[list[object]]:
    """Send measurements now of one signal index cache, now of the other, once the other is offered in slot 1.

    Args:
        case: the case.
        peer: a publisher that serves the signals of the suite in slot 0.
        other: the signals of slot 1.
        tssc: whether the packets are TSSC; else they are compact.

    Returns:
        What is to be received, as rows.
    """
    await peer.offer(other, cache_index=1, succeed=False)
    wanted: list[list[object]] = []
    for active in (0, 1, 0, 1, 1, 0):
        peer.active = active
        frame = case.frame(0, 1, 7)
        await peer.send(frame, tssc=tssc)
        wanted += rows(frame, other if active else SIGNALS)
    return wanted
