"""The table of tolerances: every switch says which peer needs it and why, and has a test that exists."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from sttp.errors import UsageError
from sttp.tolerances import DEFAULT_TOLERANCES, STRICT, TABLE, Peer, Tolerances, tolerances_for

TESTS = Path(__file__).parent


def test_every_switch_has_its_row() -> None:
    assert list(TABLE) == [each.name for each in dataclasses.fields(Tolerances)]
    for departure in TABLE.values():
        assert all((departure.version, departure.clause, departure.reason, departure.test))


@pytest.mark.parametrize("name", TABLE)
def test_every_switch_has_a_test(name: str) -> None:
    file, _, function = TABLE[name].test.partition("::")
    found = {
        node.name for node in ast.parse((TESTS / file).read_text("utf-8")).body if isinstance(node, ast.FunctionDef)
    }
    assert function in found


def test_strict_puts_up_with_nothing() -> None:
    on = {name for name in TABLE if getattr(STRICT, name)}
    assert on == {"answer_operational_modes"}  # which is no tolerance of anything that comes


def test_a_peer_has_what_everybody_has_and_what_it_alone_needs() -> None:
    for peer in Peer:
        chosen = tolerances_for(peer)
        for name, departure in TABLE.items():
            expected = getattr(DEFAULT_TOLERANCES, name) or peer in departure.peers
            assert getattr(chosen, name) == expected, (peer, name)
    assert tolerances_for("goapi") == DEFAULT_TOLERANCES
    with pytest.raises(UsageError, match="known are cppapi, goapi, gsfapi, pyapi"):
        tolerances_for("nobody")
