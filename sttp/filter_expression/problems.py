"""What is wrong with an expression, and where: one sentence, and a caret under the place."""

from __future__ import annotations

from sttp.errors import FilterError

__all__ = ["Refusal", "error_at", "shown"]

_WIDTH = 76
"""Characters of the expression that are shown around a place."""

_LONGEST_REASON = 400


class Refusal(Exception):
    """A value, operator or function that cannot be, found where nobody knows the text of the expression.

    It does not leave the package: whoever knows the text makes a `FilterError` of it.

    Attributes:
        reason: what is wrong, in one sentence.
        at: offset of the place in the expression; `None` until somebody knows it.
    """

    def __init__(self, reason: str, at: int | None = None) -> None:
        self.reason = reason
        self.at = at
        super().__init__(reason)


def error_at(text: str, at: int, reason: str) -> FilterError:
    """The error for the character at offset `at` of `text`; its length does not depend on that of `text`."""
    at = min(at, len(text))
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    first = start if at - start < _WIDTH else at - _WIDTH // 2
    last = min(end, first + _WIDTH)
    before, after = "…" if first > start else "", "…" if last < end else ""
    window = f"{before}{_printable(text[first:last])}{after}"
    return FilterError(
        reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…",
        line=text.count("\n", 0, at) + 1,
        column=at - start + 1,
        excerpt=f"{window}\n{' ' * (len(before) + at - first)}^",
    )


def shown(text: str) -> str:
    """`text` in quotes, on one line, and short enough for a message."""
    return f"'{_printable(text if len(text) <= 40 else text[:40] + '…')}'"


def _printable(text: str) -> str:
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}" for each in text
    )
