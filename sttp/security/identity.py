"""Who the other end is, as a transport has proved it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PeerIdentity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """Who the other end is, as the transport has proved it.

    Attributes:
        name: its name in the trust configuration; of a certificate that only its authority vouches for, the first name
            in it and the authority, as in `pmu.example (utility)`.
        fingerprint: SHA-256 of its certificate, in pairs of capital hexadecimal digits with colons between; empty where
            identities are proved without certificates.
        subject: subject of its certificate (RFC 4514); may be empty.
        authority: name of the authority that vouches for it; empty when the certificate itself is pinned.
    """

    name: str
    fingerprint: str = ""
    subject: str = ""
    authority: str = ""
