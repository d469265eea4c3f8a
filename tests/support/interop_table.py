"""What sttp-kit and the published Python implementation, `sttpapi`, can do with each other: the table, and its tests.

The table makes the tests: `proves` runs a test once for each outcome that the table claims. So a claim without a test,
or with another outcome than the test sees, cannot stand. Run this file to write the table into the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import pytest

from sttp.subscriber import Encoding

__all__ = ["CASES", "MARKER", "OURS", "PAGE", "THEIRS", "Case", "Direction", "Outcome", "page", "proves"]

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "interoperability.md"
MARKER: Final = "<!-- tests/support/interop_table.py writes what follows -->\n"

T = TypeVar("T", bound=Callable[..., object])


class Direction(StrEnum):
    """Who publishes to whom."""

    OURS = "sttp-kit → sttpapi"
    THEIRS = "sttpapi → sttp-kit"


class Outcome(StrEnum):
    """What a test sees."""

    EQUAL = "equal"
    """All measurements, in order; each signal ID, time, state, and value to the bit."""
    BY_GROUP = "equal, states by group"
    """The same, but of a state only its group has come: more does not fit into a compact measurement."""
    BUT_FOR_TIMES = "equal but for the times"
    """The same, but times are wrong."""
    LOST = "lost"
    """No measurement comes."""
    DISCONNECTS = "disconnects"
    """The connection ends, and begins anew by itself."""
    WORKS = "works"
    """What was asked for happens."""
    IGNORED = "ignored"
    """The publisher takes no notice of it."""
    REFUSED = "refused"
    """The publisher answers Failed, and the reason can be read."""


Both = Mapping[Encoding, Outcome]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the table.

    Attributes:
        name: what `proves` calls it.
        what: what is tried, for readers.
        outcomes: by direction, what is seen; where the encoding makes no difference, one for both.
        defects: of the peer, that show here.
    """

    name: str
    what: str
    outcomes: Mapping[Direction, Outcome | Both]
    defects: tuple[str, ...] = ()


def _both(tssc: Outcome, compact: Outcome) -> Both:
    return {Encoding.TSSC: tssc, Encoding.COMPACT: compact}


OURS: Final = Direction.OURS
THEIRS: Final = Direction.THEIRS

CASES: Final = (
    Case(
        name="recording",
        what="A recording: 48 000 measurements, 60 times a second",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.EQUAL), THEIRS: _both(Outcome.BUT_FOR_TIMES, Outcome.EQUAL)},
        defects=("Y1", "Y31"),
    ),
    Case(
        name="command line",
        what="A recording, with `sttp publish` and with `sttp subscribe --peer pyapi`",
        outcomes={OURS: {Encoding.TSSC: Outcome.EQUAL}, THEIRS: _both(Outcome.BUT_FOR_TIMES, Outcome.EQUAL)},
        defects=("Y1", "Y31"),
    ),
    Case(
        name="even times",
        what="Times that are exactly 1/50 s apart",
        outcomes={THEIRS: {Encoding.TSSC: Outcome.EQUAL}},
    ),
    Case(
        name="special values",
        what="NaN, infinity, the smallest and largest numbers, the eight lowest states; versions 1, 2 and 3",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.BY_GROUP), THEIRS: _both(Outcome.EQUAL, Outcome.BY_GROUP)},
        defects=("Y1", "Y6"),
    ),
    Case(
        name="all states",
        what="Each of the 32 states",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.BY_GROUP), THEIRS: _both(Outcome.LOST, Outcome.BY_GROUP)},
        defects=("Y1", "Y32"),
    ),
    Case(
        name="no switches",
        what="Measurements without the [tolerances](tolerances.md) for this peer",
        outcomes={THEIRS: _both(Outcome.EQUAL, Outcome.DISCONNECTS)},
        defects=("Y1",),
    ),
    Case(
        name="base times",
        what="Short times, in ticks and in milliseconds",
        outcomes={OURS: {Encoding.COMPACT: Outcome.EQUAL}},
        defects=("Y21",),
    ),
    Case(
        name="no times",
        what="Measurements without times",
        outcomes={OURS: {Encoding.COMPACT: Outcome.EQUAL}},
    ),
    Case(
        name="other signals",
        what="A second Subscribe, for other signals",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.EQUAL), THEIRS: _both(Outcome.EQUAL, Outcome.EQUAL)},
        defects=("Y7", "Y33"),
    ),
    Case(
        name="unsubscribe",
        what="Unsubscribe, then Subscribe",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.EQUAL), THEIRS: _both(Outcome.EQUAL, Outcome.EQUAL)},
        defects=("Y7", "Y29"),
    ),
    Case(
        name="restart",
        what="The publisher restarts",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.EQUAL), THEIRS: _both(Outcome.EQUAL, Outcome.EQUAL)},
        defects=("Y1",),
    ),
    Case(
        name="buffer block",
        what="Buffer blocks, confirmed",
        outcomes={OURS: _both(Outcome.EQUAL, Outcome.EQUAL), THEIRS: _both(Outcome.EQUAL, Outcome.EQUAL)},
        defects=("Y15",),
    ),
    Case(
        name="metadata",
        what="Metadata",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.WORKS},
    ),
    Case(
        name="metadata change",
        what="Other metadata while connected",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.WORKS},
    ),
    Case(
        name="metadata filter",
        what="Metadata of some rows only",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.IGNORED},
        defects=("Y11",),
    ),
    Case(
        name="metadata refused",
        what="Metadata that the publisher does not give",
        outcomes={OURS: Outcome.REFUSED, THEIRS: Outcome.REFUSED},
        defects=("Y2",),
    ),
    Case(
        name="filter",
        what="`FILTER ActiveMeasurements WHERE …`",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.WORKS},
    ),
    Case(
        name="one signal",
        what="One signal ID, or one measurement key",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.WORKS},
    ),
    Case(
        name="list",
        what="A list of signal IDs, or of measurement keys",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.REFUSED},
        defects=("Y3",),
    ),
    Case(
        name="broken filter",
        what="A filter expression that cannot be read",
        outcomes={OURS: Outcome.REFUSED, THEIRS: Outcome.REFUSED},
        defects=("Y2",),
    ),
    Case(
        name="user command",
        what="A user command, and its answer",
        outcomes={OURS: Outcome.WORKS, THEIRS: Outcome.WORKS},
    ),
    Case(
        name="notification",
        what="A notification",
        outcomes={OURS: Outcome.DISCONNECTS},
        defects=("Y17",),
    ),
)


def proves(name: str, direction: Direction) -> Callable[[T], T]:
    """Make a test run for each outcome that the table claims, and say which.

    The test takes `expected`, the outcome, and, where the encoding matters, `encoding`.
    """
    outcomes = next(case for case in CASES if case.name == name).outcomes[direction]

    def mark(test: T) -> T:
        test.proves = (name, direction)  # type: ignore[attr-defined]
        if isinstance(outcomes, Outcome):
            return pytest.mark.parametrize("expected", [outcomes], ids=[outcomes])(test)
        return pytest.mark.parametrize(("encoding", "expected"), outcomes.items(), ids=list(outcomes))(test)

    return mark


def page() -> str:
    """The page of the documentation as it should be: its prose, and the table."""
    prose, marker, _ = PAGE.read_text(encoding="utf-8").partition(MARKER)
    return f"{prose}{marker}\n{''.join(_lines())}"


def _lines() -> Iterator[str]:
    yield f"| | {OURS}: TSSC | compact | {THEIRS}: TSSC | compact | Defects |\n"
    yield "|---|---|---|---|---|---|\n"
    for case in CASES:
        cells = [_cell(case, direction, encoding) for direction in Direction for encoding in Encoding]
        yield f"| {' | '.join((case.what, *cells, ', '.join(case.defects)))} |\n"


def _cell(case: Case, direction: Direction, encoding: Encoding) -> str:
    outcome = case.outcomes.get(direction, {})
    return outcome if isinstance(outcome, Outcome) else outcome.get(encoding, "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
