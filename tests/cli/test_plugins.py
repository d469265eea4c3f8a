from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

import pytest

from sttp.cli import main
from sttp.transport import load_plugins
from sttp.transport import plugins as plugins_module
from sttp.transport.plugins import GROUP


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[metadata.EntryPoint]]:
    """The entry points that are found: those that are installed, and what the test adds."""
    found = list(metadata.entry_points(group=GROUP))
    monkeypatch.setattr(plugins_module.metadata, "entry_points", lambda group: found)
    load_plugins.cache_clear()
    yield found
    load_plugins.cache_clear()


def broken() -> metadata.EntryPoint:
    return metadata.EntryPoint("quic", "no_such_module_of_anyone", GROUP)


def clashing() -> metadata.EntryPoint:
    return metadata.EntryPoint("tcp2", "sttp_tcp", GROUP)


def test_what_is_installed_is_listed_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    table, _, files = capsys.readouterr().out.rpartition("forward+…")
    lines = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    assert lines["tcp://…"].split() == [
        "tcp://…",
        "transport",
        "dial,",
        "listen",
        "sttp-kit",
        metadata.version("sttp-kit"),
        "1",
    ]
    assert lines["reverse+…"].split()[:2] == ["reverse+…", "connectivity"]
    assert "sttp_tcp" in next(line for line in files.splitlines() if line.startswith("tcp://…"))


@pytest.mark.parametrize("columns", ["80", "40"])
def test_no_word_of_the_table_is_broken_however_narrow_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["plugins"]) == 0
    lines = capsys.readouterr().out.splitlines()
    tcp = next(line for line in lines if line.lstrip().startswith("tcp://… "))
    assert tcp.split()[-3:] == ["sttp-kit", metadata.version("sttp-kit"), "1"]
    assert max(len(line.rstrip()) for line in lines if "sttp-kit" in line) <= 80


def test_what_does_not_work_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, points: list[metadata.EntryPoint]
) -> None:
    points += [broken(), clashing()]
    monkeypatch.setenv("STTP_PLUGINS_DENY", "sttp-kit:reverse")
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "set aside: quic (unknown distribution ?): ModuleNotFoundError: No module named 'no_such_mod" in out
    assert "claimed twice: tcp, by tcp (sttp-kit 0.1.0) and tcp2 (unknown distribution ?)" in out
    assert "excluded by STTP_PLUGINS_DENY: reverse (sttp-kit 0.1.0)" in out
    assert "sttp plugins doctor" in out
    assert "reverse+…" not in out


def test_the_doctor_finds_nothing_wrong_with_what_comes_with_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "doctor"]) == 0
    out = capsys.readouterr().out
    assert "works         tcp (sttp-kit 0.1.0): transport tcp://…; door 1" in out
    assert "no problems" in out


def test_the_doctor_says_what_is_wrong_and_what_to_do(
    capsys: pytest.CaptureFixture[str], points: list[metadata.EntryPoint]
) -> None:
    points += [broken(), clashing()]
    assert main(["plugins", "doctor"]) == 1
    out = capsys.readouterr().out
    assert "set aside     quic (unknown distribution ?)" in out
    assert "problem: ModuleNotFoundError: No module named 'no_such_module_of_anyone'" in out
    assert "entry point: quic = no_such_module_of_anyone" in out
    assert "what to do: install what it needs, or uninstall it" in out
    assert "claimed twice tcp2" in out
    assert "what to do: uninstall one of them, or choose one: STTP_PLUGINS_PREFER=tcp=sttp-kit" in out
    assert "3 problems" in out
    assert "Traceback" not in out
    assert main(["plugins", "doctor", "--traceback"]) == 1
    assert "Traceback" in capsys.readouterr().out


def test_the_doctor_speaks_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, points: list[metadata.EntryPoint]
) -> None:
    points.append(broken())
    monkeypatch.setenv("STTP_PLUGINS_DENY", "sttp-kit:reverse, sttp-no-such")
    monkeypatch.setenv("STTP_PLUGINS_PREFER", "tcp=sttp-other")
    assert main(["plugins", "doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    by_name = {each["entry_point"]: each for each in report["plugins"]}
    assert [by_name[name]["state"] for name in ("tcp", "quic", "reverse")] == ["works", "set aside", "excluded"]
    assert by_name["tcp"]["provides"] == [{"name": "tcp", "kind": "transport"}]
    assert by_name["quic"]["traceback"][0].startswith("Traceback")
    assert report["door"] == 1
    assert report["problems"] == 3
    assert report["notes"] == [
        "STTP_PLUGINS_DENY names sttp-no-such, which is not installed",
        "STTP_PLUGINS_PREFER wants tcp from sttp-other, which does not provide it",
    ]


def test_nobody_has_to_read_the_whole_table() -> None:
    command = [sys.executable, "-m", "sttp", "plugins"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, b"")


def test_a_broken_plugin_bricks_no_command_and_its_traceback_can_be_had(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, points: list[metadata.EntryPoint]
) -> None:
    points.append(broken())
    use_it = ["metadata", "pigeon://x"]
    assert main(use_it) == 2
    err = capsys.readouterr().err
    assert err.startswith("sttp: plugin set aside: quic")
    assert "Traceback" not in err
    load_plugins.cache_clear()
    assert main([*use_it, "--debug"]) == 2
    assert "ModuleNotFoundError" in capsys.readouterr().err.partition("Traceback")[2]
    load_plugins.cache_clear()
    monkeypatch.setenv("STTP_PLUGINS_STRICT", "1")
    assert main(use_it) == 1
    assert "STTP_PLUGINS_STRICT=1 makes that fatal" in capsys.readouterr().err
