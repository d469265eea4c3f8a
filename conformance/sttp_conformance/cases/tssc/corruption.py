"""What a subscriber survives (tssc.md 11): blocks of other versions, broken, cut, and full of the impossible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sttp.measurement import Columns
from sttp.wire.responses import DataPacket
from sttp.wire.tssc import TsscBlock, TsscEncoder
from sttp_conformance.aftermath import recovers
from sttp_conformance.case import Case
from sttp_conformance.cases.tssc.by_hand import FLAGS_7_BIT, TIME_7_BIT, encoded, packet_of, serve, seven_bit, value_of
from sttp_conformance.checks import SUBSCRIBER, check
from sttp_conformance.grid import SIGNALS, rows

_IMPOSSIBLE = 2**28
"""Measurements that no block can hold; a peer that takes memory for them shall not take that of the computer."""


async def _met(case: Case, *packets: DataPacket) -> list[list[Any]]:
    """What is reported of packets that are not as they should be."""
    async with case.publisher() as peer:
        await serve(peer)
        await peer.say(*packets)
        return await recovers(case, peer, tssc=True)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def decodes_no_other_tssc_version(case: Case) -> None:
    """A packet whose version byte is not 85 is not decoded."""
    packet = packet_of(TsscEncoder().encode(case.frame(0, 1))[0])
    got = await _met(case, replace(packet, body=b"\x56" + bytes(packet.body[1:])))
    case.require(not got, "nothing from a packet of version 86", got)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def takes_a_wrong_tssc_count_for_corruption(case: Case) -> None:
    """From a block with more or fewer records than counted nothing is reported that was not sent."""
    for more in (-1, 1):
        sent = case.frame(0, 1, 2)
        packet = packet_of(TsscEncoder().encode(sent)[0])
        got = await _met(case, replace(packet, count=packet.count + more))
        invented = [row for row in got if row not in rows(sent, SIGNALS)]
        case.require(not invented, "nothing that was not sent", invented)


def _cuts(block: TsscBlock) -> Iterator[TsscBlock]:
    for length in range(len(block.block) // 4, len(block.block), max(len(block.block) // 4, 1)):
        yield replace(block, block=block.block[:length])


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def survives_a_truncated_tssc_block(case: Case) -> None:
    """From a block that is cut nothing is invented, and a later stream is decoded."""
    sent = case.frame(*range(7))
    block = TsscEncoder().encode(sent)[0]
    for cut in _cuts(block):
        got = await _met(case, packet_of(cut))
        invented = [row for row in got if row not in rows(sent, SIGNALS)]
        case.require(not invented, f"nothing that the whole block does not have, from {len(cut.block)} bytes", invented)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def refuses_tssc_codes_out_of_order(case: Case) -> None:
    """Codes of a record that go back are noticed: nothing of such a record is reported."""
    time = TIME_7_BIT + seven_bit(case.clock.tick())
    backwards = TsscBlock(sequence=0, count=1, block=FLAGS_7_BIT + b"\x05" + time + value_of(1.0))
    got = await _met(case, packet_of(backwards))
    case.require(not got, "nothing from a block with a time behind the state", got)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def recovers_after_a_broken_tssc_block(case: Case) -> None:
    """After a broken block nothing is decoded until sequence 0 or a new connection."""
    sent = [case.frame(*range(5)) for _ in range(4)]
    blocks = encoded(TsscEncoder(), sent)
    broken = replace(blocks[1], block=blocks[1].block[: len(blocks[1].block) // 2])
    got = await _met(case, *map(packet_of, (blocks[0], broken, *blocks[2:])))
    known = rows(Columns.concatenate(sent[:2]), SIGNALS)
    late = [row for row in got if row not in known]
    case.require(not late, "nothing from the blocks behind the broken one", late)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def survives_tssc_indexes_outside_of_the_cache(case: Case) -> None:
    """Signal indexes that are not in the cache cost the block, not the process."""
    time = TIME_7_BIT + seven_bit(case.clock.tick())
    for index in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x08\0\0\0"):
        got = await _met(case, packet_of(TsscBlock(sequence=0, count=1, block=b"\x07" + index + time + value_of(1.0))))
        known = {str(signal.signal_id) for signal in SIGNALS}
        invented = [row for row in got if row[0] in known]
        case.require(not invented, "nothing under a signal of the cache", invented)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def survives_an_impossible_tssc_count(case: Case) -> None:
    """A count that no block can hold is refused, before memory is taken for it."""
    sent = case.frame(0, 1)
    packet = packet_of(TsscEncoder().encode(sent)[0])
    for count in (_IMPOSSIBLE, -1):
        got = await _met(case, replace(packet, count=count))
        invented = [row for row in got if row not in rows(sent, SIGNALS)]
        case.require(not invented, "nothing that was not sent", invented)
