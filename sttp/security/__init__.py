"""Certificates, trust and identities: who we are, and who the others are. No sockets, no STTP.

A transport that authenticates its peers does three things with a `Security`: it takes an `ssl.SSLContext` from it for
each connection, hands what the other end has presented to `admit` before any byte is sent or used, and asks
`still_admits` when the folder has changed (`Vigil` does that).
"""

from sttp.errors import SecurityError, TrustError
from sttp.security.admission import DEFAULT_ADMISSION, Admission, AdmissionPolicy, Guest, source_of
from sttp.security.audit import Audited, audit
from sttp.security.certificates import Certificate, fingerprint_of, new_certificate, read_certificates
from sttp.security.failures import alert_for, explained
from sttp.security.folder import TRUST_FILE, default_folder
from sttp.security.identity import PeerIdentity
from sttp.security.reasons import Reason, Relaxation
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
