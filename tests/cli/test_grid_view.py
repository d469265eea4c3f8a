from __future__ import annotations

import numpy as np
from rich.console import Console

from sttp.cli.grid_view import GridView
from sttp.measurement import MeasurementBatch
from sttp.metadata import Metadata


def shown(view: GridView, width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(view)
    return capture.get().splitlines()


def view_of(fault: MeasurementBatch, metadata: Metadata, width: int = 80) -> GridView:
    return GridView("Title", metadata, start=int(fault.ticks[0]), seconds=20.0, total=len(fault), width=width)


def test_the_fault_can_be_seen(fault: MeasurementBatch, fault_files: tuple[str, str]) -> None:
    view = view_of(fault, Metadata.from_file(fault_files[1]))
    view.add(fault)
    title, heads, *buses, caption = shown(view)
    assert title.strip() == "Title"
    assert "frequency over 20 s" in heads
    assert len(buses) == 10
    bus_8 = buses[7]
    assert bus_8.startswith("Bus 8 (230 kV)")
    assert bus_8.count("▁") >= 2  # the voltage is low once, and so is the frequency of the swing
    assert bus_8.rstrip().endswith("1.000")
    assert "48000 of 48000 measurements" in caption
    assert max(map(len, (line.rstrip() for line in [heads, *buses]))) <= 80


def test_it_grows_with_the_recording(fault: MeasurementBatch, fault_files: tuple[str, str]) -> None:
    view = view_of(fault, Metadata.from_file(fault_files[1]))
    assert "█" not in "".join(shown(view))
    view.add(MeasurementBatch(fault.columns.select(slice(0, 40 * 100)), fault.signals))
    assert str(view).startswith(" 1.6 s, 4000 of 48000 measurements; lowest voltage so far 1.000 per unit at ")
    view.add(MeasurementBatch(fault.columns.select(slice(40 * 100, 40 * 300)), fault.signals))
    assert "lowest voltage so far 0.431 per unit at Bus 8" in str(view)


def test_a_wide_terminal_is_used(fault: MeasurementBatch, fault_files: tuple[str, str]) -> None:
    view = view_of(fault, Metadata.from_file(fault_files[1]), width=160)
    view.add(fault)
    assert 140 < max(len(line.rstrip()) for line in shown(view, 160)) <= 160


def test_signals_that_are_no_voltage_or_frequency_are_only_counted(fault: MeasurementBatch) -> None:
    view = view_of(fault, Metadata())
    view.add(MeasurementBatch(fault.columns.select(np.arange(10)), fault.signals))
    assert str(view) == " 0.0 s, 10 of 48000 measurements"
