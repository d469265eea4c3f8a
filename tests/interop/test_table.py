"""The table in the documentation says what these tests see, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from interop_table import CASES, MARKER, PAGE, page

TESTS = ("test_publishing", "test_subscribing")


def test_the_page_is_current() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert MARKER in written
    assert written == page(), "run: .venv/bin/python tests/support/interop_table.py"


def test_every_claim_of_the_table_has_a_test() -> None:
    claims = {(case.name, direction) for case in CASES for direction in case.outcomes}
    assert {claim for name in TESTS for claim in _proved_by(name)} == claims


def test_every_defect_is_explained() -> None:
    explained = re.findall(r"^\* \*\*(Y\d+)\*\*: ", page(), re.MULTILINE)
    assert set(explained) == {defect for case in CASES for defect in case.defects}


def _proved_by(name: str) -> set[tuple[str, str]]:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {test.proves for test in vars(module).values() if hasattr(test, "proves")}
