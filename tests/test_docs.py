"""The documentation is complete and current: names, generated pages, commands, links."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import benchmark_page
import pytest

import sttp
from sttp import errors
from sttp.transport import hookspecs

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md")))
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]

TREE = ("sttp", "plugins", "conformance", "tests", "docs", ".ci")
TEXT = {".py", ".pyx", ".md", ".toml", ".svg", ".json", ".jsonl", ".xml", ".csv", ".cfg", ".txt", ""}
BUILT = {"_build", "_extra", "__pycache__", "build", "dist"}


def _files() -> Iterator[Path]:
    yield from (path for path in REPOSITORY.iterdir() if path.is_file())
    for name in TREE:
        for path in (REPOSITORY / name).rglob("*"):
            if path.is_file() and not BUILT & set(path.parts) and path.suffix in TEXT:
                yield path


def _mentioned(name: str) -> bool:
    """Whether the reference names it as code, or documents it by Sphinx."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", REFERENCE) is not None


def _hooks() -> list[str]:
    return [name for name in hookspecs.__all__ if name.startswith("sttp_")]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_in_the_reference(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _hooks())
def test_every_hook_is_in_the_reference(name: str) -> None:
    assert f"`{name}()`" in (DOCS / "reference" / "plugins.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sttp.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert _mentioned(name) or _mentioned(f"sttp.{name}")


GENERATED = [
    "benchmarks.md", "command-line.md", "conformance-sttpapi.md", "conformance.md", "plugins.md", "state-table.md",
    "tolerances.md",
]  # fmt: skip


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_current(generate: ModuleType, name: str) -> None:
    """The command line page lists every option; the state table page every transition."""
    assert name in generate.PAGES
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == generate.page(name), "run: make docs"


def test_the_picture_of_the_state_table_is_current(generate: ModuleType) -> None:
    assert generate.DIAGRAM.read_text(encoding="utf-8") == generate.diagram(), "run: make docs"


def test_the_plots_of_the_benchmarks_are_current() -> None:
    for name, picture in benchmark_page.plots().items():
        assert (DOCS / "_static" / name).read_text(encoding="utf-8") == picture, "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_exist(page: Path, generate: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^\$ make ([a-z]+)", text, re.MULTILINE)) <= targets

    commands = "".join(generate.command_line())
    for line in re.findall(r"^\s*\$ sttp ([^#\n]+)", text, re.MULTILINE):
        name, *words = line.split()
        assert f"## `sttp {name}`" in commands
        if words and f"## `sttp {name} {words[0]}`" in commands:
            name = f"{name} {words.pop(0)}"
        section = commands.partition(f"## `sttp {name}`")[2].partition("## `")[0]
        for word in words:
            assert not word.startswith("--") or re.search(rf"[` ]{word}[` ,]", section), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_python_examples_are_python(page: Path) -> None:
    for example in re.findall(
        r"^( *)```python\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        indent, source = example
        lines = [line.removeprefix(indent) for line in source.splitlines()]
        compile("async def example():\n" + "\n".join(f"    {line}" for line in lines), str(page), "exec")


def test_no_place_of_one_machine_is_named() -> None:
    """No path of a developer's machine, and no host of a package registry: everybody has others."""
    places = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/"]
    hosts = ["py" + "pi.org", "python" + "hosted", "conda" + ".io", "anaconda" + ".org", "index" + "-url"]
    found = [
        f"{path.relative_to(REPOSITORY)}: {word}"
        for path in _files()
        for word in (*places, *hosts)
        if word in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert found == []


def test_the_changelog_is_in_order() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    order = ["Incompatible", "Added", "Changed", "Fixed"]
    for release in text.split("\n## ")[1:]:
        heads = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert heads == sorted(heads, key=order.index)
