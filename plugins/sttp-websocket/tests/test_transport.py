"""The transport keeps every promise of the contract, and STTP runs over it in both directions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sttp.testing.transport import TransportKit
from sttp.transport import EndpointError, load_plugins, parse_endpoint
from sttp_websocket import layers


class TestWebSocket(TransportKit):
    url = "ws://127.0.0.1:0/sttp"


def test_it_is_installed() -> None:
    assert {"ws", "wss"} <= load_plugins().layers.keys()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://hub", "hub:80/"),
        ("ws://hub/", "hub:80/"),
        ("ws://hub:8080/a/b?c=d%20e", "hub:8080/a/b?c=d%20e"),
        ("ws+tcp://[::1]/sttp", "[::1]:80/sttp"),
        ("reverse+ws://:8080/sttp", ":8080/sttp"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert parse_endpoint(url).address == address


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ws://", "the address is empty"),
        ("ws:///sttp", "the address is empty"),
        ("ws://hub/a b", "the path cannot contain ' '"),
        ("ws://hub/grüße", "the path cannot contain 'ü'"),
        ("ws://hub/a#b", "the path cannot contain '#'"),
        ("ws://hub:x/", "the port must be a number"),
    ],
)
def test_addresses_that_cannot_be(url: str, complaint: str) -> None:
    with pytest.raises(EndpointError, match=complaint):
        parse_endpoint(url)


def test_without_the_layer_tls_there_is_no_wss(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_plugins()
    assert parse_endpoint("wss://hub/").address == "hub:443/"
    monkeypatch.setattr(layers, "load_plugins", lambda: replace(found, layers={}))
    with pytest.raises(EndpointError, match="wss needs the layer tls"):
        parse_endpoint("wss://hub/")
