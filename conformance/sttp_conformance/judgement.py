"""From outcomes to results: what the ledger says of a check, and what the lists of the adapter lead to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sttp_conformance.adapter import Adapter
from sttp_conformance.checks import Check
from sttp_conformance.expectations import Expectation, Known
from sttp_conformance.lane import Outcome
from sttp_conformance.ledger import Ledger
from sttp_conformance.selection import Selection
from sttp_conformance.unknown_names import unknown_names
from sttp_conformance.verdicts import Result, Verdict
from sttp_conformance.ways import ENDS, Way

__all__ = ["Judgement"]


class Judgement:
    """Makes results.

    Args:
        adapter: has the lists.
        selection: what was asked for.
        ledger: says how strongly requirements bind.
    """

    def __init__(self, adapter: Adapter, selection: Selection, ledger: Ledger) -> None:
        self._adapter = adapter
        self._selection = selection
        self._ledger = ledger

    def result(self, check: Check, way: Way, outcome: Outcome, *, subject: str = "") -> Result:
        """The result of making a check in one way."""
        counted = self._ledger.counted(check.requirements)
        known, surprise, reason = self._expected(check, subject, way, outcome)
        told = outcome.verdict in (Verdict.FAILED, Verdict.BROKEN)
        transcript = [
            line
            for number, recording in enumerate(outcome.recordings, 1)
            for line in (f"connection {number}", *recording.lines())
        ]
        return Result(
            check=check.name,
            subject=subject,
            chapter=check.chapter,
            title=check.title,
            requirements=check.requirements,
            level=self._ledger.level_of(counted or check.requirements),
            counts=self._ledger.counts(check.since) and (bool(counted) or not check.requirements),
            role=check.role.value,
            direction="both" if check.compares == "direction" else way.direction.value,
            transport=way.transport,
            verdict=outcome.verdict,
            message=outcome.message,
            known=known,
            surprise=surprise,
            reason=reason,
            notes=outcome.notes,
            transcript=tuple(transcript) if told else (),
            stderr=outcome.stderr if told else (),
            seconds=round(outcome.seconds, 4),
        )

    def _expected(self, check: Check, subject: str, way: Way, outcome: Outcome) -> tuple[str, str, str]:
        """On which list the outcome stands, why it is not what the lists say, and the reason that the list gives."""
        entries = [each for each in self._adapter.expectations.known if self._fits(each, check, subject, way)]
        match outcome.verdict:
            case Verdict.FAILED:
                for entry in entries:
                    if entry.known is Known.FLAKY or entry.message in outcome.message:
                        return entry.known, "", entry.reason
                if entries:
                    otherwise = f"it fails, but not with {entries[0].message!r}, as {entries[0]} says"
                    return entries[0].known, otherwise, entries[0].reason
                return "", "it fails", ""
            case Verdict.PASSED:
                for entry in entries:
                    surprise = f"it passes; remove {entry} from the adapter file"
                    return entry.known, "" if entry.known is Known.FLAKY else surprise, entry.reason
        return "", "", ""

    @staticmethod
    def _fits(entry: Expectation, check: Check, subject: str, way: Way) -> bool:
        direction = "both" if check.compares == "direction" else way.direction.value
        return entry.fits(check.name, subject, check.role.value, direction, way.transport)

    def stale(self, results: Sequence[Result], checks: Mapping[str, Check]) -> tuple[str, ...]:
        """Entries of the lists that apply to nothing any more, one line for each."""
        unknown = unknown_names(self._adapter, checks, self._ledger)
        found = []
        for entry in self._adapter.expectations.known:
            if str(entry) in unknown:
                found.append(unknown[str(entry)])
            elif self._selection.is_whole and not any(
                entry.fits(each.check, each.subject, each.role, each.direction, each.transport)
                and each.verdict is not Verdict.UNSUPPORTED
                for each in results
            ):
                found.append(f"{entry}: it applies to nothing that was checked")
        for what, reason in self._adapter.expectations.unsupported.items():
            is_asked_for = what in ENDS or any(
                what in (check.name, *check.requirements, *check.needs) for check in checks.values()
            )
            if what in unknown:
                found.append(unknown[what])
            elif is_asked_for and self._selection.is_whole and not any(each.message == reason for each in results):
                found.append(f"unsupported {what}: it applies to nothing that would have been checked")
        return tuple(found)
