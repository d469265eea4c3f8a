"""Transcripts as a page shows them: entries with a speaker, what was said, and its bytes, no more than can be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Entry", "entries", "printable", "shortened"]

_LINE: Final = re.compile(
    r" *(?P<time>[+-]\d+\.\d+) s +(?:(?P<speaker>publisher|subscriber): )?(?P<text>.*?)(?:  \[(?P<hex>[^][]*)\])?",
    re.DOTALL,
)
_FIRST: Final = 40
_LAST: Final = 12
"""Entries that are shown of a transcript, from its beginning and from its end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a transcript.

    Attributes:
        text: what was said, decoded, or what happened.
        time: seconds since the connection came up, as text; empty for a headline.
        speaker: `publisher` or `subscriber`; empty where nobody speaks.
        hex: the bytes, as pairs of digits.
    """

    text: str
    time: str = ""
    speaker: str = ""
    hex: str = ""


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of a transcript as it stands in a record. A line that does not look like one is only a text."""
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            yield Entry(line)
        else:
            found = {key: value or "" for key, value in match.groupdict().items()}
            yield Entry(found["text"].removeprefix("-- "), found["time"], found["speaker"], found["hex"])


def shortened(told: list[Entry]) -> list[Entry]:
    """The beginning and the end of a long transcript, and between them how many entries are left out."""
    left_out = len(told) - _FIRST - _LAST
    if left_out <= 0:
        return told
    return [
        *told[:_FIRST],
        Entry(f"{left_out} lines are left out here; the record of the run has them"),
        *told[-_LAST:],
    ]


def printable(text: str, *, keep: str = "") -> str:
    """Text without control characters, and without those that turn the direction of writing."""
    return "".join(each if each.isprintable() or each in keep else "\N{REPLACEMENT CHARACTER}" for each in text)
