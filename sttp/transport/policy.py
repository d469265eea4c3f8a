"""What the user decides about plugins: which may be loaded, which of two wins, and whether a broken one is fatal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

from sttp.errors import PluginError

__all__ = ["ALLOW", "DENY", "PREFER", "STRICT", "PluginPolicy"]

ALLOW: Final = "STTP_PLUGINS_ALLOW"
DENY: Final = "STTP_PLUGINS_DENY"
PREFER: Final = "STTP_PLUGINS_PREFER"
STRICT: Final = "STTP_PLUGINS_STRICT"

_OURS: Final = "sttp-kit"

_SWITCH: Final = {"": False, "0": False, "1": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginPolicy:
    """The choices.

    A plugin is named by its distribution, such as `sttp-websocket`, or, where a distribution has several, by
    `DISTRIBUTION:ENTRY_POINT`.

    Attributes:
        allow: the only plugins that may be loaded, besides those of sttp-kit itself; None for all.
        deny: plugins that may not be loaded, those of sttp-kit included. It wins over `allow`.
        prefer: by a name that several plugins claim, the one that shall have it.
        strict: a plugin that cannot be loaded, or a name that is claimed twice, is an error at once.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    prefer: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    strict: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], /) -> Self:
        """Read `STTP_PLUGINS_ALLOW`, `STTP_PLUGINS_DENY`, `STTP_PLUGINS_PREFER` and `STTP_PLUGINS_STRICT`.

        Lists are separated by commas or spaces. A list of allowed plugins that is set and empty allows none.

        Raises:
            PluginError: one of them cannot be understood.
        """
        allow = environment.get(ALLOW)
        strict = environment.get(STRICT, "").strip()
        if strict not in _SWITCH:
            raise PluginError(f"{STRICT} must be 0 or 1, not {strict!r}")
        return cls(
            allow=None if allow is None else frozenset(map(_normal, _items(allow))),
            deny=frozenset(map(_normal, _items(environment.get(DENY, "")))),
            prefer=MappingProxyType(dict(_choices(environment.get(PREFER, "")))),
            strict=_SWITCH[strict],
        )

    def excludes(self, distribution: str, entry_point: str) -> str:
        """Why a plugin may not be loaded: the name of the list that says so; empty when it may."""
        names = _names(distribution, entry_point)
        if names & self.deny:
            return DENY
        if self.allow is None or _normal(distribution) == _OURS or names & self.allow:
            return ""
        return ALLOW

    def prefers(self, name: str, distribution: str, entry_point: str) -> bool:
        """Whether the user wants `name` from this plugin."""
        return _normal(self.prefer.get(name, "")) in _names(distribution, entry_point)


def _names(distribution: str, entry_point: str) -> set[str]:
    return {_normal(distribution), _normal(f"{distribution}:{entry_point}")}


def _normal(name: str) -> str:
    """Names of distributions are alike when they differ in case, or in the choice of `-`, `_` and `.`."""
    distribution, colon, entry_point = name.partition(":")
    return re.sub(r"[-_.]+", "-", distribution).lower() + colon + entry_point


def _items(text: str) -> list[str]:
    return re.split(r"[\s,]+", text.strip(" \t\n,")) if text.strip(" \t\n,") else []


def _choices(text: str) -> Iterator[tuple[str, str]]:
    for item in _items(text):
        name, separator, plugin = item.partition("=")
        if not (name and separator and plugin):
            raise PluginError(f"{PREFER} must be a list of NAME=DISTRIBUTION, such as ws=sttp-websocket, not {item!r}")
        yield name.lower(), plugin
