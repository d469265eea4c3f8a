"""What is different between two runs: verdicts that changed, checks that appeared, and checks that vanished."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttp_conformance.verdicts import Result, RunRecord, Verdict

__all__ = ["Change", "Difference"]

_FLAKY = "known-flaky"


@dataclass(frozen=True, slots=True)
class Change:
    """One check in one way, in two runs.

    Attributes:
        old: its result in the old run; None when it was not there.
        new: its result in the new run; None when it is not there any more.
        is_partial: whether the new run is only a part of the suite, so that what is not there is not lost.
    """

    old: Result | None
    new: Result | None
    is_partial: bool = False

    @property
    def is_loss(self) -> bool:
        """Whether it passed and no longer does, for whatever reason, and was expected to."""
        if self.old is None or self.old.verdict is not Verdict.PASSED or not self.old.counts:
            return False
        if self.new is None:
            return not self.is_partial
        return self.new.verdict is not Verdict.PASSED and self.new.counts and self.new.known != _FLAKY

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.new}: {self.new.verdict if self.new else ''}"
        if self.new is None:
            return f"{self.old}: it was {self.old.verdict}"
        flaky = f" ({_FLAKY})" if _FLAKY in (self.old.known, self.new.known) else ""
        return f"{self.new}: {self.old.verdict}, now {self.new.verdict}{flaky}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs beside each other.

    Attributes:
        old: the run before.
        new: the run after.
    """

    old: RunRecord
    new: RunRecord

    @property
    def changes(self) -> list[Change]:
        """What is not the same, by name of the chapter. A message that changed is no change of a verdict."""
        old, new = ({_key(each): each for each in record.results} for record in (self.old, self.new))
        pairs = [Change(old.get(key), new.get(key), bool(self.new.selected)) for key in sorted(old.keys() | new.keys())]
        return [each for each in pairs if each.old is None or each.new is None or each.old.verdict != each.new.verdict]

    @property
    def exit_code(self) -> int:
        """0 when everything that passed still does, 1 when something does not, 2 when the new run could not be made."""
        if self.new.broken:
            return 2
        return int(any(change.is_loss for change in self.changes))

    def lines(self, *, every: bool = False) -> Iterator[str]:
        """The difference for people: losses first.

        Args:
            every: whether what only one of the runs has is listed where the other is a part of the suite; else it is
                counted.
        """
        for name, record in (("old", self.old), ("new", self.new)):
            part = f", a part of the suite: {record.selected}" if record.selected else ""
            yield (
                f"{name}: {record.implementation} {record.version}, edition {record.edition}, "
                f"{len(record.results)} verdicts, {record.started}{part}"
            )
        if self.new.broken:
            yield f"BROKEN: {self.new.broken}"
            return
        changes = self.changes
        both = [each for each in changes if each.old and each.new]
        appeared = [each for each in changes if each.old is None]
        gone = [each for each in changes if each.new is None and not each.is_loss]
        for heading, chosen, is_counted in (
            ("passed, and no longer does", [each for each in changes if each.is_loss], False),
            ("passes now", [each for each in both if each.new and each.new.verdict is Verdict.PASSED], False),
            (
                "other verdicts",
                [each for each in both if not each.is_loss and each.new and each.new.verdict is not Verdict.PASSED],
                False,
            ),
            ("only in the new run, for the old one is a part of the suite", appeared, True)
            if self.old.selected
            else ("appeared", appeared, False),
            ("only in the old run, for the new one is a part of the suite", gone, True)
            if self.new.selected
            else ("vanished", gone, False),
        ):
            if chosen:
                is_listed = every or not is_counted
                yield ""
                yield f"{heading}: {len(chosen)}{'' if is_listed else ' (--all lists them)'}"
                for change in chosen if is_listed else ():
                    yield f"  {change}"
                    if change.is_loss and change.new and change.new.message:
                        yield f"    {change.new.message}"
        if not changes:
            yield "no difference"


def _key(result: Result) -> tuple[str, ...]:
    return result.chapter, result.check, result.subject, result.role, result.direction, result.transport
