"""Negotiation (wire.md 3, 9.1): who speaks first, operational modes, versions and encodings."""

from __future__ import annotations

from dataclasses import replace

from sttp.codes import Command, TextEncoding
from sttp.wire import commands, responses
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.scripted_subscriber import TSSC


@check(SUBSCRIBER)
async def speaks_first_with_operational_modes(case: Case) -> None:
    """A subscriber sends DefineOperationalModes as the first thing, as soon as the connection is up."""
    async with case.publisher() as peer:
        await peer.accept_modes()


@check(PUBLISHER)
async def waits_for_operational_modes(case: Case) -> None:
    """A publisher says nothing but NoOP before a subscriber has defined its modes."""
    async with case.subscriber() as peer:
        await peer.expect_silence(what="nothing but NoOP before DefineOperationalModes")
        await peer.define_modes()


@check(PUBLISHER)
async def answers_operational_modes(case: Case) -> None:
    """A publisher answers DefineOperationalModes with Succeeded."""
    async with case.subscriber() as peer:
        await peer.define_modes()


async def _version(case: Case, version: int) -> None:
    async with case.subscriber() as peer:
        await peer.begin(replace(TSSC, version=version))
        subscription = await peer.subscribe()
        case.require(
            (subscription.cache_index is None) == (version == 1),
            "a signal index cache with a cache index" if version > 1 else "a signal index cache without cache index",
        )


@check(PUBLISHER, needs=("version:1",))
async def accepts_version_1(case: Case) -> None:
    """A publisher that accepts version 1 serves a subscription of version 1."""
    await _version(case, 1)


@check(PUBLISHER, needs=("version:2",))
async def accepts_version_2(case: Case) -> None:
    """A publisher that accepts version 2 serves a subscription of version 2."""
    await _version(case, 2)


@check(PUBLISHER, needs=("version:3",))
async def accepts_version_3(case: Case) -> None:
    """A publisher that accepts version 3 serves a subscription of version 3."""
    await _version(case, 3)


@check(PUBLISHER, topic="refuses_modes")
async def refuses_unknown_versions(case: Case) -> None:
    """A publisher answers a version that it does not speak with Failed, and ends the connection."""
    async with case.subscriber() as peer:
        await peer.say(commands.DefineOperationalModes(modes=replace(TSSC, version=31)))
        await peer.expect(
            responses.Failed,
            lambda answer: answer.command == Command.DEFINE_OPERATIONAL_MODES,
            what="Failed for DefineOperationalModes",
        )
        await peer.expect_end(why="after the modes were refused")


@check(PUBLISHER, needs=("encoding:utf-16le",))
async def reads_a_utf16le_connection_string(case: Case) -> None:
    """A publisher reads and writes texts in UTF-16LE where a subscriber asks for it."""
    async with case.subscriber() as peer:
        await peer.begin(replace(TSSC, encoding=TextEncoding.UTF_16LE))
        subscription = await peer.subscribe()
        case.require(len(subscription.signals), "signals for a filter expression in UTF-16LE", "none")
        case.require(subscription.text.isprintable(), "a text in UTF-16LE", repr(subscription.text))
