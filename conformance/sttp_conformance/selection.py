"""Which checks are made, in which ways, and why others are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sttp_conformance.adapter import Adapter
from sttp_conformance.checks import Check
from sttp_conformance.ways import Direction, Way, end_of

__all__ = ["Selection", "why_not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What whoever starts a run asks for.

    Attributes:
        words: parts of names of checks, of chapters, or of requirement ids; without any, everything.
        directions: who dials; without any, both.
        transports: over what; without any, all of the adapter.
        slow: whether slow checks are made.
        edition: of the requirements, against which the run is held; empty for the published one.
    """

    words: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = ()
    transports: tuple[str, ...] = ()
    slow: bool = False
    edition: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out but what is slow."""
        return not (self.words or self.directions or self.transports)

    @property
    def said(self) -> str:
        """What is left out, in the words of the command line; empty for the whole suite but what is slow."""
        options = (("-k", self.words), ("--direction", self.directions), ("--transport", self.transports))
        return " ".join(f"{name} {value}" for name, values in options for value in values)

    def chooses(self, check: Check) -> bool:
        """Whether a check is asked for."""
        texts = (check.name, check.chapter, *check.requirements)
        return not self.words or any(word.lower() in text.lower() for word in self.words for text in texts)

    def checks(self, checks: Mapping[str, Check]) -> list[Check]:
        """The checks that are asked for."""
        return [check for check in checks.values() if self.chooses(check)]

    def idle_words(self, checks: Mapping[str, Check]) -> list[str]:
        """The words that choose no check: most likely they are misspelt."""
        return [word for word in self.words if not replace(self, words=(word,)).checks(checks)]

    def ways(self, adapter: Adapter) -> list[Way]:
        """The ways that are asked for."""
        directions: Iterable[Direction] = self.directions or Direction
        transports = self.transports or adapter.transports
        return [Way(direction, transport) for transport in transports for direction in directions]


def why_not(check: Check, way: Way, adapter: Adapter, selection: Selection) -> tuple[bool, str]:
    """Why a check is not made in a way: whether the implementation does not support it, and the reason.

    Returns:
        Whether the reason is that something is unsupported, not that the check is skipped, and the reason; empty when
        the check is to be made.
    """
    listed = adapter.expectations.unsupported
    end = end_of(check.role, way.direction)
    for what in (check.name, *check.requirements, end):
        if what in listed:
            return True, listed[what]
    if not adapter.has_end(check.role, way.direction):
        return True, f"the adapter has no command for {end}"
    if check.secure and not way.is_secure:
        return True, listed.get("tls", "the adapter names no transport with TLS (transports.tls)")
    for need in (*check.needs, "start") if check.fresh else check.needs:
        if reason := adapter.lacks(need, check.role):
            return need != "start", reason
    for asked in check.asks:
        if not adapter.can_set(asked):
            return True, f"the adapter has no place for {{{asked}}}"
    if check.timers and not all(adapter.can_set(timer) for timer in check.timers) and not selection.slow:
        missing = ", ".join(timer for timer in check.timers if not adapter.can_set(timer))
        return False, f"it takes long, because the adapter cannot set {missing}; it is made with --slow"
    if check.slow and not selection.slow and not check.timers:
        return False, "it takes long; it is made with --slow"
    return False, ""
