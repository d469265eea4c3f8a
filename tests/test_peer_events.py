from __future__ import annotations

import asyncio

from sttp.peer_events import MOST_BYTES, MOST_WAITING, PeerEvent, PeerEvents
from sttp.session.events import NotificationReceived, UserCommandReceived


async def collect(events: PeerEvents[int]) -> list[int]:
    return [each.event async for each in events]


async def test_events_come_in_the_order_in_which_they_happened_with_whom_they_are_of() -> None:
    events: PeerEvents[int] = PeerEvents()
    events.put("a", 1)
    events.put("b", 2)
    events.close()
    assert [each async for each in events] == [PeerEvent(peer="a", event=1), PeerEvent(peer="b", event=2)]


async def test_whoever_iterates_waits_for_the_next_until_there_will_be_none() -> None:
    events: PeerEvents[int] = PeerEvents()
    collecting = asyncio.create_task(collect(events))
    for number in range(3):
        await asyncio.sleep(0)
        assert not collecting.done()
        events.put("a", number)
    await asyncio.sleep(0)
    events.close()
    assert await collecting == [0, 1, 2]
    assert await collect(events) == []


async def test_what_nobody_takes_is_bounded_and_the_newest_are_kept() -> None:
    events: PeerEvents[int] = PeerEvents()
    for number in range(MOST_WAITING + 5):
        events.put("a", number)
    events.close()
    assert await collect(events) == list(range(5, MOST_WAITING + 5))


async def test_large_events_are_bounded_by_their_bytes() -> None:
    events: PeerEvents[UserCommandReceived] = PeerEvents()
    for number in range(10):
        events.put("peer", UserCommandReceived(number=number, payload=bytes(5 * 2**20)))
    events.close()
    assert [event.event.number async for event in events] == [7, 8, 9]
    alone: PeerEvents[UserCommandReceived] = PeerEvents()
    alone.put("peer", UserCommandReceived(number=1, payload=bytes(17 * 2**20)))
    alone.close()
    assert [event.event.number async for event in alone] == [1]


async def test_long_texts_count_too() -> None:
    events: PeerEvents[NotificationReceived] = PeerEvents()
    for _ in range(MOST_WAITING):
        events.put("peer", NotificationReceived(text="x" * 65_536))
    events.close()
    assert len([event async for event in events]) == MOST_BYTES // 65_536
