"""As much of JSON Schema as the suite's own schemas need, with messages for people.

A message names the place and says what to write there; the words are the `description` of the schema.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

__all__ = ["faults", "load_schema"]

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def load_schema(name: str) -> dict[str, Any]:
    """A schema that comes with the suite."""
    schema: dict[str, Any] = json.loads((files("sttp_conformance") / name).read_text("utf-8"))
    return schema


def faults(value: Any, schema: dict[str, Any], *, root: dict[str, Any] | None = None, place: str = "") -> Iterator[str]:
    """What is wrong with a value, one line for each fault: where, and what to write instead.

    Args:
        value: as `json` or `tomllib` read it.
        schema: what it must fit.
        root: where references lead; without it, `schema`.
        place: what the value is called.
    """
    root = root or schema
    place_or_all = place or "the whole"
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{place_or_all}: {_short(value)} does not fit; write {_wanted(schema)}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place_or_all}: {_short(value)} does not fit; write {_wanted(schema)}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place_or_all}: {_short(value)} does not fit; write {_wanted(schema)}"
    if isinstance(value, dict):
        yield from _faults_of_table(value, schema, root, place)
    elif isinstance(value, list | tuple):
        if len(value) < schema.get("minItems", 0):
            yield f"{place_or_all}: it is empty; write {_wanted(schema)}"
        for number, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), root=root, place=f"{place}[{number}]")


def _faults_of_table(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], place: str) -> Iterator[str]:
    known = schema.get("properties", {})
    prefix = f"{place}." if place else ""
    others = schema.get("additionalProperties", True)
    strange = [] if others else [key for key in value if key not in known]
    meant = {key: near[0] for key in strange if (near := difflib.get_close_matches(key, known, n=1))}
    for key, name in meant.items():  # first, because what was meant may be said to be missing
        yield f"{prefix}{key}: there is no such key; did you mean {name}?"
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{prefix}{key}: it is missing; write {_wanted(known[key])}"
    for key, item in value.items():
        if key in known:
            yield from faults(item, known[key], root=root, place=f"{prefix}{key}")
        elif isinstance(others, dict):
            yield from faults(item, others, root=root, place=f"{prefix}{key}")
        elif key in strange and key not in meant:
            yield f"{prefix}{key}: there is no such key; known here are {', '.join(known)}"


def _is(value: Any, kinds: str | list[str]) -> bool:
    wanted = [kinds] if isinstance(kinds, str) else kinds
    return any(
        isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in wanted
    )


def _wanted(schema: dict[str, Any]) -> str:
    return str(schema.get("description") or schema.get("enum") or schema.get("type") or "something else")


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
