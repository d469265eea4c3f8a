"""Filter expressions (filter-expressions.md), through Subscribe and MetadataRefresh: what they select, by vectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from sttp.codes import Command, ModeFlags
from sttp.errors import ProtocolError
from sttp.wire import commands, responses
from sttp.wire.signal_index_cache import read_signal_index_cache
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.filter_metadata import METADATA, SIGNAL_IDS
from sttp_conformance.filter_vectors import (
    AGREED,
    DIVERGENT,
    PORTABLE,
    TYPED,
    Question,
    of_measurements,
)
from sttp_conformance.metadata_reading import Document, parse
from sttp_conformance.scripted_subscriber import TSSC, ScriptedSubscriber
from sttp_conformance.sessions import goes_on, offered
from sttp_conformance.violation import NotSupported, Violation

_REFRESH = Command.METADATA_REFRESH
_TOLD = 110
"""Signs of an expression, and of what came of it, that stand in a message."""

_MODES = replace(TSSC, flags=TSSC.flags | ModeFlags.RECEIVE_INTERNAL_METADATA | ModeFlags.RECEIVE_EXTERNAL_METADATA)
"""With both bits of ownership no row of metadata is left out."""

_DEFINED = ("control:redefine-metadata", "metadata")

Got: TypeAlias = tuple[int, ...] | str | None
"""The rows that were selected, or in words what came instead; None where nothing came, or the connection was lost."""


# --- asking a publisher


@asynccontextmanager
async def _defined(case: Case) -> AsyncIterator[ScriptedSubscriber]:
    """A publisher that has the metadata of the vectors, and a subscriber that has defined its modes."""
    await case.control.ask("redefine-metadata", document=METADATA.decode())
    async with case.subscriber() as peer:
        await peer.begin(_MODES)
        yield peer


async def _selected(peer: ScriptedSubscriber, expression: str) -> Got:
    """What a Subscribe with an expression selects; a refusal selects nothing."""
    wanted = SubscriptionOptions(filter_expression=expression)
    await peer.say(
        commands.Subscribe(connection_string=wanted.to_connection_string()),
        commands.UpdateProcessingInterval(milliseconds=-1),  # it is answered, and behind the Subscribe (9.3)
    )
    got: Got = "no answer to Subscribe"
    while True:
        answer = await peer.find(object)
        match answer:
            case responses.Failed(command=Command.SUBSCRIBE):
                got = ()
            case responses.UpdateSignalIndexCache():
                try:
                    peer.packets.response(answer)
                    signals = read_signal_index_cache(answer.image, peer.modes).signals
                except ProtocolError as error:
                    raise Violation(f"a signal index cache that cannot be read came: {error}") from None
                present = [signals[index].signal_id for index in signals.present.nonzero()[0].tolist()]
                known = [SIGNAL_IDS.index(each) for each in present if each in SIGNAL_IDS]
                got = tuple(known) if len(known) == len(present) else "signals that its metadata does not have"
                await peer.say(commands.ConfirmUpdateSignalIndexCache())
            case responses.Succeeded(command=Command.SUBSCRIBE) if got == "no answer to Subscribe":
                got = ()
            case (
                responses.Succeeded(command=Command.UPDATE_PROCESSING_INTERVAL)
                | responses.Failed(command=Command.UPDATE_PROCESSING_INTERVAL)
            ):
                return got


def _same(got: Got, question: Question) -> bool:
    """Whether the same rows were selected, in whatever order: signal indexes have none."""
    return isinstance(got, tuple) and any(sorted(got) == sorted(each) for each in question.results)


def _told(question: Question, got: Got) -> str:
    """One line about a question that was not answered as it should be."""

    def rows(found: Got) -> str:
        match found:
            case None:
                return "no answer"
            case str():
                return found
        return f"rows {', '.join(map(str, found))}" if found else "nothing"

    wanted = " or ".join(rows(each) for each in question.results)
    return f"{str(question)[:_TOLD]}: expected {wanted}, not {rows(got)[:_TOLD]}"


def _require_all(case: Case, kind: str, wrong: Sequence[str], count: int) -> None:
    """Say in one violation which expressions were not answered as they should be."""
    case.note(f"{count - len(wrong)} of {count} {kind} select what they should")
    if wrong:
        raise Violation(
            f"expected what {count} {kind} select, but {len(wrong)} select something else:\n" + "\n".join(wrong)
        )


async def _selects(case: Case, kind: str, questions: Iterable[Question]) -> None:
    """Put questions through Subscribe, all on one connection; a new one where that is lost over one."""
    left, wrong, count = list(reversed([*questions])), [], 0
    while left:
        async with _defined(case) if not count else case.subscriber() as peer:
            if count:
                await peer.begin(_MODES)
            while left:
                question, count, got = left.pop(), count + 1, None
                with suppress(Violation):
                    got = await _selected(peer, question.expression)
                if not _same(got, question):
                    wrong.append(_told(question, got))
                if got is None:
                    break
    _require_all(case, kind, wrong, count)


@check(PUBLISHER, needs=_DEFINED, fresh=True)
async def selects_by_portable_expressions(case: Case) -> None:
    """Comparisons, IN, LIKE, IS NULL, AND, OR, NOT and TOP select what every publisher reads in them, with brackets."""
    await _selects(case, "portable expressions", PORTABLE)


@check(PUBLISHER, needs=_DEFINED, fresh=True)
async def selects_what_two_engines_select(case: Case) -> None:
    """A Subscribe selects the rows that two independent engines select: FILTER, identifiers, several statements."""
    await _selects(case, "expressions", AGREED["rows"])


@check(PUBLISHER, needs=_DEFINED, fresh=True)
async def computes_what_two_engines_compute(case: Case) -> None:
    """Operators, functions and nulls in a condition have the values that two independent engines compute."""
    await _selects(case, "computed conditions", AGREED["values"])


@check(PUBLISHER, needs=_DEFINED, fresh=True)
async def selects_nothing_by_a_wrong_expression(case: Case) -> None:
    """An expression that cannot be read or evaluated is refused, or selects nothing; never everything, or a part."""
    await _selects(case, "wrong expressions", (*AGREED["wrong"], *DIVERGENT["wrong"]))


@check(PUBLISHER, needs=_DEFINED, fresh=True)
async def selects_what_is_recommended_where_engines_differ(case: Case) -> None:
    """Where engines differ and there is a reason to prefer one, what that one selects is selected."""
    open_ones = []
    async with _defined(case) as peer:
        for question in DIVERGENT["open"]:
            try:
                if _same(await _selected(peer, question.expression), question):
                    open_ones.append(question.name)
            except Violation:
                break
    case.note(f"where nothing is recommended it computes {', '.join(open_ones) or 'as nobody else'}")
    await _selects(case, "expressions on which engines differ", DIVERGENT["recommended"])


_DEEP = f"FILTER ActiveMeasurements WHERE {'(' * 2_000}True{')' * 2_000}"
_LONG = f"FILTER ActiveMeasurements WHERE {' OR '.join(['Internal = 1'] * 1_500)}"
_COSTLY = "FILTER ActiveMeasurements WHERE RegExMatch('^(a+)+$', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')"


@check(PUBLISHER, needs=_DEFINED, fresh=True, topic="")
async def survives_expressions_that_ask_too_much(case: Case) -> None:
    """A division by zero, deep nesting and a long text cost at most the connection."""
    await _survives(case, *(each.expression for each in DIVERGENT["killers"]), _DEEP, _LONG)


@check(PUBLISHER, needs=_DEFINED, fresh=True, topic="")
async def survives_a_costly_pattern(case: Case) -> None:
    """A pattern on which engines that backtrack never come to an end costs at most the connection."""
    await _survives(case, _COSTLY)


async def _survives(case: Case, *expressions: str) -> None:
    """Subscribe with expressions, each on a connection of its own, and see that another subscriber is served then."""
    await case.control.ask("redefine-metadata", document=METADATA.decode())
    for expression in expressions:
        async with case.subscriber() as peer:
            await peer.begin(TSSC)
            wanted = SubscriptionOptions(filter_expression=expression)
            await peer.say(commands.Subscribe(connection_string=wanted.to_connection_string()))
            try:
                await peer.expect_answer_or_end(Command.SUBSCRIBE)
            except Violation as error:
                raise Violation(f"{error}: {expression[:_TOLD]}") from None
        if ended := await case.implementation.has_ended():
            raise Violation(f"expected a process that goes on, but it ended with {ended}: {expression[:_TOLD]}")
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        subscription = await peer.subscribe()
        got = sorted(map(str, offered(subscription)))
        case.require(got == sorted(map(str, SIGNAL_IDS)), "all signals afterwards", f"{len(got)} of them")
        await goes_on(case, peer, subscription)


# --- metadata


async def _narrows(
    case: Case,
    kind: str,
    questions: Sequence[Question],
    rows_of: Callable[[Document], tuple[int, ...]],
    *,
    ordered: bool = False,
) -> None:
    """Put questions through MetadataRefresh, and compare the rows of a table that are left."""
    wrong = []
    async with _defined(case) as peer:
        await peer.say(commands.MetadataRefresh())
        whole = await peer.find(responses.Metadata, what="Succeeded for MetadataRefresh")
        if not rows_of(parse(whole.document)):
            raise NotSupported("it keeps only tables of metadata that it knows")
        for question in questions:
            await peer.say(commands.MetadataRefresh(filter_expression=question.expression))
            answer = await peer.expect(
                (responses.Metadata, responses.Failed),
                lambda each: isinstance(each, responses.Metadata) or getattr(each, "command", None) == _REFRESH,
                what=f"an answer to MetadataRefresh with {question.expression}",
                anything_before=True,
            )
            got: Got = rows_of(parse(answer.document)) if isinstance(answer, responses.Metadata) else "Failed"
            if got not in question.results if ordered else not _same(got, question):
                wrong.append(_told(question, got))
    _require_all(case, kind, wrong, len(questions))


def _measurements(found: Document) -> tuple[int, ...]:
    return tuple(SIGNAL_IDS.index(UUID(each)) for each in found.column("MeasurementDetail", "SignalID"))


def _typed(found: Document) -> tuple[int, ...]:
    return tuple(int(key) - 1 for key in found.column("TypeTest", "Key"))


@check(PUBLISHER, needs=_DEFINED, fresh=True, topic="gives_metadata")
async def narrows_metadata_by_any_expression(case: Case) -> None:
    """A MetadataRefresh with a filter leaves the rows of its table that two independent engines select."""
    questions = of_measurements((*AGREED["rows"], *AGREED["values"]))
    await _narrows(case, "metadata filters", questions, _measurements)


@check(PUBLISHER, needs=_DEFINED, fresh=True, topic="gives_metadata")
async def orders_and_limits_rows_of_metadata(case: Case) -> None:
    """ORDER BY sorts the rows that a metadata filter leaves, and TOP counts them before."""
    await _narrows(case, "metadata filters with ORDER BY", _ORDERED, _measurements, ordered=True)


_ORDERED = tuple(
    Question(f"o{number}", f"FILTER {text}", (rows,))
    for number, (text, rows) in enumerate(
        (
            ("MeasurementDetail WHERE SignalAcronym = 'FREQ' ORDER BY DeviceAcronym", (7, 0, 12)),
            ("MeasurementDetail WHERE SignalAcronym = 'FREQ' ORDER BY DeviceAcronym DESC", (12, 0, 7)),
            ("TOP 3 MeasurementDetail WHERE DeviceAcronym = 'SHELBY' ORDER BY PointTag DESC", (0, 2, 1)),
            ("TOP 2 MeasurementDetail WHERE DeviceAcronym = 'Cordova'", (7, 8)),
        ),
        1,
    )
)


@check(PUBLISHER, needs=_DEFINED, fresh=True, topic="gives_metadata")
async def filters_columns_of_every_type(case: Case) -> None:
    """Columns of every type, and nulls in them, are compared and sorted as two independent engines do."""
    await _narrows(case, "filters of typed columns", TYPED, _typed, ordered=True)


# --- subscribers

_NASTY = (
    "FILTER ActiveMeasurements WHERE SignalType = 'FREQ'; PPA:4",
    "FILTER TOP 3 ActiveMeasurements WHERE Device = 'A = B; C' ORDER BY ID DESC",
    "{51B15C9E-5F06-595F-89A3-45CF3E3F2312}; '1970aa7d-d6b9-54e8-b60c-247836261d88'",
    "FILTER ActiveMeasurements WHERE Description LIKE '%\"quoted\" & <tag>%'",
    "FILTER ActiveMeasurements WHERE Description = 'Weiß-Fluß é 変電所' -- a comment",
    "FILTER ActiveMeasurements\r\n\tWHERE True",
)


@check(SUBSCRIBER, needs=("control:subscribe",), fresh=True)
async def passes_filter_expressions_on(case: Case) -> None:
    """A subscriber sends the expression of its application sign by sign, whatever it would mean to itself."""
    async with case.publisher() as peer:
        await peer.serve()
        for number, expression in enumerate(_NASTY, 1):
            asking = asyncio.create_task(case.control.ask("subscribe", filter=expression))
            try:
                asked = (await peer.wait_for_subscribe()).filter_expression
                case.require(asked == expression, f"the filter {expression!r}", repr(asked))
                await peer.offer(cache_index=number % 2)
                await asking
            finally:
                asking.cancel()


@check(SUBSCRIBER, needs=("control:refresh-metadata",))
async def passes_metadata_filters_on(case: Case) -> None:
    """A subscriber sends the metadata filter of its application sign by sign, with its length before it."""
    async with case.publisher() as peer:
        await peer.serve()
        for expression in _NASTY:
            asking = asyncio.create_task(case.control.ask("refresh-metadata", filter=expression))
            try:
                asked = await peer.find(commands.MetadataRefresh)  # it may subscribe anew to what it has learned
                got = asked.filter_expression
                case.require(got == expression, f"the filter {expression!r}", repr(got))
                await peer.give_metadata()
                await asking
            finally:
                asking.cancel()
