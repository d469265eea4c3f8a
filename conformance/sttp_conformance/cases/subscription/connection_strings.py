"""Connection strings, as a publisher reads them (wire.md 4.2, 4.3)."""

from __future__ import annotations

from uuid import UUID

from sttp.codes import Command, DataPacketFlags, Response, Role
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.scripted_subscriber import COMPACT
from sttp_conformance.sessions import Row, catalogue, offered, said

_WITHOUT_TIME = 9
"""Bytes of a compact measurement without its time."""


async def subscribed(case: Case, connection_string: str) -> list[UUID]:
    """The signals that a publisher offers for a connection string."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.Subscribe(connection_string=connection_string))
        return offered(await peer.subscribed())


async def selects(case: Case, connection_string: str, *wanted: Row) -> None:
    """Check that a connection string selects exactly some signals."""
    found = await subscribed(case, connection_string)
    ids = [row.signal_id for row in wanted]
    case.require(
        sorted(found) == sorted(ids),
        f"a signal index cache with {' and '.join(map(str, ids))} for {connection_string!r}",
        f"{len(found)} signals, such as {found[0] if found else 'none'}",
    )


async def is_refused(case: Case, connection_string: str) -> None:
    """Check that a connection string is answered with Failed and a text, and that nothing is subscribed."""
    async with case.subscriber() as peer:
        await peer.begin()
        await peer.say(commands.Subscribe(connection_string=connection_string))
        refused = await peer.expect(
            responses.Failed,
            lambda answer: answer.command == Command.SUBSCRIBE,
            what=f"Failed for Subscribe with {connection_string!r}",
        )
        case.require(refused.text.strip(), "a text that says why", "none")
        await peer.fence()
        caches = [
            each for each in said(peer.recording, Role.PUBLISHER) if each[0] == Response.UPDATE_SIGNAL_INDEX_CACHE
        ]
        case.require(not caches, "no signal index cache", "one")


@check(PUBLISHER)
async def keys_are_read_in_any_case(case: Case) -> None:
    """A publisher reads the keys of a connection string in upper and lower case."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"FILTEREXPRESSION={{{row.signal_id}}}", row)
    await selects(case, f"filterexpression={{{row.signal_id}}}", row)


@check(PUBLISHER)
async def semicolons_in_braces_belong_to_the_value(case: Case) -> None:
    """A publisher takes a semicolon in braces for a part of the value: a list of signal IDs selects all of them."""
    one, two, *_ = await catalogue(case)
    await selects(case, f"filterExpression={{{one.signal_id};{two.signal_id}}}", one, two)


@check(PUBLISHER)
async def deeper_braces_are_kept(case: Case) -> None:
    """A publisher finds the end of a value that has braces in its braces."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"assemblyInfo={{source={{a;b=c}}; version=1}}; filterExpression={{{row.signal_id}}}", row)


@check(PUBLISHER)
async def white_space_and_empty_pieces_mean_nothing(case: Case) -> None:
    """A publisher trims white space around keys and values, and passes over empty pieces."""
    _, row, *_others = await catalogue(case)
    await selects(case, f";; filterExpression = {{{row.signal_id}}} ; includeTime = true ;;", row)


@check(PUBLISHER)
async def odd_pieces_are_ignored(case: Case) -> None:
    """A publisher ignores pieces without exactly one equals sign, and keys that it does not know."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"flag; a=b=c; futureKey={{x=1}}; filterExpression={{{row.signal_id}}}", row)


@check(PUBLISHER)
async def unknown_keys_are_ignored(case: Case) -> None:
    """A publisher ignores keys that it does not know."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"futureKey={{x=1}}; filterExpression={{{row.signal_id}}}; another=2", row)


@check(PUBLISHER)
async def last_of_repeated_keys_counts(case: Case) -> None:
    """A publisher goes by the last of repeated keys."""
    one, two, *_ = await catalogue(case)
    await selects(case, f"filterExpression={{{one.signal_id}}}; filterExpression={{{two.signal_id}}}", two)


@check(PUBLISHER)
async def backslashes_are_ordinary(case: Case) -> None:
    """A publisher takes a backslash for an ordinary character, which escapes nothing."""
    _, row, *_others = await catalogue(case)
    await selects(case, f"assemblyInfo=c:\\; filterExpression={{{row.signal_id}}}", row)


@check(PUBLISHER, topic="refuses_subscriptions")
async def unbalanced_braces_are_refused(case: Case) -> None:
    """A publisher refuses a connection string whose braces do not match."""
    row, *_ = await catalogue(case)
    await is_refused(case, f"filterExpression={{{row.signal_id}")
    await is_refused(case, f"filterExpression={{{row.signal_id}}}}}; includeTime=true")


@check(PUBLISHER, needs=("control:publish",))
async def truth_values_are_read_in_any_spelling(case: Case) -> None:
    """A publisher reads truth values as words and as numbers, in any case."""
    spellings = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
    row = (await catalogue(case))[0]
    for spelling, with_time in spellings.items():
        async with case.subscriber() as peer:
            await peer.begin(COMPACT)
            wanted = f"includeTime={spelling}; filterExpression={{{row.signal_id}}}"
            await peer.say(commands.Subscribe(connection_string=wanted))
            subscription = await peer.subscribed()
            await peer.fence()
            await case.publish(case.frame(*subscription.indexes), subscription.signals)
            packet = await peer.find(DataPacket)
            size = len(packet.body) // max(packet.count, 1)
            has_time = size > _WITHOUT_TIME
            case.require(
                bool(packet.flags & DataPacketFlags.COMPACT) and has_time is with_time,
                f"measurements {'with' if with_time else 'without'} a time for includeTime={spelling}",
                f"measurements of {size} bytes",
            )
