"""What a bad subscriber can send to a publisher, in both directions.

Each case is a connection of its own, while a genuine stream runs beside it.
"""

from __future__ import annotations

import asyncio
import struct
from uuid import UUID

import pytest

from bad_peer import EVERYTHING, BadPeer, command, response
from siege import DIRECTIONS, PublisherSiege, ends, endure, goes_on
from sttp.codes import OperationalModes
from sttp.wire import commands, responses

# --- commands before the operational modes

MODES = commands.DefineOperationalModes(modes=OperationalModes())
OTHER_MODES = commands.DefineOperationalModes(modes=OperationalModes(version=3))
OTHER_FIRST = "the first command must define|may not say"

FIRST_COMMANDS = {
    **{
        f"{type(first).__name__} first": ends(OTHER_FIRST, first)
        for first in (
            commands.MetadataRefresh(),
            EVERYTHING,
            commands.Unsubscribe(),
            commands.ConfirmUpdateSignalIndexCache(),
            commands.ConfirmBufferBlock(sequence=0),
            commands.UserCommand(number=3),
            commands.UnknownCommand(code=0x77),
        )
    },
    "Connect first": ends(OTHER_FIRST, command(0x00)),
    "what a publisher says": ends(OTHER_FIRST, response(0xFF)),
    "a first command that is too long by its header": ends(
        r"a frame of 8198 bytes, where at most 8197 .*\(wire.md 1.4\)", struct.pack(">I", 8198)
    ),
    "the longest first command": goes_on(command(0x06, MODES.modes.to_bits().to_bytes(4, "big") + bytes(8192))),
    **{
        f"modes of {length} bytes": ends("DefineOperationalModes of", command(0x06, bytes(length)))
        for length in range(4)
    },
    **{
        f"version {version}": ends(
            f"STTP version {version} is not supported",
            commands.DefineOperationalModes(modes=OperationalModes(version=version)),
        )
        for version in (0, 4, 31)
    },
    "an extension": ends("UNSUPPORTED EXTENSION", commands.DefineOperationalModes(modes=OperationalModes(extension=1))),
    "the undefined text encoding": goes_on(command(0x06, bytes.fromhex("00000302"))),
    "all bits": ends("UNSUPPORTED EXTENSION", command(0x06, b"\xff" * 4)),
    "empty frames first": goes_on(bytes(4 * 1000), MODES),
    "modes and then a length bomb": ends("a frame of 4294967295 bytes", MODES, b"\xff" * 4),
    "modes, a request and a length bomb": ends("a frame of", MODES, commands.MetadataRefresh(), b"\xff" * 4),
    "modes, a subscription and a length bomb": ends("a frame of", MODES, EVERYTHING, b"\xff" * 4),
}


async def nothing(peer: BadPeer) -> None:
    """The peer misbehaves from the first byte on."""


@DIRECTIONS
async def test_first_commands(dialing: bool) -> None:
    async with PublisherSiege(dialing=dialing).laid() as siege:
        await endure(siege, FIRST_COMMANDS, nothing)


# --- commands afterwards


def subscribing(connection_string: bytes, *, claims: int | None = None, flags: int = 2) -> bytes:
    length = len(connection_string) if claims is None else claims
    return command(0x02, struct.pack(">Bi", flags, length) + connection_string)


def filtering(expression: str) -> commands.Subscribe:
    return commands.Subscribe(connection_string=f"filterExpression={{{expression}}}")


COMMANDS = {
    "a length bomb": ends(r"a frame of 4294967295 bytes, where at most 16777216 .*\(wire.md 1.4\)", b"\xff" * 4),
    "one byte too many": ends("a frame of 16777217 bytes", struct.pack(">I", 2**24 + 1)),
    "half a frame": ends("ended inside a frame", struct.pack(">I", 2**24) + bytes(1000), eof=True),
    "empty frames": goes_on(bytes(4 * 10_000)),
    "Connect": goes_on(command(0x00)),
    "every code that nobody defined": goes_on(
        *(command(code, b"?") for code in (*range(0x0E, 0xD0), *range(0xE0, 0x100)))
    ),
    "every user command": goes_on(*(commands.UserCommand(number=number, payload=bytes(9)) for number in range(16))),
    "confirmations of nothing": goes_on(
        commands.ConfirmUpdateSignalIndexCache(),
        commands.ConfirmBufferBlock(sequence=2**32 - 1),
        commands.ConfirmNotification(hash=b"none"),
        commands.ConfirmUpdateBaseTimes(),
        commands.ConfirmUpdateCipherKeys(),
    ),
    "modes again": goes_on(MODES, MODES, MODES),
    "other modes while subscribed": ends("may not say DEFINE_OPERATIONAL_MODES", EVERYTHING, OTHER_MODES),
    "metadata, then a broken command": ends("ConfirmBufferBlock of 0 bytes", commands.MetadataRefresh(), command(0x08)),
    "a hundred requests in one go": ends(
        "more than 64 commands", commands.MetadataRefresh(), *(commands.Unsubscribe() for _ in range(100))
    ),
    "a metadata filter that claims more than there is": ends(
        "MetadataRefresh of 10 bytes", command(0x01, struct.pack(">i", 99) + b"FILTER")
    ),
    "a metadata filter of negative length": ends(
        "MetadataRefresh of 10 bytes", command(0x01, struct.pack(">i", -1) + b"FILTER")
    ),
    "a metadata filter that is not UTF-8": ends(
        "can't decode byte 0xff", command(0x01, struct.pack(">i", 3) + b"\xff\xfe\xfd")
    ),
    "a metadata filter cut within its length": ends("MetadataRefresh of 2 bytes", command(0x01, b"\0\0")),
    "a metadata filter that means nothing": goes_on(commands.MetadataRefresh(filter_expression="DROP TABLE x")),
    "a subscription without anything": goes_on(command(0x02)),
    "a subscription without its length": goes_on(command(0x02, b"\2\0\0")),
    "a connection string that claims more than there is": goes_on(subscribing(b"a=b", claims=1000)),
    "a connection string of 2 GB": goes_on(subscribing(b"a=b", claims=2**31 - 1)),
    "a connection string of negative length": goes_on(subscribing(b"a=b", claims=-1)),
    "a connection string that claims less than there is": goes_on(subscribing(b"a=b;c=d", claims=3)),
    "a connection string that is not UTF-8": goes_on(subscribing(b"\xc3\x28")),
    "an empty connection string": goes_on(subscribing(b"")),
    "a synchronized subscription": goes_on(subscribing(b"a=b", flags=3)),
    "all flags": goes_on(subscribing(b"a=b", flags=0xFF)),
    "a brace that nothing closes": goes_on(subscribing(b"a={b")),
    "a brace that nothing opened": goes_on(subscribing(b"a=}b")),
    "deep braces": goes_on(subscribing(b"a=" + b"{" * 1000 + b"}" * 1000)),
    "settings that cannot be": goes_on(
        subscribing(
            b"includeTime=\0;lagTime=1e999;processingInterval=99999999999999999999;throttled=;publishInterval=nan"
        )
    ),
    "a filter expression that means nothing": goes_on(filtering("FILTER nonsense WHERE (((")),
    "a filter expression of deep parentheses": goes_on(
        filtering("FILTER ActiveMeasurements WHERE " + "(" * 50_000 + ")" * 50_000)
    ),
    "a filter expression with zeros": goes_on(filtering("\0" * 10_000)),
    "signals that nobody has": goes_on(filtering(f"{UUID(int=5)};" * 10_000)),
    "an interval of three bytes": goes_on(command(0x05, b"\0\0\0")),
    "an interval of minus 25 days": goes_on(commands.UpdateProcessingInterval(milliseconds=-(2**31))),
    "a confirmation of three bytes": ends("ConfirmBufferBlock of 3 bytes", command(0x08, b"\0\0\0")),
    "a short hash": ends("ConfirmNotification of 1 bytes", command(0x07, b"\0")),
    "measurements for the publisher": goes_on(commands.PublishCommandMeasurements(payload=b"\x7f\xff\xff\xff;;")),
    "schemas": goes_on(commands.GetPrimaryMetadataSchema(), commands.GetSignalSelectionSchema(payload=b"?")),
    "new cipher keys": goes_on(commands.RotateCipherKeys()),
}


HEAVY = {
    "a user command of 16 MB": goes_on(command(0xD0, bytes(2**24 - 1))),
    "too many settings": goes_on(subscribing(b"a=b;" * 200_000)),
    "too many braces": goes_on(subscribing(b"a=" + b"{b}" * 200_000)),
    "a filter expression of white space": goes_on(filtering("FILTER TOP " + " " * 1_000_000 + "1 x y")),
    "keys that nobody has": goes_on(filtering("A:1;" * 100_000)),
}


async def test_commands_of_a_subscriber_that_has_dialed() -> None:
    async with PublisherSiege(dialing=False).laid() as siege:
        await endure(siege, COMMANDS, BadPeer.make_ready)


async def test_commands_while_measurements_flow_of_a_subscriber_that_was_dialed() -> None:
    async with PublisherSiege(dialing=True).laid() as siege:
        await endure(siege, COMMANDS, BadPeer.start_streaming)


@pytest.mark.parametrize("name", HEAVY)
async def test_heavy_commands(name: str) -> None:
    async with PublisherSiege(dialing=False).laid() as siege:
        await endure(siege, {name: HEAVY[name]}, BadPeer.start_streaming)


SLOW = "RegexMatch('" + "(.*)*" * 190 + "$', PointTag)"


@pytest.mark.parametrize(
    "said",
    [filtering(f"FILTER ActiveMeasurements WHERE {SLOW}"),
     commands.MetadataRefresh(filter_expression=f"FILTER MeasurementDetail WHERE {SLOW}")],
    ids=lambda said: type(said).__name__,
)  # fmt: skip
async def test_an_expression_that_takes_its_time_takes_nobody_elses(said: commands.AnyCommand) -> None:
    async with PublisherSiege(dialing=False, signals=500).laid() as siege:
        slow, other = await siege.peer(), await siege.peer()
        for peer in (slow, other):
            await peer.make_ready()
        await slow.say(said)
        answer = asyncio.create_task(slow.hear(responses.AnyResponse))
        for _ in range(3):
            await other.is_served()
        assert not answer.done()
        await answer
