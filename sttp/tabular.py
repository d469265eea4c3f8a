"""Measurements as tables of pandas, Polars and Arrow, and back from pandas.

The libraries are imported by the functions that need them. Here a measurement is a row of four columns, and what its
signal is called is encoded: texts are made once per table of signals, never once per measurement.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sttp.errors import UsageError
from sttp.ticks import MAX_TICKS, UNIX_EPOCH, VALUE_MASK

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = [
    "Dictionary",
    "SignalNames",
    "from_pandas",
    "from_wide_pandas",
    "library",
    "nanoseconds",
    "to_arrow",
    "to_pandas",
    "to_polars",
    "to_wide_pandas",
]

Rows = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]
"""Signal index, ticks, flags and value; all of shape `(n,)`."""

_NO_TIME: Final = np.iinfo(np.int64).min
"""What NumPy, pandas, Polars and Arrow take as a time that is not known."""

_FURTHEST: Final = (2**63 - 1) // 100
"""Ticks before and after 1970 that 64 bits of nanoseconds hold: 292 years."""

_NANOSECONDS_PER_TICK: Final = 100
_TICKS_PER: Final = {"s": 10_000_000, "ms": 10_000, "us": 10}

_MARKS: Final = 62
"""Position of the two bits of leap-second marks (wire.md 11.2)."""
_LEAP_SECOND: Final = -2
"""The marks, as a signed number, of a time in second 60."""

_SHOWN: Final = 3
"""How many names a complaint lists."""


# --- names


class Dictionary:
    """Texts by position, each distinct one kept once. An empty text is one that is not known.

    Attributes:
        codes: which of `distinct` a position has, int32 of shape `(n + 1,)`; -1 when not known. The last is for all
            positions beyond.
        distinct: the texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        code: dict[str, int] = {"": -1}
        codes = [code.setdefault(text, len(code) - 1) for text in texts]
        self.codes = np.array([*codes, -1], np.int32)
        self.distinct = list(code)[1:]

    def take(self, positions: NDArray[np.int32]) -> NDArray[np.int32]:
        """The codes at these positions."""
        return self.codes.take(positions, mode="clip")

    # The distinct texts as each library keeps them, made once: with 100 000 signals that takes longer than the rest.

    @cached_property
    def for_pandas(self) -> pandas.CategoricalDtype:
        """For categorical columns."""
        return library("pandas").CategoricalDtype(self.distinct)

    @cached_property
    def for_polars(self) -> polars.Series:
        """Categorical, with a null at the end, where the code -1 leads."""
        polars = library("polars")
        return polars.Series([*self.distinct, None], dtype=polars.Categorical)

    @cached_property
    def for_arrow(self) -> pyarrow.Array:
        """The dictionary of dictionary-encoded arrays."""
        pyarrow = library("pyarrow")
        return pyarrow.array(self.distinct, pyarrow.string())


class SignalNames:
    """What the signals of a table are called, in every way.

    Args:
        ids: bytes of the signal IDs by signal index, shape `(n, 16)`, uint8; a row of zeros is a hole.
        keys: measurement keys by signal index, or nothing when not known.
        tags: point tags by signal index, or nothing when not known.
    """

    def __init__(self, ids: NDArray[np.uint8], keys: Sequence[str], tags: Sequence[str]) -> None:
        self._ids = _texts(ids)
        self._keys = keys or [""] * len(self._ids)
        self._tags = tags or [""] * len(self._ids)

    @cached_property
    def signal_id(self) -> Dictionary:
        """Signal IDs, as text in lower case with hyphens."""
        return Dictionary(self._ids)

    @cached_property
    def key(self) -> Dictionary:
        """Measurement keys."""
        return Dictionary(self._keys)

    @cached_property
    def tag(self) -> Dictionary:
        """Point tags."""
        return Dictionary(self._tags)

    @cached_property
    def column(self) -> Dictionary:
        """What to call a column that has one signal only: its tag, its key or its ID, the first that no other has."""
        return Dictionary(
            next((name for name in names if name in self._owner), "")
            for names in zip(self._tags, self._keys, self._ids, strict=True)
        )

    def find(self, name: object) -> int:
        """The index of the signal that alone has this tag, key or ID; -1 when there is none, or more than one."""
        text = str(name)
        found = self._owner.get(text)
        if found is None:
            try:
                found = self._owner.get(str(UUID(text)))  # written in another way
            except ValueError:
                found = None
        return -1 if found is None else found

    @cached_property
    def _owner(self) -> Mapping[str, int]:
        """Signal index by each name that only one signal has."""
        every = [{name for name in names if name} for names in zip(self._tags, self._keys, self._ids, strict=True)]
        owners = Counter(name for names in every for name in names)
        return {name: index for index, names in enumerate(every) for name in names if owners[name] == 1}


def _texts(ids: NDArray[np.uint8]) -> list[str]:
    """Signal IDs as text; a hole is empty."""
    digits = np.frombuffer(ids.tobytes().hex().encode("ascii"), "S1").reshape(-1, 32)
    text = np.full((len(ids), 36), b"-", "S1")
    for start, stop, shift in ((0, 8, 0), (8, 12, 1), (12, 16, 2), (16, 20, 3), (20, 32, 4)):
        text[:, start + shift : stop + shift] = digits[:, start:stop]
    known = ids.any(axis=1)
    return np.where(known, text.view("S36").ravel(), b"").astype("U36").tolist()  # type: ignore[no-any-return]


# --- to tables


def to_pandas(rows: Rows, names: SignalNames, publisher: str) -> pandas.DataFrame:
    """See `MeasurementBatch.to_pandas`."""
    pandas = library("pandas")
    return pandas.DataFrame(
        _columns(
            rows, names, publisher,
            time=lambda moments: pandas.DatetimeIndex(moments, tz="UTC"),
            text=lambda texts, codes: pandas.Categorical.from_codes(codes, dtype=texts.for_pandas),
        )
    )  # fmt: skip


def to_polars(rows: Rows, names: SignalNames, publisher: str) -> polars.DataFrame:
    """See `MeasurementBatch.to_polars`."""
    polars = library("polars")
    return polars.DataFrame(
        _columns(
            rows, names, publisher,
            time=lambda moments: polars.Series(moments).cast(polars.Datetime("ns", "UTC")),
            text=lambda texts, codes: texts.for_polars.gather(polars.Series(codes)),
        )
    )  # fmt: skip


def to_arrow(rows: Rows, names: SignalNames, publisher: str) -> pyarrow.Table:
    """See `MeasurementBatch.to_arrow`."""
    arrow = library("pyarrow")
    return arrow.table(
        _columns(
            rows, names, publisher,
            time=lambda moments: arrow.array(moments, arrow.timestamp("ns", "UTC")),
            text=lambda texts, codes: arrow.DictionaryArray.from_arrays(
                arrow.array(codes, mask=codes < 0), texts.for_arrow
            ),
        )
    )  # fmt: skip


def to_wide_pandas(rows: Rows, names: SignalNames) -> pandas.DataFrame:
    """See `MeasurementBatch.to_pandas`."""
    pandas = library("pandas")
    index, ticks, _, value = rows
    moment, code = nanoseconds(ticks), names.column.take(index)
    shown = (moment != _NO_TIME) & (code >= 0)
    if not shown.all():
        count = np.count_nonzero(~shown)
        warnings.warn(
            f"{count} of {len(shown)} measurements are left out, because their time or signal cannot be shown",
            stacklevel=3,
        )
        moment, code, value = moment[shown], code[shown], value[shown]
    used = np.unique(code)
    row, moments = pandas.factorize(moment, sort=True)
    # assignment would leave open which of several measurements a cell keeps: the one with the largest position is last
    last = np.full(len(moments) * len(used), -1, np.intp)
    np.maximum.at(last, row * len(used) + np.searchsorted(used, code), np.arange(len(value)))
    cells = np.where(last >= 0, value.take(last, mode="clip"), np.float32(np.nan))
    return pandas.DataFrame(
        cells.reshape(len(moments), len(used)),
        index=pandas.DatetimeIndex(moments.view("M8[ns]"), tz="UTC", name="time"),
        columns=names.column.for_pandas.categories.take(used).rename("tag"),
    )


def _columns(
    rows: Rows,
    names: SignalNames,
    publisher: str,
    *,
    time: Callable[[NDArray[np.datetime64]], Any],
    text: Callable[[Dictionary, NDArray[np.int32]], Any],
) -> dict[str, Any]:
    """The columns that all libraries get, in their order; times and texts as each has them."""
    index, ticks, flags, value = rows
    label = Dictionary([publisher])
    return {
        "time": time(nanoseconds(ticks).view("M8[ns]")),
        "tag": text(names.tag, names.tag.take(index)),
        "value": value,
        "flags": flags,
        "key": text(names.key, names.key.take(index)),
        "signal_id": text(names.signal_id, names.signal_id.take(index)),
        "publisher": text(label, label.take(np.zeros_like(index))),
        "ticks": ticks,
    }


def nanoseconds(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nanoseconds since 1970, or no time: beyond what these hold, and in a leap second, which no library can tell."""
    since = (ticks & VALUE_MASK) - UNIX_EPOCH
    in_leap_second = ticks >> _MARKS == _LEAP_SECOND
    held = (np.abs(since) <= _FURTHEST) & ~in_leap_second
    nanoseconds = np.full(ticks.shape, _NO_TIME)
    np.multiply(since, _NANOSECONDS_PER_TICK, out=nanoseconds, where=held)
    return nanoseconds


# --- from pandas


def from_pandas(frame: pandas.DataFrame, names: SignalNames) -> Rows:
    """See `MeasurementBatch.from_pandas`."""
    pandas = library("pandas")
    called = next((name for name in ("signal_id", "key", "tag") if name in frame), None)
    if called is None or "value" not in frame:
        raise UsageError(
            "needs a column value, and one of signal_id, key and tag; for one column per tag say wide=True"
        )
    signal, rows = pandas.factorize(frame[called])
    if (signal < 0).any():
        raise UsageError(f"{called} is missing in {np.count_nonzero(signal < 0)} rows")
    flags = _whole_numbers(frame["flags"], 0, 2**32 - 1) if "flags" in frame else np.zeros(len(frame), np.int64)
    return _find(rows, names).take(signal), _row_ticks(frame), flags.astype(np.uint32), _values(frame["value"])


def from_wide_pandas(frame: pandas.DataFrame, names: SignalNames) -> Rows:
    """See `MeasurementBatch.from_pandas`."""
    signals = _find(frame.columns, names)
    ticks, known = _ticks(frame.index)
    if not known.all():
        raise UsageError(f"the time is missing in {np.count_nonzero(~known)} rows")
    cells = _values(frame)
    row, column = np.nonzero(~np.isnan(cells))
    return signals.take(column), ticks.take(row), np.zeros(len(row), np.uint32), cells[row, column]


def _find(called: Iterable[object], names: SignalNames) -> NDArray[np.int32]:
    """Signal indexes by what the signals are called."""
    wanted = list(called)
    found = np.array([names.find(each) for each in wanted], np.int32)
    unknown = [repr(str(wanted[each])) for each in np.flatnonzero(found < 0)]
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise UsageError(f"no signal, or more than one, is called {', '.join(unknown[:_SHOWN])}{more}")
    return found


def _row_ticks(frame: pandas.DataFrame) -> NDArray[np.int64]:
    """Times from the column ticks, the column time, or the index."""
    pandas = library("pandas")
    ticks = _whole_numbers(frame["ticks"], -(2**63), 2**63 - 1) if "ticks" in frame else None
    if "time" in frame:
        moments, known = _ticks(frame["time"])
    elif ticks is None or isinstance(frame.index, pandas.DatetimeIndex):
        moments, known = _ticks(frame.index)
    else:
        return ticks
    if ticks is None:
        if not known.all():
            raise UsageError(f"the time is missing in {np.count_nonzero(~known)} rows")
        return moments
    differ = np.count_nonzero(known & (moments != ticks & VALUE_MASK))
    if differ:
        raise UsageError(f"time and ticks differ in {differ} rows: drop the column that is not meant")
    return ticks


def _ticks(moments: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Timestamps of pandas as ticks, and which of them are known. Without time zone they are UTC."""
    pandas = library("pandas")
    if pandas.api.types.is_numeric_dtype(moments.dtype):
        raise UsageError("times must be timestamps; numbers can only be ticks, in a column of that name")
    try:
        times = pandas.DatetimeIndex(pandas.to_datetime(moments, utc=True)).tz_localize(None).to_numpy()
    except (ValueError, TypeError) as error:
        raise UsageError(f"these are no times: {error}") from None
    known = ~np.isnat(times)
    unit, _ = np.datetime_data(times.dtype)
    since = np.where(known, times.view(np.int64), 0)
    if unit == "ns":
        since //= _NANOSECONDS_PER_TICK
    else:
        in_range = np.abs(since) <= MAX_TICKS // _TICKS_PER[unit]
        since = np.where(in_range, since, MAX_TICKS // _TICKS_PER[unit]) * _TICKS_PER[unit]
    ticks = since + UNIX_EPOCH
    if len(ticks) and not (ticks.min() >= 0 and ticks.max() <= MAX_TICKS):
        raise UsageError("times must lie in the years 1 to 9999")
    return ticks, known


def _whole_numbers(column: Any, low: int, high: int) -> NDArray[np.int64]:
    if not library("pandas").api.types.is_integer_dtype(column.dtype) or column.hasnans:
        raise UsageError(f"{column.name} must be whole numbers")
    if len(column) and not (low <= int(column.min()) and int(column.max()) <= high):
        raise UsageError(f"{column.name} must lie between {low} and {high}")
    numbers: NDArray[np.int64] = column.to_numpy(np.int64)
    return numbers


def _values(data: Any) -> NDArray[np.float32]:
    try:
        values: NDArray[np.float32] = data.to_numpy(np.float32, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise UsageError(f"values must be numbers: {error}") from None
    return values


def library(name: str) -> Any:
    """A library that only some functions need.

    Raises:
        UsageError: it is not installed; the message says how to.
    """
    try:
        return import_module(name)
    except ImportError as error:
        extra = "arrow" if name == "pyarrow" else name
        raise UsageError(
            f"this needs the library {name}: pip install {name}, or the extra [{extra}] of sttp-kit"
        ) from error
