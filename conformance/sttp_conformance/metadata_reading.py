"""Metadata documents (metadata.md 2, 3) read without mercy: what a publisher writes must be what every reader takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sttp.errors import ProtocolError
from sttp.wire.fields import inflate
from sttp_conformance.violation import Violation

__all__ = ["Document", "cells_amiss", "parse", "shape_amiss"]

_LARGEST: Final = 2**28
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_EXTENSION: Final = "{urn:schemas-microsoft-com:xml-msdata}"
_PREFIXED: Final = re.compile(r"<[A-Za-z_][\w.-]*:schema\b")

_INTEGERS: Final = {
    "byte": (-(2**7), 2**7), "short": (-(2**15), 2**15), "int": (-(2**31), 2**31), "long": (-(2**63), 2**63),
    "unsignedByte": (0, 2**8), "unsignedShort": (0, 2**16), "unsignedInt": (0, 2**32), "unsignedLong": (0, 2**64),
}  # fmt: skip
_PATTERNS: Final = {
    "boolean": re.compile("true|false|1|0"),
    "dateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII),
    "decimal": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII),
    "float": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN", re.ASCII),
    "double": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN", re.ASCII),
    "guid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is XML.

    Attributes:
        text: the document as text.
        root: its root element.
        tables: by table of the schema the types of its columns; `guid` for Guids, empty where there is no type.
    """

    text: str
    root: Element
    tables: Mapping[str, Mapping[str, str]]

    def rows(self, table: str) -> list[dict[str, str]]:
        """The rows of a table: texts by column; what is null is not there."""
        return [{cell.tag: cell.text or "" for cell in row} for row in self.root if row.tag == table]

    def column(self, table: str, column: str) -> list[str]:
        """The cells of a column that are not null."""
        return [row[column] for row in self.rows(table) if column in row]

    @property
    def signal_ids(self) -> set[UUID]:
        """The signals of `MeasurementDetail`."""
        return {UUID(text) for text in self.column("MeasurementDetail", "SignalID")}


def parse(payload: bytes) -> Document:
    """Read the answer to a MetadataRefresh.

    Raises:
        Violation: something stands before the document, it is no XML, or it has no schema.
    """
    try:
        raw = inflate(payload, limit=_LARGEST, name="metadata")
    except ProtocolError as error:
        raise Violation(f"expected metadata, but {error}") from None
    if not raw.startswith((b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Violation(f"expected the document itself, not something that begins with {raw[:16].hex(' ')}")
    try:
        root = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Violation(f"expected an XML document, but it cannot be read: {error}") from None
    return Document(_text(raw), root, _tables(root))


def _text(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    declared = re.match(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([\w.-]+)""", raw)
    return raw.decode(declared[1].decode() if declared else "utf-8-sig", "replace")


def _tables(root: Element) -> dict[str, dict[str, str]]:
    schema = root.find(f"{_XS}schema")
    if schema is None:
        raise Violation("expected an XML schema as a child of the root, but there is none")
    return {
        table.get("name", ""): {
            column.get("name", ""): _type(column) for column in table.findall(f"{_XS}complexType//{_XS}element")
        }
        for table in schema.findall(f"{_XS}element/{_XS}complexType/{_XS}choice/{_XS}element")
    }


def _type(column: Element) -> str:
    if column.get(f"{_EXTENSION}DataType", "").startswith("System.Guid"):
        return "guid"
    return column.get("type", "").rpartition(":")[2]


def shape_amiss(document: Document) -> Iterator[str]:
    """What is not in the shape that every reader takes, in words (metadata.md 2)."""
    root = document.root
    schema = root.find(f"{_XS}schema")
    assert schema is not None
    if not _PREFIXED.search(document.text):
        yield "a prefix for the XML Schema namespace, not the default namespace"
    if schema.get("id") != root.tag:
        yield f"a schema with the id {root.tag}, the name of the root, not {schema.get('id')}"
    outer = schema[0] if len(schema) else schema
    if outer.tag != f"{_XS}element" or outer.get("name") != root.tag:
        yield f"an outer element {root.tag}, the name of the root, not {outer.get('name')}"
    choice = _first(outer, "complexType", "choice")
    if choice is None or choice.get("maxOccurs") != "unbounded":
        yield "complexType first in the outer element, and choice without bounds first in that"
    for table in choice if choice is not None else ():
        if _first(table, "complexType", "sequence") is None:
            yield f"complexType first in the table {table.get('name')}, and sequence first in that"
    for row in root:
        if row is schema:
            continue
        if row.tag not in document.tables:
            yield f"only rows without namespace of tables that the schema declares, not {row.tag}"
            continue
        for cell in row:
            if cell.tag not in document.tables[row.tag]:
                yield f"only cells without namespace of columns that the schema declares, not {row.tag}.{cell.tag}"


def _first(element: Element, *names: str) -> Element | None:
    """Children that must be the first ones, one within the other."""
    for name in names:
        if not len(element) or element[0].tag != _XS + name:
            return None
        element = element[0]
    return element


def cells_amiss(document: Document) -> Iterator[str]:
    """Cells whose text is not of the type of their column, in words (metadata.md 3)."""
    for table, columns in document.tables.items():
        for row in document.rows(table):
            for column, text in row.items():
                kind = columns.get(column, "")
                if not _fits(text, kind):
                    yield f"{table}.{column} of type {kind}, not {text!r}"


def _fits(text: str, kind: str) -> bool:
    if kind in _INTEGERS:
        least, end = _INTEGERS[kind]
        return re.fullmatch(r"[+-]?\d+", text, re.ASCII) is not None and least <= int(text) < end
    return kind not in _PATTERNS or _PATTERNS[kind].fullmatch(text) is not None
