"""A badge: one line of facts about a run as a small picture. Musts and shoulds stand apart, and there is no score."""

from __future__ import annotations

from xml.etree import ElementTree

from sttp_conformance.ledger import Level
from sttp_conformance.reports.transcript_lines import printable
from sttp_conformance.verdicts import RunRecord, Verdict

__all__ = ["as_badge", "facts"]

_CHARACTER = 6.6
"""Width of a character of the font, in pixels; texts are stretched to fit."""


def facts(record: RunRecord) -> str:
    """How many checks of each level failed, of those that passed or failed; a check failed if it did in any way.

    What does not count in the edition of the run is left out, and so are mays: nobody can fail them.
    """
    if record.broken:
        return "could not be judged"
    found = []
    for level in (Level.MUST, Level.SHOULD):
        results = [each for each in record.results if each.level is level and each.counts]
        failed = {each.name for each in results if each.verdict is Verdict.FAILED}
        judged = failed | {each.name for each in results if each.verdict is Verdict.PASSED}
        if judged:
            found.append(f"{len(failed)} of {len(judged)} {level} checks failed")
    part = " (a part of the suite)" if record.selected else ""
    return (", ".join(found) or "nothing was checked") + part


def as_badge(record: RunRecord) -> str:
    """The record as an SVG image."""
    label, said = f"STTP {record.edition}", facts(record)
    left, right = (round(len(text) * _CHARACTER) + 14 for text in (label, said))
    whole = f"{record.implementation} {record.version}, {label}: {said}"
    image = ElementTree.Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "width": str(left + right), "height": "20", "role": "img"},
    )
    image.set("aria-label", printable(whole))
    ElementTree.SubElement(image, "title").text = printable(whole)
    for start, width, colour, text in ((0, left, "#333d47", label), (left, right, "#1b5e8a", said)):
        ElementTree.SubElement(image, "rect", {"x": str(start), "width": str(width), "height": "20", "fill": colour})
        line = ElementTree.SubElement(
            image,
            "text",
            {
                "x": str(start + 7),
                "y": "14",
                "fill": "#ffffff",
                "font-family": "Verdana, DejaVu Sans, sans-serif",
                "font-size": "11",
                "textLength": str(width - 14),
            },
        )
        line.text = printable(text)
    return ElementTree.tostring(image, encoding="unicode") + "\n"
