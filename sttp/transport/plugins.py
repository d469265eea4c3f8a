"""Finding plugins, and checking what they provide.

Nothing is loaded at import: `load_plugins` does it when it is called. A plugin that cannot be loaded is set aside with
its error, and the others work. Two plugins that claim one name are an error, because no choice between them is right.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import MappingProxyType
from typing import Any, Final

import pluggy

from sttp.errors import PluginError
from sttp.transport import forward, hookspecs
from sttp.transport.contract import Layer, Transport
from sttp.transport.links import Connectivity

__all__ = ["GROUP", "BrokenPlugin", "Plugins", "Provided", "Source", "collect_plugins", "load_plugins"]

GROUP: Final = "sttp.plugins"
"""Group of the entry points."""

_log = logging.getLogger("sttp.transport")

_NAME: Final = re.compile(r"[a-z][a-z0-9.-]*")
"""A scheme of RFC 3986 without `+`, which separates names here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a plugin comes from.

    Attributes:
        name: name of the entry point.
        distribution: name of the distribution that installed it.
        version: version of the distribution; empty for what is built in.
        load: imports the plugin.
    """

    name: str
    distribution: str
    version: str
    load: Callable[[], object]

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})" if self.version else f"{self.name} (built in)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A name that a plugin provides.

    Attributes:
        name: what stands in URLs.
        kind: `transport`, `layer` or `connectivity`.
        source: the plugin.
        file: the file of its module; empty when it has none.
    """

    name: str
    kind: str
    source: Source
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPlugin:
    """A plugin that was set aside.

    Attributes:
        source: the plugin.
        error: why.
    """

    source: Source
    error: Exception

    def __str__(self) -> str:
        return f"{self.source}: {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """What plugins provide, by name; no name occurs twice.

    Attributes:
        transports: by URL scheme.
        layers: by URL prefix.
        connectivity: connectivity models by URL prefix.
        provided: every name with its origin, by kind and name.
        broken: the plugins that were set aside.
    """

    transports: Mapping[str, Transport]
    layers: Mapping[str, Layer]
    connectivity: Mapping[str, Connectivity]
    provided: tuple[Provided, ...]
    broken: tuple[BrokenPlugin, ...] = ()


_BUILT_IN: Final = Source(name=forward.FORWARD, distribution="built in", version="", load=lambda: forward)


@cache
def load_plugins() -> Plugins:
    """The plugins of this environment, loaded at the first call. Each that is broken is a warning in the log.

    Raises:
        PluginError: two plugins claim one name.
    """
    points = metadata.entry_points(group=GROUP)
    plugins = collect_plugins([_BUILT_IN, *sorted(map(_installed, points), key=str)])
    for broken in plugins.broken:
        _log.warning("plugin set aside: %s", broken)
    return plugins


def collect_plugins(sources: Iterable[Source]) -> Plugins:
    """Load plugins and join what they provide.

    Raises:
        PluginError: two plugins claim one name.
    """
    working: list[Plugins] = []
    broken: list[BrokenPlugin] = []
    for source in sources:
        try:
            working.append(_load(source))
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything, and costs only itself
            broken.append(BrokenPlugin(source=source, error=error))
    provided = [each for plugins in working for each in plugins.provided]
    _refuse_clashes(provided)
    return Plugins(
        transports=MappingProxyType({name: t for plugins in working for name, t in plugins.transports.items()}),
        layers=MappingProxyType({name: y for plugins in working for name, y in plugins.layers.items()}),
        connectivity=MappingProxyType({name: c for plugins in working for name, c in plugins.connectivity.items()}),
        provided=tuple(sorted(provided, key=lambda each: (each.kind, each.name))),
        broken=tuple(broken),
    )


def _installed(point: metadata.EntryPoint) -> Source:
    distribution = point.dist
    return Source(
        name=point.name,
        distribution=distribution.name if distribution else "unknown distribution",
        version=distribution.version if distribution else "?",
        load=point.load,
    )


def _load(source: Source) -> Plugins:
    """What one plugin provides. It gets a manager of its own, so what it breaks is its own."""
    plugin = source.load()
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name=str(source))
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise PluginError("it provides nothing: no function of it is marked with hookimpl")
    transports = _checked(manager.hook.sttp_transports(), Transport)
    layers = _checked(manager.hook.sttp_layers(), Layer)
    connectivity = _checked(manager.hook.sttp_connectivity(), Connectivity)
    file = getattr(plugin, "__file__", None) or ""
    kinds = (("transport", transports), ("layer", layers), ("connectivity", connectivity))
    return Plugins(
        transports=transports,
        layers=layers,
        connectivity=connectivity,
        provided=tuple(
            Provided(name=name, kind=kind, source=source, file=file) for kind, names in kinds for name in names
        ),
    )


def _checked(answers: Iterable[object], contract: type) -> dict[str, Any]:
    """The answers to one hook as names and values that keep to the contract, as far as can be seen from outside."""
    values: dict[str, Any] = {}
    for answer in answers:
        if not isinstance(answer, Mapping):
            raise PluginError(f"a hook must return a mapping from names, not {answer!r}")
        for name, value in answer.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise PluginError(f"{name!r} cannot be a name: lower-case letters, digits, dots and hyphens only")
            if isinstance(value, type) or not isinstance(value, contract):
                raise PluginError(f"{name} must be an object that is a {contract.__name__}, not {value!r}")
            values[name] = value
    return values


def _refuse_clashes(provided: Iterable[Provided]) -> None:
    claimed: dict[str, Provided] = {}
    for each in provided:
        first = claimed.setdefault(each.name, each)
        if first is not each:
            raise PluginError(
                f"{each.name!r} is claimed by two plugins: as {first.kind} by {first.source}, "
                f"and as {each.kind} by {each.source}; uninstall one of them"
            )
