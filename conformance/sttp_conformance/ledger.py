"""The ledger of requirements: every rule that the network can show, with a stable id, its source, and its checks.

It is data, `requirements.toml`. What a run covered is never taken from here, only from what the run emitted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

__all__ = ["CHAPTERS", "Ledger", "Level", "Requirement", "edition_key", "load_ledger"]

CHAPTERS: Final = MappingProxyType(
    {
        "FRM": "framing",
        "NEG": "negotiation",
        "MET": "metadata",
        "SUB": "subscription",
        "CAC": "signal_index_caches",
        "CMP": "compact",
        "TSC": "tssc",
        "BTM": "base_times",
        "KAL": "keep_alive",
        "MAL": "malformed_input",
        "REV": "reverse_connections",
        "INV": "role_invariance",
        "TLS": "tls",
        "CIP": "cipher_keys",
        "BUF": "buffer_blocks",
        "NTF": "notifications",
        "UCM": "user_commands",
        "PRI": "processing_interval",
        "TMP": "temporal",
        "UDP": "udp",
        "MSC": "other_messages",
        "FIL": "filter_expressions",
        "SCL": "scale",
    }
)
"""Chapters by the letters that stand in the ids of their requirements. A chapter is a module of `cases`."""


_KEYS: Final = {"id", "source", "level", "role", "text", "checks", "unchecked", "how", "seen_failing", "since"}
_EDITION: Final = re.compile(r"\d{4}\.\d{1,3}", re.ASCII)


class Level(StrEnum):
    """How strongly a requirement binds."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"

    @classmethod
    def strongest(cls, levels: list[Level]) -> Level:
        """The strongest of some levels; must, when there are none."""
        return min(levels, key=list(cls).index, default=cls.MUST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One rule.

    Attributes:
        id: such as `STTP-FRM-001`; it never changes its meaning.
        source: where it comes from, such as `wire.md 7.9`.
        level: how strongly it binds.
        role: whom it binds: `publisher`, `subscriber` or `both`.
        text: the rule in our words.
        checks: names of the checks that look at it.
        unchecked: why no check can; empty when there are checks.
        how: how the checks show it.
        seen_failing: an implementation that the checks must catch.
        since: the first edition that it belongs to; empty for those that were there from the beginning.
    """

    id: str
    source: str
    level: Level
    role: str
    text: str
    checks: tuple[str, ...] = ()
    unchecked: str = ""
    how: str = ""
    seen_failing: str = ""
    since: str = ""

    @property
    def chapter(self) -> str:
        """The name of its chapter."""
        return CHAPTERS[self.id.split("-")[1]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """All requirements, and the edition that a run is held against.

    An edition is frozen: what is added later says `since`, and is looked at and reported in a run for an earlier
    edition, but does not count in it.

    Attributes:
        edition: name of the edition, such as `2026.1`.
        requirements: by id, in the order of the file; those of later editions too.
    """

    edition: str
    requirements: Mapping[str, Requirement]

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.requirements.values())

    def __len__(self) -> int:
        return len(self.requirements)

    @property
    def by_check(self) -> dict[str, tuple[str, ...]]:
        """Ids of requirements by the name of the check that looks at them."""
        found: dict[str, tuple[str, ...]] = {}
        for requirement in self:
            for name in requirement.checks:
                found[name] = (*found.get(name, ()), requirement.id)
        return found

    def level_of(self, ids: tuple[str, ...]) -> Level:
        """The strongest level among some requirements; those that the ledger does not know do not count."""
        return Level.strongest([self.requirements[each].level for each in ids if each in self.requirements])

    @property
    def editions(self) -> list[str]:
        """The editions that it knows of, in order: the published one, and those in which something was added."""
        return sorted({self.edition, *(each.since for each in self if each.since)}, key=edition_key)

    def at(self, edition: str) -> Ledger:
        """The same requirements, held against another edition.

        Raises:
            ValueError: there is no such edition; the message says which there are.
        """
        if edition not in self.editions:
            raise ValueError(
                f"there is no edition {edition!r} of the requirements; there is {', '.join(self.editions)}"
            )
        return replace(self, edition=edition)

    def counts(self, since: str) -> bool:
        """Whether what is there since some edition counts in this one; empty is since the beginning."""
        return not since or edition_key(since) <= edition_key(self.edition)

    def counted(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        """Those of some requirements that count in this edition."""
        return tuple(each for each in ids if each in self.requirements and self.counts(self.requirements[each].since))

    @classmethod
    def read(cls, text: str) -> Ledger:
        """Read a ledger.

        Raises:
            ValueError: it is not one; the message says which requirement and what is wrong.
        """
        document = tomllib.loads(text)
        requirements: dict[str, Requirement] = {}
        for entry in document.get("requirement", []):
            requirement = _requirement(entry)
            if requirement.id in requirements:
                raise ValueError(f"{requirement.id} stands twice in the ledger")
            requirements[requirement.id] = requirement
        edition_key(document["edition"])
        return cls(document["edition"], MappingProxyType(requirements))


def _requirement(entry: dict[str, Any]) -> Requirement:
    name = entry.get("id", "a requirement without id")
    unknown = entry.keys() - _KEYS
    if unknown:
        raise ValueError(f"{name}: unknown key {sorted(unknown)[0]!r}")
    parts = str(name).split("-")
    if len(parts) != 3 or parts[0] != "STTP" or parts[1] not in CHAPTERS or not parts[2].isdigit():
        raise ValueError(f"{name}: an id is STTP-CHAPTER-NUMBER, with one of the chapters {' '.join(CHAPTERS)}")
    if entry.get("role") not in ("publisher", "subscriber", "both"):
        raise ValueError(f"{name}: role is publisher, subscriber or both, not {entry.get('role')!r}")
    if bool(entry.get("checks")) == bool(entry.get("unchecked")):
        raise ValueError(f"{name}: give either checks, or in unchecked the reason why no check can look at it")
    if since := entry.get("since", ""):
        try:
            edition_key(since)
        except ValueError as error:
            raise ValueError(f"{name}: since: {error}") from None
    return Requirement(
        id=name,
        source=entry["source"],
        level=Level(entry["level"]),
        role=entry["role"],
        text=" ".join(entry["text"].split()),
        checks=tuple(entry.get("checks", ())),
        unchecked=entry.get("unchecked", ""),
        how=entry.get("how", ""),
        seen_failing=entry.get("seen_failing", ""),
        since=since,
    )


def edition_key(edition: str) -> tuple[int, ...]:
    """What editions are sorted by: `2026.10` comes after `2026.9`.

    Raises:
        ValueError: it is no name of an edition.
    """
    if not _EDITION.fullmatch(edition):
        raise ValueError(f"an edition is YEAR.NUMBER, such as 2026.1, not {edition!r}")
    return tuple(int(part) for part in edition.split("."))


@cache
def load_ledger(edition: str = "") -> Ledger:
    """The ledger that comes with the suite.

    Args:
        edition: against which it is held; empty for the published one.

    Raises:
        ValueError: there is no such edition.
    """
    if edition:
        return load_ledger().at(edition)
    return Ledger.read((files("sttp_conformance") / "requirements.toml").read_text("utf-8"))
