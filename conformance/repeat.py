"""Run the suite again and again over TCP with all cores loaded, and see whether the verdicts are equal each time.

python conformance/repeat.py conformance/adapters/sttp-kit [RUNS [WORD ...]]
"""

# ruff: noqa: T201 - a program
from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from sttp_conformance.adapter import read_adapter
from sttp_conformance.runner import run
from sttp_conformance.selection import Selection
from sttp_conformance.verdicts import RunRecord

LONGEST = 180.0
"""Seconds that a quick run may take on a quiet machine."""


def verdicts(record: RunRecord) -> dict[str, str]:
    """Each verdict by what it is about."""
    return {str(result): result.verdict.value for result in record.results}


def main(adapter: str, runs: str = "10", *words: str) -> int:
    """Make the runs, and say what differs."""
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    first: dict[str, str] = {}
    differing: set[str] = set()
    try:
        for number in range(1, int(runs) + 1):
            record = asyncio.run(run(read_adapter(Path(adapter)), Selection(words=words, transports=("tcp",))))
            found = verdicts(record)
            first = first or found
            apart = {each for each in first.keys() | found.keys() if first.get(each) != found.get(each)}
            differing |= apart
            print(f"run {number}: {len(found)} verdicts in {record.seconds:.0f} s, {len(apart)} others than in run 1")
            for each in sorted(apart):
                print(f"  {each}: {first.get(each)}, now {found.get(each)}")
    finally:
        for process in load:
            process.kill()
            process.wait()
    print(f"{len(differing)} verdicts differ between {runs} runs with all cores loaded")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
