"""Verdicts, and the record of a run: the one thing that all reports are made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sttp_conformance.ledger import Level
from sttp_conformance.schema import faults, load_schema

__all__ = ["RecordError", "Result", "Rule", "RunRecord", "Verdict", "counted", "read_record"]


class RecordError(Exception):
    """A file is no record of a run. The message names the file, and what is wrong with it."""


class Verdict(StrEnum):
    """What came of a check in one way.

    `broken` is no verdict about the implementation: its adapter, or the suite, does not work.
    """

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A requirement as it was when a run was made, so that the record can be read without the ledger.

    Attributes:
        source: where it comes from.
        level: how strongly it binds.
        role: whom it binds.
        text: the rule.
    """

    source: str
    level: Level
    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check in one way.

    Attributes:
        check: name of the check.
        subject: for a check that is about another one, that one; else empty.
        chapter: chapter of the check.
        title: the rule in a sentence.
        requirements: ids of the requirements that it looked at.
        level: the strongest level among those that count.
        counts: whether any of them belongs to the edition of the run; what does not is told, and never red.
        role: the role that was judged.
        direction: who dialed.
        transport: over what; for a comparison of ways, all of them.
        verdict: what came of it.
        message: what was expected and what came; the reason, where nothing was checked.
        known: the list on which it stands that this was to be expected; empty when on none.
        surprise: why this is not what the lists say; empty when it is.
        reason: why it stands on that list, as the adapter file says.
        notes: what the check found worth mentioning.
        transcript: what was said, with times and hex; kept where the verdict is not passed.
        stderr: the last lines of the implementation; kept where the verdict is not passed.
        seconds: how long it took.
    """

    check: str
    subject: str = ""
    chapter: str
    title: str
    requirements: tuple[str, ...]
    level: Level
    counts: bool = True
    role: str
    direction: str
    transport: str
    verdict: Verdict
    message: str = ""
    known: str = ""
    surprise: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    transcript: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The check with its subject, as the command line names it."""
        return f"{self.check}[{self.subject}]" if self.subject else self.check

    @property
    def is_red(self) -> bool:
        """Whether it makes the run fail: a must that is not met, or a list that is not true."""
        return self.counts and bool(self.surprise) and (self.level is Level.MUST or bool(self.known))

    def __str__(self) -> str:
        return f"{self.name} ({self.role}, {self.direction} over {self.transport})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run of the suite against one implementation.

    Attributes:
        contract: version of the adapter contract.
        edition: edition of the requirements.
        suite: version of the suite.
        implementation: name of the implementation.
        version: version of the implementation.
        started: when, in ISO 8601, UTC.
        seconds: how long it took.
        round_trip: seconds that the implementation takes to answer, as measured before.
        stale: entries of the lists that applied to nothing.
        broken: why the run could not be made; empty when it could.
        selected: which part of the suite was asked for; empty for the whole.
        requirements: those that the results name, by id.
        results: in the order of chapters.
    """

    contract: int
    edition: str
    suite: str
    implementation: str
    version: str
    started: str
    seconds: float
    round_trip: float
    stale: tuple[str, ...]
    broken: str
    results: tuple[Result, ...]
    selected: str = ""
    requirements: Mapping[str, Rule] = field(default_factory=dict)

    def having(self, verdict: Verdict) -> list[Result]:
        """The results with a certain verdict."""
        return [result for result in self.results if result.verdict is verdict]

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 failed, 2 broken: the adapter or the suite does not work."""
        if self.broken or any(result.counts for result in self.having(Verdict.BROKEN)):
            return 2
        return int(bool(self.stale) or any(result.is_red for result in self.results))

    @property
    def covered(self) -> dict[str, list[str]]:
        """The checks that passed or failed, by requirement: what this run can say something about."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            if result.verdict in (Verdict.PASSED, Verdict.FAILED):
                for each in result.requirements:
                    if result.name not in found.setdefault(each, []):
                        found[each].append(result.name)
        return found

    def to_json(self) -> dict[str, Any]:
        """The record as JSON has it; `results.schema.json` describes it."""
        document = asdict(replace(self, requirements=dict(self.requirements)))
        document["results"] = [_plain(asdict(result)) for result in self.results]
        return {**_plain(document), "exit_code": self.exit_code, "covered": self.covered}

    @classmethod
    def from_json(cls, document: Any) -> RunRecord:
        """The record that `to_json` has made JSON of.

        Raises:
            ValueError: it is none; the message names the place and what belongs there.
        """
        for fault in faults(document, load_schema("results.schema.json")):
            raise ValueError(fault)
        known = {key: value for key, value in document.items() if key not in ("exit_code", "covered")}
        return cls(
            **{
                **_frozen(known),
                "results": tuple(
                    Result(
                        **{**_frozen(each), "level": Level(each["level"]), "verdict": Verdict(each["verdict"])},
                    )
                    for each in document["results"]
                ),
                "requirements": {
                    name: Rule(**{**rule, "level": Level(rule["level"])})
                    for name, rule in document["requirements"].items()
                },
            }
        )


def read_record(path: Path) -> RunRecord:
    """Read `results.json`, or the one in a folder.

    Raises:
        RecordError: it cannot be read, or is no record of a run.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        return RunRecord.from_json(json.loads(file.read_text("utf-8")))
    except OSError as error:
        raise RecordError(f"{file}: it cannot be read: {error.strerror}") from None
    except ValueError as error:  # broken JSON and UTF-8 are among them
        what, *_ = str(error).partition("; write ")  # nobody writes a record by hand
        raise RecordError(f"{file}: it is no record of a run (results.json of sttp conformance run): {what}") from None


def _frozen(document: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in document.items()}


def counted(results: Iterable[Result]) -> dict[Verdict, int]:
    """How many results there are of each verdict."""
    counts = dict.fromkeys(Verdict, 0)
    for result in results:
        counts[result.verdict] += 1
    return counts
