"""Stable codes for why a peer was refused, or refused us: the same in exceptions, logs and reports.

They are made for machines and do not change between versions; the words around them may.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason", "Relaxation"]


class Reason(StrEnum):
    """Why two ends did not come together."""

    # --- our decision
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    """Neither the certificate is pinned, nor is its issuer a trusted authority."""
    ISSUER_NOT_AUTHORITY = "issuer-not-authority"
    """A certificate issued by a key that may not issue any, such as that of a pinned peer."""
    EXPIRED_CERTIFICATE = "expired-certificate"
    """Its validity has ended."""
    FUTURE_CERTIFICATE = "future-certificate"
    """Its validity has not begun: one of the two clocks is wrong, more often than not."""
    NAME_MISMATCH = "name-mismatch"
    """A trusted certificate, but not that of the host that was dialed, or from an address that does not fit."""
    REVOKED_CERTIFICATE = "revoked-certificate"
    """Its authority has revoked it."""
    REVOCATION_UNKNOWN = "revocation-unknown"
    """Its authority has no revocation list here, or one that is out of date."""
    NO_CERTIFICATE = "no-certificate"
    """The other end presented none."""
    WEAK_CERTIFICATE = "weak-certificate"
    """Its key is too short, or it is signed with a broken digest."""
    WRONG_PURPOSE = "wrong-purpose"
    """Its extended key usage does not allow this side of a connection."""
    BAD_CERTIFICATE = "bad-certificate"
    """Wrong in another way, such as a signature that does not fit."""
    TLS_VERSION = "tls-version"
    """The other end offers only versions of TLS that are too old."""
    NOT_TLS = "not-tls"
    """The other end does not speak TLS."""
    HANDSHAKE_FAILED = "handshake-failed"
    """The handshake broke for a reason that has no code of its own."""
    HANDSHAKE_TIMEOUT = "handshake-timeout"
    """The other end did not finish the handshake in time."""
    CROWDED_OUT = "crowded-out"
    """Too many connections have not proved themselves yet, and this one was the oldest of its source."""
    TOO_MANY_CONNECTIONS = "too-many-connections"
    """Its source has as many connections as one may have."""
    TOO_FAST = "too-fast"
    """Its source connects too often."""
    SHUT_OUT = "shut-out"
    """Too many connections of its source came to nothing, and it is not heard for a while."""
    NOT_PERMITTED = "not-permitted"
    """The peer is trusted, and has no right to what it does: a publisher that may not publish here."""
    TRUST_WITHDRAWN = "trust-withdrawn"
    """The peer was trusted when it connected, and no longer is."""

    # --- the other end's decision
    REFUSED_CERTIFICATE = "refused-certificate"
    """It does not accept our certificate, and does not say why."""
    REFUSED_UNKNOWN_CERTIFICATE = "refused-unknown-certificate"
    """It does not know our certificate or its issuer."""
    REFUSED_EXPIRED_CERTIFICATE = "refused-expired-certificate"
    """By its clock our certificate has expired."""
    REFUSED_REVOKED_CERTIFICATE = "refused-revoked-certificate"
    """Our certificate has been revoked."""
    REFUSED_NO_CERTIFICATE = "refused-no-certificate"
    """It wants a certificate, and none was presented that it could use."""
    REFUSED_TLS_VERSION = "refused-tls-version"
    """It wants another version of TLS."""
    REFUSED_HANDSHAKE = "refused-handshake"
    """It ended the handshake for another reason."""


class Relaxation(StrEnum):
    """What may be allowed in a trust configuration, by name. Off by default, and logged at each use."""

    NAME_MISMATCH = "name-mismatch"
    """Take the certificate although it does not name the host that was dialed, as behind NAT, or although the peer
    dials from an address that does not fit."""
    EXPIRED = "expired"
    """Take the certificate after its validity has ended."""
    NO_REVOCATION_LIST = "no-revocation-list"
    """Take certificates of an authority without a revocation list."""
    STALE_REVOCATION_LIST = "stale-revocation-list"
    """Take certificates of an authority whose revocation list is out of date."""
