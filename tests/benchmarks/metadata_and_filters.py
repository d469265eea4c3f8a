"""How fast metadata of a large system is read and filtered, beside the published Python implementation, sttpapi.

Both are measured in one run, in turn, each in a process of its own: sttpapi needs an environment of its own, because
both install a package called `sttp`. Without `--peer` one is made in a temporary directory, for which a package index
must be within reach. Each number is the median of the runs, with the smallest and the largest; wall time and, because
machines are shared, processor time.

    python tests/benchmarks/metadata_and_filters.py [--signals N] [--runs N] [--peer PYTHON] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

PEER = "sttpapi==0.7.6"
EXPRESSION = "FILTER ActiveMeasurements WHERE SignalType = 'FREQ' OR PointTag LIKE '%V1M'"

WORKER = """
import json, sys, time

def timed(work):
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu

fleet, active, expression = sys.argv[1:4]
documents = [open(path, "rb").read() for path in (fleet, active)]
{body}
for line in sys.stdin:
    count, wall, cpu = timed(TASKS[line.strip()])
    print(json.dumps([count() if callable(count) else count, wall, cpu]), flush=True)
"""

OURS = """
from sttp.filter_expression import select_rows
from sttp.metadata import Metadata, read_dataset
table = read_dataset(documents[1]).table("ActiveMeasurements")

def fresh():
    # a table of which nothing is remembered
    global dataset
    from sttp.metadata import DataSet, Table
    dataset = DataSet(tables=(Table(table.name, table.columns, table.cells),))
    return len(table)

def read():
    found = Metadata.read(documents[0])
    return len(found.dataset.table("MeasurementDetail"))

def filter_rows():
    return len(select_rows(expression, dataset)[0].rows)

TASKS = {"read": read, "fresh": fresh, "filter": filter_rows}
"""

THEIRS = """
from sttp.data.dataset import DataSet
from sttp.data.filterexpressionparser import FilterExpressionParser

def read_from(document):
    found, error = DataSet.from_xml(document)
    if error is not None:
        raise error
    return found

dataset = read_from(documents[1])

def read():
    return read_from(documents[0])["MeasurementDetail"].rowcount

def filter_rows():
    rows, error = FilterExpressionParser.select_datarows(dataset, expression, "ActiveMeasurements", None, True)
    if error is not None:
        raise error
    return len(rows)

TASKS = {"read": read, "filter": filter_rows}
"""


class Worker:
    """A process that does one task after the other, and says how long each took."""

    def __init__(self, python: str, body: str, *arguments: str) -> None:
        source = WORKER.replace("{body}", body)
        # isolated, so that neither finds the other in the working directory
        self._process = subprocess.Popen(
            [python, "-I", "-c", source, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, task: str) -> tuple[int, float, float]:
        """Do `task`; gives its count, and wall and processor seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{task}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process that measures {task} has ended")
        count, wall, cpu = json.loads(line)
        return count, wall, cpu

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def fleet(signals: int) -> Any:
    """Metadata of PMUs with twenty signals each, with the tags that such systems have."""
    from sttp.metadata import Metadata, simulated_metadata  # noqa: PLC0415 - the other environment has none of ours

    simulated = simulated_metadata(signals)
    table = simulated.dataset.table("MeasurementDetail")
    tags = [str(tag).replace(":PHASOR", ":V").replace(":ANALOG", ":A") for tag in table.column("PointTag")]
    descriptions = [
        f"{text}, in the transmission network of the simulated utility" for text in table.column("Description")
    ]
    replaced = {"PointTag": tags, "Description": descriptions}
    cells = tuple(
        tuple(replaced.get(column.name, values)) for column, values in zip(table.columns, table.cells, strict=True)
    )
    return Metadata(simulated.dataset.with_table(type(table)(table.name, table.columns, cells)))


def write_documents(directory: Path, signals: int) -> tuple[str, str]:
    """The metadata as a publisher sends them, and ActiveMeasurements as a data set of its own."""
    from sttp.metadata import DataSet, write_dataset  # noqa: PLC0415 - as above

    metadata = fleet(signals)
    paths = directory / "fleet.xml", directory / "active.xml"
    paths[0].write_bytes(metadata.write())
    paths[1].write_bytes(write_dataset(DataSet(tables=(metadata.active_measurements,))))
    return str(paths[0]), str(paths[1])


def peer_environment(directory: Path) -> str:
    """The interpreter of a new environment with sttpapi."""
    venv.create(directory, with_pip=True)
    python = str(directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True, stdout=sys.stderr)
    return python


Times = dict[str, dict[str, list[tuple[float, float]]]]


def measure(options: argparse.Namespace, note: Callable[[str], None]) -> tuple[Times, dict[str, int]]:
    """Wall and processor seconds by task and side; and how many rows each task found."""
    times: Times = {}
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        note("making the documents ...")
        documents = write_documents(Path(scratch), options.signals)
        counts["bytes"] = Path(documents[0]).stat().st_size
        peer = options.peer or peer_environment(Path(scratch, "environment"))
        sides = {
            "sttp-kit": Worker(sys.executable, OURS, *documents, EXPRESSION),
            "sttpapi": Worker(peer, THEIRS, *documents, EXPRESSION),
        }

        def timed(task: str, side: str, name: str) -> None:
            count, wall, cpu = sides[side].run(task)
            if counts.setdefault(name, count) != count:
                raise SystemExit(f"{name}: {side} found {count} rows, and another {counts[name]}")
            times.setdefault(name, {}).setdefault(side, []).append((wall, cpu))

        for run in range(options.runs):
            note(f"run {run + 1} of {options.runs} ...")
            for side in sides:
                timed("read", side, "read metadata")
            sides["sttp-kit"].run("fresh")
            timed("filter", "sttp-kit", "filter, first time")
            timed("filter", "sttpapi", "filter, first time")
            timed("filter", "sttp-kit", "filter, again")
            times.setdefault("filter, again", {})["sttpapi"] = times["filter, first time"]["sttpapi"]
        for worker in sides.values():
            worker.close()
    return times, counts


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer", metavar="PYTHON", help=f"interpreter of an environment with {PEER}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    times, counts = measure(options, lambda text: print(text, file=sys.stderr, flush=True))
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "",
        "python": platform.python_version(),
        "signals": options.signals,
        "runs": options.runs,
        **counts,
    }
    if options.json:
        print(json.dumps({**about, "seconds": times}))
        return
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    for name, by_side in times.items():
        for which, clock in enumerate(("wall", "processor")):
            medians = {}
            for side, runs in by_side.items():
                seconds = [each[which] for each in runs]
                medians[side] = statistics.median(seconds)
                spread = f"({min(seconds):.3f} to {max(seconds):.3f})"
                print(f"{name:20} {side:9} {clock:10} {medians[side]:8.3f} s   {spread}")
            print(f"{name:20} {'ratio':9} {clock:10} {medians['sttpapi'] / medians['sttp-kit']:8.1f}")


if __name__ == "__main__":
    main()
