"""The control channel, seen from the implementation: requests as JSON lines on stdin, answers on stdout.

It runs under the Python of another environment, where `sttp` is the package of `sttpapi`.
"""

from __future__ import annotations

import json
import os
import sys


def obey(**requests):
    """Answer requests until there are no more; then end this process at once.

    The library has threads that nobody can join, such as one that dials for ever.

    Args:
        requests: by name, with _ for -, what is done; it is called with the arguments of the request, and returns the
            answer or None.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what the library prints is no answer
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line), requests)) + "\n")
        answers.flush()
    os._exit(0)


def _answer(request, requests):
    answer = {"id": request.pop("id")}
    action = requests.get(request.pop("do").replace("-", "_"))
    if action is None:
        return answer | {"unsupported": True}
    try:
        return answer | {"ok": True} | (action(**request) or {})
    except Exception as error:  # noqa: BLE001 - whatever the library raises is for the suite to tell
        return answer | {"error": f"{type(error).__name__}: {error}"}


def log(text):
    """Say something on stderr, where the suite keeps it."""
    sys.stderr.write(f"{text}\n")


def from_wire(value):
    """A value as it stands in requests, where the words NaN, Infinity and -Infinity are no numbers."""
    return float(value)


def to_wire(value):
    """A value as it stands in reports."""
    if value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    if abs(value) == float("inf"):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)
