"""Measurements: one by one for people, in columns for everything that has to be fast.

A *batch* is four equal columns and the table of signals that its indexes point into.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from uuid import UUID

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sttp import tabular
from sttp import ticks as _ticks
from sttp.codes import StateFlags
from sttp.errors import UsageError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["Columns", "Measurement", "MeasurementBatch", "Signal", "SignalTable", "highest_index"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal that can be published.

    Attributes:
        signal_id: its identity in all systems.
        key: measurement key `SOURCE:number`, unique within one publisher; empty when not known.
        tag: point tag from the metadata; empty when not known.
    """

    signal_id: UUID
    key: str = ""
    tag: str = ""


_NO_SIGNAL = UUID(int=0)


class SignalTable:
    """Signals by signal index, immutable. An index may be a hole, because a publisher need not number without gaps.

    Args:
        ids: RFC 4122 bytes of the signal IDs, shape `(n, 16)`, uint8. A row of zeros is a hole.
        keys: measurement keys by signal index, or nothing when not known.
        tags: point tags by signal index, or nothing when not known.
    """

    __slots__ = ("__dict__", "__weakref__", "ids", "keys", "tags")

    def __init__(self, ids: NDArray[np.uint8], keys: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
        if ids.ndim != 2 or ids.shape[1] != 16 or ids.dtype != np.uint8:
            raise UsageError(f"signal IDs must be uint8 of shape (n, 16), not {ids.dtype} of shape {ids.shape}")
        for name, texts in (("keys", keys), ("tags", tags)):
            if texts and len(texts) != len(ids):
                raise UsageError(f"{len(texts)} {name} for {len(ids)} signals")
        self.ids = np.ascontiguousarray(ids)
        self.ids.flags.writeable = False
        self.keys = keys
        self.tags = tags

    @classmethod
    def of(cls, signals: Sequence[Signal]) -> Self:
        """The table that numbers `signals` 0, 1, 2, … in their order."""
        ids = np.frombuffer(b"".join(signal.signal_id.bytes for signal in signals), np.uint8).reshape(-1, 16)
        keys = tuple(signal.key for signal in signals)
        tags = tuple(signal.tag for signal in signals)
        return cls(ids, keys if any(keys) else (), tags if any(tags) else ())

    def __len__(self) -> int:
        """One more than the largest signal index, holes included."""
        return len(self.ids)

    def __getitem__(self, signal_index: int) -> Signal:
        """The signal at `signal_index`.

        Raises:
            IndexError: the index lies outside of the table, or is a hole.
        """
        if not self.has(signal_index):
            raise IndexError(f"no signal has the index {signal_index}")
        return Signal(
            signal_id=UUID(bytes=self.ids[signal_index].tobytes()),
            key=self.keys[signal_index] if self.keys else "",
            tag=self.tags[signal_index] if self.tags else "",
        )

    def __iter__(self) -> Iterator[Signal]:
        """All signals in the order of their index, without the holes."""
        return (self[index] for index in range(len(self)) if self.has(index))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SignalTable):
            return NotImplemented
        return (
            np.array_equal(self.ids, other.ids)
            and list(self.keys) == list(other.keys)
            and list(self.tags) == list(other.tags)
        )

    __hash__ = None  # type: ignore[assignment]  # equal tables may be large; nobody should hash one by accident

    def __repr__(self) -> str:
        return f"<SignalTable of {int(self.present.sum())} signals>"

    def has(self, signal_index: int) -> bool:
        """Whether `signal_index` names a signal."""
        return 0 <= signal_index < len(self.ids) and bool(self.present[signal_index])

    def have(self, signal_index: NDArray[np.int32]) -> bool:
        """Whether all of `signal_index` name signals, shape `(n,)`."""
        return self.spans(signal_index) and (self._is_full or bool(self.present[signal_index].all()))

    def spans(self, signal_index: NDArray[np.int32]) -> bool:
        """Whether all of `signal_index` lie within the table, holes included, shape `(n,)`."""
        return highest_index(signal_index) < len(self.ids)

    def which(self, signal_index: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of `signal_index` name signals; both of shape `(n,)`."""
        known = signal_index.view(np.uint32) < len(self.ids)
        known[known] = self.present[signal_index[known]]
        return known

    @cached_property
    def _is_full(self) -> bool:
        return bool(self.present.all())

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which indexes name a signal, shape `(n,)`."""
        halves = self.ids.view(np.uint64)
        return halves[:, 0] | halves[:, 1] != 0  # type: ignore[no-any-return]

    @cached_property
    def index_of(self) -> Mapping[UUID, int]:
        """Signal index by signal ID. Built at first use: it costs about 150 bytes per signal."""
        return {UUID(bytes=self.ids[index].tobytes()): int(index) for index in np.flatnonzero(self.present)}

    @cached_property
    def names(self) -> tabular.SignalNames:
        """What the signals are called, as tables of other libraries want it. Built at first use."""
        return tabular.SignalNames(self.ids, self.keys, self.tags)

    def select(self, which: NDArray[np.intp]) -> SignalTable:
        """The signals at the indexes `which`, numbered anew from 0 in that order."""
        rows = which.tolist()
        return SignalTable(
            self.ids[which],
            tuple([self.keys[row] for row in rows]) if self.keys else (),
            tuple([self.tags[row] for row in rows]) if self.tags else (),
        )

    def route_to(self, other: SignalTable) -> NDArray[np.int32]:
        """Where the signals of this table stand in another one.

        Returns:
            The signal index in `other` by the signal index here, shape `(len(self),)`; -1 for what is not there.
        """
        route = np.full(len(self), -1, np.int32)
        if not len(other):
            return route
        # as integers NumPy orders them ten times faster; where two have the same one, as fixed-width texts
        ours, theirs = _mixed(self.ids), _mixed(other.ids)
        order = np.argsort(theirs)
        ordered = theirs[order]
        if (ordered[1:] == ordered[:-1]).any():
            ours, theirs = self.ids.view("S16").ravel(), other.ids.view("S16").ravel()
            order = np.argsort(theirs, kind="stable")
            ordered = theirs[order]
        found = order[np.minimum(np.searchsorted(ordered, ours), len(theirs) - 1)]
        # a hole is all zeros and must match nothing
        matches = (self.ids.view(np.uint64) == other.ids.view(np.uint64)[found]).all(axis=1) & self.present
        route[matches] = found[matches]
        return route

    def with_tags_of(self, other: SignalTable) -> SignalTable:
        """The same signals with the point tags that they have in another table; a signal that is not there has none."""
        tags = (*(other.tags or ("",) * len(other)), "")  # -1, the index of what is not there, means the last
        return SignalTable(self.ids, self.keys, tuple([tags[index] for index in self.route_to(other).tolist()]))


_FEW: Final = 16
"""Up to so many numbers Python is quicker than NumPy, and much quicker where neither has done the like for a while."""


def highest_index(signal_index: NDArray[np.int32]) -> int:
    """The highest signal index; a negative one counts as 2**32 more. -1 where there is none.

    Args:
        signal_index: shape `(n,)`.
    """
    if len(signal_index) <= _FEW:
        few = signal_index.tolist()
        if min(few, default=0) >= 0:
            return max(few, default=-1)
    return int(np.maximum.reduce(signal_index.view(np.uint32)))


_ODD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads numbers that follow one another


def _mixed(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """A number for each signal ID that hardly any other has."""
    halves = ids.view(np.uint64)
    return halves[:, 0] * _ODD + halves[:, 1]


def _column(values: ArrayLike, dtype: type[np.generic], length: int) -> NDArray[Any]:
    """A column of what somebody gave for it: one value for each measurement, or one for all."""
    column = np.asarray(values, dtype)
    if column.shape == (length,):
        return column
    if column.shape not in ((), (1,)):
        raise UsageError(f"columns of different length: {column.shape} beside {length} signal indexes")
    if length == 1:
        return column.reshape(1)
    whole = np.empty(length, dtype)  # `np.full` takes twice as long for a few
    whole[:] = column
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One value of one signal at one time.

    Attributes:
        signal: which signal.
        ticks: time, in 100 ns since 0001-01-01 UTC, with any leap-second marks; see `sttp.ticks`.
        value: the value, exactly a binary32.
        flags: its state; zero is normal.
        publisher: label of the publisher that it came from; empty when not known.
    """

    signal: Signal
    ticks: int
    value: float
    flags: StateFlags = StateFlags.NORMAL
    publisher: str = ""

    @property
    def time(self) -> str:
        """The time in ISO 8601 with seven decimals."""
        return _ticks.to_iso(self.ticks)


_DTYPES: Final = (np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint32), np.dtype(np.float32))


class Columns(NamedTuple):
    """Four equal columns, as they come from and go to the wire; all of shape `(n,)`.

    Attributes:
        signal_index: int32, never negative.
        ticks: int64, 100 ns since 0001-01-01 UTC.
        flags: uint32, `StateFlags`.
        value: float32.
    """

    signal_index: NDArray[np.int32]
    ticks: NDArray[np.int64]
    flags: NDArray[np.uint32]
    value: NDArray[np.float32]

    @classmethod
    def empty(cls, length: int = 0) -> Self:
        """Columns of `length` zeros."""
        return cls(
            np.zeros(length, np.int32), np.zeros(length, np.int64), np.zeros(length, np.uint32),
            np.zeros(length, np.float32),
        )  # fmt: skip

    def check(self) -> None:
        """Make sure that the columns are what they should be, when somebody else has made them.

        Raises:
            UsageError: a column has another type or another shape.
        """
        index, ticks, flags, value = self
        shape = index.shape
        if (index.dtype, ticks.dtype, flags.dtype, value.dtype) != _DTYPES:
            found = ", ".join(f"{name} {column.dtype}" for name, column in self._asdict().items())
            raise UsageError(f"columns have the types int32, int64, uint32, float32; these are {found}")
        if len(shape) != 1 or not shape == ticks.shape == flags.shape == value.shape:
            found = ", ".join(f"{name} {column.shape}" for name, column in self._asdict().items())
            raise UsageError(f"columns have one dimension, and are equally long; these are of shape {found}")

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Columns:
        """The rows that `which` names: a mask, positions, or a slice."""
        return Columns(self.signal_index[which], self.ticks[which], self.flags[which], self.value[which])

    @classmethod
    def concatenate(cls, parts: Sequence[Columns]) -> Columns:
        """All rows of `parts`, in order."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class MeasurementBatch:
    """Measurements in columns, with the table that their signal indexes point into.

    Iterating yields `Measurement` values; the columns are there for everything else.

    Attributes:
        columns: signal index (int32), ticks (int64), flags (uint32) and value (float32), each of shape `(n,)`.
        signals: the signals by index.
        publisher: label of the publisher that the batch came from; empty when not known.
    """

    columns: Columns
    signals: SignalTable
    publisher: str = ""

    @classmethod
    def of(
        cls, signals: SignalTable, signal_index: ArrayLike, ticks: ArrayLike, value: ArrayLike, flags: ArrayLike = 0
    ) -> Self:
        """Build a batch from anything that NumPy can make columns of.

        Args:
            signals: the table that `signal_index` points into.
            signal_index: shape `(n,)`; each must name a signal of the table.
            ticks: 100 ns since 0001-01-01 UTC; shape `(n,)`, or one for all.
            value: shape `(n,)`; kept as binary32.
            flags: `StateFlags`; shape `(n,)`, or one for all.

        Raises:
            UsageError: shapes that do not fit, or an index without a signal.
        """
        index = np.asarray(signal_index, np.int32)
        if not index.ndim:
            index = index.reshape(1)
        if index.ndim != 1:
            raise UsageError(f"a column has one dimension, not {index.ndim}")
        if not signals.have(index):
            raise UsageError("signal_index names an index that has no signal in the table")
        columns = Columns(
            index,
            _column(ticks, np.int64, len(index)),
            _column(flags, np.uint32, len(index)),
            _column(value, np.float32, len(index)),
        )
        return cls(columns, signals)

    def __len__(self) -> int:
        return len(self.columns.signal_index)

    def __iter__(self) -> Iterator[Measurement]:
        # one Signal object for all measurements of a signal; plain Python numbers, not NumPy scalars
        known: dict[int, Signal] = {}
        for index, time, flags, value in zip(*(column.tolist() for column in self.columns), strict=True):
            signal = known.get(index)
            if signal is None:
                signal = known[index] = self.signals[index] if self.signals.has(index) else Signal(signal_id=_NO_SIGNAL)
            yield Measurement(signal=signal, ticks=time, value=value, flags=StateFlags(flags), publisher=self.publisher)

    @property
    def signal_index(self) -> NDArray[np.int32]:
        """Which signal, an index into `signals`."""
        return self.columns.signal_index

    @property
    def ticks(self) -> NDArray[np.int64]:
        """Times, in 100 ns since 0001-01-01 UTC."""
        return self.columns.ticks

    @property
    def flags(self) -> NDArray[np.uint32]:
        """States, as bits of `StateFlags`."""
        return self.columns.flags

    @property
    def value(self) -> NDArray[np.float32]:
        """Values."""
        return self.columns.value

    # --- tables of other libraries

    @classmethod
    def from_pandas(cls, frame: pandas.DataFrame, signals: SignalTable, *, wide: bool = False) -> Self:
        """Build a batch from a table of pandas, such as `to_pandas` makes.

        Args:
            frame: one row per measurement, with the column `value`; with one of `signal_id`, `key` and `tag`, of which
                the first counts; with `time`, `ticks`, or timestamps as the index; and with `flags`, if not all are 0.
                Other columns do not matter. When it is wide: one column per signal, called by its tag, key or ID, and
                timestamps as the index; an empty cell (NaN) is no measurement.
            signals: the table that has these signals.
            wide: whether the frame is wide.

        Times without zone are UTC; what they have below 100 ns is cut off.

        Raises:
            UsageError: pandas is not installed; or something is missing or has a wrong type, a name belongs to no
                signal of the table or to several, or `time` and `ticks` contradict each other.
        """
        index, ticks, flags, value = (tabular.from_wide_pandas if wide else tabular.from_pandas)(frame, signals.names)
        return cls.of(signals, index, ticks, value, flags)

    def to_pandas(self, *, wide: bool = False) -> pandas.DataFrame:
        """The measurements as a table of pandas: one row each, or one column per signal when it is `wide`.

        The columns are `time` (UTC, to the 100 ns), `tag`, `value` (float32), `flags` (uint32), `key`, `signal_id`,
        `publisher` and `ticks` (int64, as received). Texts are categorical; what is not known is missing. Batches with
        the same table of signals have equal categories, so that `pandas.concat` keeps them.

        `time` is missing (NaT) where nanoseconds in 64 bits cannot tell it: before 1677-09-21, after 2262-04-11, and
        in a leap second, 23:59:60. Only `ticks` tell it then.

        Args:
            wide: the index is the time, in order; each column is a signal, called by its tag, or, if it has none or
                shares it, by its key or ID. Cells are the values; NaN where there is none. Of several measurements of
                one signal at one time the last in the batch counts. Flags are not shown, and measurements without
                `time` or signal are left out with a warning.

        Raises:
            UsageError: pandas is not installed.
        """
        if wide:
            return tabular.to_wide_pandas(self.columns, self.signals.names)
        return tabular.to_pandas(self.columns, self.signals.names, self.publisher)

    def to_polars(self) -> polars.DataFrame:
        """The measurements as a table of Polars: one row each, with the columns of `to_pandas`.

        `time` is `Datetime("ns", "UTC")`, null where `to_pandas` has NaT. Texts are `Categorical`.

        Raises:
            UsageError: Polars is not installed.
        """
        return tabular.to_polars(self.columns, self.signals.names, self.publisher)

    def to_arrow(self) -> pyarrow.Table:
        """The measurements as a table of Apache Arrow: one row each, with the columns of `to_pandas`.

        `time` is `timestamp("ns", "UTC")`, null where `to_pandas` has NaT. Texts are dictionaries. Numbers are not
        copied: the columns of the batch must not be changed afterwards.

        Raises:
            UsageError: pyarrow is not installed.
        """
        return tabular.to_arrow(self.columns, self.signals.names, self.publisher)
