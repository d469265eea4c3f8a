from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.transport import (
    EndpointError,
    Plugins,
    RedialPolicy,
    Role,
    Transport,
    hookimpl,
    open_links,
    parse_endpoint,
)
from sttp.transport import forward as forward_plugin
from sttp.transport.memory import MemoryTransport
from sttp.transport.plugins import Source, collect_plugins


class Wrapped(MemoryTransport):
    """What a layer makes of a transport, and how that can be seen."""

    def __init__(self, name: str, inner: Transport) -> None:
        super().__init__()
        self.name, self.inner = name, inner

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        return f"{self.name}({self.inner.complete(address, port=7167)})"


class Ported(MemoryTransport):
    """A transport with ports."""

    def complete(self, address: str, /, *, port: int | None = None) -> str:
        address = super().complete(address)
        return address if ":" in address else f"{address}:{port or 7165}"


def layer(name: str) -> SimpleNamespace:
    return SimpleNamespace(over=lambda inner: Wrapped(name, inner))


class Recording:
    """A connectivity model that keeps what it was asked for."""

    async def links(self, role: Role, transport: Transport, address: str, /, *, policy: RedialPolicy, url: str):
        self.asked = (role, transport, address, policy, url)
        return self


RECORDING = Recording()


class Plugin:
    @hookimpl
    def sttp_transports(self):
        return {"tcp": Ported(), "memory": MemoryTransport()}

    @hookimpl
    def sttp_layers(self):
        return {"tls": layer("tls"), "noise": layer("noise")}

    @hookimpl
    def sttp_connectivity(self):
        return {"reverse": RECORDING}


def installed(*plugins: object) -> Plugins:
    sources = [
        Source(
            name=f"plugin{number}",
            distribution="example",
            version="" if plugin is forward_plugin else "1.0",
            load=lambda plugin=plugin: plugin,
        )
        for number, plugin in enumerate(plugins)
    ]
    return collect_plugins(sources)


PLUGINS = installed(forward_plugin, Plugin())


@pytest.mark.parametrize(
    ("url", "model", "layers", "scheme", "address"),
    [
        ("tcp://hub", "forward", (), "tcp", "hub:7165"),
        ("tcp://hub:1", "forward", (), "tcp", "hub:1"),
        ("memory://hub", "forward", (), "memory", "hub"),
        ("forward+tcp://hub", "forward", (), "tcp", "hub:7165"),
        ("reverse+tcp://hub", "reverse", (), "tcp", "hub:7165"),
        ("tls://hub", "forward", ("tls",), "tcp", "tls(hub:7167)"),
        ("tls+tcp://hub", "forward", ("tls",), "tcp", "tls(hub:7167)"),
        ("tls+memory://hub", "forward", ("tls",), "memory", "tls(hub)"),
        ("reverse+tls://hub", "reverse", ("tls",), "tcp", "tls(hub:7167)"),
        ("reverse+tls+noise+tcp://hub", "reverse", ("tls", "noise"), "tcp", "tls(noise(hub:7167))"),
        ("  REVERSE+Tcp://Hub ", "reverse", (), "tcp", "Hub:7165"),
        ("memory://a://b", "forward", (), "memory", "a://b"),
    ],
)
def test_what_a_url_means(url: str, model: str, layers: tuple[str, ...], scheme: str, address: str) -> None:
    endpoint = parse_endpoint(url, plugins=PLUGINS)
    assert (endpoint.model, endpoint.layers, endpoint.scheme, endpoint.address) == (model, layers, scheme, address)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "write SCHEME://ADDRESS"),
        ("hub:7165", "write SCHEME://ADDRESS, such as tcp://hub:7165"),
        ("tcp:hub", "write SCHEME://ADDRESS"),
        ("tcp://", "the address is empty"),
        ("://hub", "no plugin provides ''"),
        ("+tcp://hub", "no plugin provides ''"),
        ("tpc://hub", r"no plugin provides 'tpc' \(did you mean tcp\?\)"),
        ("revers+tcp://hub", r"\(did you mean reverse\?\)"),
        (
            "quic://hub",
            "no plugin provides 'quic'; installed are transports memory tcp, layers noise tls, "
            "connectivity models forward reverse$",
        ),
        ("reverse://hub", r"names no transport: write reverse\+tcp://hub"),
        ("tcp+reverse://hub", "reverse says who dials, so it must come first"),
        ("tls+reverse+tcp://hub", "reverse says who dials, so it must come first"),
        ("reverse+reverse+tcp://hub", "reverse says who dials, so it must come first, and only once"),
        ("reverse+forward+tcp://hub", "forward says who dials"),
        ("tcp+tls://hub", "tcp is a transport, so it must come last"),
        ("memory+tcp://hub", "memory is a transport, so it must come last, and only once"),
    ],
)
def test_what_is_wrong_with_a_url(url: str, complaint: str) -> None:
    with pytest.raises(EndpointError, match=complaint) as caught:
        parse_endpoint(url, plugins=PLUGINS)
    assert repr(url) in str(caught.value)


def test_a_layer_alone_needs_tcp() -> None:
    class Layers:
        @hookimpl
        def sttp_layers(self):
            return {"tls": layer("tls")}

    with pytest.raises(EndpointError, match="names no transport"):
        parse_endpoint("tls://hub", plugins=installed(forward_plugin, Layers()))


def test_a_plugin_that_was_set_aside_is_mentioned() -> None:
    with pytest.raises(EndpointError, match=r"set aside: plugin1 \(example 1.0\): PluginError: it provides nothing"):
        parse_endpoint("quic://hub", plugins=installed(forward_plugin, object()))


@given(st.text(max_size=40) | st.from_regex(r"[a-z+]{0,12}://[ -~]{0,20}", fullmatch=True))
def test_any_text_is_a_url_or_an_endpoint_error(text: str) -> None:
    try:
        parse_endpoint(text)
    except EndpointError as error:
        assert str(error)  # noqa: PT017 - either outcome will do


@pytest.mark.parametrize("prefix", ["tcp", "reverse+tcp", "tls", "reverse+tls+tcp"])
def test_an_endpoint_is_written_as_it_was_given(prefix: str) -> None:
    endpoint = parse_endpoint(f"{prefix}://hub:1", plugins=PLUGINS)
    assert endpoint.at("127.0.0.1:41233") == f"{prefix}://127.0.0.1:41233"
    assert str(endpoint) == endpoint.at(endpoint.address)


async def test_links_are_opened_by_the_model_over_transport_and_layers() -> None:
    policy = RedialPolicy(cap=9.0)
    links = await open_links("reverse+tls+noise+tcp://hub", Role.SUBSCRIBER, policy=policy, plugins=PLUGINS)
    assert links is RECORDING
    role, transport, address, asked_policy, url = RECORDING.asked
    assert (role, asked_policy) == (Role.SUBSCRIBER, policy)
    assert (transport.name, transport.inner.name) == ("tls", "noise")
    assert isinstance(transport.inner.inner, Ported)
    assert address == "tls(noise(hub:7167))"
    assert url == f"reverse+tls+noise+tcp://{address}"


async def test_links_are_opened_from_what_is_installed() -> None:
    links = await open_links(parse_endpoint("tcp://127.0.0.1:0"), Role.PUBLISHER)
    assert links.bound is not None
    assert links.bound.startswith("127.0.0.1:")
    await links.close()
