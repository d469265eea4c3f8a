"""Failures of `sttpapi` that the documentation repeats with nothing but a socket: they fail there, and not here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from running import PATIENCE, Start

PUBLISHERS = {
    "cache_size": r"an image of \d+ bytes says that it has \d+",
    "no_filter": r"\d+ signals came, and none was asked for",
}


@pytest.fixture
def by_hand(repository: Path) -> Path:
    """The folder of the scripts."""
    return repository / "docs" / "by_hand"


@contextmanager
def process(command: Sequence[str | Path], folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed at the end."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as made:
        try:
            yield made
        finally:
            made.kill()


def port_of(running: subprocess.Popen[str]) -> str:
    """The port that a process says that it listens on; a library may say that it is 0 before."""
    assert running.stderr is not None
    for line in running.stderr:
        if found := re.match(r"listening on port (\d+)$", line):
            return found[1]
    raise AssertionError("it does not say where it listens")


def tried(by_hand: Path, name: str, port: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", by_hand / f"{name}.py", "127.0.0.1", port]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_publisher_of_sttpapi_fails_by_hand(
    by_hand: Path, repository: Path, peer_python: Path, fault_files: tuple[Path, Path]
) -> None:
    adapter = repository / "conformance" / "adapters" / "sttpapi"
    command = ["./run", "publisher", "0", fault_files[1]]
    with process(command, adapter, STTP_INTEROP_PYTHON=str(peer_python)) as publisher:
        port = port_of(publisher)
        for name, said in PUBLISHERS.items():
            found = tried(by_hand, name, port)
            assert (found.returncode, found.stderr) == (1, "")
            assert re.search(said, found.stdout)


def test_a_publisher_of_ours_does_not(by_hand: Path, start: Start, fault_files: tuple[Path, Path]) -> None:
    csv, metadata = map(str, fault_files)
    port = start("publish", "tcp://127.0.0.1:0", "--csv", csv, "--metadata", metadata).listening().rpartition(":")[2]
    for name, said in PUBLISHERS.items():
        found = tried(by_hand, name, port)
        assert (found.returncode, found.stderr) == (0, "")
        assert re.search(said, found.stdout)


def test_a_subscriber_of_sttpapi_fails_by_hand(by_hand: Path, repository: Path, peer_python: Path) -> None:
    adapter = repository / "conformance" / "adapters" / "sttpapi"
    with process([sys.executable, "-I", "unknown_response.py", "0"], by_hand) as script:
        command = ["./run", "subscriber", f"127.0.0.1:{port_of(script)}", "1", "5"]
        with process(command, adapter, STTP_INTEROP_PYTHON=str(peer_python)):
            said, _ = script.communicate(timeout=PATIENCE)
    assert (script.returncode, said.partition(": ")[2]) == (1, "after 9e the subscriber closed the connection\n")


def test_a_subscriber_of_ours_does_not(by_hand: Path, start: Start) -> None:
    with process([sys.executable, "-I", "unknown_response.py", "0"], by_hand) as script:
        start("subscribe", f"tcp://127.0.0.1:{port_of(script)}")
        said, _ = script.communicate(timeout=PATIENCE)
    assert (script.returncode, said.partition(": ")[2]) == (0, "after 9e the subscriber stayed\n")
