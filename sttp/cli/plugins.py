"""`sttp plugins`: what URLs can name, and where it comes from."""

from __future__ import annotations

import os

import typer
from rich import box
from rich.table import Table

from sttp.cli.options import Debug
from sttp.cli.terminal import printable, tables
from sttp.transport import PluginPolicy, Provided, find_plugins

__all__ = ["URLS", "plugins"]

URLS = {"transport": "{}://…", "layer": "{}+…", "connectivity": "{}+…"}
"""How a name stands in a URL, by kind."""

_VERBS = {"transport": "dial, listen"}


def plugins(context: typer.Context, debug: Debug = False) -> None:
    """List the transports, layers and connectivity models that URLs can name, and the plugins that provide them.

    A plugin is any installed distribution with an entry point in the group `sttp.plugins`. `door` is the version of the
    plugin contract that it was written for. If something is missing here, ask sttp plugins doctor.
    """
    if context.invoked_subcommand is not None:
        return
    found = find_plugins(PluginPolicy.from_environment(os.environ))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("in a URL", "kind", "verbs", "distribution", "version", "door"):
        table.add_column(heading, no_wrap=True)
    for each in found.provided:
        source = each.source
        verbs = _VERBS.get(each.kind, "")
        table.add_row(_url(each), each.kind, verbs, source.distribution, source.version, str(each.door))
    out = tables(whole=True)
    out.print(table)
    width = max(len(_url(each)) for each in found.provided)
    for each in found.provided:
        out.print(f"{_url(each):{width}}  {printable(each.file)}".rstrip())
    for broken in found.broken:
        out.print(f"set aside: {printable(str(broken))}")
    for name, claims in found.clashes.items():
        out.print(f"claimed twice: {name}, by {' and '.join(str(each.source) for each in claims)}")
    for excluded in found.excluded:
        out.print(f"excluded by {excluded.by}: {excluded.source}")
    if found.broken or found.clashes:
        out.print("What to do about it says: sttp plugins doctor")


def _url(provided: Provided) -> str:
    return URLS[provided.kind].format(provided.name)
