"""Tables and plots of the page on benchmarks, from the JSON that `make bench` writes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

DATA = Path(__file__).parent / "_static" / "benchmarks.json"

_REACHED, _MISSED, _PEER, _INK, _FAINT = "#2e7d32", "#b3261e", "#1f5fa8", "#222", "#999"
_TOLERANCE = 0.05
_LEFT, _RIGHT, _LINE, _TOP = 400, 880, 26, 60

Row = Mapping[str, Any]


def read() -> dict[str, Any]:
    """The results."""
    found: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def page() -> Iterator[str]:
    """The part of the page that follows from the results."""
    found = read()
    yield f"{_conditions(found)}\n\n"
    if found["quick"]:
        yield "**These are short runs, to see that all works. They say little about speed.**\n\n"
    for name, alt in (
        ("goals", "How far each number is from its goal."),
        ("pairs", "The rate of reverse over that of forward, pair by pair."),
        ("peers", "sttp-kit beside sttpapi."),
    ):
        yield f"```{{image}} ../_static/benchmarks-{name}.svg\n:alt: {alt}\n```\n\n"
    for group in dict.fromkeys(row["group"] for row in found["rows"]):
        yield f"### {group[0].upper()}{group[1:]}\n\n"
        yield from _table([row for row in found["rows"] if row["group"] == group])
        for row in found["rows"]:
            if row["group"] == group and row["interval"]:
                low, high = row["interval"]
                yield f"95 % interval of the median, by order statistics: {low:.3f} to {high:.3f}.\n\n"
    yield from (f"* {note}.\n" for note in found["notes"])


def _conditions(found: Mapping[str, Any]) -> str:
    about = found["about"]
    loads = " and ".join("unknown" if load is None else f"{load:.1f}" for load in (about["load"], found["load_after"]))
    return (
        f"Measured {found['when']} on {about['processors']} shared processors ({about['machine']}, {about['system']}), "
        f"Python {about['python']}, NumPy {about['numpy']}, loops {about['loops']}, event loop of asyncio unless "
        f"another is named. The load was {loads} when it began and ended; what else ran took from all numbers "
        "but those of memory and bytes."
    )


def _table(rows: Sequence[Row]) -> Iterator[str]:
    peers = any(row["peer"] for row in rows)
    heads = ["", "goal", "median", "spread", "runs", *(["sttpapi"] if peers else []), "goal reached"]
    for cells in (heads, ["---"] * len(heads), *(_cells(row, peers=peers) for row in rows)):
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def _cells(row: Row, *, peers: bool) -> list[str]:
    runs, unit = row["runs"], row["unit"]
    theirs = [_number(median(row["peer"])) if row["peer"] else ""] if peers else []
    return [
        f"{row['name']}, {unit}",
        _goal(row),
        _number(median(runs)),
        f"{_number(min(runs))} to {_number(max(runs))}",
        str(len(runs)),
        *theirs,
        _verdict(row),
    ]


def _goal(row: Row) -> str:
    if row["goal"] is None:
        return ""
    if row["better"] == "equal":
        return f"{row['goal']:.2f} ± {_TOLERANCE}"
    return f"{'≥' if row['better'] == 'higher' else '≤'} {_number(row['goal'])}"


def score(row: Row, value: float) -> float | None:
    """How many times as good as its goal a value is; 1 is just as good. None where there is no goal to be beaten."""
    if row["goal"] is None or row["better"] == "equal":
        return None
    # memory may also shrink, which is as good as can be
    return value / row["goal"] if row["better"] == "higher" else row["goal"] / max(value, row["goal"] / 100)


def _verdict(row: Row) -> str:
    if row["better"] == "equal":
        return _equal(row)
    reached = score(row, median(row["runs"]))
    if reached is None:
        return ""
    if reached >= 1:
        return "yes"
    times = 1 / reached
    return f"**no**, {'slower' if row['better'] == 'higher' else 'more'} by {times:.1f} times"


def _equal(row: Row) -> str:
    """Whether the interval of the median, and not only the median, lies in the goal."""
    low, high = row["interval"]
    if abs(low - row["goal"]) <= _TOLERANCE and abs(high - row["goal"]) <= _TOLERANCE:
        return "yes"
    apart = low > row["goal"] + _TOLERANCE or high < row["goal"] - _TOLERANCE
    return "**no**" if apart else f"not shown: the interval of the median is {low:.3f} to {high:.3f}"


def _number(value: float) -> str:
    """Three digits, and no exponents."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


# --- plots


def plots() -> dict[str, str]:
    """The pictures, by file name."""
    found = read()
    return {
        "benchmarks-goals.svg": "\n".join(_goals(found)) + "\n",
        "benchmarks-pairs.svg": "\n".join(_pairs(found)) + "\n",
        "benchmarks-peers.svg": "\n".join(_peers(found)) + "\n",
    }


class _Scale:
    """A logarithmic axis."""

    def __init__(self, values: Iterable[float]) -> None:
        logs = [math.log10(each) for each in values if each > 0]
        self._low, self._high = math.floor(min(logs) * 2) / 2, math.ceil(max(logs) * 2) / 2

    def x(self, value: float) -> float:
        share = (math.log10(max(value, 1e-9)) - self._low) / ((self._high - self._low) or 1)
        return round(_LEFT + min(max(share, 0), 1) * (_RIGHT - _LEFT), 1)

    def marks(self) -> Iterator[float]:
        for exponent in range(math.floor(self._low), math.ceil(self._high) + 1):
            for factor in (1, 2, 5):
                if self._low <= math.log10(mark := factor * 10.0**exponent) <= self._high:
                    yield mark


def _frame(lines: int, title: str, description: str) -> Iterator[str]:
    height = _TOP + lines * _LINE + 40
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {height}" role="img"'
        ' aria-labelledby="title description" font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="description">{escape(description)}</desc>'
    yield f'<rect width="920" height="{height}" rx="10" fill="#ffffff"/>'
    yield f'<text x="20" y="30" fill="{_INK}" font-size="15" font-weight="600">{escape(title)}</text>'


def _axis(scale: _Scale, lines: int, unit: str) -> Iterator[str]:
    bottom = _TOP + lines * _LINE
    for mark in scale.marks():
        x = scale.x(mark)
        yield f'<path d="M{x} {_TOP - 8}V{bottom}" stroke="#ddd"/>'
        yield f'<text x="{x}" y="{bottom + 16}" text-anchor="middle" fill="#555" font-size="11">{mark:g}</text>'
    yield f'<text x="{_RIGHT}" y="{bottom + 32}" text-anchor="end" fill="#555" font-size="11">{escape(unit)}</text>'


def _label(line: int, text: str) -> str:
    y = _TOP + line * _LINE + 14
    return f'<text x="{_LEFT - 14}" y="{y}" text-anchor="end" fill="{_INK}" font-size="12">{escape(text)}</text>'


def _range(scale: _Scale, line: float, values: Sequence[float], colour: str) -> Iterator[str]:
    y = _TOP + line * _LINE + 10
    yield f'<path d="M{scale.x(min(values))} {y}H{scale.x(max(values))}" stroke="{colour}" stroke-width="3"/>'
    yield f'<circle cx="{scale.x(median(values))}" cy="{y}" r="5" fill="{colour}"/>'


def _goals(found: Mapping[str, Any]) -> Iterator[str]:
    scored = [
        (row, [value for each in row["runs"] if (value := score(row, each)) is not None]) for row in found["rows"]
    ]
    scored = [(row, values) for row, values in scored if values]
    words = [f"{row['group']}, {row['name']}: {median(values):.2f}" for row, values in scored]
    yield from _frame(len(scored), "How many times as good as the goal", "; ".join(words))
    scale = _Scale([1.0, *(each for _, values in scored for each in values)])
    yield from _axis(scale, len(scored), "times the goal; right of the line it is reached; dot: median, bar: all runs")
    yield f'<path d="M{scale.x(1)} {_TOP - 8}V{_TOP + len(scored) * _LINE}" stroke="{_INK}" stroke-width="1.5"/>'
    for line, (row, values) in enumerate(scored):
        yield _label(line, _short(row))
        yield from _range(scale, line, values, _REACHED if median(values) >= 1 else _MISSED)
    yield "</svg>"


def _short(row: Row) -> str:
    name = row["name"] if row["group"] in ("codec, one core", "end to end", "import", "memory") else ""
    text = name or f"{row['group'].partition(', TSSC')[0].partition(', one')[0]}: {row['name']}"
    return text if len(text) <= 62 else f"{text[:61]}…"


def _pairs(found: Mapping[str, Any]) -> Iterator[str]:
    (row,) = (row for row in found["rows"] if row["better"] == "equal")
    low, high = row["interval"]
    middle = median(row["runs"])
    title = "Reverse over forward, pair by pair"
    yield from _frame(4, title, f"Median {middle:.3f}, 95 % interval {low:.3f} to {high:.3f}.")
    scale = _Scale([0.5, 2.0, *row["runs"]])
    yield from _axis(scale, 4, "rate of reverse over rate of forward; grey: 1.00 ± 0.05")
    yield (
        f'<rect x="{scale.x(0.95)}" y="{_TOP - 8}" width="{round(scale.x(1.05) - scale.x(0.95), 1)}"'
        f' height="{4 * _LINE + 8}" fill="{_FAINT}" fill-opacity="0.35"/>'
    )
    yield _label(1, "pairs")
    for each in row["runs"]:
        yield (f'<circle cx="{scale.x(each)}" cy="{_TOP + _LINE + 10}" r="4.5" fill="{_PEER}" fill-opacity="0.55"/>')
    yield _label(2, "median and its 95 % interval")
    colour = _REACHED if _equal(row) == "yes" else _MISSED
    y = _TOP + 2 * _LINE + 10
    yield f'<path d="M{scale.x(low)} {y}H{scale.x(high)}" stroke="{colour}" stroke-width="3"/>'
    yield f'<circle cx="{scale.x(middle)}" cy="{y}" r="5" fill="{colour}"/>'
    yield "</svg>"


def _peers(found: Mapping[str, Any]) -> Iterator[str]:
    """Everything that sttpapi does too, as a ratio to its median, so that units do not matter."""
    rows = [row for row in found["rows"] if row["peer"]]
    ratios = []
    for row in rows:
        theirs = median(row["peer"])
        ratios.append([each / theirs if row["better"] == "higher" else theirs / each for each in row["runs"]])
    words = [f"{_short(row)}: {median(values):.2f} times" for row, values in zip(rows, ratios, strict=True)]
    yield from _frame(
        max(len(rows), 1), "How many times as good as sttpapi", "; ".join(words) or "sttpapi was not there."
    )
    if not rows:
        yield f'<text x="20" y="{_TOP + 10}" fill="{_INK}">sttpapi was not installed.</text></svg>'
        return
    scale = _Scale([1.0, *(each for values in ratios for each in values)])
    yield from _axis(scale, len(rows), "times the median of sttpapi in the same rounds; dot: median, bar: all runs")
    yield f'<path d="M{scale.x(1)} {_TOP - 8}V{_TOP + len(rows) * _LINE}" stroke="{_INK}" stroke-width="1.5"/>'
    for line, (row, values) in enumerate(zip(rows, ratios, strict=True)):
        yield _label(line, _short(row))
        yield from _range(scale, line, values, _PEER)
    yield "</svg>"
