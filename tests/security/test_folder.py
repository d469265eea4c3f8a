"""Security folders: what cannot be used is named, with the file and the entry; keys of others are refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from parties import Issuer, Party
from sttp.errors import SecurityError
from sttp.security import Relaxation, Security, default_folder, fingerprint_of, read_certificates


@pytest.fixture
def party(tmp_path: Path) -> Party:
    return Party(tmp_path, "us")


def test_a_folder_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SecurityError, match="no security folder at .*nowhere: make one with `sttp cert new NAME"):
        Security(tmp_path / "nowhere")


def test_the_default_folder_is_that_of_the_environment_else_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STTP_SECURITY", "there")
    assert default_folder() == Path("there")
    monkeypatch.delenv("STTP_SECURITY")
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")
    assert default_folder() == Path("config/sttp")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("[peers.a]", r"\[peers.a\] needs either a certificate or an authority"),
        ('[peers.a]\ncertificate = "own.crt"\nauthority = "x"', "not both"),
        ('[peers.a]\nauthority = "x"\nnames = ["a"]', r"there is no \[authorities.x\]"),
        ('[peers.a]\nauthority = "x"', "list its `names`"),
        ('[peers.a]\ncertificate = "own.key"', "holds a private key"),
        ('[peers.a]\ncertificate = "missing.crt"', "missing.crt: No such file"),
        ('[peers.a]\ncertificate = "trust.toml"', "not a certificate in PEM or DER"),
        ('[peers.a]\ncertificate = "own.crt"\nalow = ["expired"]', "unknown 'alow'; there are .*allow"),
        ('[peers.a]\ncertificate = "own.crt"\nallow = ["all"]', "'all' is not a valid Relaxation; there are"),
        ('[peers.a]\ncertificate = "own.crt"\nnames = "a"', "names must be a list of texts"),
        ('[peers.a]\ncertificate = "own.crt"\naddresses = ["10.0.0.1/8"]', "addresses: .*host bits set"),
        ('[peers.a]\ncertificate = "own.crt"\nmay_publish = 1', "may_publish must be true or false"),
        ('[peers.a]\ncertificate = "own.crt"\n[peers.b]\ncertificate = "own.crt"', "a and b have the same certificate"),
        ('[authorities.a]\ncertificate = "own.crt"', "is not the certificate of an authority"),
        ("peers = 1", "peers must be tables"),
        ("[other]", "the file: unknown 'other'"),
        ("nonsense", "Expected '='"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_place(party: Party, entry: str, complaint: str) -> None:
    party.entries["x"] = entry
    if entry.startswith(("peers", "nonsense")):
        before = (party.folder / "trust.toml").read_text(encoding="utf-8")
        (party.folder / "trust.toml").write_text(f"{entry}\n{before}", encoding="utf-8")
    else:
        party.write()
    with pytest.raises(SecurityError, match=complaint):
        Security(party.folder)


def test_a_key_that_does_not_fit_or_is_not_there_is_named(party: Party) -> None:
    (party.folder / "own.key").write_text(Issuer("other").private, encoding="ascii")
    with pytest.raises(SecurityError, match=r"own.crt and .*own.key cannot be used together: key values mismatch"):
        Security(party.folder)
    (party.folder / "own.key").unlink()
    with pytest.raises(SecurityError, match=r"own.key: no such file"):
        Security(party.folder)


def test_a_key_that_others_can_read_is_a_warning(party: Party, caplog: pytest.LogCaptureFixture) -> None:
    assert party.security
    assert caplog.messages == []
    (party.folder / "own.key").chmod(0o644)
    assert party.security
    assert "can be read by others" in caplog.text


def test_a_change_is_followed_and_one_that_cannot_be_read_is_not(
    party: Party, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    security = party.security
    assert not security.refresh()
    party.trust("hub", Issuer("hub"), 'allow = ["expired"]')
    assert security.refresh()
    assert security.trust.peers["hub"].allow == {Relaxation.EXPIRED}
    party.entries["bad"] = "[peers.bad]"
    party.write()
    before = security.trust
    assert not security.refresh()
    assert not security.refresh()
    assert security.trust is before
    assert caplog.text.count("what it said before is in force") == 1
    party.forget("bad")
    assert security.refresh()


def test_a_renewed_certificate_of_our_own_is_shown_from_then_on(party: Party) -> None:
    security = party.security
    renewed = Issuer("renewed")
    (party.folder / "own.key").write_text(renewed.private, encoding="ascii")
    (party.folder / "own.crt").write_text(renewed.pem, encoding="ascii")
    assert security.refresh()
    assert security.certificate.fingerprint == fingerprint_of(renewed.der)


def test_fingerprints_are_read_as_people_write_them() -> None:
    digits = fingerprint_of(b"x")
    assert fingerprint_of(digits) == digits
    assert fingerprint_of(f"sha256:{digits.replace(':', '').lower()}") == digits
    with pytest.raises(SecurityError, match="64 hexadecimal digits"):
        fingerprint_of("AB:CD")


@pytest.mark.parametrize("form", ["pem", "der"])
def test_certificates_are_read_in_both_forms(tmp_path: Path, form: str) -> None:
    made = Issuer("made", ["hub.example", "192.0.2.1"])
    file = tmp_path / "made"
    file.write_bytes(made.pem.encode() if form == "pem" else made.der)
    (read,) = read_certificates(file)
    assert (read.subject, read.names, list(map(str, read.addresses))) == ("CN=made", ("hub.example",), ["192.0.2.1"])


def test_a_private_key_in_der_is_recognised(tmp_path: Path) -> None:
    key = Issuer("made").key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key").write_bytes(key)
    with pytest.raises(SecurityError, match="private key"):
        read_certificates(tmp_path / "key")
