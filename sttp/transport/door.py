"""The version of the plugin door, and what can be said of a plugin before it is asked anything.

The *door* is what plugins rely on: the hooks, `sttp.transport.contract`, and what `sttp.transport` exports. It has a
whole number as version. Within one version things are only added that a plugin may ignore; whatever an existing plugin
would have to follow makes a new version. A plugin says for which one it was written:

```python
STTP_DOOR = 1
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from sttp.errors import PluginError

__all__ = ["DOOR", "OLDEST_DOOR", "check_hooks", "door_of", "explained"]

DOOR: Final = 1
"""The version of the door that this package has."""

OLDEST_DOOR: Final = 1
"""The oldest version whose plugins still work."""

_DECLARATION: Final = "STTP_DOOR"

_HOOKS: Final = ("sttp_connectivity", "sttp_layers", "sttp_transports")

_MARK: Final = "sttp_impl"
"""The attribute that `hookimpl` puts on a function."""

_ALIKE: Final = 0.75
"""How much a name must be like that of a hook to be taken for a slip, from 0 to 1."""


def door_of(plugin: object) -> int:
    """The version of the door that a plugin was written for; version 1 when it does not say.

    Raises:
        PluginError: this package does not have that version, or the declaration is no version.
    """
    version = getattr(plugin, _DECLARATION, 1)
    if not isinstance(version, int) or isinstance(version, bool):
        raise PluginError(f"its {_DECLARATION} must be a whole number such as {DOOR}, not {version!r}")
    if version > DOOR:
        raise PluginError(
            f"it was written for version {version} of the plugin door, and this sttp-kit has version {DOOR}: "
            "upgrade sttp-kit, or install an older release of the plugin"
        )
    if version < OLDEST_DOOR:
        raise PluginError(
            f"it was written for version {version} of the plugin door, and this sttp-kit takes plugins from version "
            f"{OLDEST_DOOR} on: upgrade the plugin, or install an older sttp-kit"
        )
    return version


def check_hooks(plugin: object) -> None:
    """Refuse functions that look like hooks and would never be called.

    Raises:
        PluginError: the name of one is not quite that of a hook, or one is not marked.
    """
    for name, marked in _candidates(plugin):
        if name in _HOOKS:
            if not marked:
                raise PluginError(f"its function {name} is not marked with hookimpl, so it would never be called")
            continue
        nearest = difflib.get_close_matches(name.lower(), _HOOKS, n=1, cutoff=0.0 if marked else _ALIKE)
        if nearest:
            raise PluginError(f"unknown hook {name!r}: did you mean {nearest[0]}?")


def explained(error: Exception) -> Exception:
    """`error`, or a better one: a plugin that is too new for this package may fail before it can say its version."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "sttp":
        return PluginError(
            f"{error}: this sttp-kit has version {DOOR} of the plugin door and no such name; perhaps the plugin was "
            "written for a newer one (upgrade sttp-kit) or uses something that is not public"
        )
    return error


def _candidates(plugin: object) -> Iterator[tuple[str, bool]]:
    """Functions of the plugin with the prefix of hooks, and whether they are marked."""
    for name in dir(plugin):
        value = getattr(plugin, name, None)
        if not callable(value) or isinstance(value, type):
            continue
        marked = hasattr(value, _MARK)
        origin = getattr(value, "__module__", None) or ""
        foreign = isinstance(plugin, ModuleType) and origin.partition(".")[0] != plugin.__name__.partition(".")[0]
        if marked or (name.lower().startswith("sttp") and not foreign):
            yield name, marked
