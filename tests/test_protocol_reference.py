"""The protocol reference is published, everything that is cited is in it, and citations lead there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from protocol_citations import DOCUMENTS, PROTOCOL, anchor, citations, headings, section_of, sections

from sttp_conformance.ledger import load_ledger
from sttp_conformance.sections import load_sections, sources

REPOSITORY = Path(__file__).resolve().parent.parent
CITING = ("sttp", "plugins", "conformance", "tests", "docs")
WRITTEN = {".py", ".md", ".toml", ".jinja", ".pyx"}
BUILT = {"_build", "_extra", "__pycache__", "build", "dist"}
CLAUSE = re.compile(r'(?:\bclause=|\bDeclaration\(\s*\w+,\s*)"([^"]+)"')
DEVIATION = re.compile(r"\b[CGOY]\d{1,2}\b")
CITING_DEVIATIONS = (
    "conformance/adapters/sttpapi/adapter.toml", "conformance/sttp_conformance/requirements.toml",
    "docs/reference/interoperability.md", "tests/support/interop_table.py",
)  # fmt: skip


@cache
def _written() -> list[tuple[str, str]]:
    return list(_read())


def _read() -> Iterator[tuple[str, str]]:
    for folder in CITING:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in WRITTEN and not BUILT & set(path.parts) and path != Path(__file__).resolve():
                yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")


def test_every_section_that_is_cited_exists() -> None:
    cited = [
        (name, each.document, each.section) for name, text in _written() for each in citations(text) if each.section
    ]
    assert len(cited) > 500
    assert [each for each in cited if each[2] not in sections(each[1])] == []


def test_every_clause_of_an_error_and_of_a_tolerance_exists() -> None:
    clauses = [(name, clause) for name, text in _written() for clause in CLAUSE.findall(text) if name[:4] == "sttp"]
    assert len(clauses) > 80
    assert [each for each in clauses if not set(each[1].split(", ")) <= sections("wire.md")] == []


def test_every_source_of_a_requirement_exists() -> None:
    missing = [
        (requirement.id, document, section)
        for requirement in load_ledger()
        for document, section in sources(requirement)
        if section not in sections(document)
    ]
    assert missing == []


@pytest.mark.parametrize("name", CITING_DEVIATIONS)
def test_every_deviation_that_is_cited_exists(name: str) -> None:
    cited = set(DEVIATION.findall((REPOSITORY / name).read_text(encoding="utf-8")))
    assert cited
    assert cited <= sections("wire.md")


def test_the_suite_and_the_reference_have_the_same_headings() -> None:
    titles = headings("wire.md")
    chapters = {section: title for section, title in titles.items() if re.fullmatch(r"(?:[1-9]|10)\.\d+", section)}
    assert chapters == dict(load_sections().titles)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_number_is_given_twice(document: str) -> None:
    text = (PROTOCOL / document).read_text(encoding="utf-8")
    numbers = [section_of(title)[0] for title in re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)]
    numbers += re.findall(r"^\| ([CGOY]\d+) \|", text, re.MULTILINE)
    named = [number for number in numbers if number]
    assert sorted(named) == sorted(set(named))
    assert len({anchor(number) for number in named}) == len(named)


def test_what_is_corrected_is_listed_in_the_index() -> None:
    rows = re.findall(r"^\| (\S+\.md .+?) \|", (PROTOCOL / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {(each.document, each.section) for row in rows for each in citations(row)}
    corrected = set()
    for document in DOCUMENTS:
        section = ""
        for line in (PROTOCOL / document).read_text(encoding="utf-8").splitlines():
            if line.startswith(("## ", "### ")):
                section = section_of(line.lstrip("# "))[0] or section
            elif "**Corrected:**" in line and section:
                corrected.add((document, section))
    assert listed == corrected


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("as wire.md 4.5 says", ["wire.md 4.5"]),
        ("(wire.md 4.5, 9.3; tssc.md 9)", ["wire.md 4.5", "wire.md 9.3", "tssc.md 9"]),
        ("metadata.md 7, wire.md 8.3", ["metadata.md 7", "wire.md 8.3"]),
        ("wire.md 5.6, Y6 and Y1", ["wire.md 5.6", "wire.md Y6", "wire.md Y1"]),
        ("wire.md 1 to 8 and appendix A.", ["wire.md 1", "wire.md 8", "wire.md A"]),
        ("filter-expressions.md\n    §3.", ["filter-expressions.md 3"]),
        ("wire.md, and nothing else", ["wire.md "]),
        ("wire.md 4.99", ["wire.md 4.99"]),
        ("Y17, C3", ["wire.md Y17", "wire.md C3"]),
        ("sttpapi 0.7.6, C37.118, Y99, G1, (4.5)", []),
        ("docs/reference/protocol/wire.md and firewire.md", []),
    ],
)
def test_citations_are_found(text: str, cited: list[str]) -> None:
    assert [f"{each.document} {each.section}" for each in citations(text)] == cited


def test_on_their_own_pages_documents_are_cited_by_number_alone() -> None:
    text = "(section 3.3), appendix A; see 9.6, in 2.1 (4.5, 5.4) and (0x07), version 0.7.4, 2 of 3 bytes; tssc.md 9"
    assert [text[each.start : each.end] for each in citations(text, own="wire.md")] == [
        "3.3", "A", "9.6", "2.1", "4.5", "5.4", "tssc.md 9",
    ]  # fmt: skip


REPLIES = """# Wire

## 4.5 Replies

See 9.3, which is `not in 5.4`.

## 5.4 Confirmation

| # | Kind |
|---|---|
| Y17 | B |

## 9.3 Subscriber
"""
PAGE = """---
sections: wire.md
---

# Here

As wire.md 4.5, 9.3 and `tssc.md` say (5.4), with Y17; `wire.md 5.4, or` is code.
And [wire.md 9.3](elsewhere.md) is a link already.

```{toctree}
elsewhere
reference/protocol/wire
reference/protocol/tssc
```
"""


def test_citations_become_links(tmp_path: Path) -> None:
    """A small documentation with the extension: a page that cites, and two that are cited."""
    pytest.importorskip("sphinx", reason="Sphinx is in the extra [docs]")
    pytest.importorskip("myst_parser", reason="MyST is in the extra [docs]")
    folder = tmp_path / "reference" / "protocol"
    folder.mkdir(parents=True)
    (folder / "wire.md").write_text(REPLIES)
    (folder / "tssc.md").write_text("# TSSC\n")
    (tmp_path / "elsewhere.md").write_text("# Elsewhere\n\nNo section is meant by (5.4).\n")
    (tmp_path / "index.md").write_text(PAGE)
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(REPOSITORY / 'docs')!r})\n"
        "extensions = ['myst_parser', 'protocol_links']\nhtml_theme = 'basic'\n"
    )
    command = [sys.executable, "-m", "sphinx", "--quiet", "-W", "-b", "html", str(tmp_path), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def links(page: str) -> list[str]:
        body = (tmp_path / "html" / page).read_text(encoding="utf-8").partition("<h1>")[2]
        return re.findall(r'class="reference internal" href="([^"]+)"', body.partition("toctree-wrapper")[0])

    assert links("index.html") == [
        "reference/protocol/wire.html#section-4-5", "reference/protocol/wire.html#section-9-3",
        "reference/protocol/tssc.html", "reference/protocol/wire.html#section-5-4", "reference/protocol/wire.html#y17",
        "elsewhere.html",
    ]  # fmt: skip
    wire = (tmp_path / "html" / "reference" / "protocol" / "wire.html").read_text(encoding="utf-8")
    assert {"section-4-5", "section-5-4", "section-9-3", "y17"} <= set(re.findall(r' id="([^"]+)"', wire))
    assert "#section-9-3" in links("reference/protocol/wire.html")
    assert not any("#section" in link for link in links("elsewhere.html"))
