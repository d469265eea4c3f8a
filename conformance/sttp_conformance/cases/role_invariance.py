"""Role invariance: the normalised transcript of a conversation is equal in both directions, over every transport.

Nothing here is written for a single conversation. Whatever another chapter says to an implementation is compared.
"""

from __future__ import annotations

from itertools import pairwise

from sttp.codes import Role
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, Check, register
from sttp_conformance.lane import Outcome
from sttp_conformance.transcript import difference
from sttp_conformance.verdicts import Verdict
from sttp_conformance.ways import Direction, Way

__all__ = ["compared", "is_compared", "pairs"]


async def _never_made(case: Case) -> None:
    """A comparison is made of what other checks have recorded."""
    raise NotImplementedError(case.check.name)


_PUBLISHER_SAYS = {
    "negotiates": "negotiation with versions 1, 2 and 3",
    "refuses_modes": "modes that it refuses",
    "gives_metadata": "metadata",
    "streams_compact": "a compact stream",
    "streams_tssc": "a TSSC stream",
    "hands_over": "subscribing, subscribing anew, handover, Unsubscribe",
    "refuses_subscriptions": "subscriptions that it refuses",
    "meets_malformed_input": "unknown commands and malformed frames",
    "announces_changes": "changes of its metadata, notifications and other messages",
    "rotates_cipher_keys": "cipher keys, and data under them",
    "sends_buffer_blocks": "buffer blocks and their repetition",
    "exchanges_user_commands": "user commands and their responses",
}
_SUBSCRIBER_SAYS = {
    "negotiates": "its modes and what follows them",
    "subscribes": "metadata, Subscribe and its connection string",
    "reads_compact": "compact streams, with base times",
    "reads_tssc": "TSSC streams",
    "follows_handovers": "handovers, asked for or not",
    "meets_refusals": "modes, metadata or a subscription that are refused",
    "meets_malformed_input": "unknown responses and malformed frames",
    "decrypts_data": "data under cipher keys",
    "takes_buffer_blocks": "buffer blocks, in order and not",
    "takes_other_messages": "notifications, user commands, another processing interval",
}


def _comparison(name: str, role: Role, title: str, compares: str, topics: tuple[str, ...] = ()) -> None:
    register(
        Check(
            name=name,
            chapter="role_invariance",
            requirements=(),
            role=role,
            title=title,
            body=_never_made,
            compares=compares,
            topics=topics,
        )
    )


for _role, _said in ((PUBLISHER, _PUBLISHER_SAYS), (SUBSCRIBER, _SUBSCRIBER_SAYS)):
    for _topic, _words in _said.items():
        _comparison(
            f"{_role.value}_{_topic}_alike_in_both_directions",
            _role,
            f"A {_role.value} says the same whoever dials: {_words}.",
            "direction",
            (_topic,),
        )
    _comparison(
        f"{_role.value}_says_the_same_over_every_transport",
        _role,
        f"A {_role.value} says the same over every transport.",
        "transport",
    )


def is_compared(check: Check, comparison: Check) -> bool:
    """Whether a comparison is about a check."""
    about = not comparison.topics or check.topic in comparison.topics
    return check.role is comparison.role and bool(check.topic) and about


def pairs(comparison: Check, ways: list[Way]) -> list[tuple[Way, Way]]:
    """The ways that a comparison holds against each other: they differ in one thing only."""
    if comparison.compares == "direction":
        transports = list(dict.fromkeys(way.transport for way in ways))
        both = [(Way(Direction.FORWARD, each), Way(Direction.REVERSE, each)) for each in transports]
        return [(first, second) for first, second in both if first in ways and second in ways]
    return [pair for direction in Direction for pair in pairwise([way for way in ways if way.direction is direction])]


def compared(check: Check, first: tuple[Way, Outcome | None], second: tuple[Way, Outcome | None]) -> Outcome:
    """Hold what a check recorded in one way against what it recorded in another."""
    (one_way, one), (other_way, other) = first, second
    for way, outcome in (first, second):
        if outcome is None or outcome.verdict in (Verdict.UNSUPPORTED, Verdict.SKIPPED):
            reason = outcome.message if outcome is not None else "see the check itself"
            return Outcome(verdict=Verdict.UNSUPPORTED, message=f"{check.name} is not made {way}: {reason}")
        if outcome.verdict is Verdict.BROKEN:
            return Outcome(verdict=Verdict.BROKEN, message=f"{check.name} is broken {way}: {outcome.message}")
    assert one is not None
    assert other is not None
    recordings = (*one.recordings, *other.recordings)

    def failed(message: str) -> Outcome:
        return Outcome(verdict=Verdict.FAILED, message=message, recordings=recordings, stderr=other.stderr)

    if one.verdict is not other.verdict:
        good, bad, message = (
            (one_way, other_way, other.message) if one.verdict is Verdict.PASSED else (other_way, one_way, one.message)
        )
        return failed(f"{check.name} passes {good} and fails {bad}: {message}")
    if len(one.recordings) != len(other.recordings):
        return failed(
            f"{check.name} makes {len(one.recordings)} connections {one_way} and {len(other.recordings)} {other_way}"
        )
    for recorded, again in zip(one.recordings, other.recordings, strict=True):
        parted = difference(recorded.normalised(), again.normalised())
        if parted:
            return failed(f"{check.name}: other words {one_way} (-) and {other_way} (+):\n{parted}")
    return Outcome(verdict=Verdict.PASSED, recordings=recordings)
