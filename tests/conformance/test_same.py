"""Where measurements or signals are not those that were expected, a message says which is the first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sttp.measurement import SignalTable
from sttp_conformance.case import Case
from sttp_conformance.grid import SIGNALS, Clock, columns, rows
from sttp_conformance.measurements import Measurements
from sttp_conformance.multitude import apart
from sttp_conformance.same import require_same_measurements, require_same_rows
from sttp_conformance.violation import Violation

CASE: Any = object.__new__(Case)  # to require something takes nothing of an implementation
SENT = columns(Clock(), range(5))
ROWS = rows(SENT, SIGNALS)


def said_of(wanted: list[list[Any]], got: list[list[Any]], *, ordered: bool = True) -> str:
    with pytest.raises(Violation) as caught:
        require_same_rows(CASE, wanted, got, "what was sent", ordered=ordered)
    return str(caught.value)


def test_the_same_rows_are_the_same_in_any_order_where_that_does_not_matter() -> None:
    require_same_rows(CASE, ROWS, [*ROWS], "what was sent", ordered=True)
    require_same_rows(CASE, ROWS, ROWS[::-1], "what was sent", ordered=False)


def test_the_first_row_that_is_another_is_named_with_what_came() -> None:
    got = [*ROWS[:2], [*ROWS[2][:2], 1.5, 0], *ROWS[3:]]
    signal_id, ticks, value, _ = ROWS[2]
    assert said_of(ROWS, got) == (
        f"expected what was sent; measurement 3 of 5 is to be [{signal_id} at {ticks}: {value}, flags 0x00000000], "
        f"not [{signal_id} at {ticks}: 1.5, flags 0x00000000]"
    )


def test_what_is_missing_at_the_end_and_what_is_too_much_is_said() -> None:
    assert "measurement 5 of 5, of which 4 came is to be [" in (text := said_of(ROWS, ROWS[:4]))
    assert text.endswith("not [nothing more]")
    assert "measurement 6 of 5, of which 6 came is to be [nothing more], not [" in said_of(ROWS, [*ROWS, ROWS[0]])
    assert said_of(ROWS, ROWS[::-1]).startswith("expected what was sent; measurement 1 of 5 is to be")


def test_measurements_are_compared_bit_for_bit() -> None:
    wanted = Measurements.of(SENT, SIGNALS)
    require_same_measurements(CASE, wanted, Measurements.of(SENT.select(np.arange(5)[::-1]), SIGNALS), "all")
    spoiled = SENT._replace(value=-SENT.value)
    with pytest.raises(Violation, match=r"expected all; measurement 1 of 5 is to be \[.*: 100.0 .*not \[.*: -100.0"):
        require_same_measurements(CASE, wanted, Measurements.of(spoiled, SIGNALS), "all")


def test_tables_of_signals_are_the_same_whatever_their_indexes() -> None:
    assert apart(SIGNALS, SIGNALS.select(np.arange(len(SIGNALS))[::-1])) == ""
    first = SIGNALS[0].signal_id
    assert apart(SIGNALS, SIGNALS.select(np.arange(1, len(SIGNALS)))) == f"7 signals: {first} is missing"
    assert apart(SIGNALS.select(np.arange(1, len(SIGNALS))), SIGNALS) == f"8 signals: {first} was not to be there"
    assert apart(SIGNALS, SignalTable(SIGNALS.ids[:0])).endswith("is missing, and so are 7 others")
