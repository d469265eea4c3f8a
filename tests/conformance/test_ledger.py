"""The ledger and the checks know each other, and every check has a recorded way to fail."""

from __future__ import annotations

import pytest

from sttp_conformance.cases.role_invariance import is_compared
from sttp_conformance.checks import TOPICS, Check, load_checks
from sttp_conformance.ledger import CHAPTERS, Ledger, load_ledger
from sttp_conformance.mutants import Mutant, load_mutants
from sttp_conformance.mutations import harmless

LEDGER = load_ledger()
CHECKS = load_checks()
MUTANTS = load_mutants()


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.name)
def test_a_check_is_about_requirements_of_its_role(check: Check) -> None:
    assert check.requirements, f"{check.name} is no check of requirements.toml"
    for each in check.requirements:
        assert LEDGER.requirements[each].role in ("both", check.role.value)


def test_every_check_of_the_ledger_is_written() -> None:
    missing = LEDGER.by_check.keys() - CHECKS.keys()
    if missing:
        pytest.xfail(f"{len(missing)} checks are still to be written, such as {min(missing)}")


def test_chapters_are_modules() -> None:
    assert {check.chapter for check in CHECKS.values()} <= set(CHAPTERS.values())
    assert {chapter for chapter, _ in TOPICS} <= set(CHAPTERS.values())


def test_every_check_has_a_recorded_way_to_fail() -> None:
    caught = {name.partition("[")[0] for mutant in MUTANTS.values() for name in mutant.caught_by}
    assert CHECKS.keys() - caught == set(), "write mutants that these catch"


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_a_mutant_is_to_be_caught_by_checks_of_its_role(mutant: Mutant) -> None:
    assert mutant.is_harmless is (mutant in harmless.MUTANTS)
    for name in mutant.caught_by:
        check, _, subject = name.partition("[")
        assert CHECKS[check].role is mutant.role
        assert not subject or is_compared(CHECKS[subject.removesuffix("]")], CHECKS[check])


REQUIREMENT = """
edition = "1"
[[requirement]]
id = "STTP-FRM-001"
source = "wire.md 1"
level = "must"
role = "both"
text = "A rule."
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (REQUIREMENT, "give either checks, or in unchecked the reason"),
        (REQUIREMENT + 'checks = ["a"]\nunchecked = "b"', "give either checks, or in unchecked the reason"),
        (REQUIREMENT + 'check = ["a"]', "unknown key 'check'"),
        (REQUIREMENT.replace("FRM", "XYZ") + 'checks = ["a"]', "STTP-XYZ-001: an id is STTP-CHAPTER-NUMBER"),
        (REQUIREMENT.replace("both", "all") + 'checks = ["a"]', "role is publisher, subscriber or both"),
    ],
)
def test_a_ledger_that_is_wrong_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Ledger.read(text)
