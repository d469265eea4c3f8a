"""`sttp cert`, as an operator uses it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from parties import Issuer
from sttp.cli import main
from sttp.security import Security


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["cert", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert (
        run(capsys, "new", "hub", "--host", "hub.example", "--host", "192.0.2.1", "--security", str(tmp_path / "us"))[0]
        == 0
    )
    return tmp_path / "us"


def test_a_new_folder_has_a_key_for_its_owner_only_and_trusts_nobody(folder: Path) -> None:
    security = Security(folder)
    assert security.certificate.is_for("hub.example")
    assert security.certificate.is_for("192.0.2.1")
    assert not security.certificate.is_authority
    assert security.trust.peers == security.trust.authorities == {}
    assert stat.S_IMODE((folder / "own.key").stat().st_mode) == 0o600


def test_a_folder_is_not_made_twice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "own.key").read_bytes()
    code, _, err = run(capsys, "new", "hub", "--security", str(folder))
    assert code == 2
    assert "is a security folder already" in err
    assert (folder / "own.key").read_bytes() == before


def test_the_fingerprint_is_the_same_wherever_it_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fingerprint = Security(folder).certificate.fingerprint
    assert run(capsys, "fingerprint", "--security", str(folder))[1] == f"{fingerprint}\n"
    assert run(capsys, "fingerprint", str(folder / "own.crt"))[1] == f"{fingerprint}\n"
    for command in ("show", "list"):
        assert fingerprint in run(capsys, command, "--security", str(folder))[1]


def test_what_is_shown_can_be_handed_over(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "show", "--security", str(folder))
    (tmp_path / "mailed.txt").write_text(out, encoding="utf-8")
    assert run(capsys, "new", "them", "--security", str(tmp_path / "them"))[0] == 0
    code, _, _ = run(
        capsys, "trust", str(tmp_path / "mailed.txt"), "--name", "hub", "--security", str(tmp_path / "them")
    )
    assert code == 0
    assert Security(tmp_path / "them").trust.peers["hub"].pins == (Security(folder).certificate.fingerprint,)


def test_a_private_key_is_refused_and_nothing_changes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Issuer("theirs")
    before = sorted(folder.rglob("*")), (folder / "trust.toml").read_text()
    for content in (theirs.private, theirs.pem + theirs.private):
        (tmp_path / "theirs.pem").write_text(content)
        code, _, err = run(capsys, "trust", str(tmp_path / "theirs.pem"), "--security", str(folder))
        assert code == 2
        assert "holds a private key, which nobody but its owner may have" in err
    assert (
        sorted(path for path in folder.rglob("*") if path.name != "peers"),
        (folder / "trust.toml").read_text(),
    ) == before


def test_a_party_is_trusted_listed_and_forgotten(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Issuer("theirs", ["pmu.example"])
    (tmp_path / "pmu.crt").write_text(theirs.pem)
    options = ("--host", "10.1.2.3", "--address", "10.0.0.0/8", "--allow", "expired", "--security", str(folder))
    code, out, err = run(capsys, "trust", str(tmp_path / "pmu.crt"), *options)
    peer = Security(folder).trust.peers["pmu"]
    assert (code, out) == (0, f"{peer.pins[0]}\n")
    assert "exactly this certificate" in err
    assert (peer.names, list(map(str, peer.addresses)), list(peer.allow)) == (
        ("10.1.2.3",),
        ["10.0.0.0/8"],
        ["expired"],
    )
    listed = run(capsys, "list", "--security", str(folder))[1]
    assert "peer       pmu" in listed
    assert "from 10.0.0.0/8; ALLOWED: expired" in listed

    assert run(capsys, "forget", "pmu", "--security", str(folder))[0] == 0
    assert Security(folder).trust.peers == {}
    code, _, err = run(capsys, "forget", "pmu", "--security", str(folder))
    assert code == 2
    assert "there is no 'pmu'; trusted are nobody" in err


def test_forgetting_one_leaves_the_others_and_what_people_wrote(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.crt").write_text(Issuer(name).pem)
        assert run(capsys, "trust", str(tmp_path / f"{name}.crt"), "--security", str(folder))[0] == 0
    file = folder / "trust.toml"
    file.write_text(file.read_text().replace("[peers.three]", "# the third one\n[peers.three]"))
    assert run(capsys, "forget", "one", "--security", str(folder))[0] == 0
    assert list(Security(folder).trust.peers) == ["two", "three"]
    assert "# the third one" in file.read_text()


def test_a_bad_entry_is_taken_back(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "trust.toml").read_text()
    (tmp_path / "pmu.crt").write_text(Issuer("pmu").pem)
    code, _, err = run(capsys, "trust", str(tmp_path / "pmu.crt"), "--address", "10.0.0.1/8", "--security", str(folder))
    assert code == 2
    assert "host bits set" in err
    assert (folder / "trust.toml").read_text() == before
    assert not list((folder / "peers").iterdir())


def test_an_authority_needs_a_revocation_list_or_permission_to_have_none(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Issuer("root", authority=True)
    (tmp_path / "root.crt").write_text(root.pem)
    (tmp_path / "root.crl").write_text(root.revoking())
    code, _, err = run(capsys, "trust", str(tmp_path / "root.crt"), "--authority", "--security", str(folder))
    assert code == 0
    assert "nobody gets in through root before it has a revocation list" in err
    assert run(capsys, "forget", "root", "--security", str(folder))[0] == 0
    options = (
        "--authority",
        "--revocation",
        str(tmp_path / "root.crl"),
        "--host",
        "*.example",
        "--security",
        str(folder),
    )
    assert run(capsys, "trust", str(tmp_path / "root.crt"), *options)[0] == 0
    authority = Security(folder).trust.authorities["root"]
    assert (authority.names, len(authority.revocation)) == (("*.example",), 1)
