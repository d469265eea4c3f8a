"""From text to statements: levels, tokens, places of errors, and everything that is long or deep."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from decimal import Decimal
from time import process_time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.errors import FilterError
from sttp.filter_expression.nodes import (
    Chain,
    Column,
    Condition,
    Expression,
    Filter,
    Identifier,
    Like,
    Literal,
    Membership,
    NullTest,
    Operator,
    OrderTerm,
    Prefix,
    walk,
)
from sttp.filter_expression.printing import write_expression
from sttp.filter_expression.signatures import SIGNATURES
from sttp.filter_expression.syntax import _grammar, parse, parse_expression
from sttp.filter_expression.values import ValueType
from sttp.limits import Limits

GUID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        # one level for AND and OR, one for comparisons, one for bits, one for arithmetic; each from left to right
        ("a OR b AND c", "((a OR b) AND c)"),
        ("1 + 2 * 3", "((1 + 2) * 3)"),
        ("3 > 2 > 1", "((3 > 2) > 1)"),
        ("1 << 2 + 1", "(1 << (2 + 1))"),
        ("1 & 2 ^ 3 << 4", "(((1 & 2) ^ 3) << 4)"),
        ("1 < 2 IN (True)", "(1 < (2 IN (True)))"),
        ("a = b IS NULL", "(a = (b IS NULL))"),
        ("1 | 2 IN (3)", "((1 | 2) IN (3))"),
        ("x LIKE 'a%' = True", "(x LIKE ('a%' = True))"),
        ("x LIKE 'a' NOT LIKE 'b'", "((x LIKE 'a') NOT LIKE 'b')"),
        # before an operand NOT is meant for the predicate
        ("NOT a = b", "(NOT (a = b))"),
        ("!a & b", "(NOT (a & b))"),
        ("NOT 1 + 1", "(NOT (1 + 1))"),
        ("NOT a LIKE 'b'", "(NOT (a LIKE 'b'))"),
        ("NOT a AND b", "((NOT a) AND b)"),
        ("NOT NOT a IN (1)", "(NOT (NOT (a IN (1))))"),
        # behind an operator it is not
        ("a = NOT b = c", "((a = (~b)) = c)"),
        ("a + !b", "(a + (~b))"),
        ("~1 + 1", "((~1) + 1)"),
        ("-a * b", "((-a) * b)"),
        ("-NOT a", "(-(~a))"),
        ("a NOT IN (1)", "(a NOT IN (1))"),
        ("a ! /* x */ IN (1)", "(a NOT IN (1))"),
        ("a NOT\n-- x\nLIKE 'b%'", "(a NOT LIKE 'b%')"),
        ("a IS ! NULL", "(a IS NOT NULL)"),
        ("a && b || c", "((a AND b) OR c)"),
        ("a xor b", "(a ^ b)"),
        ("(a)", "a"),
    ],
)
def test_levels(text: str, grouped: str) -> None:
    assert _grouped(parse_expression(text)) == grouped


def _grouped(node: Expression) -> str:
    """The expression with parentheses around every operator."""
    match node:
        case Chain():
            text = _grouped(node.first)
            for step in node.steps:
                text = f"({text} {step.operator} {_grouped(step.operand)})"
            return text
        case Prefix():
            return f"({node.operator}{' ' * (node.operator is Operator.NOT)}{_grouped(node.operand)})"
        case Like():
            return f"({_grouped(node.text)} {'NOT ' * node.negated}LIKE {_grouped(node.pattern)})"
        case Membership():
            elements = ", ".join(map(_grouped, node.elements))
            return f"({_grouped(node.tested)} {'NOT ' * node.negated}IN ({elements}))"
        case NullTest():
            return f"({_grouped(node.tested)} IS {'NOT ' * node.negated}NULL)"
    return write_expression(node)


@pytest.mark.parametrize(
    ("text", "value_type", "value"),
    [
        ("2147483647", ValueType.INT32, 2**31 - 1),
        ("2147483648", ValueType.INT64, 2**31),
        ("9223372036854775807", ValueType.INT64, 2**63 - 1),
        ("9223372036854775808", ValueType.DECIMAL, Decimal(2**63)),
        ("0xFf", ValueType.INT32, 255),
        ("0xffffffff", ValueType.INT64, 2**32 - 1),
        ("0x10000000000000000", ValueType.DECIMAL, Decimal(2**64)),
        ("00000000000000000000000000000007", ValueType.DECIMAL, Decimal(7)),
        ("1.50", ValueType.DECIMAL, Decimal("1.5")),
        ("5.", ValueType.DECIMAL, Decimal(5)),
        (".5", ValueType.DECIMAL, Decimal("0.5")),
        ("1e3", ValueType.DOUBLE, 1000.0),
        (".5E-1", ValueType.DOUBLE, 0.05),
        ("1E999", ValueType.DOUBLE, float("inf")),
        ("''", ValueType.STRING, ""),
        ("'it''s'", ValueType.STRING, "it''s"),
        ("'a;b'", ValueType.STRING, "a;b"),
        ("'a\nb -- c'", ValueType.STRING, "a\nb -- c"),
        ("#1970-01-01#", ValueType.DATE_TIME, 621_355_968_000_000_000),
        ("#1970-01-01T00:00:00.5Z#", ValueType.DATE_TIME, 621_355_968_005_000_000),
        (GUID, ValueType.GUID, UUID(GUID)),
        (f"'{GUID}'", ValueType.GUID, UUID(GUID)),
        ("{111111112222-4333-8444-555555555555}", ValueType.GUID, UUID(GUID)),
        ("'11111111222243338444555555555555'", ValueType.GUID, UUID(GUID)),
        (f"'{GUID}''x'", ValueType.STRING, f"{GUID}''x"),
        ("true", ValueType.BOOLEAN, True),
        ("FALSE", ValueType.BOOLEAN, False),
        ("null", ValueType.UNDEFINED, None),
        # without dashes: only what begins with a digit and has a letter
        ("1970aa7dd6b954e8b60c247836261d88", ValueType.GUID, UUID("1970aa7dd6b954e8b60c247836261d88")),
        ("11111111222243338444555555555555", ValueType.DECIMAL, Decimal("11111111222243338444555555555555")),
    ],
)
def test_literals(text: str, value_type: ValueType, value: Any) -> None:
    found = parse_expression(text)
    assert found == Literal(value_type, value)
    assert type(found.value) is type(value)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", ()),
        (" ;; \n;", ()),
        ("-- nothing", ()),
        ("/* nothing", ()),
        ("A:1", (Identifier("A:1"),)),
        ("a-b!c_d.e@f#g$h:12", (Identifier("a-b!c_d.e@f#g$h:12"),)),
        ("#1#:5", (Identifier("#1#:5"),)),
        ("!x:1", (Identifier("!x:1"),)),
        ('"T-1.x"', (Identifier("T-1.x", is_tag=True),)),
        (GUID, (Identifier(UUID(GUID)),)),
        (f"({GUID})", (Condition(Literal(ValueType.GUID, UUID(GUID))),)),
        ("abcdef12345678901234567890abcdef", (Condition(Column("abcdef12345678901234567890abcdef")),)),
        ("TAG1", (Condition(Column("TAG1")),)),
        ("--x:1", ()),
        ('A:1;;B:2 ; "T";', (Identifier("A:1"), Identifier("B:2"), Identifier("T", is_tag=True))),
        ("A:1 -- one\n; B:2 /* ; C:3 */", (Identifier("A:1"), Identifier("B:2"))),
        ("x = ';'; A:1", (Condition(parse_expression("x = ';'")), Identifier("A:1"))),
        ("FILTER T WHERE True", (Filter("T", Literal(ValueType.BOOLEAN, value=True)),)),
        ("filter top 5 t where x", (Filter("t", Column("x"), 5),)),
        ("FILTER TOP +5 t WHERE x", (Filter("t", Column("x"), 5),)),
        ("FILTER TOP -5 t WHERE x", (Filter("t", Column("x")),)),
        ("FILTER TOP 0 t WHERE x", (Filter("t", Column("x"), 0),)),
        (
            "FILTER [t] WHERE `x y` ORDER BY a ASC, BINARY b DESC, === c",
            (
                Filter(
                    "[t]",
                    Column("`x y`"),
                    None,
                    (OrderTerm("a"), OrderTerm("b", descending=True, folded=True), OrderTerm("c", folded=True)),
                ),
            ),
        ),
    ],
)
def test_statements(text: str, statements: tuple[Any, ...]) -> None:
    assert parse(text) == statements


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_every_function_is_a_keyword_in_any_case(name: str) -> None:
    arguments = ", ".join("1" * SIGNATURES[name].fewest)
    assert write_expression(parse_expression(f"{name.title()}({arguments})")) == f"{name}({arguments})"
    with pytest.raises(FilterError, match=r"\( expected"):
        parse(f"{name} = 1")
    assert parse(f"{name}X = 1")


def test_the_grammar_knows_no_other_functions() -> None:
    with pytest.raises(FilterError, match="there is no function SUBSTRING; do you mean SUBSTR"):
        parse("SUBSTRING('x', 1)")


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("FILTER ActiveMeasurements SignalType = 'FREQ'", 1, 27, "WHERE expected, not 'SignalType'"),
        ("SignalType =", 1, 13, "a value, column or function expected, but the statement ends here"),
        ("SignalType =; A:1", 1, 13, "a value, column or function expected, but the statement ends here"),
        ("a = 1\nAND\n  b 2", 3, 5, "an operator or the end expected, not '2'"),
        ("(a = 1", 1, 7, "an operator or ) expected, but the statement ends here"),
        ("a = 1)", 1, 6, "an operator or the end expected, not ')'"),
        ("FILTER T WHERE a ORDER Device", 1, 24, "BY expected, not 'Device'"),
        ("FILTER", 1, 7, "TOP or a name expected, but the statement ends here"),
        ("FILTER TOP x T WHERE a", 1, 12, "+, - or a whole number expected, not 'x'"),
        ("SELECT * FROM T", 1, 15, "an operator or the end expected, not 'T'"),
        ("3 BETWEEN 1 AND 5", 1, 3, "an operator or the end expected, not 'BETWEEN'"),
        ("1 1", 1, 3, "an operator or the end expected, not '1'"),
        ("a IN ()", 1, 7, "a value, column or function expected, not ')'"),
        ("@", 1, 1, "a value, column, function or FILTER expected, not '@'"),
        ("a = é", 1, 5, "a value, column or function expected, not 'é'"),
        ("a = 'b", 1, 5, "this text has no second quote"),
        ("a = #b", 1, 5, "this date has no second #"),
        ('a = "b"', 1, 5, "text stands in single quotes"),
        ('"b', 1, 1, "this point tag has no second quote"),
        ('"A:FREQ"', 1, 1, "write FILTER ActiveMeasurements WHERE PointTag = 'A:FREQ'"),
        ("A:FREQ", 1, 2, "write FILTER ActiveMeasurements WHERE PointTag = "),
        ("Nosuch(1)", 1, 7, "there is no function Nosuch"),
        ("a = Lenn('x')", 1, 9, "there is no function Lenn; do you mean LEN?"),
        ("a = Now(1)", 1, 5, "NOW takes 0 arguments, not 1"),
        ("Len()", 1, 1, "LEN takes 1 argument, not 0"),
        ("Substr('x')", 1, 1, "SUBSTR takes 2 or 3 arguments, not 1"),
        ("1 + Coalesce(1)", 1, 5, "COALESCE takes 2 arguments or more, not 1"),
        ("a = #2024-02-30#", 1, 5, "'2024-02-30' is no date: day is out of range"),
        ("a = #2/29/2024 1:14 PM#", 1, 5, "'2/29/2024 1:14 PM' is no date; write one as"),
        ("Order = 1", 1, 1, "a value, column, function or FILTER expected, not 'Order'"),
        ("A:1; True True", 1, 11, "an operator or the end expected, not 'True'"),
    ],
)  # fmt: skip
def test_errors_have_a_place_and_say_what_was_expected(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert reason in error.reason
    shown, caret = error.excerpt.split("\n")
    assert caret == " " * (column - 1) + "^"
    assert shown == text.split("\n")[line - 1]
    assert str(error) == f"line {line}, column {column}: {error.reason}\n{error.excerpt}"


def test_one_expression_is_not_several() -> None:
    for text in ("", "1; 2", "FILTER T WHERE True", "A:1"):
        with pytest.raises(FilterError, match="one expression"):
            parse_expression(text)


TOKENS = ["A:1", GUID, '"T"', ";", " ", "\n", "x", "=", "'y;'", "-- c\n", "/* ; */", "FILTER T WHERE", "#a:1", "(", ")"]


@given(st.lists(st.sampled_from(TOKENS)).map("".join))
def test_statement_by_statement_is_what_the_grammar_says(text: str) -> None:
    def read_by_statements() -> Any:
        try:
            return list(parse(text))
        except FilterError:
            return None

    def read_as_a_whole() -> Any:
        try:
            return _grammar().parse(text, start="input").children
        except Exception:  # noqa: BLE001 - whatever the library says, it cannot be read
            return None

    if text.replace("-- c\n", "").replace("/* ; */", "").strip(" \n;"):
        assert read_by_statements() == read_as_a_whole()
    else:
        assert read_by_statements() == []


@given(st.text(max_size=60))
def test_only_filter_errors_leave(text: str) -> None:
    with suppress(FilterError):
        parse(text)


# long, deep, many


LONG = {
    "parentheses": "(" * 10_000 + "1" + ")" * 10_000,
    "NOT": "NOT " * 10_000 + "True",
    "signs": "- " * 10_000 + "1",
    "functions": "Abs(" * 10_000 + "1" + ")" * 10_000,
    "postfix": "1" + " IS NULL" * 10_000,
    "LIKE": "'a'" + " LIKE 'b'" * 10_000,
    "blanks": " " * 1_000_000 + "True",
    "conditions": "True" + " AND True" * 111_111,
    "text": "'" + "a" * 1_000_000 + "'",
    "quotes": "'" * 1_000_001,
    "exclamation marks": "!" * 1_000_000,
    "numbers": "1-" * 500_000,
    "empty statements": ";" * 4_000_000 + "!",
    "statements": "1;" * 500_000,
    "date": "#" + "1" * 1_000_000,
    "comment in a gap": ("!/**/" * 200_000) + "x",
    "unclosed comments": "!" + "/* " * 300_000 + "x",
    "digits": "9" * 1_000_000,
    "key": "a" * 1_000_000 + ":1",
    "too long": "a" * 5_000_000,
    "signals": "a:1;" * 1_000_000,
    "unclosed tag": '"' + "a" * 1_000_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_what_is_long_or_deep_is_refused_in_bounded_time_and_memory(text: str) -> None:
    parse("1")  # the grammar is loaded
    tracemalloc.start()
    started = process_time()
    try:
        with pytest.raises(FilterError) as caught:
            parse(text)
        seconds, (_, peak) = process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000
    assert seconds < 20  # a second or two where nothing else runs; tracing alone makes it several times slower
    assert peak < 200 * 2**20


def test_chains_are_not_deep() -> None:
    expression = parse_expression(" OR ".join(f"x = {number}" for number in range(2000)))
    assert max(depth for depth, _ in walk(expression)) == 3


def test_a_list_of_a_hundred_thousand_signals_is_read() -> None:
    ids = [UUID(int=number) for number in range(1, 100_001)]
    assert [each.signal for each in parse(";".join(map(str, ids)))] == ids  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("limits", "text", "message"),
    [
        (Limits(filter_expression=3), "True", "4 characters exceeds the limit of 3"),
        (Limits(filter_signals=1), "A:1;A:2", "more than 1 signals"),
        (Limits(filter_statements=1), "1;2", "more than 1 conditions"),
        (Limits(filter_conditions=6), "1+1;A:1;2+2", "more than 6 characters"),
        (Limits(filter_tokens=4), "1+1;2+2", "more than 4 words"),
        (Limits(filter_depth=2), "((x))", None),
        (Limits(filter_depth=2), "(((x)))", "deeper than 2"),
        (Limits(filter_depth=2), "Len(x)", None),
        (Limits(filter_depth=2), "Len(-x)", "deeper than 2"),
    ],
)
def test_every_limit_is_kept(limits: Limits, text: str, message: str | None) -> None:
    if message is None:
        parse(text, limits)
    else:
        with pytest.raises(FilterError, match=message):
            parse(text, limits)
