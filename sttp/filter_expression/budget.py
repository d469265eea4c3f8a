"""What one evaluation may still use of time and memory, so that no expression costs more than the limits say."""

from __future__ import annotations

import re2

from sttp.errors import FilterError
from sttp.filter_expression.problems import Refusal, shown
from sttp.limits import Limits

__all__ = ["Budget", "Regex"]

_REGEX_MEMORY = 2**20  # bytes of one regular expression: its program and the states that matching makes of it
_INSTRUCTIONS_PER_STEP = 16
"""Of its program, for each character of a text: at worst each takes some ten nanoseconds."""


class Budget:
    """Counts steps, characters and regular expressions; what goes beyond a limit ends the evaluation.

    Args:
        limits: see `filter_steps`, `filter_text`, `filter_texts`, `filter_patterns` and `filter_pattern`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._steps = limits.filter_steps
        self._characters = limits.filter_texts
        self._regexes: dict[str, Regex] = {}

    def spend(self, steps: int) -> None:
        """Count `steps` that are about to be taken.

        Raises:
            FilterError: there are too few left.
        """
        self._steps -= steps
        if self._steps < 0:
            raise FilterError(
                f"the expression takes more than {self._limits.filter_steps} steps on this table;"
                " name fewer columns, or write IN (…) in place of many comparisons"
            )

    def make_text(self, characters: int) -> None:
        """Count the characters of one text that is about to be made.

        Raises:
            Refusal: it would be too long.
            FilterError: all texts together are.
        """
        if characters > self._limits.filter_text:
            raise Refusal(f"this would make a text of more than {self._limits.filter_text} characters")
        self._characters -= characters
        if self._characters < 0:
            raise FilterError(f"the expression makes texts of more than {self._limits.filter_texts} characters")

    def regex(self, pattern: str) -> Regex:
        """The regular expression that `pattern` spells, compiled once.

        Raises:
            Refusal: it is none, too long, or one too many.
        """
        found = self._regexes.get(pattern)
        if found is None:
            if len(pattern) > self._limits.filter_pattern:
                raise Refusal(f"a regular expression has at most {self._limits.filter_pattern} characters")
            if len(self._regexes) >= self._limits.filter_patterns:
                raise Refusal(f"there are more than {self._limits.filter_patterns} different regular expressions")
            found = self._regexes[pattern] = Regex(pattern, self)
        return found


class Regex:
    """A regular expression of RE2, whose time is linear in the length of the text, and counted.

    Args:
        pattern: the expression.
        budget: what searching is counted against.

    Raises:
        Refusal: `pattern` is no regular expression of RE2, or needs too much memory.
    """

    def __init__(self, pattern: str, budget: Budget) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _REGEX_MEMORY
        try:
            # as bytes, because the library's handling of str is several times slower
            self._compiled = re2.compile(pattern.encode("utf-8", "replace"), options)
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise Refusal(f"{shown(pattern)} is no regular expression: {text[:80]}") from None
        self._budget = budget

    def search(self, text: str) -> str | None:
        """The first match anywhere in `text`; `None` when there is none."""
        self._budget.spend(1 + len(text) * self._compiled.programsize // _INSTRUCTIONS_PER_STEP)
        match = self._compiled.search(text.encode("utf-8", "replace"))
        return None if match is None else match.group().decode("utf-8", "replace")
