"""How long `import sttp`, `sttp --help` and the first URL take, with more and more plugins installed.

The plugins are real distributions with a module each, installed into a folder of their own. Medians of alternating
runs, with the fastest and the slowest. Run: `python tests/benchmarks/plugins.py`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

from plugin_crowd import install_crowd

COUNTS = (0, 10, 100, 500)
RUNS = 11
PROGRAMS = {
    "import sttp": ["-c", "import sttp"],
    "sttp --help": ["-m", "sttp", "--help"],
    "sttp --version": ["-m", "sttp", "--version"],
    "the first URL": ["-c", "from sttp.transport import parse_endpoint; parse_endpoint('tcp://hub')"],
}


def seconds(arguments: list[str], folder: Path) -> float:
    """How long one run takes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path[1:]])}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-P", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    load = os.getloadavg()[0]
    print(f"{RUNS} alternating runs, {os.cpu_count()} cores, load {load:.1f}; median (fastest-slowest) in ms")
    with tempfile.TemporaryDirectory() as folder:
        crowds = {count: Path(folder) / str(count) for count in COUNTS}
        for count, crowd in crowds.items():
            install_crowd(crowd, count)
        for name, arguments in PROGRAMS.items():
            taken: dict[int, list[float]] = {count: [] for count in COUNTS}
            for _ in range(RUNS):
                for count, crowd in crowds.items():
                    taken[count].append(1000 * seconds(arguments, crowd))
            told = (
                f"{count:4} plugins {statistics.median(each):6.0f} ({min(each):.0f}-{max(each):.0f})"
                for count, each in taken.items()
            )
            print(f"{name:16}{'  '.join(told)}")


if __name__ == "__main__":
    main()
