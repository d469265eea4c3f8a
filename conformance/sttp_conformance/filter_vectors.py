"""Filter expressions with known results (`vectors/README.md`), put so that a publisher can be asked over the network.

They are about the table ActiveMeasurements, which a publisher makes of its metadata (`filter_metadata.py`). What does
not follow from that, such as an alternate tag, is not asked; nor are types of values, which cannot be seen.

A vector that is a value is asked as a condition: `SignalType = 'FREQ' AND (1 + 2 * 3) = 9` selects three signals, for
whoever computes as expected, and whoever finds everything or nothing is noticed too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sttp_conformance.filter_metadata import RENAMED, SIGNAL_IDS

__all__ = ["AGREED", "DIVERGENT", "PORTABLE", "TYPED", "Question", "of_measurements"]

_FREQUENCIES: Final = ("SignalType = 'FREQ'", (0, 7, 12))
"""A condition, and the rows for which it is true, to which conditions without any column are added."""

_NOT_DERIVED: Final = re.compile(r"\b(AlternateTag|Multiplier|Adder|Latitude|DeviceDetail|TypeTest)\b")
"""Tables and columns that a publisher does not make of its metadata, or not with these cells."""

_ROBUST: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {"f006": (0, 1, 12), "f041": (3, 5, 8), "s001": (0,), "s008": (0, 3)}
)
"""What an engine selects that refuses less than others: `null IN (…)` is no error, which the notes call the robust way
(5), and a point tag in quotes may have a colon, as in an example of the published documentation (2)."""

_KILLERS: Final = frozenset({"d039", "d041"})
"""Divisions by zero that end the process of an engine; they are asked by themselves."""


@dataclass(frozen=True, slots=True)
class Question:
    """An expression with what it must select.

    Attributes:
        name: id of the vector.
        expression: what is asked.
        results: the rows, by any of which it is answered as it should; no row also stands for a refusal.
    """

    name: str
    expression: str
    results: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        return f"{self.name} {self.expression}"


def _read(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((files("sttp_conformance") / "vectors" / name).read_text("utf-8"))[
        "vectors"
    ]
    return found


# --- what can be asked


def _question(vector: dict[str, Any], *results: dict[str, Any]) -> Question:
    """A vector as a question, whose answer may be any of some results."""
    if vector["kind"] != "value":
        robust = (_ROBUST[vector["id"]],) if vector["id"] in _ROBUST else ()
        return Question(vector["id"], vector["expression"], tuple(dict.fromkeys((*map(_rows, results), *robust))))
    condition, rows = _FREQUENCIES
    expression = vector["expression"]
    tests = [_test(expression, result["result"]) for result in results if "result" in result]
    if not tests:
        return Question(
            vector["id"], f"FILTER ActiveMeasurements WHERE {condition} AND (({expression}) IS NOT NULL)", ((),)
        )
    test = " OR ".join(f"({each})" for each in tests)
    answers = (rows, ()) if len(tests) < len(results) else (rows,)
    return Question(vector["id"], f"FILTER ActiveMeasurements WHERE {condition} AND ({test})", answers)


def _rows(result: dict[str, Any]) -> tuple[int, ...]:
    if "rows" in result:
        return tuple(int(row.partition(":")[2]) for row in result["rows"] if row.startswith("ActiveMeasurements:"))
    return tuple(SIGNAL_IDS.index(UUID(each)) for each in result.get("signals", ()))


def _test(expression: str, result: dict[str, Any]) -> str:
    """A condition that is true if the expression has the value."""
    value = result["value"]
    if value is None:
        return f"({expression}) IS NULL"
    match result["type"]:
        case "Boolean":
            return f"({expression})" if value else f"NOT ({expression})"
        case "String":
            return f"(({expression}) === '{value}') AND (Len({expression}) = {len(value)})"
        case "DateTime":
            return f"({expression}) = #{value}#"
        case "Guid":
            return f"({expression}) = {{{value}}}"
        case _ if str(value).startswith("-"):
            return f"({expression}) = (0 - {str(value)[1:]})"
    return f"({expression}) = {value}"


def _agreed() -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {"rows": [], "values": [], "wrong": []}
    for vector in _read("filter.json"):
        if _NOT_DERIVED.search(vector["expression"]) or vector["table"] != "ActiveMeasurements":
            continue
        expected = vector["expected"]
        kind = "wrong" if "error" in expected else "values" if vector["kind"] == "value" else "rows"
        found[kind].append(_question(vector, expected))
    return found


def _divergent() -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {"recommended": [], "wrong": [], "killers": [], "open": []}
    for vector in _read("filter-divergent.json"):
        if _NOT_DERIVED.search(vector["expression"]) or vector["table"] != "ActiveMeasurements":
            continue
        if vector["id"] in _KILLERS:
            found["killers"].append(_question(vector, {"error": "division"}))
            continue
        match vector["recommended"]:
            case "error":
                found["wrong"].append(_question(vector, {"error": "any"}))
            case "either":
                found["recommended"].append(_question(vector, vector["pyapi"], vector["cppapi"]))
            case None:
                found["open"] += [
                    _question({**vector, "id": f"{vector['id']} as {each}"}, vector[each])
                    for each in ("pyapi", "cppapi")
                ]
            case engine:
                found["recommended"].append(_question(vector, vector[engine]))
    return found


AGREED: Final[Mapping[str, Sequence[Question]]] = MappingProxyType(_agreed())
"""What two engines agree on: `rows`, `values`, and what is `wrong` and selects nothing."""

DIVERGENT: Final[Mapping[str, Sequence[Question]]] = MappingProxyType(_divergent())
"""What they differ on: something is `recommended`, the text is `wrong`, they are `killers` of one, or it is `open`."""

PORTABLE: Final = tuple(
    Question(f"p{number:02}", f"FILTER {top}ActiveMeasurements WHERE {condition}", (rows,))
    for number, (top, condition, rows) in enumerate(
        (
            ("", "SignalType = 'FREQ'", (0, 7, 12)),
            ("", "SignalType = 'freq'", (0, 7, 12)),
            ("", "SignalType <> 'STAT'", (*range(13), 15)),
            ("", "SignalType IN ('FREQ', 'DFDT')", (0, 1, 7, 12)),
            ("", "NOT (SignalType = 'FREQ')", (*range(1, 7), *range(8, 12), 13, 14, 15)),
            ("", "SignalType LIKE '%PHA'", (4, 6, 9)),
            ("", "SignalType LIKE 'VPH%'", (3, 4, 8, 9)),
            ("", "PointTag LIKE '%CORDOVA%'", (7, 8, 9, 10)),
            ("", "Device IS NULL", (11, 15)),
            ("", "Device IS NOT NULL", (*range(11), 12, 13, 14)),
            ("", "FramesPerSecond > 30", (7, 8, 9, 10)),
            ("", "FramesPerSecond < 60", (*range(7), *range(11, 16))),
            ("", "(SignalType = 'FREQ') AND (Device = 'SHELBY')", (0,)),
            ("", "(SignalType = 'FREQ') OR (SignalType = 'DFDT')", (0, 1, 7, 12)),
            ("", "((SignalType = 'FREQ') OR (SignalType = 'DFDT')) AND (Device = 'SHELBY')", (0, 1)),
            ("TOP 2 ", "SignalType = 'FREQ'", (0, 7)),
        ),
        1,
    )
)
"""What the smaller language of .NET publishers has too (12): brackets around whatever is mixed, no functions."""


# --- tables of metadata

_ONLY_ACTIVE: Final = re.compile(r"\b(DeviceID|PhasorID|FramesPerSecond|Company|Phase)\b")


def of_measurements(questions: Iterable[Question]) -> list[Question]:
    """Questions about the table MeasurementDetail; those that have no place there are left out."""
    found = []
    for each in questions:
        if (
            each.expression.startswith("FILTER ")
            and ";" not in each.expression
            and not _ONLY_ACTIVE.search(each.expression)
        ):
            text = each.expression.replace("ActiveMeasurements", "MeasurementDetail")
            text = re.sub(r"\b(SignalType|Device)\b", lambda name: RENAMED[name[0]], text)
            found.append(Question(each.name, text, each.results))
    return found


def _typed() -> tuple[Question, ...]:
    found = []
    for name in ("filter.json", "filter-divergent.json"):
        for vector in _read(name):
            expression = vector["expression"]
            expected = vector.get("expected") or vector.get(str(vector.get("recommended")))
            if "TypeTest" not in (vector["table"], *re.findall(r"FILTER (\w+)", expression)) or expected is None:
                continue
            if vector["kind"] == "value":
                test = _test(expression, expected["result"])
                expected = {"rows": [f"TypeTest:{vector['row']}"]}
                expression = f"FILTER TypeTest WHERE Key = {vector['row'] + 1} AND ({test})"
            rows = tuple(int(row.partition(":")[2]) for row in expected["rows"])
            found.append(Question(vector["id"], expression, (rows,)))
    return tuple(found)


TYPED: Final = _typed()
"""Questions about the table TypeTest; the rows in the order in which they must come."""
