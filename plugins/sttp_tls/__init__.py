"""The layer `tls`: TLS over any transport, with both ends authenticated. A plugin like anyone's.

It imports `sttp.transport` and `sttp.security` only, and speaks to the transport below by its contract: so it lies over
TCP, over a pair in memory, or over a third party's transport alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sttp.transport import Layer, hookimpl
from sttp_tls.layer import TlsLayer

__all__ = ["STTP_DOOR", "TlsLayer", "sttp_layers"]

STTP_DOOR: Final = 1
"""The version of the plugin door that it was written for."""


@hookimpl
def sttp_layers() -> Mapping[str, Layer]:
    """The layer that this plugin adds."""
    return {"tls": TlsLayer()}
