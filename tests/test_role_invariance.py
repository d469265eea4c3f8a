"""Role invariance: the normalised transcript of a conversation is equal in both directions, over every transport.

The direction decides who dials, and nothing else. There is no exception here for any combination.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

import pytest

import sttp.session
from conversations import CONVERSATIONS, DIRECTIONS, NOOP, WAYS, Way, a_sign_of_life, publish_the_fault, record
from sttp import Encoding
from sttp.codes import Command, Role
from sttp.session import PublisherConfig, PublisherSession, SubscriberSession
from sttp.session.base import Session
from sttp.transport import ByteStream, Link
from sttp_conformance.measurements import Measurements
from sttp_conformance.transcript import Transcript, difference, read_transcript

VERSIONS = (1, 2, 3)


def names(said: list[str | Measurements]) -> tuple[str, ...]:
    return tuple(each.split()[0] if isinstance(each, str) else "measurements" for each in said)


# --- the heart of it


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_who_dials_over_what_makes_no_difference(name: str, encoding: Encoding, version: int) -> None:
    conversation = CONVERSATIONS[name]
    first: Transcript | None = None
    for way in WAYS:
        recording = await record(way, conversation, encoding=encoding, version=version)
        transcript = read_transcript(recording.chunks)
        assert transcript.measurements == conversation.expected(), f"{way}: other measurements on the wire"
        first = first or transcript
        assert difference(first, transcript) == "", f"{WAYS[0]} (-) and {way} (+)"
        spoken = [each for each in names(transcript.publisher) if each != "UpdateBaseTimes"]
        assert spoken == list(conversation.spoken)
        assert f"version={version}" in next(transcript.lines(Role.SUBSCRIBER))


async def test_recordings_differ_until_they_are_normalised() -> None:
    """Packets are cut by timing, and the subscriber ID is random: bytes that were equal would prove little."""
    conversation = CONVERSATIONS["the fault recording"]
    forward, reverse = [
        await record(Way(direction, "memory"), conversation, encoding=Encoding.TSSC, version=2)
        for direction in DIRECTIONS
    ]
    assert forward.said_by(Role.PUBLISHER) != reverse.said_by(Role.PUBLISHER)
    assert forward.said_by(Role.SUBSCRIBER) == reverse.said_by(Role.SUBSCRIBER)
    assert read_transcript(forward.chunks) == read_transcript(reverse.chunks)


async def test_signs_of_life_make_no_difference() -> None:
    quiet = CONVERSATIONS["the fault recording"]
    talkative = replace(quiet, hold=partial(publish_the_fault, pause=a_sign_of_life))
    settings = {"encoding": Encoding.TSSC, "version": 2}
    forward = await record(Way("forward", "memory"), quiet, **settings)
    lively = PublisherConfig(noop_interval=0.001)
    reverse = await record(Way("reverse", "memory"), talkative, publisher_config=lively, **settings)
    assert NOOP not in forward.said_by(Role.PUBLISHER)
    assert NOOP in reverse.said_by(Role.PUBLISHER)
    assert difference(read_transcript(forward.chunks), read_transcript(reverse.chunks)) == ""


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_the_subscriber_speaks_first_whoever_dialed(way: Way) -> None:
    recording = await record(way, CONVERSATIONS["metadata only"], encoding=Encoding.TSSC, version=2)
    speaker, data = recording.chunks[0]
    assert speaker is Role.SUBSCRIBER
    assert data[4] == Command.DEFINE_OPERATIONAL_MODES


# --- sessions are not told

TELLING = {
    "accepted", "acceptor", "client", "connector", "dial", "dialed", "dialer", "dialled", "dialing", "direction",
    "forward", "inbound", "initiator", "listener", "listening", "outbound", "outgoing", "reverse", "server",
}  # fmt: skip
"""Words that would name the end that opened the connection, or the end that did not."""

ADDRESSING = {"address", "connectivity", "endpoint", "host", "link", "links", "peer", "socket", "url"}
"""Words for what could be asked who opened it."""

SESSION_MODULES = [
    "sttp.session",
    *(module.name for module in pkgutil.iter_modules(sttp.session.__path__, "sttp.session.")),
]


def identifiers(module: str) -> set[str]:
    """All names in the code of a module: of parameters, attributes, variables, functions, classes and imports."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module)))):
        for label in ("id", "attr", "arg", "name", "asname", "module"):
            name = getattr(node, label, None)
            if isinstance(name, str):
                found.add(name)
    return found


def words(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in re.split(r"[._]", name.lower())}


@pytest.mark.parametrize("module", SESSION_MODULES)
def test_no_name_in_a_session_says_who_dialed(module: str) -> None:
    assert words(identifiers(module)) & (TELLING | ADDRESSING) == set()


@pytest.mark.parametrize("module", ["sttp.connection", "sttp.feed", "sttp.intake"])
def test_no_name_between_stream_and_session_says_who_dialed(module: str) -> None:
    """They have a stream or a link, which have no property that tells."""
    assert words(identifiers(module)) & TELLING == set()
    for contract in (ByteStream, Link):
        assert words(name for name in dir(contract) if not name.startswith("__")) & TELLING == set()


@pytest.mark.parametrize("session", [PublisherSession, SubscriberSession])
def test_a_session_is_given_its_settings_and_the_time(session: type[Session[object]]) -> None:
    assert list(inspect.signature(session).parameters) == ["config", "now"]


@pytest.mark.parametrize("session", [PublisherSession, SubscriberSession])
def test_what_a_session_is_told_later_comes_from_the_wire_or_the_application(session: type[Session[object]]) -> None:
    methods = inspect.getmembers(session, inspect.isfunction)
    parameters = {parameter for _, method in methods for parameter in inspect.signature(method).parameters}
    assert words(parameters) & (TELLING | ADDRESSING) == set()


@pytest.mark.parametrize("session", [PublisherSession(now=0.0), SubscriberSession(now=0.0)], ids=lambda each: each.role)
def test_a_session_that_has_begun_holds_nothing_that_tells(session: Session[object]) -> None:
    seen: set[int] = set()

    def held(value: object) -> Iterator[str]:
        if id(value) in seen or not type(value).__module__.startswith("sttp"):
            return
        seen.add(id(value))
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in {*getattr(value, "__dict__", {}), *slots} - {"__dict__", "__weakref__"}:
            yield name
            yield from held(getattr(value, name, None))

    names = set(held(session))
    assert {"_conversation", "_config", "phase", "limits"} <= names, "the walk sees nested values"
    assert words(names) & (TELLING | ADDRESSING) == set()
