"""How long `import sttp` takes, against the bare imports of what it stands on; and that nothing of the CLI comes.

python tests/benchmarks/import_time.py [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

BARE = "import asyncio, ssl, numpy, construct, pluggy"
OF_THE_CLI = ("sttp.cli", "typer", "rich", "click")

ENDS = "from sttp import Publisher, Subscriber"
"""What a program imports that moves measurements; `import sttp` alone imports its parts when they are used."""

PROGRAM = """
import sys, time
begin = time.process_time(), time.perf_counter()
{imports}
cpu, wall = time.process_time() - begin[0], time.perf_counter() - begin[1]
print(cpu, wall, *(name for name in sys.argv[1:] if name in sys.modules))
"""


def import_once(imports: str) -> tuple[float, float, list[str]]:
    """Processor and wall seconds for some imports in a new process, and what came of the command line's."""
    program = PROGRAM.format(imports=imports)
    out = subprocess.run(
        [sys.executable, "-c", program, *OF_THE_CLI], capture_output=True, check=True, text=True
    ).stdout.split()
    return float(out[0]), float(out[1]), out[2:]


def measure(runs: int) -> dict[str, list[float]]:
    """Milliseconds of processor and wall time of each run, and their ratio in processor time."""
    found: dict[str, list[float]] = {}
    for imports in (BARE, ENDS):
        import_once(imports)  # compiles to byte code and warms the disk's cache
    for _ in range(runs):
        bare, bare_wall, _ = import_once(BARE)
        alone, _, _ = import_once("import sttp")
        ours, ours_wall, of_the_cli = import_once(ENDS)
        if of_the_cli:
            raise SystemExit(f"{ENDS} also imports {', '.join(of_the_cli)}")
        for name, value in (
            ("bare, CPU ms", 1000 * bare),
            ("bare, wall ms", 1000 * bare_wall),
            ("sttp alone, CPU ms", 1000 * alone),
            ("both ends, CPU ms", 1000 * ours),
            ("both ends, wall ms", 1000 * ours_wall),
            ("ratio, sttp alone", alone / bare),
            ("ratio, both ends", ours / bare),
        ):
            found.setdefault(name, []).append(value)
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.runs)
    if options.json:
        print(json.dumps(found))
        return
    for name, values in found.items():
        print(f"{name:14} {statistics.median(values):8.2f}   ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
