"""Certificates for a run over TLS: the suite makes one for each end, and some that nobody may accept."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Credential", "Credentials"]

_DAYS: Final = 30
_FOLDER: Final = "certificates"
_HERE: Final = ("127.0.0.1", "::1")
"""Addresses at which the ends of a run find each other, besides `localhost`."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its key.

    Attributes:
        certificate: file of the certificate, in PEM; those of its issuers follow.
        key: file of the private key, in PEM.
    """

    certificate: Path
    key: Path


class Credentials:
    """What the ends of a run have to show. Each is made when it is first asked for, and then found in the folder.

    The implementation is given its own, and pins the suite's (wire.md 10.2, 10.4). The others resemble the suite's in
    everything but the key.

    Args:
        run: the folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self._folder = run / _FOLDER

    @cached_property
    def implementation(self) -> Credential:
        """What the implementation under test shows."""
        return self._made("implementation")

    @cached_property
    def suite(self) -> Credential:
        """What the suite shows, and the implementation has pinned."""
        return self._made("suite")

    @cached_property
    def stranger(self) -> Credential:
        """A certificate with the suite's names, of a key that nobody knows."""
        return self._made("stranger", "suite")

    @cached_property
    def issued(self) -> Credential:
        """A certificate that the suite's own key has issued, although it may issue none."""
        return self._made("issued", "suite", issuer=self.suite)

    def context(self, *, server: bool, own: Credential | None, trusted: Credential | None) -> ssl.SSLContext:
        """How to speak TLS as one side of it.

        Args:
            server: whether as the server, which is who listens (wire.md 10.1).
            own: what to show; None for nothing, which only a client can.
            trusted: the only certificate that is accepted; None to accept any.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the one certificate that is accepted is the right one
        context.verify_mode = ssl.CERT_NONE if trusted is None else ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if trusted is not None:
            context.load_verify_locations(trusted.certificate)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        return context

    def _made(self, name: str, called: str = "", *, issuer: Credential | None = None) -> Credential:
        made = Credential(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        if made.key.exists():
            return made
        self._folder.mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(called or name, key, _read_key(issuer) if issuer else None)
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        if issuer is not None:
            chain += issuer.certificate.read_bytes()
        made.certificate.write_bytes(chain)
        made.key.touch(mode=0o600)
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made


def _read_key(owner: Credential) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(owner.key.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "the suite makes no others"
    return key


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey | None
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sttp-conformance {name}")])
    by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sttp-conformance suite")]) if issuer else subject
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in _HERE]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return builder.sign(issuer or key, hashes.SHA256())
