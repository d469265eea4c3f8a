"""The tutorial "write a transport plugin", followed to the letter."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from author import Author
from sttp.testing.transport import CHECKS

pytest.importorskip("setuptools")
pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the tutorial is about Unix sockets")

READERS_LINES = 60


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "docs" / "tutorial" / "write-a-transport-plugin.md").read_text(encoding="utf-8")


def code(text: str) -> dict[str, str]:
    """The files that the reader writes: each block is named in the paragraph before it."""
    files = {}
    for before, source in re.findall(r"(.*?)```(?:python|toml)\n(.*?)```", text, re.DOTALL):
        files[re.findall(r"`([\w/.]+\.(?:py|toml))`", before)[-1]] = source
    return files


def test_the_reader_writes_at_most_sixty_lines(text: str) -> None:
    files = code(text)
    assert list(files) == ["pyproject.toml", "sttp_local.py", "tests/test_local.py"]
    assert sum(bool(line.strip()) for source in files.values() for line in source.splitlines()) <= READERS_LINES


def test_from_nothing_to_the_kit_passing(text: str, tmp_path: Path) -> None:
    author = Author(tmp_path / "source", tmp_path / "installed")
    for name, source in code(text).items():
        file = author.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    author.install()
    listed = author.sttp("plugins")
    assert re.search(r"local://… +transport +dial, listen +sttp-local +0\.1\.0 +1", listed)
    passed = author.tests("-q", "-rs")
    assert passed.returncode == 0, passed.stdout
    # a Unix socket cannot tell an abort from an end, of which three checks ask
    assert f"{len(CHECKS) - 3} passed, 3 skipped" in passed.stdout, passed.stdout
    assert "does not meet abort_is_told: a Unix socket that is aborted looks as if" in passed.stdout

    kit = author.source / "tests" / "test_local.py"
    kit.write_text(re.sub(r"    requirements = .*\n", "", kit.read_text()), encoding="utf-8")
    failed = author.tests("-q", "-k", "abort")
    assert failed.returncode == 1
    assert "a receive that waits takes an abort for the end of the stream" in failed.stdout
