"""What the parser expected in place of what it found, in the words of people."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from lark import Token
from lark.parsers.lalr_interactive_parser import InteractiveParser

from sttp.filter_expression.problems import shown
from sttp.filter_expression.signatures import SIGNATURES

__all__ = ["expected_at", "unexpected_character", "unexpected_token"]

_OPERAND: Final = frozenset({"NAME", "INTEGER", "LPAR"})
_OPERANDS: Final = _OPERAND | {
    "NUMERIC", "STRING", "DATETIME", "GUID", "TRUE", "FALSE", "NULL", "FUNCTION", "PLUS", "MINUS", "TILDE", "NOT",
}  # fmt: skip
_OPERATOR: Final = frozenset({"AND"})  # it may stand wherever another operator may
_OPERATORS: Final = _OPERATOR | {
    "OR", "COMPARISON", "MATH", "EXACTLY", "BITWISE", "PLUS", "MINUS", "IN", "NOT_IN", "LIKE", "NOT_LIKE", "IS",
}  # fmt: skip
_NAMES: Final = {
    "NAME": "a name",
    "INTEGER": "a whole number",
    "NUMERIC": "a number",
    "STRING": "text in single quotes",
    "DATETIME": "a date",
    "GUID": "a Guid",
    "KEY": "a measurement key",
    "TAG": "a point tag in double quotes",
    "FUNCTION": "a function",
    "COMPARISON": "a comparison",
    "EXACTLY": "===",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "PLUS": "+",
    "MINUS": "-",
    "$END": "the end",
}
_TAG: Final = re.compile(r'"([^"\r\n]{0,200})"')
_LONGEST_NAME: Final = 64
_LAST_NAME: Final = re.compile(r"([A-Za-z_]\w*)\s*\Z")
_BARE_TAG: Final = re.compile(r"[A-Za-z0-9\-!_.@#$:]+\Z")


def expected_at(parser: InteractiveParser) -> str:
    """What the parser would take next, such as `a value, column or function`, or `an operator or the end`."""
    accepted = _accepted(parser)
    words = []
    if accepted >= _OPERAND:
        words += ["a value", "column", "function"]
        accepted -= _OPERANDS
    if accepted >= _OPERATOR:
        words.append("an operator")
        accepted -= _OPERATORS
    rest = accepted - {"KEY", "TAG", "SEMICOLON"}
    words += sorted((_NAMES.get(each, each) for each in rest), key=lambda word: (word == _NAMES["$END"], word))
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def unexpected_token(text: str, token: Token, parser: InteractiveParser) -> str:
    """What is wrong with a token that may not stand where it stands."""
    reason = f"{expected_at(parser)} expected, not {shown(token)}"
    accepted = _accepted(parser)
    if token.type == "TAG" and accepted >= _OPERAND:
        return f"{reason}; text stands in single quotes"
    at = token.start_pos or 0
    name = _LAST_NAME.search(text[max(0, at - _LONGEST_NAME) : at]) if token.type == "LPAR" else None
    if name is not None and accepted >= _OPERATOR:
        near = get_close_matches(name[1].upper(), SIGNATURES, n=1)
        return f"there is no function {name[1]}" + (f"; do you mean {near[0]}?" if near else "")
    return reason


def _accepted(parser: InteractiveParser) -> set[str]:
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    return accepted


def unexpected_character(text: str, at: int, parser: InteractiveParser) -> str:
    """What is wrong with a character that no token can begin with."""
    character = text[at]
    if character == "'":
        return "this text has no second quote"
    if character == "#":
        return "this date has no second #"
    if character == '"':
        tag = _TAG.match(text, at)
        if tag is None:
            return "this point tag has no second quote"
        return (
            "a point tag in quotes has letters, digits and - ! _ . @ # $ only;"
            f" write FILTER ActiveMeasurements WHERE PointTag = {shown(tag[1])}"
        )
    if character == ":" and (tag := _BARE_TAG.search(text, 0, at)) is not None:
        return "a point tag cannot stand here by itself; write FILTER ActiveMeasurements WHERE PointTag = '…'"
    return f"{expected_at(parser)} expected, not {shown(character)}"
