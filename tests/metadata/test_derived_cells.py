"""Columns that are worked out when somebody looks at them: not before, once, and then as any other column."""

from __future__ import annotations

import pytest

from sttp.metadata import simulated_metadata
from sttp.metadata.derived_cells import DerivedCells
from sttp.metadata.metadata import Metadata


class Counted:
    """Works out three cells, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> list[int]:
        self.times += 1
        return [3, 1, 2]


def test_nothing_is_worked_out_before_somebody_looks_and_then_once() -> None:
    derive = Counted()
    cells = DerivedCells(3, derive)
    assert len(cells) == 3
    assert derive.times == 0
    assert list(cells) == [3, 1, 2]
    assert cells[1] == 1
    assert derive.times == 1


def test_they_are_as_any_other_column() -> None:
    cells = DerivedCells(3, Counted())
    assert cells == (3, 1, 2)
    assert cells == DerivedCells(3, Counted())
    assert cells != (1, 2, 3)
    assert cells[1:] == (1, 2)
    assert cells.index(2) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(cells)


def test_a_filter_works_out_the_columns_that_it_names_and_no_others() -> None:
    metadata = Metadata(simulated_metadata(50).dataset)
    metadata.select("FILTER ActiveMeasurements WHERE SignalType = 'FREQ'")
    table = metadata.active_measurements
    looked_at = [
        column.name
        for column, cells in zip(table.columns, table.cells, strict=True)
        if isinstance(cells, DerivedCells) and "_cells" in vars(cells)
    ]
    assert looked_at == ["SignalType"]
