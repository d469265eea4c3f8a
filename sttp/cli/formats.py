"""Measurements as lines of text: for people, as JSON lines, as CSV.

A batch is formatted column by column. What depends on the signal only is made once per signal.
"""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sttp import ticks
from sttp.cli.terminal import printable
from sttp.codes import StateFlags
from sttp.errors import UsageError
from sttp.measurement import MeasurementBatch, SignalTable

__all__ = ["CSVLines", "Format", "JSONLines", "Lines", "TextLines", "lines_of"]

_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_WIDEST_NAME: Final = 40
_VALUE_WIDTH: Final = 14


class Format(StrEnum):
    """How measurements are shown."""

    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"
    NONE = "none"


class Lines(ABC):
    """Turns batches into lines; knows the signals of the last batch.

    Attributes:
        header: what stands before the first line.
    """

    header = ""

    def __init__(self) -> None:
        self._signals: SignalTable | None = None
        self._publisher = ""
        self._around: dict[int, tuple[str, str]] = {}

    def of(self, batch: MeasurementBatch) -> str:
        """The lines of all measurements of `batch`, in their order, each with its line end."""
        if batch.signals is not self._signals or batch.publisher != self._publisher:
            self._begin(batch)
        index = batch.signal_index.tolist()
        for new in set(index) - self._around.keys():
            self._around[new] = self._parts(*_names(batch.signals, new), batch.publisher)
        moments = batch.ticks.tolist()
        shown = {moment: self._moment(moment) for moment in set(moments)}
        around = self._around
        return "".join(
            [
                self._line(*around[signal], shown[moment], moment, value, flags)
                for signal, moment, value, flags in zip(
                    index, moments, self._values(batch.value), batch.flags.tolist(), strict=True
                )
            ]
        )

    def _begin(self, batch: MeasurementBatch) -> None:
        """Forget the signals, because `batch` has others."""
        self._signals, self._publisher, self._around = batch.signals, batch.publisher, {}

    @abstractmethod
    def _parts(self, signal_id: str, tag: str, key: str, publisher: str) -> tuple[str, str]:
        """What stands before the time and after the value, for all measurements of one signal."""

    @abstractmethod
    def _moment(self, moment: int) -> str:
        """The time."""

    @abstractmethod
    def _values(self, values: NDArray[np.float32]) -> list[str]:
        """The values."""

    @abstractmethod
    def _line(self, head: str, tail: str, time: str, moment: int, value: str, flags: int) -> str:
        """One line."""


class JSONLines(Lines):
    """One JSON object a line. A value that is not finite is a string, a time after the year 9999 is null."""

    def _parts(self, signal_id: str, tag: str, key: str, publisher: str) -> tuple[str, str]:
        head = f'{{"signal_id": "{signal_id}", "tag": {json.dumps(tag)}, "timestamp": '
        return head, f', "key": {json.dumps(key)}, "publisher": {json.dumps(publisher)}}}\n'

    def _moment(self, moment: int) -> str:
        iso = _iso(moment)
        return f'"{iso}"' if iso else "null"

    def _values(self, values: NDArray[np.float32]) -> list[str]:
        return _shortest(values, {text: f'"{name}"' for text, name in _NOT_FINITE.items()})

    def _line(self, head: str, tail: str, time: str, moment: int, value: str, flags: int) -> str:
        return f'{head}{time}, "ticks": {moment}, "value": {value}, "flags": {flags}{tail}'


class CSVLines(Lines):
    """The columns of the JSON lines, in the same order, as RFC 4180 has it but for the line end."""

    header = "signal_id,tag,timestamp,ticks,value,flags,key,publisher\n"

    def _parts(self, signal_id: str, tag: str, key: str, publisher: str) -> tuple[str, str]:
        return f"{_csv(signal_id, tag)},", f",{_csv(key, publisher)}\n"

    def _moment(self, moment: int) -> str:
        return _iso(moment)

    def _values(self, values: NDArray[np.float32]) -> list[str]:
        return _shortest(values, _NOT_FINITE)

    def _line(self, head: str, tail: str, time: str, moment: int, value: str, flags: int) -> str:
        return f"{head}{time},{moment},{value},{flags}{tail}"


class TextLines(Lines):
    """Aligned lines for people: time, name, value, and the state if it is not normal."""

    def _begin(self, batch: MeasurementBatch) -> None:
        super()._begin(batch)
        names: Sequence[str] = batch.signals.tags or batch.signals.keys
        self._width = min(_WIDEST_NAME, max(map(len, names), default=0))

    def _parts(self, signal_id: str, tag: str, key: str, publisher: str) -> tuple[str, str]:
        return f"  {printable(tag or key or signal_id):{self._width}}", ""

    def _moment(self, moment: int) -> str:
        return _iso(moment) or f"{moment} ticks"

    def _values(self, values: NDArray[np.float32]) -> list[str]:
        return _shortest(values, _NOT_FINITE)

    def _line(self, head: str, tail: str, time: str, moment: int, value: str, flags: int) -> str:
        return f"{time}{head}  {value:>{_VALUE_WIDTH}}{_state(flags) if flags else ''}\n"


lines_of: Final[Mapping[Format, Callable[[], Lines]]] = MappingProxyType(
    {Format.TEXT: TextLines, Format.JSONL: JSONLines, Format.CSV: CSVLines}
)
"""What makes the lines of a format. `Format.NONE` has none."""


def _names(signals: SignalTable, index: int) -> tuple[str, str, str]:
    """Signal ID, tag and key."""
    signal = signals[index]
    return str(signal.signal_id), signal.tag, signal.key


def _iso(moment: int) -> str:
    try:
        return ticks.to_iso(moment)
    except UsageError:
        return ""


def _shortest(values: NDArray[np.float32], not_finite: Mapping[str, str]) -> list[str]:
    """The shortest texts that read back to the same binary32."""
    texts: list[str] = values.astype("U32").tolist()
    for position in np.flatnonzero(~np.isfinite(values)).tolist():
        texts[position] = not_finite[texts[position]]
    return texts


def _csv(*fields: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _state(flags: int) -> str:
    return "  " + " ".join(flag.name.lower() for flag in StateFlags(flags) if flag.name)
