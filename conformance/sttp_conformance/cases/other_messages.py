"""Everything else: commands without a meaning, commands without an object, too many connections (wire.md 2, 7, 9)."""

from __future__ import annotations

from contextlib import suppress

from sttp.codes import Command, Response, Role
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.dataset import document
from sttp_conformance.grid import DEVICE, MEASUREMENTS, SIGNALS
from sttp_conformance.picking import everything, publish_and_compare
from sttp_conformance.scripted_peer import frame
from sttp_conformance.scripted_subscriber import ScriptedSubscriber
from sttp_conformance.sessions import goes_on, is_readable, said, streaming
from sttp_conformance.ways import Direction

_SCHEMAS = (Command.GET_PRIMARY_METADATA_SCHEMA, Command.GET_SIGNAL_SELECTION_SCHEMA)
_MEANINGLESS = (Command.CONFIRM_UPDATE_CIPHER_KEYS, *_SCHEMAS)
_TELLS = {Response.CONFIGURATION_CHANGED: "ConfigurationChanged", Response.PROCESSING_COMPLETE: "ProcessingComplete"}


def _answers(peer: ScriptedSubscriber, *codes: int) -> list[bytes]:
    """The frames of the publisher that answer certain commands."""
    return [each for each in said(peer.recording, Role.PUBLISHER) if each[1] in codes]


@check(PUBLISHER)
async def refuses_schema_requests(case: Case) -> None:
    """A publisher answers requests for schemas with Failed and a text, or with nothing, and keeps the connection."""
    async with case.subscriber() as peer:
        await peer.begin()
        for payload in (b"", b"\0\0\0\0", b"\0\0\0\x05hello"):
            await peer.say(*(frame(bytes((code,)), payload) for code in _SCHEMAS))
            await peer.fence()
        for each in _answers(peer, *_SCHEMAS):
            case.require(each[0] == Response.FAILED, "Failed, or no answer, for a schema", each[:32].hex(" "))
            case.require(len(each) > 6, "a text that says why there is no schema", "none")
        await goes_on(case, peer, await peer.subscribe())


@check(PUBLISHER)
async def commands_without_a_meaning_cost_nothing(case: Case) -> None:
    """Commands that nobody acts on disturb no stream: 0x0B, 0x0C and 0x0D, with a payload and without."""
    async with streaming(case) as (peer, subscription):
        for payload in (b"", b"\0\0\0\x01"):
            for code in _MEANINGLESS:
                await peer.say(frame(bytes((code,)), payload))
                await goes_on(case, peer, subscription)


@check(PUBLISHER, needs=("control:publish",))
async def takes_no_measurements_from_subscribers(case: Case) -> None:
    """Measurements that a subscriber sends, as gsfapi takes them by command 0x09, reach nobody."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await publish_and_compare(case, peer, signals, 0, published=(0,))
        items = ";;".join(
            f"signalID={signals[index].signal_id}; timestamp=2026-01-02 03:04:05.0000000; value=666; stateFlags=Normal"
            for index in (0, 1)
        ).encode()
        await peer.say(
            commands.PublishCommandMeasurements(payload=len(items).to_bytes(4, "big") + items),
            commands.UpdateProcessingInterval(milliseconds=-1),
        )
        await peer.expect(
            (responses.Succeeded, responses.Failed),
            lambda answer: getattr(answer, "command", None) == Command.UPDATE_PROCESSING_INTERVAL,
            what="no measurement before the answer to UpdateProcessingInterval",
            harmless=(responses.NoOP, responses.Failed),
        )
        await publish_and_compare(case, peer, signals, 0, published=(0,))


@check(PUBLISHER, asks={"max-connections": "1"}, directions=(Direction.FORWARD,), fresh=True)
async def refuses_connections_beyond_its_maximum(case: Case) -> None:
    """A publisher that is full refuses a connection with Failed for command 0x00 and a text, and closes it."""
    async with streaming(case) as (peer, subscription):
        async with case.subscriber() as second:
            await second.begin()
            refused = await second.find(responses.Failed, what="Failed for the connection")
            case.require(refused.command == Command.CONNECT, "Failed for command 0x00", f"{refused.command:#04x}")
            case.require(refused.text, "a text that says why it is refused", "none")
            await second.expect_end(why="because there is no place for it")
        await goes_on(case, peer, subscription)


@check(PUBLISHER)
async def commands_without_an_object_change_nothing(case: Case) -> None:
    """Confirmations, Unsubscribe and processing intervals before a subscription change nothing that follows."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(
            commands.ConfirmUpdateSignalIndexCache(),
            commands.ConfirmNotification(hash=b"\xde\xad\xbe\xef"),
            commands.ConfirmBufferBlock(sequence=3),
            commands.ConfirmUpdateBaseTimes(),
            commands.Unsubscribe(),
            commands.UpdateProcessingInterval(milliseconds=33),
            commands.Unsubscribe(),
        )
        await peer.fenced()
        await peer.fence()
        caches = [
            each for each in said(peer.recording, Role.PUBLISHER) if each[0] == Response.UPDATE_SIGNAL_INDEX_CACHE
        ]
        case.require(not caches, "no signal index cache before Subscribe", len(caches))
        early = await _early(case, peer)
    if early:
        async with case.subscriber() as other:
            await other.begin()
            holds = not await _early(case, other)
            case.require(
                not holds, "no data before the cache is confirmed, though a confirmation came before it", early
            )


async def _early(case: Case, peer: ScriptedSubscriber) -> int:
    """Subscribe, and count the data packets that come before the signal index cache is confirmed."""
    subscription = await peer.subscribe(confirm=False)
    if case.can("publish"):
        await case.publish(case.frame(*subscription.indexes), subscription.signals)
        await peer.fence()
    early = sum(each[0] == Response.DATA_PACKET for each in said(peer.recording, Role.PUBLISHER))
    await peer.say(commands.ConfirmUpdateSignalIndexCache())
    if not early:  # what was passed over cannot be left out of a stream
        await goes_on(case, peer, subscription)
    return early


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def configuration_changed_and_processing_complete_are_well_formed(case: Case) -> None:
    """ConfigurationChanged and ProcessingComplete carry nothing, or a text for people."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.subscribe()
        await peer.fence()
        added = {**MEASUREMENTS[0], "ID": "SUITE:99", "SignalID": SIGNALS[0].signal_id.hex[::-1]}
        tables = {"DeviceDetail": [DEVICE], "MeasurementDetail": [*MEASUREMENTS[1:], added]}
        text = document({**tables, "SchemaVersion": [{"VersionNumber": 14}]}).decode()
        await case.control.ask("redefine-metadata", document=text)
        await peer.find(responses.ConfigurationChanged)
    async with case.subscriber() as replay:
        await replay.begin()
        with suppress(TimeoutError):
            await _asks_for_the_past(replay)
        for connection in (peer, replay):
            for each in said(connection.recording, Role.PUBLISHER):
                if each[0] in _TELLS:
                    payload = each[6:].decode("utf-8", "replace")
                    case.require(
                        is_readable(payload) and "<" not in payload,
                        f"nothing or a text in {_TELLS[Response(each[0])]}",
                        each[6:70].hex(" "),
                    )


async def _asks_for_the_past(peer: ScriptedSubscriber) -> None:
    """Ask for a second of the past, and wait for what a publisher makes of it: a refusal, or the end of a replay."""
    past = "startTimeConstraint=2025-12-01 00:00:00;stopTimeConstraint=2025-12-01 00:00:01"
    wanted = "filterExpression={FILTER ActiveMeasurements WHERE True}"
    await peer.say(commands.Subscribe(connection_string=f"{wanted};{past}"))
    while (message := await peer.hear(within=peer.grace.quiet)) is not None:
        if isinstance(message, responses.UpdateSignalIndexCache):
            await peer.say(commands.ConfirmUpdateSignalIndexCache())
        if isinstance(message, responses.Failed | responses.ProcessingComplete):
            return
