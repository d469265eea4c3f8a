"""What becomes of a subscriber that was sent something wrong: it goes on, or gives up and comes again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sttp_conformance.case import Case
from sttp_conformance.grid import SIGNALS, rows
from sttp_conformance.scripted_publisher import ScriptedPublisher
from sttp_conformance.violation import Violation

__all__ = ["recovers", "report"]

_POLL = 0.01


async def report(case: Case) -> list[list[Any]]:
    """What the application has received since it was asked last."""
    return await case.reported()


async def recovers(case: Case, peer: ScriptedPublisher, *, tssc: bool = False) -> list[list[Any]]:
    """Send one more measurement, and wait until it is reported; on a new connection if this one is given up.

    Args:
        case: the case.
        peer: the publisher that has said something wrong.
        tssc: whether the measurement is sent by TSSC, in a stream that begins anew.

    Returns:
        Everything that was reported before it.

    Raises:
        Violation: it is not reported in time.
    """
    found: list[list[Any]] = []
    sent = case.frame(7)
    wanted = rows(sent, SIGNALS)[0]
    if tssc:
        peer.restart_tssc()
    await peer.send(sent, tssc=tssc)
    deadline = time.monotonic() + case.grace.reply
    while time.monotonic() < deadline:
        found += await report(case)
        if wanted in found:
            return [row for row in found if row != wanted]
        if not await _is_up(peer):
            await peer.close()
            return found + await _meets_again(case)
        await asyncio.sleep(_POLL)
    raise Violation(f"expected that {wanted} is reported in the end, but it was not, and the connection is up")


async def _is_up(peer: ScriptedPublisher) -> bool:
    try:
        return await peer.hear(within=_POLL) is not None
    except TimeoutError:
        return True


async def _meets_again(case: Case) -> list[list[Any]]:
    async with case.publisher() as peer:
        await peer.serve()
        sent = case.frame(7)
        await peer.send(sent)
        wanted, found = rows(sent, SIGNALS)[0], []
        while wanted not in found:
            found += await case.received(1)
        return [row for row in found if row != wanted]
