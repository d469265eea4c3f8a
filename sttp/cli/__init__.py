"""The command `sttp`: publish, subscribe, look at metadata and plugins, measure, and a demonstration.

Exit codes: 0, 1 failed, 2 bad usage, 130 and 143 after SIGINT and SIGTERM. An error is one line on stderr; one in a
filter expression has two more, with a caret under the place.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from sttp.cli import (
    bench,
    cert,
    conformance,
    demo,
    doctor,
    filter,
    metadata,
    plugins,
    plugins_doctor,
    publish,
    subscribe,
    terminal,
)
from sttp.cli.options import Debug
from sttp.cli.run import nobody_reads
from sttp.errors import FilterError, STTPError, UsageError

__all__ = ["app", "main"]

_FAILED = 1
_BAD_USAGE = 2

_log = logging.getLogger("sttp.cli")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sttp {version('sttp-kit')}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog="Begin with: sttp demo. More about a command: sttp COMMAND --help.")
def _sttp(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Stream measurements, above all synchrophasors, by the Streaming Telemetry Transport Protocol (IEEE 2664).

    A publisher has measurements, a subscriber wants them. Normally the subscriber dials the publisher: give both
    tcp://HOST:PORT. Where a firewall lets nobody in to the publisher, give both reverse+tcp://HOST:PORT. Then the
    subscriber listens, and the publisher dials it.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(_BAD_USAGE)


app.command("publish", short_help="Send a CSV file, or simulated signals.", epilog=publish.EXAMPLES)(publish.publish)
app.command("subscribe", short_help="Receive measurements.", epilog=subscribe.EXAMPLES)(subscribe.subscribe)
app.command("metadata", short_help="Show a publisher's metadata.", epilog=metadata.EXAMPLES)(metadata.metadata)
app.command("filter", short_help="Try a filter expression on a file.", epilog=filter.EXAMPLES)(filter.filter_rows)
app.command("bench", short_help="Measure speed on this computer.", epilog=bench.EXAMPLES)(bench.bench)
app.add_typer(cert.app, name="cert", short_help="Certificates, and whom to trust.", epilog=cert.EXAMPLES)
app.command("doctor", short_help="Say what is wrong with a connection.", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("demo", short_help="Watch a grid fault stream both ways.", epilog=demo.EXAMPLES)(demo.demo)
_plugins = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_plugins.callback(invoke_without_command=True)(plugins.plugins)
_plugins.command("doctor", short_help="Say what is wrong with plugins.")(plugins_doctor.doctor)
app.add_typer(_plugins, name="plugins", short_help="List what URLs can name.")
app.add_typer(conformance.app, name="conformance", short_help="Judge an implementation of STTP.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows the name of the command; without it, those of the process.

    Returns:
        The exit code.
    """
    terminal.show_log(debug=False)
    try:
        # A command returns nothing; typer gives the code of a typer.Exit as result.
        return app(args=arguments, prog_name="sttp", standalone_mode=False) or 0
    except typer.TyperException as error:
        context: typer.Context | None = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        terminal.error(error.format_message() + hint)
        return error.exit_code
    except BrokenPipeError:
        nobody_reads()
        return 0
    except (STTPError, OSError) as error:
        terminal.error(str(error))
        _log.debug("traceback", exc_info=True)
        return _BAD_USAGE if isinstance(error, (UsageError, FilterError)) else _FAILED
    except Exception as error:  # noqa: BLE001 - a bug of ours shall not look like noise either
        terminal.error(f"{type(error).__name__}: {error} (a bug in sttp; --debug shows where)")
        _log.debug("traceback", exc_info=True)
        return _FAILED
