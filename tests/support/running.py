"""A command `sttp` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

__all__ = ["PATIENCE", "Running", "Start"]

PATIENCE = 20.0
"""Seconds that a command may take. One that hangs fails the test."""


class Running:
    """A command that runs; its stdout and stderr are read at the end, but for the line that says where it listens."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sttp", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def listening(self) -> str:
        """Wait for the line `listening URL`."""
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("listening "), line
        return line.removeprefix("listening ").strip()

    def read_line(self) -> str:
        """One line of stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self, patience: float = PATIENCE) -> tuple[int, str, str]:
        """Wait for the end: exit code, and what is left of stdout and stderr."""
        out, err = self.process.communicate(timeout=patience)
        return self.process.returncode, out, err


Start = Callable[..., Running]
"""Starts `sttp` with arguments."""
