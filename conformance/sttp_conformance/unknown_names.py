"""Names in the lists of an adapter file that nothing has: they are most likely misspelt, and so do nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from sttp_conformance.adapter import WORDS, Adapter
from sttp_conformance.checks import Check
from sttp_conformance.ledger import Ledger
from sttp_conformance.ways import ENDS

__all__ = ["unknown_names"]

_CAPABILITIES: Final = ("version", "encoding", "control")


def unknown_names(adapter: Adapter, checks: Mapping[str, Check], ledger: Ledger) -> dict[str, str]:
    """What is wrong with the names in the lists of an adapter.

    Args:
        adapter: has the lists of known failures, and of what is unsupported.
        checks: all checks.
        ledger: all requirements.

    Returns:
        A line for each entry that names nothing, by the entry of known failures as text, or by what is unsupported.
    """
    found = {
        str(entry): f"{entry}: there is no such check{_meant(entry.check, checks)}"
        for entry in adapter.expectations.known
        if entry.check not in checks
    }
    names = {*checks, *ENDS, *ledger.requirements, *WORDS}
    for what in adapter.expectations.unsupported:
        if what not in names and what.partition(":")[0] not in _CAPABILITIES:
            found[what] = f"unsupported {what}: it is no end, capability, check or requirement{_meant(what, names)}"
    return found


def _meant(name: str, names: Iterable[str]) -> str:
    """What somebody who wrote a name that does not exist may have meant."""
    near = difflib.get_close_matches(name, sorted(names), n=2, cutoff=0.75)
    return f"; did you mean {' or '.join(near)}?" if near else ""
