"""Images of signal index caches (wire.md 5.2): read without mercy, and written with any fault that a check needs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sttp.measurement import SignalTable
from sttp_conformance.violation import Violation

__all__ = ["Image", "Reference", "gzipped", "references_of", "walk", "write_image"]

_HEAD: Final = struct.Struct(">i16si")
_SUBSCRIBER_ID: Final = UUID(int=0x0F0E0D0C0B0A09080706050403020100)


class Reference(NamedTuple):
    """Which signal a signal index means.

    Attributes:
        signal_index: the signal index.
        signal_id: identity of the signal.
        source: left part of its measurement key, encoded.
        number: right part of its measurement key.
    """

    signal_index: int
    signal_id: UUID
    source: bytes = b"SUITE"
    number: int = 1


class Image(NamedTuple):
    """An image, as it stands.

    Attributes:
        size: what it gives as its size.
        references: in their order.
        rest: everything behind them.
    """

    size: int
    references: tuple[Reference, ...]
    rest: bytes


def walk(image: bytes) -> Image:
    """Read an image that is not compressed.

    Raises:
        Violation: a reference does not end within the image.
    """
    if len(image) < _HEAD.size:
        raise Violation(f"expected a signal index cache of at least {_HEAD.size} bytes, not {len(image)}")
    size, _, count = _HEAD.unpack_from(image)
    references, at = [], _HEAD.size
    for number in range(count):
        if at + 24 > len(image):
            raise Violation(f"expected {count} references, but the image ends within the one at position {number}")
        index, signal_id, length = struct.unpack_from(">i16si", image, at)
        if not 0 <= length <= len(image) - at - 32:
            raise Violation(f"expected a source within the image, not one of {length} bytes at position {at + 20}")
        source = image[at + 24 : at + 24 + length]
        (key,) = struct.unpack_from(">Q", image, at + 24 + length)
        references.append(Reference(index, UUID(bytes=signal_id), source, key))
        at += 32 + length
    return Image(size, tuple(references), image[at:])


def references_of(signals: SignalTable) -> list[Reference]:
    """References for signals of the suite, whose keys are `SUITE:number`."""
    return [
        Reference(index, signal.signal_id, *_key(signal.key))
        for index, signal in enumerate(signals)
        if signal.signal_id.int
    ]


def _key(key: str) -> tuple[bytes, int]:
    source, _, number = key.rpartition(":")
    return source.encode(), int(number)


def write_image(
    references: Sequence[Reference],
    *,
    unauthorised: Sequence[UUID] | None = (),
    count: int | None = None,
    size: int = 0,
) -> bytes:
    """Write an image, not compressed.

    Args:
        references: in any order.
        unauthorised: signals that were refused; None leaves out their count too.
        count: what is given as the number of references; None for the true one.
        size: what is added to the true size.
    """
    body = b"".join(
        struct.pack(">i16si", each.signal_index, each.signal_id.bytes, len(each.source)) + each.source
        + struct.pack(">Q", each.number)
        for each in references
    )  # fmt: skip
    if unauthorised is not None:
        body += struct.pack(">i", len(unauthorised)) + b"".join(each.bytes for each in unauthorised)
    whole = _HEAD.size + len(body)
    number = len(references) if count is None else count
    return _HEAD.pack(whole + size, _SUBSCRIBER_ID.bytes, number) + body


def gzipped(data: bytes, *, level: int = 9, name: bytes = b"") -> bytes:
    """Compress with gzip.

    Args:
        data: what is compressed.
        level: 0 to 9.
        name: a file name for the header, which is there only then.
    """
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    head = b"\x1f\x8b\x08" + (b"\x08" if name else b"\x00") + bytes(4) + b"\x00\xff" + (name + b"\0" if name else b"")
    return head + packer.compress(data) + packer.flush() + struct.pack("<II", zlib.crc32(data), len(data) % 2**32)
