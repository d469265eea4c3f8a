from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
import typer.main

from sttp import cli
from sttp.cli import main

COMMANDS = [
    "publish", "subscribe", "metadata", "filter", "bench", "doctor", "demo", "cert", "plugins", "conformance",
]  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [["--help"], *([command, "--help"] for command in COMMANDS), ["plugins", "doctor", "--help"]]
)
def test_help_is_complete(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: sttp ")
    assert "--debug" in out
    assert err == ""


def test_help_names_every_command_and_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line][:-1] == COMMANDS


def test_every_option_is_explained() -> None:
    group = typer.main.get_command(cli.app)
    assert list(group.commands) == COMMANDS  # type: ignore[attr-defined]  # it is a group
    for command in [group, *group.commands.values()]:  # type: ignore[attr-defined]
        assert command.help.endswith(".")
        for parameter in command.params:
            assert parameter.help.endswith((".", ")")), (command.name, parameter.name)


def test_without_a_command_the_help_is_shown_and_the_usage_was_bad(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sttp {version('sttp-kit')}\n"


CSV = ["--csv", __file__, "--metadata", __file__]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["plugin"], "Did you mean 'plugins'?"),
        (["publish"], "Missing argument 'URL'. (see sttp publish --help)"),
        (["publish", "tcp://:0"], "say what to publish"),
        (["publish", "tcp://:0", "--csv", __file__], "--csv needs --metadata FILE"),
        (["publish", "tcp://:0", "--simulate", "5", *CSV], "--simulate goes without --csv"),
        (["publish", "tcp://:0", "--simulate", "5", "--rate", "0"], "--simulate goes without"),
        (["publish", "tcp://:0", "--simulate", "five"], "'five' is not N or N@FPS"),
        (["publish", "tcp://:0", "--csv", "no such file", "--metadata", __file__], "does not exist"),
        (["publish", "tcp://:0", *CSV, "--rate", "-1"], "--rate"),
        (["publish", "tpc://:0", "--simulate", "5"], "did you mean tcp?"),
        (["subscribe"], "Missing argument 'URL'"),
        (["subscribe", "localhost"], "write SCHEME://ADDRESS, such as tcp://localhost"),
        (["subscribe", "carrier-pigeon://x"], "installed are transports"),
        (["subscribe", "tcp://x", "--count", "0"], "--count"),
        (["subscribe", "tcp://x", "--encoding", "morse"], "'tssc', 'compact'"),
        (["subscribe", "tcp://x", "--format", "xml"], "--format"),
        (["subscribe", "tcp://x", "--colour"], "No such option: --colour"),
        (["metadata", "x://y"], "no plugin provides 'x'"),
        (["plugins", "extra"], "extra"),
    ],
)
def test_bad_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("sttp: error: ")
    assert reason in err
    assert err.count("\n") == 1
    assert out == ""


def test_a_bad_file_is_a_failure_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "tcp://127.0.0.1:0", *CSV]) == 1
    err = capsys.readouterr().err
    assert err.startswith("sttp: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("place", [0, 2])
def test_debug_shows_the_traceback_wherever_it_stands(capsys: pytest.CaptureFixture[str], place: int) -> None:
    arguments = ["subscribe", "localhost"]
    arguments.insert(place, "--debug")
    assert main(arguments) == 2
    assert "Traceback" in capsys.readouterr().err


def test_our_own_mistakes_are_one_line_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(policy: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("sttp.cli.plugins.find_plugins", broken)
    assert main(["plugins"]) == 1
    assert capsys.readouterr().err == "sttp: error: KeyError: 'x' (a bug in sttp; --debug shows where)\n"


def test_the_library_imports_nothing_of_the_command_line() -> None:
    code = "import sttp, sys; print([name for name in sys.modules if name.split('.')[0] in ('typer', 'rich')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "[]\n"
