from __future__ import annotations

import pytest

from sttp.transport import RedialPolicy, Role, load_plugins, open_links, parse_endpoint
from sttp.transport.memory import MemoryTransport
from sttp_reverse import Reverse, sttp_connectivity


def test_it_describes_itself() -> None:
    assert isinstance(sttp_connectivity()["reverse"], Reverse)


@pytest.mark.parametrize(("role", "bound"), [(Role.PUBLISHER, None), (Role.SUBSCRIBER, "dmz")])
async def test_the_publisher_dials_and_the_subscriber_listens(role: Role, bound: str | None) -> None:
    links = await Reverse().links(role, MemoryTransport(), "dmz", policy=RedialPolicy(), url="reverse+memory://dmz")
    assert links.bound == bound
    await links.close()


async def test_it_mirrors_forward(read) -> None:
    """Whoever dials: the same loop on either side."""
    for prefix, listening in (("tcp", Role.PUBLISHER), ("reverse+tcp", Role.SUBSCRIBER)):
        endpoint = parse_endpoint(f"{prefix}://127.0.0.1:0", plugins=load_plugins())
        arriving = await open_links(endpoint, listening)
        assert arriving.bound is not None
        leaving = await open_links(endpoint.at(arriving.bound), listening.other)
        async with await anext(leaving) as dialed, await anext(arriving) as accepted:
            await dialed.stream.send([b"hello"])
            assert await read(accepted.stream, 5) == b"hello"
            await dialed.stream.send_eof()
            await accepted.stream.send_eof()
        await leaving.close()
        await arriving.close()
