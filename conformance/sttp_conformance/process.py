"""The implementation as a process of its own: its lines are kept, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Lines", "Process"]

_KEPT: Final = 2_000
"""Lines of each stream that are kept."""

_LONGEST: Final = 64 * 2**20
"""Bytes of the longest line: a report of many measurements is one line."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MANNERS: Final = 2.0
"""Seconds that a process has to end after it was asked to."""


class Lines:
    """The lines of one stream, as they come.

    Attributes:
        kept: the newest lines.
        count: how many came.
        take: called with each line as it comes, if set.
        at_end: called when there will be no more, if set.
        ended: whether there will be no more.
    """

    def __init__(self) -> None:
        self.kept: deque[str] = deque(maxlen=_KEPT)
        self.count = 0
        self.take: Callable[[str], None] | None = None
        self.at_end: Callable[[], None] | None = None
        self.ended = False
        self._changed = asyncio.Event()

    @property
    def last(self) -> str:
        """The last line that is not empty; empty when there is none."""
        return next((line for line in reversed(self.kept) if line.strip()), "")

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Take lines until the stream ends."""
        with suppress(ValueError, OSError):  # a line without end, or a pipe that broke
            while data := await stream.readline():
                line = data.decode("utf-8", "replace").rstrip("\r\n")
                self.kept.append(line)
                self.count += 1
                if self.take is not None:
                    self.take(line)
                self._changed.set()
        self.ended = True
        if self.at_end is not None:
            self.at_end()
        self._changed.set()

    async def grow(self) -> None:
        """Wait until another line comes, or the stream ends."""
        self._changed.clear()
        if not self.ended:
            await self._changed.wait()


class Process:
    """A command that runs in a process group of its own.

    Attributes:
        stdout: its lines.
        stderr: its lines.
        started: when it was started, in seconds of the monotonic clock.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.stdout = Lines()
        self.stderr = Lines()
        self.started = time.monotonic()
        assert process.stdout is not None
        assert process.stderr is not None
        self._tasks = [
            asyncio.create_task(self.stdout.read(process.stdout)),
            asyncio.create_task(self.stderr.read(process.stderr)),
        ]

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
        """Start a command in a folder.

        Raises:
            OSError: it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=folder,
            limit=_LONGEST,
            start_new_session=True,
        )
        return cls(process)

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    @property
    def memory(self) -> int:
        """Bytes of memory that it and all that it started hold; 0 where the system does not tell."""
        held = 0
        for folder in self._folders():
            with suppress(OSError):
                held += int((folder / "statm").read_text().split()[1]) * _PAGE
        return held

    @property
    def descriptors(self) -> int:
        """Files and sockets that it and all that it started hold open; 0 where the system does not tell."""
        held = 0
        for folder in self._folders():
            with suppress(OSError):
                held += len(os.listdir(folder / "fd"))
        return held

    def _folders(self) -> Iterator[Path]:
        """What the system tells of each process of its group."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                _, _, group, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(group) == self._process.pid:
                    yield folder

    def lines(self, stream: str) -> Lines:
        """The lines of `stdout` or `stderr`."""
        return self.stdout if stream == "stdout" else self.stderr

    def how_it_ended(self) -> str:
        """How it ended, in words, with its last line on stderr."""
        code = self.exit_code
        if code is None:
            return "it runs"
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        said = f"; its last line on stderr: {self.stderr.last!r}" if self.stderr.last else "; it said nothing on stderr"
        return f"{how}{said}"

    async def write(self, line: str) -> None:
        """Write a line to its stdin.

        Raises:
            OSError: it does not read any more.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def ended(self) -> None:
        """Wait until it has ended and its lines have been read."""
        await self._process.wait()
        with suppress(TimeoutError):  # a grandchild may hold the pipes
            async with asyncio.timeout(_MANNERS):
                await asyncio.gather(*self._tasks)

    def kill(self) -> None:
        """End it and all that it started, without asking."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end; end it, and all that it started, if it does not."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self.exit_code is None:
                with suppress(ProcessLookupError):
                    self._process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_MANNERS):
                        await self._process.wait()
        finally:
            self.kill()
            await asyncio.shield(self._process.wait())
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
