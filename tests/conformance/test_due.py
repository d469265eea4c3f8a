"""Which checks a mutant meets, and the reasons why it does not meet the others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sttp_conformance.adapter import read_adapter
from sttp_conformance.checks import load_checks
from sttp_conformance.due import Why, decided
from sttp_conformance.mutants import Mutant, load_mutants

CHECKS = load_checks()
MUTANTS = load_mutants()


def decisions(repository: Path, mutant: Mutant, **options: bool) -> list[str]:
    adapter = read_adapter(repository / "conformance/adapters/sttp-kit")
    return [str(each) for each in decided(mutant, adapter, CHECKS, **options)]


def test_a_mutant_is_judged_where_it_is_wrong_by_what_must_catch_it(repository: Path) -> None:
    assert decisions(repository, MUTANTS["publisher_that_dials_offers_no_cache"]) == [
        "dialing_publisher_serves_a_whole_session (forward over tcp): not made: the check is about the other direction",
        "dialing_publisher_serves_a_whole_session (reverse over tcp): made: it must catch the mutant",
    ]
    assert decisions(repository, MUTANTS["publisher_that_dials_does_not_use_udp"])[0].startswith("udp_works_in_reverse")


def test_what_is_compared_is_made_where_the_mutant_is_honest_too(repository: Path) -> None:
    name = "publisher_gives_metadata_alike_in_both_directions[answers_metadata_refresh]"
    assert decisions(repository, MUTANTS["publisher_that_dials_gives_other_metadata"]) == [
        f"{name} ({way} over tcp): made: what it records is compared with another way" for way in ("forward", "reverse")
    ]


def test_slow_checks_wait_until_they_are_asked_for(repository: Path) -> None:
    mutant = MUTANTS["publisher_loses_a_large_cache"]
    assert decisions(repository, mutant)[0] == (
        "serves_100000_signals (forward over tcp): not made: only slow checks can catch it (--slow)"
    )
    assert all(each.endswith("made: it must catch the mutant") for each in decisions(repository, mutant, slow=True))


def test_what_fails_anyway_proves_nothing(repository: Path) -> None:
    (first, *_) = decisions(repository, MUTANTS["publisher_sends_each_buffer_block_once"])
    assert first.startswith("repeats_unconfirmed_buffer_blocks (forward over tcp): not made: it fails without the mut")


def test_a_harmless_mutant_meets_half_of_the_checks_in_either_direction(repository: Path) -> None:
    adapter = read_adapter(repository / "conformance/adapters/sttp-kit")
    found = [*decided(MUTANTS["publisher_fails_in_more_words"], adapter, CHECKS)]
    made = Counter(each.way.direction for each in found if each.why is Why.MUST_LET_PASS)
    left = Counter(each.way.direction for each in found if each.why is Why.OTHER_HALF)
    assert min(made.values()) > 40
    assert min(left.values()) > 40
    topics = [each.check.topic for each in found if each.why is Why.IS_COMPARED]
    assert set(Counter(topics).values()) == {2}


def test_one_that_differs_in_one_direction_meets_what_is_compared(repository: Path) -> None:
    adapter = read_adapter(repository / "conformance/adapters/sttp-kit")
    found = [*decided(MUTANTS["publisher_that_is_dialed_is_slow"], adapter, CHECKS)]
    assert {each.why for each in found if each.why.is_made} == {Why.IS_COMPARED}
    assert any(each.why is Why.MEETS_COMPARED_ONLY for each in found)


def test_only_what_is_doubted_is_made_again(repository: Path) -> None:
    adapter = read_adapter(repository / "conformance/adapters/sttp-kit")
    mutant = MUTANTS["publisher_fails_in_more_words"]
    found = [*decided(mutant, adapter, CHECKS, doubted={"compact_values_are_exact"})]
    assert {each.check.name for each in found if each.why.is_made} == {"compact_values_are_exact"}
    assert any(each.why is Why.IS_NOT_DOUBTED for each in found)
