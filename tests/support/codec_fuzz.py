"""Blocks and packets that are good, damaged or noise, and what the codecs make of them.

The verdict is simple: compiled and uncompiled loops say the same, and only documented errors leave them. Uncompiled,
every access is checked by Python, so that a read or a write outside of a buffer would be another error.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np

from codec_loops import with_each
from sttp.errors import LimitError, MessageError, UsageError
from sttp.measurement import Columns
from sttp.routing import select_routed
from sttp.wire.compact import BaseTimes, TimeFormat, read_compact, write_compact
from sttp.wire.tssc import TsscBlock, TsscDecoder, TsscEncoder

__all__ = ["check"]

T = 638_000_000_000_000_000

Outcome = tuple[object, ...]


def check(seed: int) -> None:
    """Play one round by `seed`: measurements, their blocks and packets, damage to them, and a way into another table.

    Raises:
        AssertionError: compiled and uncompiled loops do not agree.
    """
    some = random.Random(seed)
    signals = some.choice([1, 2, 7, 40])
    batches = [_measurements(some, signals) for _ in range(some.randint(1, 5))]
    block_size = some.choice([100, 110, 130, 300, 32_768])

    blocks = _agreed(seed, lambda: _encoded(batches, block_size))
    stream = [block for part in blocks for block in part]
    present = np.array([some.random() < 0.95 for _ in range(signals)])
    for blocks_then in ([*stream], list(_damaged(some, stream))):
        _agreed(seed, lambda given=blocks_then: _decoded(given, present))  # type: ignore[misc]

    route = np.array([some.choice([-1, some.randrange(50)]) for _ in range(some.randint(1, signals))], np.int32)
    _agreed(
        seed,
        lambda: [_outcome(lambda given=given: select_routed(route, given)) for given in batches if len(given.value)],
    )  # type: ignore[misc]

    form = TimeFormat(include_time=some.random() < 0.8, milliseconds=some.random() < 0.5)
    bases = None if some.random() < 0.2 else _base_times(some)
    packets = _agreed(seed, lambda: [packet for batch in batches for packet in write_compact(batch, form, bases)])
    for count, body in packets:
        for noise in (0, some.randint(1, 6)):
            bad, wrong = _mutated(some, body, noise), _count(some, count) if noise else count
            _agreed(seed, lambda bad=bad, wrong=wrong: _read(bad, wrong, form, bases))  # type: ignore[misc]


def _agreed(seed: int, run: Callable[[], list[object]]) -> list[object]:
    results = with_each(run)
    assert all(result == results[0] for result in results), f"the loops do not agree, seed {seed}"
    return results[0]


# measurements


def _measurements(some: random.Random, signals: int) -> Columns:
    length = some.choice([0, 1, 5, 60, 250])
    style = some.random()
    rows = []
    time, value = T + some.randrange(10) * 333_333, 0x426FCCCD
    for item in range(length):
        index = item % signals if some.random() < 0.9 else some.randrange(signals)
        if index == 0 and some.random() < 0.7:
            time = some.choice([time + 333_333, time - 333_333, T, time + 1, some.randrange(-(2**63), 2**63)])
            time = (time + 2**63) % 2**64 - 2**63
        if some.random() < style:
            value = some.choice([0, 1, value ^ some.getrandbits(some.randint(1, 32)), some.getrandbits(32)])
        flags = 0 if some.random() < 0.9 else some.choice([1, 0x1003, some.getrandbits(32)])
        rows.append((index, time, flags, value))
    index, ticks, flags, bits = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Columns(
        np.array(index, np.int32), np.array(ticks, np.int64), np.array(flags, np.uint32),
        np.array(bits, np.uint32).view(np.float32),
    )  # fmt: skip


def _base_times(some: random.Random) -> BaseTimes:
    ends_of_reach = [T - (2**32 - 1), T - (2**32 - 2), T - 65_535 * 10_000, T - 65_535 * 10_000 + 1]
    times = [some.choice([0, -5, T - 1, *ends_of_reach, some.randrange(2**63)]) for _ in range(2)]
    return BaseTimes(active=some.randrange(2), times=(times[0], times[1]))


# damage


def _damaged(some: random.Random, stream: list[TsscBlock]) -> Iterator[TsscBlock]:
    """The blocks of a stream with some of them mutated, lost, or made up."""
    for block in stream:
        kind = some.random()
        if kind < 0.5:
            yield block
        elif kind < 0.9:
            bad = _mutated(some, block.block, some.randint(1, 5))
            yield TsscBlock(sequence=block.sequence, count=_count(some, block.count), block=bad)
        elif kind < 0.95:
            noise = some.randbytes(some.randrange(200))
            count = some.randrange(8 * len(noise) + 2)
            yield TsscBlock(sequence=some.choice([0, block.sequence, 7]), count=count, block=noise)


def _mutated(some: random.Random, body: bytes, times: int) -> bytes:
    bad = bytearray(body)
    for _ in range(times):
        place = some.randrange(len(bad) + 1)
        kind = some.random()
        if kind < 0.5 and place < len(bad):
            bad[place] ^= 1 << some.randrange(8)
        elif kind < 0.7 and place < len(bad):
            bad[place] = some.choice([0, 255, some.randrange(256)])
        elif kind < 0.8:
            del bad[place : place + some.randint(1, 9)]
        elif kind < 0.9:
            bad[place:place] = some.randbytes(some.randint(1, 9))
        else:
            del bad[place:]
    return bytes(bad)


def _count(some: random.Random, count: int) -> int:
    if some.random() < 0.7:
        return count
    return some.choice([0, -1, count - 1, count + 1, 10 * count, 2**18, 2**18 + 1, 2**31 - 1, 2**32 - 1])


# what comes of it


def _encoded(batches: list[Columns], block_size: int) -> list[object]:
    encoder = TsscEncoder(block_size=block_size)
    return [encoder.encode(batch) for batch in batches]


def _decoded(blocks: list[TsscBlock], present: np.ndarray) -> list[object]:
    decoder = TsscDecoder(signal_indexes=present)
    outcomes: list[object] = []
    for block in blocks:
        outcomes.append(
            _outcome(lambda block=block: decoder.decode(block.block, sequence=block.sequence, count=block.count))  # type: ignore[misc]
        )
        outcomes.append(decoder.expected_sequence)
    return outcomes


def _read(body: bytes, count: int, form: TimeFormat, bases: BaseTimes | None) -> list[object]:
    return [_outcome(lambda: read_compact(body, count, form, bases))]


def _outcome(run: Callable[[], Columns]) -> Outcome:
    try:
        columns = run()
    except (MessageError, LimitError, UsageError) as error:
        return type(error), str(error)
    return tuple(column.tobytes() for column in columns)
