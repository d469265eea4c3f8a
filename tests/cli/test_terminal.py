from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from rich.table import Table

from sttp.cli import terminal


@pytest.fixture(autouse=True)
def log() -> Iterator[logging.Logger]:
    """The package's log, as it was before when the test is over."""
    logger = logging.getLogger("sttp")
    before = logger.handlers, logger.propagate, logger.level
    yield logger
    logger.handlers, logger.propagate, logger.level = before


def test_printable_takes_away_what_a_terminal_would_obey() -> None:
    assert terminal.printable("BUS é\x1b[31m\nx\u202e") == "BUS é\ufffd[31m\ufffdx\ufffd"


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.error("two\nlines \x1b[2J")
    assert capsys.readouterr().err == "sttp: error: two lines \ufffd[2J\n"


def test_listening(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.listening(["tcp://127.0.0.1:41233", "reverse+tcp://[::1]:7165"])
    assert capsys.readouterr().err == "listening tcp://127.0.0.1:41233\nlistening reverse+tcp://[::1]:7165\n"


def test_the_log_is_plain_lines(capsys: pytest.CaptureFixture[str], log: logging.Logger) -> None:
    terminal.show_log(debug=False)
    log.getChild("publisher").warning("%s: disconnected:\n%s", "1.2.3.4:5", "why")
    log.info("told")
    log.debug("not told")
    assert capsys.readouterr().err == "sttp: 1.2.3.4:5: disconnected: why\nsttp: told\n"


@pytest.mark.parametrize("debug", [False, True])
def test_tracebacks_are_for_debugging(capsys: pytest.CaptureFixture[str], log: logging.Logger, debug: bool) -> None:
    terminal.show_log(debug=debug)
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("internal error")
    err = capsys.readouterr().err
    assert err.startswith("sttp: internal error\n")
    assert ("Traceback" in err) is debug


def test_debug_shows_all(capsys: pytest.CaptureFixture[str], log: logging.Logger) -> None:
    terminal.show_log(debug=True)
    log.debug("told")
    assert capsys.readouterr().err == "sttp: told\n"


@pytest.mark.parametrize(
    ("logger", "line", "hinted"),
    [
        ("sttp.transport", "tcp://h:1: cannot connect: connection refused; next try in 1 s", True),
        ("sttp.transport", "tcp://h:1: no answer within 10 s; next try in 1 s", True),
        ("sttp.transport", "reverse+tcp://h:1: connection refused", False),
        ("sttp.transport", "tcp://h:1: host name not found", False),
        ("sttp.subscriber", "the peer refused the subscription", False),
    ],
)
def test_a_dial_that_a_firewall_may_have_stopped_is_hinted_at_once(
    capsys: pytest.CaptureFixture[str], logger: str, line: str, hinted: bool
) -> None:
    terminal.show_log(debug=False)
    logging.getLogger(logger).warning(line)
    logging.getLogger(logger).warning(line)
    assert capsys.readouterr().err.count(terminal.FIREWALL_HINT) == hinted


def test_tables_are_not_cut_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name")
    table.add_row("x" * 500 + "[bold]")
    terminal.tables().print(table)
    assert "x" * 500 + "[bold]" in capsys.readouterr().out


def test_nobody_watches_a_test() -> None:
    assert not terminal.is_interactive()
