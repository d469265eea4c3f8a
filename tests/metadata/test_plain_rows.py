"""Plain rows, and that they mean what the XML parser makes of them: it reads all of a document in UTF-16."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sttp.errors import MetadataError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.metadata import Column, ColumnType, DataSet, read_dataset
from sttp.metadata.plain_rows import PlainRows, is_plain
from sttp.metadata.table_readers import CellCount, ColumnReader, TableReader

SCHEMA = (
    '<xs:schema id="D" xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="D"><xs:complexType><xs:choice>'
    '<xs:element name="T"><xs:complexType><xs:sequence>'
    '<xs:element name="A" type="xs:string"/><xs:element name="N" type="xs:int"/><xs:element name="B" type="xs:string"/>'
    "</xs:sequence></xs:complexType></xs:element>"
    '<xs:element name="U.v"><xs:complexType><xs:sequence><xs:element name="A" type="xs:string"/>'
    "</xs:sequence></xs:complexType></xs:element>"
    "</xs:choice></xs:complexType></xs:element></xs:schema>"
)


def table_reader(most_cells: int = 1000) -> TableReader:
    table = TableReader("T", CellCount(most_cells))
    for column in (Column("A"), Column("N", ColumnType.INT32), Column("B")):
        table.columns[column.name.lower()] = ColumnReader(column)
    return table


def read(text: str, limits: Limits = DEFAULT_LIMITS) -> tuple[int, list[tuple[object, ...]]]:
    table = table_reader()
    taken = PlainRows([table], limits).read(text)
    return taken, [tuple(row.values()) for row in table.finish()]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("<T><A>x</A><N>1</N><B>y</B></T>", [("x", 1, "y")]),
        (" \n<T>\n  <A>x</A>\n\t<B>y</B> </T>\n", [("x", None, "y")]),
        ("<T></T><T><N>2</N></T>", [(None, None, None), (None, 2, None)]),
        ("<T><A></A><N/><B /></T>", [("", 0, "")]),
        ("<T><A>a > b</A></T>", [("a > b", None, None)]),
        ("<T><A>&lt;&amp;&gt;&#65;&#x42;&quot;&apos;</A></T>", [("<&>AB\"'", None, None)]),
        ("<T><A>&amp;amp;</A></T>" * 2, [("&amp;", None, None)] * 2),
    ],
)
def test_plain_rows_are_taken_whole(text: str, rows: list[tuple[object, ...]]) -> None:
    assert read(text) == (len(text), rows)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<T>",
        "<T><A>x</A>",
        "<T/>",
        '<T a="1"></T>',
        '<T><A a="1">x</A></T>',
        "<T><B>y</B><A>x</A></T>",  # not in the declared order
        "<T><A>x</A><A>x</A></T>",
        "<T><a>x</a></T>",
        "<t></t>",
        "<T><C>x</C></T>",
        "<T>x<A>y</A></T>",
        "<T><A><i/></A></T>",
        "<T><A>x</B></T>",
        "<T><A>&undefined;</A></T>",
        "<T><A>& </A></T>",
        "<T><A>&#0;</A></T>",
        "<T><A>&#xd800;</A></T>",
        "<T><A>&#x110000;</A></T>",
        "<T><!-- --></T>",
        "<V></V>",
        "x<T></T>",
        "</D>",
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(text: str) -> None:
    assert read(text) == (0, [])
    plain = "<T><A>x</A></T>\n"
    assert read(plain + text) == (len(plain), [("x", None, None)])


def test_long_texts_are_left_to_the_parser() -> None:
    limits = Limits(metadata_text=3)
    assert read("<T><A>abc</A></T>", limits)[0] > 0
    assert read("<T><A>abcd</A></T>", limits)[0] == 0


def test_cells_are_counted() -> None:
    rows = PlainRows([table_reader(most_cells=5)], DEFAULT_LIMITS)
    with pytest.raises(MetadataError, match="more than 5 cells"):
        rows.read("<T></T>" * 2)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("<T>äöü</T>\r\n".encode(), True),
        (b"\x00", False),
        (b"\x1b", False),
        (b"a ]]> b", False),
        ("￾".encode(), False),
        ("\uffff".encode(), False),
        ("\uff0e".encode(), True),
    ],
)
def test_bytes_that_xml_does_not_allow_are_left_to_the_parser(block: bytes, *, expected: bool) -> None:
    assert is_plain(block) is expected


PIECES = [
    "<T><A>x</A><N>1</N></T>", "<T><A>y</A></T>", "<U.v><A>z</A></U.v>", "<T><N>2</N></T>\n", "<T><A>é€😀</A></T>",
    "<T>", "</T>", "<t>", "</t>", "<A>", "</A>", "<A/>", "<N>7</N>", "<N>bad</N>", "<N />", "<B>", "</B>", "<C>",
    "</C>",
    " ", "\n", "\r\n", "\r", "\t", "x", ">", "&lt;", "&amp;amp;", "&#13;", "&#10;", "&#x1F600;", "&bad;", "&#1;", "]]>",
    "<!-- <T> -->", "<![CDATA[<A>&]]>", "<?p i?>", '<T a="1">', "<T >", "</T >", "<T xmlns='u'>", "\x01", "\ufffe",
    "<U.v>", "</U.v>", "<xs:schema>", SCHEMA,
]  # fmt: skip


def outcome(document: bytes) -> DataSet | str:
    try:
        return read_dataset(document)
    except MetadataError as error:
        return str(error).partition(":")[0]


@given(st.lists(st.sampled_from(PIECES)), st.sampled_from(["", " xmlns='u'", " xmlns=''"]))
@example(["<T><A>y</A></T>"] * 3 + ["<T><N>bad</N></T>"] * 2, "")
@example(["<T>", "<N>bad</N>", "</T>", '<T a="1">', "<N>bad</N>", "</T>"], "")
@example(["<T><A>x</A>", "&#13;", "</T>", "\r\n", "<T><A>y</A></T>"], "")
@example(["<T><A>y</A></T>", "<!-- <T> -->", "<T><A>y</A></T>", "</T>"], "")
def test_what_is_plain_means_what_the_parser_makes_of_it(pieces: list[str], namespace: str) -> None:
    text = f"<D{namespace}>{SCHEMA}{''.join(pieces)}</D>"
    plain, parsed = outcome(text.encode()), outcome(text.encode("utf-16"))
    assert plain == parsed
    if isinstance(plain, DataSet) and isinstance(parsed, DataSet):
        assert plain.problems == parsed.problems


def test_rows_that_are_cut_into_blocks_are_whole() -> None:
    rows = "".join(
        f"<T><A>{'ä' * (row % 700)}</A><N>{row}</N></T>\n" + "<!-- -->" * (row % 97 == 0) for row in range(3000)
    )
    dataset = read_dataset(f"<D>{SCHEMA}{rows}</D>".encode())
    assert list(dataset.table("T").column("N")) == list(range(3000))
    assert [len(str(text)) for text in dataset.table("T").column("A")] == [row % 700 for row in range(3000)]


def test_the_place_of_an_error_counts_what_the_parser_has_not_seen() -> None:
    rows = "<T><A>x</A></T>\n" * 5000
    with pytest.raises(MetadataError, match="line 5002, column 8"):
        read_dataset(f"<D>{SCHEMA}\n{rows}<T><A></T>\n</D>".encode())
