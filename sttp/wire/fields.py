"""Pieces that messages are declared from, and the gzip that wraps some of them (wire.md 0, 3.2, 3.3, 4.6).

This is where construct ends: its untyped containers and its exceptions stay behind `Declaration`. A declaration may
use four values from outside, given as keywords when it parses or builds: `modes`, `limits`, `tolerances` and, for
responses, the `command` that they answer.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import IntFlag
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import construct

from sttp.codes import OperationalModes, TextEncoding
from sttp.errors import LimitError, MessageError, UsageError
from sttp.wire.frame import Buffer

__all__ = [
    "Declaration",
    "Guid",
    "Modes",
    "OptionalText",
    "PrefixedText",
    "Text",
    "Ticks",
    "deflate",
    "deflate_pieces",
    "flags",
    "inflate",
    "is_gzip",
]

Message = TypeVar("Message")


def _read_reply_text(raw: bytes, context: Any) -> str:
    given = context._params
    prefix = int.from_bytes(raw[:4], "big")
    if given.tolerances.length_prefixed_text and len(raw) >= 4 and prefix == len(raw) - 4:
        raw = raw[4:]
    encoding: TextEncoding = given.modes.encoding
    return raw[: given.limits.text].decode(encoding.codec, "replace")


def _read_text(raw: bytes, context: Any) -> str:
    encoding: TextEncoding = context._params.modes.encoding
    return raw.decode(encoding.codec)


def _write_text(text: str, context: Any) -> bytes:
    encoding: TextEncoding = context._params.modes.encoding
    return text.encode(encoding.codec)


Guid: Final = construct.ExprAdapter(
    # 5.3: RFC 4122 order everywhere, never the mixed order of .NET
    construct.Bytes(16),
    lambda raw, context: UUID(bytes=raw),
    lambda guid, context: guid.bytes,
)

Ticks: Final = construct.Int64sb
"""11.1: 100 ns since 0001-01-01, UTC."""

Modes: Final = construct.ExprAdapter(
    # 3.1: unassigned bits are dropped, the undefined encoding is read as UTF-8
    construct.Int32ub,
    lambda bits, context: OperationalModes.from_bits(bits),
    lambda modes, context: modes.to_bits(),
)

PrefixedText: Final = construct.ExprAdapter(
    # 0: within commands a text carries its byte count. A text that is not valid would select the wrong signals
    construct.Prefixed(construct.Int32ub, construct.GreedyBytes),
    _read_text,
    _write_text,
)

OptionalText: Final = construct.ExprAdapter(
    # 8.1: an empty text is nothing at all, not even a byte count
    construct.GreedyBytes,
    lambda raw, context: PrefixedText.parse(raw, **context._params) if raw else "",
    lambda text, context: PrefixedText.build(text, **context._params) if text else b"",
)

Text: Final = construct.ExprAdapter(
    # 4.6: within responses a text fills the rest. It is for people: cut where it is too long, never refused
    construct.GreedyBytes,
    _read_reply_text,
    _write_text,
)


def flags(kind: type[IntFlag]) -> Any:
    """One byte of flags; bits without a name are kept."""
    return construct.ExprAdapter(construct.Int8ub, lambda bits, context: kind(bits), lambda value, context: int(value))


class Declaration(Generic[Message]):
    """The payload of one message, declared once, and its typed value made from it.

    Args:
        kind: a dataclass; each of its fields occurs in the declaration under the same name.
        clause: section of wire.md that defines the payload.
        fields: named construct declarations, in the order of the wire.
    """

    __slots__ = ("_names", "clause", "kind", "payload")

    def __init__(self, kind: type[Message], clause: str, *fields: Any) -> None:
        self.kind = kind
        self.clause = clause
        self.payload = construct.Struct(*fields)
        self._names = tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]

    def parse(self, payload: Buffer, *, trailing: bool, **given: Any) -> Message:
        """Read a payload.

        Args:
            payload: all bytes of the message behind its header.
            trailing: whether bytes behind the last field are ignored.
            given: what the declaration needs to know.

        Raises:
            MessageError: the bytes do not fit.
        """
        stream = io.BytesIO(payload)
        name = self.kind.__name__
        try:
            container = self.payload.parse_stream(stream, **given)
        except (construct.ConstructError, UnicodeDecodeError) as error:
            raise MessageError(
                f"{name} of {len(payload)} bytes cannot be read: {_last_line(error)}", clause=self.clause
            ) from None
        if not trailing and stream.tell() != len(payload):
            raise MessageError(f"{len(payload) - stream.tell()} bytes too many in {name}", clause=self.clause)
        return self.kind(**{name: container[name] for name in self._names})

    def build(self, value: Message, **given: Any) -> bytes:
        """Write the payload of `value`.

        Raises:
            UsageError: a number out of its range, bytes of the wrong length, or text that the encoding cannot express.
        """
        try:
            payload: bytes = self.payload.build({name: getattr(value, name) for name in self._names}, **given)
        except (construct.ConstructError, UnicodeEncodeError) as error:
            raise UsageError(f"{self.kind.__name__} cannot be written: {_last_line(error)}") from None
        return payload


def _last_line(error: Exception) -> str:
    # construct puts the path of the field first and what is wrong last
    return str(error).splitlines()[-1]


_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
# every peer writes one member; their number has to end somewhere
_GZIP_MEMBERS: Final = 16
_GZIP_PIECE: Final = 16 * 1024
# metadata shrinks to a tenth or a thirtieth, because every signal has a random ID. What shrinks to a hundredth is a
# bomb, and not worth the memory that the largest document may take
_GZIP_RATIO: Final = 100
_GZIP_ALWAYS: Final = 2**20


def is_gzip(document: Buffer) -> bool:
    """Whether `document` begins with the gzip signature 1F 8B (3.2)."""
    return bytes(document[:2]) == _GZIP


def deflate(document: Buffer, level: int = 6) -> bytes:
    """Compress with gzip (3.2). The same document always gives the same bytes.

    Args:
        document: what to compress.
        level: 1 is fast, 9 is small.
    """
    return gzip.compress(document, compresslevel=level, mtime=0)


def deflate_pieces(document: Iterable[Buffer], level: int = 6) -> bytes:
    """Compress a document that comes in pieces, each in another thread while the next is being made.

    Args:
        document: its pieces; large ones, or the threads cost more than they save.
        level: as for `deflate`.

    Raises:
        Exception: whatever making the pieces raises.
    """
    compressor = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)  # 16: as gzip does
    with ThreadPoolExecutor(1) as thread:
        compressed = [thread.submit(compressor.compress, piece) for piece in document]
        compressed.append(thread.submit(compressor.flush))
        return b"".join(each.result() for each in compressed)


def inflate(document: Buffer, *, limit: int, name: str) -> bytes:
    """Undo gzip, where the signature says that there is any; other bytes come back as they are (3.2).

    Several gzip members are joined, and zeros behind the last are padding; anything else there is damage.

    Args:
        document: the bytes as they came, compressed or not.
        limit: largest result accepted, in bytes. What is compressed may not grow to more than a hundred times its
            size either, or to 1 MiB if that is more. Memory is taken only when the size is known to be accepted.
        name: which attribute of `sttp.limits.Limits` that is; it goes into the error.

    Raises:
        LimitError: the result is too large.
        MessageError: the compressed bytes are damaged or cut off.
    """
    if not is_gzip(document):
        if len(document) > limit:
            raise LimitError(f"{len(document)} bytes, where at most {limit} are accepted", limit=name, clause="3.2")
        return bytes(document)
    members: list[bytes] = []
    accepted = room = min(limit, max(_GZIP_ALWAYS, _GZIP_RATIO * len(document)))
    rest = memoryview(document)
    try:
        while is_gzip(rest):
            if len(members) == _GZIP_MEMBERS:
                raise MessageError(f"more than {_GZIP_MEMBERS} gzip members", clause="3.2")
            length, size = _measure(rest, room)
            if size > room:
                raise LimitError(f"inflates to more than the {accepted} bytes accepted", limit=name, clause="3.2")
            members.append(zlib.decompress(rest[:length], _GZIP_WINDOW, max(size, 1)))
            room -= size
            rest = rest[length:]
    except zlib.error as error:
        raise MessageError(f"damaged gzip: {error}", clause="3.2") from None
    if bytes(rest).strip(b"\0"):
        raise MessageError(f"{len(rest)} bytes behind the end of gzip", clause="3.2")
    return members[0] if len(members) == 1 else b"".join(members)


def _measure(document: memoryview, most: int) -> tuple[int, int]:
    """Length of the gzip member at the start, and size of what is in it; that stops to be exact beyond `most`."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    size = position = 0
    while not inflater.eof:
        if position >= len(document):
            raise MessageError("gzip that is cut off", clause="3.2")
        piece: Buffer = document[position : position + _GZIP_PIECE]
        position += len(piece)
        # at the end of a piece some of what it stands for may still be within zlib
        while inflated := inflater.decompress(piece, _GZIP_PIECE):
            size += len(inflated)
            if size > most:
                return position, size
            if inflater.eof:
                break
            piece = inflater.unconsumed_tail
    return position - len(inflater.unused_data), size
