"""`sttp publish` as a process of its own, started and watched by the demonstration."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sttp.errors import STTPError

__all__ = ["PublishingProcess", "PublishingProcessError", "publishing_process"]

_PATIENCE: Final = 10.0
"""Seconds in which the process must have started, and must have ended when all is delivered."""


class PublishingProcessError(STTPError):
    """The publisher's process did not do what it should."""


class PublishingProcess:
    """A running `sttp publish`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self._process.pid

    async def listening(self) -> str:
        """The URL that it listens on.

        Raises:
            PublishingProcessError: it ended, or did not listen in time.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                while line := await self._line():
                    if line.startswith("listening "):
                        return line.removeprefix("listening ")
        except TimeoutError:
            raise PublishingProcessError("the publisher does not listen") from None
        raise PublishingProcessError(f"the publisher ended early: {self._last()}")

    async def ended(self) -> None:
        """Wait until it has ended by itself.

        Raises:
            PublishingProcessError: it failed, or goes on after all was delivered.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                while await self._line():
                    pass
                code = await self._process.wait()
        except TimeoutError:
            raise PublishingProcessError("the publisher goes on after all was delivered") from None
        if code != 0:
            raise PublishingProcessError(f"the publisher failed with exit code {code}: {self._last()}")

    async def _line(self) -> str:
        assert self._process.stderr is not None  # it was asked for
        line = (await self._process.stderr.readline()).decode(errors="replace")
        if line:
            self._said.append(line.strip())
        return line.strip()

    def _last(self) -> str:
        return self._said[-1] if self._said else "it said nothing"


@asynccontextmanager
async def publishing_process(*arguments: str) -> AsyncIterator[PublishingProcess]:
    """Run `sttp publish` with these arguments. It does not outlive the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "sttp", "publish", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # the very package that runs here
    )  # fmt: skip
    try:
        yield PublishingProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
