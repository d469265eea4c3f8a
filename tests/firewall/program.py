"""A command `sttp` that runs in a namespace: what it says, line by line, and when."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from network import Namespace
from story import SceneError, Story

__all__ = ["PATIENCE", "Program", "Said", "program"]

PATIENCE: Final = 15.0
"""Seconds for anything that should happen at once, on a busy computer."""


class Said(NamedTuple):
    """A line on stderr, and when it came on the clock `time.monotonic`."""

    at: float
    text: str


class Program:
    """A running `sttp`.

    Attributes:
        place: where it runs, for people.
        said: the lines on stderr so far.
        rows: the lines on stdout so far, with their ends.
    """

    def __init__(self, story: Story, place: str, process: asyncio.subprocess.Process) -> None:
        self.place = place
        self.said: list[Said] = []
        self.rows: list[str] = []
        self._story = story
        self._process = process
        self._news = asyncio.Condition()

    async def says(self, *words: str, within: float, since: float = 0.0) -> Said:
        """Wait for a line on stderr.

        Args:
            words: all of these are in it.
            within: most seconds to wait.
            since: lines before this time do not count.

        Raises:
            SceneError: there was none in time.
        """
        await self._until(lambda: bool(self.lines(*words, since=since)), within, f"say {' … '.join(words)!r}")
        return self.lines(*words, since=since)[0]

    def lines(self, *words: str, since: float = 0.0) -> list[Said]:
        """The lines on stderr since a time that have all of these words in them."""
        return [line for line in self.said if line.at >= since and all(word in line.text for word in words)]

    async def writes(self, count: int, *, within: float) -> None:
        """Wait until `count` lines have been written on stdout.

        Raises:
            SceneError: there were fewer in time.
        """
        await self._until(lambda: len(self.rows) >= count, within, f"write {count} lines")

    async def ends(self, *, within: float) -> int:
        """Wait for its end and return the exit code.

        Raises:
            SceneError: it goes on.
        """
        try:
            async with asyncio.timeout(within):
                return await self._process.wait()
        except TimeoutError:
            raise SceneError(f"{self.place}: sttp did not end within {within:g} s") from None

    async def stop(self) -> None:
        """Interrupt it, as Ctrl+C does, and wait for its end."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        await self.ends(within=PATIENCE)

    async def read(self) -> None:
        """Read all that it writes, until its end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_stderr())
            tasks.create_task(self._read_stdout())

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None  # it was asked for
        async for line in self._process.stderr:
            said = Said(time.monotonic(), line.decode(errors="replace").strip())
            self._story.tell(self.place, said.text)
            self.said.append(said)
            await self._notify()

    async def _read_stdout(self) -> None:
        assert self._process.stdout is not None  # it was asked for
        async for line in self._process.stdout:
            self.rows.append(line.decode())
            await self._notify()

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _until(self, reached: Callable[[], bool], within: float, expected: str) -> None:
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(reached)
        except TimeoutError:
            raise SceneError(f"{self.place}: sttp did not {expected} within {within:g} s") from None


@asynccontextmanager
async def program(
    story: Story, place: str, namespace: Namespace, *arguments: str | Path, listens: bool
) -> AsyncIterator[Program]:
    """Run `sttp` in a namespace. It does not outlive the context.

    Args:
        story: gets the command, and each line on stderr.
        place: what the story calls the namespace.
        namespace: where to run.
        arguments: of the command. The story has only the names of files.
        listens: wait until it says that it listens.

    Raises:
        SceneError: it does not listen.
    """
    shown = (argument.name if isinstance(argument, Path) else argument for argument in arguments)
    story.tell(place, f"$ sttp {' '.join(shown)}")
    process = await asyncio.create_subprocess_exec(
        *namespace.command(sys.executable, "-P", "-m", "sttp", *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Program(story, place, process)
    reading = asyncio.create_task(running.read())
    try:
        if listens:
            await running.says("listening ", within=PATIENCE)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
