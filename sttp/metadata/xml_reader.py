"""A metadata document, read into a data set (metadata.md 2, 3).

What is tolerated: any name of the root element and of the schema, any schema prefix, names in other case, unknown
elements, tables interleaved, a repeated cell (the last counts), and cells that cannot be read (null, and reported in
`DataSet.problems`). What is refused: a document without schema or not well formed, a document type declaration and
with it all entities, and whatever is beyond a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

import numpy as np

from sttp.errors import MetadataError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.metadata.dataset import Column, ColumnType, DataSet, is_name
from sttp.metadata.plain_rows import PlainRows, is_plain
from sttp.metadata.table_readers import CellCount, ColumnReader, TableReader

__all__ = ["read_dataset"]

_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema schema"
_DECLARED_ELEMENT: Final = "http://www.w3.org/2001/XMLSchema element"
_DATA_TYPE: Final = "urn:schemas-microsoft-com:xml-msdata DataType"
_GUID: Final = "System.Guid"
_TYPES: Final[Mapping[str, ColumnType]] = {each.value: each for each in ColumnType if each is not ColumnType.GUID}

_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "iso-8859-1"})  # expat's own

_SCHEMA_END: Final = re.compile(rb"</(?:[A-Za-z_][\w.\-]*:)?schema[ \t\r\n]*>", re.ASCII)
_SMALLEST_BLOCK, _LARGEST_BLOCK = 16 * 1024, 256 * 1024  # bytes that are looked at at once for plain rows

_CHUNK: Final = 32 * 1024  # bytes that expat still reads after a handler has refused the document
_LONGEST_NAMESPACE: Final = 256  # expat writes it out in front of every name


def read_dataset(document: bytes, *, limits: Limits = DEFAULT_LIMITS) -> DataSet:
    """Read a metadata document.

    Args:
        document: the XML, inflated; in UTF-8, or in UTF-16 or ISO 8859-1 when its declaration or byte order mark
            says so.
        limits: see the `metadata…` limits.

    Returns:
        The tables that the schema declares, without the columns of types that no reader knows. The schema must
        stand before the rows.

    Raises:
        MetadataError: the document cannot be read, or is beyond a limit.
    """
    if len(document) > limits.metadata:
        raise MetadataError(f"a metadata document of {len(document)} bytes exceeds the limit of {limits.metadata}")
    return _DocumentReader(limits).read(document)


class _DocumentReader:
    """Handlers for expat. The root is at depth 1, schema and rows at 2, cells at 3."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._depth = 0
        self._root = ""
        self._tables: dict[str, TableReader] = {}  # by name in lower case
        self._has_schema = False
        self._columns_declared = 0
        self._cell_count = CellCount(limits.metadata_cells)
        self._row = 0
        self._row_table = self._no_table = TableReader("", self._cell_count)
        self._cell: ColumnReader | None = None
        self._text = ""
        self._position = 0  # of the next byte of the document
        self._skipped = 0  # bytes that the parser has not been given
        self._encoding: str | None = None
        self._default_namespace = False
        self._declared: list[str] = []  # names of the schema elements that are open: data set, table, column
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.buffer_size = 2 * _CHUNK
        parser.XmlDeclHandler = self._check_encoding
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartNamespaceDeclHandler = self._start_namespace
        self._parser = parser
        self._read_rows()

    def read(self, document: bytes) -> DataSet:
        try:
            schema = _SCHEMA_END.search(document)
            self._feed(document, schema.end() if schema is not None else len(document))
            if self._in_plain_text and self._depth == 1:
                self._read_plain_rows(document)
            self._feed(document, len(document))
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise MetadataError(f"the metadata is not well-formed XML: {self._described(error, document)}") from None
        finally:
            self._release()
        if not self._has_schema:
            raise MetadataError("the metadata document has no schema")
        tables = self._tables.values()
        return DataSet(
            self._root if is_name(self._root) else "DataSet",
            tuple(table.finish() for table in tables),
            tuple(problem for table in tables for problem in table.problems()),
        )

    def _release(self) -> None:
        # the parser holds methods of this object: without this, both would wait for the garbage collector
        parser = self._parser
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        parser.XmlDeclHandler = parser.StartDoctypeDeclHandler = parser.StartNamespaceDeclHandler = None
        del self._parser

    def _feed(self, document: bytes, end: int) -> None:
        """Give the parser what follows, up to byte `end` of the document."""
        view = memoryview(document)
        while self._position < end:
            chunk = view[self._position : min(end, self._position + _CHUNK)]
            self._parser.Parse(chunk, False)
            self._position += len(chunk)
            self._check_markup()

    def _read_plain_rows(self, document: bytes) -> None:
        """Read rows without the parser as long as they are plain, and give it only what stands between them."""
        rows = PlainRows(self._tables.values(), self._limits)
        names = b"|".join(re.escape(table.name.encode()) for table in self._tables.values())
        row_end = re.compile(rb"</(?:%b)[ \t\r\n]*>" % names, re.IGNORECASE)
        block_size, stride = _SMALLEST_BLOCK, 0
        while self._position < len(document):
            end = document.rfind(b"<", self._position + 1, self._position + block_size)
            taken = _take_plain_rows(rows, document[self._position : end]) if end > 0 else 0
            self._position += taken
            self._skipped += taken
            if taken:
                block_size, stride = min(2 * block_size, _LARGEST_BLOCK), 0
                continue
            # what is not plain goes to the parser: one row first, and more if that goes on
            found = row_end.search(document, self._position + stride)
            self._feed(document, found.end() if found is not None else len(document))
            block_size, stride = _SMALLEST_BLOCK, max(_SMALLEST_BLOCK, 2 * stride)
            while self._depth != 1 and self._position < len(document):
                found = row_end.search(document, self._position)
                self._feed(document, found.end() if found is not None else len(document))

    @property
    def _in_plain_text(self) -> bool:
        """Whether bytes of the document mean what they mean in UTF-8, and names have no namespace."""
        return self._has_schema and self._encoding in (None, "utf-8") and not self._default_namespace

    def _described(self, error: expat.ExpatError, document: bytes) -> str:
        """What is wrong, and where: the parser has not seen all of the document."""
        at = self._parser.ErrorByteIndex + self._skipped
        line, column = document.count(b"\n", 0, at) + 1, at - document.rfind(b"\n", 0, at) - 1
        return f"{expat.ErrorString(error.code)}: line {line}, column {column}"

    # guards

    def _check_markup(self) -> None:
        fed = self._position - self._skipped
        if fed - max(self._parser.CurrentByteIndex, 0) > self._limits.metadata_markup:
            raise MetadataError(f"a tag of the metadata is longer than {self._limits.metadata_markup} bytes")

    def _check_names(self) -> None:
        if len(self._parser.intern) > self._limits.metadata_names:
            raise MetadataError(f"the metadata has more than {self._limits.metadata_names} different names")

    def _check_depth(self) -> None:
        if self._depth > self._limits.metadata_depth:
            raise MetadataError(f"the metadata is nested deeper than {self._limits.metadata_depth} elements")

    def _check_encoding(self, version: str, encoding: str | None, standalone: int) -> None:
        self._encoding = encoding and encoding.lower()
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise MetadataError(f"the metadata is in the encoding {encoding[:40]!r}, which is not supported")

    def _refuse_doctype(self, *declaration: object) -> None:
        raise MetadataError("the metadata has a document type declaration")

    def _start_namespace(self, prefix: str | None, uri: str | None) -> None:
        if prefix is None and uri and not self._depth:
            self._default_namespace = True
        if uri is not None and len(uri) > _LONGEST_NAMESPACE:
            raise MetadataError("the metadata has a namespace that is too long")
        self._check_names()

    # rows

    def _read_rows(self) -> None:
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._parser.CharacterDataHandler = self._character_data

    def _start_element(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if attributes:
            self._check_names()
        if self._depth == 3:
            self._text = ""
            column = self._row_table.known_column(name)
            if column is None:
                self._check_names()
                column = self._row_table.column_called(name)
            self._cell = column
        elif self._depth == 2:
            if name == _SCHEMA:
                self._read_schema()
            else:
                self._start_row(name)
        elif self._depth == 1:
            self._root = name
        else:
            self._check_names()
            self._check_depth()

    def _start_row(self, name: str) -> None:
        table = self._tables.get(name.lower())
        if table is None:
            self._check_names()
            self._row_table = self._no_table
            return
        self._row = table.begin_row()
        self._row_table = table

    def _character_data(self, text: str) -> None:
        if self._depth == 3 and self._cell is not None:
            self._text += text
            if len(self._text) > self._limits.metadata_text:
                raise MetadataError(f"a cell of the metadata is longer than {self._limits.metadata_text} characters")

    def _end_element(self, name: str) -> None:
        if self._depth == 3 and self._cell is not None:
            self._cell.put(self._row, self._text)
        self._depth -= 1

    # schema

    def _read_schema(self) -> None:
        self._has_schema = True
        self._parser.StartElementHandler = self._start_schema_element
        self._parser.EndElementHandler = self._end_schema_element
        self._parser.CharacterDataHandler = None

    def _start_schema_element(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        self._check_names()
        self._check_depth()
        if name != _DECLARED_ELEMENT:
            return
        properties = dict(zip(attributes[::2], attributes[1::2], strict=True))
        declared = properties.get("name", "")
        self._declared.append(declared)
        if len(self._declared) == 2 and is_name(declared):
            self._tables.setdefault(declared.lower(), TableReader(declared, self._cell_count))
        elif len(self._declared) == 3 and is_name(declared):
            self._declare_column(declared, properties)

    def _declare_column(self, name: str, properties: Mapping[str, str]) -> None:
        table = self._tables.get(self._declared[1].lower())
        column_type = _TYPES.get(properties.get("type", "").rpartition(":")[2])
        if table is None or column_type is None:
            return
        if column_type is ColumnType.STRING and properties.get(_DATA_TYPE, "").startswith(_GUID):
            column_type = ColumnType.GUID
        self._columns_declared += 1
        if self._columns_declared > self._limits.metadata_columns:
            raise MetadataError(f"the metadata declares more than {self._limits.metadata_columns} columns")
        table.columns.setdefault(name.lower(), ColumnReader(Column(name, column_type)))

    def _end_schema_element(self, name: str) -> None:
        if name == _DECLARED_ELEMENT:
            self._declared.pop()
        self._depth -= 1
        if name == _SCHEMA and self._depth == 1:
            self._read_rows()


def _take_plain_rows(rows: PlainRows, block: bytes) -> int:
    """Read the plain rows that `block` begins with; gives how many bytes they have."""
    if not is_plain(block):
        return 0
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return 0
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    taken = rows.read(text)
    if taken == len(text):
        return len(block)
    # characters are not bytes, and line ends may have changed; so the end of the last row is found by counting tags
    ends = text.count(">", 0, taken)
    return int(np.flatnonzero(np.frombuffer(block, np.uint8) == ord(">"))[ends - 1]) + 1 if ends else 0
