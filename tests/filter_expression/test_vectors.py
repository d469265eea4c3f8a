"""What other engines yield: on 123 expressions they agree, on 54 they do not (see vectors/README.md)."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sttp import ticks
from sttp.errors import FilterError
from sttp.filter_expression import select_rows
from sttp.filter_expression.budget import Budget
from sttp.filter_expression.evaluate import evaluate
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.syntax import parse_expression
from sttp.limits import DEFAULT_LIMITS
from sttp.metadata import DataSet, read_dataset

HERE = Path(__file__).parent
AGREED = json.loads((HERE / "vectors/vectors.json").read_text("utf-8"))["vectors"]
DIVERGENT = json.loads((HERE / "vectors/divergent.json").read_text("utf-8"))["vectors"]

OURS: dict[str, Any] = {
    "d011": {"result": {"type": "Int32", "value": 2}},
    "d026": {"result": {"type": "String", "value": "2024-05-06T07:08:09.12"}},
    "d028": {"result": {"type": "Int32", "value": 2}},
}
"""What sttp-kit yields where nothing is recommended; departures.md argues."""

Vector = dict[str, Any]


@pytest.fixture(scope="module")
def dataset() -> DataSet:
    return read_dataset((HERE.parent / "metadata/vectors/metadata-sample.xml").read_bytes())


def outcome(vector: Vector, dataset: DataSet) -> dict[str, Any]:
    try:
        if vector["kind"] == "value":
            table = dataset.table(vector["table"])
            ((value_type, value),) = evaluate(
                parse_expression(vector["expression"]), table, Budget(DEFAULT_LIMITS), [vector["row"]]
            )
            return {"result": {"type": str(value_type), "value": value}}
        found = select_rows(vector["expression"], dataset, primary_table=vector["table"])
    except (FilterError, Refusal) as error:
        return {"error": str(error)}
    if vector["kind"] == "rows":
        return {"rows": [f"{each.table.name}:{row}" for each in found for row in each.rows]}
    return {"signals": [str(each.table.column("SignalID")[row]) for each in found for row in each.rows]}


def agrees(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    if "error" in expected or "error" in found:
        return "error" in expected and "error" in found
    if "result" in expected:
        return same_value(found["result"], expected["result"])
    return all(found[kind] == expected[kind] for kind in ("rows", "signals") if kind in expected)


def same_value(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    if found["type"] != expected["type"]:
        return False
    ours, theirs = found["value"], expected["value"]
    if ours is None or theirs is None:
        return ours is theirs
    match expected["type"]:
        case "Decimal":
            return bool(ours == Decimal(theirs))
        case "Double":
            return math.isclose(ours, theirs, rel_tol=1e-13)
        case "Guid":
            return bool(ours == UUID(theirs))
        case "DateTime":
            return bool(ours == ticks.from_iso(theirs))
    return type(ours) is type(theirs) and bool(ours == theirs)


@pytest.mark.parametrize("vector", AGREED, ids=lambda vector: vector["id"])
def test_where_two_engines_agree_so_do_we(vector: Vector, dataset: DataSet) -> None:
    found = outcome(vector, dataset)
    assert agrees(found, vector["expected"]), f"{vector['expression']}: {found}"


@pytest.mark.parametrize("vector", DIVERGENT, ids=lambda vector: vector["id"])
def test_where_they_differ_we_yield_what_is_recommended(vector: Vector, dataset: DataSet) -> None:
    found = outcome(vector, dataset)
    match vector["recommended"]:
        case None:
            assert agrees(found, OURS[vector["id"]])
        case "error":
            assert "error" in found
        case "either":
            assert agrees(found, vector["pyapi"]) or agrees(found, vector["cppapi"])
        case engine:
            assert agrees(found, vector[engine]), f"{vector['expression']}: {found}"


def test_no_vector_is_missing() -> None:
    assert (len(AGREED), len(DIVERGENT)) == (123, 54)
    assert {vector["id"] for vector in DIVERGENT if vector["recommended"] is None} == OURS.keys()


def test_departures_tells_of_every_divergent_vector(repository: Path) -> None:
    text = (repository / "docs/explanation/departures.md").read_text("utf-8")
    told = text.partition("## Filter expressions")[2].partition("\n## ")[0]
    assert [vector["id"] for vector in DIVERGENT if vector["id"] not in told] == []
