"""The kit over the layer tls: over TCP, and under a WebSocket where that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sttp.testing.transport import Check, TransportKit
from sttp.transport import PeerIdentity, load_plugins

pytest.importorskip("sttp_tls", reason="this sttp-kit has no layer tls yet")

from parties import Party


class TestTls(TransportKit):
    url = "tls://127.0.0.1:0"
    connects = 100  # a handshake costs ten milliseconds

    @pytest.fixture(autouse=True)
    def party(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One party that trusts itself is at both ends."""
        party = Party(tmp_path, "both")
        party.trust("both", party.issuer)
        monkeypatch.setenv("STTP_SECURITY", str(party.security.folder))
        fingerprint = party.security.certificate.fingerprint
        monkeypatch.setattr(type(self), "dialer", _identity(fingerprint))
        monkeypatch.setattr(type(self), "listener", _identity(fingerprint))


class TestWss(TestTls):
    url = "wss://127.0.0.1:0/sttp"

    def run(self, check: Check) -> None:
        if "wss" not in load_plugins().layers:
            pytest.skip("sttp-websocket is not installed")
        super().run(check)


def _identity(fingerprint: str) -> PeerIdentity:
    return PeerIdentity(name="both", fingerprint=fingerprint, subject="CN=both")
