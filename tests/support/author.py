"""What an author of a plugin does: install it beside sttp-kit, and run its tests. Without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["Author"]


class Author:
    """Somebody with a source tree.

    Args:
        source: the tree of the distribution.
        installed: a folder that takes the place of the environment.
    """

    def __init__(self, source: Path, installed: Path) -> None:
        self.source = source
        self.installed = installed

    def install(self) -> None:
        """Build the distribution with what is there, and install it, but not into the environment of the tests."""
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        self._run("pip", "install", *options, "--target", str(self.installed), str(self.source))

    def tests(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run its tests, whatever comes of it."""
        return self._run("pytest", "-p", "no:cacheprovider", *options, check=False)

    def sttp(self, *arguments: str) -> str:
        """What the command says."""
        return self._run("sttp", *arguments).stdout

    def _run(self, module: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.source,
            env={**os.environ, "PYTHONPATH": str(self.installed), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not check or ran.returncode == 0, ran.stdout + ran.stderr
        return ran
