"""Proving that checks can fail: each mutant is judged by the checks that must catch it, and harmless ones by all."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sttp_conformance.adapter import Adapter
from sttp_conformance.cases import role_invariance
from sttp_conformance.checks import Check, load_checks
from sttp_conformance.due import Why, check_and_subject, decided
from sttp_conformance.grace import Grace
from sttp_conformance.lane import Lane
from sttp_conformance.mutants import Mutant, Where, together
from sttp_conformance.proofs import Judged, Proof
from sttp_conformance.runner import Made, make_all, prepared
from sttp_conformance.verdicts import Verdict

__all__ = ["LANES", "groups", "prove"]

LANES: Final = 2 * max(1, min(4, os.cpu_count() or 1))
"""Mutants that are judged at once: checks wait more than they work."""

_GRACE: Final = Grace(reply=2.0, quiet=0.3)
"""Mutants are judged behind an implementation that is known to be quick; what never comes is given up sooner."""

_PATIENCE: Final = Grace(reply=10.0, quiet=0.3)
"""For harmless ones, and where a proof is made again. What comes costs nothing, however long one would have waited."""

_TOGETHER: Final = 7
"""Harmless mutants that are judged as one."""


async def prove(
    adapter: Adapter,
    mutants: Iterable[Mutant],
    *,
    lanes: int = LANES,
    slow: bool = False,
    told: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Judge mutants of an implementation.

    A harmless mutant meets every check of its role. Without `slow` several of them are one mutant that does what each
    does, it meets half of the checks forward and half in reverse, and of each topic one check in both, to be compared.
    One that differs in one direction only meets just those. What some check does not let pass is judged by itself.

    Args:
        adapter: an implementation that passes.
        mutants: what is to be wrong with it.
        lanes: mutants that are judged at once.
        slow: whether slow checks are made too, and each harmless mutant by itself meets all checks in both directions.
        told: called with what came of each mutant, as it comes.

    Returns:
        What came of them, in the order in which they were given.
    """
    checks = load_checks()
    given = [*mutants]
    found: dict[str, Judged] = {}
    # those that meet every check take longest, so they come first
    waiting = [*([each] for each in given if not each.is_harmless), *groups(given, 1 if slow else _TOGETHER)]

    async def work(run: Path) -> None:
        async with Lane(adapter, _GRACE, run, proving=True) as lane:
            while waiting:
                group = waiting.pop()
                one = group[0] if len(group) == 1 else together(group)
                judged = await _Judging(adapter, one, checks, slow=slow).judged(lane, run)
                doubted = {proof.subject for proof in judged.proofs if not proof.holds}
                for each in group:
                    found[each.name] = judged.of(each, [other.name for other in group if other is not each])
                    if doubted and len(group) > 1:
                        alone = await _Judging(adapter, each, checks, slow=slow, doubted=doubted).judged(lane, run)
                        found[each.name] = found[each.name].with_others(alone)
                    told(found[each.name])

    with tempfile.TemporaryDirectory(prefix="sttp-conformance-") as folder:
        run = prepared(folder)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(lanes):
                tasks.create_task(work(run))
    return [found[mutant.name] for mutant in given]


def groups(mutants: Iterable[Mutant], most: int) -> Iterator[list[Mutant]]:
    """Harmless mutants that can be one."""
    alike: defaultdict[Where, list[Mutant]] = defaultdict(list)
    for each in mutants:
        if each.is_harmless:
            alike[each.where].append(each)
    for group in alike.values():
        yield from (group[start : start + most] for start in range(0, len(group), most))


class _Judging:
    """The checks that one mutant has to meet, and what they make of it."""

    def __init__(
        self,
        adapter: Adapter,
        mutant: Mutant,
        checks: Mapping[str, Check],
        *,
        slow: bool,
        doubted: Collection[str] | None = None,
    ) -> None:
        self._adapter = adapter
        self._mutant = mutant
        self._checks = checks
        self._decisions = [*decided(mutant, adapter, checks, slow=slow, doubted=doubted)]
        due = {(each.check.name, each.way): (each.check, each.way) for each in self._decisions if each.why.is_made}
        self._due = list(due.values())
        self._reasons = {each.check.name: each.reason for each in self._decisions if each.why.is_of_the_implementation}

    async def judged(self, lane: Lane, run: Path) -> Judged:
        """Meet the checks; those that do not make of it what they must meet it again, on processes of their own.

        The processes of a lane may have suffered from the mutants before.
        """
        began = time.monotonic()
        if all(each.why is Why.IS_SLOW for each in self._decisions):
            return Judged(self._mutant, (), unjudged=Why.IS_SLOW.value)
        if not self._due and self._reasons:
            return self._unjudged()
        await lane.become(self._mutant, _PATIENCE if self._mutant.is_harmless else _GRACE)
        made = await make_all(self._due, [lane], lambda check, way, outcome: None)
        proofs = self._proofs(made)
        if wrong := {proof.subject for proof in proofs if not proof.holds}:
            async with Lane(self._adapter, _PATIENCE, run, proving=True) as fresh:
                await fresh.become(self._mutant, _PATIENCE)
                again = [(check, way) for check, way in self._due if check.name in wrong]
                made |= await make_all(again, [fresh], lambda check, way, outcome: None)
            proofs = self._proofs(made)
        if not proofs and self._reasons:
            return self._unjudged()
        return Judged(self._mutant, tuple(proofs), seconds=time.monotonic() - began)

    def _unjudged(self) -> Judged:
        return Judged(self._mutant, (), unjudged="; ".join(dict.fromkeys(self._reasons.values())))

    def _proofs(self, made: Made) -> list[Proof]:
        names = dict.fromkeys(each.name for each in self._decisions if each.why is not Why.IS_SLOW)
        return [proof for name in (*names, *self._comparisons()) for proof in self._of(name, made)]

    def _comparisons(self) -> Iterator[str]:
        """Of a harmless mutant, the comparisons of both directions that must let it pass; a wrong one names them."""
        if self._mutant.is_harmless:
            compared = {each.check.name: each.check for each in self._decisions if each.why is Why.IS_COMPARED}
            for comparison in self._checks.values():
                if comparison.compares == "direction":
                    for name, check in compared.items():
                        if role_invariance.is_compared(check, comparison):
                            yield f"{comparison.name}[{name}]"

    def _of(self, name: str, made: Made) -> Iterable[Proof]:
        mutant, (check, subject) = self._mutant, check_and_subject(name)
        ways = [way for made_name, way in made if made_name == (subject or check)]
        if subject:
            for first, second in role_invariance.pairs(self._checks[check], ways):
                outcome = role_invariance.compared(
                    self._checks[subject], (first, made.get((subject, first))), (second, made.get((subject, second)))
                )
                caught = outcome.verdict is Verdict.FAILED
                if outcome.verdict is Verdict.UNSUPPORTED:
                    self._reasons[subject] = outcome.message
                    continue
                yield Proof(mutant.name, name, "", caught, outcome.message, not mutant.is_harmless)
            return
        for way in ways:
            if not (mutant.is_harmless or mutant.where.holds(way)):
                continue  # made for a comparison only
            outcome = made[check, way]
            if outcome.verdict is Verdict.UNSUPPORTED:
                self._reasons[check] = outcome.message
                continue
            caught = outcome.verdict is not Verdict.PASSED if mutant.is_harmless else outcome.verdict is Verdict.FAILED
            message = "" if outcome.verdict is Verdict.PASSED else outcome.message
            yield Proof(mutant.name, name, str(way), caught, message, not mutant.is_harmless)
        if not ways and not mutant.is_harmless and check not in self._reasons:
            message = "the check is made in no way in which the mutant is wrong"
            yield Proof(mutant.name, name, "", False, message, True)
