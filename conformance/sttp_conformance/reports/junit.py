"""The record of a run as JUnit XML, which the servers of continuous integration read."""

from __future__ import annotations

from xml.etree import ElementTree

from sttp_conformance.reports.text import described
from sttp_conformance.reports.transcript_lines import printable
from sttp_conformance.verdicts import Result, RunRecord, Verdict

__all__ = ["as_junit"]


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
        met = f"a {result.level} that is not met" if result.counts else "not counted in this edition"
        kind = result.known or ("" if result.verdict is not Verdict.FAILED else met)
        ElementTree.SubElement(case, "skipped", message=_clean(f"{kind or result.verdict}: {result.message}"))


def _clean(text: str) -> str:
    """Text without the characters that XML has no place for."""
    return printable(text, keep="\n\t")
