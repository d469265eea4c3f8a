"""A user's afternoon: a fresh environment, two wheels, and streams over a transport that is a distribution of its own.

It makes a virtual environment, installs `sttp-kit` and `sttp-websocket` into it from a folder of wheels (what these
need comes from the package index), and then does nothing but run `sttp`. A publisher and a subscriber stream the
recording of the fault over `tcp`, `ws` and `reverse+ws`; what arrives has the same checksum each time. Run:
`make plugins`.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

DISTRIBUTIONS = ("sttp-kit", "sttp-websocket")
URLS = ("tcp://127.0.0.1:0", "ws://127.0.0.1:0/grid", "reverse+ws://127.0.0.1:0/grid")
MEASUREMENTS = 48_000
SECONDS = 60


class Environment:
    """A fresh environment with what is in a folder of wheels."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--quiet"]
        quiet = ["--disable-pip-version-check", "--no-input", "--root-user-action=ignore"]
        subprocess.run([*pip, *quiet, "--find-links", str(wheels), *DISTRIBUTIONS], check=True)

    def sttp(self, *arguments: str, stdout: int | None = None) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            [str(self.bin / "sttp"), *arguments],
            cwd=self.bin,  # anywhere but in the source tree
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def recording(self) -> Sequence[str]:
        """Options that publish the recording that rides in the package, as fast as it goes."""
        code = "import pathlib, sttp; print(pathlib.Path(sttp.__file__).parent / 'data')"
        found = subprocess.run(
            [str(self.bin / "python"), "-c", code], capture_output=True, text=True, check=True, cwd=self.bin
        )
        data = Path(found.stdout.strip())
        csv, metadata = data / "kundur-two-area-fault-60fps.csv", data / "kundur-two-area-fault.metadata.xml"
        return ("--csv", str(csv), "--metadata", str(metadata), "--rate", "0")

    def stream(self, url: str) -> str:
        """Publish and subscribe at a URL; the checksum of what the subscriber has written."""
        wanted = ("--format", "csv", "--count", str(MEASUREMENTS))
        if url.startswith("reverse+"):
            subscriber = self.sttp("subscribe", url, *wanted, stdout=subprocess.PIPE)
            publisher = self.sttp("publish", _bound(subscriber), *self.recording())
        else:
            publisher = self.sttp("publish", url, *self.recording())
            subscriber = self.sttp("subscribe", _bound(publisher), *wanted, stdout=subprocess.PIPE)
        try:
            out, err = subscriber.communicate(timeout=SECONDS)
            _, errors = publisher.communicate(timeout=SECONDS)
        finally:
            for each in (publisher, subscriber):
                each.kill()
                each.communicate()
        assert subscriber.returncode == 0, err
        assert publisher.returncode == 0, errors
        return hashlib.sha256(out.encode()).hexdigest()


def _bound(listening: subprocess.Popen[str]) -> str:
    assert listening.stderr is not None
    line = listening.stderr.readline()
    assert line.startswith("listening "), line + listening.stderr.read()
    return line.removeprefix("listening ").strip()


def main(wheels: Path) -> int:
    """Play it; 0 when every checksum is the same."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"A fresh environment with {' and '.join(DISTRIBUTIONS)} from {wheels} ...")
        environment = Environment(Path(folder) / "fresh", wheels)
        checksums = {url: environment.stream(url) for url in URLS}
    for url, checksum in checksums.items():
        print(f"{url:32} {MEASUREMENTS} measurements, SHA-256 {checksum[:16]}…")
    if len(set(checksums.values())) != 1:
        print("They differ.", file=sys.stderr)
        return 1
    print("The same over each of them.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
