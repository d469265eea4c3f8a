"""A picture of a grid in the terminal: frequency and voltage of each bus over the time of a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from rich.table import Table
from rich.text import Text

from sttp import ticks
from sttp.measurement import MeasurementBatch, SignalTable
from sttp.metadata import Metadata

__all__ = ["GridView"]

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = 2
_FREQUENCY_WIDTH: Final = 6
_VOLTAGE_WIDTH: Final = 5


@dataclass(frozen=True, slots=True)
class _Scale:
    """How a quantity is drawn.

    Attributes:
        low: what the lowest block means.
        high: what the highest block means.
        normal: what is undisturbed.
        noticeable: distance from normal that is drawn yellow.
        severe: distance from normal that is drawn red.
    """

    low: float
    high: float
    normal: float
    noticeable: float
    severe: float

    def mark(self, value: float) -> tuple[str, str]:
        """A block of the right height, and its colour."""
        height = (value - self.low) / (self.high - self.low) * len(_LEVELS)
        away = abs(value - self.normal)
        colour = "red" if away >= self.severe else "yellow" if away >= self.noticeable else "green"
        return _LEVELS[min(max(int(height), 0), len(_LEVELS) - 1)], colour


_FREQUENCY: Final = _Scale(low=59.88, high=60.3, normal=60.0, noticeable=0.05, severe=0.15)
_VOLTAGE: Final = _Scale(low=0.4, high=1.06, normal=1.0, noticeable=0.05, severe=0.2)


@dataclass(slots=True)
class _Trace:
    """One quantity of one bus. Each mark stands for a stretch of time, and shows its most unusual value."""

    scale: _Scale
    latest: float | None = None
    extremes: dict[int, float] = field(default_factory=dict)

    def add(self, mark: int, value: float) -> None:
        self.latest = value
        before = self.extremes.setdefault(mark, value)
        if abs(value - self.scale.normal) > abs(before - self.scale.normal):
            self.extremes[mark] = value

    def picture(self, marks: int) -> Text:
        text = Text()
        for mark in range(marks):
            value = self.extremes.get(mark)
            text.append(*((" ", "") if value is None else self.scale.mark(value)))
        return text

    def number(self, decimals: int) -> str:
        return "" if self.latest is None else f"{self.latest:.{decimals}f}"


class GridView:
    """Frequency in Hz, and voltage in per unit of its first value, of each device that measures both.

    Args:
        title: what is shown above.
        metadata: tells which signals are frequencies (FREQ) and voltage magnitudes (VPHM), and of which device.
        start: time of the left edge, in ticks.
        seconds: length of the recording.
        total: how many measurements it has.
        width: of the terminal, in columns; 80 is enough.
    """

    def __init__(
        self, title: str, metadata: Metadata, *, start: int, seconds: float, total: int, width: int = 80
    ) -> None:
        self._title = title
        self._start = start
        self._seconds = seconds
        self._total = total
        self._count = 0
        self._now = start
        self._names = {device.acronym: device.name for device in metadata.devices}
        numbers = max(map(len, self._names.values()), default=0) + _FREQUENCY_WIDTH + _VOLTAGE_WIDTH + 5 * _GAP
        self._marks = max((width - numbers) // 2, 1)
        self._lowest: tuple[float, str] | None = None
        self._frequency = {acronym: _Trace(_FREQUENCY) for acronym in self._names}
        self._voltage = {acronym: _Trace(_VOLTAGE) for acronym in self._names}
        self._before: dict[str, float] = {}
        self._meaning: dict[UUID, tuple[str, str]] = {
            record.signal_id: (record.signal_type, record.device_acronym) for record in metadata.measurements
        }
        self._signals: SignalTable | None = None
        self._meaning_of_index: list[tuple[str, str]] = []

    @property
    def seconds(self) -> float:
        """How much of the recording has been seen."""
        return (self._now - self._start) / ticks.TICKS_PER_SECOND

    def add(self, batch: MeasurementBatch) -> None:
        """Draw the measurements of `batch`."""
        if batch.signals is not self._signals:
            self._signals = batch.signals
            self._meaning_of_index = [
                self._meaning.get(UUID(bytes=signal_id.tobytes()), ("", "")) for signal_id in batch.signals.ids
            ]
        for index, moment, value in zip(
            batch.signal_index.tolist(), batch.ticks.tolist(), batch.value.tolist(), strict=True
        ):
            self._now = moment
            mark = min(int(self.seconds / self._seconds * self._marks), self._marks - 1)
            match self._meaning_of_index[index]:
                case "FREQ", device:
                    self._frequency[device].add(mark, value)
                case "VPHM", device:
                    per_unit = value / self._before.setdefault(device, value)
                    self._voltage[device].add(mark, per_unit)
                    self._lowest = min(self._lowest or (per_unit, device), (per_unit, device))
        self._count += len(batch)

    def __str__(self) -> str:
        """How it stands, on one line."""
        told = f"{self.seconds:4.1f} s, {self._count} of {self._total} measurements"
        if self._lowest is None:
            return told
        per_unit, device = self._lowest
        return f"{told}; lowest voltage so far {per_unit:.3f} per unit at {self._names[device]}"

    def __rich__(self) -> Table:
        """The picture; it fits into 80 columns."""
        table = Table(
            title=self._title,
            title_justify="left",
            title_style="bold",
            caption=f"{self.seconds:.1f} s of the recording, {self._count} of {self._total} measurements",
            caption_justify="left",
            box=None,
            padding=(0, _GAP, 0, 0),
            header_style="",
        )
        table.add_column("", no_wrap=True)
        table.add_column(f"frequency over {self._seconds:.0f} s", width=self._marks, no_wrap=True)
        table.add_column("Hz", justify="right", width=_FREQUENCY_WIDTH, no_wrap=True)
        table.add_column(f"voltage over {self._seconds:.0f} s", width=self._marks, no_wrap=True)
        table.add_column("pu", justify="right", width=_VOLTAGE_WIDTH, no_wrap=True)
        for acronym, name in self._names.items():
            frequency, voltage = self._frequency[acronym], self._voltage[acronym]
            table.add_row(
                name,
                frequency.picture(self._marks),
                frequency.number(3),
                voltage.picture(self._marks),
                voltage.number(3),
            )
        return table
