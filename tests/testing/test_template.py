"""The template: what it generates can be installed, keeps the contract, has types, and says what it is."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from author import Author
from sttp.testing.transport import CHECKS
from sttp.transport import DOOR

copier = pytest.importorskip("copier", reason="copier makes packages from the template")
pytest.importorskip("setuptools")


@pytest.fixture(scope="module")
def generated(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Author:
    folder = tmp_path_factory.mktemp("generated")
    answers = {"scheme": "serial-line", "description": "Serial lines for sttp-kit", "author": "Ada"}
    copier.run_copy(
        str(repository / "plugins" / "template"), folder / "source", data=answers, defaults=True, quiet=True
    )
    return Author(folder / "source", folder / "installed")


def test_it_generates_a_whole_package(generated: Author) -> None:
    files = {str(path.relative_to(generated.source)) for path in generated.source.rglob("*") if path.is_file()}
    assert files == {
        ".copier-answers.yml",
        ".github/workflows/test.yml",
        ".gitignore",
        "CHANGELOG.md",
        "README.md",
        "pyproject.toml",
        "src/sttp_serial_line/__init__.py",
        "src/sttp_serial_line/py.typed",
        "src/sttp_serial_line/transport.py",
        "tests/test_transport.py",
    }
    project = tomllib.loads((generated.source / "pyproject.toml").read_text())
    assert project["project"]["name"] == "sttp-serial-line"
    assert project["project"]["entry-points"]["sttp.plugins"] == {"serial-line": "sttp_serial_line"}
    whole = "".join((generated.source / name).read_text() for name in sorted(files))
    assert not re.search(r"\{[{%](?!\s*matrix\.)|[%]\}", whole), "everything has been filled in"
    assert f"STTP_DOOR: Final = {DOOR}" in whole, "the template is for the door that this package has"
    assert whole.count("matrix.python") == 1


def test_what_it_generates_passes_the_kit(generated: Author) -> None:
    generated.install()
    assert re.search(r"serial-line://… +transport +dial, listen +sttp-serial-line", generated.sttp("plugins"))
    ran = generated.tests("-q")
    assert ran.returncode == 0, ran.stdout
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed, ran.stdout
    assert int(passed[1]) > len(CHECKS) - 5, "its streams are sockets, of which nearly all can be asked"


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is among the tools for types")
def test_what_it_generates_is_typed(generated: Author) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=generated.source, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout
