"""What a publisher writes (tssc.md 1, 6, 8, 9): numbers, blocks and their ends, and what is in them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from sttp.codes import Command, DataPacketFlags
from sttp.measurement import Columns
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket
from sttp.wire.subscription import SubscriptionOptions
from sttp.wire.tssc import TsscBlock, TsscDecoder, TsscEncoder
from sttp_conformance.case import Case
from sttp_conformance.cases.tssc.by_hand import EVERY_INDEX, LAST_SEQUENCE, decodes
from sttp_conformance.checks import PUBLISHER, check
from sttp_conformance.exact import SPECIAL_VALUES, publish_exactly, series
from sttp_conformance.overheard import data_packets
from sttp_conformance.picking import everything, only, publish_and_compare, publish_one_behind_others
from sttp_conformance.scripted_subscriber import TSSC, ScriptedSubscriber
from sttp_conformance.violation import NotSupported, Skip
from sttp_conformance.ways import Direction

_LARGEST_BLOCK = 32_768
_AT_ONCE = 500
"""Measurements that are published one by one until their packets are looked at."""

_LONGEST = 600.0
"""Seconds that it may take until the sequence wraps."""


def _compressed(peer: ScriptedSubscriber) -> list[DataPacket]:
    """The TSSC packets that have come."""
    found = [packet for packet in data_packets(peer) if DataPacketFlags.COMPRESSED in packet.flags]
    if not found:
        raise NotSupported("it sends compact packets, though TSSC was asked for")
    return found


def _blocks(peer: ScriptedSubscriber) -> list[TsscBlock]:
    """The blocks that have come."""
    return [
        TsscBlock(sequence=int.from_bytes(packet.body[1:3], "big"), count=packet.count, block=bytes(packet.body[3:]))
        for packet in _compressed(peer)
    ]


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_packets_are_numbered_from_0(case: Case) -> None:
    """TSSC packets have the version 85, and sequence numbers that begin with 0 and grow by one."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for _ in range(12):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
        versions = {packet.body[0] for packet in _compressed(peer)}
        case.require(versions == {85}, "the version 85", versions)
        got = [block.sequence for block in _blocks(peer)]
        case.require(got == [*range(len(got))], f"the sequence numbers 0 to {len(got) - 1}", got)


async def _restarts(case: Case, version: int) -> None:
    async with case.subscriber() as peer:
        await peer.begin(replace(TSSC, version=version))
        signals = await everything(case, peer)
        for chosen in ((0, 1), (2,)):
            for _ in range(3):
                await publish_and_compare(case, peer, signals, *range(len(signals)))
            before = len(_blocks(peer))
            await peer.subscribe(only(signals, *chosen))
            await peer.fence()
            for _ in range(2):
                await publish_and_compare(case, peer, signals, *chosen)
            got = _blocks(peer)[before].sequence
            case.require(got == 0, "the sequence number 0 in the first packet of a new cache", got)
            await peer.subscribe()
            await peer.fence()


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_restarts_at_a_handover(case: Case) -> None:
    """A confirmed handover begins the stream anew: the first packet of the new cache has sequence 0."""
    await _restarts(case, 2)


@check(PUBLISHER, needs=("control:publish", "tssc", "version:1"))
async def version_1_tssc_restarts_with_each_cache(case: Case) -> None:
    """In version 1 each cache begins the stream anew."""
    await _restarts(case, 1)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_stays_readable_over_a_repeated_subscribe(case: Case) -> None:
    """A Subscribe to the same again leaves the stream readable: it goes on, or begins anew with sequence 0."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for _ in range(2):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
            await _subscribe_again(peer)
            await peer.fence()
            await publish_and_compare(case, peer, signals, *range(len(signals)))


async def _subscribe_again(peer: ScriptedSubscriber) -> None:
    """Subscribe to everything once more; there may be a new cache, or none."""
    wanted = SubscriptionOptions(filter_expression="FILTER ActiveMeasurements WHERE True")
    await peer.say(commands.Subscribe(connection_string=wanted.to_connection_string()))
    await peer.say(commands.UpdateProcessingInterval(milliseconds=-1))
    while True:
        answer = await peer.expect((responses.Succeeded, responses.Failed, responses.UpdateSignalIndexCache))
        if isinstance(answer, responses.UpdateSignalIndexCache):
            peer.packets.response(answer)
            await peer.say(commands.ConfirmUpdateSignalIndexCache())
        elif getattr(answer, "command", None) == Command.UPDATE_PROCESSING_INTERVAL:
            return


@check(PUBLISHER, needs=("control:publish", "tssc"), directions=(Direction.FORWARD,))
async def each_subscriber_has_a_tssc_stream_of_its_own(case: Case) -> None:
    """Every connection has a stream of its own that begins afresh, whenever it joins."""
    async with case.subscriber() as first, case.subscriber() as second:
        await first.begin(TSSC)
        signals = await everything(case, first)
        await publish_and_compare(case, first, signals, *range(len(signals)))
        await second.begin(TSSC)
        await everything(case, second)
        for _ in range(2):
            sent = await publish_and_compare(case, first, signals, *range(len(signals)))
            got = await second.measurements(len(signals))
            case.require(sorted(got.lines()) == sorted(sent.lines()), "the same measurements", "; ".join(got.lines()))


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_measurements_are_exact(case: Case) -> None:
    """TSSC carries times that jitter and go back, all 32 state bits and the bits of values without loss."""
    steps = [0, 7, -61, 40, -12_345, 100_000_000, -1_000_000_000, 1, 2, 3] * 4
    states = [1 << number % 32 for number in range(40)]
    values = np.resize(SPECIAL_VALUES, 40)
    await publish_exactly(case, series(case, values, steps=steps, flags=states), TSSC)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_blocks_end_where_their_bits_end(case: Case) -> None:
    """A block has as many records as counted, and ends with the last bit that is needed: nothing follows."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for count in (1, 2, 3, 1, 2, 3, 3, 1):
            index = tuple(range(count))
            await publish_and_compare(case, peer, signals, *index, published=index)
        blocks = _blocks(peer)
        for number, block in enumerate(blocks):
            case.require(
                not decodes([*blocks[:number], replace(block, block=block.block[:-1])]),
                f"that the last byte of the block {block.block.hex(' ')} is needed",
            )


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_blocks_stay_within_32768_bytes(case: Case) -> None:
    """A block is at most 32768 bytes long."""
    count = 20_000
    chance = np.random.default_rng(2664)
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        values = chance.integers(0, 2**23, count).astype(np.float32)
        index = chance.integers(0, len(signals), count).astype(np.int32)
        times = case.clock.tick() + np.arange(count, dtype=np.int64) * 333
        await case.publish(Columns(index, times, np.zeros(count, np.uint32), values), signals)
        await peer.measurements(count, within=4 * case.grace.reply)
        got = max(len(block.block) for block in _blocks(peer))
        case.require(got <= _LARGEST_BLOCK, f"blocks of at most {_LARGEST_BLOCK} bytes", got)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def sends_no_empty_tssc_block(case: Case) -> None:
    """No TSSC packet without measurements is sent."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        await publish_one_behind_others(case, peer)
        await peer.expect(DataPacket)
        counts = [packet.count for packet in _compressed(peer)]
        case.require(0 not in counts, "no packet before one with a measurement", counts)


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_blocks_are_those_of_the_reference(case: Case) -> None:
    """The encoder makes the choices of the reference encoders, byte for byte."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        for _ in range(10):
            await publish_and_compare(case, peer, signals, *range(len(signals)))
        decoder, encoder = TsscDecoder(signal_indexes=EVERY_INDEX), TsscEncoder()
        for block in _blocks(peer):
            columns = decoder.decode(block.block, sequence=block.sequence, count=block.count)
            wanted = encoder.encode(columns)[0].block
            case.require(block.block == wanted, f"the block {wanted.hex(' ')}", block.block.hex(" "))


@check(PUBLISHER, needs=("control:publish", "tssc"))
async def tssc_carries_times_always(case: Case) -> None:
    """TSSC carries whole times, also to a subscriber that asked for none."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer, include_time=False)
        await publish_and_compare(case, peer, signals, *range(len(signals)))
        _compressed(peer)


@check(PUBLISHER, needs=("control:publish", "tssc"), slow=True, topic="")
async def tssc_sequence_skips_0_when_it_wraps(case: Case) -> None:
    """After the sequence number 65535 follows 1, and the stream stays readable."""
    async with case.subscriber() as peer:
        await peer.begin(TSSC)
        signals = await everything(case, peer)
        before, wrapped, began = -1, False, time.monotonic()
        for turn in range(LAST_SEQUENCE // _AT_ONCE + 2):
            peer.recording.taken.clear()  # all that is looked at is what comes next
            for number in range(_AT_ONCE):  # one by one, so that none shares a packet with another
                await case.publish(case.frame(number % 3), signals)
                await peer.measurements(1)
            for sequence in (block.sequence for block in _blocks(peer)):
                wanted = 1 if before == LAST_SEQUENCE else before + 1
                case.require(sequence == wanted, f"the sequence number {wanted} behind {before}", sequence)
                wrapped |= before == LAST_SEQUENCE
                before = sequence
            if turn == 0 and (ahead := (time.monotonic() - began) * LAST_SEQUENCE / _AT_ONCE) > _LONGEST:
                raise Skip(f"so many packets, one by one, would take {ahead / 60:.0f} minutes")
        if not wrapped:
            raise Skip(f"its sequence number is only {before} after {LAST_SEQUENCE} measurements, one by one")
