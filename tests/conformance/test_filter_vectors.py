"""The filter expressions of the suite: copies of the vectors, and questions that our own engine answers rightly."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from sttp import Metadata
from sttp.errors import FilterError
from sttp_conformance.filter_metadata import METADATA, SIGNAL_IDS
from sttp_conformance.filter_vectors import (
    AGREED,
    DIVERGENT,
    PORTABLE,
    TYPED,
    Question,
    of_measurements,
)

HERE = Path(__file__).resolve().parent
OURS = Metadata.read(METADATA)
ASKED = [*chain(*AGREED.values()), *DIVERGENT["recommended"], *DIVERGENT["wrong"], *DIVERGENT["killers"], *PORTABLE]


@pytest.mark.parametrize(
    ("copy", "original"),
    [
        ("filter.json", "filter_expression/vectors/vectors.json"),
        ("filter-divergent.json", "filter_expression/vectors/divergent.json"),
        ("filter-metadata.xml", "metadata/vectors/metadata-sample.xml"),
    ],
)
def test_the_suite_has_unchanged_copies_of_the_vectors(repository: Path, copy: str, original: str) -> None:
    ours = repository / "conformance/sttp_conformance/vectors" / copy
    assert ours.read_bytes() == (repository / "tests" / original).read_bytes()


def rows(expression: str) -> list[int]:
    try:
        return sorted(SIGNAL_IDS.index(signal.signal_id) for signal in OURS.select(expression))
    except FilterError:
        return []


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.name)
def test_a_question_is_answered_as_it_should_be(question: Question) -> None:
    assert rows(question.expression) in [sorted(each) for each in question.results]


@pytest.mark.parametrize("question", TYPED, ids=lambda question: question.name)
def test_a_question_about_types_is_answered_as_it_should_be(question: Question) -> None:
    found = OURS.narrow(question.expression).dataset.table("TypeTest").column("Key")
    assert tuple(key - 1 for key in found if isinstance(key, int)) in question.results


def test_most_vectors_are_asked() -> None:
    assert {kind: len(found) for kind, found in AGREED.items()} == {"rows": 33, "values": 71, "wrong": 8}
    assert {kind: len(found) for kind, found in DIVERGENT.items()} == {
        "recommended": 34, "wrong": 12, "killers": 2, "open": 6,
    }  # fmt: skip
    assert len(of_measurements((*AGREED["rows"], *AGREED["values"]))) == 94


def test_no_question_is_answered_by_selecting_everything() -> None:
    everything = tuple(range(len(SIGNAL_IDS)))
    exceptions = {question.name for question in ASKED if everything in question.results}
    assert exceptions == {"f009", "f033"}  # which ask for everything
