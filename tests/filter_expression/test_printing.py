"""What is written reads as the same tree again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sttp.errors import FilterError
from sttp.filter_expression.nodes import (
    Call,
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
    Step,
)
from sttp.filter_expression.printing import write, write_expression
from sttp.filter_expression.signatures import SIGNATURES
from sttp.filter_expression.syntax import parse, parse_expression
from sttp.filter_expression.values import INT32_MAX, INT64_MAX, ValueType
from sttp.ticks import MAX_TICKS

LEVELS = [
    [Operator.AND, Operator.OR],
    [Operator.LESS, Operator.GREATER_OR_EQUAL, Operator.EQUAL, Operator.NOT_EQUAL, Operator.EXACTLY_EQUAL,
     Operator.NOT_EXACTLY_EQUAL],
    [Operator.SHIFT_LEFT, Operator.SHIFT_RIGHT, Operator.BIT_AND, Operator.BIT_OR, Operator.BIT_XOR],
    [Operator.PLUS, Operator.MINUS, Operator.TIMES, Operator.DIVIDED, Operator.REMAINDER],
]  # fmt: skip
KEYWORDS = {
    "FILTER", "TOP", "WHERE", "ORDER", "BY", "BINARY", "ASC", "DESC", "AND", "OR", "XOR", "NOT", "LIKE", "IN", "IS",
    "NULL", "TRUE", "FALSE",
}  # fmt: skip
WORDS = [*sorted(KEYWORDS), "1", "T", "a", "(", ")", "'x'", "-", "!", "A:1"]

names = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
        lambda name: name.upper() not in KEYWORDS | SIGNATURES.keys()
    ),
    st.from_regex(r"\[[^\]\r\n]{1,5}\]|`[^`\r\n]{1,5}`", fullmatch=True),
)
texts = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="'"), max_size=8)).map("''".join)
literals: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Literal, st.just(ValueType.INT32), st.integers(0, INT32_MAX)),
    st.builds(Literal, st.just(ValueType.INT64), st.integers(INT32_MAX + 1, INT64_MAX)),
    st.builds(Literal, st.just(ValueType.DECIMAL), st.decimals(0, 10**30, allow_nan=False, places=4)),
    st.builds(Literal, st.just(ValueType.DECIMAL), st.integers(INT64_MAX + 1, 10**33).map(Decimal)),
    st.builds(Literal, st.just(ValueType.DOUBLE), st.floats(0, allow_nan=False)),
    st.builds(Literal, st.just(ValueType.STRING), texts.filter(lambda text: len(text) not in (32, 36))),
    st.builds(Literal, st.just(ValueType.GUID), st.uuids()),
    st.builds(Literal, st.just(ValueType.DATE_TIME), st.integers(0, MAX_TICKS)),
    st.builds(Literal, st.just(ValueType.BOOLEAN), st.booleans()),
    st.just(Literal(ValueType.UNDEFINED, None)),
)


def chains(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.sampled_from(LEVELS).flatmap(
        lambda level: st.builds(
            Chain,
            operands,
            st.lists(st.builds(Step, st.sampled_from(level), operands), min_size=1, max_size=3).map(tuple),
        )
    )


def calls(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def call(name: str) -> st.SearchStrategy[Expression]:
        fewest = SIGNATURES[name].fewest
        most = int(min(SIGNATURES[name].most, fewest + 2))
        return st.builds(Call, st.just(name), st.lists(operands, min_size=fewest, max_size=most).map(tuple))

    return st.sampled_from(sorted(SIGNATURES)).flatmap(call)


def larger(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    some = st.lists(operands, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        chains(operands),
        calls(operands),
        st.builds(
            Prefix, st.sampled_from([Operator.NOT, Operator.COMPLEMENT, Operator.MINUS, Operator.PLUS]), operands
        ),
        st.builds(Like, operands, operands, st.booleans(), st.booleans()),
        st.builds(Membership, operands, some, st.booleans(), st.booleans()),
        st.builds(NullTest, operands, st.booleans()),
    )


expressions: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(literals, st.builds(Column, names)), larger, max_leaves=12
)
sources = st.from_regex(r"[A-Za-z0-9_!.@$][A-Za-z0-9\-!_.@#$]{0,6}", fullmatch=True)
statements: st.SearchStrategy[Any] = st.one_of(
    st.builds(Identifier, st.uuids()),
    st.builds(lambda source, number: Identifier(f"{source}:{number}"), sources, st.integers(0, 2**64)),
    st.builds(Identifier, st.from_regex(r"[A-Za-z0-9\-!_.@#$]{1,8}", fullmatch=True), st.just(value=True)),
    st.builds(Condition, expressions),
    st.builds(
        Filter,
        names,
        expressions,
        st.none() | st.integers(0, 1000),
        st.lists(st.builds(OrderTerm, names, st.booleans(), st.booleans()), max_size=3).map(tuple),
    ),
)


@given(st.lists(statements, max_size=4))
@example([Condition(Prefix(Operator.MINUS, Literal(ValueType.DATE_TIME, 0)))])
def test_statements_that_are_written_read_as_the_same(written: list[Any]) -> None:
    assert list(parse(write(written))) == written


@given(expressions)
@example(Literal(ValueType.DECIMAL, Decimal("1000000000000000000000000000000.0000")))  # one digit more than fit
def test_no_parentheses_are_written_in_vain(expression: Expression) -> None:
    text = write_expression(expression)
    assert parse_expression(text) == expression
    assert write_expression(parse_expression(f"(({text}))")) == text


@given(st.text("aF1 ()'=<>!-+~*&|.,;#[]{}\"\n:") | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_whatever_can_be_read_can_be_written(text: str) -> None:
    try:
        read = parse(text)
    except FilterError:
        return
    assert parse(write(read)) == read


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("not  a=1 aNd(b)", "NOT a = 1 AND b"),
        ("a == 1 && b <> 2 || c", "a = 1 AND b != 2 OR c"),
        ("(a OR b) AND c", "(a OR b) AND c"),
        ("a OR (b AND c)", "a OR (b AND c)"),
        ("1 + (2 * 3) - -4", "1 + (2 * 3) - -4"),
        ("- - 1", "- -1"),
        ("a = !b", "a = ~b"),
        ("(NOT a) = b", "(NOT a) = b"),
        ("len ( x )", "LEN(x)"),
        ("x like binary 'a%' or y not in (1,2)", "x LIKE BINARY 'a%' OR y NOT IN (1, 2)"),
        ("x is not null", "x IS NOT NULL"),
        ("1.50 + 0x10 + 1e3", "1.5 + 16 + 1000.0E0"),
        ("#2024-01-02 03:04# = When", "#2024-01-02 03:04:00# = When"),
        ("filter top -1 T where True order by === a, b desc", "FILTER T WHERE True ORDER BY BINARY a, b DESC"),
        ("ppa:1;\"T\";{11111111222243338444555555555555}", 'ppa:1; "T"; 11111111-2222-4333-8444-555555555555'),
        ("({11111111222243338444555555555555})", "({11111111-2222-4333-8444-555555555555})"),
        ("1E999", "1E999"),
    ],
)  # fmt: skip
def test_the_usual_form(text: str, written: str) -> None:
    assert write(parse(text)) == written


def test_identifiers() -> None:
    assert parse("A:1") == (Identifier("A:1"),)
    assert parse(str(UUID(int=5))) == (Identifier(UUID(int=5)),)
