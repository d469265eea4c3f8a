"""Proving that checks can fail: each mutant is judged by the checks that must catch it, and harmless ones by all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from sttp_conformance.adapter import Adapter
from sttp_conformance.cases import role_invariance
from sttp_conformance.checks import Check, load_checks
from sttp_conformance.expectations import Expectation
from sttp_conformance.grace import Grace
from sttp_conformance.lane import Lane, Outcome
from sttp_conformance.mutants import Mutant
from sttp_conformance.runner import Made, make_all, prepared
from sttp_conformance.selection import Selection, why_not
from sttp_conformance.verdicts import Verdict
from sttp_conformance.ways import Direction, Way

__all__ = ["Proof", "prove"]

_GRACE = Grace(reply=2.0, quiet=0.3)
"""Mutants are judged behind an implementation that is known to be quick; what never comes is given up sooner."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a check made of a mutant.

    Attributes:
        mutant: name of the mutant.
        check: name of the check, with its subject.
        caught: whether it failed.
        message: what it said.
        expected: whether it was to be caught.
        judged: whether the check could be made; not, where the implementation does not support what it is about.
    """

    mutant: str
    check: str
    caught: bool
    message: str
    expected: bool
    judged: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is as it must be."""
        return self.caught is self.expected or not self.judged

    def __str__(self) -> str:
        if not self.judged:
            return f"{self.mutant}: not judged by {self.check}: {self.message}"
        what = "caught by" if self.caught else "NOT caught by" if self.expected else "passed by"
        return f"{self.mutant}: {what} {self.check}{f': {self.message}' if self.message else ''}"


async def prove(
    adapter: Adapter,
    mutants: Iterable[Mutant],
    *,
    lanes: int = 2,
    slow: bool = False,
    told: Callable[[Proof], None] = lambda proof: None,
) -> list[Proof]:
    """Judge mutants of an implementation.

    Args:
        adapter: an implementation that passes.
        mutants: what is to be wrong with it.
        lanes: checks that are made at once.
        slow: whether mutants that only slow checks can catch are judged too.
        told: called with each proof as it comes.
    """
    checks = load_checks()
    proofs: list[Proof] = []
    with tempfile.TemporaryDirectory(prefix="sttp-conformance-") as folder:
        run = prepared(folder)
        async with AsyncExitStack() as stack:
            kept = [await stack.enter_async_context(Lane(adapter, _GRACE, run, proving=True)) for _ in range(lanes)]
            for mutant in mutants:
                names = list(checks) if mutant.harmless else list(mutant.caught_by)
                if not slow and not mutant.harmless:
                    names = [name for name in names if not checks[_split(name)[0]].slow]
                due, reasons = _due(adapter, mutant, names, checks, slow=slow)
                found = await _judged(mutant, names, checks, due, reasons, kept)
                if not all(proof.holds for proof in found):  # the processes may have suffered from mutants before
                    async with Lane(adapter, _GRACE, run, proving=True) as fresh:
                        found = await _judged(mutant, names, checks, due, reasons, [fresh])
                for proof in found:
                    proofs.append(proof)
                    told(proof)
    return proofs


async def _judged(
    mutant: Mutant,
    names: list[str],
    checks: Mapping[str, Check],
    due: list[tuple[Check, Way]],
    reasons: Mapping[str, str],
    lanes: list[Lane],
) -> list[Proof]:
    for lane in lanes:
        await lane.become(mutant)
    made = await make_all(due, lanes, lambda check, way, outcome: None)
    return [proof for name in names for proof in _proofs(mutant, name, checks, made, reasons)]


def _split(name: str) -> tuple[str, str]:
    """A check and its subject: `comparison[check]`."""
    check, _, subject = name.partition("[")
    return check, subject.removesuffix("]")


def _due(
    adapter: Adapter, mutant: Mutant, names: list[str], checks: Mapping[str, Check], *, slow: bool
) -> tuple[list[tuple[Check, Way]], dict[str, str]]:
    """What is to be made for a mutant, and why other checks are not: the implementation does not support them."""
    due: dict[tuple[str, Way], tuple[Check, Way]] = {}
    reasons: dict[str, str] = {}
    plain = Selection(transports=(next(iter(adapter.transports)),), slow=slow)
    secure = Selection(transports=_secure(adapter)[:1] or plain.transports, slow=slow)
    every = Selection(transports=tuple(adapter.transports), slow=slow)
    for name in names:
        check, subject = _split(name)
        made = checks[subject or check]
        if made.compares or made.role is not mutant.role:
            continue
        selection = secure if made.secure else plain
        if subject and checks[check].compares == "transport":
            selection = every
        for way in selection.ways(adapter):
            wanted = bool(subject) or mutant.harmless or mutant.is_wrong(way)
            if not wanted or way.direction not in made.directions:
                continue
            unsupported, reason = why_not(made, way, adapter, selection)
            if not reason and (entry := _fails_anyway(adapter, made, way)):
                unsupported, reason = True, f"it fails without the mutant, too: {entry}"
            if not reason:
                due[made.name, way] = (made, way)
            elif unsupported:
                reasons[made.name] = reason
    return list(due.values()), reasons


def _fails_anyway(adapter: Adapter, check: Check, way: Way) -> Expectation | None:
    """The entry that says that a check may fail, from which it would follow nothing that it does."""
    role, direction, transport = check.role.value, way.direction.value, way.transport
    known = adapter.expectations.known
    return next((each for each in known if each.fits(check.name, "", role, direction, transport)), None)


def _secure(adapter: Adapter) -> tuple[str, ...]:
    return tuple(each for each in adapter.transports if Way(Direction.FORWARD, each).is_secure)


def _proofs(
    mutant: Mutant, name: str, checks: Mapping[str, Check], made: Made, reasons: Mapping[str, str]
) -> Iterable[Proof]:
    check, subject = _split(name)
    expected = not mutant.harmless
    ways = [way for made_name, way in made if made_name == (subject or check)]
    if not ways and (reason := reasons.get(subject or check)):
        yield Proof(mutant.name, name, False, reason, expected, judged=False)
        return
    if subject:
        for first, second in role_invariance.pairs(checks[check], ways):
            outcome = role_invariance.compared(
                checks[subject], (first, made.get((subject, first))), (second, made.get((subject, second)))
            )
            yield _proof(mutant, name, outcome)
        return
    for way in ways:
        yield _proof(mutant, f"{name} ({way})", made[check, way])
    if not ways and expected:
        yield Proof(mutant.name, name, False, "the check is made in no way in which the mutant is wrong", True)


def _proof(mutant: Mutant, name: str, outcome: Outcome) -> Proof:
    verdict = outcome.verdict
    caught = verdict not in (Verdict.PASSED, Verdict.UNSUPPORTED) if mutant.harmless else verdict is Verdict.FAILED
    judged = verdict is not Verdict.UNSUPPORTED
    return Proof(mutant.name, name, caught, outcome.message, not mutant.harmless, judged=judged)
