"""Which event loop the commands run on: uvloop where it is installed, unless STTP_NO_UVLOOP=1 is in the environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

__all__ = ["REFUSE", "loop_factory"]

REFUSE: Final = "STTP_NO_UVLOOP"
"""With 1 in this environment variable the loop of asyncio is used, whatever is installed."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop, for `asyncio.Runner`; None for the one that asyncio comes with."""
    if os.environ.get(REFUSE) == "1":
        return None
    try:
        import uvloop  # noqa: PLC0415 - only commands that run a loop need it
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
