"""Choosing some of the signals that a publisher has, in words that every publisher reads (wire.md 4.4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from sttp.measurement import SignalTable
from sttp_conformance.case import Case
from sttp_conformance.grid import SIGNALS
from sttp_conformance.measurements import Measurements
from sttp_conformance.scripted_subscriber import ScriptedSubscriber

__all__ = ["everything", "only", "publish_and_compare", "publish_one_behind_others", "reads_metadata"]


def reads_metadata(case: Case) -> bool:
    """Whether the publisher has the metadata of the suite: its command is given the file."""
    command = case.implementation.adapter.commands.get(case.implementation.end, ())
    return any("{metadata}" in part for part in command)


def only(signals: SignalTable, *index: int) -> str:
    """A filter expression that selects some signals.

    By point tag, which every publisher understands. A publisher with metadata of its own does not tell point tags in
    its signal index cache; there it is the measurement key.

    Args:
        signals: what the publisher offered for everything.
        index: signal indexes in that offer.
    """
    wanted = []
    for each in index:
        signal = signals[each]
        if signal.signal_id in SIGNALS.index_of:
            wanted.append(f"PointTag = '{SIGNALS[SIGNALS.index_of[signal.signal_id]].tag}'")
        else:
            wanted.append(f"ID = '{signal.key}'")
    return f"FILTER ActiveMeasurements WHERE {' OR '.join(wanted)}"


async def everything(case: Case, peer: ScriptedSubscriber, **options: Any) -> SignalTable:
    """Subscribe to all signals, confirm, and wait until that has been handled.

    Raises:
        Violation: there are fewer than three signals.
    """
    signals = (await peer.subscribe(**options)).signals
    case.require(signals.present.sum() >= 3, "at least three signals", int(signals.present.sum()))
    await peer.fence()
    return signals


async def publish_and_compare(
    case: Case, peer: ScriptedSubscriber, signals: SignalTable, *expected: int, published: tuple[int, ...] = ()
) -> Measurements:
    """Let the publisher publish one measurement of each signal, and compare what arrives.

    Args:
        case: the case.
        peer: the subscriber that listens.
        signals: what the publisher offered for everything.
        expected: indexes in that offer, of the signals that are to arrive.
        published: indexes of those that are published; without any, all signals.

    Raises:
        Violation: others arrive, or under other signals.
    """
    frame = case.frame(*(published or range(len(signals))))
    await case.publish(frame, signals)
    arrived = await peer.measurements(len(expected))
    wanted = Measurements.of(frame.select(np.isin(frame.signal_index, expected)), signals)
    case.require(
        sorted(arrived.lines()) == sorted(wanted.lines()),
        f"the measurements of {len(expected)} signals as they were published ({'; '.join(wanted.lines())})",
        "; ".join(arrived.lines()),
    )
    return arrived


async def publish_one_behind_others(case: Case, peer: ScriptedSubscriber) -> None:
    """Subscribe to one signal, let others be published a few times, and then that one."""
    signals = await everything(case, peer)
    await peer.subscribe(only(signals, 1))
    await peer.fence()
    for _ in range(3):
        await case.publish(case.frame(0, 2), signals)
    await case.publish(case.frame(1), signals)
