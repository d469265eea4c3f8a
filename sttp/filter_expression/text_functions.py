"""Functions of text, for single values. Positions and lengths are in code points, positions from 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sttp.filter_expression.budget import Budget

__all__ = ["FUNCTIONS", "MAKING_TEXT", "WITH_REGEX"]


def _folded(left: str, right: str, ignore_case: bool | None) -> tuple[str, str]:
    return (left.upper(), right.upper()) if ignore_case else (left, right)


def _contains(text: str, test: str | None, ignore_case: bool | None = None) -> bool:
    if test is None:
        return False
    text, test = _folded(text, test, ignore_case)
    return test in text


def _starts_with(text: str, test: str | None, ignore_case: bool | None = None) -> bool:
    if test is None:
        return False
    text, test = _folded(text, test, ignore_case)
    return text.startswith(test)


def _ends_with(text: str, test: str | None, ignore_case: bool | None = None) -> bool:
    if test is None:
        return False
    text, test = _folded(text, test, ignore_case)
    return text.endswith(test)


def _index_of(text: str, test: str, ignore_case: bool | None = None) -> int:
    text, test = _folded(text, test, ignore_case)
    return text.find(test)


def _last_index_of(text: str, test: str, ignore_case: bool | None = None) -> int:
    text, test = _folded(text, test, ignore_case)
    return text.rfind(test)


def _nth_index_of(text: str, test: str, n: int, ignore_case: bool | None = None) -> int:
    """Where match `n` begins, from 0; matches do not overlap, so that STRCOUNT is how many there are."""
    text, test = _folded(text, test, ignore_case)
    if n < 0 or not test:
        return 0 if n == 0 else -1
    parts = text.split(test, min(n, len(text)) + 1)
    return len(text) - len(parts[-1]) - len(test) if len(parts) > n + 1 else -1


def _count(text: str | None, test: str | None, ignore_case: bool | None = None) -> int:
    if not text or not test:
        return 0
    text, test = _folded(text, test, ignore_case)
    return text.count(test)


def _compare(left: str | None, right: str | None, ignore_case: bool | None = None) -> int:
    """-1, 0 or 1; a null comes behind all texts."""
    if left is None or right is None:
        return (left is None) - (right is None)
    left, right = _folded(left, right, ignore_case)
    return (left > right) - (left < right)


def _split(text: str, delimiter: str, n: int, ignore_case: bool | None = None) -> str:
    """Part `n`, from 0; nothing when there are fewer. Without delimiter in it the whole text is one part."""
    if n < 0 or not delimiter:
        return text if n == 0 else ""
    folded, sought = _folded(text, delimiter, ignore_case)
    parts = folded.split(sought, min(n, len(text)) + 1)
    if n >= len(parts):
        return ""
    if len(folded) != len(text):  # a character whose upper case is two, so that positions differ
        return parts[n]
    start = sum(map(len, parts[:n])) + n * len(sought)
    return text[start : start + len(parts[n])]


def _substring(text: str, start: int, length: int | None = None) -> str:
    """Nothing when it begins outside of the text; what goes beyond the end is cut."""
    if start < 0 or (length is not None and length < 0):
        return ""
    return text[start:] if length is None else text[start : start + length]


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "CONTAINS": _contains,
    "ENDSWITH": _ends_with,
    "INDEXOF": _index_of,
    "LASTINDEXOF": _last_index_of,
    "LEN": len,
    "NTHINDEXOF": _nth_index_of,
    "SPLIT": _split,
    "STARTSWITH": _starts_with,
    "STRCMP": _compare,
    "STRCOUNT": _count,
    "SUBSTR": _substring,
    "TRIM": str.strip,
    "TRIMLEFT": str.lstrip,
    "TRIMRIGHT": str.rstrip,
}
"""Functions that make no text, or only parts of what they are given."""


def _replace(budget: Budget, text: str, test: str, new: str, ignore_case: bool | None = None) -> str:
    """`text` with all matches of `test` replaced; as it is when `test` is empty."""
    if not test:
        return text
    if not ignore_case:
        budget.make_text(len(text) + text.count(test) * (len(new) - len(test)))
        return text.replace(test, new)
    folded, sought = _folded(text, test, ignore_case)
    if len(folded) != len(text):  # as in SPLIT
        return _replace(budget, folded, sought, new)
    parts = folded.split(sought)
    budget.make_text(len(text) + (len(parts) - 1) * (len(new) - len(sought)))
    kept = []
    start = 0
    for part in parts:
        kept.append(text[start : start + len(part)])
        start += len(part) + len(sought)
    return new.join(kept)


def _made_by(change: Callable[[str], str]) -> Callable[[Budget, str], str]:
    def function(budget: Budget, text: str) -> str:
        budget.make_text(len(text))
        return change(text)

    return function


MAKING_TEXT: Final[Mapping[str, Callable[..., str]]] = {
    "LOWER": _made_by(str.lower),
    "REPLACE": _replace,
    "REVERSE": _made_by(lambda text: text[::-1]),
    "UPPER": _made_by(str.upper),
}
"""Functions that make new text; they get the budget first, to count it."""


def _regex_match(budget: Budget, pattern: str, text: str) -> bool:
    return budget.regex(pattern).search(text) is not None


def _regex_value(budget: Budget, pattern: str, text: str) -> str:
    found = budget.regex(pattern).search(text) or ""
    budget.make_text(len(found))
    return found


WITH_REGEX: Final[Mapping[str, Callable[..., Any]]] = {"REGEXMATCH": _regex_match, "REGEXVAL": _regex_value}
"""Functions that look for a regular expression; they get the budget first, which compiles and counts."""
