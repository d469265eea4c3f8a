"""Sphinx configuration. `make docs` builds with warnings as errors."""

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # where protocol_links.py is

project = "sttp-kit"
author = "the sttp-kit authors"
copyright = "the sttp-kit authors, MIT licence"
version = release = installed_version("sttp-kit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "protocol_links"]
exclude_patterns = ["_build", "_extra"]

html_theme = "furo"
html_title = f"sttp-kit {release}"
html_static_path = ["_static"]
html_extra_path = ["_extra"]  # generate.py makes it
html_show_sphinx = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

default_role = "code"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True

_INLINE_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_AHEAD_OF_NAPOLEON = 400


def _from_markdown(app: Any, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Our docstrings mark code as Markdown does; Sphinx wants reStructuredText."""
    fenced = False
    converted = []
    for line in lines:
        if line.lstrip().startswith("```"):
            fenced = not fenced
            converted += ["::", ""] if fenced else [""]
        elif fenced:
            converted.append(f"    {line}")
        else:
            converted.append(_INLINE_CODE.sub(r"``\1``", line))
    lines[:] = converted


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _from_markdown, priority=_AHEAD_OF_NAPOLEON)
