"""The data channel over UDP (wire.md 10.5), as far as it can be seen on one computer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sttp.codes import DataPacketFlags, Response, Role
from sttp.errors import ProtocolError
from sttp.measurement import Columns
from sttp.wire import commands
from sttp.wire.responses import read_responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.data_channel import LARGEST, DataChannel
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import EVERYTHING, TSSC, ScriptedSubscriber, Subscription
from sttp_conformance.sessions import goes_on, said, same_rows
from sttp_conformance.violation import Violation
from sttp_conformance.ways import Direction

_DATA = (Response.DATA_PACKET, Response.BUFFER_BLOCK)
_NEEDS = ("udp", "control:publish")


# --- publishers


@asynccontextmanager
async def _streaming(case: Case) -> AsyncIterator[tuple[ScriptedSubscriber, Subscription, DataChannel]]:
    """A subscription whose data is wanted over UDP."""
    async with case.subscriber() as peer, case.data_channel() as channel:
        await peer.begin(TSSC)
        subscription = await peer.subscribe(EVERYTHING, data_channel_port=channel.port)
        await peer.fence()
        yield peer, subscription, channel


async def _publish(case: Case, subscription: Subscription, count: int = 1) -> list[Columns]:
    frames = [case.frame(*subscription.indexes) for _ in range(count)]
    await case.publish_all(frames, subscription.signals)
    return frames


def _read(peer: ScriptedSubscriber, datagram: bytes) -> Measurements:
    """The measurements in a datagram.

    Raises:
        Violation: it is no response, or cannot be read.
    """
    length = int.from_bytes(datagram[2:6], "big")
    if datagram[:1] not in (bytes((each,)) for each in _DATA) or datagram[1:2] != b"\2" or length != len(datagram) - 6:
        raise Violation(
            f"expected a data packet that fills its datagram, without the length of a frame, not "
            f"[{datagram[:32].hex(' ')}]"
        )
    try:
        found = [peer.packets.response(each) for each in read_responses(datagram, peer.modes)]
    except ProtocolError as error:
        raise Violation(f"a datagram that cannot be read came: {error} [{datagram[:64].hex(' ')}]") from None
    return Measurements.joined([each for each in found if isinstance(each, Measurements)])


async def _arrive(case: Case, peer: ScriptedSubscriber, channel: DataChannel, count: int) -> Measurements:
    """Wait for so many measurements by datagrams."""
    parts: list[Measurements] = []
    while sum(map(len, parts)) < count:
        datagram = await channel.receive(within=case.grace.reply)
        await peer.fence()  # what is said on the command channel, such as base times, has come
        parts.append(_read(peer, datagram))
    return Measurements.joined(parts)


@check(PUBLISHER, needs=_NEEDS)
async def datagrams_are_responses_without_a_length(case: Case) -> None:
    """A datagram is one data packet without the length of a frame."""
    async with _streaming(case) as (peer, subscription, channel):
        for _ in range(3):
            (frame,) = await _publish(case, subscription)
            arrived = await _arrive(case, peer, channel, len(subscription.indexes))
            same_rows(case, arrived, Measurements.of(frame, subscription.signals))


@check(PUBLISHER, needs=_NEEDS)
async def only_data_goes_over_udp(case: Case) -> None:
    """Everything but data stays on the command channel, and each measurement comes once, by one of the two."""
    async with _streaming(case) as (peer, subscription, channel):
        frames = await _publish(case, subscription, 4)
        arrived = await _arrive(case, peer, channel, 4 * len(subscription.indexes))
        await peer.say(commands.UnknownCommand(code=0x40), commands.MetadataRefresh(), commands.Unsubscribe())
        await peer.fence()
        wanted = Measurements.joined([Measurements.of(each, subscription.signals) for each in frames])
        same_rows(case, arrived, wanted)
        late = channel.taken()
        case.require(
            not late, "each measurement once, and nothing but data by datagram", [each[:32].hex(" ") for each in late]
        )
        twice = [each for each in said(peer.recording, Role.PUBLISHER) if each[0] in _DATA]
        case.require(not twice, "no data on the command channel too", len(twice))


async def _datagrams(case: Case, count: int) -> list[bytes]:
    """The datagrams with measurements of so many times."""
    async with _streaming(case) as (_, subscription, channel):
        await _publish(case, subscription, count)
        found = [await channel.receive(within=case.grace.reply)]
        await case.stall()
        return found + channel.taken()


@check(PUBLISHER, needs=_NEEDS)
async def datagrams_are_compact(case: Case) -> None:
    """Datagrams are compact, also where the modes ask for TSSC: a block that is lost would cost all that follow."""
    for each in await _datagrams(case, 3):
        case.require(not each[6] & DataPacketFlags.COMPRESSED, "a compact data packet", each[:32].hex(" "))


@check(PUBLISHER, needs=_NEEDS)
async def datagrams_are_small(case: Case) -> None:
    """Datagrams have at most 1400 bytes, however many measurements are published at once."""
    sizes = [len(each) for each in await _datagrams(case, 60)]
    case.require(max(sizes) <= LARGEST, f"datagrams of at most {LARGEST} bytes", sizes)
    case.require(len(sizes) > 1, "several datagrams for 480 measurements", len(sizes))


@check(PUBLISHER, needs=_NEEDS, directions=(Direction.REVERSE,))
async def udp_works_in_reverse(case: Case) -> None:
    """A publisher that dialed sends data over UDP like one that was dialed."""
    async with _streaming(case) as (peer, subscription, channel):
        (frame,) = await _publish(case, subscription)
        arrived = await _arrive(case, peer, channel, len(subscription.indexes))
        same_rows(case, arrived, Measurements.of(frame, subscription.signals))


@check(PUBLISHER, needs=_NEEDS)
async def returns_from_udp_to_tcp(case: Case) -> None:
    """A Subscribe without a data channel returns to the command channel."""
    async with _streaming(case) as (peer, subscription, channel):
        await _publish(case, subscription)
        await _arrive(case, peer, channel, len(subscription.indexes))
        await goes_on(case, peer, await peer.subscribe())
        late = channel.taken()
        case.require(not late, "no datagram any more", len(late))


# --- subscribers


@asynccontextmanager
async def _asked(case: Case) -> AsyncIterator[tuple[ScriptedPublisher, DataChannel, int]]:
    """A subscriber that was told to ask for its data over UDP, and the port that it has."""
    async with case.publisher() as peer, case.data_channel() as channel:
        port = (await peer.serve()).data_channel_port
        case.require(port, "a data channel with a port", port)
        assert port is not None
        yield peer, channel, port


def _packets(peer: ScriptedPublisher, *frames: Columns) -> list[bytes]:
    """Frames as datagrams, compact."""
    return [peer.written(each)[4:] for frame in frames for each in peer.data_packets(frame, tssc=False)]


@check(SUBSCRIBER, needs=("udp", "control:report"), asks={"udp": "true"})
async def tolerates_lost_and_repeated_datagrams(case: Case) -> None:
    """Datagrams that are lost or come twice cost nothing but themselves."""
    async with _asked(case) as (peer, channel, port):
        sent = [case.frame(0, 7) for _ in range(5)]
        first, _, third, fourth, last = _packets(peer, *sent)
        for each in (first, third, third, last, fourth):
            channel.send(each, port=port)
        wanted = [row for frame in (sent[0], sent[2], sent[3], sent[4]) for row in rows(frame, SIGNALS)]
        found: list[object] = []
        while not all(each in found for each in wanted):
            found += await case.received(1)
        strange = [each for each in found if each not in wanted]
        case.require(not strange, "what arrived and nothing else", strange)


@check(SUBSCRIBER, needs=("udp", "control:report"), asks={"udp": "true"})
async def reads_several_responses_in_a_datagram(case: Case) -> None:
    """A subscriber reads all responses in a datagram."""
    async with _asked(case) as (peer, channel, port):
        sent = [case.frame(0), case.frame(1, 2), case.frame(7)]
        channel.send(b"".join(_packets(peer, *sent)), port=port)
        received = await case.received(4)
        wanted = [row for frame in sent for row in rows(frame, SIGNALS)]
        case.require(sorted(received) == sorted(wanted), f"the measurements as they were sent: {wanted}", received)


@check(SUBSCRIBER, needs=("udp", "control:report"), asks={"udp": "true"})
async def reads_data_on_tcp_though_udp_was_asked(case: Case) -> None:
    """A subscriber that has asked for UDP takes data on the command channel too: not all publishers have another."""
    async with _asked(case) as (peer, channel, port):
        for _ in range(2):
            sent = case.frame(0, 7)
            await peer.send(sent)
            received = await case.received(2)
            case.require(
                sorted(received) == sorted(rows(sent, SIGNALS)), "the measurements as they were sent", received
            )
            again = case.frame(1, 6)
            for each in _packets(peer, again):
                channel.send(each, port=port)
            await case.received(2)
