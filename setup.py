"""Compiles the loops of codecs and routing where that can be done; all else about the build is in pyproject.toml.

Without a C compiler, or without Cython, the package is built all the same, and runs the same files uncompiled: the
wheel is then one for any platform, and its name says so. Two environment variables choose: with
STTP_REQUIRE_EXTENSION=1 a failure to compile is an error, and with STTP_PURE=1 nothing is compiled, for a wheel that
runs anywhere.
"""

from __future__ import annotations

import os
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

try:
    from Cython.Build import cythonize
except ImportError:
    cythonize = None

LOOPS = {
    "sttp._routing": "sttp/_routing.py",
    "sttp.wire._compact": "sttp/wire/_compact.py",
    "sttp.wire._tssc": "sttp/wire/_tssc.py",
}

REQUIRED = os.environ.get("STTP_REQUIRE_EXTENSION") == "1"
PURE = os.environ.get("STTP_PURE") == "1"

# one wheel for CPython 3.11 and all that follow; free-threaded ones have no limited API
ABI3 = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")

# numbers wrap around, and nobody debugs the C that Cython writes
COMPILER_FLAGS = [] if sys.platform == "win32" else ["-O3", "-fwrapv", "-g0"]


class TaggedWheel(bdist_wheel):
    """A wheel whose tag follows from what was compiled, not from what was meant to be."""

    def run(self) -> None:
        """Compile first; where nothing came of it, go on as if there were nothing to compile."""
        if self.distribution.has_ext_modules() and not self.skip_build:
            self.run_command("build_ext")
            if not any(map(os.path.exists, self.get_finalized_command("build_ext").get_outputs())):
                self.distribution.ext_modules = []
                self.root_is_pure = True
        super().run()


def extensions() -> list[Extension]:
    """The loops as extension modules; none where they shall not be compiled, or cannot."""
    if PURE or cythonize is None:
        return []
    loops = [
        Extension(
            name,
            [source],
            extra_compile_args=COMPILER_FLAGS,
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if ABI3 else [],
            py_limited_api=ABI3,
        )
        for name, source in LOOPS.items()
    ]
    compiled: list[Extension] = cythonize(loops, build_dir="build/cython")
    for extension in compiled:
        extension.optional = not REQUIRED  # would be lost if it were given to what goes into cythonize()
    return compiled


if REQUIRED and PURE:
    sys.exit("STTP_REQUIRE_EXTENSION=1 and STTP_PURE=1 contradict each other")
if REQUIRED and cythonize is None:
    sys.exit("STTP_REQUIRE_EXTENSION=1, but Cython is not installed here: install Cython, or build with isolation")
setup(
    cmdclass={"bdist_wheel": TaggedWheel},
    ext_modules=extensions(),
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 and not PURE else {},
)
