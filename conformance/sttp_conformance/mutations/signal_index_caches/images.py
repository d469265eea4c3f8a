"""Signal index caches, and packets of them, that become others on their way."""

from __future__ import annotations

from collections.abc import Callable

from sttp.wire.fields import deflate, inflate, is_gzip

__all__ = ["imaged", "plain_image", "slotted"]


_DATA_FLAGS = 6
"""Where the flags of a data packet stand in its frame."""

_SLOT = 0x10


def plain_image(image: bytes) -> bytes:
    """An image as it is without compression."""
    return inflate(image, limit=2**26, name="signal index cache")


def imaged(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The payload of a cache of version 2 with another image, compressed as the one before."""

    def changed(payload: bytes) -> bytes:
        image = payload[1:]
        altered = change(plain_image(image))
        return payload[:1] + (deflate(altered) if is_gzip(image) else altered)

    return changed


def slotted(frame: bytes, slot: int) -> bytes:
    """A data packet that names a slot."""
    return frame[:_DATA_FLAGS] + bytes((frame[_DATA_FLAGS] & ~_SLOT | slot * _SLOT,)) + frame[_DATA_FLAGS + 1 :]
