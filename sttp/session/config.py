"""What a session is told before it begins: limits, offered modes, timeouts. All times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from sttp.codes import OperationalModes
from sttp.limits import DEFAULT_LIMITS, Limits
from sttp.tolerances import DEFAULT_TOLERANCES, Tolerances

__all__ = ["PublisherConfig", "SubscriberConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberConfig:
    """Settings of a `SubscriberSession`.

    Attributes:
        modes: what the first command asks for.
        limits: how much the publisher may send.
        tolerances: which departures of the publisher are put up with; see `sttp.tolerances.tolerances_for`.
        silence_timeout: without any byte for so long the publisher counts as dead. Publishers send NoOP every 5 s
            (wire.md 7.8).
        reply_timeout: a MetadataRefresh or Subscribe without answer for so long is given up. cppapi and gsfapi never
            answer a refresh that is not allowed (8.2).
        unsubscribe_grace: an Unsubscribe without answer for so long counts as done; cppapi sends no answer (4.8).
        unsubscribe_pause: how long a Subscribe keeps away from an Unsubscribe, with a publisher that needs it (Y29).
        resynchronise_timeout: TSSC that is out of step for so long ends the session; only a new connection makes a
            publisher start anew for certain (6.4).
    """

    modes: OperationalModes = field(default_factory=OperationalModes)
    limits: Limits = DEFAULT_LIMITS
    tolerances: Tolerances = DEFAULT_TOLERANCES
    silence_timeout: float = 20.0
    reply_timeout: float = 30.0
    unsubscribe_grace: float = 1.0
    unsubscribe_pause: float = 0.1
    resynchronise_timeout: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherConfig:
    """Settings of a `PublisherSession`.

    Attributes:
        versions: protocol versions that are accepted.
        limits: how much the subscriber may send.
        tolerances: which departures of the subscriber are put up with; see `sttp.tolerances.tolerances_for`.
        noop_interval: how often NoOP is sent (wire.md 7.8).
        first_command_timeout: how long a peer may stay silent before it defines its modes. A gsfapi subscriber that
            already has a publisher never answers a second one (9.7).
    """

    versions: frozenset[int] = frozenset({1, 2, 3})
    limits: Limits = DEFAULT_LIMITS
    tolerances: Tolerances = DEFAULT_TOLERANCES
    noop_interval: float = 5.0
    first_command_timeout: float = 20.0
