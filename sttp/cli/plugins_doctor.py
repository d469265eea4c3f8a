"""`sttp plugins doctor`: what is wrong with plugins, and what to do about it."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated, Final

import typer

from sttp.cli.options import Debug
from sttp.cli.plugins import URLS
from sttp.cli.terminal import printable
from sttp.errors import PluginError
from sttp.transport import DOOR, BrokenPlugin, PluginPolicy, Plugins, find_plugins
from sttp.transport.door import OLDEST_DOOR
from sttp.transport.plugins import Source
from sttp.transport.policy import ALLOW, DENY, PREFER, STRICT

__all__ = ["Finding", "diagnose", "doctor"]

WORKS: Final = "works"
SET_ASIDE: Final = "set aside"
EXCLUDED: Final = "excluded"
CLAIMED_TWICE: Final = "claimed twice"

_PROBLEMS_FOUND = 1

_TOLD: Final = ("state", "door", "file", "provides", "problem", "advice", "traceback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be said of one plugin.

    Attributes:
        state: `works`, `set aside`, `excluded`, or `claimed twice` when a name of it belongs to nobody.
        source: the plugin.
        door: the version of the door that it was written for; None when it was not loaded.
        file: of its module.
        provides: name and kind of what it provides.
        problem: what is wrong; empty when nothing is.
        advice: what to do about it.
        traceback: where it went wrong, line by line.
    """

    state: str
    source: Source
    door: int | None = None
    file: str = ""
    provides: list[dict[str, str]] = field(default_factory=list)
    problem: str = ""
    advice: str = ""
    traceback: list[str] = field(default_factory=list)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    tracebacks: Annotated[bool, typer.Option("--traceback", help="Show where a plugin went wrong.")] = False,
    debug: Debug = False,
) -> None:
    """Load every plugin anew and say how it fares: what it provides, what is wrong with it, and what to do about it.

    It exits with 1 when something is wrong. Set STTP_PLUGINS_STRICT=1 to make that fatal for all commands.
    """
    policy = PluginPolicy.from_environment(os.environ)
    found = find_plugins(policy)
    findings = diagnose(found)
    notes = list(_choices_in_vain(policy, found))
    wrong = sum(bool(each.problem) for each in findings) + len(notes)
    if as_json:
        report = {
            "sttp_kit": version("sttp-kit"),
            "door": DOOR,
            "oldest_door": OLDEST_DOOR,
            "python": sys.version.split()[0],
            "environment": {name: os.environ.get(name) for name in (ALLOW, DENY, PREFER, STRICT)},
            "plugins": [_as_json(each) for each in findings],
            "notes": notes,
            "problems": wrong,
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        print(f"sttp-kit {version('sttp-kit')}, plugin door {DOOR}")
        for each in findings:
            print("\n".join(map(printable, _lines(each, tracebacks=tracebacks))))
        for note in notes:
            print(f"{'note':14}{printable(note)}")
        print(f"{len(findings)} plugins, {wrong or 'no'} {'problem' if wrong == 1 else 'problems'}")
    if wrong:
        raise typer.Exit(_PROBLEMS_FOUND)


def diagnose(found: Plugins) -> list[Finding]:
    """One finding for each plugin, in the order of their names; of one entry point as in `found`."""
    findings = [_set_aside(each) for each in found.broken]
    findings += [
        Finding(state=EXCLUDED, source=each.source, advice=f"{each.by} says so; it was not imported")
        for each in found.excluded
    ]
    for source in dict.fromkeys(each.source for each in found.provided):
        mine = [each for each in found.provided if each.source == source]
        provides = [{"name": each.name, "kind": each.kind} for each in mine]
        problem = advice = ""
        for name in dict.fromkeys(each.name for each in mine if each.name in found.clashes):
            try:
                found.refuse_clash(name)
            except PluginError as error:
                problem, _, advice = str(error).partition("; ")
        findings.append(
            Finding(
                state=CLAIMED_TWICE if problem else WORKS,
                source=source,
                door=mine[0].door,
                file=mine[0].file,
                provides=provides,
                problem=problem,
                advice=advice,
            )
        )
    return sorted(findings, key=lambda each: (each.source.distribution, each.source.name))


def _as_json(finding: Finding) -> dict[str, object]:
    source = finding.source
    return {
        "entry_point": source.name,
        "module": source.module,
        "distribution": source.distribution,
        "version": source.version,
        **{name: getattr(finding, name) for name in _TOLD},
    }


def _set_aside(broken: BrokenPlugin) -> Finding:
    source, error = broken.source, broken.error
    said = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        advice = f"install what it needs, or uninstall it: pip uninstall {source.distribution}"
    else:
        advice = (
            f"ask its author, or do without it: {DENY}={source.distribution}, or pip uninstall {source.distribution}"
        )
    trace = "".join(traceback.format_exception(error)).splitlines()
    return Finding(state=SET_ASIDE, source=source, problem=said, advice=advice, traceback=trace)


def _choices_in_vain(policy: PluginPolicy, found: Plugins) -> Iterator[str]:
    """What the user's lists name although nothing of that name is installed: perhaps a slip."""
    sources = [each.source for each in found.provided]
    sources += [each.source for each in found.broken]
    sources += [each.source for each in found.excluded]
    for variable, items in ((ALLOW, policy.allow or ()), (DENY, policy.deny)):
        for item in sorted(items):
            meant = PluginPolicy(deny=frozenset({item}))
            if not any(meant.excludes(each.distribution, each.name) for each in sources):
                yield f"{variable} names {item}, which is not installed"
    for name, item in policy.prefer.items():
        if not any(
            each.name == name and policy.prefers(name, each.source.distribution, each.source.name)
            for each in found.provided
        ):
            yield f"{PREFER} wants {name} from {item}, which does not provide it"


def _lines(finding: Finding, *, tracebacks: bool) -> Iterator[str]:
    source = finding.source
    provides = ", ".join(f"{each['kind']} {URLS[each['kind']].format(each['name'])}" for each in finding.provides)
    door = f"; door {finding.door}" if finding.door is not None else ""
    yield f"{finding.state:14}{source}{f': {provides}' if provides else ''}{door}"
    details = {
        "problem": finding.problem,
        "entry point": f"{source.name} = {source.module}" if finding.problem and source.module else "",
        "file": finding.file if finding.problem else "",
        "what to do": finding.advice,
    }
    for label, text in details.items():
        if text:
            yield f"{'':14}{label}: {' '.join(text.split())}"
    if tracebacks:
        yield from (f"{'':14}{line}" for line in finding.traceback)
