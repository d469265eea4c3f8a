"""Frames: the length-prefixed units of the command channel (wire.md 1.1, 1.4).

A *frame* here is four bytes of length and what they count; it is not a data frame of C37.118.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

import construct

from sttp.errors import LimitError

__all__ = ["FRAME", "Buffer", "FrameReader", "write_frame"]

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that nobody has to copy to look at them."""

FRAME: Final = construct.Struct(
    # 1.1: the number of bytes that follow; it does not count itself
    "length" / construct.Rebuild(construct.Int32ub, construct.len_(construct.this.body)),
    # 1.1: a command or a response. 1.4: never empty, but empty ones are skipped
    "body" / construct.Bytes(construct.this.length),
)
"""The normative declaration. `FrameReader` and `write_frame` do the same with `struct`."""

_LENGTH: Final = struct.Struct(">I")
_EMPTY: Final = memoryview(b"")
_FOREIGN: Final = {
    **dict.fromkeys((b"HTTP", b"GET ", b"POST", b"HEAD", b"OPTI", b"CONN", b"PRI "), "HTTP"),
    **{bytes((kind, 3, minor, high)): "TLS" for kind in (21, 22) for minor in range(4) for high in (0, 1, 2)},
    b"SSH-": "SSH",
}
"""How other protocols begin; as lengths of frames these are all too long."""


class FrameReader:
    """Cuts a stream of bytes into frames. Nothing is copied while a frame lies within the bytes of one `feed`.

    Memory grows with the bytes that arrived, never with the length that a header claims.

    Args:
        limit: longest frame accepted, in bytes without the header.
        name: which attribute of `sttp.limits.Limits` that is; it goes into the error.

    Attributes:
        limit: may be changed at any time, also between two frames of one iteration.
        name: goes with `limit`.
    """

    __slots__ = ("_fresh", "_unfinished", "limit", "name")

    def __init__(self, limit: int, *, name: str = "response") -> None:
        self.limit = limit
        self.name = name
        self._fresh = _EMPTY
        self._unfinished = bytearray()

    @property
    def pending(self) -> int:
        """Bytes that are fed and not yet handed out. After an iteration they belong to an unfinished frame."""
        return len(self._unfinished) + len(self._fresh)

    def peek(self, length: int) -> bytes:
        """The first bytes, at most `length`, of the unfinished frame, its header included."""
        return bytes(self._unfinished[:length])

    def feed(self, data: Buffer) -> None:
        """Take more bytes of the stream. They must stay as they are until `frames` has been iterated to its end."""
        fresh = memoryview(data).toreadonly()
        # bytes are only left over when the last iteration was broken off
        self._fresh = memoryview(b"".join((self._fresh, fresh))) if self._fresh else fresh

    def __iter__(self) -> Iterator[memoryview]:
        return self.frames()

    def frames(self) -> Iterator[memoryview]:
        """Hand out the frames that are complete, without their headers; empty ones are skipped (1.4).

        Yields:
            A read-only view, valid until the next `feed`.

        Raises:
            LimitError: a header claims more than `limit` bytes. There is no way to find the next frame (1.4).
        """
        while self._fresh:
            if self._unfinished:
                frame = self._finish()
                if frame is None:
                    return
            else:
                fresh = self._fresh
                size, end = len(fresh), _LENGTH.size
                if size >= end:
                    (length,) = _LENGTH.unpack_from(fresh)
                    if length > self.limit:
                        raise self._too_long(fresh)
                    end += length
                if size < end:
                    self._unfinished += fresh
                    self._fresh = _EMPTY
                    return
                frame = fresh[_LENGTH.size : end]
                self._fresh = fresh[end:] if size > end else _EMPTY
            if frame:
                yield frame

    def _finish(self) -> memoryview | None:
        """Complete the unfinished frame from the fresh bytes, or take them all and return None."""
        self._take(_LENGTH.size)
        if len(self._unfinished) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._unfinished)
        if length > self.limit:
            raise self._too_long(self._unfinished)
        end = _LENGTH.size + length
        self._take(end)
        if len(self._unfinished) < end:
            return None
        frame = memoryview(self._unfinished).toreadonly()[_LENGTH.size :]
        self._unfinished = bytearray()
        return frame

    def _take(self, wanted: int) -> None:
        missing = max(wanted - len(self._unfinished), 0)
        self._unfinished += self._fresh[:missing]
        self._fresh = self._fresh[missing:]

    def _too_long(self, data: Buffer) -> LimitError:
        header = bytes(data[: _LENGTH.size])
        reason = f"a frame of {int.from_bytes(header, 'big')} bytes, where at most {self.limit} are accepted"
        if header in _FOREIGN:
            reason += f"; the bytes are {_FOREIGN[header]}, not STTP"
        return LimitError(reason, limit=self.name, clause="1.4")


def write_frame(*parts: Buffer) -> bytes:
    """The frame that carries `parts`, which are one whole command or response (1.1). They are joined once."""
    return b"".join((_LENGTH.pack(sum(map(len, parts))), *parts))
