"""Base times (wire.md 6.2, 7.1): what short times of compact measurements count from."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

import numpy as np

from sttp.codes import Command, CompactFlags, Response
from sttp.measurement import Columns, SignalTable
from sttp.ticks import TICKS_PER_MILLISECOND
from sttp.wire import commands, responses
from sttp.wire.responses import DataPacket, UpdateBaseTimes
from sttp_conformance.aftermath import recovers
from sttp_conformance.case import Case
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER, check
from sttp_conformance.compact_records import Record, compact_packet, walk_records
from sttp_conformance.exact import series
from sttp_conformance.grid import SIGNALS
from sttp_conformance.overheard import frames
from sttp_conformance.picking import everything, publish_and_compare
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.scripted_subscriber import COMPACT, TSSC, ScriptedSubscriber
from sttp_conformance.violation import NotSupported, Skip, Violation

_OFFSET, _INDEX = int(CompactFlags.BASE_TIME_OFFSET), int(CompactFlags.TIME_INDEX)
_SECOND = 10_000_000
_A_WHILE = 90.0
"""Seconds of measurements until there are base times."""

_LEAP_SECOND_BITS = 3 << 62


# --- publishers


async def _begin(case: Case, peer: ScriptedSubscriber, *, milliseconds: bool = False) -> SignalTable:
    await peer.begin(COMPACT)
    return await everything(case, peer, milliseconds=milliseconds)


async def _stream(
    case: Case, peer: ScriptedSubscriber, *, milliseconds: bool = False
) -> tuple[Columns, list[tuple[Record, tuple[int, int]]]]:
    """Publish a short stream of odd times without TSSC.

    Returns:
        What was published, and each record with the base times that were announced before it.

    Raises:
        Skip: no base times come in a short stream.
    """
    signals = await _begin(case, peer, milliseconds=milliseconds)
    sent = series(case, np.arange(20), steps=[number * 12_347 for number in range(20)])
    for number in range(20):
        await case.publish(sent.select(slice(number, number + 1)), signals)
    found: list[tuple[Record, tuple[int, int]]] = []
    bases, announced = (0, 0), False
    while len(found) < 20:
        what = f"20 compact measurements, of which {len(found)} came"
        said = await peer.expect((DataPacket, UpdateBaseTimes), what=what)
        if isinstance(said, UpdateBaseTimes):
            bases, announced = said.times, True
        elif isinstance(said, DataPacket):
            try:
                found += [(record, bases) for record in walk_records(said, milliseconds=milliseconds)]
            except Violation as error:
                if announced:
                    raise
                raise Skip(f"no base times come before a packet that cannot be read: {error}") from None
    if not announced and not any(record.flags & _OFFSET for record, _ in found):
        raise Skip("no base times come in a short stream; some publishers announce them after minutes")
    return sent, found


@check(PUBLISHER, needs=("control:publish",))
async def base_times_are_well_formed(case: Case) -> None:
    """UpdateBaseTimes has an index of 0 or 1, and two times without leap-second bits."""
    async with case.subscriber() as peer:
        await _stream(case, peer)
        for said in frames(peer):
            if said[0] == Response.UPDATE_BASE_TIMES:
                case.require(len(said) == 26, "UpdateBaseTimes of 20 bytes", said.hex(" "))
                active, *times = struct.unpack_from(">iQQ", said, 6)
                case.require(active in (0, 1), "an active index of 0 or 1", active)
                case.require(not any(time & _LEAP_SECOND_BITS for time in times), "times without marks", times)


@check(PUBLISHER, needs=("control:publish", "base-times"), slow=True, topic="")
async def announces_base_times(case: Case) -> None:
    """A compact subscription with times gets base times, in a minute or so at the latest."""
    async with case.subscriber() as peer:
        signals = await _begin(case, peer, milliseconds=True)
        began = time.monotonic()
        while time.monotonic() < began + _A_WHILE:
            await case.publish(case.frame(0), signals)
            said = await peer.expect((DataPacket, UpdateBaseTimes), what="base times, or data")
            if isinstance(said, UpdateBaseTimes):
                case.note(f"base times came after {time.monotonic() - began:.1f} s")
                return
            await asyncio.sleep(1 / 30)
        raise Violation(f"expected UpdateBaseTimes within {_A_WHILE:g} s of compact measurements, but there was none")


@check(PUBLISHER, needs=("control:publish",))
async def short_times_follow_their_base_time(case: Case) -> None:
    """Short times are used only when the base time that they refer to has been announced."""
    async with case.subscriber() as peer:
        _, found = await _stream(case, peer)
        for record, bases in found:
            base = bases[1 if record.flags & _INDEX else 0]
            case.require(
                not record.flags & _OFFSET or base > 0, "no short time before its base time is announced", record
            )


@check(PUBLISHER, needs=("control:publish",))
async def short_times_add_up(case: Case) -> None:
    """Base and offset add up to the time that was published, in ticks or cut to milliseconds, as was asked for."""
    for milliseconds in (False, True):
        async with case.subscriber() as peer:
            sent, found = await _stream(case, peer, milliseconds=milliseconds)
            unit = TICKS_PER_MILLISECOND if milliseconds else 1
            for (record, bases), time in zip(found, sent.ticks.tolist(), strict=True):
                number = int.from_bytes(record.time, "big")
                base = bases[1 if record.flags & _INDEX else 0]
                got = base + number * unit if record.flags & _OFFSET else number
                case.require(0 <= time - got < unit, f"the time {time}, cut to {unit} ticks", got)


@check(PUBLISHER, needs=("control:publish",))
async def sends_no_base_times_without_need(case: Case) -> None:
    """Nobody gets base times who has no use for them: with TSSC, or without times."""
    for modes, include_time in ((TSSC, True), (COMPACT, False)):
        async with case.subscriber() as peer:
            await peer.begin(modes)
            signals = await everything(case, peer, include_time=include_time)
            for _ in range(3):
                await case.publish(case.frame(0), signals)
                await peer.expect(DataPacket)
            got = [said for said in frames(peer) if said[0] == Response.UPDATE_BASE_TIMES]
            case.require(not got, "no UpdateBaseTimes", [said.hex(" ") for said in got])


@check(PUBLISHER, needs=("control:publish",))
async def ignores_confirm_of_base_times(case: Case) -> None:
    """ConfirmUpdateBaseTimes is ignored: no reply comes, and the stream goes on."""
    async with case.subscriber() as peer:
        await peer.begin()
        signals = await everything(case, peer)
        await peer.say(commands.ConfirmUpdateBaseTimes(), commands.UpdateProcessingInterval(milliseconds=-1))
        await peer.expect(
            (responses.Succeeded, responses.Failed),
            lambda answer: getattr(answer, "command", None) == Command.UPDATE_PROCESSING_INTERVAL,
            what="a reply to UpdateProcessingInterval, and none to ConfirmUpdateBaseTimes",
        )
        await publish_and_compare(case, peer, signals, *range(len(signals)))


# --- subscribers


class _Short:
    """Records with times that count from base times, as wide as a subscriber asked for."""

    def __init__(self, peer: ScriptedPublisher) -> None:
        if not peer.asked.include_time:
            raise NotSupported("it asks for measurements without time")
        self.unit = TICKS_PER_MILLISECOND if peer.asked.milliseconds else 1
        self.largest = 65_534 if peer.asked.milliseconds else 2**32 - 2
        self._form = ">H" if peer.asked.milliseconds else ">I"
        self._number = 0

    def record(self, offset: int, *, index: int = 0) -> Record:
        """A record whose time is so many units behind a base time; its value is never that of another."""
        self._number += 1
        bits = int(np.float32(self._number).view(np.uint32))
        return Record(_OFFSET | index * _INDEX, self._number % 8, bits, struct.pack(self._form, offset))

    def row(self, record: Record, base: int) -> list[Any]:
        """What must be reported of it."""
        value = float(np.uint32(record.bits).view(np.float32))
        time = base + int.from_bytes(record.time, "big") * self.unit
        return [str(SIGNALS[record.signal_index].signal_id), time, value, 0]


async def _require(case: Case, wanted: list[list[Any]]) -> None:
    received = await case.received(len(wanted))
    case.require(received == wanted, f"{wanted}", received)


@check(SUBSCRIBER, needs=("control:report",))
async def reads_offsets_from_base_times(case: Case) -> None:
    """Offsets are read as unsigned, in ticks of four bytes or milliseconds of two, from the base time 0."""
    async with case.publisher() as peer:
        await peer.serve()
        short, base = _Short(peer), case.clock.tick()
        records = [short.record(offset) for offset in (1, 255, 15_000, short.largest // 2 + 1, short.largest)]
        await peer.say(UpdateBaseTimes(active=0, times=(base, base + 420 * _SECOND)), compact_packet(records))
        await _require(case, [short.row(record, base) for record in records])


@check(SUBSCRIBER, needs=("control:report",))
async def uses_the_base_time_that_each_record_names(case: Case) -> None:
    """The TimeIndex bit of each record says which base time it refers to, whichever is active."""
    async with case.publisher() as peer:
        await peer.serve()
        short, base = _Short(peer), case.clock.tick()
        bases = (base, base + 420 * _SECOND)
        for active in (0, 1):
            records = [short.record(100, index=index) for index in (0, 1, 1, 0)]
            await peer.say(UpdateBaseTimes(active=active, times=bases), compact_packet(records))
            await _require(case, [short.row(each, bases[1 if each.flags & _INDEX else 0]) for each in records])


@check(SUBSCRIBER, needs=("control:report",))
async def follows_base_times_as_they_rotate(case: Case) -> None:
    """New base times apply to what follows them, as often as they come."""
    async with case.publisher() as peer:
        await peer.serve()
        short, base, wanted = _Short(peer), case.clock.tick(), []
        for turn in range(4):
            first = base + turn * 60 * _SECOND
            records = [short.record(100 + turn), short.record(200 + turn)]
            await peer.say(UpdateBaseTimes(active=0, times=(first, first + 60 * _SECOND)), compact_packet(records))
            wanted += [short.row(record, first) for record in records]
        await _require(case, wanted)


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def invents_no_time_without_a_base(case: Case) -> None:
    """A short time without a base time is given no invented time, and what follows is read as before."""
    async with case.publisher() as peer:
        await peer.serve()
        short, full = _Short(peer), case.frame(0)
        time = int(full.ticks[0])
        plain = Record(0, 0, int(np.float32(-1).view(np.uint32)), struct.pack(">q", time))
        await peer.say(compact_packet([short.record(15_000), plain, short.record(100)]))
        got = await recovers(case, peer)
    times = [row[1] for row in got if row[2] > 0]
    case.require(not any(times), "no time for short times without a base time", times)
    behind = [row for row in got if row[2] < 0]
    wanted = [[str(SIGNALS[0].signal_id), time, -1.0, 0]]
    case.require(
        behind in ([], wanted), f"the measurement between them, {wanted}, or that the packet is dropped", behind
    )


@check(SUBSCRIBER)
async def does_not_confirm_base_times(case: Case) -> None:
    """Base times are not confirmed."""
    async with case.publisher() as peer:
        await peer.serve()
        if not peer.modes.double_buffered:
            raise NotSupported("it asks for version 1, in which it says nothing more")
        base = case.clock.tick()
        await peer.say(UpdateBaseTimes(active=0, times=(base, base + 420 * _SECOND)))
        await peer.offer(cache_index=1, succeed=False)
        for speaker, data in peer.recording.taken:
            if speaker is not peer.role and data[4] == Command.CONFIRM_UPDATE_BASE_TIMES:
                raise Violation(f"expected no confirmation of base times, but {data.hex(' ')} came")


@check(SUBSCRIBER, needs=("control:report",))
async def keeps_base_times_that_come_early(case: Case) -> None:
    """Base times that come before the reply and the signal index cache are kept."""
    async with case.publisher() as peer:
        await peer.accept_modes()
        await peer.wait_for_subscribe()
        short, base = _Short(peer), case.clock.tick()
        await peer.say(UpdateBaseTimes(active=0, times=(base, base + 420 * _SECOND)))
        await peer.offer()
        records = [short.record(100), short.record(200)]
        await peer.say(compact_packet(records))
        await _require(case, [short.row(record, base) for record in records])


@check(SUBSCRIBER, needs=("control:report",), topic="")
async def old_base_times_do_not_survive_the_connection(case: Case) -> None:
    """A short time is not read by base times of the connection before."""
    async with case.publisher() as peer:
        await peer.serve()
        short, base = _Short(peer), case.clock.tick()
        record = short.record(100)
        await peer.say(UpdateBaseTimes(active=0, times=(base, base + 420 * _SECOND)), compact_packet([record]))
        await _require(case, [short.row(record, base)])
    async with case.publisher() as peer:
        await peer.serve()
        await peer.say(compact_packet([_Short(peer).record(15_000), _Short(peer).record(20_000)]))
        times = [row[1] for row in await recovers(case, peer)]
    case.require(not any(times), "no time for short times, because no base times have come", times)
