"""Holding a long row of measurements against what was expected, so that a message says where they part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sttp_conformance.case import Case
from sttp_conformance.measurements import Measurements

__all__ = ["require_same_measurements", "require_same_rows"]


def require_same_rows(case: Case, wanted: list[list[Any]], got: list[list[Any]], what: str, *, ordered: bool) -> None:
    """Check that an application received what was sent.

    Args:
        case: the case.
        wanted: the rows that were sent, as the control channel has them: signal ID, ticks, value and flags.
        got: the rows that were received.
        what: what is expected, in messages.
        ordered: whether the order matters.

    Raises:
        Violation: they are not the same; the message says which is the first that is not, and what came in its place.
    """
    if not ordered:
        wanted, got = sorted(wanted), sorted(got)
    if wanted != got:
        _part(case, [_line(row) for row in wanted], [_line(row) for row in got], what)


def require_same_measurements(case: Case, wanted: Measurements, got: Measurements, what: str) -> None:
    """Check that a peer got the measurements that were published, bit for bit, in whatever order.

    Args:
        case: the case.
        wanted: what was published.
        got: what arrived.
        what: what is expected, in messages.

    Raises:
        Violation: see `require_same_rows`.
    """
    lines, others = sorted(wanted.lines()), sorted(got.lines())
    if lines != others:
        _part(case, lines, others, what)


def _part(case: Case, wanted: Sequence[str], got: Sequence[str], what: str) -> None:
    pairs = zip(wanted, got, strict=False)
    number = next((number for number, (one, other) in enumerate(pairs) if one != other), min(len(wanted), len(got)))
    expected = wanted[number] if number < len(wanted) else "nothing more"
    came = got[number] if number < len(got) else "nothing more"
    counts = f"of {len(wanted)}" if len(got) == len(wanted) else f"of {len(wanted)}, of which {len(got)} came"
    case.require(False, f"{what}; measurement {number + 1} {counts} is to be [{expected}]", f"[{came}]")


def _line(row: list[Any]) -> str:
    signal_id, ticks, value, flags = row[:4]
    return f"{signal_id} at {ticks}: {value}, flags {flags:#010x}"
