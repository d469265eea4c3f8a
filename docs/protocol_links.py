"""Sphinx extension: what cites the protocol reference leads there, on pages and in docstrings.

Sections get an anchor that lasts, `wire.html#section-4-5`, and so do deviations, `wire.html#y6`. A page that calls
sections by their numbers alone says whose they are in its first lines: `sections: wire.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from docutils import nodes
from protocol_citations import DOCUMENTS, anchor, citations, section_of, sections
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

FOLDER: Final = "reference/protocol/"
_NOT_IN: Final = (nodes.reference, nodes.title, nodes.literal_block, nodes.literal, nodes.raw)
_AHEAD_OF_TOCTREES: Final = 100


def _add_anchors(app: Sphinx, document: nodes.document) -> None:
    """Anchors come from the numbers, not from the titles, so that a title may be mended."""
    name = _document(app.env.docname)
    if not name:
        return
    for section in document.findall(nodes.section):
        number, _ = section_of(section[0].astext())
        if number in sections(name):
            section["ids"].insert(0, anchor(number))
    for row in document.findall(nodes.row):
        number = row[0].astext()
        if number in sections(name) and not number[0].isdigit():
            row["ids"].append(anchor(number))


def _add_links(app: Sphinx, document: nodes.document, page: str) -> None:
    own = _document(page) or app.env.metadata[page].get("sections", "")
    for text in list(document.findall(nodes.Text)):
        around = list(_ancestors(text))
        if not any(isinstance(each, _NOT_IN) for each in around):
            text.parent.replace(text, list(_linked(app, page, text.astext(), own)))
        elif isinstance(text.parent, nodes.literal) and not any(isinstance(each, nodes.reference) for each in around):
            _link_literal(app, page, text.parent)


def _link_literal(app: Sphinx, page: str, literal: nodes.literal) -> None:
    """Only what is a citation as a whole, `wire.md`: the rest of what is marked as code is code."""
    text = literal.astext()
    if [(each.start, each.end) for each in citations(text)] == [(0, len(text))]:
        cited = next(citations(text))
        literal.parent.replace(literal, _link(app, page, cited.document, cited.section, literal.deepcopy()))


def _linked(app: Sphinx, page: str, text: str, own: str) -> Iterator[nodes.Node]:
    place = 0
    for each in citations(text, own):
        yield nodes.Text(text[place : each.start])
        yield _link(app, page, each.document, each.section, nodes.Text(text[each.start : each.end]))
        place = each.end
    yield nodes.Text(text[place:])


def _link(app: Sphinx, page: str, document: str, section: str, shown: nodes.Node) -> nodes.Node:
    """The same in a link, unless it cites what is not there."""
    if section and section not in sections(document):
        return shown
    target = anchor(section) if section else ""
    return make_refnode(app.builder, page, FOLDER + document.removesuffix(".md"), target, shown)


def _document(page: str) -> str:
    """The document that a page is, if it is one."""
    name = f"{page.removeprefix(FOLDER)}.md"
    return name if page.startswith(FOLDER) and name in DOCUMENTS else ""


def _ancestors(node: nodes.Node) -> Iterator[nodes.Node]:
    while (parent := node.parent) is not None:
        yield parent
        node = parent


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-read", _add_anchors, priority=_AHEAD_OF_TOCTREES)
    app.connect("doctree-resolved", _add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
