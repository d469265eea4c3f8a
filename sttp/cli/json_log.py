"""Log records as JSON, one object a line, for programs that collect them."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sttp.cli.terminal import announce
from sttp.errors import UsageError
from sttp.security import Reason

__all__ = ["AUDIT", "as_json", "audit_to", "log_as_json"]

AUDIT: Final = "sttp.audit"
"""The logger of the audit log."""

_CODE: Final = re.compile(r"\[([a-z0-9-]+)\]")
_PEER: Final = re.compile(r"^(?P<peer>\S+): ")


def as_json(record: logging.LogRecord) -> str:
    """One record: when, how bad, which logger, what it says; and reason code, peer and audit fields if it has any."""
    message = record.getMessage()
    said: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": message,
    }
    fields = getattr(record, "audit", None)
    if fields is not None:
        said |= fields
    else:
        if peer := _PEER.match(message):
            said["peer"] = peer["peer"]
        if code := next((each for each in _CODE.findall(message) if each in set(Reason)), None):
            said["code"] = code
    if record.exc_info:
        said["traceback"] = logging.Formatter().formatException(record.exc_info)
    return json.dumps(said, ensure_ascii=True)


class _ToStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        announce(as_json(record))


class _ToFile(logging.FileHandler):
    def format(self, record: logging.LogRecord) -> str:
        return as_json(record)


def log_as_json() -> None:
    """Write everything that is logged on stderr as JSON, the audit log included."""
    logging.getLogger("sttp").handlers = [_ToStderr()]


def audit_to(path: Path) -> None:
    """Append the audit log to a file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        handler = _ToFile(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    logging.getLogger(AUDIT).addHandler(handler)
