"""Endpoints inside one process: the transport `memory`, and layers for one test, beside the plugins that are installed.

`Publisher` and `Subscriber` ask `load_plugins` what there is. So a test gives it more to find, and needs no other door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from sttp.transport import Layer, Transport, endpoint

__all__ = ["plug_in"]


def plug_in(
    monkeypatch: pytest.MonkeyPatch, *, transports: Mapping[str, Transport] = {}, layers: Mapping[str, Layer] = {}
) -> None:
    """Let URLs name these transports and layers until the test ends."""
    found = endpoint.load_plugins()
    more = replace(found, transports={**found.transports, **transports}, layers={**found.layers, **layers})
    monkeypatch.setattr(endpoint, "load_plugins", lambda: more)
