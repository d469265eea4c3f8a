"""A security folder: one readable file, `trust.toml`, and the certificates that it names.

```toml
[own]
certificate = "own.crt"
key = "own.key"

[peers.hub]
certificate = "peers/hub.crt"

[authorities.utility]
certificate = "authorities/utility.crt"
revocation = "authorities/utility.crl"
```
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from sttp.errors import SecurityError
from sttp.security.certificates import Certificate, read_certificates
from sttp.security.reasons import Relaxation
from sttp.security.trust import Authority, IPNetwork, Peer, Trust

__all__ = ["TRUST_FILE", "Contents", "default_folder", "read_folder"]

TRUST_FILE: Final = "trust.toml"

_MOST_BYTES: Final = 2**20
"""Longest `trust.toml` that is read."""

_OWN: Final = {"certificate", "key", "minimum_tls"}
_PEER: Final = {"certificate", "authority", "names", "addresses", "allow", "rights", "may_publish"}
_AUTHORITY: Final = {"certificate", "revocation", "names", "allow", "rights", "may_publish"}
_VERSIONS: Final = ("1.2", "1.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What stands in a security folder.

    Attributes:
        certificate: file of our own certificate, and of its issuers if it has any.
        key: file of its private key.
        minimum_tls: the oldest version of TLS that is spoken, `1.2` or `1.3`.
        trust: whom we trust.
        files: every file that was read, for noticing changes.
    """

    certificate: Path
    key: Path
    minimum_tls: str
    trust: Trust
    files: tuple[Path, ...] = field(repr=False)


def default_folder() -> Path:
    """Where the security folder is when nobody says: `STTP_SECURITY`, else `sttp` in the user's configuration."""
    if named := os.environ.get("STTP_SECURITY"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA")
    return (Path(base) if base else Path.home() / ".config") / "sttp"


def read_folder(folder: Path) -> Contents:
    """Read a security folder.

    Raises:
        SecurityError: it is not there, or something in it cannot be used. The text names the file and the entry.
    """
    file = folder / TRUST_FILE
    document = _document(file)
    reader = _Reader(folder, file)
    _check_keys(file, "the file", document, {"own", "peers", "authorities"})
    own = reader.table(document, "own")
    _check_keys(file, "[own]", own, _OWN)
    peers = {name: reader.peer(name, table) for name, table in reader.tables(document, "peers")}
    authorities = {name: reader.authority(name, table) for name, table in reader.tables(document, "authorities")}
    for peer in peers.values():
        if peer.authority and peer.authority not in authorities:
            raise SecurityError(f"{file}: [peers.{peer.name}]: there is no [authorities.{peer.authority}]")
    _refuse_shared_pins(file, peers)
    minimum = own.get("minimum_tls", _VERSIONS[0])
    if minimum not in _VERSIONS:
        raise SecurityError(f'{file}: [own]: minimum_tls must be "1.2" or "1.3", not {minimum!r}')
    return Contents(
        certificate=reader.path("[own]", own, "certificate"),
        key=reader.path("[own]", own, "key"),
        minimum_tls=minimum,
        trust=Trust(peers=peers, authorities=authorities, pinned=reader.pinned),
        files=(file, *reader.files),
    )


def _document(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise SecurityError(
            f"no security folder at {file.parent}: make one with `sttp cert new NAME --security {file.parent}`, or "
            "name another one"
        ) from None
    except OSError as error:
        raise SecurityError(f"{file}: {error.strerror or error}") from None
    if len(data) > _MOST_BYTES:
        raise SecurityError(f"{file}: longer than {_MOST_BYTES} bytes")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SecurityError(f"{file}: {error}") from None


class _Reader:
    """Turns tables of the file into what they mean, and remembers the files that they name."""

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder = folder
        self._file = file
        self.files: list[Path] = []
        self.pinned: dict[str, Certificate] = {}

    def table(self, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        table = document.get(name)
        if not isinstance(table, dict):
            raise SecurityError(f"{self._file}: the table [{name}] is missing")
        return table

    def tables(self, document: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        tables = document.get(kind, {})
        if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
            raise SecurityError(f"{self._file}: {kind} must be tables, such as [{kind}.hub]")
        yield from tables.items()

    def path(self, where: str, table: Mapping[str, Any], key: str) -> Path:
        named = table.get(key)
        if not isinstance(named, str) or not named:
            raise SecurityError(f"{self._file}: {where}: {key} must name a file")
        path = self._folder / named
        self.files.append(path)
        return path

    def peer(self, name: str, table: Mapping[str, Any]) -> Peer:
        where = f"[peers.{name}]"
        _check_keys(self._file, where, table, _PEER)
        ways = {"certificate", "authority"} & table.keys()
        if len(ways) != 1:
            raise SecurityError(
                f"{self._file}: {where} needs either a certificate or an authority{', not both' if ways else ''}"
            )
        pins: tuple[str, ...] = ()
        if "certificate" in table:
            certificates = read_certificates(self.path(where, table, "certificate"))
            pins = tuple(each.fingerprint for each in certificates)
            self.pinned.update((each.fingerprint, each) for each in certificates)
        names = self._texts(where, table, "names")
        if "authority" in table and not names:
            raise SecurityError(f"{self._file}: {where}: an authority vouches for names, so list its `names`")
        return Peer(
            name=name,
            pins=pins,
            authority=self._text(where, table, "authority"),
            names=names,
            addresses=tuple(self._network(where, each) for each in self._texts(where, table, "addresses")),
            allow=self._relaxations(where, table),
            rights=self._text(where, table, "rights") if "rights" in table else None,
            may_publish=self._flag(where, table, "may_publish"),
        )

    def authority(self, name: str, table: Mapping[str, Any]) -> Authority:
        where = f"[authorities.{name}]"
        _check_keys(self._file, where, table, _AUTHORITY)
        certificates = read_certificates(self.path(where, table, "certificate"))
        if no_authority := [each for each in certificates if not each.is_authority]:
            raise SecurityError(
                f"{self._file}: {where}: {no_authority[0].subject} is not the certificate of an authority; to trust "
                "this one certificate, make it a peer"
            )
        lists = _revocation_lists(self.path(where, table, "revocation")) if "revocation" in table else ()
        return Authority(
            name=name,
            certificates=tuple(certificates),
            revocation=lists,
            names=self._texts(where, table, "names"),
            allow=self._relaxations(where, table),
            rights=self._text(where, table, "rights") if "rights" in table else None,
            may_publish=self._flag(where, table, "may_publish"),
        )

    def _text(self, where: str, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise SecurityError(f"{self._file}: {where}: {key} must be a text")
        return value

    def _flag(self, where: str, table: Mapping[str, Any], key: str) -> bool | None:
        value = table.get(key)
        if not isinstance(value, bool | None):
            raise SecurityError(f"{self._file}: {where}: {key} must be true or false")
        return value

    def _texts(self, where: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        values = table.get(key, [])
        if not isinstance(values, list) or not all(isinstance(each, str) and each for each in values):
            raise SecurityError(f'{self._file}: {where}: {key} must be a list of texts, such as ["hub.example"]')
        return tuple(values)

    def _network(self, where: str, text: str) -> IPNetwork:
        try:
            return ipaddress.ip_network(text)
        except ValueError as error:
            raise SecurityError(f"{self._file}: {where}: addresses: {error}") from None

    def _relaxations(self, where: str, table: Mapping[str, Any]) -> frozenset[Relaxation]:
        try:
            return frozenset(map(Relaxation, self._texts(where, table, "allow")))
        except ValueError as error:
            known = ", ".join(Relaxation)
            raise SecurityError(f"{self._file}: {where}: allow: {error}; there are {known}") from None


def _check_keys(file: Path, where: str, table: Mapping[str, Any], known: set[str]) -> None:
    # a key that is misspelt must not leave a door open
    if unknown := sorted(table.keys() - known):
        raise SecurityError(f"{file}: {where}: unknown {unknown[0]!r}; there are {', '.join(sorted(known))}")


def _refuse_shared_pins(file: Path, peers: Mapping[str, Peer]) -> None:
    owners: dict[str, str] = {}
    for peer in peers.values():
        for pin in peer.pins:
            if (other := owners.setdefault(pin, peer.name)) != peer.name:
                raise SecurityError(f"{file}: peers {other} and {peer.name} have the same certificate, {pin}")


def _revocation_lists(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SecurityError(f"{path}: {error.strerror or error}") from None
    begin = b"-----BEGIN X509 CRL-----"
    try:
        if begin not in data:
            return (x509.load_der_x509_crl(data),)
        return tuple(x509.load_pem_x509_crl(begin + each) for each in data.split(begin)[1:])
    except ValueError as error:
        raise SecurityError(f"{path}: not a revocation list in PEM or DER ({error})") from None
