"""What a filter expression selects (wire.md 4.4)."""

from __future__ import annotations

from uuid import UUID

from sttp.codes import Command, DataPacketFlags, Response, Role
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp_conformance.case import Case
from sttp_conformance.cases.subscription.connection_strings import is_refused, selects, subscribed
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.dataset import document
from sttp_conformance.grid import DEVICE, MEASUREMENTS, METADATA
from sttp_conformance.scripted_subscriber import ScriptedSubscriber
from sttp_conformance.sessions import catalogue, said

_NOBODY = UUID("00000000-dead-4bad-8bad-00000badc0de")

_COLUMNS = (
    "SignalID", "ID", "PointTag", "SignalReference", "SignalType", "Device", "FramesPerSecond", "EngineeringUnits",
    "Protocol", "ProtocolType", "PhasorID", "PhasorType", "Phase", "Adder", "Multiplier", "Company", "Longitude",
    "Latitude", "Description", "Internal", "Subscribed", "SourceNodeID", "UpdatedOn",
)  # fmt: skip
"""The columns of ActiveMeasurements on which subscribers rely, without the two that not even metadata has."""


def where(condition: str, before: str = "FILTER", behind: str = "") -> str:
    """A connection string with a FILTER statement."""
    return f"filterExpression={{{before} ActiveMeasurements WHERE {condition}{behind}}}"


@check(PUBLISHER)
async def selects_by_signal_ids(case: Case) -> None:
    """A publisher offers exactly the signal whose ID is asked for, and skips IDs that nobody has."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"filterExpression={{{row.signal_id}}}", row)


@check(PUBLISHER)
async def selects_by_measurement_keys(case: Case) -> None:
    """A publisher offers exactly the signal whose measurement key is asked for."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"filterExpression={{{row.key}}}", row)


@check(PUBLISHER)
async def skips_ids_that_nobody_has(case: Case) -> None:
    """A publisher skips a well-formed ID that nobody has, and offers the others of the list."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"filterExpression={{{_NOBODY};{row.signal_id}}}", row)


@check(PUBLISHER)
async def selects_by_a_filter_statement(case: Case) -> None:
    """A publisher offers what a FILTER statement selects, and reads its keywords in any case."""
    rows = await catalogue(case)
    wanted = [row for row in rows if row.kind == rows[0].kind]
    await selects(case, where(f"SignalType = '{rows[0].kind}'"), *wanted)
    await selects(case, f"filterExpression={{filter activemeasurements where SignalType = '{rows[0].kind}'}}", *wanted)


@check(PUBLISHER)
async def selects_by_point_tag(case: Case) -> None:
    """A publisher offers the signal whose point tag a FILTER statement names."""
    _, row, *_others = await catalogue(case)
    await selects(case, where(f"PointTag = '{row.tag}'"), row)


@check(PUBLISHER)
async def selects_the_first_of_an_order(case: Case) -> None:
    """A publisher limits a selection by TOP, whether it counts before it sorts or after that, and reads ORDER BY."""
    await catalogue(case)
    found = await subscribed(case, where("True", "FILTER TOP 2", " ORDER BY PointTag"))
    case.require(len(set(found)) == 2, "two signals for FILTER TOP 2", len(found))


@check(PUBLISHER)
async def filters_by_every_standard_column(case: Case) -> None:
    """A publisher knows the columns of ActiveMeasurements on which subscribers rely."""
    await catalogue(case)
    async with case.subscriber() as peer:
        await peer.begin()
        for column in _COLUMNS:
            await peer.say(commands.Subscribe(connection_string=where(f"{column} IS NULL OR {column} IS NOT NULL")))
            answer = await peer.answer(Command.SUBSCRIBE, "Subscribe")
            case.require(isinstance(answer, responses.Succeeded), f"a filter by {column} that is accepted", answer.text)


@check(PUBLISHER, needs=("control:redefine-metadata",), fresh=True)
async def disabled_measurements_cannot_be_subscribed(case: Case) -> None:
    """A publisher does not offer measurements that are not enabled."""
    first, *others = MEASUREMENTS
    disabled = document({"DeviceDetail": [DEVICE], "MeasurementDetail": [{**first, "Enabled": "false"}, *others]})
    await case.control.ask("redefine-metadata", document=disabled.decode())
    found = await subscribed(case, where("True"))
    await case.control.ask("redefine-metadata", document=METADATA.decode())
    case.require(first["SignalID"] not in found, "no signal that is not enabled", first["SignalID"])
    case.require(len(found) == len(others), f"{len(others)} signals", len(found))


@check(PUBLISHER)
async def answers_a_filter_that_matches_nothing(case: Case) -> None:
    """A publisher answers a filter that matches nothing, or no filter at all, and offers no signal for it."""
    for filter_expression in (f"filterExpression={{{_NOBODY}}}", where("False")):
        async with case.subscriber() as peer:
            await peer.begin()
            await peer.say(commands.Subscribe(connection_string=filter_expression))
            await _answered_with_nothing(case, peer)


@check(PUBLISHER)
async def no_filter_selects_nothing(case: Case) -> None:
    """A publisher offers no signal where no filter expression is given."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.Subscribe(connection_string="includeTime=true;"))
        await _answered_with_nothing(case, peer)


async def _answered_with_nothing(case: Case, peer: ScriptedSubscriber) -> None:
    await peer.answer(Command.SUBSCRIBE, "Subscribe")
    await peer.fence()
    for each in said(peer.recording, Role.PUBLISHER):
        if each[0] == Response.UPDATE_SIGNAL_INDEX_CACHE:
            cache = peer.cache_in(each)
            case.require(not cache.signals.present.any(), "no signal", f"{int(cache.signals.present.sum())}")


@check(PUBLISHER, topic="refuses_subscriptions")
async def refuses_an_unreadable_filter(case: Case) -> None:
    """A publisher refuses a filter that cannot be read, and one by a column that there is not."""
    await is_refused(case, "filterExpression={FILTER ActiveMeasurements WHERE (}")
    await is_refused(case, where("NoSuchColumn = 1"))


@check(PUBLISHER, topic="refuses_subscriptions")
async def refuses_sql(case: Case) -> None:
    """A publisher takes no SQL from the network, and goes on."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.Subscribe(connection_string="filterExpression={SELECT * FROM ActiveMeasurements}"))
        await _answered_with_nothing(case, peer)


@check(PUBLISHER, topic="refuses_subscriptions")
async def refuses_synchronized_subscriptions(case: Case) -> None:
    """A publisher refuses the obsolete synchronised subscription."""
    async with case.subscriber() as peer:
        await peer.begin()
        row = f"filterExpression={{{_NOBODY}}}"
        await peer.say(commands.Subscribe(flags=DataPacketFlags(0x01), connection_string=row))
        await peer.expect(responses.Failed, lambda answer: answer.command == Command.SUBSCRIBE)


@check(PUBLISHER, needs=("control:publish",))
async def sends_no_full_fidelity_packet(case: Case) -> None:
    """A publisher never sends packets that are neither compact nor TSSC, though Subscribe does not ask for compact."""
    row = (await catalogue(case))[0]
    async with case.subscriber() as peer:
        await peer.begin()
        wanted = f"filterExpression={{{row.signal_id}}}"
        await peer.say(commands.Subscribe(flags=DataPacketFlags(0), connection_string=wanted))
        answer = await peer.expect_answer_or_end(Command.SUBSCRIBE)
        if isinstance(answer, responses.Succeeded):
            await peer.say(commands.ConfirmUpdateSignalIndexCache())
            await peer.fence()
            await case.publish_rows([[str(row.signal_id), case.clock.tick(), 1.0, 0]])
            packet = await peer.find(DataPacket)
            good = DataPacketFlags.COMPACT | DataPacketFlags.COMPRESSED
            case.require(packet.flags & good, "a packet that is compact or TSSC", f"flags {int(packet.flags):#04x}")
