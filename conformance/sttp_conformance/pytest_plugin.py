"""The suite in pytest: `pytest --pyargs sttp_conformance --sttp-adapter FILE`.

Each check in each way is a test. The plugin is loaded wherever sttp-kit is installed, so it imports the suite only
when an adapter is named.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sttp_conformance.pytest_bench import Bench

__all__ = ["pytest_addoption", "pytest_generate_tests", "pytest_itemcollected", "sttp_bench"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("sttp", "conformance of STTP implementations")
    group.addoption("--sttp-adapter", metavar="FILE", help="the adapter file of the implementation to judge")
    group.addoption("--sttp-slow", action="store_true", help="make checks too that take minutes")
    group.addoption("--sttp-direction", action="append", metavar="DIRECTION", help="only forward, or only reverse")
    group.addoption("--sttp-transport", action="append", metavar="SCHEME", help="only over this transport")
    group.addoption("--sttp-edition", metavar="EDITION", help="the edition of the requirements that counts")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each check in each way."""
    if "sttp_item" not in metafunc.fixturenames:
        return
    path = metafunc.config.getoption("sttp_adapter")
    if path is None:
        metafunc.parametrize("sttp_item", [], ids=[])
        return
    from sttp_conformance.pytest_bench import items  # noqa: PLC0415 - see above

    found = items(Path(path), metafunc.config)
    metafunc.parametrize("sttp_item", found, ids=[each.id for each in found])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k` choose by chapter and by requirement, as that of `sttp conformance run` does."""
    call = getattr(item, "callspec", None)
    found = call.params.get("sttp_item") if call is not None else None
    if found is not None:
        item.extra_keyword_matches.update(found.words)


@pytest.fixture(scope="session")
def sttp_bench(pytestconfig: pytest.Config) -> Iterator[Bench]:
    """Where the checks are made: one event loop, and implementations that are kept running."""
    from sttp_conformance.pytest_bench import Bench  # noqa: PLC0415 - see above

    options: Any = pytestconfig
    with tempfile.TemporaryDirectory(prefix="sttp-conformance-") as folder, asyncio.Runner() as runner:
        bench = Bench(Path(options.getoption("sttp_adapter")), options, Path(folder), runner)
        yield bench
        bench.close()
