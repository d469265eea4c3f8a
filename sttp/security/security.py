"""What an endpoint needs to prove who it is, and to see who the others are."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sttp.errors import SecurityError, TrustError
from sttp.security.certificates import Certificate, read_certificates
from sttp.security.folder import Contents, default_folder, read_folder
from sttp.security.reasons import Relaxation
from sttp.security.trust import Presented, Trust, Verdict

__all__ = ["Security", "presented_chain"]

_log = logging.getLogger("sttp.security")

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for. Validity is then judged by `Trust` alone."""

_Signature = tuple[tuple[int, int, int], ...]


class Security:
    """A security folder in use: our own certificate, and whom we trust. It follows changes of the folder.

    Made once and shared by every endpoint, whatever its transport. It is for one thread.

    Args:
        folder: where it is; see `read_folder`. Without it, the folder that `STTP_SECURITY` names, or `sttp` in the
            user's configuration.
        now: what time it is; for tests.

    Raises:
        SecurityError: the folder is not there, or something in it cannot be used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = default_folder() if folder is None else Path(folder)
        self._now = now
        self._contents = read_folder(self._folder)
        self._signature = _signature(self._contents.files)
        self._contexts = _contexts(self._contents)
        self._own = read_certificates(self._contents.certificate)[0]
        if os.name == "posix" and self._contents.key.stat().st_mode & 0o077:
            _log.warning("%s can be read by others; chmod 600 it", self._contents.key)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    @property
    def trust(self) -> Trust:
        """Whom we trust now. The object is another one after a change."""
        return self._contents.trust

    @property
    def certificate(self) -> Certificate:
        """Our own certificate, which others have to trust."""
        return self._own

    def context(self, *, dialing: bool) -> ssl.SSLContext:
        """How to speak TLS: as its client, when this end dials, or else as its server.

        It asks for the other end's certificate, presents ours and refuses what nobody we trust can have issued. That is
        not enough: `admit` must be called before a byte is sent or used. Take it anew for each connection.
        """
        self.refresh()
        return self._contexts[dialing]

    def admit(self, presented: Presented, *, peer: str = "") -> Verdict:
        """Decide whether the other end may come in, once its handshake is done.

        Each relaxation that was needed is a warning in the log `sttp.security`.

        Args:
            presented: what it has shown.
            peer: where it is, for log lines.

        Raises:
            TrustError: it may not; the code says why.
        """
        verdict = self.trust.judge(presented, now=self._now())
        for relaxed in verdict.relaxed:
            _log.warning("%s: RELAXED: %s", peer or presented.host, relaxed)
        return verdict

    def still_admits(self, presented: Presented) -> TrustError | None:
        """Why somebody who was admitted may no longer stay; None when all is well."""
        try:
            self.trust.judge(presented, now=self._now())
        except TrustError as error:
            return error
        return None

    def refresh(self) -> bool:
        """Look whether the folder has changed, and follow it; return whether it has.

        A folder that can no longer be read is an error in the log, and what was read before stays in force.
        """
        signature = _signature(self._contents.files)
        if signature == self._signature:
            return False
        self._signature = signature
        try:
            contents = read_folder(self._folder)
            contexts = _contexts(contents)
            self._own = read_certificates(contents.certificate)[0]
        except SecurityError as error:
            _log.error("the security folder has changed and cannot be used, what it said before is in force: %s", error)
            return False
        self._contents, self._contexts = contents, contexts
        self._signature = _signature(contents.files)
        _log.info("%s has changed: %s", self._folder, _summary(contents.trust))
        return True


def presented_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> tuple[bytes, ...]:
    """The chain that was built for the other end's certificate, its own first, in DER; empty when it has shown none.

    After a failed handshake it holds what was seen, which is good for log lines and for nothing else.
    """
    inner: Any = getattr(connection, "_sslobj", connection)
    found = inner.get_verified_chain() or ()  # public from Python 3.13 on, and there since 3.10
    return tuple(
        each if isinstance(each, bytes) else each.public_bytes(_ENCODING_DER)  # the public method gives bytes
        for each in found
    )


_ENCODING_DER: Final = 2
"""PEM is 1, in `_ssl`."""


def _signature(files: tuple[Path, ...]) -> _Signature:
    """What changes when a file does."""
    seen = []
    for file in files:
        try:
            state = file.stat()
        except OSError:
            seen.append((0, 0, 0))
        else:
            seen.append((state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(seen)


def _contexts(contents: Contents) -> dict[bool, ssl.SSLContext]:
    """For this end as a listener and as a dialer, by whether it dials."""
    return {dialing: _context(contents, dialing=dialing) for dialing in (False, True)}


def _context(contents: Contents, *, dialing: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if dialing else ssl.PROTOCOL_TLS_SERVER)
    context.check_hostname = False  # `Trust` does it, so that it can be relaxed for one peer
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if contents.minimum_tls == "1.3" else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if not dialing:
        context.num_tickets = 0  # sessions are not resumed: every connection proves itself
        context.options |= ssl.OP_NO_TICKET
    trust = contents.trust
    anchors = {each.fingerprint: each for each in trust.pinned.values()}
    anchors |= {each.fingerprint: each for authority in trust.authorities.values() for each in authority.certificates}
    if anchors:
        context.load_verify_locations(cadata=b"".join(each.der for each in anchors.values()))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a pin needs no issuer
    allowed = [*(each.allow for each in trust.peers.values()), *(each.allow for each in trust.authorities.values())]
    if any(Relaxation.EXPIRED in allow for allow in allowed):
        context.verify_flags |= _NO_CHECK_TIME
    try:
        context.load_cert_chain(contents.certificate, contents.key, password=_no_password)
    except FileNotFoundError as error:
        missing = next((each for each in (contents.certificate, contents.key) if not each.exists()), error.filename)
        raise SecurityError(f"{missing}: no such file") from None
    except OSError as error:  # ssl.SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        words = str(reason).replace("_", " ").lower()
        raise SecurityError(f"{contents.certificate} and {contents.key} cannot be used together: {words}") from None
    return context


def _no_password() -> str:
    raise SecurityError("the private key is protected by a password; store it without one, readable by its owner only")


def _summary(trust: Trust) -> str:
    peers = ", ".join(sorted(trust.peers)) or "nobody"
    authorities = f"; authorities {', '.join(sorted(trust.authorities))}" if trust.authorities else ""
    return f"trusted are {peers}{authorities}"
