"""The transport `tcp`. A plugin like anyone's: it imports `sttp.transport` and the standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sttp.transport import Transport, hookimpl
from sttp_tcp.transport import TcpTransport

__all__ = ["STTP_DOOR", "TcpTransport", "sttp_transports"]

STTP_DOOR: Final = 1
"""The version of the plugin door that it was written for."""


@hookimpl
def sttp_transports() -> Mapping[str, Transport]:
    """The transport that this plugin adds."""
    return {"tcp": TcpTransport()}
