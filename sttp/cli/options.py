"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sttp.cli.json_log import audit_to, log_as_json
from sttp.cli.terminal import show_log
from sttp.tolerances import DEFAULT_TOLERANCES, Peer, Tolerances, tolerances_for

__all__ = ["AuditOption", "Debug", "JsonLogOption", "PeerOption", "SecurityOption", "tolerances_of"]


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


def _json_log(wanted: bool) -> bool:
    if wanted:
        log_as_json()
    return wanted


def _audit(path: Path | None) -> Path | None:
    if path is not None:
        audit_to(path)
    return path


JsonLogOption = Annotated[
    bool, typer.Option("--json-log", callback=_json_log, help="Write the log on stderr as JSON, one object a line.")
]
"""`--json-log`; it acts when it is read."""

AuditOption = Annotated[
    Path | None,
    typer.Option(
        "--audit",
        metavar="FILE",
        callback=_audit,
        dir_okay=False,
        help="Append to this file, as JSON, who connected or tried to, as whom, and how it ended.",
    ),
]
"""`--audit FILE`; it acts when it is read."""


def tolerances_of(peer: Peer | None) -> Tolerances:
    """The tolerances that an option `--peer` asks for."""
    return DEFAULT_TOLERANCES if peer is None else tolerances_for(peer)
