import math
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.metadata import Cell, Column, ColumnType, Table
from sttp.metadata.cells import adapt_cell, adapt_column, cell_reader, read_guid, write_cell

GUID = UUID("68e575d2-f1da-58c5-b0b4-d7f3a4a250fc")
NOON = ticks.from_iso("2019-01-04T12:00:00Z")

EXACT_TENTH = "0.1000000000000000055511151231257827021181583404541015625"  # as cppapi writes a double

INTEGERS = {
    ColumnType.INT8: (-(2**7), 2**7 - 1),
    ColumnType.INT16: (-(2**15), 2**15 - 1),
    ColumnType.INT32: (-(2**31), 2**31 - 1),
    ColumnType.INT64: (-(2**63), 2**63 - 1),
    ColumnType.UINT8: (0, 2**8 - 1),
    ColumnType.UINT16: (0, 2**16 - 1),
    ColumnType.UINT32: (0, 2**32 - 1),
    ColumnType.UINT64: (0, 2**64 - 1),
}


@pytest.mark.parametrize(
    ("column_type", "text", "value"),
    [
        (ColumnType.STRING, "  as it is ", "  as it is "),
        (ColumnType.GUID, str(GUID), GUID),
        (ColumnType.GUID, str(GUID).upper(), GUID),
        (ColumnType.GUID, "{" + str(GUID) + "}", GUID),
        (ColumnType.GUID, GUID.hex, GUID),
        (ColumnType.BOOLEAN, "true", True),
        (ColumnType.BOOLEAN, "False", False),
        (ColumnType.BOOLEAN, "1", True),
        (ColumnType.BOOLEAN, "0", False),
        (ColumnType.BOOLEAN, "-1", True),
        (ColumnType.DATE_TIME, "2019-01-04T12:00:00Z", NOON),
        (ColumnType.DATE_TIME, "2019-01-04T12:00:00.Z", NOON),  # sttpapi, whole seconds
        (ColumnType.DATE_TIME, "2019-01-04T07:00:00.00-05:00", NOON),
        (ColumnType.DATE_TIME, "2019-01-04T12:00:00.0000001", NOON + 1),
        (ColumnType.DATE_TIME, "0001-01-01T00:00:00+01:00", 0),
        (ColumnType.FLOAT, "0.1", float(np.float32(0.1))),
        (ColumnType.FLOAT, "-1e39", -math.inf),
        (ColumnType.DOUBLE, "0.10000000000000001", 0.1),
        (ColumnType.DOUBLE, "-INF", -math.inf),
        (ColumnType.DOUBLE, "inf", math.inf),
        (ColumnType.DECIMAL, "-102.352575", Decimal("-102.352575")),
        (ColumnType.DECIMAL, "+1.5E3", Decimal(1500)),
        (ColumnType.DECIMAL, EXACT_TENTH, Decimal("0.1000000000000000055511151231")),
        (ColumnType.DECIMAL, "1e-999999999", Decimal(0)),
        (ColumnType.INT32, " +12 ", 12),
        (ColumnType.INT32, "-0x10", -16),
        (ColumnType.UINT64, "18446744073709551615", 2**64 - 1),
    ],
)  # fmt: skip
def test_forms_that_publishers_write(column_type: ColumnType, text: str, value: Cell) -> None:
    assert cell_reader(column_type)(text) == value


@pytest.mark.parametrize("text", ["NaN", "nan", "-nan"])
def test_not_a_number(text: str) -> None:
    value = cell_reader(ColumnType.DOUBLE)(text)
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize("column_type", ColumnType)
def test_an_empty_text_is_no_null(column_type: ColumnType) -> None:
    value = cell_reader(column_type)("")
    assert value == {ColumnType.STRING: "", ColumnType.GUID: UUID(int=0)}.get(column_type, 0)
    assert type(value) is type(cell_reader(column_type)(write_cell(column_type, value)))


@pytest.mark.parametrize("column_type", [each for each in ColumnType if each is not ColumnType.STRING])
@pytest.mark.parametrize("text", ["x", "1_0", "١", "1 2", "--1", "{}", "0x", "9" * 5000, "é" * 5000, "\u00a0:"])
def test_what_cannot_be_read_is_a_value_error(column_type: ColumnType, text: str) -> None:
    if column_type in (ColumnType.FLOAT, ColumnType.DOUBLE) and text.startswith("9"):
        assert cell_reader(column_type)(text) == math.inf
        return
    with pytest.raises(ValueError, match=r".") as caught:
        cell_reader(column_type)(text)
    if column_type is not ColumnType.DATE_TIME:
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("column_type", "limits"), INTEGERS.items())
def test_integers_are_not_wrapped(column_type: ColumnType, limits: tuple[int, int]) -> None:
    low, high = limits
    read = cell_reader(column_type)
    assert [read(str(low)), read(str(high))] == [low, high]
    for beyond in (low - 1, high + 1):
        with pytest.raises(ValueError, match="does not fit"):
            read(str(beyond))
        with pytest.raises(ValueError, match="does not fit"):
            write_cell(column_type, beyond)


@pytest.mark.parametrize("text", ["1e29", "9" * 30, "NaN", "Infinity", "1e9999999999"])
def test_decimals_have_a_bound(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|digits"):
        cell_reader(ColumnType.DECIMAL)(text)
    with pytest.raises(ValueError, match=r"decimal|digits"):
        write_cell(ColumnType.DECIMAL, Decimal(text))


@pytest.mark.parametrize(
    ("column_type", "value", "text"),
    [
        (ColumnType.STRING, "a<b>&c\r\n", "a&lt;b&gt;&amp;c&#13;\n"),
        (ColumnType.GUID, GUID, str(GUID)),
        (ColumnType.BOOLEAN, False, "false"),
        (ColumnType.DATE_TIME, NOON, "2019-01-04T12:00:00.000+00:00"),
        (ColumnType.DATE_TIME, NOON + 1_230_000, "2019-01-04T12:00:00.123+00:00"),
        (ColumnType.DATE_TIME, NOON + 1, "2019-01-04T12:00:00.0000001+00:00"),
        (ColumnType.DATE_TIME, 0, "0001-01-01T00:00:00.000+00:00"),
        (ColumnType.FLOAT, float(np.float32(0.1)), "0.1"),
        (ColumnType.DOUBLE, 0.1, "0.1"),
        (ColumnType.DOUBLE, math.inf, "INF"),
        (ColumnType.FLOAT, -math.inf, "-INF"),
        (ColumnType.FLOAT, math.nan, "NaN"),
        (ColumnType.FLOAT, 1e39, "INF"),
        (ColumnType.DOUBLE, 3, "3.0"),
        (ColumnType.DECIMAL, Decimal("1E+3"), "1000"),
        (ColumnType.DECIMAL, Decimal("31.781950"), "31.781950"),
        (ColumnType.INT16, -5, "-5"),
    ],
)
def test_the_form_that_is_written(column_type: ColumnType, value: Cell, text: str) -> None:
    assert write_cell(column_type, value) == text


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        (ColumnType.STRING, 1),
        (ColumnType.STRING, "\x00"),
        (ColumnType.STRING, "\x0b"),
        (ColumnType.STRING, "\ud800"),
        (ColumnType.STRING, "\uffff"),
        (ColumnType.GUID, str(GUID)),
        (ColumnType.BOOLEAN, 1),
        (ColumnType.DATE_TIME, -1),
        (ColumnType.DATE_TIME, ticks.MAX_TICKS + 1),
        (ColumnType.DOUBLE, "1"),
        (ColumnType.DOUBLE, 10**400),
        (ColumnType.FLOAT, -(10**400)),
        (ColumnType.DECIMAL, 1.5),
        (ColumnType.INT32, 1.0),
    ],
)
def test_what_cannot_be_written_is_a_value_error(column_type: ColumnType, value: Cell) -> None:
    with pytest.raises(ValueError, match=r"is no|are no|cannot hold|does not fit"):
        write_cell(column_type, value)


VALUES: dict[ColumnType, st.SearchStrategy[Cell]] = {
    ColumnType.GUID: st.uuids(),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.DATE_TIME: st.integers(0, ticks.MAX_TICKS),
    ColumnType.FLOAT: st.floats(width=32, allow_nan=False),
    ColumnType.DOUBLE: st.floats(allow_nan=False),
    ColumnType.DECIMAL: st.decimals(-(10**28), 10**28, allow_nan=False, places=0)
    | st.decimals(-1000, 1000, allow_nan=False, places=6),
    **{column_type: st.integers(*limits) for column_type, limits in INTEGERS.items()},
}


@given(st.sampled_from(list(VALUES)).flatmap(lambda each: st.tuples(st.just(each), VALUES[each])))
def test_what_is_written_reads_back(sample: tuple[ColumnType, Cell]) -> None:
    column_type, value = sample
    assert cell_reader(column_type)(write_cell(column_type, value)) == value


@given(st.sampled_from(ColumnType), st.text(max_size=40))
def test_reading_raises_only_value_errors(column_type: ColumnType, text: str) -> None:
    try:
        value = cell_reader(column_type)(text)
    except ValueError:
        return
    assert value is not None


@pytest.mark.parametrize(
    ("column_type", "value", "expected"),
    [
        (ColumnType.BOOLEAN, 1, True),
        (ColumnType.BOOLEAN, Decimal(0), False),
        (ColumnType.BOOLEAN, "false", False),
        (ColumnType.INT32, True, 1),
        (ColumnType.INT32, "12", 12),
        (ColumnType.INT32, "twelve", None),
        (ColumnType.DECIMAL, -1.5, Decimal("-1.5")),
        (ColumnType.GUID, str(GUID), GUID),
        (ColumnType.GUID, 7, None),
        (ColumnType.STRING, 7, "7"),
        (ColumnType.STRING, None, None),
    ],
)
def test_values_of_another_type_are_adapted(column_type: ColumnType, value: Cell, expected: Cell) -> None:
    adapted = adapt_cell(column_type, value)
    assert adapted == expected
    assert type(adapted) is type(expected)


def test_columns_are_known_by_name() -> None:
    table = Table("T", (Column("enabled", ColumnType.INT64),), ((1, 0, None),))
    assert list(adapt_column(table, Column("Enabled", ColumnType.BOOLEAN))) == [True, False, None]
    assert list(adapt_column(table, Column("Missing", ColumnType.BOOLEAN))) == [None] * 3


def test_what_spells_a_guid() -> None:
    assert read_guid("{" + str(GUID) + "}") == read_guid(GUID.hex) == GUID
    spoiled = [
        "",
        "{}",
        f"{GUID}}}",
        f"{{{GUID}",
        f"urn:uuid:{GUID}",
        f" {GUID}",
        f"{GUID}"[:-1],
        f"{GUID}".replace("-", "", 1),
    ]
    assert [text for text in spoiled if read_guid(text) is not None] == []
