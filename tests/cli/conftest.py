"""Commands as processes of their own, on the loopback, at ports that the system chooses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import sttp
from running import Running, Start
from sttp.cli.replay import Replay
from sttp.measurement import Columns, MeasurementBatch
from sttp.metadata import Metadata


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `sttp` with arguments. What still runs at the end of the test is killed."""
    running: list[Running] = []

    def started(*arguments: str) -> Running:
        running.append(Running(arguments))
        return running[-1]

    yield started
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


@pytest.fixture(scope="session")
def fault_files() -> tuple[Path, Path]:
    """The recording of the simulated fault that rides in the package: CSV and metadata."""
    assert sttp.__file__ is not None
    data = Path(sttp.__file__).parent / "data"
    return data / "kundur-two-area-fault-60fps.csv", data / "kundur-two-area-fault.metadata.xml"


@pytest.fixture(scope="session")
def fault(fault_files: tuple[Path, Path]) -> MeasurementBatch:
    """All measurements of the recording, in order."""
    csv, metadata_file = fault_files
    metadata = Metadata.from_file(metadata_file)
    batch = MeasurementBatch(Columns.concatenate(list(Replay(csv, metadata.signals))), metadata.signals)
    assert len(batch) == 48_000
    assert np.isfinite(batch.value).all()
    return batch


@pytest.fixture
def publish_fault(fault_files: tuple[Path, Path]) -> list[str]:
    """Options of `sttp publish` that send the recording as fast as possible."""
    csv, metadata = fault_files
    return ["--csv", str(csv), "--metadata", str(metadata), "--rate", "0"]
