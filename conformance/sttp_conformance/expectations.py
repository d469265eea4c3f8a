"""What is known about an implementation before it is judged: four separate lists, each of which must stay true.

An entry that no longer applies turns the run red, so that the lists shrink as implementations grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Expectation", "Expectations", "Known", "read_expectations"]


class Known(StrEnum):
    """The lists of what may fail."""

    FAILING = "known-failing"
    FLAKY = "known-flaky"
    DEVIATION = "known-deviation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """An entry of a list.

    Attributes:
        known: which list.
        check: name of the check.
        subject: for a check that is about another one, that one; empty for any.
        role: role that is judged; empty for any.
        direction: who dials; empty for any.
        transport: over what; empty for any.
        message: a part of the message with which the check fails.
        reason: why.
        link: where more about it can be read.
    """

    known: Known
    check: str
    subject: str = ""
    role: str = ""
    direction: str = ""
    transport: str = ""
    message: str = ""
    reason: str = ""
    link: str = ""

    def fits(self, check: str, subject: str, role: str, direction: str, transport: str) -> bool:
        """Whether the entry is about a certain verdict."""
        return self.check == check and all(
            wanted in ("", found)
            for wanted, found in (
                (self.subject, subject),
                (self.role, role),
                (self.direction, direction),
                (self.transport, transport),
            )
        )

    def __str__(self) -> str:
        where = " ".join(each for each in (self.role, self.direction, self.transport) if each)
        about = f"[{self.subject}]" if self.subject else ""
        return f"{self.known} {self.check}{about}{f' ({where})' if where else ''}"


@dataclass(frozen=True, slots=True)
class Expectations:
    """All four lists of one implementation.

    Attributes:
        unsupported: reasons by capability, check or requirement id.
        known: what may fail.
    """

    unsupported: Mapping[str, str] = field(default_factory=dict)
    known: tuple[Expectation, ...] = ()


def read_expectations(document: dict[str, Any]) -> Expectations:
    """The lists of an adapter file that fits its schema."""
    return Expectations(
        {each["what"]: each["reason"] for each in document.get("unsupported", ())},
        tuple(Expectation(known=known, **entry) for known in Known for entry in document.get(known, ())),
    )
