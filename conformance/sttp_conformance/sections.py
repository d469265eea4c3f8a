"""The sections of the protocol reference, `sections.toml`, and which requirements come from each."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from sttp_conformance.ledger import Ledger, Requirement

__all__ = ["Sections", "load_sections", "requirements_by_section", "sources"]

_SOURCE: Final = re.compile(r"(?:(?P<document>[\w-]+\.md) )?(?P<section>[A-Z]|\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Sections:
    """What there is, and what is left out.

    Attributes:
        titles: by number of the section, such as `7.9`.
        unchecked: by number, why no check looks at anything of it.
    """

    titles: Mapping[str, str]
    unchecked: Mapping[str, str]


@cache
def load_sections() -> Sections:
    """The sections of wire.md 1 to 10."""
    document = tomllib.loads((files("sttp_conformance") / "sections.toml").read_text("utf-8"))
    return Sections(MappingProxyType(document["sections"]), MappingProxyType(document["unchecked"]))


def sources(requirement: Requirement) -> list[tuple[str, str]]:
    """Documents and sections that a requirement comes from: `wire.md 1.1, 9.3` is two.

    Raises:
        ValueError: its source is written in another way.
    """
    found: list[tuple[str, str]] = []
    document = ""
    for part in requirement.source.split(", "):
        match = _SOURCE.fullmatch(part)
        document = (match["document"] or document) if match else ""
        if match is None or not document:
            raise ValueError(
                f"{requirement.id}: its source is no list such as 'wire.md 1.1, 9.3': {requirement.source}"
            )
        found.append((document, match["section"]))
    return found


def requirements_by_section(ledger: Ledger, document: str = "wire.md") -> dict[str, list[Requirement]]:
    """The requirements that come from each section of a document."""
    found: defaultdict[str, list[Requirement]] = defaultdict(list)
    for requirement in ledger:
        for name, section in sources(requirement):
            if name == document:
                found[section].append(requirement)
    return dict(found)
