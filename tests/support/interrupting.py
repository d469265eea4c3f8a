"""Ctrl-C, at the moment that a test chooses."""

from __future__ import annotations

import signal
import threading

__all__ = ["interrupt"]


def interrupt() -> None:
    """Raise `KeyboardInterrupt` in the main thread, wherever it waits; to be called by another thread."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)
