"""The reverse connection: the publisher dials out, the subscriber listens.

For a publisher in a secure zone whose firewall lets nothing in. Who dials changes nothing else: the subscriber still
speaks first. A plugin like anyone's, and the smallest example of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sttp.transport import Connectivity, Links, RedialPolicy, Role, Transport, accepted, dialled, hookimpl

__all__ = ["STTP_DOOR", "Reverse", "sttp_connectivity"]

STTP_DOOR: Final = 1
"""The version of the plugin door that it was written for."""


class Reverse:
    """Connectivity model `reverse`."""

    async def links(
        self, role: Role, transport: Transport, address: str, /, *, policy: RedialPolicy, url: str
    ) -> Links:
        """Dial as a publisher, listen as a subscriber."""
        if role is Role.PUBLISHER:
            return await dialled(transport, address, policy=policy, url=url)
        return await accepted(transport, address)


@hookimpl
def sttp_connectivity() -> Mapping[str, Connectivity]:
    """The model that this plugin adds."""
    return {"reverse": Reverse()}
