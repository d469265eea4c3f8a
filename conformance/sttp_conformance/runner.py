"""A run: checks times ways, several at once, and the record of it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sttp_conformance import CONTRACT
from sttp_conformance.adapter import Adapter
from sttp_conformance.cases import role_invariance
from sttp_conformance.checks import Check, load_checks
from sttp_conformance.grid import METADATA, METADATA_FILE
from sttp_conformance.judgement import Judgement
from sttp_conformance.lane import Lane, Outcome
from sttp_conformance.ledger import load_ledger
from sttp_conformance.selection import Selection, why_not
from sttp_conformance.smoke import Smoke, smoke
from sttp_conformance.verdicts import Result, Rule, RunRecord, Verdict
from sttp_conformance.ways import Way, end_of

__all__ = ["LANES", "Made", "make_all", "prepared", "run"]

LANES: Final = max(2, min(4, os.cpu_count() or 2))
"""Checks that are made at once."""

Made = dict[tuple[str, Way], Outcome]
"""What came of checks, by name and way."""


def prepared(folder: str) -> Path:
    """A folder with the files that every run needs."""
    run = Path(folder)
    (run / METADATA_FILE).write_bytes(METADATA)
    return run


async def run(
    adapter: Adapter,
    selection: Selection,
    *,
    lanes: int = LANES,
    told: Callable[[Result, int, int], None] = lambda result, done, total: None,
) -> RunRecord:
    """Judge an implementation.

    Args:
        adapter: the implementation.
        selection: what is asked for.
        lanes: checks that are made at once; an implementation that already runs is judged by one at a time.
        told: called with each result as it comes, how many there are, and how many there will be.
    """
    began, started = time.monotonic(), datetime.now(UTC)
    checks = load_checks()
    ways = selection.ways(adapter)
    ledger = load_ledger(selection.edition)
    judgement = Judgement(adapter, selection, ledger)
    results: list[Result] = []
    chosen = [(check, way) for check in selection.checks(checks) for way in ways if check.fits(way, ways)]
    single = [(check, way) for check, way in chosen if not check.compares]
    comparisons = [check for check in selection.checks(checks) if check.compares]

    def take(result: Result) -> None:
        results.append(result)
        told(result, len(results), len(single))

    with tempfile.TemporaryDirectory(prefix="sttp-conformance-") as folder:
        place = prepared(folder)
        found = await smoke(adapter, ways, place, {check.role for check, _ in single})
        due = []
        for check, way in single:
            unsupported, reason = why_not(check, way, adapter, selection)
            broken = found.broken(end_of(check.role, way.direction), way)
            if reason:
                verdict = Verdict.UNSUPPORTED if unsupported else Verdict.SKIPPED
                take(judgement.result(check, way, Outcome(verdict=verdict, message=reason)))
            elif broken:
                take(judgement.result(check, way, Outcome(verdict=Verdict.BROKEN, message=broken)))
            else:
                due.append((check, way))
        async with AsyncExitStack() as stack:
            made = await make_all(
                due,
                [
                    await stack.enter_async_context(Lane(adapter, found.grace, place))
                    for _ in range(1 if adapter.addresses else lanes)
                ],
                lambda check, way, outcome: take(judgement.result(check, way, outcome)),
            )
    results += compared(comparisons, checks, ways, made, judgement)
    results.sort(key=lambda result: (result.chapter, result.check, result.subject, result.direction))
    named = {each for result in results for each in result.requirements}
    return RunRecord(
        contract=CONTRACT,
        edition=ledger.edition,
        suite=version("sttp-kit"),
        implementation=adapter.name,
        version=adapter.version,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 3),
        round_trip=found.round_trip,
        stale=judgement.stale(results, checks),
        broken=_nothing_works(found),
        results=tuple(results),
        selected=selection.said,
        requirements={
            each.id: Rule(source=each.source, level=each.level, role=each.role, text=each.text)
            for each in ledger
            if each.id in named
        },
    )


def _nothing_works(found: Smoke) -> str:
    faults = [line.text for line in found.lines if line.adapter_is_broken]
    return faults[0] if faults and len(faults) == len(found.lines) else ""


async def make_all(
    due: list[tuple[Check, Way]], lanes: list[Lane], take: Callable[[Check, Way, Outcome], None]
) -> Made:
    """Make checks in lanes. Each lane prefers what it has an implementation running for."""
    waiting: defaultdict[tuple[str, Way], list[Check]] = defaultdict(list)
    for check, way in reversed(due):
        waiting[check.role.value, way].append(check)
    made: Made = {}

    def next_for(lane: Lane) -> tuple[Check, Way] | None:
        open_ends = [end for end, checks in waiting.items() if checks]
        if not open_ends:
            return None
        end = max(open_ends, key=lambda each: (lane.has(waiting[each][-1].role, each[1]), len(waiting[each])))
        return waiting[end].pop(), end[1]

    async def work(lane: Lane) -> None:
        while (item := next_for(lane)) is not None:
            check, way = item
            outcome = made[check.name, way] = await lane.make(check, way)
            take(check, way, outcome)

    async with asyncio.TaskGroup() as tasks:
        for lane in lanes:
            tasks.create_task(work(lane))
    return made


def compared(
    comparisons: list[Check],
    checks: Mapping[str, Check],
    ways: list[Way],
    made: Made,
    judgement: Judgement,
) -> list[Result]:
    """Hold the transcripts of each check in all ways against each other."""
    results: list[Result] = []
    for comparison in comparisons:
        for check in checks.values():
            if role_invariance.is_compared(check, comparison):
                for first, second in role_invariance.pairs(comparison, ways):
                    one, other = made.get((check.name, first)), made.get((check.name, second))
                    if one is None and other is None:
                        continue  # made in no way: its own results say why
                    outcome = role_invariance.compared(check, (first, one), (second, other))
                    results.append(judgement.result(comparison, second, outcome, subject=check.name))
    return results
