"""Fuzz the compiled loops for as long as asked: against uncompiled ones, and no access outside of a buffer.

The loops are compiled anew, into a temporary directory, with the address and the undefined behaviour sanitizers; the
installed ones are left alone. Every array and every block has its own piece of memory then, with guards around, and an
access outside of it ends the run with a report. Needs gcc, Cython and the headers of Python.

    python tests/fuzz/codec.py [--seconds N] [--seed N] [--prove]

First the decoder is handed a block without the bytes that must stand behind it. That has to be caught, or the run would
prove nothing; with `--prove` that is all.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOOPS = ("sttp._routing", "sttp.wire._compact", "sttp.wire._tssc")
FLAGS = ["-shared", "-fPIC", "-O1", "-g", "-fwrapv", "-DPy_LIMITED_API=0x030B0000"]
FOUND = 86  # how the process ends when a sanitizer has found something
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]


def compile_loops(directory: Path) -> None:
    """Compile the loops with sanitizers, beside copies of their sources."""
    for module in LOOPS:
        source = Path(shutil.copy(ROOT.joinpath(*module.split(".")).with_suffix(".py"), directory))
        name = source.stem
        translated = directory / f"{name}.c"
        subprocess.run([sys.executable, "-m", "cython", "-3", source, "-o", translated], check=True)
        include = f"-I{sysconfig.get_path('include')}"
        subprocess.run(
            ["gcc", "-w", *FLAGS, *SANITIZERS, include, translated, "-o", directory / f"{name}.so"], check=True
        )


def run_sanitized(directory: Path, arguments: list[str]) -> int:
    """Run this file again, with the libraries of the sanitizers in front and each object in memory of its own."""
    libraries = [
        subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": f"detect_leaks=0:exitcode={FOUND}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:exitcode={FOUND}",
    }
    command = [sys.executable, __file__, "--loops", str(directory), *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


class SanitizedLoops(MetaPathFinder):
    """Finds the loops in `directory` instead of where they are installed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname not in LOOPS:
            return None
        return importlib.util.spec_from_file_location(fullname, self.directory / f"{fullname.rpartition('.')[2]}.so")


def fuzz(seconds: float, seed: int) -> None:
    """Play rounds until the time is over."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    from codec_fuzz import check  # noqa: PLC0415  # the loops must be in place before
    from codec_loops import ARE_COMPILED  # noqa: PLC0415
    from sttp.wire import tssc  # noqa: PLC0415

    tssc._LARGE = -1  # no block shares memory with others: there would be no guards between them
    assert ARE_COMPILED
    assert not [name for name in LOOPS if ROOT in Path(sys.modules[name].__file__ or "").parents]
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        check(seed + rounds)
        rounds += 1
    print(f"{rounds} rounds from seed {seed} on: the loops agree, and touched nothing that is not theirs.")


def read_behind_a_block() -> None:
    """Decode a block that has no slack behind it."""
    import numpy as np  # noqa: PLC0415

    from sttp.wire import _tssc  # noqa: PLC0415

    assert ROOT not in Path(_tssc.__file__).parents
    stream = np.zeros(_tssc.STREAM_NUMBERS, np.uint64).data
    slots = np.array([_tssc.UNSEEN, _tssc.UNNAMED], np.int32).data
    rows = np.zeros(2 * _tssc.ROW_BYTES, np.uint8).data
    columns = (np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1, np.uint32), np.zeros(1, np.float32))
    block = bytes([0x1F, 1])  # ValueXOR32, of whose four bytes three are missing
    reader = _tssc.Reader(stream, slots, rows)
    reader.fill(*columns)
    reader.decode(block, len(block), 1, 0)


def main() -> None:
    """Compile, and play."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--loops", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loops is not None:
        sys.meta_path.insert(0, SanitizedLoops(options.loops))
        if options.prove:
            read_behind_a_block()
        else:
            fuzz(options.seconds, options.seed)
        return
    with tempfile.TemporaryDirectory() as place:
        print("Compiling the loops with sanitizers ...", flush=True)
        compile_loops(Path(place))
        print("A block without the bytes that must stand behind it; a report must follow:", flush=True)
        if run_sanitized(Path(place), ["--prove"]) != FOUND:
            sys.exit("The sanitizer did not notice the read behind the block: a run would prove nothing.")
        if options.prove:
            return
        print(f"It was noticed, as it must be. Fuzzing for {options.seconds:.0f} s ...", flush=True)
        sys.exit(run_sanitized(Path(place), ["--seconds", str(options.seconds), "--seed", str(options.seed)]))


if __name__ == "__main__":
    main()
