"""Whole runs: ours is judged like anyone's, the lists stay true, and mutants are caught."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sttp.cli import main
from sttp_conformance.adapter import Adapter, AdapterError, read_adapter
from sttp_conformance.checks import load_checks
from sttp_conformance.expectations import Expectation, Expectations, Known
from sttp_conformance.mutants import load_mutants
from sttp_conformance.prove import prove
from sttp_conformance.reports import as_text, write_reports
from sttp_conformance.runner import run
from sttp_conformance.schema import faults, load_schema
from sttp_conformance.selection import Selection
from sttp_conformance.verdicts import RunRecord, Verdict
from sttp_conformance.ways import Direction

FOLDER = Path(__file__).resolve().parent.parent.parent / "conformance" / "adapters" / "sttp-kit"
FORWARD = (Direction.FORWARD,)


@pytest.fixture(scope="module")
def ours() -> Adapter:
    adapter = read_adapter(FOLDER)
    return replace(adapter, transports={"tcp": adapter.transports["tcp"]})


@pytest.fixture(scope="module")
def over_tls() -> Adapter:
    adapter = read_adapter(FOLDER)
    return replace(adapter, transports={"tls": adapter.transports["tls"]})


def knowing(adapter: Adapter, *known: Expectation, **unsupported: str) -> Adapter:
    return replace(adapter, expectations=Expectations(unsupported, known))


async def judged(adapter: Adapter, *words: str, directions: tuple[Direction, ...] = FORWARD) -> RunRecord:
    return await run(adapter, Selection(words=words, directions=directions), lanes=2)


async def test_ours_passes_in_all_roles_and_directions_and_the_reports_say_so(ours: Adapter, tmp_path: Path) -> None:
    record = await judged(ours, "speaks_first", "waits_for_operational_modes", "late_listener", directions=())
    assert record.exit_code == 0
    assert {(result.role, result.direction) for result in record.results} >= {
        ("publisher", "forward"), ("publisher", "reverse"), ("subscriber", "forward"), ("subscriber", "reverse"),
    }  # fmt: skip
    assert set(record.covered) == {
        each for name in ("speaks_first_with_operational_modes", "waits_for_operational_modes",
                          "dialing_publisher_finds_a_late_listener", "dialing_subscriber_finds_a_late_listener")
        for each in load_checks()[name].requirements
    }  # fmt: skip
    for path in write_reports(record, tmp_path):
        assert path.stat().st_size
    document = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert list(faults(document, load_schema("results.schema.json"))) == []
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert sum(int(suite.get("tests", 0)) for suite in suites) == len(record.results)
    assert not suites.findall(".//failure")


async def test_comparisons_are_made_of_what_was_recorded(ours: Adapter) -> None:
    record = await judged(ours, "waits_for_operational_modes", "publisher_negotiates_alike", directions=())
    (compared,) = [result for result in record.results if result.subject]
    assert (compared.verdict, compared.direction) == (Verdict.PASSED, "both")
    assert compared.subject == "waits_for_operational_modes"


@pytest.mark.parametrize("known", [Known.FAILING, Known.DEVIATION])
async def test_what_passes_though_a_list_says_otherwise_is_red(ours: Adapter, known: Known) -> None:
    entry = Expectation(known=known, check="waits_for_operational_modes", message="nothing came")
    record = await judged(knowing(ours, entry), "waits_for_operational_modes")
    (result,) = record.results
    assert result.verdict is Verdict.PASSED
    assert record.exit_code == 1
    assert f"it passes; remove {known} waits_for_operational_modes from the adapter file" in "\n".join(as_text(record))


async def test_an_entry_about_nothing_is_red(ours: Adapter) -> None:
    entry = Expectation(known=Known.FLAKY, check="answers_everything", reason="?")
    record = await judged(knowing(ours, entry, swimming="it sinks"), "waits_for_operational_modes")
    assert record.exit_code == 1
    assert record.stale == (
        "known-flaky answers_everything: there is no such check",
        "unsupported swimming: it is no end, capability, check or requirement",
    )


async def test_an_entry_that_is_misspelt_is_told_what_was_meant(ours: Adapter) -> None:
    entry = Expectation(known=Known.FLAKY, check="waits_for_operational_mode")
    record = await judged(knowing(ours, entry, tcss="Not implemented."), "waits_for_operational_modes")
    assert record.stale == (
        "known-flaky waits_for_operational_mode: there is no such check; did you mean waits_for_operational_modes or "
        "answers_operational_modes?",
        "unsupported tcss: it is no end, capability, check or requirement; did you mean tssc?",
    )


async def test_what_is_unsupported_is_said_and_not_failed(ours: Adapter) -> None:
    record = await judged(knowing(ours, **{"version:3": "It is too new."}), "accepts_version")
    assert {(result.check, result.verdict) for result in record.results} == {
        ("accepts_version_1", Verdict.PASSED),
        ("accepts_version_2", Verdict.PASSED),
        ("accepts_version_3", Verdict.UNSUPPORTED),
    }
    assert record.exit_code == 0
    assert "unsupported: 1 because It is too new." in "\n".join(as_text(record))


MUTANTS = [
    "publisher_puts_two_responses_in_a_frame",
    "publisher_confirms_for_the_subscriber",
    "publisher_that_dials_answers_modes_with_another_text",
    "subscriber_reports_twice_what_it_received",
]
"""The others are for `sttp conformance prove`, which takes longer."""


async def test_mutants_are_caught(ours: Adapter) -> None:
    known = load_mutants()
    judged = await prove(ours, [known[name] for name in MUTANTS])
    assert [each.mutant.name for each in judged] == MUTANTS
    assert [line for each in judged if not each.holds for line in each.lines()] == []
    assert all(each.proofs for each in judged)


async def test_a_needless_confirmation_is_told_with_what_was_said_before(ours: Adapter) -> None:
    (judged,) = await prove(ours, [load_mutants()["subscriber_confirms_every_buffer_block"]])
    assert judged.proofs
    assert {proof.message for proof in judged.proofs} == {
        "expected the confirmation of buffer block 2, the only one of the blocks 0, 1 and 2 that asks for it, "
        "not that of 0"
    }


async def test_ours_passes_over_tls(over_tls: Adapter) -> None:
    record = await judged(over_tls, "turns_strangers_away", "in_the_clear", "answers_operational_modes", directions=())
    assert record.exit_code == 0
    assert {result.transport for result in record.results} == {"tls"}
    assert {result.verdict for result in record.results} == {Verdict.PASSED}


async def test_who_is_careless_about_tls_is_caught(over_tls: Adapter) -> None:
    (judged,) = await prove(over_tls, [load_mutants()["subscriber_takes_those_without_certificate"]])
    assert judged.holds
    assert judged.proofs


async def test_without_tls_its_chapter_is_unsupported(ours: Adapter) -> None:
    record = await judged(ours, "turns_strangers_away")
    assert {result.verdict for result in record.results} == {Verdict.UNSUPPORTED}
    assert "the adapter names no transport with TLS" in "\n".join(as_text(record))


def test_an_adapter_with_tls_has_to_take_certificates(tmp_path: Path) -> None:
    text = (FOLDER / "adapter.toml").read_text("utf-8").replace('"{key}"', '"mine.pem"')
    (tmp_path / "adapter.toml").write_text(text, "utf-8")
    with pytest.raises(AdapterError, match=r"transports\.tls: .* \{key\} is missing"):
        read_adapter(tmp_path)


def test_the_smoke_test_tells_names_that_nothing_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "adapter.toml").open("a") as lists:
        lists.write("\n[[known-flaky]]\ncheck = 'waits_for_operational_mode'\nreason = '?'\n")
    arguments = ["--direction", "forward", "--transport", "tcp"]
    assert main(["conformance", "smoke", str(tmp_path), *arguments]) == 1
    *works, unknown = capsys.readouterr().out.splitlines()
    assert len(works) == 2
    assert all(": works; " in line for line in works)
    assert unknown.startswith(f"{tmp_path / 'adapter.toml'}: known-flaky waits_for_operational_mode: there is no such")
    assert main(["conformance", "smoke", str(FOLDER), *arguments]) == 0


def test_pytest_chooses_checks_by_chapter_and_by_requirement(tmp_path: Path) -> None:
    suite = ["-m", "pytest", "--pyargs", "sttp_conformance", "-p", "no:cacheprovider", "--collect-only", "-q"]
    found = subprocess.run(
        [sys.executable, *suite, "--sttp-adapter", str(FOLDER), "-k", "keep_alive or STTP-NEG-002"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    checks = load_checks().values()
    chosen = {each.name for each in checks if each.chapter == "keep_alive" or "STTP-NEG-002" in each.requirements}
    assert all(f"[{name}-forward-tcp]" in found or f"[{name}-reverse-tcp]" in found for name in chosen)
    others = {each.name for each in checks if not each.compares} - chosen
    assert not any(f"[{name}-" in found for name in others)


def test_an_adapter_that_is_wrong_is_bad_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "adapter.toml").write_text("contract = 1")
    assert main(["conformance", "run", str(tmp_path)]) == 2
    assert "adapter.toml: implementation: it is missing; write who is judged" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["run", str(FOLDER)], ["list"]])
def test_a_word_that_chooses_nothing_is_bad_usage(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main(["conformance", *command, "-k", "framing", "-k", "zebra"]) == 2
    said = capsys.readouterr()
    assert "-k zebra: no check, chapter or requirement with checks has this in its name" in said.err
    assert said.out == ""


def test_a_word_that_chooses_no_mutant_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "prove", str(FOLDER), "-k", "zebra"]) == 2
    assert "-k zebra: no mutant has this in its name" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told_before_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "report"
    file.touch()
    for out, why in (
        (file, f"--out {file}: a run writes several files, so this is to be a folder, and it is a file"),
        (file / "first", f"--out {file / 'first'}: this folder cannot be made: Not a directory"),
        (tmp_path / "page.html", f"such as {tmp_path / 'page'}. Behind it, sttp conformance report"),
    ):
        assert main(["conformance", "run", str(FOLDER), "--out", str(out)]) == 2
        said = capsys.readouterr()
        assert why in said.err
        assert said.out == ""
    assert [each.name for each in tmp_path.iterdir()] == ["report"]


def test_a_requirement_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "explain", "sttp-neg-002"]) == 0
    assert "waits_for_operational_modes" in capsys.readouterr().out
    assert main(["conformance", "explain", "waits_for_operational_mode"]) == 2
    assert "like it: waits_for_operational_modes" in capsys.readouterr().err


def test_a_chapter_is_not_explained_but_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "explain", "framing"]) == 2
    assert "framing is a chapter; sttp conformance list -k framing has its checks" in capsys.readouterr().err


def test_a_check_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "list", "-k", "NEG-002"]) == 0
    assert capsys.readouterr().out == ("negotiation  waits_for_operational_modes  publisher  must  STTP-NEG-002\n")
