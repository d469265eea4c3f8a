"""The Python of the other environment, and what is sent through it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import sttp
from interop_peer import StartPeer, peer_program
from running import Running, Start
from sttp.cli.replay import Replay
from sttp.measurement import Columns, MeasurementBatch
from sttp.metadata import Metadata

WANTED = (Path(__file__).parent / "requirements.txt").read_text(encoding="utf-8").splitlines()[-1]


@pytest.fixture(scope="session")
def peer_python(repository: Path) -> Path:
    """The Python that has `sttpapi`. `make test` sees to it where a package index can be reached."""
    python = Path(os.environ.get("STTP_INTEROP_PYTHON", repository / ".venv" / "interop" / "bin" / "python"))
    if not _has_it(python):
        message = (
            f"interoperability is not tested: no {WANTED} in {python}; `make interop` gets it from a package index"
        )
        if os.environ.get("STTP_REQUIRE_INTEROP"):
            pytest.fail(message)
        pytest.skip(message)
    return python


def _has_it(python: Path) -> bool:
    distribution, _, version = WANTED.partition("==")
    code = f"from importlib.metadata import version; assert version({distribution!r}) == {version!r}"
    try:
        return subprocess.run([python, "-E", "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="session")
def peer_subscriber(peer_python: Path) -> Iterator[StartPeer]:
    """Runs a subscriber of `sttpapi`."""
    with peer_program(peer_python, "peer_subscriber") as start:
        yield start


@pytest.fixture(scope="session")
def peer_publisher(peer_python: Path) -> Iterator[StartPeer]:
    """Runs a publisher of `sttpapi`."""
    with peer_program(peer_python, "peer_publisher") as start:
        yield start


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
def metadata(fault_files: tuple[Path, Path]) -> Metadata:
    """Ten buses with four signals each."""
    return Metadata.from_file(fault_files[1])


@pytest.fixture(scope="session")
def fault(fault_files: tuple[Path, Path], metadata: Metadata) -> MeasurementBatch:
    """All measurements of the recording, in order."""
    batch = MeasurementBatch(Columns.concatenate(list(Replay(fault_files[0], metadata.signals))), metadata.signals)
    assert len(batch) == 48_000
    return batch
