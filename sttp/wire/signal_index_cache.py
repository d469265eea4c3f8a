"""Signal index caches: which signal each signal index of the data packets means (wire.md 5.2, 5.3, 5.6)."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import construct
import numpy as np
from numpy.typing import NDArray

from sttp.codes import OperationalModes
from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.measurement import SignalTable
from sttp.tolerances import DEFAULT_TOLERANCES, Tolerances
from sttp.wire.fields import Guid, deflate, inflate, is_gzip
from sttp.wire.frame import Buffer

__all__ = [
    "SIGNAL_INDEX_CACHE",
    "SignalIndexCache",
    "check_keys",
    "read_signal_index_cache",
    "write_signal_index_cache",
]

_REFERENCE: Final = construct.Struct(
    # 5.2: never negative, never twice; in no particular order, and not always without gaps
    "signal_index" / construct.Int32sb,
    "signal_id" / Guid,
    # 5.2: left part of the measurement key, in the session encoding; empty from pyapi's publisher
    "source" / construct.Prefixed(construct.Int32sb, construct.GreedyBytes),
    # 5.2: right part of the measurement key
    "number" / construct.Int64ub,
)

SIGNAL_INDEX_CACHE: Final = construct.Struct(
    # 5.2: size of everything, these four bytes and later fields included, not compressed. pyapi's publisher leaves
    # out these four bytes (Y6)
    "size"
    / construct.Rebuild(
        construct.Int32sb,
        lambda cache: 28 + sum(32 + len(each.source) for each in cache.references) + 16 * len(cache.unauthorised),
    ),
    # 5.2: informative
    "subscriber_id" / Guid,
    "references" / construct.PrefixedArray(construct.Int32sb, _REFERENCE),
    # 5.2: may be missing with its count; pyapi's publisher never writes it (Y6), cppapi's always writes none
    "unauthorised" / construct.PrefixedArray(construct.Int32sb, Guid),
)
"""The normative declaration of an image. The functions of this module do the same with NumPy."""

_HEAD: Final = struct.Struct(">i16si")
_COUNT: Final = struct.Struct(">i")
_SOURCE: Final = 24
"""Where the source begins in a reference, and how many bytes stand before it; eight follow it."""
_REFERENCE_SIZE: Final = 32
"""Bytes of a reference without its source."""
_KEY_NUMBERS: Final = 2**64
_LEVEL: Final = 1
"""Of gzip. Most of a cache are signal IDs, which hardly shrink: level 6 saves another 6 % in two and a half times the
time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIndexCache:
    """What a publisher will send to one subscriber, and what it refused to.

    Attributes:
        subscriber_id: who the publisher takes the subscriber for; informative.
        signals: the signals by signal index.
        unauthorised: signal IDs that were asked for without the right to them.
    """

    subscriber_id: UUID
    signals: SignalTable
    unauthorised: tuple[UUID, ...] = ()


def read_signal_index_cache(
    image: Buffer,
    modes: OperationalModes,
    limits: Limits = DEFAULT_LIMITS,
    tolerances: Tolerances = DEFAULT_TOLERANCES,
) -> SignalIndexCache:
    """Read the image of a cache, inflating it where it is compressed.

    Measurement keys become `SOURCE:number`. A key without source and number stays empty, one without source becomes
    `:number`. A reference to the signal ID of all zeros is a hole in the table.

    Args:
        image: the bytes behind the cache index.
        modes: what was settled with the first command; only the text encoding counts here, unless `tolerances` are
            strict about compression.
        limits: `signal_index_cache` and `signal_index` count here.
        tolerances: which departures to read all the same.

    Raises:
        MessageError: sizes, counts or signal indexes that cannot be.
        LimitError: the image is too large, or a signal index too high.
    """
    if is_gzip(image) != modes.compress_signal_index_cache and image and not tolerances.gzip_by_signature:
        raise MessageError("a signal index cache compressed, or not, against what was negotiated", clause="3.2")
    raw = inflate(image, limit=limits.signal_index_cache, name="signal_index_cache")
    if not raw and tolerances.empty_cache:
        return SignalIndexCache(subscriber_id=UUID(int=0), signals=SignalTable.of(()))
    if len(raw) < _HEAD.size:
        raise MessageError(f"a signal index cache of {len(raw)} bytes", clause="5.2")
    size, subscriber_id, count = _HEAD.unpack_from(raw)
    if not 0 <= count <= (len(raw) - _HEAD.size) // _REFERENCE_SIZE:
        raise MessageError(f"{count} references in a signal index cache of {len(raw)} bytes", clause="5.2")
    if count > limits.signal_index + 1:
        raise _too_high(count - 1, limits)
    begins, end = _find_references(raw, count)
    signals = _read_references(raw, begins, modes, limits)
    unauthorised, end = _read_unauthorised(raw, end, tolerances)
    least = end - _COUNT.size if tolerances.cache_size_without_itself else end
    if not least <= size <= len(raw) or (end != len(raw) and not tolerances.trailing_bytes):
        raise MessageError(f"a signal index cache of {len(raw)} bytes gives {size} as its size", clause="5.2")
    return SignalIndexCache(subscriber_id=UUID(bytes=subscriber_id), signals=signals, unauthorised=unauthorised)


def _find_references(raw: bytes, count: int) -> tuple[NDArray[np.intp], int]:
    """Where each reference begins, shape `(count,)`, and where the last ends."""
    if count == 0:
        return np.zeros(0, np.intp), _HEAD.size
    # the common case first: when all sources are as long as the first, each length stands where the last put it
    width = _REFERENCE_SIZE + _COUNT.unpack_from(raw, _HEAD.size + 20)[0]
    end = _HEAD.size + count * width
    if width >= _REFERENCE_SIZE and end <= len(raw):
        begins = np.arange(_HEAD.size, end, width)
        if (_gather(raw, begins + 20, 4).view(">i4") == width - _REFERENCE_SIZE).all():
            return begins, end
    found = []
    position = _HEAD.size
    for _ in range(count):
        found.append(position)
        if position + _REFERENCE_SIZE > len(raw):
            raise MessageError("a signal index cache that is cut off", clause="5.2")
        length = _COUNT.unpack_from(raw, position + 20)[0]
        position += _REFERENCE_SIZE + length
        if length < 0 or position > len(raw):
            raise MessageError(f"a source of {length} bytes in a signal index cache", clause="5.2")
    return np.array(found, np.intp), position


def _read_references(raw: bytes, begins: NDArray[np.intp], modes: OperationalModes, limits: Limits) -> SignalTable:
    if len(begins) == 0:
        return SignalTable.of(())
    indexes = _gather(raw, begins, 4).view(">i4")[:, 0].astype(np.intp)
    lengths = _gather(raw, begins + 20, 4).view(">i4")[:, 0].astype(np.intp)
    least, highest = int(indexes.min()), int(indexes.max())
    if least < 0:
        raise MessageError(f"the signal index {least}", clause="5.2")
    if highest > limits.signal_index:
        raise _too_high(highest, limits)
    if len(np.unique(indexes)) < len(indexes):
        raise MessageError("a signal index that occurs twice", clause="5.2")
    ids = np.zeros((highest + 1, 16), np.uint8)
    ids[indexes] = _gather(raw, begins + 4, 16)
    numbers = _gather(raw, begins + _SOURCE + lengths, 8).view(">u8")[:, 0].tolist()
    # few sources are common to many signals: decode each of them once
    prefixes: dict[bytes, str] = {}
    keys = [""] * len(ids)
    sources = begins + _SOURCE
    for index, begin, end, number in zip(
        indexes.tolist(), sources.tolist(), (sources + lengths).tolist(), numbers, strict=True
    ):
        source = raw[begin:end]
        prefix = prefixes.get(source)
        if prefix is None:
            prefix = prefixes[source] = source.decode(modes.encoding.codec, "replace") + ":"
        keys[index] = f"{prefix}{number}" if source or number else ""
    return SignalTable(ids, tuple(keys))


def _read_unauthorised(raw: bytes, begin: int, tolerances: Tolerances) -> tuple[tuple[UUID, ...], int]:
    """The signal IDs behind the references, and where they end."""
    if begin == len(raw) and tolerances.cache_without_unauthorised:
        return (), begin
    left = len(raw) - begin - _COUNT.size
    count = _COUNT.unpack_from(raw, begin)[0] if left >= 0 else 0
    if left < 0 or not 0 <= count <= left // 16:
        raise MessageError(f"{count} unauthorised signals in the last {left} bytes of a cache", clause="5.2")
    begin += _COUNT.size
    end = begin + 16 * count
    return tuple(UUID(bytes=raw[each : each + 16]) for each in range(begin, end, 16)), end


def _gather(raw: bytes, begins: NDArray[np.intp], width: int) -> NDArray[np.uint8]:
    """The `width` bytes from each of `begins`, shape `(n, width)`. They must lie within `raw`."""
    return np.lib.stride_tricks.sliding_window_view(np.frombuffer(raw, np.uint8), width)[begins]


def _too_high(signal_index: int, limits: Limits) -> LimitError:
    return LimitError(
        f"the signal index {signal_index}, where at most {limits.signal_index} is accepted",
        limit="signal_index",
        clause="5.2",
    )


def write_signal_index_cache(cache: SignalIndexCache, modes: OperationalModes) -> bytes:
    """Write the image of a cache, compressed when that was negotiated; the cache index stands before it (5.1).

    Holes of the table are left out, the other signals come in the order of their index.

    Args:
        cache: the signals, with keys like `SOURCE:number`; an empty key is written as no source and zero.
        modes: what was settled with the first command; compression and text encoding count here.

    Raises:
        UsageError: a key of another form.
    """
    table = cache.signals
    present = np.flatnonzero(table.present)
    sources, numbers = _split_keys([table.keys[index] if table.keys else "" for index in present.tolist()])
    encoded = {source: source.encode(modes.encoding.codec) for source in set(sources)}
    references = _write_references(present, table.ids[present], [encoded[source] for source in sources], numbers)
    image = b"".join(
        (
            cache.subscriber_id.bytes,
            _COUNT.pack(len(present)),
            references,
            _COUNT.pack(len(cache.unauthorised)),
            *(signal_id.bytes for signal_id in cache.unauthorised),
        )
    )
    image = _COUNT.pack(_COUNT.size + len(image)) + image
    return deflate(image, _LEVEL) if modes.compress_signal_index_cache else image


_PLAIN_KEYS: Final = re.compile(r"(?>(?:[^\n]*:[0-9]{1,19})?\n)*+")
"""Keys of the form SOURCE:number, each in its line, with few enough digits for 64 bits; or empty ones."""


def check_keys(keys: Sequence[str]) -> None:
    """Make sure that measurement keys can be written: `SOURCE:number`, or empty.

    Raises:
        UsageError: a key of another form.
    """
    # all at once, and one by one only where that leaves a doubt: it takes ten times as long
    lines = "\n".join((*keys, ""))
    if lines.count("\n") != len(keys) or not _PLAIN_KEYS.fullmatch(lines):
        _split_keys(keys)


def _split_keys(keys: Sequence[str]) -> tuple[list[str], list[int]]:
    sources, numbers = [], []
    for key in keys:
        source, colon, number = key.rpartition(":")
        if not (colon and number.isdecimal() and number.isascii()) and key:
            raise UsageError(f"not a measurement key such as PPA:1: {key!r}")
        sources.append(source)
        numbers.append(int(number or 0))
    if numbers and max(numbers) >= _KEY_NUMBERS:
        raise UsageError(f"the number of a measurement key has 64 bits, which {max(numbers)} exceeds")
    return sources, numbers


def _write_references(
    indexes: NDArray[np.intp], ids: NDArray[np.uint8], sources: Sequence[bytes], numbers: Sequence[int]
) -> bytes:
    joined = np.frombuffer(b"".join(sources), np.uint8)
    lengths = np.fromiter(map(len, sources), np.intp, len(sources))
    ends = np.cumsum(lengths + _REFERENCE_SIZE)
    begins = ends - lengths - _REFERENCE_SIZE
    out = np.empty(len(joined) + len(sources) * _REFERENCE_SIZE, np.uint8)
    _scatter(out, begins, indexes.astype(">i4"))
    _scatter(out, begins + 4, ids)
    _scatter(out, begins + 20, lengths.astype(">i4"))
    # every byte of a source is as far from its place in `joined` as the first byte of that source
    shifts = begins + _SOURCE - (np.cumsum(lengths) - lengths)
    out[np.arange(len(joined)) + np.repeat(shifts, lengths)] = joined
    _scatter(out, begins + _SOURCE + lengths, np.array(numbers, ">u8"))
    return out.tobytes()


def _scatter(out: NDArray[np.uint8], begins: NDArray[np.intp], values: NDArray[Any]) -> None:
    """Put the bytes of each row of `values` where it begins."""
    if len(begins):
        rows = values.view(np.uint8).reshape(len(begins), -1)
        np.lib.stride_tricks.sliding_window_view(out, rows.shape[1], writeable=True)[begins] = rows
