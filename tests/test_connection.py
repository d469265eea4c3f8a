"""One stream and one session together: what the loop does that neither of them can show alone."""

from __future__ import annotations

import asyncio
from time import monotonic

from sttp.connection import LINGER, Connection
from sttp.errors import SilenceError
from sttp.session.config import SubscriberConfig
from sttp.session.events import SubscriberEvent
from sttp.session.subscriber import SubscriberSession
from sttp.transport.memory import stream_pair


async def _ignore(event: SubscriberEvent) -> None:
    """The events of a silent peer are none of our business."""


async def test_a_peer_that_fell_silent_is_not_waited_for_once_more() -> None:
    here, there = stream_pair()
    session = SubscriberSession(SubscriberConfig(silence_timeout=0.01), now=monotonic())
    async with asyncio.timeout(LINGER / 2):
        error = await Connection(here, session, _ignore).run()
    assert isinstance(error, SilenceError)
    await there.close()
