"""The ends of the stream as seen by `sttp bench`: processes that are asked now and then."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from sttp.errors import STTPError

__all__ = ["OURS", "BenchmarkError", "End", "end_process"]

OURS: Final[Mapping[str, Sequence[str]]] = {
    role: (sys.executable, "-P", "-m", "sttp.cli.benchmark.end", role) for role in ("publisher", "subscriber")
}
"""Commands that run the ends; a benchmark may compare them with others that take the same arguments."""

_PATIENCE: Final = 60.0
"""Seconds that an end may take to start or to answer, even on a busy machine and with a hundred thousand signals."""

_LONGEST_LINE: Final = 2**26


class BenchmarkError(STTPError):
    """An end of the stream did not do what it should, or measurements were lost."""


class End:
    """A running end."""

    def __init__(self, role: str, process: asyncio.subprocess.Process) -> None:
        self._role = role
        self._process = process

    async def ask(self) -> dict[str, Any]:
        """What it has counted and used until now.

        Raises:
            BenchmarkError: it does not answer, or has ended.
        """
        assert self._process.stdin is not None  # it was asked for
        self._process.stdin.write(b"\n")
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        """What it says next.

        Raises:
            BenchmarkError: it says nothing in time, or has ended.
        """
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_PATIENCE):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BenchmarkError(f"the {self._role} does not answer within {_PATIENCE:g} s") from None
        if not line:
            raise BenchmarkError(f"the {self._role} has ended early")
        heard: dict[str, Any] = json.loads(line)
        return heard


@asynccontextmanager
async def end_process(role: str, *command: str) -> AsyncIterator[End]:
    """Run an end; see `sttp.cli.benchmark.end`. It does not outlive the context.

    Args:
        role: what it is, for people.
        command: program and arguments.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # the very package that runs here
    )
    try:
        yield End(role, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
