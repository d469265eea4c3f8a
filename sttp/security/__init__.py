"""Certificates, trust and identities: who we are, and who the others are. No sockets, no STTP.

A transport that authenticates its peers does three things with a `Security`: it takes an `ssl.SSLContext` from it for
each connection, hands what the other end has presented to `admit` before any byte is sent or used, and asks
`still_admits` when the folder has changed (`Vigil` does that).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from sttp.errors import SecurityError, TrustError
from sttp.security.admission import DEFAULT_ADMISSION, Admission, AdmissionPolicy, Guest, source_of
from sttp.security.audit import Audited, audit
from sttp.security.identity import PeerIdentity
from sttp.security.reasons import Reason, Relaxation

if TYPE_CHECKING:
    from sttp.security.certificates import Certificate, fingerprint_of, new_certificate, read_certificates
    from sttp.security.failures import alert_for, explained
    from sttp.security.folder import TRUST_FILE, default_folder
    from sttp.security.rights import may_publish, rights_of
    from sttp.security.security import Security, presented_chain
    from sttp.security.trust import Authority, Peer, Presented, Trust, Verdict
    from sttp.security.vigil import Vigil, changes

__all__ = [
    "DEFAULT_ADMISSION",
    "TRUST_FILE",
    "Admission",
    "AdmissionPolicy",
    "Audited",
    "Authority",
    "Certificate",
    "Guest",
    "Peer",
    "PeerIdentity",
    "Presented",
    "Reason",
    "Relaxation",
    "Security",
    "SecurityError",
    "Trust",
    "TrustError",
    "Verdict",
    "Vigil",
    "alert_for",
    "audit",
    "changes",
    "default_folder",
    "explained",
    "fingerprint_of",
    "may_publish",
    "new_certificate",
    "presented_chain",
    "read_certificates",
    "rights_of",
    "source_of",
]

_LATER: Final = {
    "certificates": ("Certificate", "fingerprint_of", "new_certificate", "read_certificates"),
    "failures": ("alert_for", "explained"),
    "folder": ("TRUST_FILE", "default_folder"),
    "rights": ("may_publish", "rights_of"),
    "security": ("Security", "presented_chain"),
    "trust": ("Authority", "Peer", "Presented", "Trust", "Verdict"),
    "vigil": ("Vigil", "changes"),
}
"""What stands on the library of certificates, by module: it is loaded when it is first asked for, because that takes as
long as all the rest, and who streams without TLS needs none of it."""


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"sttp.security.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
