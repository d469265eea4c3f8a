"""Parties with certificates: security folders that tests make, authorities, and what is wrong with them on purpose."""

from __future__ import annotations

import ipaddress
import ssl
import warnings
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sttp.security import Certificate, Security, read_certificates

__all__ = [
    "HERE",
    "Issuer",
    "Party",
    "Tampered",
    "only_tls_1_0",
    "trusting_pair",
    "up_to_tls_1_2",
    "without_certificate",
]

HERE = ("127.0.0.1", "somewhere")
"""Names that fit whoever listens in a test: over TCP, and in memory."""


class Issuer:
    """A key and a certificate, which may issue others, whether it may or not.

    Args:
        name: common name.
        hosts: names in the certificate.
        issuer: who issues it; itself, if nobody is named.
        authority: whether the certificate says that it may issue others.
        age: days since it was issued.
        days: how long it is valid.
    """

    def __init__(
        self,
        name: str,
        hosts: Iterable[str] = (),
        *,
        issuer: Issuer | None = None,
        authority: bool = False,
        age: float = 1,
        days: float = 30,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = issuer or self
        begin = datetime.now(UTC) - timedelta(days=age)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        names: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.issuer = by
        self.certificate = builder.sign(by.key, hashes.SHA256())
        self.chain = self.pem + ("" if issuer is None else issuer.chain)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def private(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def revoking(self, *revoked: Issuer, age: float = 1, days: float = 30) -> str:
        """A revocation list, in PEM."""
        begin = datetime.now(UTC) - timedelta(days=age)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(begin)
        builder = builder.next_update(begin + timedelta(days=days))
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(begin).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Party:
    """Somebody with a certificate and a folder that says whom it trusts.

    Args:
        folder: where its own is made.
        name: what it is called.
        issuer: its certificate; without it, one that is in order.
    """

    def __init__(self, folder: Path, name: str, issuer: Issuer | None = None) -> None:
        self.folder = folder / name
        self.name = name
        self.issuer = issuer or Issuer(name, HERE)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "own.crt").write_text(self.issuer.chain, encoding="ascii")
        key = self.folder / "own.key"
        key.touch(mode=0o600)
        key.write_text(self.issuer.private, encoding="ascii")
        self.entries: dict[str, str] = {}
        self.write()

    def trust(self, name: str, certificate: Issuer, *lines: str) -> None:
        """Pin a certificate; `lines` are added to its entry."""
        self._enter("peers", name, certificate, lines)

    def trust_authority(self, name: str, authority: Issuer, *lines: str, revocation: str = "") -> None:
        """Trust whoever an authority vouches for; `lines` are added to its entry."""
        if revocation:
            (self.folder / f"{name}.crl").write_text(revocation, encoding="ascii")
            lines = (*lines, f'revocation = "{name}.crl"')
        self._enter("authorities", name, authority, lines)

    def forget(self, name: str) -> None:
        """Trust somebody no more."""
        del self.entries[name]
        self.write()

    @property
    def security(self) -> Security:
        """The folder in use, anew at each call."""
        return Security(self.folder)

    @property
    def certificate(self) -> Certificate:
        return read_certificates(self.folder / "own.crt")[0]

    def _enter(self, kind: str, name: str, certificate: Issuer, lines: Iterable[str]) -> None:
        (self.folder / f"{name}.crt").write_text(certificate.pem, encoding="ascii")
        self.entries[name] = "\n".join((f"[{kind}.{name}]", f'certificate = "{name}.crt"', *lines))
        self.write()

    def write(self) -> None:
        """Write what is trusted, in one step."""
        own = '[own]\ncertificate = "own.crt"\nkey = "own.key"\n'
        file = self.folder / "trust.new"
        file.write_text("\n".join((own, *self.entries.values())), encoding="utf-8")
        file.replace(self.folder / "trust.toml")


def trusting_pair(folder: Path) -> tuple[Party, Party]:
    """Two parties that have pinned each other's certificate."""
    left, right = Party(folder, "left"), Party(folder, "right")
    left.trust("right", right.issuer)
    right.trust("left", left.issuer)
    return left, right


class Tampered(Security):
    """A security whose TLS does not do what ours would.

    Args:
        folder: a security folder.
        tamper: changes a context, or returns another.
    """

    def __init__(self, folder: Path, tamper: Callable[[ssl.SSLContext], ssl.SSLContext]) -> None:
        super().__init__(folder)
        self._tamper = tamper

    def context(self, *, dialing: bool) -> ssl.SSLContext:
        return self._tamper(super().context(dialing=dialing))


def up_to_tls_1_2(context: ssl.SSLContext) -> ssl.SSLContext:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def only_tls_1_0(context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def without_certificate(context: ssl.SSLContext) -> ssl.SSLContext:
    """For an end that dials: it checks nothing and shows nothing."""
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.verify_mode = ssl.CERT_NONE
    bare.minimum_version, bare.maximum_version = context.minimum_version, context.maximum_version
    return bare
