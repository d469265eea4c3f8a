"""Time-series special compression: measurements in blocks that build on each other (wire.md 6.4, tssc.md).

The codec is `_tssc`; here are its memory, the sequence numbers, and the words for what is wrong with a block.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import Final

import construct
import numpy as np
from numpy.typing import NDArray

from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.measurement import Columns, highest_index
from sttp.wire import _tssc
from sttp.wire.frame import Buffer

__all__ = [
    "BLOCK_SIZE",
    "TSSC_HEADER",
    "TSSC_PAYLOAD",
    "TSSC_VERSION",
    "OutOfSequence",
    "TsscBlock",
    "TsscDecoder",
    "TsscEncoder",
    "TsscError",
    "read_tssc_header",
    "read_tssc_payload",
    "write_tssc_payload",
]

TSSC_VERSION: Final = 85
"""The only version of the algorithm."""

BLOCK_SIZE: Final = 32_768
"""Size of the buffer that gsfapi, cppapi and pyapi encode into, in bytes."""

TSSC_PAYLOAD: Final = construct.Struct(
    # 6.4: these follow the flags and the count of a data packet
    "version" / construct.Const(TSSC_VERSION, construct.Int8ub),
    # 6.4: 0 says that the state was reset; 1 follows on 65535
    "sequence" / construct.Int16ub,
    # tssc.md 5: no length of its own, so bytes too many would be read as data
    "block" / construct.GreedyBytes,
)
"""The normative declaration. `read_tssc_payload` and `write_tssc_payload` do the same with `struct`."""

_HEADER: Final = struct.Struct(">BH")
TSSC_HEADER: Final = _HEADER.size
"""Bytes of version and sequence number, which stand before a block."""

_LAST_SEQUENCE: Final = 65_535
_SLACK: Final = bytes(_tssc.SLACK)
_ROWS: Final = _tssc.ROWS

# NumPy takes types for columns as well, and longer for them
_INT32: Final = np.dtype(np.int32)
_INT64: Final = np.dtype(np.int64)
_UINT32: Final = np.dtype(np.uint32)
_FLOAT32: Final = np.dtype(np.float32)

_SHEET: Final = 256
"""Measurements of small blocks that share the memory of their columns: to make arrays takes longer than to cut some
from larger ones. Whoever keeps one measurement of them keeps 5 KB."""

_LARGE: Final = 64
"""Measurements beyond which a block gets memory of its own."""

_KEPT: Final = 4096
"""Measurements beyond which a decoder lets go of a block at once. What is smaller it keeps until the next block."""

_NO_SHEET: Final = Columns.empty()


class TsscError(MessageError):
    """A block that is damaged. The decoder has lost its state, and waits for a block with sequence 0."""


class OutOfSequence(MessageError):
    """A block that is not the next one. It was not decoded, and nothing changed.

    Attributes:
        expected: sequence number that may come, besides 0.
        got: sequence number that came.
    """

    def __init__(self, *, expected: int, got: int) -> None:
        self.expected = expected
        self.got = got
        super().__init__(f"a TSSC block with sequence {got}, where {expected} is next", clause="6.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class TsscBlock:
    """One block, as it stands in a data packet.

    Attributes:
        sequence: 0 after a reset, else one more than the block before; 1 follows on 65535.
        count: number of measurements in it.
        block: the compressed bytes.
    """

    sequence: int
    count: int
    block: bytes


def read_tssc_header(body: Buffer, /) -> int:
    """Read what stands before the block of a compressed data packet, in its first `TSSC_HEADER` bytes (6.4).

    Args:
        body: the payload of the data packet from its fifth byte on.

    Returns:
        The sequence number.

    Raises:
        TsscError: too short, or another version of the algorithm.
    """
    if len(body) < TSSC_HEADER:
        raise TsscError(f"a compressed data packet with {len(body)} bytes behind its count", clause="6.4")
    version, sequence = _HEADER.unpack_from(body)
    if version != TSSC_VERSION:
        raise TsscError(f"TSSC version {version}, where only {TSSC_VERSION} exists", clause="6.4")
    return sequence  # type: ignore[no-any-return]


def read_tssc_payload(body: Buffer, count: int, /) -> TsscBlock:
    """Read what follows the flags and the count of a compressed data packet (6.4).

    Args:
        body: the payload from its fifth byte on.
        count: the number of measurements that the packet announces.

    Raises:
        TsscError: too short, or another version of the algorithm.
    """
    sequence = read_tssc_header(body)
    return TsscBlock(sequence=sequence, count=count, block=bytes(memoryview(body)[TSSC_HEADER:]))


def write_tssc_payload(block: TsscBlock, /) -> bytes:
    """What follows the flags and the count of a compressed data packet (6.4)."""
    return _HEADER.pack(TSSC_VERSION, block.sequence) + block.block


class _Points:
    """Memory of one stream: what `_tssc` calls `stream`, `slots` and `rows`.

    A point takes 64 bytes when it turns up, whatever its signal index; every index takes 4.
    """

    __slots__ = ("room", "rows", "slots", "stream")

    def __init__(self, slots: NDArray[np.int32]) -> None:
        self.room = 0  # as long as there are fewer points, nothing is to be reserved
        self.stream = np.zeros(_tssc.STREAM_NUMBERS, np.uint64).data
        self.slots = slots.data
        self.rows = memoryview(bytearray())

    def reserve(self, points: int) -> None:
        """Make room for `points` points that are new, or as many as there are signal indexes."""
        most = 1 + len(self.slots)
        needed = min(max(self.stream[_tssc.ROWS], 1) + points, most)
        there = len(self.rows) // _tssc.ROW_BYTES
        if needed > there:
            rows = np.zeros(max(needed, min(2 * there, most)) * _tssc.ROW_BYTES, np.uint8)
            rows[: len(self.rows)] = self.rows
            self.rows = rows.data
            there = len(rows) // _tssc.ROW_BYTES
        self.room = there if there < most else sys.maxsize


class TsscEncoder:
    """Encoder of one stream of blocks; a new object is a reset (tssc.md 9).

    Args:
        block_size: largest block, in bytes. A block ends when fewer than 100 of them are left, as with the peers.
        limits: `signal_index` bounds the memory: four bytes are taken for each index up to the largest.

    Raises:
        UsageError: blocks of this size could not hold a measurement.
    """

    __slots__ = ("_block", "_limits", "_points", "_sequence", "_writer")

    def __init__(self, *, block_size: int = BLOCK_SIZE, limits: Limits = DEFAULT_LIMITS) -> None:
        if block_size < _tssc.MARGIN:
            raise UsageError(f"TSSC blocks of {block_size} bytes, where {_tssc.MARGIN} are needed")
        self._block = memoryview(bytearray(block_size))
        self._limits = limits
        self._points = _Points(np.zeros(0, np.int32))
        self._writer = self._make_writer()
        self._sequence = 0

    def encode(self, columns: Columns, /) -> list[TsscBlock]:
        """Encode a batch; the last block ends with it.

        Args:
            columns: the measurements, in the order in which they shall arrive.

        Returns:
            The blocks in the order in which they must be sent; none for an empty batch.

        Raises:
            UsageError: a signal index is negative or larger than `Limits.signal_index`; nothing was encoded.
        """
        stop = len(columns.signal_index)
        if not stop:
            return []
        highest = highest_index(columns.signal_index)
        if highest > self._limits.signal_index:
            raise UsageError(_outside(columns.signal_index, self._limits))
        points = self._points
        if highest >= len(points.slots):
            self._number_up_to(highest)
        if points.stream[_ROWS] + stop >= points.room:
            points.reserve(stop)
            self._writer = self._make_writer()
        index, ticks, flags, values = map(np.ascontiguousarray, columns)
        blocks = []
        start = 0
        while start < stop:
            end = self._writer.encode(index, ticks, flags, values, start)
            block = bytes(self._block[: points.stream[_tssc.LENGTH]])
            blocks.append(TsscBlock(sequence=self._sequence, count=end - start, block=block))
            self._sequence = self._sequence + 1 if self._sequence < _LAST_SEQUENCE else 1
            start = end
        return blocks

    def _make_writer(self) -> _tssc.Writer:
        points = self._points
        return _tssc.Writer(self._block, points.stream, points.slots, points.rows)

    def _number_up_to(self, signal_index: int) -> None:
        slots = self._points.slots
        larger = np.full(max(signal_index + 1, 2 * len(slots)), _tssc.UNSEEN, np.int32)
        larger[: len(slots)] = slots
        self._points.slots, self._points.room = larger.data, 0


def _outside(signal_index: NDArray[np.int32], limits: Limits) -> str:
    """What is wrong with signal indexes that are not all within the limits."""
    lowest = signal_index.min()
    if lowest < 0:
        return f"signal index {lowest} is negative"
    return f"signal index {signal_index.max()}, where {limits.signal_index} is the largest (Limits.signal_index)"


class TsscDecoder:
    """Decoder of one stream of blocks (tssc.md 7, 9, 11).

    A block with sequence 0 always starts anew. Codes are accepted that an encoder would have chosen otherwise. TSSC has
    no checksum: most flipped bits are just other values, and only what cannot be is noticed.

    Args:
        signal_indexes: which signal indexes have a signal in the signal index cache, shape `(n,)`; see
            `SignalTable.present`. Any other is an error.
        limits: `packet_measurements` bounds what one block may announce.
    """

    __slots__ = ("_at", "_end", "_expected", "_limits", "_points", "_reader", "_sheet", "_slots")

    def __init__(self, *, signal_indexes: NDArray[np.bool_], limits: Limits = DEFAULT_LIMITS) -> None:
        self._slots = np.full(len(signal_indexes) + 1, _tssc.UNNAMED, np.int32)
        self._slots[:-1][signal_indexes] = _tssc.UNSEEN
        self._limits = limits
        self._expected = 0
        self._points = _Points(self._slots)
        # columns that blocks are decoded into one behind another, where the next one goes, and how many rows there are
        self._sheet, self._at, self._end = _NO_SHEET, 0, 0
        self._reader = self._make_reader()

    def continued(self, *, signal_indexes: NDArray[np.bool_]) -> TsscDecoder:
        """A decoder for other signals that goes on where this one stands, for a publisher that does not reset (Y7).

        Args:
            signal_indexes: which signal indexes have a signal now.
        """
        decoder = TsscDecoder(signal_indexes=signal_indexes, limits=self._limits)
        known = np.asarray(self._points.slots)[: len(signal_indexes)]
        slots = decoder._slots.copy()
        seen = signal_indexes[: len(known)] & (known > _tssc.UNSEEN)
        slots[: len(known)][seen] = known[seen]
        self._points.slots, self._points.room = slots.data, 0
        decoder._points, self._points = self._points, _Points(self._slots.copy())
        decoder._expected, self._expected = self._expected, 0
        return decoder

    @property
    def expected_sequence(self) -> int:
        """The sequence number that may come next; 0 may always come."""
        return self._expected

    @property
    def synchronised(self) -> bool:
        """Whether a stream is being decoded. If not, only a block with sequence 0 is of use."""
        return self._expected != 0

    def decode(self, block: Buffer, /, *, sequence: int, count: int) -> Columns:
        """Decode the next block.

        Args:
            block: the compressed bytes; may be empty.
            sequence: its sequence number. With 0 all state is forgotten first.
            count: how many measurements it must hold.

        Raises:
            OutOfSequence: it is not the next block; nothing was decoded and nothing changed.
            LimitError: `count` is larger than `Limits.packet_measurements`.
            TsscError: it is damaged.

        After a `LimitError` or `TsscError` only sequence 0 is accepted.
        """
        if sequence not in (0, self._expected):
            raise OutOfSequence(expected=self._expected, got=sequence)
        if sequence == 0:
            self._points = _Points(self._slots.copy())
        self._expected = 0
        size = len(block)
        if count > self._limits.packet_measurements:
            raise LimitError(
                f"a data packet of {count} measurements, where at most {self._limits.packet_measurements} are accepted",
                limit="packet_measurements",
                clause="6.1",
            )
        # a measurement takes a bit at least, so that memory grows with the bytes that came
        if not 0 <= count <= 8 * size:
            raise TsscError(f"a TSSC block of {size} bytes cannot hold {count} measurements", clause="6.4")
        points = self._points
        if points.stream[_ROWS] + count >= points.room:
            points.reserve(count)
            self._reader = self._make_reader()
        if self._at + count > self._end:
            self._turn_over(count)
        start = self._at
        fault = self._reader.decode(b"".join((block, _SLACK)), size, count, start)
        if fault:
            self._let_go()
            raise TsscError(f"a TSSC block of {size} bytes {_tssc.FAULTS[fault]}", clause="6.4")
        self._at = stop = start + count
        self._expected = sequence + 1 if sequence < _LAST_SEQUENCE else 1
        if count == self._end:
            sheet = self._sheet
            if count > _KEPT:
                self._let_go()
            return sheet
        index, ticks, flags, value = self._sheet
        return Columns(index[start:stop], ticks[start:stop], flags[start:stop], value[start:stop])

    def _make_reader(self) -> _tssc.Reader:
        """What decodes from the memory of the stream, as it is now, into the sheet."""
        reader = _tssc.Reader(self._points.stream, self._points.slots, self._points.rows)
        reader.fill(*self._sheet)
        return reader

    def _turn_over(self, count: int) -> None:
        """Begin a new sheet, on which `count` measurements have room."""
        rows = count if count > _LARGE else _SHEET
        empty = np.empty
        self._sheet = Columns(empty(rows, _INT32), empty(rows, _INT64), empty(rows, _UINT32), empty(rows, _FLOAT32))
        self._reader.fill(*self._sheet)
        self._at, self._end = 0, rows

    def _let_go(self) -> None:
        """Keep nothing of the sheet."""
        self._sheet, self._at, self._end = _NO_SHEET, 0, 0
        self._reader.fill(*_NO_SHEET)
