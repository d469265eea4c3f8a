"""Records of runs as one page of HTML that needs nothing else: no script to be read, no network, no other file.

What peers have said stands in records, so every text is hostile. Templates escape all of it, characters that are not
printable are replaced, and a policy in the page lets no script and no style run but its own, which it knows by digest.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from typing import Final

from sttp_conformance.ledger import CHAPTERS, Level
from sttp_conformance.reports.transcript_lines import Entry, entries, printable, shortened
from sttp_conformance.verdicts import Result, Rule, RunRecord, Verdict

__all__ = ["as_page", "can_write_pages"]

DIRECTIONS: Final = ("forward", "reverse", "both")
SIGNS: Final = {
    Verdict.PASSED: "✓",
    Verdict.FAILED: "✗",
    Verdict.UNSUPPORTED: "–",
    Verdict.SKIPPED: "○",
    Verdict.BROKEN: "!",
}
"""A sign for each verdict; its word always stands beside it, for nobody has to know colours or signs."""

_ORDER: Final = (Verdict.FAILED, Verdict.BROKEN, Verdict.PASSED, Verdict.UNSUPPORTED, Verdict.SKIPPED)
"""In which order verdicts stand under one chapter: what has to be looked at comes first."""

_LONGEST: Final = 3000
"""Characters of a message that are shown."""

_MOST: Final = 3_000_000
"""Characters of transcripts that are shown of one run. What is over that stays in its record."""


def can_write_pages() -> bool:
    """Whether jinja2 is installed, which the extra `conformance` brings."""
    return find_spec("jinja2") is not None


@dataclass(frozen=True)
class Shown:
    """One result, as the page shows it."""

    result: Result
    name: str
    message: str
    notes: list[str]
    entries: list[Entry]
    left_out: int
    stderr: list[str]

    @property
    def is_told(self) -> bool:
        """Whether there is more to it than its name and its requirements."""
        return bool(self.entries or self.stderr or self.notes) or self.result.verdict in (
            Verdict.FAILED,
            Verdict.BROKEN,
        )


@dataclass(frozen=True)
class Cell:
    """What one implementation did in one chapter and direction."""

    id: str
    chapter: str
    direction: str
    shown: list[Shown]

    @property
    def marks(self) -> Iterator[tuple[str, str, str]]:
        """Class, text, and the same text for a screen reader: failures by level, then the rest."""
        for level in Level:
            failed = self._count(Verdict.FAILED, level)
            if failed:
                yield f"failed-{level}", f"{SIGNS[Verdict.FAILED]} {failed} {level}", f"{failed} failed, {level}"
        later = sum(not each.result.counts and each.result.verdict is Verdict.FAILED for each in self.shown)
        if later:
            yield "later", f"{SIGNS[Verdict.FAILED]} {later} not counted", f"{later} failed, not counted"
        for verdict in (Verdict.BROKEN, Verdict.PASSED, Verdict.UNSUPPORTED, Verdict.SKIPPED):
            count = sum(each.result.verdict is verdict for each in self.shown)
            if count:
                yield verdict, f"{SIGNS[verdict]} {count}", f"{count} {verdict}"

    def _count(self, verdict: Verdict, level: Level) -> int:
        return sum(
            each.result.verdict is verdict and each.result.level is level and each.result.counts for each in self.shown
        )


class Run:
    """One record, as the page shows it."""

    def __init__(self, number: int, record: RunRecord) -> None:
        self.number = number
        self.record = record
        self.name = f"{record.implementation} {record.version}"
        self._left = _MOST

    @cached_property
    def cells(self) -> dict[tuple[str, str], Cell]:
        """By chapter and direction, those that have results."""
        found: dict[tuple[str, str], Cell] = {}
        for result in self.record.results:
            key = result.chapter, result.direction
            if key not in found:
                found[key] = Cell(f"run{self.number}-{result.chapter}-{result.direction}", *key, [])
            found[key].shown.append(self._shown(result))
        for cell in found.values():
            cell.shown.sort(key=lambda each: _ORDER.index(each.result.verdict))
        return found

    @property
    def directions(self) -> list[str]:
        """Those in which anything was made."""
        return [each for each in DIRECTIONS if any(direction == each for _, direction in self.cells)]

    @property
    def levels(self) -> Iterator[tuple[Level, dict[Verdict, int], int]]:
        """Level, count of each verdict, and how many of the failures are known; what does not count is left out."""
        for level in Level:
            results = [each for each in self.record.results if each.level is level and each.counts]
            counts = {verdict: sum(each.verdict is verdict for each in results) for verdict in Verdict}
            known = sum(bool(each.known) and each.verdict is Verdict.FAILED for each in results)
            if results:
                yield level, counts, known

    @property
    def uncounted(self) -> int:
        """Verdicts that are not counted in the edition of the run."""
        return sum(not each.counts for each in self.record.results)

    def _shown(self, result: Result) -> Shown:
        told, left_out = shortened(list(entries(result.transcript))), 0
        size = sum(len(each.text) + len(each.hex) for each in told)
        if size > self._left:
            told, left_out = [], len(told)
        else:
            self._left -= size
        message = result.message
        return Shown(
            result=result,
            name=result.name,
            message=message if len(message) <= _LONGEST else f"{message[:_LONGEST]} … ({len(message)} characters)",
            notes=[each[:_LONGEST] for each in result.notes],
            entries=told,
            left_out=left_out,
            stderr=[each[:_LONGEST] for each in result.stderr],
        )


def as_page(records: Sequence[RunRecord]) -> str:
    """One page about some runs, whose implementations stand side by side.

    Args:
        records: of at least one run.

    Raises:
        ImportError: jinja2 is missing; see `can_write_pages`.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra

    templates = Environment(
        loader=PackageLoader("sttp_conformance", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value, keep="\n") if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (
        files("sttp_conformance.reports").joinpath(f"page.{end}").read_text("utf-8") for end in ("css", "js")
    )
    runs = [Run(number, record) for number, record in enumerate(records, 1)]
    rules: dict[str, Rule] = {}
    for record in records:
        rules.update(record.requirements)
    return templates.get_template("page.html.jinja").render(
        runs=runs,
        chapters=_chapters(records),
        rules=dict(sorted(rules.items(), key=lambda item: _place(item[0]))),
        editions=list(dict.fromkeys(record.edition for record in records)),
        signs=SIGNS,
        verdicts=list(Verdict),
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
        anchor=_anchor,
    )


def _chapters(records: Iterable[RunRecord]) -> list[str]:
    """Those that occur, in the order of the ledger."""
    found = dict.fromkeys(result.chapter for record in records for result in record.results)
    return [
        *(each for each in CHAPTERS.values() if each in found),
        *(each for each in found if each not in CHAPTERS.values()),
    ]


def _place(name: str) -> tuple[int, str]:
    letters = name.split("-")[1] if name.count("-") == 2 else ""
    return (list(CHAPTERS).index(letters) if letters in CHAPTERS else len(CHAPTERS)), name


def _digest(text: str) -> str:
    """How a content security policy names a text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _anchor(text: str) -> str:
    """What a requirement is called in an address of this page."""
    return re.sub(r"[^A-Za-z0-9-]", "_", text)
