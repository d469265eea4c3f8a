"""The GitHub action and the container recipe: their shell steps are taken out of the files and run here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from records import record, result
from sttp_conformance.reports import as_json
from sttp_conformance.verdicts import RunRecord, Verdict, read_record

COMMAND = """#!/bin/sh
exec "{python}" -P -m sttp "$@"
"""
INSTALL = "STTP_TEST_INSTALL"
"""A variable that is set where the steps that install the suite are to be run too, which takes a minute."""


@dataclass
class Workflow:
    """The action, as a runner sees it."""

    document: dict[str, Any]
    folder: Path
    repository: Path

    def run(self, **inputs: str) -> tuple[int, dict[str, dict[str, str]], str]:
        """Run the shell steps one after another: exit code, the outputs of steps, and what was printed."""
        given = {name: each.get("default", "") for name, each in self.document["inputs"].items()} | inputs
        outputs: dict[str, dict[str, str]] = {}
        printed = ""
        for step in self.document["runs"]["steps"]:
            if "run" not in step or not self._is_due(step.get("if"), given):
                continue
            (self.folder / "output").write_text("")
            environment = {name: self._filled(value, given, outputs) for name, value in step.get("env", {}).items()}
            assert "${{" not in step["run"], "an input that stands in a script is a script"
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=self.folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "RUNNER_TEMP": str(self.folder),
                    "GITHUB_OUTPUT": str(self.folder / "output"),
                    "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
                    **environment,
                },
                capture_output=True,
                text=True,
                check=False,
            )
            printed += done.stdout + done.stderr
            lines = (self.folder / "output").read_text().splitlines()
            outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
            if done.returncode:
                return done.returncode, outputs, printed
        return 0, outputs, printed

    @staticmethod
    def _is_due(condition: str | None, given: dict[str, str]) -> bool:
        if condition is None:
            return True
        found = re.fullmatch(r"inputs\.(\w+) (==|!=) ''", condition)
        assert found, condition
        return (given[found[1]] == "") is (found[2] == "==")

    def _filled(self, text: str, given: dict[str, str], outputs: dict[str, dict[str, str]]) -> str:
        def value(match: re.Match[str]) -> str:
            match match[1].split("."):
                case ["inputs", name]:
                    return given[name]
                case ["github", "action_path"]:
                    return str(self.repository / "conformance" / "action")
                case ["steps", step, "outputs", name]:
                    return outputs.get(step, {}).get(name, "")
            raise AssertionError(match[0])

        return re.sub(r"\$\{\{ (\S+) \}\}", value, text)


@pytest.fixture
def workflow(repository: Path, tmp_path: Path) -> Workflow:
    """The action, in an empty workspace that has a command `sttp`."""
    document = yaml.safe_load((repository / "conformance" / "action" / "action.yml").read_text("utf-8"))
    command = tmp_path / "sttp"
    command.write_text(COMMAND.format(python=sys.executable))
    command.chmod(0o755)
    return Workflow(document, tmp_path, repository)


@pytest.fixture
def ours(repository: Path) -> str:
    """An adapter that works."""
    return str(repository / "conformance" / "adapters" / "sttp-kit")


def test_the_steps_judge_and_leave_a_report(workflow: Workflow, ours: str) -> None:
    only = "waits_for_operational_modes\n\nanswers_unsubscribe\n"
    status, outputs, printed = workflow.run(
        adapter=ours, command="./sttp", only=only, edition="2026.1", direction="reverse", transport="tcp"
    )
    assert (status, outputs["judge"]) == (0, {"exit-code": "0", "report": "sttp-conformance/report.html"}), printed
    made = read_record(workflow.folder / "sttp-conformance")
    assert made.selected == (
        "-k waits_for_operational_modes -k answers_unsubscribe --direction reverse --transport tcp"
    )
    assert (workflow.folder / "sttp-conformance" / "report.html").exists()
    assert "STTP requirements 2026.1" in (workflow.folder / "summary.md").read_text()


def found_to_be(workflow: Workflow, made: RunRecord) -> None:
    """Let the command have found this, instead of judging; everything else it does as ever."""
    (workflow.folder / "found.json").write_text(as_json(made), "utf-8")
    real = (workflow.folder / "sttp").read_text().splitlines()[-1]
    copies = f"mkdir -p sttp-conformance && cp found.json sttp-conformance/results.json && exit {made.exit_code}"
    (workflow.folder / "sttp").write_text(f"#!/bin/sh\n[ $2 = run ] && {copies}\n{real}\n")


def test_a_baseline_that_was_better_fails_the_job(workflow: Workflow) -> None:
    baseline = workflow.folder / "baseline.json"
    baseline.write_text(as_json(record(result("is_gone"))), "utf-8")
    found_to_be(workflow, record(result("is_there")))
    status, outputs, printed = workflow.run(adapter="mine", command="./sttp", baseline=str(baseline))
    assert (status, outputs["compare"]) == (1, {"exit-code": "1"})
    assert "is_gone" in printed
    assert "::error::Something that passed in the baseline no longer does." in printed


@pytest.mark.parametrize(("fail", "expected"), [("true", 1), ("false", 0)])
def test_a_must_that_is_not_met_fails_the_job_if_it_is_to(workflow: Workflow, fail: str, expected: int) -> None:
    found_to_be(workflow, record(result(verdict=Verdict.FAILED)))
    status, outputs, printed = workflow.run(adapter="mine", command="./sttp", fail=fail)
    assert (status, outputs["judge"]["exit-code"]) == (expected, "1")
    assert ("::error::A must is not met" in printed) is bool(expected)


def test_an_adapter_that_does_not_work_stops_the_job(workflow: Workflow) -> None:
    status, _, printed = workflow.run(adapter="nowhere.toml", command="./sttp")
    assert status == 2
    assert "nowhere.toml: it cannot be read" in printed


def test_every_script_is_bash(workflow: Workflow) -> None:
    for step in workflow.document["runs"]["steps"]:
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            assert step["shell"] == "bash"
            subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


def instructions(repository: Path) -> list[tuple[str, str]]:
    """The instructions of the container recipe."""
    text = (repository / "conformance" / "Containerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_begins_where_the_command_is(repository: Path, workflow: Workflow) -> None:
    found = dict(instructions(repository))
    assert found["ENTRYPOINT"] == '["sttp", "conformance"]'
    assert found["CMD"] == '["--help"]'
    command = [str(workflow.folder / "sttp"), "conformance", "--help"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert "adapter file" in subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(INSTALL not in os.environ, reason=f"it takes a minute; {INSTALL}=1 runs it")
def test_the_steps_of_the_container_install_the_suite(repository: Path, tmp_path: Path) -> None:
    """In a plain virtual environment, in place of an image."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True).stdout
    for name in files.split("\0"):
        if name and (repository / name).is_file():
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, tmp_path / "source" / name)
    for word, rest in instructions(repository):
        if word == "RUN":
            script = rest.replace("/source", shlex.quote(str(tmp_path / "source")))
            environment = {"PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}
            subprocess.run(["sh", "-ec", script], env=environment, check=True)


@pytest.mark.skipif(INSTALL not in os.environ, reason=f"it takes a minute; {INSTALL}=1 runs it")
def test_the_steps_of_the_action_install_the_suite(
    workflow: Workflow, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    only = "waits_for_operational_modes"
    status, _, printed = workflow.run(adapter=ours, only=only, direction="forward", transport="tcp")
    assert status == 0, printed
