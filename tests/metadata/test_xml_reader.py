import gc
import json
import weakref
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.errors import MetadataError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.metadata import Column, ColumnType, DataSet, Problem, read_dataset
from sttp.metadata.xml_reader import _DocumentReader

VECTORS = Path(__file__).parent / "vectors"

SCHEMA = (
    '<xs:schema id="D" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:ext="urn:schemas-microsoft-com:xml-msdata">'
    '<xs:element name="D"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">'
    '<xs:element name="T"><xs:complexType><xs:sequence>'
    '<xs:element name="A" type="xs:string" minOccurs="0"/><xs:element name="N" type="xs:int" minOccurs="0"/>'
    '<xs:element name="G" type="xs:string" ext:DataType="System.Guid, mscorlib" minOccurs="0"/>'
    "</xs:sequence></xs:complexType></xs:element>"
    '<xs:element name="U"><xs:complexType><xs:sequence>'
    '<xs:element name="A" type="xs:string" minOccurs="0"/>'
    "</xs:sequence></xs:complexType></xs:element>"
    "</xs:choice></xs:complexType></xs:element></xs:schema>"
)


def document(rows: str, *, head: str = '<?xml version="1.0"?>', root: str = "D") -> bytes:
    return f"{head}<{root}>{SCHEMA}{rows}</{root.split(maxsplit=1)[0]}>".encode()


def rows_of(data: bytes, table: str = "T", limits: Limits = DEFAULT_LIMITS) -> list[list[Any]]:
    return [list(row.values()) for row in read_dataset(data, limits=limits).table(table)]


@pytest.fixture(scope="module")
def fleet() -> DataSet:
    return read_dataset((VECTORS / "fleet-20-pmu.xml").read_bytes())


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads((VECTORS / "fleet-20-pmu.expected.json").read_text("utf-8"))


def test_the_schema_of_the_fleet(fleet: DataSet, expected: Any) -> None:
    assert fleet.name == expected["root"]
    assert fleet.problems == ()
    assert {
        table.name: {
            "rows": len(table),
            "columns": [{"name": column.name, "type": column.type.value} for column in table.columns],
        }
        for table in fleet.tables
    } == expected["tables"]


def test_the_cells_of_the_fleet(fleet: DataSet, expected: Any) -> None:
    assert len(expected["cells"]) == 99
    for cell in expected["cells"]:
        value: Any = fleet.table(cell["table"])[cell["row"]][cell["column"]]
        if cell["type"] == "dateTime" and value is not None:
            assert value == ticks.from_iso(cell["value"])
        else:
            assert (str(value) if cell["type"] in ("guid", "decimal") and value is not None else value) == cell["value"]


def test_every_type_is_read() -> None:
    table = read_dataset((VECTORS / "metadata-sample.xml").read_bytes()).table("TypeTest")
    assert {column.type for column in table.columns} == set(ColumnType)
    assert list(table.column("U64")) == [9 * 10**18, 2**64 - 1, 1, None]
    assert list(table.column("Flag")) == [True, False, None, None]
    assert list(table.column("When")) == [
        ticks.from_iso("2024-03-10T06:07:08.9Z"), ticks.from_iso("1999-12-31T23:59:59Z"), None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_recognised(codec: str) -> None:
    assert rows_of(document("<T><A>é €</A></T>").decode().encode(codec)) == [["é €", None, None]]


def test_declared_encodings() -> None:
    latin = document("<T><A>é</A></T>", head='<?xml version="1.0" encoding="ISO-8859-1"?>').decode().encode("latin-1")
    assert rows_of(latin) == [["é", None, None]]
    wide = document("<T><A>é</A></T>", head='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16")
    assert rows_of(wide) == [["é", None, None]]


@pytest.mark.parametrize("name", ["utf-7", "idna", "unicode_escape", "zlib", "nonsense", "x" * 10_000])
def test_other_encodings_are_refused(name: str) -> None:
    with pytest.raises(MetadataError, match="not supported") as caught:
        read_dataset(document("", head=f'<?xml version="1.0" encoding="{name}"?>'))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("", []),
        ("<T/>", [[None, None, None]]),
        ("<T><N>1</N></T>", [[None, 1, None]]),
        ("<T><A/><N/><G/></T>", [["", 0, UUID(int=0)]]),  # empty is not null
        ("<t><a>x</a></t>", [["x", None, None]]),  # names ignore case
        ("<T><A>x</A><A>y</A></T>", [["y", None, None]]),  # repeated
        ("<T><A>1</A></T><U><A>2</A></U><T><A>3</A></T>", [["1", None, None], ["3", None, None]]),  # interleaved
        ('<T n="1"><A x="2">x</A></T>', [["x", None, None]]),  # attributes
        ("<T><Other>1</Other><A>x</A></T><Other><A>y</A></Other>", [["x", None, None]]),  # unknown elements
        ("<T>junk<A>x<Z>nested<Y/></Z>y</A>junk</T>junk", [["xy", None, None]]),
        ("<T><A>x<!-- a comment -->y<?and more?>z</A></T>", [["xyz", None, None]]),
        ("<T><A><![CDATA[<&>]]>&lt;&#233;&#x20ac;</A></T>", [["<&><é€", None, None]]),
        ("<T><A> a\r\nb\t</A></T>", [[" a\nb\t", None, None]]),
        ("<T/><T/><T><N>3</N></T><T/>", [[None] * 3, [None] * 3, [None, 3, None], [None] * 3]),
    ],
)
def test_rows(rows: str, expected: list[list[Any]]) -> None:
    assert rows_of(document(rows)) == expected


def test_cells_that_cannot_be_read_are_null_and_reported() -> None:
    dataset = read_dataset(document("<T><N>1</N><G>x</G></T><T><N>one</N></T><T><N>2147483648</N></T>"))
    assert list(dataset.table("T").column("N")) == [1, None, None]
    assert dataset.problems == (
        Problem(table="T", column="N", cells=2, row=1, reason="'one' is no integer"),
        Problem(table="T", column="G", cells=1, row=0, reason="'x' is no Guid"),
    )


def test_schema_prefixes_and_names_are_free() -> None:
    text = document("<T><A>x</A></T>").decode().replace("xs:", "xsd:").replace("xmlns:xs=", "xmlns:xsd=")
    text = text.replace("ext:", "msdata:").replace("xmlns:ext", "xmlns:msdata").replace('id="D"', 'id="Other"')
    dataset = read_dataset(text.encode())
    assert dataset == read_dataset(document("<T><A>x</A></T>"))
    assert dataset.table("T").columns[2] == Column("G", ColumnType.GUID)


def test_a_default_schema_namespace_is_read() -> None:
    text = document("<T><A>x</A></T>").decode().replace("<xs:", "<").replace("</xs:", "</")
    text = text.replace("xmlns:xs=", "xmlns=").replace("xs:", "")
    assert rows_of(text.encode()) == [["x", None, None]]


def test_columns_of_other_types_are_skipped() -> None:
    text = document("<T><A>x</A><N>1</N></T>").decode()
    for instead in ('type="xs:base64Binary"', 'type="xs:Int"', ""):
        table = read_dataset(text.replace('type="xs:int"', instead).encode()).table("T")
        assert [column.name for column in table.columns] == ["A", "G"]


def test_names_that_are_declared_twice_count_once() -> None:
    text = document("<T><A>x</A></T>").decode()
    text = text.replace('name="U"', 'name="t"').replace('name="N"', 'name="a"')
    dataset = read_dataset(text.encode())
    assert [table.name for table in dataset.tables] == ["T"]
    assert list(dataset.table("T")) == [{"A": "x", "G": None}]


@pytest.mark.parametrize("name", ["", "a b", "é", "x:y"])
def test_names_that_no_element_can_have_are_ignored(name: str) -> None:
    text = document("<T><A>x</A></T>").decode()
    column_renamed = read_dataset(text.replace('name="N"', f'name="{name}"').encode())
    assert [column.name for column in column_renamed.table("T").columns] == ["A", "G"]
    table_renamed = read_dataset(text.replace('name="U"', f'name="{name}"').encode())
    assert [table.name for table in table_renamed.tables] == ["T"]


def test_a_root_that_cannot_name_a_data_set() -> None:
    assert read_dataset(document("<T/>", root="é")).name == "DataSet"
    assert read_dataset(document("", root='D xmlns="urn:x"')).name == "DataSet"


def attributes(count: int) -> str:
    return "".join(f" a{number}=''" for number in range(count))


def laughs(generations: int) -> str:
    entities = "".join(f"<!ENTITY a{each} '{f'&a{each - 1};' * 10}'>" for each in range(1, generations))
    return f"<!DOCTYPE D [<!ENTITY a0 'lol'>{entities}]>"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"not XML",
        bytes(range(256)),
        b"\x1f\x8b\x08\x00" + bytes(40),
        b"<D/>",
        b"<D><T><A>x</A></T></D>",
        b'<xs:schema id="D" xmlns:xs="http://www.w3.org/2001/XMLSchema"/>',
        b'<D><schema id="D"/></D>',
        document("") + b"<more/>",
        document("<T><A>&undefined;</A></T>"),
        document("<T><A>\0</A></T>"),
        document("<T><A>&#0;</A></T>"),
        document("<T><A></T></A>"),
        document("<T x='1' x='2'/>"),
        document("<p:T/>"),
        document("").decode().encode("utf-32"),
        document("", head='<?xml version="1.0" encoding="utf-16"?>'),
        document("<T><A>\xe9</A></T>").decode().encode("latin-1"),
        document("", head="<!DOCTYPE D>"),
        document("<T><A>&a19;</A></T>", head=laughs(20)),
        document("<T><A>&x;</A></T>", head='<!DOCTYPE D [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
        document("<T><A>&x;</A></T>", head='<!DOCTYPE D [<!ENTITY x "internal">]>'),
        document("", head='<!DOCTYPE D SYSTEM "http://example.invalid/x.dtd">'),
        document("", head='<!DOCTYPE D [<!ENTITY % p SYSTEM "http://example.invalid/p"> %p;]>'),
        document("<x>" * 10_000 + "</x>" * 10_000),
        document("<T><A>" + "<x>" * 10_000 + "</x>" * 10_000 + "</A></T>"),
        document("").replace(b"</xs:schema>", b"<xs:element>" * 10_000 + b"</xs:element>" * 10_000 + b"</xs:schema>"),
        document(f"<T{attributes(300_000)}/>"),
        document(f"<T{attributes(5000)}/>"),
        document("".join(f"<T a{i}=''/>" for i in range(5000))),
        document("".join(f"<a{i}/>" for i in range(5000))),
        document("<T>" + "".join(f"<a{i}/>" for i in range(5000)) + "</T>"),
        document("<T><A>" + "".join(f"<a{i}/>" for i in range(5000)) + "</A></T>"),
        document("".join(f"<T xmlns:p{i}='u'/>" for i in range(5000))),
        document("<T>" + "<a/>" * 10_000 + "</T>", root=f'D xmlns="{"u" * 10_000}"'),
        document("<!--" + "x" * 2**20 + "-->"),
        document("<?p " + "x" * 2**20 + "?>"),
        document(f"<{'x' * 2**20}/>"),
        document("<T><A>" + "x" * (2**20 + 1) + "</A></T>"),
        document("<T><A><![CDATA[" + "x" * (2**20 + 1) + "]]></A></T>"),
    ],
    ids=lambda data: f"{len(data)} {data[-40:]!r}",
)
def test_documents_that_are_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        read_dataset(data)


def test_a_cell_may_be_as_long_as_the_limit() -> None:
    text = "é" * DEFAULT_LIMITS.metadata_text
    assert rows_of(document(f"<T><A>{text}</A></T>")) == [[text, None, None]]


def test_text_that_is_no_cell_is_not_kept() -> None:
    junk = "x" * (2 * DEFAULT_LIMITS.metadata_text)
    assert rows_of(document(f"{junk}<T>{junk}<Z>{junk}</Z></T>")) == [[None] * 3]


def test_markup_far_below_the_limit_passes_wherever_it_stands() -> None:
    comment = f"<!--{'x' * (DEFAULT_LIMITS.metadata_markup // 4)}-->"
    for before in range(0, 40_000, 7_919):
        assert rows_of(document(" " * before + comment * 4 + "<T><N>1</N></T>")) == [[None, 1, None]]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(metadata=100), "bytes exceeds the limit of 100"),
        (Limits(metadata_depth=8), "deeper than 8"),
        (Limits(metadata_markup=4), "longer than 4 bytes"),
        (Limits(metadata_names=5), "more than 5 different names"),
        (Limits(metadata_columns=3), "more than 3 columns"),
        (Limits(metadata_cells=5), "more than 5 cells"),
        (Limits(metadata_text=2), "longer than 2 characters"),
    ],
)
def test_every_limit_is_kept(limits: Limits, message: str) -> None:
    data = document(f"<T><A>xyz</A></T><T/><!--{'x' * 40_000}-->")
    with pytest.raises(MetadataError, match=message):
        read_dataset(data, limits=limits)


def test_cut_at_every_byte() -> None:
    data = document("<T><A>é</A><N>1</N></T><U><A>x</A></U>")
    assert len(rows_of(data)) == 1
    for length in range(len(data)):
        with pytest.raises(MetadataError):
            read_dataset(data[:length])


@given(st.data())
def test_changed_anywhere_only_documented_errors_leave(data: st.DataObject) -> None:
    mutable = bytearray(document("<T><A>é</A><N>1</N></T><U><A>x</A></U>"))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(mutable) - 1))
        mutable[position] = data.draw(st.integers(0, 255))
    try:
        dataset = read_dataset(bytes(mutable))
    except MetadataError:
        return
    assert all(len(cells) == len(table) for table in dataset.tables for cells in table.cells)


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        read_dataset(data)


def test_nothing_is_left_for_the_garbage_collector() -> None:
    gc.disable()
    try:
        reader = _DocumentReader(DEFAULT_LIMITS)
        alive = weakref.ref(reader)
        reader.read(document("<T/>"))
        del reader
        assert alive() is None
    finally:
        gc.enable()


def test_equal_values_of_a_column_are_one_object() -> None:
    dataset = read_dataset(document("<T><A>device</A></T>" * 3))
    assert Counter(map(id, dataset.table("T").column("A"))).most_common(1)[0][1] == 3
