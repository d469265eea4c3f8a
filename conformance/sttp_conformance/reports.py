"""Reports, all made from the one record of a run: JSON, JUnit XML, and text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from sttp_conformance.ledger import Ledger, Level
from sttp_conformance.verdicts import Result, RunRecord, Verdict, counted

__all__ = ["as_junit", "as_text", "coverage", "described", "write_reports"]


def write_reports(record: RunRecord, folder: Path) -> list[Path]:
    """Write `results.json`, `junit.xml` and `summary.txt` into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "results.json": json.dumps(record.to_json(), indent=1, ensure_ascii=False),
        "junit.xml": as_junit(record),
        "summary.txt": "\n".join(as_text(record)) + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in files]


def as_junit(record: RunRecord) -> str:
    """The record as JUnit XML. What is known to fail counts as skipped; what is on no list and fails, as failed."""
    suites = ElementTree.Element("testsuites", name=f"STTP conformance of {record.implementation} {record.version}")
    for chapter in dict.fromkeys(result.chapter for result in record.results):
        results = [result for result in record.results if result.chapter == chapter]
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=chapter,
            tests=str(len(results)),
            failures=str(sum(result.is_red for result in results)),
            errors=str(sum(result.verdict is Verdict.BROKEN for result in results)),
            time=f"{sum(result.seconds for result in results):.3f}",
        )
        for result in results:
            _junit_case(suite, result)
    for line in record.stale:
        suite = ElementTree.SubElement(suites, "testsuite", name="lists", tests="1", failures="1", errors="0")
        case = ElementTree.SubElement(suite, "testcase", classname="lists", name=line)
        ElementTree.SubElement(case, "failure", message=line)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def _junit_case(suite: ElementTree.Element, result: Result) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"{result.chapter}.{result.role}",
        name=f"{result.name} [{result.direction}, {result.transport}]",
        time=f"{result.seconds:.3f}",
    )
    if result.verdict is Verdict.BROKEN:
        ElementTree.SubElement(case, "error", message=_clean(result.message))
    elif result.is_red:
        failure = ElementTree.SubElement(case, "failure", message=_clean(f"{result.surprise}: {result.message}"))
        failure.text = _clean("\n".join(described(result)))
    elif result.verdict is not Verdict.PASSED:
        kind = result.known or ("" if result.verdict is not Verdict.FAILED else f"a {result.level} that is not met")
        ElementTree.SubElement(case, "skipped", message=_clean(f"{kind or result.verdict}: {result.message}"))


def _clean(text: str) -> str:
    """Text without the characters that XML has no place for."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def as_text(record: RunRecord) -> Iterator[str]:
    """The record for people: musts, shoulds and mays apart, each failure with what was said, and no score."""
    yield (
        f"{record.implementation} {record.version}: STTP requirements {record.edition}, "
        f"{len(record.results)} verdicts in {record.seconds:.1f} s"
    )
    if record.broken:
        yield f"BROKEN: {record.broken}"
        return
    for level in Level:
        results = [result for result in record.results if result.level is level]
        if results:
            counts = counted(results)
            found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
            known = sum(bool(result.known) and result.verdict is Verdict.FAILED for result in results)
            yield f"  {level:<6} {found}{f' ({known} of them known)' if known else ''}"
    yield f"  {len(record.covered)} requirements have a verdict of passed or failed"
    yield from _reasons(record, Verdict.UNSUPPORTED)
    yield from _reasons(record, Verdict.SKIPPED)
    for heading, chosen in (
        ("broken, which says nothing about the implementation", record.having(Verdict.BROKEN)),
        ("must, and is not so", [each for each in record.results if each.is_red and each.verdict is Verdict.FAILED]),
        (
            "should, and is not so",
            [each for each in record.having(Verdict.FAILED) if not each.is_red and each.surprise],
        ),
        ("passes, though a list says that it does not", [e for e in record.having(Verdict.PASSED) if e.surprise]),
    ):
        if chosen:
            yield ""
            yield f"{heading}:"
            for result in chosen:
                yield from (f"  {line}" for line in described(result))
    if record.stale:
        yield ""
        yield "no longer true in the adapter file:"
        yield from (f"  {line}" for line in record.stale)


def _reasons(record: RunRecord, verdict: Verdict) -> Iterator[str]:
    reasons: dict[str, int] = {}
    for result in record.having(verdict):
        if not result.subject:
            reasons[result.message] = reasons.get(result.message, 0) + 1
    for reason, count in reasons.items():
        yield f"  {verdict}: {count} because {reason}"


def described(result: Result) -> Iterator[str]:
    """A result with everything that helps to see why."""
    yield f"{result}: {', '.join(result.requirements) or 'no requirement'}"
    yield f"  {result.title}"
    yield from (f"  {line}" for line in f"{result.surprise or result.verdict}: {result.message}".splitlines())
    yield from (f"    {line}" for line in result.transcript)
    if result.stderr:
        yield "    its last lines on stderr:"
        yield from (f"    | {line}" for line in result.stderr)


def coverage(record: RunRecord, ledger: Ledger) -> Iterable[str]:
    """The requirements that this run says nothing about, with the reason where the ledger has one."""
    for requirement in ledger:
        if requirement.id not in record.covered:
            yield f"{requirement.id}: {requirement.unchecked or 'no check of it has passed or failed in this run'}"
