"""The kit over the layer tls: over TCP, and under a WebSocket where that is installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parties import Party
from sttp.testing.transport import Check, TransportKit
from sttp.transport import PeerIdentity, Plugins, load_plugins
from sttp.transport.memory import MemoryTransport


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


class TestTlsOverMemory(TestTls):
    url = "tls+tried://somewhere"
    connects = 10

    def plugins(self) -> Plugins:
        found = load_plugins()
        return replace(found, transports={**found.transports, "tried": MemoryTransport(capacity=8000, cut=500)})


class TestWss(TestTls):
    url = "wss://127.0.0.1:0/sttp"

    def run(self, check: Check) -> None:
        if "wss" not in load_plugins().layers:
            pytest.skip("sttp-websocket is not installed")
        super().run(check)


def _identity(fingerprint: str) -> PeerIdentity:
    return PeerIdentity(name="both", fingerprint=fingerprint, subject="CN=both")
