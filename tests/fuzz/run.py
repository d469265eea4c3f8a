"""Fuzz one target with Atheris, from the seeds and what earlier runs have kept.

    python tests/fuzz/run.py TARGET [--seconds S]     (Linux; pip install atheris)
    python tests/fuzz/run.py --all [--seconds S]
    python tests/fuzz/run.py --keep

What is worth keeping goes to `.fuzz/TARGET`, and so does what was found, as `crash-…`. `--keep` takes it over into
`tests/fuzz/corpus`, where the next run begins and which the tests try.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent.parent / ".fuzz"
LONGEST = 2048
"""Bytes of an input that is taken into the corpus."""


def fuzz(name: str, seconds: int) -> None:
    """Run one target in this process, which does not return."""
    import atheris  # noqa: PLC0415 - only here is it needed

    sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
    with atheris.instrument_imports(include=["sttp"]):
        from targets import SEEDS, TARGETS, STTPError, corpus  # noqa: PLC0415 - instrumented as it is imported

    kept = KEPT / name
    kept.mkdir(parents=True, exist_ok=True)
    for seed in (*SEEDS[name](), *corpus(name)):
        (kept / f"seed-{hashlib.sha1(seed, usedforsecurity=False).hexdigest()}").write_bytes(seed)

    def once(data: bytes) -> None:
        if data:
            with suppress(STTPError):
                TARGETS[name](data)

    options = [sys.argv[0], str(kept), f"-max_total_time={seconds}", f"-artifact_prefix={kept}/", "-timeout=20"]
    atheris.Setup([*options, "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1"], once)
    atheris.Fuzz()


def keep(name: str) -> None:
    """Write down what the fuzzer has kept for one target; what it began with is in the code."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
    from targets import corpus, write_corpus  # noqa: PLC0415 - not instrumented

    inputs = [path.read_bytes() for path in (KEPT / name).iterdir() if "-" not in path.name]
    short = [each for each in inputs if len(each) <= LONGEST]
    write_corpus(name, {*corpus(name), *short})
    print(f"{name}: {len(short)} of {len(inputs)} inputs are kept", flush=True)


NAMES = (
    "commands", "responses", "packets", "metadata", "filters", "publisher_session", "subscriber_session", "trust",
)  # fmt: skip


def main() -> int:
    """Run what was asked for; return how many targets have found something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--seconds", type=int, default=600)
    wanted = parser.parse_args()
    if wanted.target:
        fuzz(wanted.target, wanted.seconds)
    if wanted.keep:
        for name in NAMES:
            keep(name)
        return 0
    failed = []
    for name in NAMES if wanted.all else ():
        print(f"== {name}, {wanted.seconds} s", flush=True)
        if subprocess.run([sys.executable, __file__, name, "--seconds", str(wanted.seconds)], check=False).returncode:
            failed.append(name)
    print(
        f"{len(NAMES) - len(failed)} of {len(NAMES)} targets found nothing{': ' if failed else ''}{', '.join(failed)}"
    )
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
