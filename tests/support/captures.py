"""Recorded conversations of deployed implementations; see tests/wire/vectors/captures/README.md."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from sttp.limits import DEFAULT_LIMITS
from sttp.wire.frame import FrameReader

__all__ = ["COMPACT", "GOAPI", "NAMES", "PYAPI", "TO_PUBLISHER", "TO_SUBSCRIBER", "TSSC", "decoded", "frames", "reads"]

_FOLDER = Path(__file__).parent.parent / "wire" / "vectors" / "captures"

TO_PUBLISHER, TO_SUBSCRIBER = "sub->pub", "pub->sub"

COMPACT = "cppapi-cppapi-compact-reverse"
TSSC = "cppapi-cppapi-tssc-forward"
GOAPI = "cppapi-goapi-tssc-forward"
PYAPI = "pyapi-cppapi-tssc-forward"
NAMES = (COMPACT, TSSC, GOAPI, PYAPI)


def reads(name: str) -> Iterator[tuple[str, bytes]]:
    """What each read gave, in the order seen by the recorder: direction and bytes, not aligned to frames."""
    for line in (_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        if "data" in read:
            yield read["dir"], base64.b64decode(read["data"])


def frames(pieces: Iterable[bytes]) -> list[bytes]:
    """The frames in a stream, without their lengths; it must end with a whole one."""
    reader = FrameReader(DEFAULT_LIMITS.response)
    found = []
    for data in pieces:
        reader.feed(data)
        found += [bytes(frame) for frame in reader]
    assert reader.pending == 0
    return found


def decoded() -> list[tuple[UUID, int, int, float]]:
    """What the recorded subscribers delivered: signal ID, ticks, flags and value."""
    with (_FOLDER / "frames60-signals25.decoded.csv").open(encoding="utf-8") as lines:
        return [
            (UUID(row["signal_id"]), int(row["timestamp_ticks"]), int(row["flags"]), float(row["value"]))
            for row in csv.DictReader(lines)
        ]
