"""What is said on stderr: plain lines for whoever started the command, whether a person or a script."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from rich.console import Console

__all__ = ["FIREWALL_HINT", "announce", "error", "is_interactive", "listening", "printable", "show_log", "tables"]

FIREWALL_HINT = "(does the publisher run? where a firewall lets nobody in, try reverse+tcp://…)"
_WIDE = 10_000
_EXCERPT = 120


def printable(text: str) -> str:
    """`text` on one line and without anything that a terminal would obey: it may come from a peer."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def announce(text: str) -> None:
    """Say one line on stderr, at once."""
    print(text, file=sys.stderr, flush=True)


def listening(urls: Iterable[str]) -> None:
    """Say where we listen, one line for each URL: `listening tcp://127.0.0.1:41233`. Scripts wait for it."""
    for url in urls:
        announce(f"listening {url}")


def error(reason: str) -> None:
    """Say why the command failed: on one line, and with an excerpt and a caret under it where the reason has them."""
    said, *excerpt = reason.split("\n")
    if len(excerpt) != 2 or excerpt[1].strip() != "^":
        said, excerpt = reason, []
    announce(f"sttp: error: {_one_line(said)}")
    for line in excerpt:
        announce(f"  {printable(line[:_EXCERPT])}")


def is_interactive() -> bool:
    """Whether a person watches stderr."""
    return sys.stderr.isatty()


class _Console(Console):
    """Leaves it to `sttp.cli.run` what a reader means that has had enough."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def tables(*, whole: bool = False) -> Console:
    """Where tables are printed: as wide as the terminal, or as wide as they are when nobody watches.

    Args:
        whole: never break a word for a terminal that is too narrow.
    """
    return _Console(width=None if sys.stdout.isatty() and not whole else _WIDE, highlight=False, markup=False)


def show_log(*, debug: bool) -> None:
    """Show what the package logs as plain lines on stderr; with `debug` everything, tracebacks included."""
    log = logging.getLogger("sttp")
    log.handlers = [_Handler(tracebacks=debug)]
    log.propagate = False
    log.setLevel(logging.DEBUG if debug else logging.INFO)


class _Handler(logging.Handler):
    """One line per record. It looks up stderr each time, because a progress display may stand in front of it."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks
        self._hinted = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "sttp.audit":
            return  # it says what other lines say, for a file of its own
        line = f"sttp: {_one_line(record.getMessage())}"
        if not self._hinted and _may_be_a_firewall(record.name, line):
            self._hinted = True
            line += f" {FIREWALL_HINT}"
        announce(line)
        if record.exc_info and self._tracebacks:
            announce(logging.Formatter().formatException(record.exc_info))


def _may_be_a_firewall(logger: str, line: str) -> bool:
    dialed_in_vain = logger == "sttp.transport" and ("refused" in line or "no answer" in line)
    return dialed_in_vain and "reverse+" not in line


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
