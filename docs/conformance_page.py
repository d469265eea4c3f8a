"""The pages about conformance: implementations side by side, and what `sttpapi` is known to fail, from records of runs.

The records lie in `_static/conformance`, a file for each implementation. `make judge-peers` makes the runs and takes
their records over: `python docs/conformance_page.py FOLDER`. Nothing here is a score.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sttp_conformance.ledger import CHAPTERS, Level
from sttp_conformance.reports import as_json, as_page
from sttp_conformance.reports.badge import facts
from sttp_conformance.reports.transcript_lines import Entry, entries
from sttp_conformance.verdicts import Result, RunRecord, Verdict, read_record

DATA = Path(__file__).parent / "_static" / "conformance"
NAMES = ("sttp-kit", "sttpapi", "example-subscriber")

_SAID, _HEARD = 320, 48
"""Bytes that are shown of what the suite says, which has to be typed, and of what the implementation does."""

_LINES = 14
_LONGEST = 400
_WORDS = {"forward": "forward", "reverse": "reverse", "both": "compared"}


def records() -> list[RunRecord]:
    """The runs that are published, ours first."""
    return [read_record(DATA / f"{name}.json") for name in NAMES]


def side_by_side() -> Iterator[str]:
    """What the reports allow to say of all implementations."""
    runs = records()
    yield "## The runs\n\n"
    yield from _table(
        ("Implementation", "edition", "suite", "started", "over", "verdicts", "what was found"),
        (
            (
                f"[{_name(run)}](../_static/conformance/{run.implementation}.json)",
                run.edition,
                run.suite,
                run.started.partition("T")[0],
                ", ".join(sorted({each.transport for each in run.results if not each.subject})),
                str(len(run.results)),
                facts(run),
            )
            for run in runs
        ),
    )
    yield "## By chapter\n\n"
    yield (
        "Verdicts of all roles and transports. *Forward* and *reverse* are checks in one direction; *compared* holds "
        "what was said in one way against another.\n\n"
    )
    ways = [(run, way) for run in runs for way in _WORDS if any(each.direction == way for each in run.results)]
    yield from _table(
        ("Chapter", *(f"{run.implementation}, {_WORDS[way]}" for run, way in ways)),
        (
            (chapter.replace("_", " "), *(_cell(run, chapter, way) for run, way in ways))
            for chapter in CHAPTERS.values()
            if any(each.chapter == chapter for run in runs for each in run.results)
        ),
    )
    yield "## Where they differ\n\n"
    yield (
        "The requirements that at least one of them does not meet. A check that looks at several requirements counts "
        "against each of them when it fails; its report says what it was about.\n\n"
    )
    for level in Level:
        yield f"### {level.capitalize()}\n\n"
        yield from _table(
            ("Requirement", "rule", *(run.implementation for run in runs)),
            _requirements(runs, level),
            empty="None.\n\n",
        )


def _requirements(runs: Sequence[RunRecord], level: Level) -> Iterator[tuple[str, ...]]:
    rules = {name: rule for run in runs for name, rule in run.requirements.items() if rule.level is level}
    for name in sorted(rules, key=_place):
        told = [_told(run, name) for run in runs]
        if any(each.startswith("**") for each in told):
            yield (f"{name}, {rules[name].source}", _text(rules[name].text), *told)


def _told(run: RunRecord, requirement: str) -> str:
    """What a run says of a requirement, in a word or a few."""
    about = [each for each in run.results if requirement in each.requirements and each.counts and not each.subject]
    judged = {each.name for each in about if each.verdict in (Verdict.PASSED, Verdict.FAILED)}
    failed = {each.name for each in about if each.verdict is Verdict.FAILED}
    if failed:
        return f"**failed**: {', '.join(f'`{each}`' for each in sorted(failed))}"
    if judged:
        return "passed"
    return str(about[0].verdict) if about else "does not apply"


def _cell(run: RunRecord, chapter: str, way: str) -> str:
    about = [each for each in run.results if each.chapter == chapter and each.direction == way]
    failed = [each for each in about if each.verdict is Verdict.FAILED]
    parts = []
    for level in Level:
        count = sum(each.level is level for each in failed)
        parts += [f"**{count} {level} failed**"] if count else []
    for verdict in (Verdict.BROKEN, Verdict.PASSED, Verdict.UNSUPPORTED, Verdict.SKIPPED):
        count = sum(each.verdict is verdict for each in about)
        parts += [f"{count} {verdict}"] if count else []
    return ", ".join(parts)


def failures(name: str) -> Iterator[str]:
    """What one implementation is known to fail: what, the requirement, why, and the bytes that were said."""
    run = read_record(DATA / f"{name}.json")
    failed = [each for each in run.results if each.verdict is Verdict.FAILED and not each.subject]
    yield f"{_name(run)}, judged {run.started.partition('T')[0]}, edition {run.edition}: {facts(run)}.\n\n"
    for chapter in dict.fromkeys(each.chapter for each in sorted(failed, key=lambda each: _order(each.chapter))):
        yield f"### {chapter.replace('_', ' ').capitalize()}\n\n"
        for result in failed:
            if result.chapter == chapter:
                yield from _failure(run, result)
    yield "### What passes sometimes\n\n"
    yield from _table(
        ("Check", "in this run", "why"),
        ((f"`{each.name}`", each.verdict, _text(each.reason)) for each in run.results if each.known == "known-flaky"),
    )


def _failure(run: RunRecord, result: Result) -> Iterator[str]:
    yield f"#### `{result.name}`\n\n"
    where = f"{result.level}, {result.role}, {result.direction} over {result.transport}"
    yield f"{_text(result.title)} ({where}{f'; {result.known}' if result.known else ''})\n\n"
    for name in result.requirements:
        rule = run.requirements[name]
        yield f"* {name} ({rule.level}, {rule.source}): {_text(rule.text)}\n"
    yield f"* What was expected, and what came: {_code(result.message)}\n"
    if result.reason:
        yield f"* Why: {_text(result.reason)}\n"
    yield "\n"
    told = list(_by_hand(result))
    if told:
        yield "```text\n" + "\n".join(line.replace("```", "'''") for line in told) + "\n```\n\n"


def _by_hand(result: Result) -> Iterator[str]:
    """Who says which bytes, `>` what the suite says and `<` what the implementation does."""
    told = [each for each in entries(result.transcript) if each.hex or not each.speaker]
    for entry in told[:_LINES]:
        if not entry.speaker:
            yield f"-- {entry.text}"
        else:
            yield f"< {_cut(entry, _HEARD)}" if entry.speaker == result.role else f"> {_cut(entry, _SAID)}"
            yield f"    {_shortened(entry.text)}"
    if len(told) > _LINES:
        yield f"-- and {len(told) - _LINES} lines more, in the record"


def _cut(entry: Entry, most: int) -> str:
    pairs = entry.hex.partition(" …")[0].split()
    return entry.hex if len(pairs) <= most else f"{' '.join(pairs[:most])} …"


def _shortened(text: str) -> str:
    return text if len(text) <= 150 else f"{text[:149]}…"


def _name(run: RunRecord) -> str:
    return f"{run.implementation} {run.version}"


def _order(chapter: str) -> int:
    names = list(CHAPTERS.values())
    return names.index(chapter) if chapter in names else len(names)


def _place(name: str) -> tuple[int, str]:
    return _order(CHAPTERS.get(name.split("-")[1], "")), name


def _text(text: str) -> str:
    """A text in Markdown that says what it says, and in a table stays in its cell."""
    return re.sub(r"([\\|*_<>\[\]$])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    said = " ".join(text.replace("`", "'").split())
    return f"`{said if len(said) <= _LONGEST else said[: _LONGEST - 1] + '…'}`"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> Iterator[str]:
    listed = list(rows)
    if not listed:
        yield empty
        return
    for cells in (heads, ["---"] * len(heads), *listed):
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def report() -> str:
    """The page of HTML about all of them."""
    return as_page(records())


def take(folder: Path) -> None:
    """Take over the records of a folder of runs, a folder for each adapter, without the paths of this computer."""
    here = json.dumps(str(Path(__file__).resolve().parent.parent))[1:-1]
    DATA.mkdir(exist_ok=True)
    for name in NAMES:
        found = as_json(read_record(folder / name)).replace(here, "…")
        (DATA / f"{name}.json").write_text(found, encoding="utf-8")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
