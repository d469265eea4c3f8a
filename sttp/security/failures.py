"""What OpenSSL says, in plain words and with a stable code: the one place where ssl.SSLError becomes TrustError."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from sttp.errors import SecurityError, TrustError
from sttp.security.certificates import Certificate
from sttp.security.reasons import Reason
from sttp.security.trust import described, unknown_words

__all__ = ["alert_for", "explained"]

_Words = tuple[Reason, str]

_VERIFICATION: Final[Mapping[int, _Words]] = {
    9: (Reason.FUTURE_CERTIFICATE, "it is not valid yet; one of the two clocks may be wrong"),
    10: (Reason.EXPIRED_CERTIFICATE, "it has expired; its owner must make a new one"),
    18: (Reason.UNKNOWN_CERTIFICATE, "it is self-signed and not trusted here"),
    19: (Reason.UNKNOWN_CERTIFICATE, "its root is not trusted here"),
    20: (Reason.UNKNOWN_CERTIFICATE, "its issuer is not trusted here"),
    21: (Reason.UNKNOWN_CERTIFICATE, "its issuer is not trusted here"),
    24: (Reason.ISSUER_NOT_AUTHORITY, "it was issued with a key that may issue none"),
    26: (Reason.WRONG_PURPOSE, "its extended key usage does not allow this side of a connection"),
    66: (Reason.WEAK_CERTIFICATE, "its key is too short"),
    67: (Reason.WEAK_CERTIFICATE, "the key of its issuer is too short"),
    68: (Reason.WEAK_CERTIFICATE, "it is signed with a broken digest"),
    79: (Reason.ISSUER_NOT_AUTHORITY, "it was issued with a key that may issue none"),
}
"""By X509_V_ERR_… of OpenSSL."""

_NOT_TLS: Final = (Reason.NOT_TLS, "the other end does not speak TLS; use the same scheme at both ends")
_TOO_OLD: Final = (Reason.TLS_VERSION, "the other end offers only versions of TLS that are too old here")
_ASK: Final = "ask its operator to trust our certificate"

_REASONS: Final[Mapping[str, _Words]] = {
    # found here
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (Reason.NO_CERTIFICATE, "the other end presented no certificate"),
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "HTTPS_PROXY_REQUEST": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "UNEXPECTED_MESSAGE": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "BAD_RECORD_TYPE": _NOT_TLS,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "UNKNOWN_PROTOCOL": _TOO_OLD,
    "CA_MD_TOO_WEAK": (Reason.WEAK_CERTIFICATE, "the other end's certificate is signed with a broken digest"),
    "EE_KEY_TOO_SMALL": (Reason.WEAK_CERTIFICATE, "the key of the other end's certificate is too short"),
    # said by the other end
    "TLSV1_ALERT_UNKNOWN_CA": (Reason.REFUSED_UNKNOWN_CERTIFICATE, f"it does not know our certificate; {_ASK}"),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": (Reason.REFUSED_CERTIFICATE, f"it does not accept our certificate; {_ASK}"),
    "SSLV3_ALERT_BAD_CERTIFICATE": (
        Reason.REFUSED_CERTIFICATE,
        "it does not accept our certificate; perhaps it dialed a name that is not in it",
    ),
    "TLSV1_ALERT_ACCESS_DENIED": (Reason.REFUSED_CERTIFICATE, "our certificate may not connect there"),
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": (
        Reason.REFUSED_CERTIFICATE,
        "our certificate is of a kind, or for a purpose, that it does not take",
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        Reason.REFUSED_EXPIRED_CERTIFICATE,
        "by its clock our certificate is not valid now; make a new one, or correct the clocks",
    ),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": (Reason.REFUSED_REVOKED_CERTIFICATE, "our certificate has been revoked"),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (Reason.REFUSED_NO_CERTIFICATE, "it wants a certificate, and got none"),
    "SSLV3_ALERT_NO_CERTIFICATE": (Reason.REFUSED_NO_CERTIFICATE, "it wants a certificate, and got none"),
    "TLSV1_ALERT_PROTOCOL_VERSION": (Reason.REFUSED_TLS_VERSION, "it wants another version of TLS"),
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": (Reason.REFUSED_TLS_VERSION, "it wants stronger TLS"),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        Reason.REFUSED_HANDSHAKE,
        "there is no version, cipher or certificate that both ends take",
    ),
}
"""By the reason that Python gives, which is OpenSSL's name of it."""

_ALERTS: Final[Mapping[str, int]] = {
    Reason.UNKNOWN_CERTIFICATE: 48,
    Reason.ISSUER_NOT_AUTHORITY: 48,
    Reason.EXPIRED_CERTIFICATE: 45,
    Reason.FUTURE_CERTIFICATE: 45,
    Reason.REVOKED_CERTIFICATE: 44,
    Reason.NAME_MISMATCH: 42,
}
_CERTIFICATE_UNKNOWN: Final = 46


def alert_for(code: str) -> int:
    """The alert description of RFC 8446 that tells the other end best why it was refused."""
    return _ALERTS.get(code, _CERTIFICATE_UNKNOWN)


def explained(error: ssl.SSLError, *, chain: Sequence[bytes] = (), own: str = "") -> TrustError:
    """Why a handshake, or the first read after it, has failed.

    Args:
        error: what Python raised.
        chain: what the other end has presented, as far as it was seen; see `presented_chain`.
        own: fingerprint of our certificate.
    """
    name = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused(error, chain)
    if name in _REASONS:
        code, words = _REASONS[name]
        if code.startswith("refused-"):
            words = f"the other end refused us: {words}"
        if code.endswith("certificate") and code.startswith("refused-") and own:
            words += f" (SHA-256 {own})"
        return TrustError(words, code=code)
    words = name.replace("_", " ").lower() or str(error)
    if "ALERT" in name:
        return TrustError(f"the other end ended the handshake: {words}", code=Reason.REFUSED_HANDSHAKE)
    return TrustError(f"the handshake failed: {words}", code=Reason.HANDSHAKE_FAILED)


def _refused(error: ssl.SSLCertVerificationError, chain: Sequence[bytes]) -> TrustError:
    code, words = _VERIFICATION.get(error.verify_code, (Reason.BAD_CERTIFICATE, f"it is bad: {error.verify_message}"))
    if not chain:
        return TrustError(f"the other end's certificate: {words}", code=code)
    try:
        leaf = Certificate.of(chain[0])
    except SecurityError as unreadable:  # a stranger may present anything
        return TrustError(f"the other end presents {unreadable}", code=Reason.BAD_CERTIFICATE)
    if code is Reason.UNKNOWN_CERTIFICATE:
        return TrustError(unknown_words(leaf), code=code)
    return TrustError(f"{described(leaf)}: {words}", code=code)
