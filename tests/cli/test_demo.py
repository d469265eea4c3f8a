from __future__ import annotations

import signal

import pytest

from running import Start
from sttp.cli import demo, main
from sttp.cli.fingerprint import Fingerprint


def test_both_directions_deliver_exactly_what_was_published(start: Start) -> None:
    code, out, err = start("demo", "--fast").ended()
    assert (code, err) == (0, "")
    *_, file, forward, reverse, verdict = out.splitlines()
    assert [line.split()[0] for line in (file, forward, reverse)] == ["file", "forward", "reverse"]
    assert file.split()[1:] == forward.split()[1:] == reverse.split()[1:]
    assert file.split()[1] == "48000"
    assert len(file.split()[2]) == 64
    assert verdict == "Both directions delivered exactly what was published."


def test_anything_else_is_a_failure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*arguments: object) -> Fingerprint:
        return Fingerprint()

    monkeypatch.setattr(demo, "_received", nothing)
    monkeypatch.setattr("sttp.cli.publishing_process._PATIENCE", 0.5)
    assert main(["demo", "--fast"]) == 1
    assert capsys.readouterr().err.startswith("sttp: error: ")


def test_it_can_be_interrupted(start: Start) -> None:
    running = start("demo")
    assert running.read_line().startswith("Forward: the subscriber dials the publisher, tcp://127.0.0.1:")
    running.stop(signal.SIGINT)
    code, _, err = running.ended()
    assert code == 130
    assert "Traceback" not in err
