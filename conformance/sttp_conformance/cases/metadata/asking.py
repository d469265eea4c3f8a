"""A subscriber that asks by itself (wire.md 7.4, 8, metadata.md 1): refusals, silence, and changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np

from sttp.codes import Command
from sttp.wire import commands, responses
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.case import Case
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.grid import METADATA, SIGNALS, rows
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.sessions import cache_goes_on
from sttp_conformance.violation import NotSupported, Violation

_REFRESH = Command.METADATA_REFRESH
_PATIENCE = 120.0
"""Seconds in which a subscriber is to give up waiting for its metadata."""

_BACKWARDS = np.arange(len(SIGNALS))[::-1]


@asynccontextmanager
async def _answering(case: Case, *answer: Any) -> AsyncIterator[ScriptedPublisher]:
    """A publisher that answers each MetadataRefresh with something, up to the Subscribe."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        peer.polite = False
        asked = False
        while not isinstance(said := await _next_wish(peer), commands.Subscribe):
            if isinstance(said, commands.MetadataRefresh):
                asked = True
                await peer.say(*answer)
        if not asked:
            raise NotSupported("it subscribes before it asks for metadata, if it does so at all")
        peer.polite = True
        peer.asked = SubscriptionOptions.from_connection_string(said.connection_string)
        yield peer


async def _next_wish(peer: ScriptedPublisher) -> Any:
    return await peer.expect((commands.MetadataRefresh, commands.Unsubscribe, commands.Subscribe), what="Subscribe")


@check(SUBSCRIBER)
async def tolerates_empty_metadata(case: Case) -> None:
    """An empty answer to MetadataRefresh means that there is no metadata; the subscription follows all the same."""
    async with _answering(case, responses.Metadata(document=b"")) as peer:
        await peer.offer()


@check(SUBSCRIBER)
async def goes_on_when_metadata_is_refused(case: Case) -> None:
    """Failed for MetadataRefresh does not end the session; the subscription follows all the same."""
    async with _answering(case, responses.Failed(command=_REFRESH, text="Metadata is not available.")) as peer:
        await peer.offer()


@check(SUBSCRIBER, slow=True, topic="")
async def subscribes_though_metadata_never_comes(case: Case) -> None:
    """A MetadataRefresh that is never answered does not hold up the subscription for ever."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        peer.polite = False
        if isinstance(await _next_wish(peer), commands.Subscribe):
            raise NotSupported("it subscribes before it asks for metadata, if it does so at all")
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            await peer.say(responses.NoOP())
            with suppress(TimeoutError):
                said = await peer.hear(within=1.0)
                case.require(said is not None, "a Subscribe on this connection", "its end")
                if isinstance(said, commands.Subscribe):
                    break
        else:
            raise Violation(f"expected a Subscribe within {_PATIENCE:g} s of a MetadataRefresh that nobody answers")
        peer.asked = SubscriptionOptions.from_connection_string(said.connection_string)
        await peer.offer()
        await cache_goes_on(case, peer)


@check(SUBSCRIBER, topic="")
async def survives_metadata_that_is_no_metadata(case: Case) -> None:
    """A document without schema, or one that is no XML, does no more harm than to be refused."""
    schema = METADATA.index(b"<xs:schema"), METADATA.index(b"</xs:schema>") + len(b"</xs:schema>")
    for bad in (METADATA[: schema[0]] + METADATA[schema[1] :], b"this is no XML <at all"):
        with suppress(Violation, NotSupported):
            async with _answering(case, responses.Metadata(document=bad)) as peer:
                await peer.offer()
        async with case.publisher() as peer:
            await peer.serve()


async def _follow(case: Case, peer: ScriptedPublisher) -> list[Any]:
    """Attend to what a subscriber does about changed metadata, for a while: it may subscribe anew.

    Returns:
        What it said.
    """
    said: list[Any] = []
    with suppress(TimeoutError):
        while (command := await peer.hear(within=case.grace.quiet)) is not None:
            said.append(command)
            match command:
                case commands.MetadataRefresh():
                    await peer.give_metadata()
                case commands.Unsubscribe():
                    await peer.say(responses.Succeeded(command=Command.UNSUBSCRIBE))
                case commands.Subscribe():
                    peer.asked = SubscriptionOptions.from_connection_string(command.connection_string)
                    await peer.offer(cache_index=1 - peer.active)
    return said


@check(SUBSCRIBER, needs=("control:report",))
async def tolerates_configuration_changed(case: Case) -> None:
    """ConfigurationChanged does no harm at any time: before the modes are answered, while idle, while streaming."""
    async with case.publisher() as peer:
        await peer.say(responses.ConfigurationChanged())
        await peer.serve()
        await peer.say(responses.ConfigurationChanged())
        await _follow(case, peer)
        sent = case.frame(0, 1)
        await peer.send(sent)
        received = await case.received(2)
        case.require(received == rows(sent, SIGNALS), "the stream to go on", received)


@check(SUBSCRIBER)
async def asks_again_after_configuration_changed(case: Case) -> None:
    """After ConfigurationChanged a subscriber asks for the metadata again."""
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(responses.ConfigurationChanged())
        await peer.find(commands.MetadataRefresh, what="another MetadataRefresh")


@check(SUBSCRIBER, needs=("control:report",))
async def takes_signal_indexes_from_the_cache(case: Case) -> None:
    """Signal indexes come from the signal index cache alone, whatever the order of the metadata."""
    backwards = SIGNALS.select(_BACKWARDS)
    async with case.publisher() as peer:
        await peer.serve(backwards)
        sent = case.frame(0, 1, 7)
        await peer.send(sent)
        received = await case.received(3)
        case.require(received == rows(sent, backwards), "the signals of the signal index cache", received)
