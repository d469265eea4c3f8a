"""What cites the protocol reference, and what of it there is to cite.

The reference is the four documents in `reference/protocol`. Docstrings, errors, requirements and pages cite them by
name and section: `wire.md 4.5`, `tssc.md 6, 12`, `metadata.md 7, wire.md 8.3`, `wire.md 5.6, Y6`. Here that is read,
with nothing of Sphinx: `protocol_links.py` makes links of it, and the tests ask whether everything cited is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["DOCUMENTS", "PROTOCOL", "Citation", "anchor", "citations", "headings", "section_of", "sections"]

PROTOCOL: Final = Path(__file__).parent / "reference" / "protocol"
DOCUMENTS: Final = ("wire.md", "tssc.md", "metadata.md", "filter-expressions.md")

_HEADING: Final = re.compile(r"^#{2,3} (?P<title>.+)$", re.MULTILINE)
_NUMBERED: Final = re.compile(r"(?:Appendix )?(?P<section>[A-Z](?:\.\d)?|\d+(?:\.\d+)?)\.? (?P<title>.+)")
_DEVIATION: Final = re.compile(r"^\| (?P<section>[CGOY]\d+) \|", re.MULTILINE)

_SECTION: Final = r"(?:\d{1,2}(?:\.\d{1,2})?(?![\d.]*\d)|[AB](?:\.\d)?\b|[CGOY]\d{1,2}\b)"
_NAME: Final = rf"(?<![\w/.-])(?P<document>{'|'.join(map(re.escape, DOCUMENTS))})(?!\w)"
_BEFORE: Final = r"\s+(?:sections? |appendix |§)?"
_BETWEEN: Final = r"(?:,|,? and|,? to)\s+(?:appendix |§)?"
_CITATION: Final = re.compile(rf"{_NAME}(?P<list>{_BEFORE}{_SECTION}(?:{_BETWEEN}{_SECTION})*)?")
_LIST: Final = re.compile(_SECTION)

_MARKED: Final = re.compile(rf"(?:§|\b(?:[Ss]ections?|[Aa]ppendix) )(?P<list>{_SECTION}(?:{_BETWEEN}{_SECTION})*)")
_POINT: Final = r"\d{1,2}\.\d{1,2}(?![\d.]*\d)"
_POINTED: Final = re.compile(rf"(?:\(|\b(?:see|in|of) )(?P<list>{_POINT}(?:{_BETWEEN}{_POINT})*)")
"""Where no document is named, a number is a section behind the word, or with a point in it; others rarely are."""
_NUMBER: Final = re.compile(r"\b(?P<list>[CGOY]\d{1,2})\b")

_EXAMPLES: Final = {"G1", "G2"}
"""In wire.md these are GUIDs of the examples, besides two deviations, which nobody cites."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a text that cites one section, or a document as a whole.

    Attributes:
        start: where it begins in the text.
        end: where it ends.
        document: such as `wire.md`.
        section: such as `4.5`, `A.3` or `Y6`; empty when the document as a whole is meant.
    """

    start: int
    end: int
    document: str
    section: str


def section_of(heading: str) -> tuple[str, str]:
    """Number and title of a heading: `4.5 Replies` is `("4.5", "Replies")`; the number is empty where there is none."""
    match = _NUMBERED.fullmatch(heading)
    return (match["section"], match["title"]) if match else ("", heading)


@cache
def headings(document: str) -> dict[str, str]:
    """The sections of a document with their titles, by number."""
    text = (PROTOCOL / document).read_text(encoding="utf-8")
    numbered = (section_of(match["title"]) for match in _HEADING.finditer(text))
    return {section: title for section, title in numbered if section}


@cache
def sections(document: str) -> frozenset[str]:
    """Everything of a document that can be cited: its sections, and the numbers of its lists of deviations."""
    text = (PROTOCOL / document).read_text(encoding="utf-8")
    return frozenset(headings(document)) | {match["section"] for match in _DEVIATION.finditer(text)}


def anchor(section: str) -> str:
    """Where a section stands on its page: `section-4-5`, or `y6` for a deviation."""
    deviation = section[:1] in "CGOY" and section[1:].isdigit()
    return section.lower() if deviation else f"section-{section.lower().replace('.', '-')}"


def citations(text: str, own: str = "") -> Iterator[Citation]:
    """Everything that a text cites, in order; in a list such as `wire.md 4.5, 9.3` each section by itself.

    Args:
        text: any.
        own: the document that sections without a name belong to, `(4.5)` or `§3`; without it they are no citations.

    A number without a name, and that of a deviation such as `Y6`, is a citation only if there is such a thing.
    """
    found = [each for match in _CITATION.finditer(text) for each in _named(match)]
    for pattern, document in ((_MARKED, own), (_POINTED, own), (_NUMBER, "wire.md")):
        for match in pattern.finditer(text) if document else ():
            for number in _LIST.finditer(text, *match.span("list")):
                apart = all(number.end() <= each.start or each.end <= number.start() for each in found)
                if apart and number.group() in sections(document) - _EXAMPLES:
                    found.append(Citation(*number.span(), document, number.group()))
    yield from sorted(found, key=lambda each: each.start)


def _named(match: re.Match[str]) -> Iterator[Citation]:
    """The first section together with the name of the document, the others by themselves."""
    document = match["document"]
    if match["list"] is None:
        yield Citation(match.start(), match.end(), document, "")
        return
    start = match.start()
    for number in _LIST.finditer(match.string, *match.span("list")):
        yield Citation(start, number.end(), document, number.group())
        start = number.end()
        while start < match.end() and not _LIST.match(match.string, start):
            start += 1
