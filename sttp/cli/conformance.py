"""`sttp conformance`: judge an implementation. The suite is imported only when one of these commands runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sttp.cli.options import Debug
from sttp.cli.terminal import announce, printable
from sttp.errors import UsageError

if TYPE_CHECKING:
    from sttp_conformance.adapter import Adapter
    from sttp_conformance.proofs import Judged
    from sttp_conformance.selection import Selection
    from sttp_conformance.verdicts import Result, RunRecord

__all__ = ["app", "diff", "explain", "list_checks", "prove", "report", "run", "smoke"]

_BROKEN: Final = 2
_MEANING: Final = {
    0: "everything is as the adapter file says",
    1: "something that must be so is not, or a list of the adapter file is not true; the counts stand at the beginning",
    _BROKEN: "the adapter or the suite does not work, so nothing is said about the implementation",
}
_NO_PAGES: Final = "it takes jinja2, which pip install 'sttp-kit[conformance]' brings"

app = typer.Typer()


@app.callback(invoke_without_command=True)
def _conformance(context: typer.Context, debug: Debug = False) -> None:
    """Judge any implementation of STTP, in any language, by the conformance suite.

    An adapter file says how the implementation is started; conformance/ADAPTER.md says how to write one.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(_BROKEN)


AdapterArgument = Annotated[
    Path, typer.Argument(metavar="ADAPTER", help="The adapter file of the implementation, or the folder that it is in.")
]
Words = Annotated[
    list[str] | None,
    typer.Option("-k", metavar="WORD", help="Only checks, chapters or requirement ids with this in their name."),
]
Directions = Annotated[
    list[str] | None, typer.Option("--direction", metavar="DIRECTION", help="Only forward, or only reverse.")
]
Transports = Annotated[
    list[str] | None,
    typer.Option("--transport", metavar="SCHEME", help="Only over this one of the adapter's transports."),
]


@app.command("run", short_help="Make all checks, in all ways.")
def run(
    adapter: AdapterArgument,
    words: Words = None,
    directions: Directions = None,
    transports: Transports = None,
    slow: Annotated[bool, typer.Option("--slow", help="Make checks too that take minutes.")] = False,
    uncovered: Annotated[
        bool, typer.Option("--uncovered", help="List the requirements too that this run says nothing about, and why.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write results.json, report.html, summary.txt, junit.xml and badge.svg into this folder.",
        ),
    ] = None,
    edition: Annotated[
        str | None,
        typer.Option(
            "--edition",
            metavar="EDITION",
            help="Hold it against this edition of the requirements. What was added later is told, and does not count.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar="N", min=1, help="Checks that are made at once.")
    ] = None,
) -> None:
    """Judge an implementation, and print what it must do and does not.

    The exit code is 0 when everything is as the adapter file says, 1 when something that must be so is not, and 2 when
    the adapter or the suite does not work, so that nothing is said about the implementation.
    """
    from sttp_conformance.ledger import load_ledger  # noqa: PLC0415 - see above
    from sttp_conformance.reports import as_text, can_write_pages, coverage, write_reports  # noqa: PLC0415
    from sttp_conformance.runner import LANES  # noqa: PLC0415
    from sttp_conformance.runner import run as judge  # noqa: PLC0415

    found = _adapter(adapter)
    selection = _selection(words, directions, transports, found, slow=slow, edition=edition or "")
    if out is not None:
        _make_folder(out)
    record = asyncio.run(judge(found, selection, lanes=jobs or LANES, told=_progress))
    for line in as_text(record):
        print(printable(line))
    if uncovered:
        for line in coverage(record, load_ledger()):
            print(printable(line))
    if out is not None:
        for file in write_reports(record, out):
            announce(f"wrote {file}")
        if not can_write_pages():
            announce(f"report.html is not written: {_NO_PAGES}")
    announce(f"exit code {record.exit_code}: {_MEANING[record.exit_code]}")
    raise typer.Exit(record.exit_code)


@app.command("smoke", short_help="Tell a broken adapter from a broken implementation.")
def smoke(adapter: AdapterArgument, directions: Directions = None, transports: Transports = None) -> None:
    """Start every end of an implementation once and let it answer, which takes seconds.

    The exit code is 0 when all work, 1 when the implementation does not answer or a list of the adapter file has a name
    that nothing has, and 2 when the adapter does not work.
    """
    import tempfile  # noqa: PLC0415 - see above

    from sttp_conformance.checks import load_checks  # noqa: PLC0415
    from sttp_conformance.ledger import load_ledger  # noqa: PLC0415
    from sttp_conformance.runner import prepared  # noqa: PLC0415
    from sttp_conformance.smoke import smoke as try_all  # noqa: PLC0415
    from sttp_conformance.unknown_names import unknown_names  # noqa: PLC0415

    found = _adapter(adapter)
    selection = _selection(None, directions, transports, found, slow=False)
    with tempfile.TemporaryDirectory(prefix="sttp-conformance-") as folder:
        tried = asyncio.run(try_all(found, selection.ways(found), prepared(folder)))
    for line in tried.lines:
        print(printable(line.text))
    unknown = unknown_names(found, load_checks(), load_ledger())
    for text in unknown.values():
        print(printable(f"{found.file}: {text}"))
    if any(line.adapter_is_broken for line in tried.lines):
        raise typer.Exit(_BROKEN)
    raise typer.Exit(int(bool(unknown) or not all(line.works for line in tried.lines)))


ResultArgument = typer.Argument(metavar="RESULT", help="A results.json, or the folder that it is in.")


@app.command("report", short_help="Make a report of runs.")
def report(
    results: Annotated[list[Path], ResultArgument],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Where to write to; may be given several times. The end of the name says what: .html, .txt, or, of "
            "one run, .xml for JUnit XML and .svg for a badge. Without it, text is printed.",
        ),
    ] = None,
) -> None:
    """Make a report of one run, or of several side by side, from what `sttp conformance run --out` has written.

    The page of HTML is one file that needs nothing else. The exit code does not depend on what the runs found.
    """
    from sttp_conformance.reports import FORMS, as_text, can_write_pages  # noqa: PLC0415 - see above

    files = out or []
    for file in files:
        if file.is_dir():
            raise UsageError(f"--out {file}: this is a folder; name a file in it, such as {file / 'report.html'}")
        if file.suffix not in FORMS:
            raise UsageError(f"--out {file}: the name of the file ends in {', '.join(FORMS)}")
        if file.suffix in (".svg", ".xml") and len(results) > 1:
            raise UsageError(f"--out {file}: this is made of one run, not of {len(results)}")
        if file.suffix == ".html" and not can_write_pages():
            raise UsageError(f"--out {file}: {_NO_PAGES}")
    records = [_record(path) for path in results]
    for file in files:
        text = FORMS[file.suffix](records)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(f"--out {file}: it cannot be written: {error.strerror}") from None
        announce(f"wrote {file}")
    if not files:
        for record in records:
            for line in as_text(record):
                print(printable(line))


@app.command("diff", short_help="Say what is different between two runs.")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The results.json of the run before, or its folder.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The results.json of the run after, or its folder.")],
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="List the verdicts too that only one run has, where the other is a part of the suite."
        ),
    ] = False,
) -> None:
    """Say what is different between two runs: which verdicts changed, which checks appeared, and which vanished.

    Where one of the runs is a part of the suite (-k, --direction, --transport), what only the other has is counted.

    The exit code is 0 when everything that passed still does, 1 when something that passed no longer does or is not
    there any more, and 2 when there is nothing to compare. What is known to be flaky is told and does not matter.
    """
    from sttp_conformance.difference import Difference  # noqa: PLC0415 - see above

    difference = Difference(_record(old), _record(new))
    for line in difference.lines(every=every):
        print(printable(line))
    raise typer.Exit(difference.exit_code)


@app.command("list", short_help="List the checks.")
def list_checks(words: Words = None) -> None:
    """List the checks: chapter, name, role that is judged, level, and requirements."""
    from sttp_conformance.explain import listed  # noqa: PLC0415 - see above

    _no_idle_words(words)
    for line in listed(tuple(words or ())):
        print(line)


@app.command("explain", short_help="Say what a check or a requirement is about.")
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a requirement, or name of a check.")],
) -> None:
    """Say what a check or a requirement is about, where it comes from, and what it was seen to fail with."""
    from sttp_conformance.explain import explained  # noqa: PLC0415 - see above

    try:
        lines = explained(name)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None
    for line in lines:
        print(line)


@app.command("prove", short_help="See whether the checks notice mutants.")
def prove(
    adapter: AdapterArgument,
    words: Annotated[
        list[str] | None, typer.Option("-k", metavar="WORD", help="Only mutants with this in their name.")
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Judge mutants too that only slow checks can catch.")] = False,
) -> None:
    """Judge mutants of an implementation that passes: each is wrong in one way, and must be caught by its checks.

    Harmless mutants are different and not wrong, and must be let pass by all. A line for each says who was caught by
    what, and the last lines say the kill rate.
    """
    from sttp_conformance.mutants import load_mutants  # noqa: PLC0415 - see above
    from sttp_conformance.proofs import summary  # noqa: PLC0415
    from sttp_conformance.prove import prove as judge  # noqa: PLC0415

    known = load_mutants()
    for word in words or ():
        if not any(word in name for name in known):
            raise UsageError(f"-k {word}: no mutant has this in its name")
    mutants = [each for name, each in known.items() if not words or any(word in name for word in words)]

    def tell(judged: Judged) -> None:
        for line in judged.lines():
            print(printable(line), flush=True)

    judged = asyncio.run(judge(_adapter(adapter), mutants, slow=slow, told=tell))
    print()
    for line in summary(judged):
        print(line)
    raise typer.Exit(int(not all(each.holds for each in judged)))


def _record(path: Path) -> RunRecord:
    from sttp_conformance.verdicts import RecordError, read_record  # noqa: PLC0415 - see above

    try:
        return read_record(path)
    except RecordError as error:
        raise UsageError(str(error)) from None


def _adapter(path: Path) -> Adapter:
    from sttp_conformance.adapter import AdapterError, read_adapter  # noqa: PLC0415 - see above

    try:
        return read_adapter(path)
    except AdapterError as error:
        raise UsageError(str(error)) from None


def _selection(
    words: list[str] | None,
    directions: list[str] | None,
    transports: list[str] | None,
    adapter: Adapter,
    *,
    slow: bool,
    edition: str = "",
) -> Selection:
    from sttp_conformance.ledger import load_ledger  # noqa: PLC0415 - see above
    from sttp_conformance.selection import Selection  # noqa: PLC0415 - see above
    from sttp_conformance.ways import Direction  # noqa: PLC0415

    _no_idle_words(words)
    for each in directions or ():
        if each not in list(Direction):
            raise UsageError(f"--direction is forward or reverse, not {each!r}")
    for each in transports or ():
        if each not in adapter.transports:
            raise UsageError(f"--transport: the adapter has {', '.join(adapter.transports)}, not {each!r}")
    if edition and edition not in load_ledger().editions:
        raise UsageError(f"--edition: there is {', '.join(load_ledger().editions)}, not {edition!r}")
    return Selection(
        words=tuple(words or ()),
        directions=tuple(Direction(each) for each in directions or ()),
        transports=tuple(transports or ()),
        slow=slow,
        edition=edition,
    )


def _no_idle_words(words: list[str] | None) -> None:
    """Refuse a word that chooses no check: a run of nothing would be green."""
    from sttp_conformance.checks import load_checks  # noqa: PLC0415 - see above
    from sttp_conformance.selection import Selection  # noqa: PLC0415

    for word in Selection(words=tuple(words or ())).idle_words(load_checks()):
        raise UsageError(
            f"-k {word}: no check, chapter or requirement with checks has this in its name; "
            "sttp conformance list names them all"
        )


def _make_folder(path: Path) -> None:
    """Make the folder for reports before a run of minutes, not after it."""
    from sttp_conformance.reports import FORMS  # noqa: PLC0415 - see above

    if path.suffix in FORMS and not path.is_dir():
        folder = path.with_suffix("")
        raise UsageError(
            f"--out {path}: a run writes several files, so this is to be a folder, such as {folder}. Behind it, "
            f"sttp conformance report {folder} --out {path} makes one file of them"
        )
    if path.is_file():
        raise UsageError(f"--out {path}: a run writes several files, so this is to be a folder, and it is a file")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {path}: this folder cannot be made: {error.strerror}") from None


def _progress(result: Result, done: int, total: int) -> None:
    if result.verdict not in ("unsupported", "skipped"):
        announce(printable(f"{done:>4}/{total} {result.verdict:<6} {result}"))
