"""Trust: who is known, which authorities vouch for others, and the verdict on a certificate.

Nothing here reads files or knows what time it is. The TLS library has checked that the other end holds the key of its
certificate, and that the chain hangs together; whether that is anybody whom we know is decided here, and only here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from sttp.errors import SecurityError, TrustError
from sttp.security.certificates import Certificate
from sttp.security.identity import PeerIdentity
from sttp.security.reasons import Reason, Relaxation

__all__ = ["Authority", "IPNetwork", "Peer", "Presented", "Trust", "Verdict", "described", "unknown_words"]

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another party.

    Attributes:
        name: what it is called here.
        pins: fingerprints of its certificates; one is usual, two while it changes from one to the next.
        authority: name of the authority that vouches for it, when nothing is pinned.
        names: DNS names and IP addresses that are its own: those under which it may be dialed besides what its pinned
            certificate says; and where an authority vouches for it, those that its certificate may say.
        addresses: networks from which it may dial; empty for anywhere.
        allow: what is relaxed for it.
        rights: a filter expression for the signals and metadata that it may see; None when nothing is said.
        may_publish: whether it may connect as a publisher to a subscriber that listens.
    """

    name: str
    pins: tuple[str, ...] = ()
    authority: str = ""
    names: tuple[str, ...] = ()
    addresses: tuple[IPNetwork, ...] = ()
    allow: frozenset[Relaxation] = frozenset()
    rights: str | None = None
    may_publish: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority.

    Attributes:
        name: what it is called here.
        certificates: its own; the fingerprints tell which chains end here.
        revocation: its revocation lists.
        names: patterns of names, such as `*.substations.example`: who carries such a name may dial without being listed
            as a peer.
        allow: what is relaxed for everyone that it vouches for.
        rights: see `Peer`; for those that are not listed as peers.
        may_publish: see `Peer`; likewise.
    """

    name: str
    certificates: tuple[Certificate, ...]
    revocation: tuple[x509.CertificateRevocationList, ...] = ()
    names: tuple[str, ...] = ()
    allow: frozenset[Relaxation] = frozenset()
    rights: str | None = None
    may_publish: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What the other end of a stream has shown.

    Attributes:
        chain: its certificate, then those of its issuers, as the TLS library has put them together; each in DER.
        dialed: whether we dialed it. Then `host` is whom we wanted; else it is the address that it dials from.
        host: a DNS name or an IP address, without port.
    """

    chain: tuple[bytes, ...]
    dialed: bool
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A peer that is trusted.

    Attributes:
        identity: who it is.
        relaxed: what would have been refused, had it not been allowed; each a sentence.
    """

    identity: PeerIdentity
    relaxed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom we trust, at one moment.

    Attributes:
        peers: other parties, by name.
        authorities: by name.
        pinned: the pinned certificates, by fingerprint.
    """

    peers: Mapping[str, Peer] = field(default_factory=dict)
    authorities: Mapping[str, Authority] = field(default_factory=dict)
    pinned: Mapping[str, Certificate] = field(default_factory=dict)

    def judge(self, presented: Presented, *, now: datetime) -> Verdict:
        """Decide whether the other end is somebody we trust.

        A pin decides alone, whoever issued the certificate. What a pinned peer's own key has issued is not trusted.

        Raises:
            TrustError: it is not; the code says why, the text also what can be done.
        """
        if not presented.chain:
            raise TrustError("the other end has no certificate", code=Reason.NO_CERTIFICATE)
        try:
            chain = [Certificate.of(each) for each in presented.chain]
        except SecurityError as error:
            raise TrustError(f"the other end presents {error}", code=Reason.BAD_CERTIFICATE) from None
        leaf = chain[0]
        for peer in self.peers.values():
            if leaf.fingerprint in peer.pins:
                return _Case(presented, leaf, peer.allow, now).of_pinned(peer)
        authority = self._authority_of(chain)
        peer_of_it = self._listed(leaf, authority)
        allow = authority.allow | (peer_of_it.allow if peer_of_it is not None else frozenset())
        return _Case(presented, leaf, allow, now).of_authority(authority, peer_of_it, chain)

    def _authority_of(self, chain: list[Certificate]) -> Authority:
        leaf, *issuers = chain
        by_fingerprint = {own.fingerprint: each for each in self.authorities.values() for own in each.certificates}
        for issuer in issuers:
            if issuer.fingerprint in by_fingerprint:
                return by_fingerprint[issuer.fingerprint]
            if issuer.fingerprint in self.pinned:
                raise TrustError(
                    f"{described(leaf)} was issued with the key of a pinned peer, who may issue none",
                    code=Reason.ISSUER_NOT_AUTHORITY,
                )
        raise TrustError(unknown_words(leaf), code=Reason.UNKNOWN_CERTIFICATE)

    def _listed(self, leaf: Certificate, authority: Authority) -> Peer | None:
        for peer in self.peers.values():
            if peer.authority == authority.name and any(leaf.is_for(name) for name in peer.names):
                return peer
        return None


def unknown_words(leaf: Certificate) -> str:
    """What is said of a certificate that nobody here knows."""
    return (
        f"{described(leaf)} is not trusted here; if it belongs to a party that you know, compare the fingerprint with "
        "them, then add their certificate with `sttp cert trust FILE`"
    )


def described(leaf: Certificate) -> str:
    """A certificate, for people: whose it says it is, and the fingerprint that proves it."""
    return f"the certificate {leaf.subject or leaf.label} with SHA-256 {leaf.fingerprint}"


@dataclass(slots=True)
class _Case:
    """The checks that a trusted certificate has to pass, and what of them was relaxed."""

    presented: Presented
    leaf: Certificate
    allow: frozenset[Relaxation]
    now: datetime
    relaxed: list[str] = field(default_factory=list)

    def of_pinned(self, peer: Peer) -> Verdict:
        self._check_validity(self.leaf)
        host = self.presented.host
        if self.presented.dialed:
            if not (self.leaf.is_for(host) or _is_among(host, peer.names)):
                self._refuse_name(
                    f"{host} was dialed, and {described(self.leaf)} of {peer.name} does not name it (it names "
                    f"{_names(self.leaf)}); add the host to `names` of this peer if it is theirs"
                )
        else:
            self._check_source(peer)
        return self._verdict(peer.name, "")

    def of_authority(self, authority: Authority, peer: Peer | None, chain: list[Certificate]) -> Verdict:
        ending = next(at for at, each in enumerate(chain) if each in authority.certificates)
        for each, issuer in pairwise(chain[: ending + 1]):
            self._check_validity(each)
            self._check_revocation(each, issuer, authority)
        host, leaf = self.presented.host, self.leaf
        if self.presented.dialed:
            if not leaf.is_for(host):
                self._refuse_name(
                    f"{host} was dialed, and {described(leaf)}, issued by {authority.name}, names {_names(leaf)}"
                )
        elif peer is not None:
            self._check_source(peer)
        elif not (leaf.is_for(host) or any(_is_like(name, authority.names) for name in leaf.names)):
            self._refuse_name(
                f"{described(leaf)}, issued by {authority.name}, came from {host} and names {_names(leaf)}; list the "
                "name under `names` of the authority, or of a peer with this `authority`, if it may connect"
            )
        # a certificate may carry any name, so who is not listed must not be taken for somebody who is
        return self._verdict(f"{leaf.label} ({authority.name})" if peer is None else peer.name, authority.name)

    def _verdict(self, name: str, authority: str) -> Verdict:
        leaf = self.leaf
        identity = PeerIdentity(name=name, fingerprint=leaf.fingerprint, subject=leaf.subject, authority=authority)
        return Verdict(identity=identity, relaxed=tuple(self.relaxed))

    def _check_source(self, peer: Peer) -> None:
        if peer.addresses and not _is_within(self.presented.host, peer.addresses):
            self._refuse_name(
                f"{peer.name} dialed from {self.presented.host}, which is not among its addresses "
                f"({', '.join(map(str, peer.addresses))})"
            )

    def _check_validity(self, certificate: Certificate) -> None:
        if self.now < certificate.not_before:
            raise TrustError(
                f"{described(certificate)} is valid only from {certificate.not_before:%Y-%m-%d %H:%M} UTC on; one of "
                "the two clocks may be wrong",
                code=Reason.FUTURE_CERTIFICATE,
            )
        if self.now > certificate.not_after:
            self._unless(
                Relaxation.EXPIRED,
                f"{described(certificate)} has expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC; its owner must "
                "make a new one",
                Reason.EXPIRED_CERTIFICATE,
            )

    def _check_revocation(self, certificate: Certificate, issuer: Certificate, authority: Authority) -> None:
        lists = [each for each in authority.revocation if _is_from(each, issuer)]
        if not lists:
            self._unless(
                Relaxation.NO_REVOCATION_LIST,
                f"there is no revocation list of {issuer.subject} for authority {authority.name}; fetch it and name it "
                f"under `revocation`, or allow {Relaxation.NO_REVOCATION_LIST}",
                Reason.REVOCATION_UNKNOWN,
            )
        for each in lists:
            if each.get_revoked_certificate_by_serial_number(certificate.parsed.serial_number) is not None:
                raise TrustError(
                    f"{described(certificate)} was revoked by {authority.name}", code=Reason.REVOKED_CERTIFICATE
                )
        if lists and not any(each.next_update_utc and each.next_update_utc >= self.now for each in lists):
            self._unless(
                Relaxation.STALE_REVOCATION_LIST,
                f"the revocation list of authority {authority.name} is out of date; fetch a new one",
                Reason.REVOCATION_UNKNOWN,
            )

    def _refuse_name(self, reason: str) -> None:
        self._unless(Relaxation.NAME_MISMATCH, reason, Reason.NAME_MISMATCH)

    def _unless(self, relaxation: Relaxation, reason: str, code: Reason) -> None:
        if relaxation not in self.allow:
            raise TrustError(reason, code=code)
        self.relaxed.append(f"{reason} [{code}]: allowed by {relaxation}")


def _is_from(revocation: x509.CertificateRevocationList, issuer: Certificate) -> bool:
    if revocation.issuer != issuer.parsed.subject:
        return False
    try:
        return revocation.is_signature_valid(issuer.parsed.public_key())  # type: ignore[arg-type]
    except (InvalidSignature, TypeError, ValueError):  # a key of a kind that signs no lists
        return False


def _names(leaf: Certificate) -> str:
    return ", ".join((*leaf.names, *map(str, leaf.addresses))) or "nobody"


def _is_among(host: str, names: tuple[str, ...]) -> bool:
    return host.lower().rstrip(".") in {name.lower() for name in names}


def _is_like(name: str, patterns: tuple[str, ...]) -> bool:
    return any(
        name == pattern or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])
        for pattern in map(str.lower, patterns)
    )


def _is_within(host: str, networks: tuple[IPNetwork, ...]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in networks)
