"""The tests see the package that is installed: the built wheel under `make test`, the tree in an editable install."""

from __future__ import annotations

import json
import sys
import sysconfig
from importlib.metadata import Distribution, distribution, entry_points
from pathlib import Path

import pytest

import sttp

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))


@pytest.fixture
def installed() -> Distribution:
    """What is installed, without regard to the working directory."""
    return next(iter(Distribution.discover(name="sttp-kit", path=[str(SITE_PACKAGES)])))


def test_the_package_under_test_is_the_installed_one(installed: Distribution, repository: Path) -> None:
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    assert sttp.__file__ is not None
    assert Path(sttp.__file__).resolve().is_relative_to(repository / "sttp" if editable else SITE_PACKAGES.resolve())


def test_make_tests_the_wheel(installed: Distribution, repository: Path) -> None:
    inside_make = Path(sys.prefix).resolve() == repository / ".venv"
    assert not inside_make or (installed.read_text("direct_url.json") or "").find(".whl") >= 0


@pytest.mark.parametrize("name", ["reverse", "tcp"])
def test_the_plugins_of_the_wheel_come_in_by_entry_points(name: str) -> None:
    (entry_point,) = {point.value: point for point in entry_points(group="sttp.plugins", name=name)}.values()
    assert entry_point.load().__name__ == f"sttp_{name}"


def test_the_package_says_that_it_is_typed(installed: Distribution) -> None:
    assert sttp.__file__ is not None
    assert Path(sttp.__file__).with_name("py.typed").is_file()


def test_no_foreign_top_level_packages(installed: Distribution) -> None:
    names = set((installed.read_text("top_level.txt") or "").split())
    assert names <= {"sttp", "sttp_conformance", "sttp_reverse", "sttp_tcp", "sttp_tls"}
    assert distribution("sttp-kit").version == installed.version
