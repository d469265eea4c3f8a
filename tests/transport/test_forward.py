from __future__ import annotations

import pytest

from sttp.transport import RedialPolicy, Role
from sttp.transport.forward import Forward, sttp_connectivity
from sttp.transport.memory import MemoryTransport


def test_it_describes_itself() -> None:
    assert isinstance(sttp_connectivity()["forward"], Forward)


@pytest.mark.parametrize(("role", "bound"), [(Role.PUBLISHER, "hub"), (Role.SUBSCRIBER, None)])
async def test_the_publisher_listens_and_the_subscriber_dials(role: Role, bound: str | None) -> None:
    links = await Forward().links(role, MemoryTransport(), "hub", policy=RedialPolicy(), url="memory://hub")
    assert links.bound == bound
    await links.close()
