from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields

import pytest

from sttp.limits import DEFAULT_LIMITS, Limits

NAMES = [field.name for field in fields(Limits)]


def test_limits_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DEFAULT_LIMITS.command = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        Limits(8197)  # type: ignore[misc]


def test_the_default_is_the_default() -> None:
    assert Limits() == DEFAULT_LIMITS
    assert Limits(command=5) != DEFAULT_LIMITS


@pytest.mark.parametrize("name", NAMES)
def test_each_limit_limits_and_is_argued_for(name: str) -> None:
    assert 0 < getattr(DEFAULT_LIMITS, name) < 2**31
    assert f"    {name}: " in inspect.getsource(Limits)


def test_what_the_deployed_peers_accept_first() -> None:
    """1.4"""
    assert (DEFAULT_LIMITS.first_command, DEFAULT_LIMITS.first_response) == (8197, 8198)


def test_what_must_fit() -> None:
    """A system of 100 000 signals, as the docstring says."""
    signals = 100_000
    assert 37 * signals < DEFAULT_LIMITS.command, "a list of their signal IDs"
    assert DEFAULT_LIMITS.response > 51 * 2**20, "their metadata, not compressed"
    assert 14 * signals < DEFAULT_LIMITS.metadata_cells
    assert (32 + 16) * signals < DEFAULT_LIMITS.signal_index_cache
    assert signals <= DEFAULT_LIMITS.signal_index
    assert DEFAULT_LIMITS.packet_measurements >= 8 * 32_768, "a block of TSSC, one bit each"
