"""Ways to meet: which role is judged, who dials, and over what. No check may care."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sttp.codes import Role
from sttp.transport import Transport, load_plugins, parse_endpoint

__all__ = ["ENDS", "Direction", "Way", "end_of", "transport_for"]


_TLS: Final = "tls"


class Direction(StrEnum):
    """Who dials: in a forward connection the subscriber, in a reverse connection the publisher."""

    FORWARD = "forward"
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True)
class Way:
    """How the two ends come together.

    Attributes:
        direction: who dials.
        transport: what stands before `://` in a URL, without a connectivity model: `tcp`, `tls`, `unix`.
    """

    direction: Direction
    transport: str = "tcp"

    def __str__(self) -> str:
        return f"{self.direction} over {self.transport}"

    @property
    def is_secure(self) -> bool:
        """Whether the two ends speak TLS with each other, over whatever it may be."""
        return self.transport.split("+")[0] == _TLS


def end_of(role: Role, direction: Direction) -> str:
    """What an adapter calls the end: `publisher-listen`, `publisher-dial`, `subscriber-listen`, `subscriber-dial`."""
    listens = (role is Role.PUBLISHER) == (direction is Direction.FORWARD)
    return f"{role.value}-{'listen' if listens else 'dial'}"


ENDS = {end_of(role, direction): (role, direction) for role in Role for direction in Direction}
"""The four ends of an implementation, by the names that adapters have for them."""


def transport_for(prefix: str, address: str) -> tuple[Transport, str]:
    """The transport that a URL names, and its address in full. It knows nothing of directions.

    Layers are included, but for TLS on the outside: that is the suite's own, see `Implementation.connect`.

    Raises:
        EndpointError: nobody provides it, or the address cannot be understood.
    """
    plugins = load_plugins()
    endpoint = parse_endpoint(f"{prefix}://{address}", plugins=plugins)
    transport = plugins.transports[endpoint.scheme]
    for layer in reversed(endpoint.layers[endpoint.layers[:1] == (_TLS,) :]):
        transport = plugins.layers[layer].over(transport)
    return transport, endpoint.address
