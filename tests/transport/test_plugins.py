from __future__ import annotations

import logging
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from plugin_crowd import install_crowd
from sttp.transport import (
    DOOR,
    EndpointError,
    PluginError,
    PluginPolicy,
    Plugins,
    hookimpl,
    load_plugins,
    parse_endpoint,
)
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
    plugins = collect(
        one=plugin("sttp_transports", {"memory": MemoryTransport(), "other": MemoryTransport()}),
        two=plugin(hook, {"memory": value}),
    )
    assert list(plugins.transports) == ["other"], "what is not claimed twice goes on working"
    assert len(plugins.provided) == 3
    with pytest.raises(PluginError) as caught:
        parse_endpoint("memory://hub", plugins=plugins)
    assert "'memory' is claimed by two plugins: as transport by one (sttp-one 1.2), and as " in str(caught.value)
    assert "by two (sttp-two 1.2); uninstall one of them, or choose one" in str(caught.value)
    assert str(caught.value).endswith("STTP_PLUGINS_PREFER=memory=sttp-one")


def of_two() -> list[Source]:
    return [
        source(name, lambda value=value: plugin("sttp_transports", {"memory": value}))
        for name, value in {"one": ONE, "two": TWO}.items()
    ]


ONE, TWO = MemoryTransport(), MemoryTransport()


@pytest.mark.parametrize(("choice", "chosen"), [("sttp-one", ONE), ("STTP_two", TWO), ("sttp-two:two", TWO)])
def test_the_user_may_choose_between_two_that_claim_a_name(choice: str, chosen: MemoryTransport) -> None:
    policy = PluginPolicy.from_environment({"STTP_PLUGINS_PREFER": f"x=y, memory={choice}"})
    plugins = collect_plugins(of_two(), policy)
    assert plugins.transports["memory"] is chosen
    assert plugins.clashes == {}


@pytest.mark.parametrize("choice", ["sttp-three", "sttp-two:one"])
def test_a_choice_of_somebody_else_settles_nothing(choice: str) -> None:
    plugins = collect_plugins(of_two(), PluginPolicy(prefer={"memory": choice}))
    assert [each.source.name for each in plugins.clashes["memory"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("environment", "there", "gone"),
    [
        ({}, ["one", "two"], []),
        ({"STTP_PLUGINS_DENY": "sttp-two"}, ["one"], [("two", "STTP_PLUGINS_DENY")]),
        ({"STTP_PLUGINS_DENY": "Sttp_Two:two other"}, ["one"], [("two", "STTP_PLUGINS_DENY")]),
        ({"STTP_PLUGINS_ALLOW": "sttp-one,"}, ["one"], [("two", "STTP_PLUGINS_ALLOW")]),
        ({"STTP_PLUGINS_ALLOW": ""}, [], [("one", "STTP_PLUGINS_ALLOW"), ("two", "STTP_PLUGINS_ALLOW")]),
        (
            {"STTP_PLUGINS_ALLOW": "sttp-one sttp-two", "STTP_PLUGINS_DENY": "sttp-one"},
            ["two"],
            [("one", "STTP_PLUGINS_DENY")],
        ),
    ],
)
def test_lists_of_what_may_be_loaded(
    environment: dict[str, str], there: list[str], gone: list[tuple[str, str]]
) -> None:
    loaded = []

    def load(name: str) -> object:
        loaded.append(name)
        return plugin("sttp_transports", {name: MemoryTransport()})

    sources = [source(name, lambda name=name: load(name)) for name in ("one", "two")]
    plugins = collect_plugins(sources, PluginPolicy.from_environment(environment))
    assert list(plugins.transports) == loaded == there, "what is excluded is not even imported"
    assert [(each.source.name, each.by) for each in plugins.excluded] == gone
    for name, by in gone:
        with pytest.raises(EndpointError, match=f"excluded by {by}: {name}"):
            parse_endpoint(f"{name}://hub", plugins=plugins)


def test_what_comes_with_the_package_needs_no_permission_but_can_be_denied() -> None:
    allow = PluginPolicy.from_environment({"STTP_PLUGINS_ALLOW": "sttp-unix"})
    assert not allow.excludes("sttp-kit", "tcp")
    assert PluginPolicy(deny=frozenset({"sttp-kit:tcp"})).excludes("sttp-kit", "tcp") == "STTP_PLUGINS_DENY"
    assert not PluginPolicy(deny=frozenset({"sttp-kit:tcp"})).excludes("sttp-kit", "reverse")


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("STTP_PLUGINS_STRICT", "yes", "must be 0 or 1, not 'yes'"),
        ("STTP_PLUGINS_PREFER", "ws", "must be a list of NAME=DISTRIBUTION, such as ws=sttp-websocket, not 'ws'"),
        ("STTP_PLUGINS_PREFER", "ws=", "not 'ws='"),
    ],
)
def test_choices_that_cannot_be_understood(variable: str, value: str, complaint: str) -> None:
    with pytest.raises(PluginError, match=f"{variable} .*{complaint}"):
        PluginPolicy.from_environment({variable: value})


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([("quic", "no_such_module_of_anyone")], r"quic \(unknown distribution \?\): ModuleNotFoundError.*STRICT=1"),
        ([("one", "sttp_tcp"), ("two", "sttp_tcp")], "'tcp' is claimed by two plugins"),
    ],
)
def test_when_it_must_be_strict_what_is_wrong_is_fatal(
    fresh: None, monkeypatch: pytest.MonkeyPatch, points: list[tuple[str, str]], complaint: str
) -> None:
    monkeypatch.setenv("STTP_PLUGINS_STRICT", "1")
    found = [metadata.EntryPoint(name, module, GROUP) for name, module in points]
    monkeypatch.setattr(plugins_module.metadata, "entry_points", lambda group: found)
    with pytest.raises(PluginError, match=complaint):
        load_plugins()


# --- the version of the door


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        (
            DOOR + 1,
            f"for version {DOOR + 1} of the plugin door, and this sttp-kit has version {DOOR}: upgrade sttp-kit",
        ),
        (0, r"for version 0 .* takes plugins from version 1 on: upgrade the plugin, or install an older sttp-kit"),
        ("1", "its STTP_DOOR must be a whole number such as 1, not '1'"),
        (True, "must be a whole number"),
    ],
)
def test_a_plugin_for_another_version_of_the_door_is_told_so(version: object, complaint: str) -> None:
    module = plugin("sttp_transports", {"memory": MemoryTransport()})
    module.STTP_DOOR = version
    (broken,) = collect(bad=module).broken
    with pytest.raises(PluginError, match=complaint):
        raise broken.error


def test_a_plugin_that_says_nothing_is_for_the_first_version() -> None:
    silent, speaking = (plugin("sttp_transports", {name: MemoryTransport()}) for name in ("silent", "speaking"))
    speaking.STTP_DOOR = DOOR
    assert [each.door for each in collect(a=silent, b=speaking).provided] == [1, DOOR]


def test_a_plugin_that_imports_what_is_not_there_yet_is_told_of_versions() -> None:
    def load() -> object:
        from sttp.transport import TeleportationPolicy  # noqa: F401, PLC0415

    (broken,) = collect_plugins([source("new", load)]).broken
    with pytest.raises(PluginError, match="TeleportationPolicy.*version 1 of the plugin door.*upgrade sttp-kit"):
        raise broken.error
    assert isinstance(broken.error.__cause__, ImportError)


def unmarked(name: str) -> object:
    """A plugin with a hook that works, and a function besides that is not marked."""
    module = plugin("sttp_connectivity", {"good": Forward()})
    exec(f"def {name}(): return {{}}", vars(module))
    return module


def test_functions_that_merely_begin_like_hooks_are_left_alone() -> None:
    module = unmarked("sttp_frame_length")
    module.sttp_transports = load_plugins
    assert collect(good=module).broken == ()


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
        (lambda: plugin("sttp_transport", {}), "unknown hook 'sttp_transport': did you mean sttp_transports?"),
        (lambda: plugin("sttp_carrier", {}), "unknown hook 'sttp_carrier': did you mean sttp_"),
        (lambda: unmarked("sttp_transports"), "sttp_transports is not marked with hookimpl"),
        (lambda: unmarked("sttp_transport"), "unknown hook 'sttp_transport': did you mean sttp_transports?"),
        (lambda: unmarked("STTP_Layers"), "unknown hook 'STTP_Layers': did you mean sttp_layers?"),
        (lambda: unmarked("sttpconectivity"), "did you mean sttp_connectivity?"),
        (lambda: types.ModuleType("empty"), "PluginError: it provides nothing"),
        (lambda: plugin("sttp_transports", [("a", MemoryTransport())]), "must return a mapping"),
        (lambda: plugin("sttp_transports", {"Upper": MemoryTransport()}), "'Upper' cannot be a name"),
        (lambda: plugin("sttp_transports", {"a+b": MemoryTransport()}), r"'a\+b' cannot be a name"),
        (lambda: plugin("sttp_transports", {1: MemoryTransport()}), "1 cannot be a name"),
        (lambda: plugin("sttp_transports", {"memory": MemoryTransport}), "must be an object that is a Transport"),
        (
            lambda: plugin("sttp_layers", {"memory": MemoryTransport()}),
            r"that is a Layer, .*lacks over",
        ),
        (lambda: plugin("sttp_connectivity", {"forward": Forward()}), "it claims 'forward', which is built in"),
        (lambda: plugin("sttp_layers", {"forward": types.SimpleNamespace(over=print)}), "it claims 'forward'"),
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


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (["-c", "import sttp"], False),
        (["-m", "sttp", "--help"], False),
        (["-m", "sttp", "--version"], False),
        (["-m", "sttp", "plugins"], True),
    ],
    ids=["import sttp", "sttp --help", "sttp --version", "sttp plugins"],
)
def test_plugins_cost_nothing_until_a_url_is_understood(tmp_path: Path, arguments: list[str], loaded: bool) -> None:
    """Neither are they imported, nor is anybody asked which there are: an audit hook sees every file that is opened."""
    install_crowd(tmp_path, 5)
    watch = "import sys; sys.addaudithook(lambda event, args: 'crowd' in str(args[:1]) and print(event, args[0]))"
    (tmp_path / "sitecustomize.py").write_text(watch)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ran = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert ("crowd0.py" in ran.stdout) is loaded
    assert ("entry_points.txt" in ran.stdout) is loaded
