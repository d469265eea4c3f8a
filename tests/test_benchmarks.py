"""What the page on benchmarks says of numbers: verdicts, ratios to goals, and intervals."""

from __future__ import annotations

import importlib.util
import random
import statistics
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmark_page
import pytest


@pytest.fixture(scope="module")
def suite(repository: Path) -> ModuleType:
    """The script that `make bench` runs."""
    directory = repository / "tests" / "benchmarks"
    sys.path.insert(0, str(directory))
    try:
        spec = importlib.util.spec_from_file_location("suite", directory / "suite.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["suite"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(directory))
    return module


def row(goal: float | None, better: str, *runs: float) -> dict[str, Any]:
    return {"group": "g", "name": "n", "unit": "u", "goal": goal, "better": better, "runs": list(runs), "peer": []}


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (row(30, "higher", 30, 31, 29), "yes"),
        (row(30, "higher", 15, 15.1, 40), "**no**, slower by 2.0 times"),
        (row(90, "lower", 80, 85, 300), "yes"),
        (row(90, "lower", 360), "**no**, more by 4.0 times"),
        (row(1, "lower", -3), "yes"),
        ({**row(1.0, "equal", 0.9, 1.02, 1.05), "interval": (0.96, 1.04)}, "yes"),
        ({**row(1.0, "equal", 1.1, 1.1), "interval": (1.06, 1.2)}, "**no**"),
        (
            {**row(1.0, "equal", 1.0, 1.0), "interval": (0.8, 1.2)},
            "not shown: the interval of the median is 0.800 to 1.200",
        ),
        (row(None, "higher", 5), ""),
    ],
)
def test_a_goal_that_is_missed_is_said_to_be_missed_and_by_how_much(given: dict[str, Any], verdict: str) -> None:
    assert benchmark_page._verdict(given) == verdict


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.0123456, "0.0123"), (3.14159, "3.14"), (1234.5, "1234"), (-0.5, "-0.500")]
)
def test_numbers_have_three_digits(number: float, text: str) -> None:
    assert benchmark_page._number(number) == text


def test_every_row_of_the_results_is_on_the_page() -> None:
    text = "".join(benchmark_page.page())
    for each in benchmark_page.read()["rows"]:
        assert f"| {each['name']}, {each['unit']} |" in text


def test_the_interval_covers_the_median_as_often_as_it_says(suite: ModuleType) -> None:
    dice = random.Random(1)
    covered = 0
    for _ in range(2000):
        low, high = suite.interval_of_median([dice.lognormvariate(0, 0.3) for _ in range(15)])
        covered += low <= 1 <= high
    assert 0.95 <= covered / 2000 <= 0.985


def test_the_interval_is_no_wider_than_need_be(suite: ModuleType) -> None:
    values = list(range(1, 16))
    assert suite.interval_of_median(values) == (4, 12)  # 96.5 %; (5, 11) would be 88 %
    assert suite.interval_of_median([1.0, 2.0]) == (1.0, 2.0)
    assert statistics.median(values) == 8
