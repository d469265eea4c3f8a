"""Build everything that can be handed out, and try it: source distribution, compiled wheel and pure wheel.

Both wheels are built from the source distribution. Each is installed into a fresh environment of every Python from 3.11
on that is found, where the loops must be compiled or not, as the name of the wheel says; the demonstration must deliver
both directions bit for bit, and a pure wheel must come of a build that finds no compiler.

    python tests/wheels/try_wheels.py [PYTHON...]

Without arguments, python3.11 and its successors on the path and those of pyenv are tried. What was built is left in
dist. A package index must be within reach.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
MINORS = range(11, 16)

VERSION = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3]); sys.exit(sys.version_info < (3, 11))"
COMPILED = "from sttp import _routing; from sttp.wire import _compact, _tssc; " + (
    "print(*{loops.COMPILED for loops in (_routing, _compact, _tssc)})"
)


def run(*command: str | Path, where: Path = ROOT, **variables: str) -> str:
    """Run a command, and return what it says on stdout; a failure ends this program with what it said."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=where, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}\nfailed with exit code {done.returncode}")
    return done.stdout.strip()


def pythons(named: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Interpreters with their versions: those named, or one of each minor version that is here."""
    roots = [Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"]
    found: dict[str, str] = {}
    candidates = list(named) or [
        *(each for minor in MINORS if (each := shutil.which(f"python3.{minor}"))),
        *(str(each / "bin" / "python") for root in roots if root.is_dir() for each in sorted(root.iterdir())),
    ]
    for candidate in candidates:
        try:
            tried = subprocess.run([candidate, "-c", VERSION], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if tried.returncode == 0:
            found.setdefault(tried.stdout.strip().rpartition(".")[0], candidate)
        elif named:
            sys.exit(f"{candidate} is no Python 3.11 or newer with venv")
    yield from ((candidate, version) for version, candidate in found.items())


def built(directory: Path, *command: str | Path, **variables: str) -> Path:
    """What a command leaves in a directory that was empty."""
    run(*command, **variables)
    (found,) = directory.iterdir()
    return found


def build(scratch: Path) -> tuple[Path, Path]:
    """The source distribution, and of it both wheels: compiled, and pure."""
    tools = scratch / "tools" / "bin" / "python"
    run(sys.executable, "-m", "venv", tools.parent.parent)
    run(tools, "-m", "pip", "install", "-q", "build")
    sdist = built(scratch / "sdist", tools, "-m", "build", "-q", "--sdist", "--outdir", scratch / "sdist")
    print(f"built     {sdist.name}", flush=True)

    def wheel(name: str, **variables: str) -> Path:
        directory = scratch / name
        pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", directory, sdist)
        found = built(directory, *pip, **variables)
        print(f"built     {found.name}   {' '.join(f'{key}={value}' for key, value in variables.items())}", flush=True)
        return found

    compiled, pure = wheel("compiled", STTP_REQUIRE_EXTENSION="1"), wheel("pure", STTP_PURE="1")
    fallback = wheel("fallback", CC=str(scratch / "no-compiler"))
    if "abi3" not in compiled.name:
        sys.exit(f"{compiled.name} should be for the stable ABI")
    for each in (pure, fallback):
        if not each.name.endswith("-py3-none-any.whl"):
            sys.exit(f"{each.name} has nothing compiled in it, and should be for any platform")
    DIST.mkdir(exist_ok=True)
    for each in (sdist, compiled, pure):
        shutil.copy(each, DIST)
    return compiled, pure


def try_out(python: str, version: str, wheel: Path, scratch: Path) -> None:
    """Install a wheel in an environment of its own, and use it."""
    environment = scratch / f"{version}-{wheel.name}"
    run(python, "-m", "venv", environment)
    inside = environment / "bin" / "python"
    run(inside, "-m", "pip", "install", "-q", wheel)
    expected = "False" if "none-any" in wheel.name else "True"
    # -I: neither this tree nor PYTHONPATH is looked at
    if (found := run(inside, "-I", "-c", COMPILED, where=scratch)) != expected:
        sys.exit(f"Python {version}, {wheel.name}: loops compiled {found}, expected {expected}")
    run(environment / "bin" / "sttp", "--version", where=scratch)  # what is slow only once, such as a cold disk
    verdict = run(environment / "bin" / "sttp", "demo", "--fast", where=scratch).splitlines()[-1]
    print(f"tried     Python {version}, {wheel.name}: {verdict}", flush=True)


def main() -> None:
    """Build, and try."""
    here = list(pythons(sys.argv[1:]))
    print(f"found     Python {', '.join(version for _, version in here)}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        wheels = build(scratch)
        for python, version in here:
            for wheel in wheels:
                try_out(python, version, wheel, scratch)


if __name__ == "__main__":
    main()
