"""Nothing of what goes over the wire is forgotten: every section has requirements with checks, or a reason."""

from __future__ import annotations

import pytest

from sttp_conformance.ledger import load_ledger
from sttp_conformance.sections import load_sections, requirements_by_section, sources

SECTIONS = load_sections()
COVERED = requirements_by_section(load_ledger())


@pytest.mark.parametrize("section", SECTIONS.titles)
def test_a_section_is_covered_or_the_reason_is_given(section: str) -> None:
    requirements = COVERED.get(section, [])
    if section in SECTIONS.unchecked:
        checked = [each.id for each in requirements if each.checks]
        assert checked == [], f"{section} has checks now; take it out of [unchecked]"
    else:
        assert any(each.checks for each in requirements), f"{section} {SECTIONS.titles[section]}: nothing is checked"


def test_only_sections_that_there_are_have_a_reason() -> None:
    assert SECTIONS.unchecked.keys() <= SECTIONS.titles.keys()
    assert all(len(reason.split()) > 5 for reason in SECTIONS.unchecked.values())


def test_the_ledger_names_only_sections_that_there_are() -> None:
    wire = {section for section in COVERED if section[0].isdigit() and int(section.split(".")[0]) <= 10}
    assert wire - SECTIONS.titles.keys() - {section.split(".")[0] for section in SECTIONS.titles} == set()


def test_all_ten_chapters_are_there() -> None:
    assert {section.split(".")[0] for section in SECTIONS.titles} == {str(number) for number in range(1, 11)}


def test_every_source_can_be_read() -> None:
    for requirement in load_ledger():
        assert sources(requirement)
