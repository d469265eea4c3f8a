"""What a check or a requirement is about, for people."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator

from sttp_conformance.checks import Check, load_checks
from sttp_conformance.ledger import Requirement, load_ledger
from sttp_conformance.mutants import load_mutants
from sttp_conformance.selection import Selection

__all__ = ["explained", "listed"]


def listed(words: tuple[str, ...] = ()) -> Iterator[str]:
    """One line for each check: its chapter, name, role, level and requirements."""
    ledger = load_ledger()
    for check in Selection(words=words).checks(load_checks()):
        level = ledger.level_of(check.requirements)
        marks = " slow" if check.slow else ""
        yield f"{check.chapter}  {check.name}  {check.role.value}  {level}{marks}  {' '.join(check.requirements)}"


def explained(name: str) -> list[str]:
    """Everything about a check or a requirement.

    Args:
        name: name of the check, or id of the requirement.

    Raises:
        KeyError: there is neither; the message says what is like it, or how the checks of a chapter are listed.
    """
    checks, ledger = load_checks(), load_ledger()
    if name.upper() in ledger.requirements:
        return list(_requirement(ledger.requirements[name.upper()], set(checks)))
    if name in checks:
        lines = list(_check(checks[name]))
        for each in checks[name].requirements:
            lines += ["", *_requirement(ledger.requirements[each], set(checks))]
        return lines
    if name in {check.chapter for check in checks.values()}:
        raise KeyError(f"{name} is a chapter; sttp conformance list -k {name} has its checks")
    near = difflib.get_close_matches(name, [*checks, *ledger.requirements], n=3)
    raise KeyError(f"there is no check and no requirement {name!r}" + (f"; like it: {', '.join(near)}" if near else ""))


def _check(check: Check) -> Iterator[str]:
    yield f"{check.name} (chapter {check.chapter}, judges a {check.role.value})"
    yield f"  {check.title}"
    yield f"  directions: {', '.join(check.directions)}"
    if check.needs:
        yield f"  needs: {', '.join(check.needs)}"
    if check.timers:
        yield f"  sets: {', '.join(f'{name} to {value:g} s' for name, value in check.timers.items())}"
    if check.topic:
        yield f"  compared between directions and transports as: {check.topic}"
    caught = [
        mutant.name
        for mutant in load_mutants().values()
        if any(each.partition("[")[0] == check.name for each in mutant.caught_by)
    ]
    yield f"  seen to fail with: {', '.join(caught) or 'no mutant yet'}"


def _requirement(requirement: Requirement, checks: set[str]) -> Iterator[str]:
    yield f"{requirement.id} ({requirement.level}, binds {requirement.role}; {requirement.source})"
    if requirement.since:
        yield f"  since edition {requirement.since}, and not counted in earlier ones"
    yield from textwrap.wrap(requirement.text, 110, initial_indent="  ", subsequent_indent="  ")
    if requirement.how:
        text = f"how: {' '.join(requirement.how.split())}"
        yield from textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="  ")
    if requirement.unchecked:
        text = f"not checked: {' '.join(requirement.unchecked.split())}"
        yield from textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="  ")
    for name in requirement.checks:
        yield f"  check: {name}{'' if name in checks else ' (not written yet)'}"
