"""From the text of a filter expression to its statements (filter-expressions.md 2).

`grammar.lark` is the grammar. Statements are read one after the other, so that a list of a hundred thousand signals,
of which each is a statement, need not pass through the parser: a regular expression knows the usual forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, cast
from uuid import UUID

from lark import Lark, TextSlice, Token, UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from sttp.errors import FilterError
from sttp.filter_expression.expectations import expected_at, unexpected_character, unexpected_token
from sttp.filter_expression.nodes import Condition, Expression, Filter, Identifier, Literal, Statement, walk
from sttp.filter_expression.problems import Refusal, error_at
from sttp.filter_expression.tree_builder import TreeBuilder, offset_of
from sttp.filter_expression.values import ValueType
from sttp.limits import DEFAULT_LIMITS, Limits

__all__ = ["parse", "parse_expression"]

_REMEMBERED: Final = 4096
"""Characters up to which an expression is remembered with its tree; few are longer, and then seldom the same."""

_USUAL_IDENTIFIER: Final = re.compile(
    r"[ \t\v\r\n;]*(?:"
    r"(?P<guid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<key>\w[a-z0-9\-!_.@#$]{0,199}:[0-9]+)"
    r'|"(?P<tag>[a-z0-9\-!_.@#$]+)"'
    r")[ \t\v\r\n]*(?:;|\Z)",
    re.IGNORECASE | re.ASCII,
)


def parse(text: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Statement, ...]:
    """The statements of a filter expression; empty ones are left out.

    Short expressions are remembered, so that one that comes again costs nothing.

    Args:
        text: the expression.
        limits: see those from `filter_expression` to `filter_depth`.

    Raises:
        FilterError: it cannot be read, with the place.
    """
    return _parse_and_remember(text, limits) if len(text) <= _REMEMBERED else _parse(text, limits)


def parse_expression(text: str, limits: Limits = DEFAULT_LIMITS) -> Expression:
    """The expression that `text` is, for evaluation by itself; a Guid is a value here and names no signal.

    Raises:
        FilterError: it cannot be read, or is not one expression.
    """
    match parse(text, limits):
        case (Condition(where=expression),):
            return expression
        case (Identifier(signal=UUID() as guid, at=at),):
            return Literal(ValueType.GUID, guid, at=at)
    raise FilterError("one expression is expected, and no statement")


@lru_cache(maxsize=256)
def _parse_and_remember(text: str, limits: Limits) -> tuple[Statement, ...]:
    return _parse(text, limits)


def _parse(text: str, limits: Limits) -> tuple[Statement, ...]:
    if len(text) > limits.filter_expression:
        raise FilterError(
            f"a filter expression of {len(text)} characters exceeds the limit of {limits.filter_expression}"
        )
    return tuple(_statements(text, limits))


def _statements(text: str, limits: Limits) -> Iterator[Statement]:
    position = signals = conditions = 0
    reading = _Reading(text, limits)
    while position < len(text):
        statement: Statement | None
        if (usual := _USUAL_IDENTIFIER.match(text, position)) is not None:
            statement, position = _identifier(usual), usual.end()
        else:
            statement, position = reading.statement(position)
        if statement is None:
            continue
        if isinstance(statement, Identifier):
            signals += 1
            if signals > limits.filter_signals:
                raise FilterError(f"the filter expression names more than {limits.filter_signals} signals")
        else:
            conditions += 1
            if conditions > limits.filter_statements:
                raise FilterError(f"the filter expression has more than {limits.filter_statements} conditions")
        yield statement


def _identifier(match: re.Match[str]) -> Identifier:
    at = match.start(match.lastgroup or 0)
    if (guid := match["guid"]) is not None:
        return Identifier(UUID(int=int(guid.replace("-", ""), 16)), at=at)
    return Identifier(match["tag"] or match["key"], is_tag=match["tag"] is not None, at=at)


class _Reading:
    """Reads statements with the parser, and counts what that costs.

    Args:
        text: the expression.
        limits: `filter_conditions`, `filter_tokens` and `filter_depth` are looked at.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._characters = 0
        self._tokens = 0

    def statement(self, start: int) -> tuple[Statement | None, int]:
        """The statement that begins at offset `start`, `None` when there is none; and the offset behind it."""
        parser = _grammar().parse_interactive(TextSlice(self._text, start, len(self._text)), start="statement")
        begin, end = start, len(self._text)
        last: Token | None = None
        depth = 0
        try:
            for token in self._counted(parser, start):
                if token.type == "SEMICOLON":
                    if last is None:
                        begin = offset_of(token) + 1
                        continue
                    end = offset_of(token) + 1
                    break
                depth += (token.type == "LPAR") - (token.type == "RPAR")
                if depth > self._limits.filter_depth:
                    raise self._too_deep(offset_of(token))
                parser.feed_token(token)
                last = token
            self._characters += end - start
            if last is None:
                return None, end
            statement: Statement = parser.feed_eof(last)  # type: ignore[no-untyped-call]
        except UnexpectedToken as error:
            raise self._unexpected(error.token, begin, end) from None
        except UnexpectedCharacters as error:
            at = cast("int", error.pos_in_stream)  # lark declares it without saying that it has a value
            raise error_at(self._text, at, unexpected_character(self._text, at, parser)) from None
        except Refusal as refusal:
            raise error_at(self._text, refusal.at or start, refusal.reason) from None
        if isinstance(statement, (Filter, Condition)):
            for node_depth, node in walk(statement.where):
                if node_depth > self._limits.filter_depth:
                    raise self._too_deep(node.at)
        return statement, end

    def _counted(self, parser: InteractiveParser, start: int) -> Iterator[Token]:
        """The tokens from offset `start` on, as far as the limits allow."""
        tokens: Iterator[Token] = parser.lexer_thread.lex(parser.parser_state)  # type: ignore[no-untyped-call]
        longest = self._limits.filter_conditions
        for token in tokens:
            if self._characters + (token.end_pos or 0) - start > longest:
                raise FilterError(f"the conditions of a filter expression have more than {longest} characters")
            self._tokens += 1
            if self._tokens > self._limits.filter_tokens:
                raise FilterError(
                    f"the conditions of a filter expression have more than {self._limits.filter_tokens} words and signs"
                )
            yield token

    def _unexpected(self, token: Token, begin: int, end: int) -> FilterError:
        """The error for a token that may not stand where it stands, in the statement between two offsets."""
        at = offset_of(token)
        if token.type == "$END":
            at = end - 1 if self._text[end - 1 : end] == ";" else end
        # the parser that refused the token has gone on as far as it could before: another one stops ahead of it
        parser = _grammar().parse_interactive(TextSlice(self._text, begin, at), start="statement")
        parser.exhaust_lexer()
        if token.type == "$END":
            return error_at(self._text, at, f"{expected_at(parser)} expected, but the statement ends here")
        return error_at(self._text, at, unexpected_token(self._text, token, parser))

    def _too_deep(self, at: int) -> FilterError:
        return error_at(self._text, at, f"the expression is nested deeper than {self._limits.filter_depth}")


@cache
def _grammar() -> Lark:
    grammar = files("sttp.filter_expression").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, start=["input", "statement"], parser="lalr", lexer="basic", transformer=TreeBuilder())
