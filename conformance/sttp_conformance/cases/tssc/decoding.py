"""What a subscriber decodes (tssc.md 7, 12): streams of others, and what no encoder writes and every decoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sttp.measurement import Columns, SignalTable
from sttp.wire.tssc import TsscBlock, TsscEncoder
from sttp_conformance.case import Case
from sttp_conformance.cases.tssc.by_hand import (
    FLAGS_7_BIT,
    POINT_8,
    TIME_7_BIT,
    VALUE_1,
    decodes,
    encoded,
    packet_of,
    serve,
    seven_bit,
    value_of,
)
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.golden import golden_streams
from sttp_conformance.grid import SIGNALS, rows


def _unsigned(found: list[list[Any]]) -> list[list[Any]]:
    """Rows whose times are taken modulo 2^64, because some have them signed and some have not."""
    return [[row[0], row[1] % 2**64, *row[2:]] for row in found]


def _golden(name: str, stream: str, title: str) -> None:
    """Make the check that sends a golden stream."""

    async def body(case: Case) -> None:
        golden = golden_streams()[stream]
        async with case.publisher() as peer:
            await serve(peer, golden.signals)
            await peer.say(*map(packet_of, golden.blocks))
            sent = _unsigned(rows(Columns.concatenate(golden.measurements), golden.signals))
            received = _unsigned(await case.received(len(sent), within=4 * case.grace.reply))
            case.require(len(received) == len(sent), f"{len(sent)} measurements", len(received))
            for number, (wanted, got) in enumerate(zip(sent, received, strict=True)):
                case.require(repr(got) == repr(wanted), f"{wanted} as measurement {number} of {stream}", got)

    body.__name__, body.__doc__ = name, title
    check(SUBSCRIBER, needs=("control:report",))(body)


for _name, _stream, _what in (
    ("decodes_constant_values", "01-constant", "constant values"),
    ("decodes_slow_signals", "02-slow-30hz-25-signals", "signals that change slowly"),
    ("decodes_random_bits", "03-random-bits", "values of random bits"),
    ("decodes_special_values", "04-special-values", "zeros, infinities, NaNs and repeated values"),
    ("decodes_times_that_go_back", "05-time-backwards", "times that go back and leap"),
    ("decodes_changing_flags", "07-flags-changing", "changing states of all lengths"),
    ("decodes_streams_with_resets", "08-resets", "resets: sequence 0 begins a fresh decoder"),
    ("decodes_jitter", "10-jitter", "times that jitter"),
    ("decodes_tiny_blocks", "11-tiny-blocks", "tiny blocks, with and without an end code"),
    ("decodes_full_buffers", "12-mixed-full-buffers", "blocks that fill the whole buffer"),
):
    _golden(_name, _stream, f"A stream of others is decoded bit for bit: {_what}.")


@check(SUBSCRIBER, needs=("control:report",))
async def decodes_sparse_indexes(case: Case) -> None:
    """Blocks with signal indexes that are far apart are decoded."""
    ids = np.zeros((100_001, 16), np.uint8)
    indexes = (7, 0, 100_000, 42, 4_711, 65_536)
    for number, index in enumerate(indexes):
        ids[index] = np.frombuffer(SIGNALS[number].signal_id.bytes, np.uint8)
    signals = SignalTable(ids, tuple("SUITE:1" if row.any() else "" for row in ids))
    async with case.publisher() as peer:
        await serve(peer, signals)
        sent = [case.frame(*indexes), case.frame(*reversed(indexes)), case.frame(*indexes)]
        for each in sent:
            await peer.send(each)
        wanted = rows(Columns.concatenate(sent), signals)
        received = await case.received(len(wanted))
        case.require(received == wanted, f"{wanted}", received)


async def _decoded(case: Case, blocks: Sequence[TsscBlock], wanted: list[list[Any]]) -> None:
    async with case.publisher() as peer:
        await serve(peer)
        await peer.say(*map(packet_of, blocks))
        received = _unsigned(await case.received(len(wanted)))
        case.require(received == _unsigned(wanted), f"{wanted}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def accepts_tssc_choices_of_other_encoders(case: Case) -> None:
    """What an encoder would have coded otherwise is read: over-long numbers, no difference, long forms, wide values."""
    time = case.clock.tick()
    first = POINT_8 + b"\0" + TIME_7_BIT + seven_bit(time) + FLAGS_7_BIT + b"\x85\x80\x80\x80\0" + value_of(1.0)
    second = TIME_7_BIT + b"\x85\x80\0" + VALUE_1
    ids = [str(signal.signal_id) for signal in SIGNALS]
    await _decoded(
        case,
        [TsscBlock(sequence=0, count=2, block=first + second)],
        [[ids[0], time, 1.0, 5], [ids[1], time ^ 5, 0.0, 0]],
    )


@check(SUBSCRIBER, needs=("control:report",))
async def accepts_an_empty_tssc_block(case: Case) -> None:
    """A block of zero bytes is accepted, and bytes behind an end code are ignored."""
    zero = case.frame(0)._replace(value=np.zeros(1, np.float32))  # a code of one bit, so that there is an end code
    sent = [zero, case.frame(1), case.frame(2)]
    first, *others = encoded(TsscEncoder(), sent)
    with_rest = replace(first, block=first.block + b"\xff\xff")
    assert decodes([with_rest]), "the block has an end code"
    shifted = [replace(block, sequence=block.sequence + 1) for block in others]
    await _decoded(
        case,
        [with_rest, TsscBlock(sequence=1, count=0, block=b""), *shifted],
        rows(Columns.concatenate(sent), SIGNALS),
    )


@check(SUBSCRIBER, needs=("control:report",))
async def wraps_tssc_times(case: Case) -> None:
    """Arithmetic of times wraps at 64 bits."""
    count = 8
    extremes = np.resize(np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max], np.int64), count)
    columns = Columns(
        np.zeros(count, np.int32), extremes, np.zeros(count, np.uint32), np.arange(count, dtype=np.float32)
    )
    await _decoded(case, TsscEncoder().encode(columns), rows(columns, SIGNALS))
