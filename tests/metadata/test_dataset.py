import pytest

from sttp.errors import UsageError
from sttp.metadata import Cell, Column, ColumnType, DataSet, Problem, Table

NUMBERS = Table.of(
    "Numbers",
    [Column("Name"), Column("Value", ColumnType.INT32)],
    [{"Name": "one", "Value": 1}, {"Name": "two"}, {}],
)


def test_rows_and_columns() -> None:
    assert len(NUMBERS) == 3
    assert list(NUMBERS) == [{"Name": "one", "Value": 1}, {"Name": "two", "Value": None}, {"Name": None, "Value": None}]
    assert list(NUMBERS.column("value")) == [1, None, None]
    assert repr(NUMBERS) == "<Table Numbers: 3 rows, 2 columns>"


def test_names_are_found_ignoring_case_and_may_be_missing() -> None:
    dataset = DataSet(tables=(NUMBERS,))
    assert dataset.table("NUMBERS") is NUMBERS
    assert "numbers" in dataset
    assert "VALUE" in NUMBERS
    assert "Other" not in dataset
    assert "Other" not in NUMBERS
    assert list(NUMBERS.column("Other")) == [None] * 3
    assert len(dataset.table("Other")) == 0
    assert list(dataset.table("Other").column("Value")) == []


def test_take_keeps_the_order_asked_for() -> None:
    assert list(NUMBERS.take([2, 0]).column("Name")) == [None, "one"]
    assert len(NUMBERS.take([])) == 0


def test_with_table_replaces_the_table_of_that_name() -> None:
    other = Table("Other", (Column("A"),), (("x",),))
    dataset = DataSet(tables=(NUMBERS, other)).with_table(NUMBERS.take([0]))
    assert [len(table) for table in dataset.tables] == [1, 1]
    assert dataset.table("Other") is other
    assert repr(dataset) == "<DataSet DataSet: Numbers (1), Other (1)>"


def test_problems_are_no_part_of_equality() -> None:
    problem = Problem(table="T", column="C", cells=2, row=7, reason="'x' is no integer")
    assert DataSet(problems=(problem,)) == DataSet()
    assert str(problem) == "T.C, row 7: 'x' is no integer, and 1 more"


@pytest.mark.parametrize("name", ["", "a b", "1a", "x:y", "é", "a<", "a\n"])
def test_names_that_xml_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Column(name)
    with pytest.raises(UsageError):
        Table(name)
    with pytest.raises(UsageError):
        DataSet(name)


def test_what_does_not_fit_together_is_refused() -> None:
    column = Column("A")
    with pytest.raises(UsageError, match="cells for 0"):
        Table("T", (column,))
    with pytest.raises(UsageError, match="two columns"):
        Table("T", (column, Column("a")), ((), ()))
    with pytest.raises(UsageError, match="differ in length"):
        Table("T", (column, Column("B")), ((), (1,)))
    with pytest.raises(UsageError, match="no column B"):
        Table.of("T", [column], [{"B": 1}])
    with pytest.raises(UsageError, match="two tables"):
        DataSet(tables=(Table("T"), Table("t")))


def column_of(column_type: ColumnType, cells: list[Cell]) -> Table:
    return Table("T", (Column("C", column_type),), (tuple(cells),))


def test_values_that_differ_and_where_they_stand() -> None:
    table = column_of(ColumnType.STRING, ["b", None, "b", "a", "B", None, "b", "b", "b", "b"])
    distinct = table.distinct("c")
    assert distinct.entries is not None
    assert [distinct.values[entry] for entry in distinct.entries.tolist()] == list(table.column("C"))
    assert len(distinct.values) == 4
    assert table.distinct("C") is distinct


def test_values_that_nearly_all_differ_are_kept_as_they_are() -> None:
    table = column_of(ColumnType.STRING, ["a", "b", "c", "a"])
    assert table.distinct("C").values.tolist() == list(table.column("C"))
    assert table.distinct("C").entries is None


def test_zeros_of_different_sign_differ() -> None:
    values = column_of(ColumnType.DOUBLE, [0.0, -0.0, None, 1.5] * 4).distinct("C").values
    assert sorted(map(str, values)) == ["-0.0", "0.0", "1.5", "None"]


def test_the_first_row_of_a_value() -> None:
    table = column_of(ColumnType.STRING, [None, "b", "A", "a", "B"])
    assert table.first_rows("c") == {"B": 1, "A": 2}
    assert column_of(ColumnType.INT32, [7, 8, 7]).first_rows("C") == {7: 0, 8: 1}
    assert table.first_rows("other") == {}


def test_the_type_of_a_column() -> None:
    assert column_of(ColumnType.INT32, []).type_of("c") is ColumnType.INT32
    assert NUMBERS.type_of("Other") is None
