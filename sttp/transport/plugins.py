"""Finding plugins, and checking what they provide.

Nothing is loaded at import: `load_plugins` does it when it is called. A plugin that cannot be loaded is set aside with
its error, and the others work. A name that two plugins claim belongs to neither, because no choice between them is
right, unless the user has made it; using the name is then an error that names both.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from types import MappingProxyType
from typing import Any, Final

import pluggy

from sttp.errors import PluginError
from sttp.transport import forward, hookspecs
from sttp.transport.contract import Layer, Transport
from sttp.transport.door import check_hooks, door_of, explained
from sttp.transport.links import Connectivity
from sttp.transport.policy import PREFER, STRICT, PluginPolicy

__all__ = [
    "GROUP",
    "BrokenPlugin",
    "ExcludedPlugin",
    "Plugins",
    "Provided",
    "Source",
    "collect_plugins",
    "find_plugins",
    "load_plugins",
]

GROUP: Final = "sttp.plugins"
"""Group of the entry points."""

_log = logging.getLogger("sttp.transport")

TRANSPORT: Final = "transport"
LAYER: Final = "layer"
CONNECTIVITY: Final = "connectivity"

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
        module: what the entry point names, such as `sttp_tcp`.
    """

    name: str
    distribution: str
    version: str
    load: Callable[[], object]
    module: str = ""

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
        door: the version of the door that the plugin was written for.
    """

    name: str
    kind: str
    source: Source
    file: str
    door: int = 1


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
class ExcludedPlugin:
    """A plugin that the user does not want; it was not imported.

    Attributes:
        source: the plugin.
        by: the environment variable that says so.
    """

    source: Source
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """What plugins provide, by name; no name occurs twice.

    Attributes:
        transports: by URL scheme.
        layers: by URL prefix.
        connectivity: connectivity models by URL prefix.
        provided: every name with its origin, by kind and name; also those that are claimed twice.
        broken: the plugins that were set aside.
        clashes: who claims a name that is claimed twice, where the user has not chosen. Nobody provides it.
        excluded: the plugins that the user does not want.
    """

    transports: Mapping[str, Transport]
    layers: Mapping[str, Layer]
    connectivity: Mapping[str, Connectivity]
    provided: tuple[Provided, ...]
    broken: tuple[BrokenPlugin, ...] = ()
    clashes: Mapping[str, tuple[Provided, ...]] = field(default_factory=lambda: MappingProxyType({}))
    excluded: tuple[ExcludedPlugin, ...] = ()

    def refuse_clash(self, name: str) -> None:
        """Refuse a name that belongs to nobody because several claim it.

        Raises:
            PluginError: it is one; the message names all plugins and says what to do.
        """
        if claims := self.clashes.get(name):
            said = ", and ".join(f"as {each.kind} by {each.source}" for each in claims)
            raise PluginError(
                f"{name!r} is claimed by {len(claims) if len(claims) > 2 else 'two'} plugins: {said}; uninstall one of "
                f"them, or choose one: {PREFER}={name}={claims[0].source.distribution}"
            )


_EVERYTHING: Final = PluginPolicy()

_BUILT_IN: Final = Source(
    name=forward.FORWARD, distribution="built in", version="", load=lambda: forward, module=forward.__name__
)


@cache
def load_plugins() -> Plugins:
    """The plugins of this environment, loaded at the first call, as the user's environment variables choose.

    Each that is broken is a warning in the log, with its traceback at DEBUG; so is each name that is claimed twice.

    Raises:
        PluginError: an environment variable cannot be understood; or `STTP_PLUGINS_STRICT` is 1, and a plugin is
            broken or a name is claimed twice.
    """
    policy = PluginPolicy.from_environment(os.environ)
    plugins = find_plugins(policy)
    for broken in plugins.broken:
        if policy.strict:
            raise PluginError(f"{broken} ({STRICT}=1 makes that fatal)") from broken.error
        _log.warning("plugin set aside: %s (more: sttp plugins doctor)", broken)
        _log.debug("traceback of %s", broken.source, exc_info=broken.error)
    for name in plugins.clashes:
        try:
            plugins.refuse_clash(name)
        except PluginError as error:
            if policy.strict:
                raise
            _log.warning("%s", error)
    return plugins


def find_plugins(policy: PluginPolicy) -> Plugins:
    """The plugins of this environment, loaded anew. Whatever is wrong with them is in the result."""
    points = metadata.entry_points(group=GROUP)
    return collect_plugins([_BUILT_IN, *sorted(map(_installed, points), key=str)], policy)


def collect_plugins(sources: Iterable[Source], policy: PluginPolicy = _EVERYTHING) -> Plugins:
    """Load plugins and join what they provide.

    Args:
        sources: the plugins.
        policy: what the user has decided.
    """
    provided: dict[Provided, Any] = {}
    broken: list[BrokenPlugin] = []
    excluded: list[ExcludedPlugin] = []
    for source in sources:
        if by := source.version and policy.excludes(source.distribution, source.name):
            excluded.append(ExcludedPlugin(source=source, by=by))
            continue
        try:
            provided.update(_load(source))
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything, and costs only itself
            broken.append(BrokenPlugin(source=source, error=_with_cause(explained(error), error)))
    owners, clashes = _owners(provided, policy)

    def of_kind(kind: str) -> Mapping[str, Any]:
        return MappingProxyType(
            {
                each.name: value
                for each, value in provided.items()
                if each.kind == kind and owners.get(each.name) == each
            }
        )

    return Plugins(
        transports=of_kind(TRANSPORT),
        layers=of_kind(LAYER),
        connectivity=of_kind(CONNECTIVITY),
        provided=tuple(sorted(provided, key=lambda each: (each.kind, each.name))),
        broken=tuple(broken),
        clashes=MappingProxyType(clashes),
        excluded=tuple(excluded),
    )


def _with_cause(error: Exception, cause: Exception) -> Exception:
    if error is not cause:
        error.__cause__ = cause
    return error


def _owners(
    provided: Iterable[Provided], policy: PluginPolicy
) -> tuple[dict[str, Provided], dict[str, tuple[Provided, ...]]]:
    """Who has each name, and who claims those that nobody has."""
    claims: dict[str, list[Provided]] = {}
    for each in provided:
        claims.setdefault(each.name, []).append(each)
    owners: dict[str, Provided] = {}
    clashes: dict[str, tuple[Provided, ...]] = {}
    for name, claiming in claims.items():
        chosen = [each for each in claiming if policy.prefers(name, each.source.distribution, each.source.name)]
        if len(claiming) == 1 or len(chosen) == 1:
            owners[name] = (chosen or claiming)[0]
        else:
            clashes[name] = tuple(claiming)
    return owners, clashes


def _installed(point: metadata.EntryPoint) -> Source:
    distribution = point.dist
    return Source(
        name=point.name,
        distribution=distribution.name if distribution else "unknown distribution",
        version=distribution.version if distribution else "?",
        load=point.load,
        module=point.value,
    )


def _load(source: Source) -> dict[Provided, Any]:
    """What one plugin provides, with the values themselves.

    It gets a manager of its own, so what it breaks is its own.
    """
    plugin = source.load()
    door = door_of(plugin)
    check_hooks(plugin)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name=str(source))
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise PluginError("it provides nothing: no function of it is marked with hookimpl")
    values = {
        TRANSPORT: _checked(manager.hook.sttp_transports(), Transport),
        LAYER: _checked(manager.hook.sttp_layers(), Layer),
        CONNECTIVITY: _checked(manager.hook.sttp_connectivity(), Connectivity),
    }
    if source.version and any(forward.FORWARD in named for named in values.values()):
        raise PluginError(f"it claims {forward.FORWARD!r}, which is built in and what URLs mean that say nothing else")
    file = getattr(plugin, "__file__", None) or ""
    return {
        Provided(name=name, kind=kind, source=source, file=file, door=door): value
        for kind, named in values.items()
        for name, value in named.items()
    }


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
                raise PluginError(
                    f"{name} must be an object that is a {contract.__name__}, not {value!r}{_lack(value, contract)}"
                )
            values[name] = value
    return values


def _lack(value: object, contract: type) -> str:
    """What an object has not got that the contract asks for, in brackets."""
    methods = sorted(name for name in vars(contract) if not name.startswith("_") and not hasattr(value, name))
    return f" (it lacks {', '.join(methods)})" if methods else ""
