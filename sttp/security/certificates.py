"""Certificates as values: what they say, how they are read from files, and how a self-signed one is made."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sttp.errors import SecurityError

__all__ = ["Certificate", "IPAddress", "fingerprint_of", "new_certificate", "read_certificates", "write_private"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_BYTES: Final = 2**20
"""Longest file of certificates that is read: some hundred of them."""

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_HEX_DIGITS: Final = 64

_UNREADABLE: Final = (ValueError, x509.InvalidVersion, x509.UnsupportedGeneralNameType, x509.DuplicateExtension)
"""What `cryptography` raises of a certificate that makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An X.509 certificate, as far as it matters here.

    Attributes:
        der: the certificate itself.
        fingerprint: SHA-256 of `der`; see `PeerIdentity.fingerprint`.
        subject: whose it is (RFC 4514).
        issuer: who issued it (RFC 4514).
        names: DNS names in it, in lower case.
        addresses: IP addresses in it.
        not_before: when it begins to be valid.
        not_after: when it ceases to be.
    """

    der: bytes
    fingerprint: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    addresses: tuple[IPAddress, ...]
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, der: bytes) -> Self:
        """Read a certificate in DER.

        Raises:
            SecurityError: it is none.
        """
        try:
            return cls._of(x509.load_der_x509_certificate(der))
        except _UNREADABLE as error:
            raise SecurityError(f"a certificate that cannot be read: {error}") from None

    @classmethod
    def _of(cls, read: x509.Certificate) -> Self:
        try:
            alternative = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            alternative = x509.SubjectAlternativeName([])
        addresses = alternative.get_values_for_type(x509.IPAddress)
        der = read.public_bytes(serialization.Encoding.DER)
        return cls(
            der=der,
            fingerprint=fingerprint_of(der),
            subject=read.subject.rfc4514_string(),
            issuer=read.issuer.rfc4514_string(),
            names=tuple(name.lower() for name in alternative.get_values_for_type(x509.DNSName)),
            addresses=tuple(each for each in addresses if isinstance(each, IPAddress)),
            not_before=read.not_valid_before_utc,
            not_after=read.not_valid_after_utc,
        )

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate as `cryptography` reads it."""
        return _parsed(self.der)

    @property
    def pem(self) -> str:
        """The certificate as text, to be handed to another party."""
        return self.parsed.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def is_self_signed(self) -> bool:
        """Whether its own key issued it."""
        return self.subject == self.issuer

    @property
    def is_authority(self) -> bool:
        """Whether it says of itself that it may issue others."""
        try:
            return self.parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, *_UNREADABLE):
            return False

    @property
    def label(self) -> str:
        """The first name in it, for people."""
        common = [str(each.value) for each in self.parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        return next(iter((*self.names, *map(str, self.addresses), *common, self.subject)), "")

    def is_for(self, host: str) -> bool:
        """Whether it names this host: an IP address, or a DNS name, which a wildcard may stand for (RFC 6125)."""
        try:
            return ipaddress.ip_address(host.partition("%")[0]) in self.addresses
        except ValueError:
            return any(_fits(pattern, host.lower().rstrip(".")) for pattern in self.names)


@lru_cache(maxsize=256)
def _parsed(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def _fits(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:] and bool(name.partition(".")[0])
    return pattern == name


def fingerprint_of(der: bytes | str) -> str:
    """SHA-256 of a certificate in DER, or the same as somebody has written it, in the one form that is used here.

    Raises:
        SecurityError: a text that is no SHA-256.
    """
    if isinstance(der, str):
        digits = re.sub(r"^sha-?256[:= ]|[:\s]", "", der.strip(), flags=re.IGNORECASE).upper()
        if len(digits) != _HEX_DIGITS or re.search("[^0-9A-F]", digits):
            raise SecurityError(f"{der!r} is no SHA-256 fingerprint: it needs {_HEX_DIGITS} hexadecimal digits")
    else:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(der)
        digits = digest.finalize().hex().upper()
    return ":".join(digits[at : at + 2] for at in range(0, _HEX_DIGITS, 2))


def read_certificates(path: Path) -> list[Certificate]:
    """The certificates in a file, PEM or DER.

    Raises:
        SecurityError: the file cannot be read, holds no certificate, or holds a private key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SecurityError(f"{path}: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise SecurityError(f"{path}: too long for certificates; at most {MOST_BYTES} bytes are read")
    kinds = [kind.decode() for kind in _PEM.findall(data)]
    if any("PRIVATE KEY" in kind for kind in kinds) or (not kinds and _is_private_key(data)):
        raise SecurityError(
            f"{path}: holds a private key, which nobody but its owner may have. If another party sent it, it is a "
            "secret no longer: delete the file, and ask them for a new certificate, without the key"
        )
    try:
        read = x509.load_pem_x509_certificates(data) if kinds else [x509.load_der_x509_certificate(data)]
        return [Certificate.of(each.public_bytes(serialization.Encoding.DER)) for each in read]
    except (*_UNREADABLE, SecurityError) as error:
        raise SecurityError(f"{path}: not a certificate in PEM or DER ({error})") from None


def _is_private_key(data: bytes) -> bool:
    try:
        serialization.load_der_private_key(data, password=None)
    except TypeError:  # it is encrypted
        return True
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not a key that could be used
        return False
    return True


def new_certificate(name: str, hosts: list[str], *, days: int, now: datetime | None = None) -> tuple[str, bytes]:
    """Make a self-signed certificate with a new key on the curve P-256, for both sides of connections.

    Args:
        name: common name.
        hosts: DNS names and IP addresses under which others will dial its owner; may be empty.
        days: how long it shall be valid.
        now: when it begins to be valid; a day earlier is written, for clocks that differ.

    Returns:
        The certificate and the private key, both in PEM.

    Raises:
        SecurityError: a name that cannot be written into a certificate.
    """
    now = datetime.now(UTC) if now is None else now
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternatives = [_general_name(host) for host in hosts]
    except ValueError as error:
        raise SecurityError(f"it cannot be written into a certificate: {error}") from None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_ONLY, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), private


_SIGNS_ONLY: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
"""What the key may be used for: it proves an identity, and issues nothing."""


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", host):
            raise ValueError(f"{host!r} is neither a DNS name nor an IP address") from None
        return x509.DNSName(host.lower())


def write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody but its owner can read, and that is not there yet.

    Raises:
        SecurityError: it is there already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SecurityError(f"{path}: is there already") from None
    except OSError as error:
        raise SecurityError(f"{path}: {error.strerror or error}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
