"""Unix sockets as a transport for sttp-kit, with peer credentials as identity.

A plugin: it imports `sttp.transport` and nothing else of sttp-kit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sttp.transport import Transport, hookimpl
from sttp_unix.transport import UnixTransport

__all__ = ["STTP_DOOR", "UnixTransport", "sttp_transports"]

STTP_DOOR: Final = 1
"""The version of the plugin door that this was written for."""


@hookimpl
def sttp_transports() -> Mapping[str, Transport]:
    """What URLs can name. Called when plugins are collected; it does no I/O."""
    return {"unix": UnixTransport()}
