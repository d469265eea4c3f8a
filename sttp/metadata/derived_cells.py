"""Columns that are worked out when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import overload

from sttp.metadata.dataset import Cell

__all__ = ["DerivedCells"]


class DerivedCells(Sequence[Cell]):
    """The cells of a column, worked out at first use and then kept.

    Several threads may look at them. Two that come first at the same time may both work them out, to the same end.

    Args:
        length: how many cells there are.
        derive: works them out.
    """

    def __init__(self, length: int, derive: Callable[[], Sequence[Cell]]) -> None:
        self._length = length
        self._derive = derive

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return tuple(self._derive())

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, row: int) -> Cell: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Cell]: ...

    def __getitem__(self, row: int | slice) -> Cell | Sequence[Cell]:
        return self._cells[row]

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells)

    def __eq__(self, other: object) -> bool:
        return self._cells == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it may be long; nobody should hash it by accident
