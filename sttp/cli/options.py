"""Options that every command has."""

from __future__ import annotations

from typing import Annotated

import typer

from sttp.cli.terminal import show_log

__all__ = ["Debug"]


def _debug(wanted: bool) -> bool:
    if wanted:
        show_log(debug=True)
    return wanted


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_debug, help="Log everything, and show tracebacks of errors."),
]
"""`--debug`; it acts when it is read."""
