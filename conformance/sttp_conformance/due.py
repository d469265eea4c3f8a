"""Which checks a mutant meets, in which ways, and why it does not meet the others.

A wrong mutant meets the checks that must catch it, where it is wrong; for a comparison its subject is made in all ways
that are compared. A harmless one meets every check of its role. Unless slow checks are wanted that is made short: of
each topic one check is made in both directions, to be compared, and half of the others is made in either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from sttp_conformance.adapter import Adapter
from sttp_conformance.checks import Check
from sttp_conformance.expectations import Expectation
from sttp_conformance.mutants import Mutant
from sttp_conformance.selection import Selection, why_not
from sttp_conformance.ways import Direction, Way

__all__ = ["Decision", "Why", "check_and_subject", "decided"]


class Why(Enum):
    """Why a check is made of a mutant in a way, or is not. The value is the reason in words."""

    MUST_CATCH = "it must catch the mutant"
    MUST_LET_PASS = "it must let the mutant pass"
    IS_COMPARED = "what it records is compared with another way"

    IS_SLOW = "only slow checks can catch it (--slow)"
    IS_NO_CONVERSATION = "it compares what other checks record"
    IS_ABOUT_THE_OTHER_DIRECTION = "the check is about the other direction"
    IS_HONEST_HERE = "the mutant is honest in this way"
    MEETS_COMPARED_ONLY = "it differs in one direction only, and meets what is compared (--slow makes all)"
    OTHER_HALF = "it is made in the other direction (--slow makes both)"
    IS_NOT_DOUBTED = "it has let the mutant pass before, together with others"

    IS_NOT_SUPPORTED = "the implementation does not support it"
    FAILS_ANYWAY = "it fails without the mutant, too"

    @property
    def is_made(self) -> bool:
        """Whether the check is made."""
        return self in (Why.MUST_CATCH, Why.MUST_LET_PASS, Why.IS_COMPARED)

    @property
    def is_of_the_implementation(self) -> bool:
        """Whether the implementation is the reason; a mutant that meets no check for that is not judged."""
        return self in (Why.IS_NOT_SUPPORTED, Why.FAILS_ANYWAY)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a check is made of a mutant, and why.

    Attributes:
        name: what is to catch it or to let it pass: a check, or a comparison with its subject.
        check: the check that is made for that.
        way: in which way.
        why: the reason.
        said: the reason in the words of the adapter, or of its list of known failures; empty where they say nothing.
    """

    name: str
    check: Check
    way: Way
    why: Why
    said: str = ""

    @property
    def reason(self) -> str:
        """The reason in words."""
        return self.said or self.why.value

    def __str__(self) -> str:
        return f"{self.name} ({self.way}): {'made' if self.why.is_made else 'not made'}: {self.reason}"


def check_and_subject(name: str) -> tuple[str, str]:
    """A name in `caught_by` taken apart, `comparison[check]`; without a comparison the subject is empty."""
    check, _, subject = name.partition("[")
    return check, subject.removesuffix("]")


def decided(
    mutant: Mutant,
    adapter: Adapter,
    checks: Mapping[str, Check],
    *,
    slow: bool = False,
    doubted: Collection[str] | None = None,
) -> Iterator[Decision]:
    """What becomes of each check that a mutant has to meet, in each way.

    Args:
        mutant: the mutant.
        adapter: the implementation that it is made of.
        checks: all checks.
        slow: whether slow checks are made too, and a harmless mutant meets all checks in both directions.
        doubted: of a harmless mutant, the only checks that are still in question; None for all.
    """
    topics: set[str] = set()
    number = 0  # of the checks that are quick enough
    for name in _wanted(mutant, checks):
        comparison, subject = check_and_subject(name)
        check = checks[subject or comparison]
        over_all = bool(subject) and checks[comparison].compares == "transport"
        selection = Selection(transports=_transports(check, adapter, over_all=over_all), slow=slow)
        ways = [way for way in selection.ways(adapter) if way.direction in check.directions]
        is_compared = bool(check.topic) and (slow or check.topic not in topics)
        for way in selection.ways(adapter):
            if check.slow and not slow:
                why = Why.IS_SLOW
            elif check.compares:
                why = Why.IS_NO_CONVERSATION
            elif way not in ways:
                why = Why.IS_ABOUT_THE_OTHER_DIRECTION
            elif doubted is not None and check.name not in doubted:
                why = Why.IS_NOT_DOUBTED
            elif not mutant.is_harmless:
                why = _of_wrong(mutant, way, is_compared=bool(subject))
            elif is_compared or slow:
                why = Why.IS_COMPARED if is_compared else Why.MUST_LET_PASS
            elif mutant.where.only is not None:
                why = Why.MEETS_COMPARED_ONLY
            else:
                why = Why.MUST_LET_PASS if way in _half(ways, number) else Why.OTHER_HALF
            decision = Decision(name, check, way, why)
            yield _possible(decision, adapter, selection) if why.is_made else decision
        if slow or not check.slow:
            topics.add(check.topic)
            number += 1


def _wanted(mutant: Mutant, checks: Mapping[str, Check]) -> Sequence[str]:
    """The names of what is to catch a mutant, or, where it is harmless, to let it pass."""
    if not mutant.is_harmless:
        return mutant.caught_by
    return [check.name for check in checks.values() if check.role is mutant.role and not check.compares]


def _of_wrong(mutant: Mutant, way: Way, *, is_compared: bool) -> Why:
    """Why the check of a wrong mutant is made in a way: to be compared it is, where the mutant is honest, too."""
    if is_compared:
        return Why.IS_COMPARED
    return Why.MUST_CATCH if mutant.where.holds(way) else Why.IS_HONEST_HERE


def _half(ways: list[Way], number: int) -> list[Way]:
    """Every other way; for the next check the others."""
    return ways[number % 2 :: 2] if len(ways) > 1 else ways


def _transports(check: Check, adapter: Adapter, *, over_all: bool) -> tuple[str, ...]:
    """Over what a check is made: one transport will do, with TLS where it is about that, unless they are compared."""
    every = tuple(adapter.transports)
    secure = tuple(each for each in every if Way(Direction.FORWARD, each).is_secure)
    return every if over_all else secure[:1] or every[:1] if check.secure else every[:1]


def _possible(wanted: Decision, adapter: Adapter, selection: Selection) -> Decision:
    """The same, unless the implementation stands against it."""
    check, way = wanted.check, wanted.way
    _, reason = why_not(check, way, adapter, selection)
    if reason:
        return replace(wanted, why=Why.IS_NOT_SUPPORTED, said=reason)
    if entry := _fails_anyway(check, way, adapter):
        return replace(wanted, why=Why.FAILS_ANYWAY, said=f"{Why.FAILS_ANYWAY.value}: {entry}")
    return wanted


def _fails_anyway(check: Check, way: Way, adapter: Adapter) -> Expectation | None:
    """The entry that says that a check may fail, from which it would follow nothing that it does."""
    role, direction, transport = check.role.value, way.direction.value, way.transport
    known = adapter.expectations.known
    return next((each for each in known if each.fits(check.name, "", role, direction, transport)), None)
