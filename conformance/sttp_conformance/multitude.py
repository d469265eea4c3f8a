"""A multitude of signals: their table, and metadata of them, without an object for each where that can be helped."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Final
from uuid import UUID

import numpy as np

from sttp.measurement import SignalTable
from sttp_conformance.dataset import document
from sttp_conformance.grid import DEVICE

__all__ = ["apart", "multitude"]

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


def apart(wanted: SignalTable, got: SignalTable) -> str:
    """What is different between two tables of signals, whatever their indexes.

    Returns:
        The first signal that is missing, of nobody, or there twice; empty when both have the same signals, each once.
    """
    sorted_ids = (np.sort(np.ascontiguousarray(each.ids[each.present]).view("V16")[:, 0]) for each in (wanted, got))
    if len({each.tobytes() for each in sorted_ids}) == 1:
        return ""  # as it mostly is, and of a hundred thousand that is soon seen
    first, second = (Counter(row.tobytes() for row in each.ids[each.present]) for each in (wanted, got))
    for more, words in ((first - second, "is missing"), (second - first, "was not to be there")):
        if more:
            others = f", and so are {more.total() - 1} others" if words == "is missing" and more.total() > 1 else ""
            return f"{got.present.sum()} signals: {UUID(bytes=min(more))} {words}{others}"
    return ""
