"""What a process has used so far: processor time and memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Usage", "usage"]

_STATUS: Final = Path("/proc/self/status")
_KIB: Final = 1024


class Usage(NamedTuple):
    """What this process has used.

    Attributes:
        time: seconds of a clock that never steps back, the same in all processes of a computer.
        cpu: seconds of processor time, of all its threads.
        resident: bytes of memory now; 0 where the system does not tell.
        peak: most bytes of memory so far; 0 where the system does not tell.
    """

    time: float
    cpu: float
    resident: int
    peak: int


def usage() -> Usage:
    """What this process has used until now."""
    return Usage(time.monotonic(), time.process_time(), *_memory())


def _memory() -> tuple[int, int]:
    try:
        # not getrusage: that counts the memory of the process that started this one
        status = _STATUS.read_text(encoding="ascii")
    except OSError:
        return 0, _peak()
    resident, peak = (int(status.partition(f"\n{name}:")[2].split(maxsplit=1)[0]) for name in ("VmRSS", "VmHWM"))
    return resident * _KIB, peak * _KIB


def _peak() -> int:
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * _KIB
