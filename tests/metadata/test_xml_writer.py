from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.errors import UsageError
from sttp.metadata import Cell, Column, ColumnType, DataSet, Table, read_dataset, write_dataset

VECTORS = Path(__file__).parent / "vectors"

EXAMPLE = DataSet(
    "Example",
    (
        Table(
            "T",
            (Column("A"), Column("G", ColumnType.GUID), Column("W", ColumnType.DATE_TIME)),
            (("a<b", None), (UUID(int=1), None), (ticks.UNIX_EPOCH, None)),
        ),
        Table("Empty", (Column("N", ColumnType.INT32),), ((),)),
    ),
)

WRITTEN = """\
<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<Example>
  <xs:schema id="Example" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:ext="urn:schemas-microsoft-com:xml-msdata">
    <xs:element name="Example">
      <xs:complexType>
        <xs:choice minOccurs="0" maxOccurs="unbounded">
          <xs:element name="T">
            <xs:complexType>
              <xs:sequence>
                <xs:element name="A" type="xs:string" minOccurs="0" />
                <xs:element name="G" type="xs:string" ext:DataType="System.Guid" minOccurs="0" />
                <xs:element name="W" type="xs:dateTime" minOccurs="0" />
              </xs:sequence>
            </xs:complexType>
          </xs:element>
          <xs:element name="Empty">
            <xs:complexType>
              <xs:sequence>
                <xs:element name="N" type="xs:int" minOccurs="0" />
              </xs:sequence>
            </xs:complexType>
          </xs:element>
        </xs:choice>
      </xs:complexType>
    </xs:element>
  </xs:schema>
  <T><A>a&lt;b</A><G>00000000-0000-0000-0000-000000000001</G><W>1970-01-01T00:00:00.000+00:00</W></T>
  <T></T>
</Example>
"""


def test_the_shape_that_is_written() -> None:
    assert write_dataset(EXAMPLE).decode() == WRITTEN


@pytest.mark.parametrize("name", ["fleet-20-pmu.xml", "metadata-sample.xml"])
def test_vectors_survive_a_round_trip(name: str) -> None:
    dataset = read_dataset((VECTORS / name).read_bytes())
    assert read_dataset(write_dataset(dataset)) == dataset


def test_large_tables_are_written_whole() -> None:
    numbers = tuple(range(5000))
    dataset = DataSet(tables=(Table("T", (Column("N", ColumnType.INT32),), (numbers,)),))
    assert read_dataset(write_dataset(dataset)).table("T").column("N") == numbers


@pytest.mark.parametrize("value", ["\0", "\ud800", 1])
def test_a_cell_that_cannot_be_written_names_its_column(value: Cell) -> None:
    table = Table("T", (Column("A"),), ((value,),))
    with pytest.raises(UsageError, match=r"^T\.A: "):
        write_dataset(DataSet(tables=(table,)))


_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r")
)
_CELLS: dict[ColumnType, st.SearchStrategy[Cell]] = {
    ColumnType.STRING: _TEXT,
    ColumnType.GUID: st.uuids(),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.DATE_TIME: st.integers(0, ticks.MAX_TICKS),
    ColumnType.FLOAT: st.floats(width=32, allow_nan=False),
    ColumnType.DOUBLE: st.floats(allow_nan=False),
    ColumnType.DECIMAL: st.decimals(-(10**9), 10**9, allow_nan=False, places=9),
    ColumnType.INT32: st.integers(-(2**31), 2**31 - 1),
    ColumnType.UINT64: st.integers(0, 2**64 - 1),
}
_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,8}", fullmatch=True)


@st.composite
def _tables(draw: st.DrawFn, name: str) -> Table:
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique_by=str.lower))
    columns = tuple(Column(each, draw(st.sampled_from(list(_CELLS)))) for each in names)
    rows = draw(st.integers(0, 4))
    cells = tuple(
        tuple(draw(st.lists(st.none() | _CELLS[column.type], min_size=rows, max_size=rows))) for column in columns
    )
    return Table(name, columns, cells)


@st.composite
def _datasets(draw: st.DrawFn) -> DataSet:
    names = draw(st.lists(_NAMES, max_size=3, unique_by=str.lower))
    return DataSet(draw(_NAMES), tuple(draw(_tables(name)) for name in names))


@given(_datasets())
def test_what_is_written_reads_back(dataset: DataSet) -> None:
    read = read_dataset(write_dataset(dataset))
    assert read == dataset
    assert read.problems == ()
