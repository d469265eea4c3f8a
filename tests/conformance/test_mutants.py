"""What the set of mutants promises: how many there are, in which directions they are wrong, and what is harmless."""

from __future__ import annotations

from collections import Counter

import pytest

from sttp.codes import Role
from sttp.transport.memory import stream_pair
from sttp.wire.frame import write_frame
from sttp_conformance.checks import Check, load_checks
from sttp_conformance.faults import Says
from sttp_conformance.middle import Middle
from sttp_conformance.mutants import Mutant, harmless, in_each_direction, load_mutants, mutant, together
from sttp_conformance.proofs import Judged, Proof, summary
from sttp_conformance.prove import groups
from sttp_conformance.rewrites import CLOSE, Conversation, Delay, Process, Raw, dropped, harmed, replaced
from sttp_conformance.ways import Direction, Way

MUTANTS = load_mutants()
WRONG = [mutant for mutant in MUTANTS.values() if not mutant.is_harmless]
HARMLESS = [mutant for mutant in MUTANTS.values() if mutant.is_harmless]
COMPARISONS = [check for check in load_checks().values() if check.compares == "direction"]
FORWARD = Way(Direction.FORWARD, "tcp")


def test_there_are_enough_mutants() -> None:
    assert len(WRONG) >= 120
    assert len(HARMLESS) >= 12
    assert {mutant.role for mutant in HARMLESS} == {mutant.role for mutant in WRONG}


def test_enough_mutants_are_wrong_in_one_direction_only() -> None:
    directions = Counter(mutant.where.only for mutant in WRONG if mutant.where.only is not None)
    assert directions.total() >= 40
    assert min(directions[direction] for direction in Direction) >= 15


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda check: check.name)
def test_each_comparison_of_directions_has_a_mutant_for_each_direction(comparison: Check) -> None:
    wrong_in = {
        mutant.where.only for mutant in WRONG for name in mutant.caught_by if name.partition("[")[0] == comparison.name
    }
    assert wrong_in >= {*Direction}, f"write a mutant for {comparison.name} that is wrong in the other direction only"


def test_harmless_mutants_that_are_judged_together_do_what_each_does() -> None:
    found = [*groups(MUTANTS.values(), 7)]
    assert sorted(mutant.name for group in found for mutant in group) == sorted(each.name for each in HARMLESS)
    for group in found:
        one = together(group)
        assert (one.where, one.is_harmless) == (group[0].where, True)


async def test_what_is_judged_together_is_rewritten_one_after_another() -> None:
    twice = harmless("twice", Role.PUBLISHER, Says(replaced(0x80, lambda frame: (frame, frame))))
    cut = harmless("cut", Role.PUBLISHER, Says(replaced(0x80, lambda frame: (Raw(frame[:1]), Delay(0.0)))))
    ours, theirs = stream_pair()
    await theirs.send([write_frame(b"\x80\x02")])
    one = Middle(ours, together([twice, cut]).faults, Conversation(FORWARD))
    buffer = bytearray(64)
    heard = b"".join([bytes(buffer[: await one.receive_into(buffer)]) for _ in range(2)])
    assert heard == b"\x80\x80"


async def test_what_harms_a_process_harms_its_later_connections_too() -> None:
    deaf, process = harmed(lambda frame, conversation: frame == b"\x0f", CLOSE), Process()
    first, second = (Conversation(FORWARD, number, process) for number in (1, 2))
    assert [*deaf(b"\x02", first), *deaf(b"\x0f", first), *deaf(b"\x02", second)] == [b"\x02", CLOSE, CLOSE]
    assert [*deaf(b"\x02", Conversation(FORWARD))] == [b"\x02"]


def test_who_is_wrong_has_a_fault_and_is_caught_by_something() -> None:
    for faults, checks in (((), ("a",)), ((Says(dropped(0xFF)),), ())):
        with pytest.raises(ValueError, match="a mutant has a fault, and a check that catches it"):
            mutant("nothing", Role.PUBLISHER, *faults, caught_by=checks)


def test_a_mutant_of_each_direction_says_who_dials() -> None:
    both = (
        *in_each_direction("publisher_that_{dials}_is_mute", Role.PUBLISHER, Says(dropped(None)), caught_by=("a",)),
        *in_each_direction("subscriber_that_{dials}_is_mute", Role.SUBSCRIBER, Says(dropped(None)), caught_by=("a",)),
    )
    assert {each.name: each.where.only for each in both} == {
        "publisher_that_dials_is_mute": Direction.REVERSE,
        "publisher_that_is_dialed_is_mute": Direction.FORWARD,
        "subscriber_that_listens_is_mute": Direction.REVERSE,
        "subscriber_that_dials_is_mute": Direction.FORWARD,
    }


def test_who_is_wrong_is_never_judged_together_with_another() -> None:
    one, other = (mutant(name, Role.PUBLISHER, Says(dropped(0xFF)), caught_by=("a",)) for name in ("one", "other"))
    with pytest.raises(ValueError, match="one, other cannot be one mutant"):
        together([one, other])


def judged(mutant: Mutant, *caught: bool) -> Judged:
    proofs = tuple(
        Proof(mutant.name, "a_check", "forward over tcp", each, "expected this, not that", not mutant.is_harmless)
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
