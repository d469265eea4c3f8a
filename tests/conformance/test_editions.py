"""Editions of the requirements are frozen: what is added later is judged and told, and counts from its own on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from records import record, result
from sttp.cli import main
from sttp.codes import Role
from sttp_conformance.adapter import read_adapter
from sttp_conformance.checks import Check
from sttp_conformance.judgement import Judgement
from sttp_conformance.lane import Outcome
from sttp_conformance.ledger import Ledger, Level
from sttp_conformance.selection import Selection
from sttp_conformance.verdicts import Result, Verdict
from sttp_conformance.ways import Direction, Way

OURS = Path(__file__).resolve().parent.parent.parent / "conformance" / "adapters" / "sttp-kit"
ENTRY = """
[[requirement]]
id = "STTP-FRM-{number}"
source = "wire.md 1"
level = "{level}"
role = "both"
text = "A rule."
checks = ["a"]
{since}
"""
LEDGER = Ledger.read(
    'edition = "2026.9"'
    + ENTRY.format(number="001", level="should", since="")
    + ENTRY.format(number="002", level="must", since='since = "2026.10"')
)


async def _nothing(case: object) -> None:
    """Never made."""


def judged(ledger: Ledger, *requirements: str, since: str = "") -> Result:
    check = Check(
        name="a",
        chapter="framing",
        requirements=requirements,
        role=Role.PUBLISHER,
        title="A.",
        body=_nothing,
        since=since,
    )
    outcome = Outcome(verdict=Verdict.FAILED, message="nothing came")
    return Judgement(read_adapter(OURS), Selection(), ledger).result(check, Way(Direction.FORWARD), outcome)


def test_editions_are_in_order_and_known() -> None:
    assert LEDGER.editions == ["2026.9", "2026.10"]
    with pytest.raises(ValueError, match=r"there is no edition '2027.1' of the requirements; there is 2026.9, 2026.10"):
        LEDGER.at("2027.1")


def test_a_later_requirement_does_not_count_before_its_edition() -> None:
    early = judged(LEDGER, "STTP-FRM-002")
    assert (early.counts, early.is_red) == (False, False)
    late = judged(LEDGER.at("2026.10"), "STTP-FRM-002")
    assert (late.counts, late.is_red) == (True, True)


def test_a_check_of_old_and_new_requirements_is_as_strong_as_what_counts() -> None:
    assert judged(LEDGER, "STTP-FRM-001", "STTP-FRM-002").level is Level.SHOULD
    assert judged(LEDGER.at("2026.10"), "STTP-FRM-001", "STTP-FRM-002").level is Level.MUST


def test_a_later_check_of_an_old_requirement_does_not_count_either() -> None:
    assert not judged(LEDGER, "STTP-FRM-001", since="2026.10").counts
    assert judged(LEDGER.at("2026.10"), "STTP-FRM-001", since="2026.10").counts


@pytest.mark.parametrize("since", ["2026", "soon", "2026.1.1", "٢٠٢٦.1"])
def test_an_edition_is_a_year_and_a_number(since: str) -> None:
    with pytest.raises(ValueError, match=r"STTP-FRM-001: since: an edition is YEAR.NUMBER"):
        Ledger.read('edition = "2026.1"' + ENTRY.format(number="001", level="must", since=f'since = "{since}"'))


def test_an_edition_that_does_not_exist_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "run", str(OURS), "--edition", "1999.1"]) == 2
    assert "--edition: there is 2026.1, not '1999.1'" in capsys.readouterr().err


def test_a_broken_check_that_does_not_count_does_not_break_the_run() -> None:
    broken = result("new", Verdict.BROKEN, counts=False)
    assert record(broken).exit_code == 0
    assert record(replace(broken, counts=True)).exit_code == 2
