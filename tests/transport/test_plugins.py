from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterator
from importlib import metadata

import pytest

from sttp.transport import PluginError, Plugins, hookimpl, load_plugins
from sttp.transport import plugins as plugins_module
from sttp.transport.forward import Forward
from sttp.transport.memory import MemoryTransport
from sttp.transport.plugins import GROUP, Source, collect_plugins


def source(name: str, load: Callable[[], object]) -> Source:
    return Source(name=name, distribution=f"sttp-{name}", version="1.2", load=load)


def plugin(hook: str, answer: object) -> object:
    """A plugin that gives `answer` to one hook."""
    module = types.ModuleType("example")
    module.__file__ = "example.py"

    def implementation() -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    setattr(module, hook, hookimpl(implementation, specname=None))
    return module


def collect(**loads: object) -> Plugins:
    return collect_plugins([source(name, lambda each=each: each) for name, each in loads.items()])


@pytest.fixture
def fresh() -> Iterator[None]:
    load_plugins.cache_clear()
    yield
    load_plugins.cache_clear()


def test_what_is_installed() -> None:
    plugins = load_plugins()
    assert {"forward", "reverse"} <= plugins.connectivity.keys()
    assert "tcp" in plugins.transports
    tcp = next(each for each in plugins.provided if each.name == "tcp")
    assert (tcp.kind, tcp.source.name, tcp.source.distribution) == ("transport", "tcp", "sttp-kit")
    assert tcp.source.version == metadata.version("sttp-kit")
    assert tcp.file.endswith("__init__.py")
    assert load_plugins() is plugins


def test_nothing_is_loaded_at_import(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(plugins_module.metadata, "entry_points", lambda **kw: asked.append(kw) or ())
    assert asked == []
    assert [each.name for each in load_plugins().provided] == ["forward"]
    assert asked == [{"group": GROUP}]


def test_every_kind_is_gathered_with_its_origin() -> None:
    transport, model = MemoryTransport(), Forward()
    layer = types.SimpleNamespace(over=lambda inner: inner)
    plugins = collect(
        b=plugin("sttp_connectivity", {"rendezvous": model}),
        a=plugin("sttp_transports", {"z": transport, "memory": transport}),
        c=plugin("sttp_layers", {"noise": layer}),
    )
    assert plugins.transports == {"memory": transport, "z": transport}
    assert plugins.layers == {"noise": layer}
    assert plugins.connectivity == {"rendezvous": model}
    assert [(each.kind, each.name, str(each.source)) for each in plugins.provided] == [
        ("connectivity", "rendezvous", "b (sttp-b 1.2)"),
        ("layer", "noise", "c (sttp-c 1.2)"),
        ("transport", "memory", "a (sttp-a 1.2)"),
        ("transport", "z", "a (sttp-a 1.2)"),
    ]
    assert {each.file for each in plugins.provided} == {"example.py"}
    with pytest.raises(TypeError):
        plugins.transports["other"] = transport


@pytest.mark.parametrize(
    ("hook", "value"),
    [
        ("sttp_transports", MemoryTransport()),
        ("sttp_layers", types.SimpleNamespace(over=lambda inner: inner)),
        ("sttp_connectivity", Forward()),
    ],
)
def test_a_name_that_is_claimed_twice_names_both_plugins(hook: str, value: object) -> None:
    with pytest.raises(PluginError) as caught:
        collect(one=plugin("sttp_transports", {"memory": MemoryTransport()}), two=plugin(hook, {"memory": value}))
    assert "'memory' is claimed by two plugins: as transport by one (sttp-one 1.2), and as " in str(caught.value)
    assert "by two (sttp-two 1.2); uninstall one of them" in str(caught.value)


def failing(error: Exception) -> Callable[[], object]:
    def load() -> object:
        raise error

    return load


@pytest.mark.parametrize(
    ("load", "complaint"),
    [
        (failing(ImportError("no module named quic")), "ImportError: no module named quic"),
        (failing(SyntaxError("invalid syntax")), "SyntaxError: invalid syntax"),
        (lambda: plugin("sttp_transports", RuntimeError("not today")), "RuntimeError: not today"),
        (lambda: plugin("sttp_transport", {}), "unknown hook 'sttp_transport'"),
        (lambda: types.ModuleType("empty"), "PluginError: it provides nothing"),
        (lambda: plugin("sttp_transports", [("a", MemoryTransport())]), "must return a mapping"),
        (lambda: plugin("sttp_transports", {"Upper": MemoryTransport()}), "'Upper' cannot be a name"),
        (lambda: plugin("sttp_transports", {"a+b": MemoryTransport()}), r"'a\+b' cannot be a name"),
        (lambda: plugin("sttp_transports", {1: MemoryTransport()}), "1 cannot be a name"),
        (lambda: plugin("sttp_transports", {"memory": MemoryTransport}), "must be an object that is a Transport"),
        (lambda: plugin("sttp_layers", {"memory": MemoryTransport()}), "must be an object that is a Layer"),
        (lambda: plugin("sttp_connectivity", {"memory": None}), "must be an object that is a Connectivity"),
    ],
)
def test_a_plugin_that_is_broken_costs_only_itself(load: Callable[[], object], complaint: str) -> None:
    good = source("good", lambda: plugin("sttp_transports", {"memory": MemoryTransport()}))
    plugins = collect_plugins([source("bad", load), good])
    assert list(plugins.transports) == ["memory"]
    (broken,) = plugins.broken
    assert str(broken).startswith("bad (sttp-bad 1.2): ")
    with pytest.raises(PluginError, match=complaint):
        raise PluginError(str(broken))


def test_a_hook_with_arguments_that_nobody_gives_is_broken() -> None:
    module = types.ModuleType("example")
    module.sttp_transports = hookimpl(lambda sockets: {})
    (broken,) = collect(bad=module).broken
    assert "sockets" in str(broken)


def test_a_broken_plugin_is_one_warning(
    fresh: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    point = metadata.EntryPoint("quic", "no_such_module_of_anyone", GROUP)
    monkeypatch.setattr(plugins_module.metadata, "entry_points", lambda group: [point])
    with caplog.at_level(logging.WARNING, "sttp.transport"):
        load_plugins()
        load_plugins()
    (line,) = caplog.messages
    assert line.startswith("plugin set aside: quic (unknown distribution ?): ModuleNotFoundError")
