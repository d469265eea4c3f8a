"""Write the parts of the reference that follow from the code, or from what was measured.

These are the state table and its picture, tolerances, the command line, what the kit for transports asks, benchmarks
with their plots, and what the conformance suite found.

Each page has prose above a marker line, which people write; what stands below it is written here. The pages are
kept in the repository, and `tests/test_docs.py` fails when one is out of date. Run: `python docs/generate.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import EnumType
from pathlib import Path
from typing import Any, get_args, get_type_hints

import benchmark_page
import conformance_page
import typer.main
from state_diagram import state_diagram

from sttp import cli
from sttp.codes import Command, Response, Role, is_user_command, is_user_response
from sttp.session.conversation import TOLERATED, TRANSITIONS, Kind, Phase, kind_name
from sttp.testing.transport import CHECKS
from sttp.tolerances import DEFAULT_TOLERANCES, TABLE, Departure, Peer

MARKER = "<!-- docs/generate.py writes what follows -->\n"
_ANSWERS = (Response.SUCCEEDED, Response.FAILED)
REFERENCE = Path(__file__).parent / "reference"
DIAGRAM = Path(__file__).parent / "_static" / "state-table.svg"
REPORT = Path(__file__).parent / "_extra" / "conformance-report.html"
"""Made for the HTML of the documentation, and not kept in the repository."""


def state_table() -> Iterator[str]:
    """Who may say what in which phase, one section for each phase."""
    for phase in Phase:
        yield f"## {phase.value}\n\n"
        moves = [(role, kind, after) for (before, role, kind), after in TRANSITIONS.items() if before is phase]
        if not moves:
            yield "Nothing may be said.\n\n"
            continue
        yield from _table(
            ("Who", "says", "then"),
            ((role.value, _code(kind), f"**{after.value}**") for role, kind, after in moves if after is not phase),
        )
        for role in Role:
            staying = [kind for who, kind, after in moves if who is role and after is phase]
            if staying:
                yield f"Without a change of phase, the {role.value} may say: {_kinds(staying)}.\n\n"
        tolerated: dict[tuple[Role, str], list[Kind]] = {}
        for (where, role, kind), why in TOLERATED.items():
            if where is phase:
                tolerated.setdefault((role, why), []).append(kind)
        if tolerated:
            yield "Out of order, but taken without complaint:\n\n"
            yield from _table(
                ("Who", "says", "why it is tolerated"),
                ((role.value, _kinds(kinds), why) for (role, why), kinds in tolerated.items()),
            )


def tolerances() -> Iterator[str]:
    """Every switch with the peer that needs it."""
    yield from _table(
        ("Switch", "default", "peer", "versions", "sections", "what the peer does, and what the switch makes of it"),
        (
            (
                f"`{name}`",
                "on" if getattr(DEFAULT_TOLERANCES, name) else "off",
                _peers(departure),
                departure.version,
                f"wire.md {departure.clause}",
                departure.reason,
            )
            for name, departure in TABLE.items()
        ),
    )


def _peers(departure: Departure) -> str:
    names = "any" if set(departure.peers) == set(Peer) else ", ".join(departure.peers) or "older"
    return f"{names} {departure.role.value}"


def command_line() -> Iterator[str]:
    """Every command with its arguments and options."""
    yield from _command("sttp", typer.main.get_command(cli.app))


def plugins() -> Iterator[str]:
    """What the kit asks of a transport."""
    yield from _table(
        ("Test", "the promise", "excused by"),
        (
            (f"`test_{check.name}`", _text(check.promise), ", ".join(f"`{need}`" for need in check.needs))
            for check in CHECKS
        ),
    )


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## `{name}`\n\n"
    yield f"{_text(command.help)}\n\n"
    kinds = get_type_hints(command.callback)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    yield from _table(
        ("Argument", "meaning"),
        ((f"`{argument.metavar or argument.name.upper()}`", _text(argument.help)) for argument in arguments),
    )
    yield from _table(
        ("Option", "meaning"),
        ((f"`{_usage(option, kinds.get(option.name))}`", _text(option.help)) for option in options),
    )
    for child in getattr(command, "commands", {}).values():
        if not child.hidden:
            yield from _command(f"{name} {child.name}", child)


def _usage(option: Any, kind: object) -> str:
    """The option with a word for its value; for an enumeration, with its choices."""
    choices = ",".join(str(each) for part in (kind, *get_args(kind)) if isinstance(part, EnumType) for each in part)
    value = option.metavar or (choices and f"{{{choices}}}")
    return f"{', '.join((*option.opts, *option.secondary_opts))} {value}".rstrip()


def _text(text: str | None) -> str:
    return " ".join((text or "").replace("\b", "").replace("|", "\\|").split())


def _code(kind: Kind) -> str:
    return f"`{kind_name(kind)}`"


def _kinds(kinds: Iterable[Kind]) -> str:
    """Names in a row; good and bad answers together, and the sixteen user commands or responses as one."""
    listed = list(kinds)
    answered = [
        kind[1]
        for kind in listed
        if isinstance(kind, tuple) and {(answer, kind[1]) for answer in _ANSWERS} <= set(listed)
    ]
    rest = [kind for kind in listed if not (isinstance(kind, tuple) and kind[1] in answered)]
    row = ", ".join(dict.fromkeys(map(_collapsed, rest)))
    if answered:
        row += (
            ("; " if row else "") + "`SUCCEEDED` or `FAILED` to " + ", ".join(dict.fromkeys(map(_collapsed, answered)))
        )
    return row


def _collapsed(kind: Kind) -> str:
    code = kind[1] if isinstance(kind, tuple) else kind
    user = is_user_command(code) if isinstance(code, Command) else is_user_response(code)
    name = kind_name(kind)
    return f"`{name[:-2]}nn`" if user else f"`{name}`"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    listed = list(rows)
    if listed:
        for cells in (heads, ["---"] * len(heads), *listed):
            yield f"| {' | '.join(cells)} |\n"
        yield "\n"


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "state-table.md": state_table,
    "tolerances.md": tolerances,
    "command-line.md": command_line,
    "benchmarks.md": benchmark_page.page,
    "plugins.md": plugins,
    "conformance.md": conformance_page.side_by_side,
    "conformance-sttpapi.md": lambda: conformance_page.failures("sttpapi"),
}


def page(name: str) -> str:
    """The page as it should be: its own prose, and what follows from the code."""
    prose, marker, _ = (REFERENCE / name).read_text(encoding="utf-8").partition(MARKER)
    return f"{prose}{marker}\n{''.join(PAGES[name]()).rstrip()}\n"


def diagram() -> str:
    """The picture as it should be."""
    return "\n".join(state_diagram()) + "\n"


if __name__ == "__main__":
    for each in PAGES:
        (REFERENCE / each).write_text(page(each), encoding="utf-8")
    DIAGRAM.write_text(diagram(), encoding="utf-8")
    for name, picture in benchmark_page.plots().items():
        (DIAGRAM.parent / name).write_text(picture, encoding="utf-8")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(conformance_page.report(), encoding="utf-8")
