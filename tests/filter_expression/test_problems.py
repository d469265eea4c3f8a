import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.filter_expression.problems import error_at, shown


@pytest.mark.parametrize(
    ("text", "at", "line", "column", "excerpt"),
    [
        ("abc", 1, 1, 2, "abc\n ^"),
        ("abc", 3, 1, 4, "abc\n   ^"),
        ("abc", 99, 1, 4, "abc\n   ^"),
        ("", 0, 1, 1, "\n^"),
        ("a\nbc\nd", 3, 2, 2, "bc\n ^"),
        ("a\n", 2, 2, 1, "\n^"),
        ("a\tb\x1b[c", 4, 1, 5, "a b\ufffd[c\n    ^"),
        ("x" * 1000, 500, 1, 501, "…" + "x" * 76 + "…\n" + " " * 39 + "^"),
        ("x" * 1000, 10, 1, 11, "x" * 76 + "…\n" + " " * 10 + "^"),
        ("x" * 1000, 990, 1, 991, "…" + "x" * 48 + "\n" + " " * 39 + "^"),
    ],
)
def test_the_place_of_an_error(text: str, at: int, line: int, column: int, excerpt: str) -> None:
    error = error_at(text, at, "wrong")
    assert (error.line, error.column, error.excerpt) == (line, column, excerpt)
    assert str(error) == f"line {line}, column {column}: wrong\n{excerpt}"


@given(st.text(), st.integers(0, 100), st.text())
def test_errors_are_short_and_harmless(text: str, at: int, reason: str) -> None:
    error = error_at(text * 50, at, reason * 100)
    assert len(str(error)) < 700
    shown_line, caret = error.excerpt.split("\n")
    assert shown_line == "" or shown_line.isprintable()
    assert caret.strip() == "^"
    assert len(caret) <= 79


def test_what_is_shown_is_short_and_on_one_line() -> None:
    assert shown("it's\n\x07") == "'it's \ufffd'"
    assert shown("x" * 1000) == f"'{'x' * 40}…'"
