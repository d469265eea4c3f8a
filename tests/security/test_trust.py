"""Verdicts that the matrix does not ask for: pins that authorities issued, wildcards, revocation, relaxations."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parties import Issuer, Party
from sttp.errors import TrustError
from sttp.security import Presented, Reason, Trust, Verdict, explained

NOW = datetime.now(UTC)


def judge(trust: Trust, *chain: Issuer, dialed: str = "", source: str = "192.0.2.1", later: int = 0) -> Verdict:
    presented = Presented(chain=tuple(each.der for each in chain), dialed=bool(dialed), host=dialed or source)
    return trust.judge(presented, now=NOW + timedelta(days=later))


def code(trust: Trust, *chain: Issuer, dialed: str = "", source: str = "192.0.2.1", later: int = 0) -> str:
    with pytest.raises(TrustError) as caught:
        judge(trust, *chain, dialed=dialed, source=source, later=later)
    return caught.value.code


@pytest.fixture
def party(tmp_path: Path) -> Party:
    return Party(tmp_path, "us")


def test_a_pin_decides_alone_even_if_a_trusted_authority_issued_the_certificate(party: Party) -> None:
    root = Issuer("root", authority=True)
    pinned = Issuer("pinned", ["hub.example"], issuer=root)
    party.trust("hub", pinned)
    party.trust_authority("utility", root)
    identity = judge(party.security.trust, pinned, root, dialed="hub.example").identity
    assert (identity.name, identity.authority, identity.subject) == ("hub", "", "CN=pinned")
    assert identity.fingerprint == party.security.trust.peers["hub"].pins[0]


def test_what_a_pinned_peer_has_issued_is_not_trusted_even_if_it_says_that_it_may(party: Party) -> None:
    peer = Issuer("peer", ["hub.example"], authority=True)
    party.trust("hub", peer)
    assert code(party.security.trust, Issuer("child", ["hub.example"], issuer=peer), peer, dialed="hub.example") == (
        Reason.ISSUER_NOT_AUTHORITY
    )


def test_a_pinned_peer_stands_between_an_authority_and_what_it_has_issued(party: Party) -> None:
    root = Issuer("root", authority=True)
    peer = Issuer("peer", ["hub.example"], issuer=root, authority=True)
    party.trust("hub", peer)
    party.trust_authority("utility", root, 'allow = ["no-revocation-list"]')
    child = Issuer("child", ["hub.example"], issuer=peer)
    assert code(party.security.trust, child, peer, root, dialed="hub.example") == Reason.ISSUER_NOT_AUTHORITY


def test_a_dialed_peer_has_to_be_the_one_that_was_dialed(party: Party) -> None:
    peer = Issuer("peer", ["hub.example", "192.0.2.7", "*.hub.example"])
    party.trust("hub", peer, 'names = ["nat.example"]')
    trust = party.security.trust
    for host in ("hub.example", "HUB.example.", "192.0.2.7", "a.hub.example", "nat.example"):
        assert judge(trust, peer, dialed=host).relaxed == ()
    for host in ("example", "a.b.hub.example", ".hub.example", "192.0.2.8", "xhub.example"):
        assert code(trust, peer, dialed=host) == Reason.NAME_MISMATCH


def test_a_peer_that_dials_is_known_by_its_pin_from_wherever_it_comes_unless_addresses_are_listed(party: Party) -> None:
    here, there = Issuer("here"), Issuer("there")
    party.trust("here", here)
    party.trust("there", there, 'addresses = ["198.51.100.0/24", "2001:db8::/32"]')
    trust = party.security.trust
    assert judge(trust, here, source="203.0.113.9").identity.name == "here"
    assert judge(trust, there, source="198.51.100.9").identity.name == "there"
    assert judge(trust, there, source="2001:db8::9%eth0").identity.name == "there"
    assert code(trust, there, source="203.0.113.9") == Reason.NAME_MISMATCH
    assert code(trust, there, source="no address") == Reason.NAME_MISMATCH


@pytest.mark.parametrize(("relaxation", "dialed", "later"), [("name-mismatch", "other", 0), ("expired", "hub", 60)])
def test_a_relaxation_holds_for_its_peer_alone_and_is_told_at_each_use(
    party: Party, relaxation: str, dialed: str, later: int
) -> None:
    relaxed, strict = Issuer("relaxed", ["hub"]), Issuer("strict", ["hub"])
    party.trust("relaxed", relaxed, f'allow = ["{relaxation}"]')
    party.trust("strict", strict)
    trust = party.security.trust
    (told,) = judge(trust, relaxed, dialed=dialed, later=later).relaxed
    assert told.endswith(f"allowed by {relaxation}")
    assert judge(trust, relaxed, dialed="hub").relaxed == ()
    assert code(trust, strict, dialed=dialed, later=later) in (Reason.NAME_MISMATCH, Reason.EXPIRED_CERTIFICATE)


def test_a_certificate_of_the_future_is_refused(party: Party) -> None:
    early = Issuer("early", ["hub"], age=-2)
    party.trust("hub", early, 'allow = ["expired", "name-mismatch"]')
    assert code(party.security.trust, early, dialed="hub") == Reason.FUTURE_CERTIFICATE


def test_an_authority_without_a_revocation_list_lets_nobody_in_unless_that_is_allowed(party: Party) -> None:
    root = Issuer("root", authority=True)
    leaf = Issuer("leaf", ["hub"], issuer=root)
    party.trust_authority("utility", root)
    assert code(party.security.trust, leaf, root, dialed="hub") == Reason.REVOCATION_UNKNOWN
    party.trust_authority("utility", root, 'allow = ["no-revocation-list"]')
    assert len(judge(party.security.trust, leaf, root, dialed="hub").relaxed) == 1


def test_revocation_lists_count_for_their_issuer_and_until_the_next_is_due(party: Party) -> None:
    root, impostor = Issuer("root", authority=True), Issuer("root", authority=True)
    leaf, revoked = Issuer("leaf", ["hub"], issuer=root), Issuer("revoked", ["hub"], issuer=root)
    party.trust_authority("utility", root, revocation=root.revoking(revoked))
    trust = party.security.trust
    identity = judge(trust, leaf, root, dialed="hub").identity
    assert (identity.name, identity.authority) == ("hub (utility)", "utility")
    assert code(trust, revoked, root, dialed="hub") == Reason.REVOKED_CERTIFICATE

    party.trust_authority("utility", root, revocation=impostor.revoking())
    assert code(party.security.trust, revoked, root, dialed="hub") == Reason.REVOCATION_UNKNOWN

    stale = root.revoking(revoked, age=9, days=8)
    party.trust_authority("utility", root, revocation=stale)
    assert code(party.security.trust, leaf, root, dialed="hub") == Reason.REVOCATION_UNKNOWN
    party.trust_authority("utility", root, 'allow = ["stale-revocation-list"]', revocation=stale)
    assert len(judge(party.security.trust, leaf, root, dialed="hub").relaxed) == 1
    assert code(party.security.trust, revoked, root, dialed="hub") == Reason.REVOKED_CERTIFICATE


def test_an_intermediate_is_checked_as_well(party: Party) -> None:
    root = Issuer("root", authority=True)
    middle = Issuer("middle", authority=True, issuer=root)
    leaf = Issuer("leaf", ["hub"], issuer=middle)
    party.trust_authority("utility", root, revocation=middle.revoking() + root.revoking())
    assert judge(party.security.trust, leaf, middle, root, dialed="hub").identity.authority == "utility"
    party.trust_authority("utility", root, revocation=middle.revoking() + root.revoking(middle))
    assert code(party.security.trust, leaf, middle, root, dialed="hub") == Reason.REVOKED_CERTIFICATE
    party.trust_authority("utility", root, revocation=root.revoking())
    assert code(party.security.trust, leaf, middle, root, dialed="hub") == Reason.REVOCATION_UNKNOWN


def test_who_dials_with_an_authoritys_certificate_needs_a_name_that_is_listed_or_its_address(party: Party) -> None:
    root = Issuer("root", authority=True)
    named = Issuer("leaf", ["pmu.north.example"], issuer=root)
    addressed = Issuer("leaf", ["192.0.2.1"], issuer=root)
    party.trust_authority("utility", root, revocation=root.revoking())
    assert code(party.security.trust, named, root) == Reason.NAME_MISMATCH
    assert judge(party.security.trust, addressed, root, source="192.0.2.1").identity.name == "192.0.2.1 (utility)"
    assert code(party.security.trust, addressed, root, source="192.0.2.2") == Reason.NAME_MISMATCH

    party.trust_authority("utility", root, 'names = ["*.north.example"]', revocation=root.revoking())
    assert judge(party.security.trust, named, root).identity.name == "pmu.north.example (utility)"
    party.entries["pmu"] = '[peers.pmu]\nauthority = "utility"\nnames = ["pmu.north.example"]'
    party.write()
    assert judge(party.security.trust, named, root).identity.name == "pmu"


def test_nobody_is_trusted_who_is_not_listed() -> None:
    assert code(Trust(), Issuer("a", ["hub"]), dialed="hub") == Reason.UNKNOWN_CERTIFICATE
    assert code(Trust(), dialed="hub") == Reason.NO_CERTIFICATE


def test_a_certificate_that_makes_no_sense_is_refused_and_nothing_else_happens() -> None:
    """Found by fuzzing: its version is one that there is not."""
    good = Issuer("a", ["hub"]).der
    at = good.index(b"\xa0\x03\x02\x01\x02") + 4
    for der in (good[:at] + b"\x2e" + good[at + 1 :], good[:100], b"", b"\x30\x00"):
        with pytest.raises(TrustError) as caught:
            Trust().judge(Presented(chain=(der,), dialed=True, host="hub"), now=NOW)
        assert caught.value.code == Reason.BAD_CERTIFICATE
        failed = ssl.SSLCertVerificationError(1, "certificate verify failed")
        failed.reason, failed.verify_code, failed.verify_message = "CERTIFICATE_VERIFY_FAILED", 18, "self-signed"
        assert explained(failed, chain=[der]).code == Reason.BAD_CERTIFICATE
