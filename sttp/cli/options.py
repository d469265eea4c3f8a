"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sttp.cli.terminal import show_log
from sttp.tolerances import DEFAULT_TOLERANCES, Peer, Tolerances, tolerances_for

__all__ = ["Debug", "PeerOption", "SecurityOption", "tolerances_of"]


def _debug(wanted: bool) -> bool:
    if wanted:
        show_log(debug=True)
    return wanted


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_debug, help="Log everything, and show tracebacks of errors."),
]
"""`--debug`; it acts when it is read."""

PeerOption = Annotated[
    Peer | None,
    typer.Option("--peer", help="Put up with what this implementation does differently; see the page on tolerances."),
]
"""`--peer`: which implementation is at the other end."""


SecurityOption = Annotated[
    Path | None,
    typer.Option(
        "--security",
        metavar="DIR",
        help="For tls://: the folder with the own certificate and those that are trusted; see sttp cert. Without it, "
        "what STTP_SECURITY names, or ~/.config/sttp.",
    ),
]
"""`--security`: the security folder."""


def tolerances_of(peer: Peer | None) -> Tolerances:
    """The tolerances that an option `--peer` asks for."""
    return DEFAULT_TOLERANCES if peer is None else tolerances_for(peer)
