import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.errors import FilterError
from sttp.filter_expression.syntax import FilterStatement, read_statements, shown

ACTIVE = FilterStatement(table="ActiveMeasurements")


@pytest.mark.parametrize(
    ("expression", "statements"),
    [
        ("", []),
        (" ; ;", []),
        ("a; b ;c;", ["a", "b", "c"]),
        ("FILTER ActiveMeasurements", [ACTIVE]),
        ("FILTER ActiveMeasurements WHERE True", [ACTIVE]),
        ("  filter\tActiveMeasurements\n where  TRUE ; ", [ACTIVE]),
        ("FILTER TOP 5 ActiveMeasurements", [FilterStatement(table="ActiveMeasurements", top=5)]),
        ("FILTER top 0 x WHERE True", [FilterStatement(table="x", top=0)]),
        ("FILTER TOP +5 x", [FilterStatement(table="x", top=5)]),
        ("FILTER TOP - 1 x", [FilterStatement(table="x")]),
        ("FILTER TOP x", None),
        ("FILTER x; tag; FILTER y", [FilterStatement(table="x"), "tag", FilterStatement(table="y")]),
        ("FILTERS", ["FILTERS"]),
        ("FILTER", ["FILTER"]),
        ("FILTER x y", None),
        ("FILTER x WHERE", None),
        ("FILTER x WHERE False", None),
        ("FILTER x WHERE SignalType = 'FREQ'", None),
        ("FILTER x WHERE True ORDER BY ID", None),
        ("FILTER TOP 5 5 x", None),
        ("FILTER TOP ٣ x", None),
        ("FILTER TOP " + "9" * 5000 + " x", None),
        ("FILTER " + " " * 100_000 + "!", None),
    ],
)
def test_statements(expression: str, statements: list[FilterStatement | str] | None) -> None:
    if statements is None:
        with pytest.raises(FilterError, match="supported is FILTER"):
            read_statements(expression)
    else:
        assert read_statements(expression) == statements


@given(st.text("FILTERTOPWHEREtrue 0123;+-_\n"))
def test_only_filter_errors_leave(expression: str) -> None:
    try:
        statements = read_statements(f"FILTER {expression}")
    except FilterError:
        return
    assert all(isinstance(statement, (str, FilterStatement)) for statement in statements)


def test_messages_stay_short() -> None:
    assert shown("a'b") == '"a\'b"'
    assert len(shown("x" * 10_000)) == 83


@pytest.mark.parametrize(
    "place", ["FILTER{}x y", "FILTER TOP{}1 x y", "FILTER TOP +{}1 x y", "FILTER x{}WHERE nothing"]
)
def test_any_amount_of_white_space_is_read_in_no_time(place: str) -> None:
    # with a pattern that can share it out in many ways this takes hours
    with pytest.raises(FilterError):
        read_statements(place.format(" " * 1_000_000))
