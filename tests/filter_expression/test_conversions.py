from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp import ticks
from sttp.filter_expression.conversions import converter, read_date, text_of_date, wrap
from sttp.filter_expression.problems import Refusal
from sttp.filter_expression.values import ValueType


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2024/5/6", datetime(2024, 5, 6, tzinfo=UTC)),
        (" 2024-05-06T07:08 ", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("2024-05-06 07:08:09", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06 7:08:09.25", datetime(2024, 5, 6, 7, 8, 9, 250_000, tzinfo=UTC)),
        ("2024-05-06T07:08:09Z", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06T07:08:09 +02:30", datetime(2024, 5, 6, 4, 38, 9, tzinfo=UTC)),
        ("2024-05-06T07:08-0230", datetime(2024, 5, 6, 9, 38, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates(text: str, moment: datetime) -> None:
    assert read_date(text) == ticks.from_datetime(moment)


@pytest.mark.parametrize(
    "text",
    ["", "2024", "2024-05", "2024-13-01", "2024-02-30", "2024-05/06", "24-05-06", "5/6/2024", "2024-05-06T",
     "2024-05-06T07", "2024-05-06T24:00", "2024-05-06T07:08:60", "2024-05-06Z", "2024-05-06T07:08+99:00",
     "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00", "٢٠٢٤-05-06", "2024-05-06 07:08 PM", "x" * 10_000],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_date(text)
    assert len(caught.value.reason) < 200


@given(st.integers(0, ticks.MAX_TICKS))
def test_the_text_of_a_date_is_read_as_that_date(moment: int) -> None:
    assert read_date(text_of_date(moment)) == moment


@given(st.integers(), st.sampled_from([32, 64]))
def test_wrapping_keeps_the_lowest_bits(value: int, bits: int) -> None:
    wrapped = wrap(value, bits)
    assert -(2 ** (bits - 1)) <= wrapped < 2 ** (bits - 1)
    assert (value - wrapped) % 2**bits == 0


@pytest.mark.parametrize("source", ValueType)
@pytest.mark.parametrize("target", [each for each in ValueType if each is not ValueType.UNDEFINED])
def test_there_is_a_conversion_or_a_reason(source: ValueType, target: ValueType) -> None:
    known = {
        ValueType.GUID: {ValueType.GUID, ValueType.STRING},
        ValueType.DATE_TIME: {ValueType.DATE_TIME, ValueType.STRING},
    }
    refused = (target in known and source not in known[target]) or (
        source is ValueType.GUID and target not in (ValueType.GUID, ValueType.STRING)
    )
    if refused:
        with pytest.raises(Refusal, match="cannot be converted"):
            converter(source, target)
    else:
        assert (converter(source, target) is None) is (source.settled is target)
