"""Many plugins at once, as pip would leave them: a module and the metadata of a distribution each."""

from __future__ import annotations

from pathlib import Path

__all__ = ["install_crowd"]

_MODULE = """
from sttp.transport import hookimpl
from sttp.transport.memory import MemoryTransport

@hookimpl
def sttp_transports():
    return {{"crowd{number}": MemoryTransport()}}
"""


def install_crowd(folder: Path, count: int) -> None:
    """Put so many into a folder, which then belongs on the path. Each provides the scheme `crowd` with its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"crowd{number}.py").write_text(_MODULE.format(number=number), encoding="utf-8")
        metadata = folder / f"sttp_crowd{number}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sttp-crowd{number}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[sttp.plugins]\ncrowd{number} = crowd{number}\n")
