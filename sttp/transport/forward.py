"""The forward connection: the publisher listens, the subscriber dials. It is meant when a URL names no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sttp.codes import Role
from sttp.transport.contract import Transport
from sttp.transport.hookspecs import hookimpl
from sttp.transport.links import Connectivity, Links, RedialPolicy, accepted, dialled

__all__ = ["FORWARD", "Forward", "sttp_connectivity"]

FORWARD: Final = "forward"


class Forward:
    """Connectivity model `forward`."""

    async def links(
        self, role: Role, transport: Transport, address: str, /, *, policy: RedialPolicy, url: str
    ) -> Links:
        """Listen as a publisher, dial as a subscriber."""
        if role is Role.PUBLISHER:
            return await accepted(transport, address)
        return await dialled(transport, address, policy=policy, url=url)


@hookimpl
def sttp_connectivity() -> Mapping[str, Connectivity]:
    """The model that is built in."""
    return {FORWARD: Forward()}
