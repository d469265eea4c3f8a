"""`sttp plugins`: what is installed, and where it comes from."""

from __future__ import annotations

from rich import box
from rich.table import Table

from sttp.cli.options import Debug
from sttp.cli.terminal import printable, tables
from sttp.transport import load_plugins

__all__ = ["plugins"]

_KINDS = {
    "transport": ("transport", "dial, listen", "{}://…"),
    "layer": ("layer", "", "{}+…"),
    "connectivity": ("connectivity model", "", "{}+…"),
}
"""Kind as people know it, the verbs that the contract asks for, and how its name stands in a URL."""


def plugins(debug: Debug = False) -> None:
    """List the transports, layers and connectivity models that URLs can name, and the plugins that provide them.

    A plugin is any installed distribution with an entry point in the group `sttp.plugins`.
    """
    found = load_plugins()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "kind", "verbs", "in a URL", "distribution", "version", "file"):
        table.add_column(heading, overflow="fold")
    for each in found.provided:
        kind, verbs, usage = _KINDS[each.kind]
        source = each.source
        table.add_row(each.name, kind, verbs, usage.format(each.name), source.distribution, source.version, each.file)
    out = tables()
    out.print(table)
    for broken in found.broken:
        out.print(f"set aside: {printable(str(broken))}")
