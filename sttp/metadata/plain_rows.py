"""Rows in the plain form in which publishers write them, read without the XML parser and several times faster.

A row is plain when it is an element of a known table without attributes, and its children are elements of the table's
columns in their declared order, without attributes, with text or empty. One regular expression for each table matches
such a row as a whole. Everything else is left to the parser: comments, CDATA, other elements, other orders, names in
other case, and whatever is wrong. What is plain has the same meaning here as there; the tests hold the two equal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from sttp.limits import Limits
from sttp.metadata.table_readers import TableReader

__all__ = ["PlainRows", "is_plain"]

_PLAIN_BYTES: Final = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x100)])
_NO_CHARACTERS: Final = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")  # U+FFFE and U+FFFF
_NO_CHARACTER: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE: Final = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));", re.ASCII)
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BLANK: Final = r"[ \t\n]*+"

_Row = Sequence[str | None]
"""For each column, in turn: the text of its cell, and the end of its tag when it is empty; `None` where absent."""


def is_plain(block: bytes) -> bool:
    """Whether all bytes are such as may stand in plain rows, and mean in UTF-8 what they mean in XML."""
    return not (
        block.translate(None, _PLAIN_BYTES)
        or b"]]>" in block
        or (not block.isascii() and any(each in block for each in _NO_CHARACTERS))
    )


class PlainRows:
    """Reads plain rows into tables.

    Args:
        tables: the tables.
        limits: `metadata_text` is looked at.
    """

    def __init__(self, tables: Iterable[TableReader], limits: Limits) -> None:
        self._tables = [(table, _pattern(table, limits.metadata_text)) for table in tables]

    def read(self, text: str) -> int:
        """Take all plain rows that `text` begins with.

        Args:
            text: what follows the schema or a row; it may end anywhere.

        Returns:
            How many characters they have, with the blanks behind them. What follows is not plain, or not complete.

        Raises:
            MetadataError: there are more cells than the limit allows.
        """
        has_references = "&" in text
        position = 0
        rows: list[_Row] = []
        table: TableReader | None = None
        match_row = re.compile(r"(?!)").match  # matches nothing, so that the first row finds its table
        while True:
            match = match_row(text, position)
            if match is None:
                found = next(((each, m) for each, m in self._tables if m.match(text, position)), None)
                if found is None:
                    break
                if table is not None:
                    table.extend(rows)
                rows = []
                table, match_row = found[0], found[1].match
                continue
            row: _Row = match.groups()
            if has_references and "&" in match[0]:
                resolved = list(map(_resolve, row))
                if any(is_text is not None and after is None for is_text, after in zip(row, resolved, strict=True)):
                    break
                row = resolved
            rows.append(row)
            position = match.end()
        if table is not None:
            table.extend(rows)
        return position


def _pattern(table: TableReader, longest: int) -> re.Pattern[str]:
    """What matches a plain row: two groups for each column, its text and the end of its tag when it is empty."""
    cells = (
        rf"(?:<{name}(?:>([^<]{{0,{longest}}}+)</{name}>|( ?/>)){_BLANK})?+"
        for name in (re.escape(each.column.name) for each in table.columns.values())
    )
    name = re.escape(table.name)
    return re.compile(rf"{_BLANK}<{name}>{_BLANK}{''.join(cells)}</{name}>{_BLANK}")


def _resolve(text: str | None) -> str | None:
    """`text` with its references replaced; `None` when one is not of the usual sort."""

    def character(reference: re.Match[str]) -> str:
        named, decimal, hexadecimal = reference.groups()
        if named:
            return _NAMED[named]
        number = int(decimal) if decimal else int(hexadecimal, 16)
        return chr(number) if number <= sys.maxunicode else "\0"  # the latter is no character of XML either

    if text is None or "&" not in text:
        return text
    resolved, count = _REFERENCE.subn(character, text)
    return resolved if count == text.count("&") and _NO_CHARACTER.search(resolved) is None else None
