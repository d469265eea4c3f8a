"""A metadata document, read into a data set (metadata.md 2, 3).

What is tolerated: any name of the root element and of the schema, any schema prefix, names in other case, unknown
elements, tables interleaved, a repeated cell (the last counts), and cells that cannot be read (null, and reported in
`DataSet.problems`). What is refused: a document without schema or not well formed, a document type declaration and
with it all entities, and whatever is beyond a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from sttp.errors import MetadataError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.metadata.cells import cell_reader
from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Problem, Table, is_name

__all__ = ["read_dataset"]

_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema schema"
_DECLARED_ELEMENT: Final = "http://www.w3.org/2001/XMLSchema element"
_DATA_TYPE: Final = "urn:schemas-microsoft-com:xml-msdata DataType"
_GUID: Final = "System.Guid"
_TYPES: Final[Mapping[str, ColumnType]] = {each.value: each for each in ColumnType if each is not ColumnType.GUID}

_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "iso-8859-1"})  # expat's own

_CHUNK: Final = 32 * 1024  # bytes that expat still reads after a handler has refused the document
_SHARED_VALUES: Final = 8192  # distinct values per column that are kept to share: devices, types, dates
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


class _ColumnReader:
    """The cells of one column while the document is being read."""

    __slots__ = ("bad_cells", "cells", "column", "first_bad", "read", "seen")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.cells: list[Cell] = []
        self.read = cell_reader(column.type)
        self.seen: dict[str, Cell] = {}  # equal texts share one value, which is faster and smaller
        self.bad_cells = 0
        self.first_bad = (0, "")

    def put(self, row: int, text: str) -> None:
        """Set the cell in `row`, and those that were absent before it to null."""
        try:
            value = self.seen[text]
        except KeyError:
            value = self._convert(row, text)
        cells = self.cells
        missing = row - len(cells)
        if missing < 0:
            cells[row] = value
            return
        if missing:
            cells.extend([None] * missing)
        cells.append(value)

    def _convert(self, row: int, text: str) -> Cell:
        try:
            value = self.read(text)
        except ValueError as error:
            if not self.bad_cells:
                self.first_bad = (row, str(error))
            self.bad_cells += 1
            return None
        if len(self.seen) < _SHARED_VALUES:
            self.seen[text] = value
        return value

    def finish(self, rows: int) -> tuple[Cell, ...]:
        """All cells, as many as the table has rows."""
        self.cells.extend([None] * (rows - len(self.cells)))
        return tuple(self.cells)


class _TableReader:
    """The rows of one table while the document is being read."""

    __slots__ = ("columns", "last_row", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: dict[str, _ColumnReader] = {}
        self.last_row = -1

    def finish(self) -> Table:
        rows = self.last_row + 1
        columns = self.columns.values()
        return Table(self.name, tuple(each.column for each in columns), tuple(each.finish(rows) for each in columns))

    def problems(self) -> list[Problem]:
        return [
            Problem(
                table=self.name, column=each.column.name, cells=each.bad_cells, row=each.first_bad[0],
                reason=each.first_bad[1],
            )
            for each in self.columns.values()
            if each.bad_cells
        ]  # fmt: skip


_NO_COLUMNS: Final[Mapping[str, _ColumnReader]] = {}


class _DocumentReader:
    """Handlers for expat. The root is at depth 1, schema and rows at 2, cells at 3."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._depth = 0
        self._root = ""
        self._tables: dict[str, _TableReader] = {}  # by name in lower case
        self._has_schema = False
        self._columns_declared = 0
        self._cells = 0
        self._row = 0
        self._row_columns = _NO_COLUMNS
        self._cell: _ColumnReader | None = None
        self._text = ""
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
        view = memoryview(document)
        try:
            for start in range(0, len(view), _CHUNK):
                self._parser.Parse(view[start : start + _CHUNK], False)
                self._check_markup(start + _CHUNK)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise MetadataError(f"the metadata is not well-formed XML: {error}") from None
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

    # guards

    def _check_markup(self, fed: int) -> None:
        if fed - max(self._parser.CurrentByteIndex, 0) > self._limits.metadata_markup:
            raise MetadataError(f"a tag of the metadata is longer than {self._limits.metadata_markup} bytes")

    def _check_names(self) -> None:
        if len(self._parser.intern) > self._limits.metadata_names:
            raise MetadataError(f"the metadata has more than {self._limits.metadata_names} different names")

    def _check_depth(self) -> None:
        if self._depth > self._limits.metadata_depth:
            raise MetadataError(f"the metadata is nested deeper than {self._limits.metadata_depth} elements")

    def _check_encoding(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise MetadataError(f"the metadata is in the encoding {encoding[:40]!r}, which is not supported")

    def _refuse_doctype(self, *declaration: object) -> None:
        raise MetadataError("the metadata has a document type declaration")

    def _start_namespace(self, prefix: str | None, uri: str | None) -> None:
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
            column = self._row_columns.get(name)
            if column is None:
                self._check_names()
                column = self._row_columns.get(name.lower())
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
            self._row_columns = _NO_COLUMNS
            return
        table.last_row += 1
        self._cells += len(table.columns)
        if self._cells > self._limits.metadata_cells:
            raise MetadataError(f"the metadata has more than {self._limits.metadata_cells} cells")
        self._row = table.last_row
        self._row_columns = table.columns

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
            self._tables.setdefault(declared.lower(), _TableReader(declared))
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
        table.columns.setdefault(name.lower(), _ColumnReader(Column(name, column_type)))

    def _end_schema_element(self, name: str) -> None:
        if name == _DECLARED_ELEMENT:
            self._declared.pop()
        self._depth -= 1
        if name == _SCHEMA and self._depth == 1:
            self._read_rows()
