"""Starting an implementation from its adapter, and telling apart in one line what goes wrong with that."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sttp.codes import Role
from sttp_conformance.adapter import ASKED, Adapter
from sttp_conformance.credentials import Credentials
from sttp_conformance.grid import METADATA_FILE
from sttp_conformance.process import Lines, Process
from sttp_conformance.ways import Way, end_of

__all__ = ["LaunchError", "announced", "launch"]

_HOST_PORT: Final = re.compile(r"(?P<host>.*):(?P<port>\d+)")
_LATE: Final = 0.5
"""How much longer than it may is waited, as a share, to tell what comes late from what never comes."""


class LaunchError(Exception):
    """The adapter's command does not come up: one line that says which end, what happened, and what it said last."""


async def launch(
    adapter: Adapter,
    role: Role,
    way: Way,
    address: str,
    settings: Mapping[str, float],
    run: Path,
    asks: Mapping[str, str] = MappingProxyType({}),
    *,
    credentials: Credentials,
) -> Process:
    """Start one end of an implementation.

    Args:
        adapter: how.
        role: the role that it plays.
        way: who dials, and over what.
        address: where it shall listen or dial.
        settings: timers in seconds.
        run: a folder for files of this run.
        asks: what a subscriber is to ask for.
        credentials: what it shows over TLS, and whom it shall accept.

    Raises:
        LaunchError: the command cannot be started.
    """
    end = end_of(role, way.direction)
    found = _HOST_PORT.fullmatch(address)
    values = {
        "url": f"{way.transport}://{address}",
        "address": address,
        "host": found["host"].strip("[]") if found else "",
        "port": found["port"] if found else "",
        "scheme": way.transport,
        "metadata": str(run / METADATA_FILE),
        "folder": str(adapter.file.parent.resolve()),
        "run": str(run),
        "python": sys.executable,
        **_handed_over(way, credentials),
        **{name: f"{value:g}" for name, value in settings.items()},
        **{name: asks.get(name, "") for name in ASKED},
    }
    command = [_filled(part, values) for part in adapter.commands[end]]
    environment = {name: _filled(value, values) for name, value in adapter.environment.items()}
    try:
        return await Process.start(command, environment, adapter.file.parent.resolve())
    except OSError as error:
        raise LaunchError(
            f"{end}: the command cannot be started: {command[0]}: {_reason(error, command[0], adapter.file.parent)} "
            f"({adapter.file}: commands.{end})"
        ) from None


def _reason(error: OSError, program: str, folder: Path) -> str:
    """Why a program cannot be started, in words that say what to do."""
    if not isinstance(error, FileNotFoundError) or "/" in program:
        return error.strerror or str(error)
    here = f"; write ./{program} for the one in the folder of the adapter" if (folder / program).is_file() else ""
    return f"there is no such program on the PATH{here}"


def _handed_over(way: Way, credentials: Credentials) -> dict[str, str]:
    if not way.is_secure:
        return dict.fromkeys(("certificate", "key", "peer-certificate"), "")
    own = credentials.implementation
    return {
        "certificate": str(own.certificate),
        "key": str(own.key),
        "peer-certificate": str(credentials.suite.certificate),
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z-]+)\}", lambda match: values.get(match[1], match[0]), text)


async def announced(process: Process, adapter: Adapter, end: str, address: str) -> str:
    """Wait until a listening command has said where it listens, and return the address.

    Args:
        process: the command.
        adapter: how it says so.
        end: what the adapter calls it, for messages.
        address: where it was told to listen; what the announcement leaves out is taken from here.

    Raises:
        LaunchError: it ended, said something else, or said nothing in time.
    """
    announcement = adapter.announcement
    assert announcement is not None
    lines = process.lines(announcement.stream)
    deadline = process.started + announcement.seconds
    try:
        async with asyncio.timeout_at(_loop_time(deadline + announcement.seconds * _LATE)):
            found = await _match(process, lines, announcement.pattern)
    except TimeoutError:
        raise LaunchError(f"{end}: {_silent(lines, announcement.stream, announcement.seconds)}") from None
    took = time.monotonic() - process.started
    if found is None:
        raise LaunchError(
            f"{end}: the command ended after {took:.1f} s, before it said where it listens, "
            f"with {process.how_it_ended()}"
        )
    if time.monotonic() > deadline:
        raise LaunchError(
            f"{end}: the command says late where it listens, after {took:.1f} s of at most {announcement.seconds:g} s "
            f"({adapter.file}: announcement.seconds)"
        )
    groups = found.groupdict()
    parts = _HOST_PORT.fullmatch(address)
    place = groups.get("address") or f"{parts['host'] if parts else address}:{groups['port']}"
    if (port := _HOST_PORT.fullmatch(place)) and int(port["port"]) == 0:
        raise LaunchError(
            f"{end}: the command says that it listens on port 0, which is no port, with {found.string[:200]!r}; "
            f"let it say which port it was given, or let announcement.pattern, which is searched in every line, "
            f"begin with ^ and fit no other line ({adapter.file})"
        )
    return str(place)


async def _match(process: Process, lines: Lines, pattern: re.Pattern[str]) -> re.Match[str] | None:
    while True:
        for line in lines.kept:
            if found := pattern.search(line):
                return found
        if lines.ended:
            await process.ended()
            return None
        await lines.grow()


def _silent(lines: Lines, stream: str, seconds: float) -> str:
    if not lines.count:
        return f"the command hangs: it said nothing on {stream} within {seconds:g} s"
    return (
        f"the command said {lines.count} lines on {stream} within {seconds:g} s, none of which fits "
        f"announcement.pattern; the first was {lines.kept[0][:200]!r}"
    )


def _loop_time(moment: float) -> float:
    return asyncio.get_running_loop().time() + moment - time.monotonic()
