"""The compiled loops twice in one process: as they are installed, and the same files uncompiled beside them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest

from sttp import routing
from sttp.wire import compact, tssc

__all__ = ["ARE_COMPILED", "COMPACT_LOOPS", "ROUTING_LOOPS", "TSSC_LOOPS", "with_each"]

Result = TypeVar("Result")


def _both(installed: ModuleType) -> Mapping[str, ModuleType]:
    if not installed.COMPILED:
        return {"uncompiled": installed}
    assert installed.__file__ is not None
    name = installed.__name__.rpartition(".")[2]
    spec = importlib.util.spec_from_file_location(
        f"{name}_uncompiled", Path(installed.__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    uncompiled = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(uncompiled)
    assert not uncompiled.COMPILED
    return {"compiled": installed, "uncompiled": uncompiled}


TSSC_LOOPS = _both(tssc._tssc)
COMPACT_LOOPS = _both(compact._compact)
ROUTING_LOOPS = _both(routing._routing)

ARE_COMPILED = TSSC_LOOPS.keys() & COMPACT_LOOPS.keys() & ROUTING_LOOPS.keys() == {"compiled", "uncompiled"}
"""Whether there are two of each to compare."""


def with_each(run: Callable[[], Result]) -> list[Result]:
    """What `run` returns with the compiled and the uncompiled loops; one result where none are compiled."""
    results = []
    for name in TSSC_LOOPS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tssc, "_tssc", TSSC_LOOPS[name])
            patch.setattr(compact, "_compact", COMPACT_LOOPS[name])
            patch.setattr(routing, "_routing", ROUTING_LOOPS[name])
            results.append(run())
    return results
