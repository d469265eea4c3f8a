"""Run a benchmark with the codec loops uncompiled, whatever is installed.

python tests/benchmarks/uncompiled.py SCRIPT [ARGUMENT...]
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

LOOPS = ("sttp.wire._compact", "sttp.wire._tssc")


class SourceOfLoops(MetaPathFinder):
    """Finds the source of the loops where the import system would take what was compiled of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder.find_spec`."""
        if fullname not in LOOPS or path is None:
            return None
        return spec_from_file_location(fullname, Path(path[0], f"{fullname.rpartition('.')[2]}.py"))


if __name__ == "__main__":
    sys.meta_path.insert(0, SourceOfLoops())
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
