"""What `pytest --pyargs sttp_conformance --sttp-adapter FILE` collects: each check in each way is a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sttp_conformance.pytest_bench import Bench, Item


def test_conformance(sttp_bench: Bench, sttp_item: Item) -> None:
    """The implementation does what the requirements ask for."""
    sttp_bench.judge(sttp_item)
