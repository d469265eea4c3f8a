"""Rights: what an identity may see of a publisher, and whether it may publish to a subscriber that listens.

Whoever says nothing about rights lets everyone in whom it trusts, to everything. As soon as anybody's rights are
configured, whoever has none is denied everything.
"""

from __future__ import annotations

from sttp.security.identity import PeerIdentity
from sttp.security.trust import Authority, Peer, Trust

__all__ = ["NOTHING", "may_publish", "rights_of"]

NOTHING = ""
"""The filter expression that selects nothing."""


def rights_of(trust: Trust, identity: PeerIdentity | None) -> str | None:
    """What a subscriber may see.

    Args:
        trust: the configuration.
        identity: who it is; None for a peer that was not authenticated.

    Returns:
        A filter expression for the signals; None for everything, because no rights are configured.
    """
    if all(each.rights is None for each in _entries(trust)):
        return None
    entry = _entry(trust, identity)
    return NOTHING if entry is None or entry.rights is None else entry.rights


def may_publish(trust: Trust, identity: PeerIdentity | None) -> bool:
    """Whether a peer that dials may be a publisher.

    Never if its `may_publish` is false. If anybody's is true, only if its own is.

    Args:
        trust: the configuration.
        identity: see `rights_of`.
    """
    entry = _entry(trust, identity)
    said = None if entry is None else entry.may_publish
    return said if said is not None else not any(each.may_publish for each in _entries(trust))


def _entries(trust: Trust) -> tuple[Peer | Authority, ...]:
    return (*trust.peers.values(), *trust.authorities.values())


def _entry(trust: Trust, identity: PeerIdentity | None) -> Peer | Authority | None:
    """The entry that an identity was proved by. Names alone prove nothing: a certificate may say any."""
    if identity is None:
        return None
    peer = trust.peers.get(identity.name)
    if peer is not None and (
        identity.fingerprint in peer.pins or (peer.authority and peer.authority == identity.authority)
    ):
        return peer
    return trust.authorities.get(identity.authority)
