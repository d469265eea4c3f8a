"""A multitude of signals: their table, and metadata of them, without an object for each where that can be helped."""

from __future__ import annotations

from functools import cache
from typing import Final
from uuid import UUID

import numpy as np

from sttp.measurement import SignalTable
from sttp_conformance.dataset import document
from sttp_conformance.grid import DEVICE

__all__ = ["multitude", "same_signals"]

_PLACE: Final = "<SchemaVersion>"


@cache
def multitude(count: int) -> tuple[SignalTable, bytes]:
    """So many signals, and the metadata of a publisher that has them.

    Args:
        count: how many.

    Returns:
        The signals in the order of the metadata, and the document.
    """
    chance = np.random.default_rng(count)
    ids = chance.integers(0, 256, (count, 16), np.uint8)
    ids[:, 6], ids[:, 8] = 0x40 | (ids[:, 6] & 0x0F), 0x80 | (ids[:, 8] & 0x3F)
    names = [str(UUID(bytes=row.tobytes())) for row in ids]
    rows = "\n".join(
        f"<MeasurementDetail><DeviceAcronym>SUITE!BUS1</DeviceAcronym><ID>MANY:{number}</ID><SignalID>{name}</SignalID>"
        f"<PointTag>MANY!{number}</PointTag><SignalReference>MANY-AV{number}</SignalReference>"
        "<SignalAcronym>ALOG</SignalAcronym><Internal>true</Internal><Enabled>true</Enabled></MeasurementDetail>"
        for number, name in enumerate(names, 1)
    )
    frame = document({"DeviceDetail": [DEVICE], "SchemaVersion": [{"VersionNumber": 14}]}).decode()
    keys = tuple(f"MANY:{number}" for number in range(1, count + 1))
    return SignalTable(ids, keys), frame.replace(_PLACE, f"{rows}\n{_PLACE}", 1).encode()


def same_signals(one: SignalTable, other: SignalTable) -> bool:
    """Whether two tables have the same signals, each once, whatever their indexes."""
    first, second = (np.sort(np.ascontiguousarray(each.ids[each.present]).view("V16")[:, 0]) for each in (one, other))
    return bool(len(first) == len(second) and first.tobytes() == second.tobytes())
