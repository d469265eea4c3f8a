"""Imports point one way (style.md 1): every module has a layer, and each layer has a list of what it may import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

VOCABULARY = {"sttp.codes", "sttp.errors", "sttp.limits", "sttp.measurement", "sttp.ticks", "sttp.tolerances"}

STREAMS = {"sttp.codes", "sttp.errors", "sttp.security", "sttp.transport"}
SESSIONS = VOCABULARY | {"sttp.wire", "sttp.session"}
TABLES = {"sttp.metadata.active_measurements", "sttp.metadata.cells", "sttp.metadata.dataset"}
MEANING = VOCABULARY | {"sttp.metadata", "sttp.filter_expression"}
MOVING = {"sttp.statistics", "sttp.alarm", "sttp.inlet", "sttp.outlet", "sttp.connection"}
CONNECTED = SESSIONS | STREAMS | MOVING
ENDS = CONNECTED | MEANING | {"sttp.queues", "sttp.peer_events", "sttp.offload", "sttp.catalogue"}

# What each layer may import of this project, besides itself. The longest name wins. The module `sttp` itself is free.
MAY_IMPORT: Mapping[str, set[str]] = {
    **dict.fromkeys(VOCABULARY, VOCABULARY),
    "sttp.tabular": {"sttp.errors", "sttp.ticks"},
    "sttp.measurement": VOCABULARY | {"sttp.tabular"},
    "sttp.wire": VOCABULARY,
    "sttp.session": SESSIONS,
    "sttp.metadata": VOCABULARY,
    "sttp.metadata.pandas_table": VOCABULARY | {"sttp.metadata", "sttp.tabular"},
    "sttp.metadata.metadata": VOCABULARY | {"sttp.metadata", "sttp.filter_expression"},
    "sttp.filter_expression": VOCABULARY | TABLES,
    "sttp.transport": STREAMS,
    "sttp.security": {"sttp.codes", "sttp.errors"},
    "sttp.security.vigil": {"sttp.errors", "sttp.security"},
    "sttp.testing": STREAMS,
    "sttp.testing.recording": MEANING | {"sttp.testing", "sttp_conformance.measurements"},
    "sttp.testing.sessions": ENDS
    | {
        "sttp.testing",
        "sttp.publisher",
        "sttp.subscriber",
        "sttp_conformance.measurements",
        "sttp_conformance.transcript",
    },
    "sttp.statistics": VOCABULARY,
    "sttp.queues": VOCABULARY,
    "sttp.peer_events": VOCABULARY,
    "sttp.catalogue": MEANING | {"sttp.wire", "sttp.offload"},
    "sttp.alarm": set(),
    "sttp.offload": set(),
    "sttp.inlet": CONNECTED,
    "sttp.outlet": CONNECTED,
    "sttp.connection": CONNECTED,
    "sttp._routing": {"sttp.wire"},
    "sttp.routing": VOCABULARY | {"sttp._routing"},
    "sttp.backlog": VOCABULARY | {"sttp.queues"},
    "sttp.fan_out": SESSIONS | {"sttp.routing", "sttp.backlog"},
    "sttp.feed": ENDS | {"sttp.fan_out", "sttp.backlog"},
    "sttp.intake": ENDS,
    "sttp.publisher": ENDS | {"sttp.backlog", "sttp.fan_out", "sttp.feed"},
    "sttp.subscriber": ENDS | {"sttp.intake"},
    "sttp.background": {"sttp.errors"},
    "sttp.sync": ENDS | {"sttp.publisher", "sttp.subscriber", "sttp.background"},
    "sttp.cli": ENDS | {"sttp.publisher", "sttp.subscriber"},
    "sttp.cli.conformance": {"sttp.cli.options", "sttp.cli.terminal", "sttp.errors", "sttp_conformance"},
    "sttp.__main__": {"sttp.cli"},
    "sttp_conformance": VOCABULARY | {"sttp.wire", "sttp.transport"},
}

PLUGIN_MAY_IMPORT = {"sttp.transport", "sttp.security"}

# Libraries that belong to some places only. What is not named here is free.
_WITH_A_LOOP = {
    "sttp.alarm", "sttp.background", "sttp.backlog", "sttp.catalogue", "sttp.cli", "sttp.connection", "sttp.feed",
    "sttp.inlet",
    "sttp.intake", "sttp.offload", "sttp.peer_events", "sttp.publisher", "sttp.queues", "sttp.security.vigil",
    "sttp.subscriber", "sttp.testing", "sttp.testing.sessions", "sttp.transport",
}  # fmt: skip
HOME: Mapping[str, set[str]] = {
    "asyncio": {*_WITH_A_LOOP, "sttp.cli.conformance", "sttp_conformance"},
    "construct": {"sttp.wire", "sttp_conformance"},
    "jinja2": {"sttp_conformance"},
    "lark": {"sttp.filter_expression"},
    # in measurement and metadata as types of their methods
    "pandas": {"sttp.tabular", "sttp.measurement", "sttp.metadata.pandas_table", "sttp.metadata.metadata"},
    "pluggy": {"sttp.transport"},
    "polars": {"sttp.tabular", "sttp.measurement"},
    "pyarrow": {"sttp.tabular", "sttp.measurement"},
    "re2": {"sttp.filter_expression"},
    "pytest": {"sttp_conformance"},
    "rich": {"sttp.cli"},
    "select": set(),
    "selectors": set(),
    "socket": {"sttp.transport"},
    "threading": {"sttp.background", "sttp.catalogue", "sttp.offload", "sttp.testing"},
    "time": {"sttp.fan_out", "sttp.outlet", "sttp.ticks", "sttp_conformance", *_WITH_A_LOOP},
    "typer": {"sttp.cli", "sttp.cli.conformance"},
    "uvloop": {"sttp.cli"},
}
PLUGIN_LIBRARIES = {"asyncio", "socket", "time"}

# A command line starts at once, and pytest wherever this is installed: what they reach without being asked for the
# suite must not import it.
AT_START = {"sttp.cli", "sttp.cli.conformance", "sttp_conformance.pytest_plugin"}


def _modules() -> dict[str, Path]:
    found = {}
    for root in (REPOSITORY, REPOSITORY / "plugins", REPOSITORY / "conformance"):
        for path in sorted(root.glob("sttp*/**/*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if all(part.isidentifier() for part in parts):  # a distribution of its own, such as sttp-unix, is not ours
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(module: str) -> Iterator[str]:
    """Modules that `module` imports anywhere, also inside of functions and for type checking only."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute here"
            assert node.module is not None
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module


IMPORTS = {module: frozenset(_imports(module)) for module in MODULES}


def _within(module: str, names: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def _layer(module: str) -> str:
    return max((name for name in MAY_IMPORT if _within(module, {name})), key=len, default="")


def _is_plugin(module: str) -> bool:
    return module.startswith("sttp_") and not _within(module, {"sttp_conformance"})


def test_the_tree_is_seen() -> None:
    assert {"sttp", "sttp_tcp", "sttp_reverse", "sttp.wire.frame", "sttp.session.publisher"} <= MODULES.keys()


def test_every_folder_is_a_package() -> None:
    """A folder without `__init__.py` would be left out of the wheel."""
    assert {path.parent for path in MODULES.values() if not (path.parent / "__init__.py").is_file()} == set()


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"sttp"}))
def test_imports_point_one_way(module: str) -> None:
    ours = {name for name in IMPORTS[module] if name.partition(".")[0].startswith("sttp")}
    if _is_plugin(module):
        allowed = PLUGIN_MAY_IMPORT | {module.partition(".")[0]}
    else:
        layer = _layer(module)
        assert layer, f"{module} has no layer: give it a place in this test, and in docs/explanation/architecture.md"
        allowed = MAY_IMPORT[layer] | {layer}
    assert {name for name in ours if not _within(name, allowed)} == set()


@pytest.mark.parametrize("module", MODULES)
def test_libraries_stay_at_home(module: str) -> None:
    libraries = {name.partition(".")[0] for name in IMPORTS[module]} & HOME.keys()
    if _is_plugin(module):
        assert libraries <= PLUGIN_LIBRARIES
    else:
        assert {name for name in libraries if _layer(module) not in HOME[name]} == set()


@pytest.mark.parametrize("module", sorted(AT_START))
def test_the_suite_is_imported_when_it_is_asked_for(module: str) -> None:
    body = ast.parse(MODULES[module].read_text(encoding="utf-8")).body
    at_once = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [node for node in at_once if "sttp_conformance" in ast.unparse(node)]


def test_the_judge_does_not_borrow_the_reasoning_of_the_defendant() -> None:
    """Not even by way of something that it may import."""
    reached, waiting = set(), [module for module in MODULES if _within(module, {"sttp_conformance"})]
    while waiting:
        module = waiting.pop()
        if module not in reached and module in MODULES and module != "sttp":
            reached.add(module)
            waiting += IMPORTS[module]
    assert "sttp.wire.responses" in reached
    assert {name for name in reached if _within(name, {"sttp.session", "sttp.connection", "sttp.metadata"})} == set()


DISTRIBUTIONS = sorted((REPOSITORY / "plugins").glob("sttp-*/"))
"""Plugins with a `pyproject.toml` of their own."""


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda path: path.name)
def test_a_distribution_of_its_own_imports_nothing_private(distribution: Path) -> None:
    """Its code may use the door, and its tests the kit besides: what everybody may, and no more."""
    for path in sorted(distribution.rglob("*.py")):
        allowed = PLUGIN_MAY_IMPORT | {distribution.name.replace("-", "_")}
        if "tests" in path.relative_to(distribution).parts:
            allowed |= {"sttp.testing.transport"}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not [alias.name for alias in node.names if alias.name.startswith("sttp")], path
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sttp"):
                name = node.module or ""
                assert name in PLUGIN_MAY_IMPORT | {"sttp.testing.transport"} or _within(name, allowed), path
                assert not name.startswith("sttp.transport."), f"{path}: {name} is not the door"
                assert not [alias.name for alias in node.names if alias.name.startswith("_")], path


def test_no_import_cycles() -> None:
    graph = {module: {name for name in imports if name in MODULES} for module, imports in IMPORTS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' imports '.join(reversed(error.args[1]))}")


def test_only_declared_libraries_are_imported() -> None:
    declared = {"construct", "cryptography", "lark", "numpy", "pluggy", "re2", "rich", "typer"}  # core
    declared |= {
        "pandas",
        "polars",
        "pyarrow",
        "uvloop",
        "cython",
        "hypothesis",
        "jinja2",
        "pytest",
    }  # extras, imported late
    foreign = {name.partition(".")[0] for imports in IMPORTS.values() for name in imports} - sys.stdlib_module_names
    assert {name for name in foreign if not name.startswith("sttp")} <= declared
