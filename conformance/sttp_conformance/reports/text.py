"""The record of a run as text, for a terminal and for a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sttp_conformance.ledger import Ledger, Level
from sttp_conformance.verdicts import Result, RunRecord, Verdict, counted

__all__ = ["as_text", "coverage", "described"]

_LONGEST: Final = 1500
"""Characters of a message that are printed; the record has all of them."""


def as_text(record: RunRecord) -> Iterator[str]:
    """The record for people: musts, shoulds and mays apart, each failure with what was said, and no score."""
    yield (
        f"{record.implementation} {record.version}: STTP requirements {record.edition}, "
        f"{len(record.results)} verdicts in {record.seconds:.1f} s"
    )
    if record.broken:
        yield f"BROKEN: {record.broken}"
        return
    if record.selected:
        yield f"  a part of the suite: {record.selected}"
    for level in Level:
        results = [result for result in record.results if result.level is level and result.counts]
        if results:
            counts = counted(results)
            found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
            known = sum(bool(result.known) and result.verdict is Verdict.FAILED for result in results)
            yield f"  {level:<6} {found}{f' ({known} of them known)' if known else ''}"
    yield f"  {len(record.covered)} requirements have a verdict of passed or failed"
    if later := [result for result in record.results if not result.counts]:
        found = ", ".join(f"{count} {verdict}" for verdict, count in counted(later).items() if count)
        yield f"  not counted, because they are not of edition {record.edition}: {found}"
    yield from _reasons(record, Verdict.UNSUPPORTED)
    yield from _reasons(record, Verdict.SKIPPED)
    for heading, chosen in (
        ("broken, which says nothing about the implementation", record.having(Verdict.BROKEN)),
        ("must, and is not so", [each for each in record.results if each.is_red and each.verdict is Verdict.FAILED]),
        (
            "should, and is not so",
            [each for each in record.having(Verdict.FAILED) if each.counts and not each.is_red and each.surprise],
        ),
        ("passes, though a list says that it does not", [e for e in record.having(Verdict.PASSED) if e.surprise]),
        (f"not so, and not counted in {record.edition}", [e for e in record.having(Verdict.FAILED) if not e.counts]),
    ):
        if chosen:
            yield ""
            yield f"{heading}:"
            for result in chosen:
                yield from (f"  {line}" for line in described(result))
    if record.stale:
        yield ""
        yield "not true, or no longer, in the adapter file:"
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
    message = result.message if len(result.message) <= _LONGEST else f"{result.message[:_LONGEST]} … (cut)"
    yield from (f"  {line}" for line in f"{result.surprise or result.verdict}: {message}".splitlines())
    yield from (f"    {line}" for line in result.transcript)
    if result.stderr:
        yield "    its last lines on stderr:"
        yield from (f"    | {line}" for line in result.stderr)


def coverage(record: RunRecord, ledger: Ledger) -> Iterable[str]:
    """The requirements that this run says nothing about, with the reason where the ledger has one."""
    for requirement in ledger:
        if requirement.id not in record.covered:
            yield f"{requirement.id}: {requirement.unchecked or 'no check of it has passed or failed in this run'}"
