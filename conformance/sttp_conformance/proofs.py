"""What came of judging mutants: who was caught by what, and what all of them say together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sttp_conformance.mutants import Mutant

__all__ = ["Judged", "Proof", "summary"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a check made of a mutant.

    Attributes:
        mutant: name of the mutant.
        check: name of the check, with its subject.
        way: in which way it was made; empty for a comparison of two.
        caught: whether it failed.
        message: what it said.
        expected: whether it was to be caught.
    """

    mutant: str
    check: str
    way: str
    caught: bool
    message: str
    expected: bool

    @property
    def holds(self) -> bool:
        """Whether it is as it must be."""
        return self.caught is self.expected

    @property
    def subject(self) -> str:
        """The check whose conversation it is about: of a comparison, what is compared."""
        check, _, subject = self.check.partition("[")
        return subject.removesuffix("]") or check

    def __str__(self) -> str:
        what = "caught by" if self.caught else "NOT caught by" if self.expected else "passed by"
        way = f" ({self.way})" if self.way else ""
        return f"{self.mutant}: {what} {self.check}{way}{f': {self.message}' if self.message else ''}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one mutant.

    Attributes:
        mutant: the mutant.
        proofs: what each check made of it.
        unjudged: why no check could be made; empty when some were.
        seconds: how long it took.
        beside: the names of others that were judged with it, as one mutant.
    """

    mutant: Mutant
    proofs: tuple[Proof, ...]
    unjudged: str = ""
    seconds: float = 0.0
    beside: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it was caught by all that must catch it, or, where it is harmless, by none."""
        return all(proof.holds for proof in self.proofs)

    def of(self, mutant: Mutant, beside: Sequence[str]) -> Judged:
        """The same as what came of one of those that were judged as one.

        Args:
            mutant: the one.
            beside: the names of the others.
        """
        proofs = tuple(replace(proof, mutant=mutant.name) for proof in self.proofs)
        return replace(self, mutant=mutant, proofs=proofs, beside=tuple(beside))

    def with_others(self, other: Judged) -> Judged:
        """What came of it, where some checks were made again: those that the other has proofs of."""
        again = {proof.subject for proof in other.proofs}
        kept = [proof for proof in self.proofs if proof.subject not in again]
        return replace(self, proofs=(*kept, *other.proofs), seconds=self.seconds + other.seconds)

    def lines(self) -> Iterator[str]:
        """Who was caught by what; and each check that should have done otherwise, with what it said."""
        name = f"{self.mutant.name} ({_kind(self.mutant)})"
        if self.unjudged:
            yield f"not judged  {name}: {self.unjudged}"
        elif self.mutant.is_harmless:
            checks = len({proof.check for proof in self.proofs})
            beside = f", together with {len(self.beside)} others" if self.beside else ""
            yield f"{'let pass' if self.holds else 'CAUGHT':<12}{name} by {checks} checks{beside}"
        else:
            checks_and_ways: defaultdict[str, list[str]] = defaultdict(list)
            for proof in self.proofs:
                if proof.caught:
                    checks_and_ways[proof.check] += [proof.way] if proof.way else []
            told = [f"{check} ({', '.join(ways)})" if ways else check for check, ways in checks_and_ways.items()]
            yield f"{'caught' if self.holds else 'SURVIVED':<12}{name} by {'; '.join(told) or 'nobody'}"
        for proof in self.proofs:
            if not proof.holds:
                yield f"            {proof}"


def _kind(mutant: Mutant) -> str:
    kind = f"harmless {mutant.role.value}" if mutant.is_harmless else mutant.role.value
    return f"{kind}, {mutant.where.only.value} only" if mutant.where.only else kind


def summary(judged: Sequence[Judged]) -> Iterator[str]:
    """The numbers: the kill rate of those that are wrong, and how many harmless ones were let pass."""
    wrong = [each for each in judged if not each.mutant.is_harmless]
    seen = [each for each in wrong if not each.unjudged]
    if seen:
        caught = sum(each.holds for each in seen)
        rate = _rate(caught, len(seen))
        yield f"{caught} of {len(seen)} mutants are caught by all checks that must catch them: kill rate {rate}"
        one_way = [each for each in seen if each.mutant.where.only]
        of_those = sum(each.holds for each in one_way)
        checks = {proof.check.partition("[")[0] for each in seen for proof in each.proofs if proof.caught}
        yield f"  of those that are wrong in one direction only, {of_those} of {len(one_way)}"
        yield f"  {len(checks)} checks caught at least one"
    if left := len(wrong) - len(seen):
        yield f"{left} {'is' if left == 1 else 'are'} not judged; the lines above say why"
    harmless = [each for each in judged if each.mutant.is_harmless and not each.unjudged]
    if harmless:
        checks = {proof.check for each in harmless for proof in each.proofs}
        passed = sum(each.holds for each in harmless)
        yield f"{passed} of {len(harmless)} harmless mutants are let pass by all checks ({len(checks)} of them)"


def _rate(part: int, whole: int) -> str:
    """A share in percent, which is 100 only if it is the whole."""
    return "100 %" if part == whole else f"{min(100 * part / whole, 99.9):.1f} %"
