"""The conformance suite of sttp-kit, over WebSockets: neither has heard of the other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ADAPTER = Path(__file__).resolve().parents[3] / "conformance" / "adapters" / "sttp-kit"


@pytest.mark.skipif(not ADAPTER.is_dir(), reason="the adapter of sttp-kit is in its source tree")
def test_the_conformance_suite_runs_over_it(tmp_path: Path) -> None:
    for file in ADAPTER.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    adapter = tmp_path / "adapter.toml"
    told, count = re.subn(r"^tcp = .*$", 'ws = "127.0.0.1:0/sttp"', adapter.read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1
    adapter.write_text(told, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "sttp", "conformance", "run", str(tmp_path), "-k", "noop", "--jobs", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for way in ("forward over ws", "reverse over ws"):
        assert re.search(rf"passed takes_noop_at_any_time \(subscriber, {way}\)", ran.stderr), ran.stderr
