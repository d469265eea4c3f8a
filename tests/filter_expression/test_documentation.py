"""What the documentation says of the language is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filters import values_of
from sttp.errors import FilterError
from sttp.filter_expression import select_rows
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.signatures import SIGNATURES, Signature
from sttp.filter_expression.syntax import parse
from sttp.metadata import DataSet, Metadata

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/reference/filter-expressions.md").read_text("utf-8")
CELLS = re.compile(r"(?<!\\)\|")


def rows_of(*heads: str) -> list[tuple[str, ...]]:
    """The cells of all tables whose first columns have these heads."""
    found: list[tuple[str, ...]] = []
    inside = False
    for line in PAGE.splitlines():
        cells = tuple(cell.strip().replace("\\|", "|") for cell in CELLS.split(line)[1:-1])
        if not cells:
            inside = False
        elif cells[: len(heads)] == heads:
            inside = True
        elif inside and not cells[0].startswith("---"):
            found.append(cells)
    return found


SELECTIONS = rows_of("Expression", "Selects")
VALUES = rows_of("Expression", "Value")


@pytest.fixture(scope="module")
def grid() -> DataSet:
    metadata = Metadata.from_file(ROOT / "sttp/data/kundur-two-area-fault.metadata.xml")
    return DataSet(tables=(*metadata.dataset.tables, metadata.active_measurements))


def test_the_tables_are_found() -> None:
    assert len(SELECTIONS) > 15
    assert len(VALUES) > 30


@pytest.mark.parametrize(("expression", "count"), [(row[0], row[1]) for row in SELECTIONS])
def test_what_examples_select(expression: str, count: str, grid: DataSet) -> None:
    assert sum(len(each.rows) for each in select_rows(expression.strip("`"), grid)) == int(count)


@pytest.mark.parametrize(("expression", "value"), [(row[0], row[1]) for row in VALUES])
def test_what_examples_yield(expression: str, value: str) -> None:
    if value == "error":
        with pytest.raises((FilterError, Refusal)):
            values_of(expression.strip("`"))
    else:
        assert values_of(expression.strip("`")) == values_of(value.strip("`"))


def usage(name: str, signature: Signature) -> str:
    parameters = [f"[{each.name}]" if each.optional else each.name for each in signature.parameters]
    return f"`{name}({', '.join([*parameters, *['…'] * signature.repeated])})`"


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_every_function_is_explained(name: str) -> None:
    (row,) = [row for row in rows_of("Function", "Result") if f"`{name}(" in row[0]]
    assert usage(name, SIGNATURES[name]) in row[0]
    result = SIGNATURES[name].result
    assert result is None or row[1] == str(result)


def examples(path: Path) -> list[str]:
    """Filter expressions in code: what stands in quotes and begins with FILTER, and what follows `--filter`."""
    text = path.read_text("utf-8")
    return re.findall(r'"(FILTER [^"\n]+)"', text) + re.findall(r'--filter "([^"\n]+)"', text)


PAGES = [
    ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "sttp/cli").glob("*.py")),
    ROOT / "sttp/subscriber.py",
]  # fmt: skip
EVERYWHERE = [(path.name, each) for path in PAGES for each in examples(path)]


def test_the_readme_and_the_tutorial_have_examples() -> None:
    assert {"README.md", "first-stream.md", "subscribe.py", "metadata.py"} <= {name for name, _ in EVERYWHERE}


@pytest.mark.parametrize(("page", "expression"), EVERYWHERE)
def test_examples_elsewhere_can_be_evaluated(page: str, expression: str, grid: DataSet) -> None:
    if "FILTER ActiveMeasurements SignalType" in expression:
        with pytest.raises(FilterError, match="WHERE expected"):
            parse(expression)
        return
    assert select_rows(expression, grid)
