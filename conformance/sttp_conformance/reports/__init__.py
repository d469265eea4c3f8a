"""Reports, all made from the one record of a run: JSON, JUnit XML, text, a page, and a badge."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sttp_conformance.reports.badge import as_badge
from sttp_conformance.reports.junit import as_junit
from sttp_conformance.reports.page import as_page, can_write_pages
from sttp_conformance.reports.text import as_text, coverage, described
from sttp_conformance.verdicts import RunRecord

__all__ = [
    "FORMS",
    "as_badge",
    "as_json",
    "as_junit",
    "as_page",
    "as_text",
    "can_write_pages",
    "coverage",
    "described",
    "write_reports",
]


def as_json(record: RunRecord) -> str:
    """The record itself, with a line for each result and each requirement; `results.schema.json` describes it."""
    document = record.to_json()
    parts = []
    for key, value in document.items():
        if key == "results":
            told = "[\n" + ",\n".join(_plain(each) for each in value) + "\n]"
        elif isinstance(value, dict):
            told = "{\n" + ",\n".join(f"{_plain(name)}: {_plain(each)}" for name, each in value.items()) + "\n}"
        else:
            told = _plain(value)
        parts.append(f"{_plain(key)}: {told}")
    return "{" + ",\n".join(parts) + "}\n"


def _plain(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(record: RunRecord) -> str:
    return "\n".join(as_text(record)) + "\n"


FORMS: Final[Mapping[str, Callable[[Sequence[RunRecord]], str]]] = {
    ".html": as_page,
    ".txt": lambda records: "\n".join(map(_text, records)),
    ".svg": lambda records: as_badge(records[0]),
    ".xml": lambda records: as_junit(records[0]),
}
"""What can be made of records, by the end of the name of the file. Badge and JUnit XML are of one run."""


def write_reports(record: RunRecord, folder: Path) -> list[Path]:
    """Write `results.json`, `junit.xml`, `summary.txt`, `badge.svg` and `report.html` into a folder.

    The folder is made if need be. `report.html` is left out where `can_write_pages` says no.

    Returns:
        The files that were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "results.json": as_json(record),
        "junit.xml": as_junit(record),
        "summary.txt": _text(record),
        "badge.svg": as_badge(record),
    }
    if can_write_pages():
        files["report.html"] = as_page([record])
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in files]
