"""What the pytest plugin does once an adapter is named."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from sttp_conformance.adapter import AdapterError, read_adapter
from sttp_conformance.cases import role_invariance
from sttp_conformance.checks import Check, load_checks
from sttp_conformance.judgement import Judgement
from sttp_conformance.lane import Lane, Outcome
from sttp_conformance.ledger import load_ledger
from sttp_conformance.reports import described
from sttp_conformance.runner import Made, prepared
from sttp_conformance.selection import Selection, why_not
from sttp_conformance.smoke import smoke
from sttp_conformance.verdicts import Result, Verdict
from sttp_conformance.ways import Direction, Way

__all__ = ["Bench", "Item", "items"]


@dataclass(frozen=True, slots=True)
class Item:
    """A check in a way, or a comparison of a check in two ways.

    Attributes:
        check: the check, or the comparison.
        ways: one way; two for a comparison.
        subject: for a comparison, the check that is compared.
    """

    check: Check
    ways: tuple[Way, ...]
    subject: Check | None = None

    @property
    def id(self) -> str:
        """What pytest calls it."""
        where = "-vs-".join(f"{way.direction}-{way.transport}" for way in self.ways)
        return f"{self.check.name}{f'-{self.subject.name}' if self.subject else ''}-{where}"

    @property
    def words(self) -> set[str]:
        """What `-k` chooses it by, besides its name: chapters and requirements of the check and of what is compared."""
        checks = [self.check] if self.subject is None else [self.check, self.subject]
        return {word for each in checks for word in (each.chapter, *each.requirements)}


def _selection(config: pytest.Config) -> Selection:
    return Selection(
        directions=tuple(Direction(each) for each in config.getoption("sttp_direction") or ()),
        transports=tuple(config.getoption("sttp_transport") or ()),
        slow=bool(config.getoption("sttp_slow")),
        edition=config.getoption("sttp_edition") or "",
    )


def items(path: Path, config: pytest.Config) -> list[Item]:
    """All items of an implementation: the checks first, then the comparisons."""
    try:
        adapter = read_adapter(path)
        load_ledger(_selection(config).edition)
    except (AdapterError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    checks = load_checks()
    ways = _selection(config).ways(adapter)
    single = [
        Item(check, (way,)) for check in checks.values() for way in ways if not check.compares and check.fits(way, ways)
    ]
    compared = [
        Item(comparison, pair, check)
        for comparison in checks.values()
        if comparison.compares
        for check in checks.values()
        if role_invariance.is_compared(check, comparison)
        for pair in role_invariance.pairs(comparison, ways)
    ]
    return single + compared


class Bench:
    """Makes items, one at a time."""

    def __init__(self, path: Path, config: pytest.Config, folder: Path, runner: asyncio.Runner) -> None:
        self._adapter = read_adapter(path)
        self._selection = _selection(config)
        self._runner = runner
        self._judgement = Judgement(self._adapter, self._selection, load_ledger(self._selection.edition))
        run = prepared(str(folder))
        tried = runner.run(smoke(self._adapter, self._selection.ways(self._adapter), run))
        if tried.lines and all(line.adapter_is_broken for line in tried.lines):
            pytest.exit(tried.lines[0].text, returncode=2)
        self._lane = Lane(self._adapter, tried.grace, run)
        self._made: Made = {}

    def make(self, item: Item) -> Result:
        """The result of an item."""
        if item.subject is None:
            outcome = self._outcome(item.check, item.ways[0])
            return self._judgement.result(item.check, item.ways[0], outcome)
        first, second = ((way, self._outcome(item.subject, way)) for way in item.ways)
        outcome = role_invariance.compared(item.subject, first, second)
        return self._judgement.result(item.check, item.ways[1], outcome, subject=item.subject.name)

    def _outcome(self, check: Check, way: Way) -> Outcome:
        if (check.name, way) not in self._made:
            unsupported, reason = why_not(check, way, self._adapter, self._selection)
            if reason:
                verdict = Verdict.UNSUPPORTED if unsupported else Verdict.SKIPPED
                self._made[check.name, way] = Outcome(verdict=verdict, message=reason)
            else:
                self._made[check.name, way] = self._runner.run(self._lane.make(check, way))
        return self._made[check.name, way]

    def judge(self, item: Item) -> None:
        """Make an item, and pass, fail or skip the test that it is."""
        result = self.make(item)
        text = "\n".join(described(result))
        if (result.verdict is Verdict.BROKEN and result.counts) or result.is_red:
            pytest.fail(text, pytrace=False)
        if result.verdict is Verdict.FAILED:
            pytest.xfail(f"{result.known or (result.level if result.counts else 'not counted')}: {result.message}")
        if result.verdict is not Verdict.PASSED:
            pytest.skip(f"{result.verdict}: {result.message}")

    def close(self) -> None:
        """End what runs."""
        self._runner.run(self._lane.__aexit__())
