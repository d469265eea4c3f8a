"""One line on stderr that changes while something goes on, for people; scripts never see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sttp.cli.terminal import is_interactive

__all__ = ["progress"]

_BAR_WIDTH = 24
_PER_SECOND = 4


@contextmanager
def progress(line: Callable[[], str], share: Callable[[], float] | None = None) -> Iterator[None]:
    """Show what goes on as long as the context lasts, if stderr is a terminal.

    Args:
        line: says what has happened so far; asked a few times a second.
        share: how much is done, 0 to 1; without it there is no bar.
    """
    if not is_interactive():
        yield
        return

    def shown() -> RenderableType:
        text = Text(line(), no_wrap=True, overflow="ellipsis")
        if share is None:
            return text
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=1.0, completed=share(), width=_BAR_WIDTH), text)
        return row

    console = Console(stderr=True)
    with Live(
        get_renderable=shown, console=console, refresh_per_second=_PER_SECOND, redirect_stdout=False, transient=True
    ):
        yield
