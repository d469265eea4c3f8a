"""Sessions: the two roles of STTP without sockets, clocks or threads (sans-IO).

Bytes and time go in, events come out; intents go in, bytes come out. A session never learns who dialed, over what, or
whether there is a network at all.
"""

from sttp.session.base import Session
from sttp.session.config import PublisherConfig, SubscriberConfig
from sttp.session.conversation import TOLERATED, TRANSITIONS, Phase
from sttp.session.publisher import PublisherSession
from sttp.session.subscriber import SubscriberSession

__all__ = [
    "TOLERATED",
    "TRANSITIONS",
    "Phase",
    "PublisherConfig",
    "PublisherSession",
    "Session",
    "SubscriberConfig",
    "SubscriberSession",
]
