from __future__ import annotations

import inspect

import pytest

from sttp import errors
from sttp.errors import (
    ClosedError,
    EndpointError,
    LimitError,
    MessageError,
    ProtocolError,
    RefusedError,
    SilenceError,
    STTPError,
    TransportError,
    UsageError,
)

CLASSES = [getattr(errors, name) for name in errors.__all__]


def drawn() -> dict[str, str]:
    """The tree in the docstring: base by class."""
    bases: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getdoc(errors).split("```")[1].splitlines():  # type: ignore[union-attr]
        name = next((word for word in line.split() if word.endswith("Error")), None)
        if name is not None:
            depth = line.index(name) // 4
            above = [*above[:depth], name]
            bases[name] = above[-2] if depth else "Exception"
    return bases


def test_the_tree_is_as_it_is_drawn() -> None:
    assert {each.__name__: each.__bases__[0].__name__ for each in CLASSES} == drawn()


@pytest.mark.parametrize("kind", CLASSES)
def test_everything_is_an_error_of_this_package_with_an_explanation(kind: type[STTPError]) -> None:
    assert issubclass(kind, STTPError)
    assert kind.__doc__


@pytest.mark.parametrize("kind", [UsageError, EndpointError, ClosedError])
def test_mistakes_of_the_caller_are_value_errors(kind: type[STTPError]) -> None:
    assert issubclass(kind, ValueError)


def test_the_worlds_errors_are_not_those_of_python() -> None:
    """Whoever catches OSError or TimeoutError must not catch ours by accident, nor the other way round."""
    assert not issubclass(TransportError, OSError | TimeoutError)
    assert not issubclass(SilenceError, OSError | TimeoutError)


def test_a_protocol_error_names_the_clause() -> None:
    error = MessageError("a frame of no use", clause="1.4")
    assert (error.reason, error.clause) == ("a frame of no use", "1.4")
    assert str(error) == "a frame of no use (wire.md 1.4)"


def test_a_protocol_error_without_a_clause_is_its_reason() -> None:
    error = ProtocolError("a frame of no use")
    assert (str(error), error.clause) == ("a frame of no use", "")


def test_a_limit_error_names_the_limit() -> None:
    error = LimitError("too long", limit="command", clause="1.4")
    assert (error.limit, error.reason, str(error)) == ("command", "too long", "too long (wire.md 1.4)")


def test_a_refusal_says_what_and_why() -> None:
    assert str(RefusedError("not you", what="subscription")) == "the peer refused the subscription: not you"
    assert (RefusedError("not you").reason, RefusedError("not you").what) == ("not you", "request")
    assert str(RefusedError("")) == "the peer refused the request: no reason given"
