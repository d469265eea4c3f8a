"""Break one line of `sttp.wire` or `sttp.session` at a time, and see whether the tests notice.

Each mutant is a plausible mistake: a bound off by one, a rule of the wire forgotten, state that outlives what it
belongs to. The package is copied, one line of the copy is changed, and the tests of that layer run against it until one
fails.

    python tests/mutation/mutants.py [NUMBER ...]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 300
"""Seconds that the tests may take; undisturbed they take some twenty."""
TESTS = {"wire": ["tests/wire"], "session": ["tests/session"]}


@dataclass(frozen=True)
class Mutant:
    """One changed line.

    Attributes:
        file: below `sttp`.
        line: the text that is replaced; it stands once in the file.
        by: what replaces it.
        mistake: what went wrong, in words.
    """

    file: str
    line: str
    by: str
    mistake: str


MUTANTS = [
    Mutant("wire/frame.py", "if length > self.limit:", "if length >= self.limit:", "the longest frame is refused"),
    Mutant("wire/frame.py", "if frame:\n", "if True:\n", "empty frames are handed out"),
    Mutant("wire/fields.py", "room -= size", "pass", "each gzip member has a limit"),
    Mutant("wire/fields.py", "prefix == len(raw) - 4", "prefix <= len(raw) - 4", "texts lose their first four bytes"),
    Mutant("wire/responses.py", "if length < 0 or end > len(rest):", "if length < 0:", "lengths beyond the frame pass"),
    Mutant("wire/responses.py", "byte == 0xFF and", "byte == 0xFE and", "the placeholder of pyapi means slot 1"),
    Mutant("wire/signal_index_cache.py", "if least < 0:", "if least < -1:", "the signal index -1 passes"),
    Mutant("wire/compact.py", "near = (times > base)", "near = (times >= base)", "an offset of zero is written"),
    Mutant("wire/compact.py", "2 ** (8 * self.offset_bytes) - 1", "2 ** (8 * self.offset_bytes)",
           "offsets reach too far"),
    Mutant("wire/tssc.py", "else 1\n", "else 0\n", "the sequence wraps to 0, which means a reset"),
    Mutant("wire/subscription.py", "if len(terms) == 2:", "if len(terms) >= 2:", "a=b=c is taken for a pair"),
    Mutant("wire/data_packet.py", "if count < 0:", "if count < -1:", "a count of -1 passes"),
    Mutant("wire/cipher.py", "if not secret or len", "if len", "no bytes are taken for cipher text"),
    Mutant("session/publisher.py", "self._handover.next_index if", "self._handover.index if",
           "the first cache has index 1"),
    Mutant("session/handover.py", "self.in_force, self._offered = self._offered, None",
           "self.in_force = self._offered", "a second confirm installs the cache again"),
    Mutant("session/publisher.py", "self._handover.forget()", "pass", "data goes on after Unsubscribe"),
    Mutant("session/publisher.py", "self._frames.limit = self._config.limits.command",
           "self._frames.limit = self._config.limits.first_command", "the first limit stays in force"),
    Mutant("session/publisher.py", "cipher.active ^= 1", "pass", "a rotation does not change the active key"),
    Mutant("session/publisher.py", "base_times_for(columns.ticks, self._subscription.base_times, time_format)", "None",
           "base times are never announced"),
    Mutant("session/subscriber.py", "if bytes(begin[:2]) != bytes", "if True or bytes(begin[:2]) != bytes",
           "long metadata that come first are refused"),
    Mutant("session/subscriber.py", "self._subscription = ReceivedSubscription(retired",
           "_ = ReceivedSubscription(retired",
           "caches outlive Unsubscribe"),
    Mutant("session/subscriber.py", "self._deadlines.pop(_Timer.RESYNCHRONISE, None)\n        self._collect",
           "self._collect", "a stream that is in step again ends all the same"),
    Mutant("session/subscriber.py", "if not known.all():", "if False:", "records with unknown indexes are delivered"),
    Mutant("session/subscriber.py", "if signals is not self._received_signals:", "if self._received_signals is None:",
           "packets of two caches become one batch"),
    Mutant("session/subscriber.py", "if self._subscription.incoming:", "if False:",
           "packets that may be of either cache are read with the old one"),
    Mutant("session/conversation.py", "if key in TOLERATED:", "if True:", "nothing is ever out of order"),
    Mutant("session/base_times.py", "0 < newest - current.times[0] < reach", "newest - current.times[0] < reach",
           "base times are not renewed when time steps back"),
]  # fmt: skip


def survives(mutant: Mutant, folder: Path) -> bool:
    """Whether no test notices."""
    package = folder / "sttp"
    shutil.copytree(REPOSITORY / "sttp", package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    file = package / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.line) != 1:
        raise SystemExit(f"{mutant.file} has {text.count(mutant.line)} times: {mutant.line!r}")
    file.write_text(text.replace(mutant.line, mutant.by), encoding="utf-8")
    for name in ("plugins", "tests", "pyproject.toml"):
        (folder / name).symlink_to(REPOSITORY / name)
    tests = TESTS[mutant.file.partition("/")[0]]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", *tests]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, folder / "plugins")))}
    try:
        finished = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return False  # a loop without end is noticed by whoever waits for it
    if finished.returncode not in (0, 1):
        raise SystemExit(f"the tests did not run:\n{finished.stdout}{finished.stderr}")
    return finished.returncode == 0


def main() -> None:
    """Try the mutants, or those whose numbers are given, and say who survived."""
    chosen = [int(number) for number in sys.argv[1:]] or list(range(1, len(MUTANTS) + 1))
    survivors = []
    for number in chosen:
        mutant = MUTANTS[number - 1]
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            survived = survives(mutant, Path(folder))
        verdict = "SURVIVED" if survived else "noticed "
        print(f"{number:3} {verdict} {time.monotonic() - begin:5.1f} s  {mutant.file}: {mutant.mistake}", flush=True)
        survivors += [mutant] if survived else []
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants were noticed")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
