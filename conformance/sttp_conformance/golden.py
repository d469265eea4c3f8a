"""Golden TSSC streams (`vectors/README.md`): blocks made by others, and what is in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final
from uuid import UUID

import numpy as np

from sttp.measurement import Columns, SignalTable
from sttp.wire.tssc import TsscBlock, TsscDecoder

__all__ = ["GoldenStream", "golden_streams"]


_INDEXES: Final = 8192
"""More than any signal index in the streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenStream:
    """A stream of blocks.

    Attributes:
        name: such as `01-constant`.
        description: what is in it.
        blocks: as they stand in data packets, in order.
        measurements: what each block holds. The stream as a whole has the SHA-256 that came with the blocks.
        signals: a signal for each signal index.
    """

    name: str
    description: str
    blocks: tuple[TsscBlock, ...]
    measurements: tuple[Columns, ...]
    signals: SignalTable


@cache
def golden_streams() -> Mapping[str, GoldenStream]:
    """All streams by name.

    Raises:
        ValueError: what the suite reads is not what the blocks were made from.
    """
    document = json.loads((files("sttp_conformance") / "vectors" / "tssc.json").read_text("utf-8"))
    streams = {}
    for entry in document["streams"]:
        blocks = tuple(
            TsscBlock(sequence=sequence, count=count, block=bytes.fromhex(text))
            for sequence, count, text in entry["blocks"]
        )
        decoder = TsscDecoder(signal_indexes=np.ones(_INDEXES, np.bool_))
        measurements = tuple(decoder.decode(each.block, sequence=each.sequence, count=each.count) for each in blocks)
        whole = Columns.concatenate(measurements)
        if _digest(whole) != entry["sha256"]:
            raise ValueError(f"{entry['name']}: the suite reads something else than what it was made from")
        streams[entry["name"]] = GoldenStream(
            name=entry["name"],
            description=entry["description"],
            blocks=blocks,
            measurements=measurements,
            signals=_signals(whole),
        )
    return MappingProxyType(streams)


def _digest(columns: Columns) -> str:
    packed = np.empty(len(columns.ticks), [("index", "<i4"), ("ticks", "<i8"), ("flags", "<u4"), ("bits", "<u4")])
    packed["index"], packed["ticks"], packed["flags"] = columns.signal_index, columns.ticks, columns.flags
    packed["bits"] = np.ascontiguousarray(columns.value).view(np.uint32)
    return hashlib.sha256(packed.tobytes()).hexdigest()


def _signals(columns: Columns) -> SignalTable:
    used = np.unique(columns.signal_index)
    ids = np.zeros((int(used.max()) + 1, 16), np.uint8)
    for index in used.tolist():
        ids[index] = np.frombuffer(UUID(int=index + 1, version=4).bytes, np.uint8)
    return SignalTable(ids)
