"""The public surface is a list, sorted and importable; that of `sttp` itself is written down here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import sttp

PACKAGES = ("sttp", "sttp_reverse", "sttp_tcp", "sttp_tls")
UNLISTED = {"sttp.__main__"}
"""Modules that are run, not imported."""


def _public_modules() -> Iterator[str]:
    for name in PACKAGES:
        yield name
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not module.name.rpartition(".")[2].startswith("_") and module.name not in UNLISTED:
                yield module.name


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("module", list(_public_modules()))
def test_all_is_sorted_and_importable(module: str) -> None:
    imported = importlib.import_module(module)
    names = getattr(imported, "__all__", [])
    assert list(names) == sorted(set(names), key=_as_ruff_sorts)
    assert [name for name in names if not hasattr(imported, name)] == []


@pytest.mark.parametrize("module", list(_public_modules()))
def test_all_is_complete(module: str) -> None:
    """What a module defines without underscore is public, and public means listed."""
    imported = importlib.import_module(module)
    defined = {
        name
        for name, value in vars(imported).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module
    }
    assert defined - set(getattr(imported, "__all__", [])) == set()


def test_what_sttp_exports() -> None:
    assert list(sttp.__all__) == [
        "EVERYTHING",
        "ClosedError",
        "Columns",
        "DeviceRecord",
        "Encoding",
        "EndpointError",
        "FilterError",
        "Measurement",
        "MeasurementBatch",
        "MeasurementRecord",
        "Metadata",
        "MetadataError",
        "Overflow",
        "OverrunError",
        "Peer",
        "PeerEvent",
        "PhasorRecord",
        "PluginError",
        "ProtocolError",
        "Publisher",
        "PublisherConfig",
        "PublisherStatistics",
        "RefusedError",
        "STTPError",
        "SecurityError",
        "Signal",
        "SignalTable",
        "StateFlags",
        "Subscriber",
        "SubscriberConfig",
        "SubscriberStatistics",
        "SubscriptionOptions",
        "Tolerances",
        "TransportError",
        "TrustError",
        "UsageError",
        "tolerances_for",
    ]


def test_dir_has_no_surprises() -> None:
    assert [name for name in dir(sttp) if not name.startswith("_")] == sorted(sttp.__all__)


def test_a_part_is_imported_when_it_is_used_first() -> None:
    program = (
        "import sys, sttp; sttp.StateFlags; assert 'sttp.publisher' not in sys.modules; "
        "assert sttp.errors.STTPError is sttp.STTPError; sttp.Publisher; assert 'sttp.publisher' in sys.modules; "
        "assert not hasattr(sttp, 'Nobody')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
