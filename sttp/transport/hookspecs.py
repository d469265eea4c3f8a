"""The hooks of the plugin door.

A plugin is a module that an entry point of the group `sttp.plugins` names. Its functions marked `hookimpl` describe
what it provides; they do no I/O. Transports, layers and connectivity models share the front part of a URL, so a name
may be claimed only once among all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pluggy

from sttp.transport.contract import Layer, Transport
from sttp.transport.links import Connectivity

__all__ = ["PROJECT", "hookimpl", "sttp_connectivity", "sttp_layers", "sttp_transports"]

PROJECT: Final = "sttp"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sttp_transports() -> Mapping[str, Transport]:
    """Transports by URL scheme, such as `tcp`: lower case, in the characters of a scheme, without `+`."""
    raise NotImplementedError


@hookspec
def sttp_layers() -> Mapping[str, Layer]:
    """Layers by URL prefix, such as `tls`. Used as a scheme, a layer stands for itself over tcp."""
    raise NotImplementedError


@hookspec
def sttp_connectivity() -> Mapping[str, Connectivity]:
    """Connectivity models by URL prefix, such as `reverse`."""
    raise NotImplementedError
