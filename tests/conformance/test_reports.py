"""Reports without a browser: records come back from JSON, texts of peers stay in their place, facts are facts."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from records import HOSTILE, TRANSCRIPT, mixed, record, result
from sttp.cli import main
from sttp_conformance.difference import Difference
from sttp_conformance.ledger import Level
from sttp_conformance.reports import as_badge, as_json, as_page, as_text, page, write_reports
from sttp_conformance.reports.badge import facts
from sttp_conformance.reports.transcript_lines import Entry, entries, shortened
from sttp_conformance.verdicts import RunRecord, Verdict, read_record


def written(folder: Path, made: RunRecord, name: str = "results.json") -> Path:
    file = folder / name
    file.write_text(as_json(made), "utf-8")
    return file


def test_a_record_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    made = mixed(selected="-k sql")
    written(tmp_path, made)
    assert read_record(tmp_path) == made


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is no record of a run (results.json of sttp conformance run): Expecting property name"),
        ("[]", "run): the whole: [] does not fit"),
        ('{"contract": 1}', "edition: it is missing\n"),
        ("\udcff", "run): 'utf-8' codec can't decode"),
    ],
)
def test_what_is_no_record_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["conformance", "report", str(file)]) == 2
    assert reason in capsys.readouterr().err


def test_a_verdict_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    document = json.loads(as_json(mixed()))
    document["results"][0]["verdict"] = "splendid"
    with pytest.raises(ValueError, match=r"results\[0\]\.verdict: \"splendid\" does not fit"):
        RunRecord.from_json(document)


class _Outline(HTMLParser):
    """Elements that are open, all that occur, and what they refer to."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), "no handler stands in the page"
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(text: str) -> _Outline:
    parser = _Outline()
    parser.feed(text)
    parser.close()
    return parser


def test_the_page_is_whole_and_keeps_hostile_texts_as_texts() -> None:
    hostile = result("x" + HOSTILE, Verdict.FAILED, chapter=HOSTILE, requirements=(HOSTILE,), title=HOSTILE)
    made = mixed(implementation=HOSTILE, version=HOSTILE, started=HOSTILE, stale=(HOSTILE,), broken=HOSTILE)
    found = outline(as_page([made, record(hostile, selected=HOSTILE)]))
    assert found.open == []
    assert found.found.count("script") == 1
    assert "img" not in found.found
    assert HOSTILE[:50] in "".join(found.text)
    assert "\x1b" not in "".join(found.text)
    assert len(found.ids) == len(set(found.ids))


def test_the_page_needs_nothing_but_itself() -> None:
    found = outline(as_page([mixed(), mixed()]))
    places = {link for link in found.links if link.startswith("#")}
    assert set(found.links) - places == {"data:,"}
    assert {place.removeprefix("#") for place in places} <= set(found.ids)


def test_the_page_says_what_a_failure_is_about() -> None:
    text = "".join(outline(as_page([mixed()])).text)
    for each in ("STTP-FRM-001", "wire.md 1.1", "Everything is a frame.", "expected a frame, but", "00 00 00 05 06 e0"):
        assert each in text


def test_the_page_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    long = (*TRANSCRIPT, *(f"  +{each:.4f} s   publisher: NoOP  [{'00 ' * 999}]" for each in range(200)))
    many = [result(f"c{each}", Verdict.FAILED, transcript=long, message="m" * 10**5) for each in range(8)]
    monkeypatch.setattr(page, "_MOST", 400_000)
    text = as_page([record(*many)])
    assert "152 lines are left out here; the record of the run has them" in text
    assert "lines of the transcript are left out, to keep this page small" in text
    assert len(text) < 500_000


def test_a_transcript_is_read_line_by_line() -> None:
    assert list(entries(TRANSCRIPT)) == [
        Entry("connection 1"),
        Entry("connected", "+0.0001"),
        Entry("DefineOperationalModes modes=2 parameters=b''", "+0.0007", "subscriber", "00 00 00 05 06 e0 00 02 62"),
        Entry("Succeeded command=6 text='modes accepted'", "+0.0010", "publisher", "00 00 00 06 80 06 00 00 00 00"),
    ]
    assert shortened([Entry("x")] * 52) == [Entry("x")] * 52
    assert shortened([Entry("x")] * 59)[40] == Entry("7 lines are left out here; the record of the run has them")
    assert len(shortened([Entry("x")] * 59)) == 53


def test_facts_tell_musts_from_shoulds_and_count_each_check_once() -> None:
    both_ways = [result(direction=each) for each in ("forward", "reverse")]
    made = record(
        *both_ways,
        result("a", Verdict.FAILED),
        result("a", direction="reverse"),
        result("b", Verdict.FAILED, level=Level.SHOULD, known="known-failing"),
        result("c", Verdict.FAILED, level=Level.MAY),
        result("d", Verdict.FAILED, counts=False),
        result("e", Verdict.UNSUPPORTED),
    )
    assert facts(made) == "1 of 2 must checks failed, 1 of 1 should checks failed"
    assert facts(record(*both_ways, selected="-k x")) == "0 of 1 must checks failed (a part of the suite)"
    assert facts(record(broken="no such program")) == "could not be judged"
    assert facts(record()) == "nothing was checked"


def test_the_badge_is_a_picture_that_can_be_read_aloud() -> None:
    image = ElementTree.fromstring(as_badge(mixed(implementation=HOSTILE)))
    assert image.get("role") == "img"
    assert "STTP 2026.1: 1 of 3 must checks failed, 1 of 1 should checks failed" in (image.get("aria-label") or "")


def test_all_forms_are_written_by_the_end_of_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, mixed())
    names = ["report.html", "report.txt", "report.xml", "badge.svg"]
    options = [option for name in names for option in ("--out", str(tmp_path / "new" / name))]
    assert main(["conformance", "report", str(file), *options]) == 0
    assert all((tmp_path / "new" / name).stat().st_size for name in names)
    assert main(["conformance", "report", str(file)]) == 0
    assert "refuses_sql (publisher, forward over tcp)" in capsys.readouterr().out
    assert main(["conformance", "report", str(file), str(file), "--out", str(tmp_path / "badge.svg")]) == 2
    assert "this is made of one run, not of 2" in capsys.readouterr().err
    assert main(["conformance", "report", str(file), "--out", str(tmp_path / "report.pdf")]) == 2
    assert "the name of the file ends in .html, .txt, .svg, .xml" in capsys.readouterr().err
    (tmp_path / "folder.html").mkdir()
    assert main(["conformance", "report", str(file), "--out", str(tmp_path / "folder.html")]) == 2
    assert "folder.html: this is a folder; name a file in it, such as " in capsys.readouterr().err


def test_without_jinja2_all_but_the_page_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    names = [file.name for file in write_reports(mixed(), tmp_path)]
    assert names == ["results.json", "junit.xml", "summary.txt", "badge.svg"]
    assert main(["conformance", "report", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 2
    assert "it takes jinja2, which pip install 'sttp-kit[conformance]' brings" in capsys.readouterr().err


def test_text_tells_what_does_not_count_and_what_was_left_out() -> None:
    text = "\n".join(as_text(mixed(selected="-k sql --direction forward")))
    assert "a part of the suite: -k sql --direction forward" in text
    assert "not counted, because they are not of edition 2026.1: 1 failed" in text
    assert "  must   3 passed, 1 failed, 1 unsupported, 1 skipped" in text


def test_a_difference_tells_losses_from_gains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = written(
        tmp_path,
        record(result("a"), result("b", Verdict.FAILED), result("c"), result("d"), result("e", Verdict.FAILED)),
        "old.json",
    )
    new = written(
        tmp_path,
        record(
            result("a", Verdict.FAILED, message="nothing came"),
            result("b"),
            result("d", Verdict.FAILED, known="known-flaky", surprise=""),
            result("e", Verdict.FAILED, message="otherwise"),
            result("f", Verdict.FAILED),
        ),
        "new.json",
    )
    assert main(["conformance", "diff", str(old), str(new)]) == 1
    said = capsys.readouterr().out
    assert said.splitlines()[2:] == [
        "",
        "passed, and no longer does: 2",
        "  a (publisher, forward over tcp): passed, now failed",
        "    nothing came",
        "  c (publisher, forward over tcp): it was passed",
        "",
        "passes now: 1",
        "  b (publisher, forward over tcp): failed, now passed",
        "",
        "other verdicts: 1",
        "  d (publisher, forward over tcp): passed, now failed (known-flaky)",
        "",
        "appeared: 1",
        "  f (publisher, forward over tcp): failed",
    ]
    assert main(["conformance", "diff", str(new), str(new)]) == 0
    assert capsys.readouterr().out.endswith("no difference\n")


def test_a_run_that_could_not_be_made_is_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = written(tmp_path, mixed(), "old.json"), written(tmp_path, record(broken="no such program"), "new.json")
    assert main(["conformance", "diff", str(old), str(new)]) == 2
    assert "BROKEN: no such program" in capsys.readouterr().out


def test_what_a_part_of_the_suite_does_not_make_is_not_lost(tmp_path: Path) -> None:
    old, new = record(result("a"), result("b")), record(result("a"), selected="-k a")
    assert Difference(old, new).exit_code == 0
    assert Difference(old, record(result("a"))).exit_code == 1


def test_what_only_one_run_has_is_counted_where_the_other_is_a_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, part = record(result("a"), result("b"), result("c")), record(result("a"), selected="-k a")
    assert list(Difference(whole, part).lines())[2:] == [
        "",
        "only in the old run, for the new one is a part of the suite: 2 (--all lists them)",
    ]
    assert list(Difference(part, whole).lines())[2:] == [
        "",
        "only in the new run, for the old one is a part of the suite: 2 (--all lists them)",
    ]
    old, new = written(tmp_path, whole, "old.json"), written(tmp_path, part, "new.json")
    assert main(["conformance", "diff", str(old), str(new), "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "only in the old run, for the new one is a part of the suite: 2",
        "  b (publisher, forward over tcp): it was passed",
        "  c (publisher, forward over tcp): it was passed",
    ]
