"""What the set of mutants promises: how many there are, in which directions they are wrong, and what is harmless."""

from __future__ import annotations

from collections import Counter

import pytest

from sttp_conformance.checks import Check, load_checks
from sttp_conformance.mutants import Conversation, Delay, Mutant, Raw, dropped, load_mutants, replaced, together
from sttp_conformance.proofs import Judged, Proof, summary
from sttp_conformance.prove import groups
from sttp_conformance.ways import Direction, Way

MUTANTS = load_mutants()
WRONG = [mutant for mutant in MUTANTS.values() if not mutant.harmless]
HARMLESS = [mutant for mutant in MUTANTS.values() if mutant.harmless]
COMPARISONS = [check for check in load_checks().values() if check.compares == "direction"]
FORWARD = Way(Direction.FORWARD, "tcp")


def test_there_are_enough_mutants() -> None:
    assert len(WRONG) >= 120
    assert len(HARMLESS) >= 12
    assert {mutant.role for mutant in HARMLESS} == {mutant.role for mutant in WRONG}


def test_enough_mutants_are_wrong_in_one_direction_only() -> None:
    directions = Counter(mutant.only for mutant in WRONG if mutant.only is not None)
    assert directions.total() >= 40
    assert min(directions[direction] for direction in Direction) >= 15


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda check: check.name)
def test_each_comparison_of_directions_has_a_mutant_for_each_direction(comparison: Check) -> None:
    wrong_in = {
        mutant.only for mutant in WRONG for name in mutant.caught_by if name.partition("[")[0] == comparison.name
    }
    assert wrong_in >= {*Direction}, f"write a mutant for {comparison.name} that is wrong in the other direction only"


def test_harmless_mutants_that_are_judged_together_do_what_each_does() -> None:
    found = [*groups(MUTANTS.values(), 7)]
    assert sorted(mutant.name for group in found for mutant in group) == sorted(each.name for each in HARMLESS)
    for group in found:
        one = together(group)
        assert (one.role, one.only, one.harmless) == (group[0].role, group[0].only, True)


def test_together_rewrites_one_after_another() -> None:
    role = HARMLESS[0].role
    twice = Mutant("twice", role, says=replaced(None, lambda frame: (frame, frame)), harmless=True)
    cut = Mutant("cut", role, says=replaced(None, lambda frame: (Raw(frame[:1]), Delay(0.1))), harmless=True)
    one = together([twice, cut])
    assert one.says is not None
    assert one.says(b"\xff\x02", Conversation(FORWARD)) == [Raw(b"\xff"), Delay(0.1), Raw(b"\xff"), Delay(0.1)]


def test_who_is_wrong_is_never_judged_together_with_another() -> None:
    one, other = (Mutant(name, HARMLESS[0].role, caught_by=("a",), says=dropped(0xFF)) for name in ("one", "other"))
    with pytest.raises(ValueError, match="one, other cannot be one mutant"):
        together([one, other])


def judged(mutant: Mutant, *caught: bool) -> Judged:
    proofs = tuple(
        Proof(mutant.name, "a_check", "forward over tcp", each, "expected this, not that", not mutant.harmless)
        for each in caught
    )
    return Judged(mutant, proofs, unjudged="" if caught else "only slow checks can catch it (--slow)")


def test_what_came_of_mutants_is_told() -> None:
    wrong, harmless = WRONG[0], HARMLESS[0]
    assert next(judged(wrong, True).lines()).startswith(f"caught      {wrong.name} (publisher) by a_check (forward")
    survived = [*judged(wrong, True, False).lines()]
    assert survived[0].startswith("SURVIVED")
    assert f"{wrong.name}: NOT caught by a_check (forward over tcp): expected this" in survived[1]
    assert next(judged(harmless, False).lines()).startswith(
        f"let pass    {harmless.name} (harmless publisher) by 1 check"
    )
    assert next(judged(harmless, True).lines()).startswith("CAUGHT")
    assert [*judged(wrong).lines()] == [f"not judged  {wrong.name} (publisher): only slow checks can catch it (--slow)"]


def test_who_is_doubted_together_with_others_is_let_pass_if_he_is_alone() -> None:
    together_with_another = judged(HARMLESS[0], True).of(HARMLESS[1], ["another"])
    assert not together_with_another.holds
    assert together_with_another.with_others(judged(HARMLESS[1], False)).holds
    assert [each.mutant for each in together_with_another.proofs] == [HARMLESS[1].name]


def test_the_kill_rate_is_a_hundred_percent_only_if_nobody_survives() -> None:
    found = [judged(WRONG[0], True), judged(WRONG[1], False), judged(WRONG[2]), judged(HARMLESS[0], False)]
    assert [*summary(found)] == [
        "1 of 2 mutants are caught by all checks that must catch them: kill rate 50.0 %",
        "  of those that are wrong in one direction only, 0 of 0",
        "  1 checks caught at least one",
        "1 is not judged; the lines above say why",
        "1 of 1 harmless mutants are let pass by all checks (1 of them)",
    ]
    many = [*(judged(WRONG[0], True) for _ in range(2_999)), judged(WRONG[1], False)]
    assert "kill rate 99.9 %" in next(summary(many))
    assert "kill rate 100 %" in next(summary(many[:-1]))
