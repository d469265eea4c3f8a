"""No expression costs more than the limits say, whatever it is."""

from __future__ import annotations

import tracemalloc
from time import process_time

import pytest

from filters import values_of
from sttp.errors import FilterError
from sttp.filter_expression import select
from sttp.filter_expression.budget import Budget
from sttp.filter_expression.problems import Refusal
from sttp.limits import Limits
from sttp.metadata import Metadata, simulated_metadata

LONG = "a" * 30_000
LIMITS = Limits(filter_steps=2**21, filter_texts=2**21)
"""A sixteenth of what is allowed by default. Time and memory are in proportion."""


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    return simulated_metadata(20_000)


def repeated(part: str, operator: str, count: int) -> str:
    return operator.join([part] * count)


HOSTILE = {
    "OR": " OR ".join(f"PointTag = '{number}'" for number in range(3000)),
    "arithmetic": f"Len(PointTag){'+1' * 7000} = 0",
    "decimals": f"Len(PointTag){'*1.5' * 7000} = 0",
    "nested decimals": f"{'(Len(PointTag)*1.5+' * 60}1{')' * 60} = 0",
    "nested texts": f"{'(PointTag+' * 60}'x'{')' * 60} = 'y'",
    "IN columns": f"1 IN ({repeated('Len(PointTag)*1.5', ',', 2000)})",
    "LIKE columns": repeated("PointTag LIKE Description", " OR ", 2000),
    "COALESCE": f"Coalesce({repeated('AlternateTag', ',', 5000)}) = 'x'",
    "IIF in COALESCE": f"Coalesce({repeated('IIf(Len(PointTag)>1,AlternateTag,NULL)', ',', 1000)}) = 'x'",
    "MAXOF": f"MaxOf({repeated('Len(PointTag)', ',', 3000)}) = 3",
    "POWER": repeated("Power(Len(PointTag) + 0.1, 7.77777) > 1", " OR ", 100),
    "dates": repeated("DateAdd(UtcNow(), Len(PointTag), 'Month') = Now()", " OR ", 700),
    "ORDER BY": f"FILTER ActiveMeasurements WHERE True ORDER BY {repeated('PointTag', ',', 5000)}",
    "regular expressions": " OR ".join(rf"RegexMatch('(.{{1,100}}){{1,10}}b{n}$', PointTag)" for n in range(60)),
    "a regular expression for each row": "RegexMatch(PointTag, PointTag)",
    "nested quantifiers": f"RegexMatch('^(a+)+$', PointTag + '{LONG}b')",
    "growing text": f"Len(Replace(Replace('{LONG}', 'a', '{LONG}'), 'a', 'bb')) > 0",
    "long texts for each row": f"Len(Replace(PointTag, '_', '{LONG}')) > 0",
    "many matches": f"NthIndexOf('{LONG}', 'a', DeviceID + Len(PointTag)) > 0",
    "a long text for each pattern": f"'{LONG}' LIKE PointTag",
    "splitting": repeated("Split(Description, ' ', Len(PointTag)) = 'x'", " OR ", 700),
    "statements": "1 = 1;" * 250 + "PointTag LIKE '%x';" * 5000,
    "wildcards": f"PointTag LIKE '{'%a' * 20_000}'",
    "division by zero": "PhasorID / 0 = 1",
}


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_is_refused_in_bounded_time_and_memory(expression: str, metadata: Metadata) -> None:
    select("PointTag = Description OR ID = SignalReference", metadata)  # everything is loaded
    tracemalloc.start()
    started = process_time()
    try:
        with pytest.raises(FilterError) as caught:
            select(expression, metadata, limits=LIMITS)
        seconds, (_, peak) = process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000
    assert seconds < 30  # a fraction of a second where nothing else runs; tracing alone makes it several times slower
    assert peak < 50 * 2**20


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * 60_000 + "b"),
        ("(x+x+)+y", "x" * 60_000),
        (".*.*.*.*=", "x" * 60_000),
        ("(a|aa)+$", "a" * 60_000 + "b"),
    ],
)  # fmt: skip
def test_regular_expressions_do_not_backtrack(pattern: str, text: str) -> None:
    started = process_time()
    assert values_of(f"RegexMatch('{pattern}', '{text}')")[0][1] is False
    assert process_time() - started < 5


def test_a_regular_expression_that_needs_much_memory_is_refused() -> None:
    with pytest.raises(Refusal, match="no regular expression: pattern too large"):
        values_of(r"RegexMatch('\pL{1000}\pL{1000}', 'x')")


@pytest.mark.parametrize(
    ("limits", "expression", "message"),
    [
        (Limits(filter_text=5), "'abc' + 'def'", "more than 5 characters"),
        (Limits(filter_text=5), "Replace('aaa', 'a', 'bb')", "more than 5 characters"),
        (Limits(filter_text=5), "Upper('abcdef')", "more than 5 characters"),
        (Limits(filter_text=5), "RegexVal('.*', 'abcdef')", "more than 5 characters"),
        (Limits(filter_texts=5), "'abc' + 'd' = Lower('XY')", "texts of more than 5 characters"),
        (Limits(filter_steps=3), "1 + 1", "more than 3 steps"),
        (Limits(filter_pattern=3), "RegexMatch('abcd', 'x')", "at most 3 characters"),
        (Limits(filter_patterns=1), "RegexMatch('a', 'x') OR RegexMatch('b', 'x')", "more than 1 different"),
        (Limits(filter_patterns=1), "RegexMatch('a', 'x') OR RegexVal('a', 'x') = ''", None),
    ],
)
def test_every_limit_is_kept(limits: Limits, expression: str, message: str | None) -> None:
    if message is None:
        values_of(expression, limits=limits)
    else:
        with pytest.raises((FilterError, Refusal), match=message):
            values_of(expression, limits=limits)


def test_steps_are_those_of_all_statements_together(metadata: Metadata) -> None:
    limits = Limits(filter_steps=100_000)
    condition = "PointTag = 'x'"
    select(condition, metadata, limits=limits)
    with pytest.raises(FilterError, match="steps"):
        select(";".join([condition] * 10), metadata, limits=limits)


def test_texts_that_utf_8_cannot_hold_match_nothing() -> None:
    budget = Budget(Limits())
    assert budget.regex("a\ud800?").search("a\ud800") is not None
    assert values_of("'\ud800' = '\ud800'")[0][1] is True
