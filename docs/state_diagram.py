"""Draw the phases of a conversation, and what moves it from one to the other, from the table that the sessions walk.

Only the places of the boxes and the bends of the arrows are written down here. An arrow of the table that has no bend
is an error, so that the picture cannot fall behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sttp.codes import Role
from sttp.session.conversation import TRANSITIONS, Kind, Phase, kind_name

_WIDTH, _HEIGHT = 150, 44
_PLACES = {
    Phase.CONNECTED: (400, 50),
    Phase.READY: (400, 160),
    Phase.SUBSCRIBING: (400, 290),
    Phase.OFFERED: (400, 410),
    Phase.STREAMING: (400, 530),
    Phase.UNSUBSCRIBING: (720, 350),
    Phase.CLOSED: (85, 290),
}
_MEANING = {
    Phase.CONNECTED: "a stream is up",
    Phase.READY: "modes are defined",
    Phase.SUBSCRIBING: "no cache yet",
    Phase.OFFERED: "cache not confirmed",
    Phase.STREAMING: "measurements flow",
    Phase.UNSUBSCRIBING: "not yet answered",
    Phase.CLOSED: "nothing follows",
}
# by the two phases: the path, where its label stands, and how that is aligned there
_ARROWS: dict[tuple[Phase, Phase], tuple[str, tuple[int, int], str]] = {
    (Phase.CONNECTED, Phase.READY): ("M400 72V136", (410, 108), "start"),
    (Phase.READY, Phase.SUBSCRIBING): ("M430 182V266", (440, 222), "start"),
    (Phase.SUBSCRIBING, Phase.READY): ("M370 268V184", (360, 234), "end"),
    (Phase.SUBSCRIBING, Phase.OFFERED): ("M400 312V386", (410, 352), "start"),
    (Phase.OFFERED, Phase.STREAMING): ("M400 432V506", (410, 472), "start"),
    (Phase.READY, Phase.UNSUBSCRIBING): ("M475 168C560 180 640 250 690 326", (640, 246), "start"),
    (Phase.SUBSCRIBING, Phase.UNSUBSCRIBING): ("M475 290C550 295 600 315 643 340", (0, 0), ""),
    (Phase.OFFERED, Phase.UNSUBSCRIBING): ("M475 410C550 405 600 385 643 362", (0, 0), ""),
    (Phase.STREAMING, Phase.UNSUBSCRIBING): ("M475 530C600 520 670 440 700 374", (0, 0), ""),
    (Phase.UNSUBSCRIBING, Phase.READY): ("M745 328C740 210 640 140 477 150", (735, 200), "start"),
    (Phase.CONNECTED, Phase.CLOSED): ("M325 50C200 60 110 160 92 266", (0, 0), ""),
    (Phase.READY, Phase.CLOSED): ("M325 160C230 170 150 220 110 266", (20, 604), "start"),
    (Phase.SUBSCRIBING, Phase.CLOSED): ("M325 290H162", (0, 0), ""),
    (Phase.OFFERED, Phase.CLOSED): ("M325 410C230 400 150 360 110 314", (0, 0), ""),
    (Phase.STREAMING, Phase.CLOSED): ("M325 530C200 520 110 420 92 314", (0, 0), ""),
    (Phase.UNSUBSCRIBING, Phase.CLOSED): ("M740 372C740 620 100 680 80 314", (0, 0), ""),
}


def state_diagram() -> Iterator[str]:
    """The picture as SVG, line by line."""
    yield (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 640" role="img" aria-labelledby="title description"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    yield '<title id="title">Phases of a conversation</title>'
    yield f'<desc id="description">{escape(" ".join(_sentences()))}</desc>'
    yield (
        "<style>.subscriber{stroke:#1f5fa8;fill:none}.publisher{stroke:#2e7d32;fill:none}text.subscriber{fill:#1f5fa8;"
        "stroke:none}text.publisher{fill:#2e7d32;stroke:none}.end{stroke-dasharray:4 3}</style>"
    )
    for role, colour in ((Role.SUBSCRIBER, "#1f5fa8"), (Role.PUBLISHER, "#2e7d32")):
        yield (
            f'<defs><marker id="{role.value}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
            f' orient="auto"><path d="M0 0 10 5 0 10z" fill="{colour}"/></marker></defs>'
        )
    yield '<rect width="920" height="640" rx="10" fill="#ffffff"/>'
    moves = _moves()
    if moves.keys() != _ARROWS.keys():
        raise SystemExit(f"give these arrows a bend, or take it away: {moves.keys() ^ _ARROWS.keys()}")
    for (before, after), said in moves.items():
        yield from _arrow(before, after, said)
    for phase, (x, y) in _PLACES.items():
        yield (
            f'<rect x="{x - _WIDTH // 2}" y="{y - _HEIGHT // 2}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"'
            ' fill="#f3f3f6" stroke="#555" stroke-width="1.3"/>'
        )
        yield (
            f'<text x="{x}" y="{y - 3}" text-anchor="middle" fill="#222" font-weight="600">{phase.value}</text>'
            f'<text x="{x}" y="{y + 14}" text-anchor="middle" fill="#555" font-size="11">{_MEANING[phase]}</text>'
        )
    yield '<text class="subscriber" x="640" y="600">— said by the subscriber</text>'
    yield '<text class="publisher" x="640" y="620">— said by the publisher</text>'
    yield '<path class="publisher end" d="M20 586H50" stroke-width="1.6"/>'
    yield "</svg>"


def _moves() -> dict[tuple[Phase, Phase], list[tuple[Role, Kind]]]:
    moves: dict[tuple[Phase, Phase], list[tuple[Role, Kind]]] = {}
    for (before, role, kind), after in TRANSITIONS.items():
        if before is not after:
            moves.setdefault((before, after), []).append((role, kind))
    return moves


def _arrow(before: Phase, after: Phase, said: list[tuple[Role, Kind]]) -> Iterator[str]:
    path, (x, y), anchor = _ARROWS[before, after]
    role = said[0][0]
    end = " end" if after is Phase.CLOSED else ""
    yield f'<path class="{role.value}{end}" d="{path}" stroke-width="1.6" marker-end="url(#{role.value})"/>'
    if anchor:
        for line, (_, kind) in enumerate(said):
            yield (
                f'<text class="{role.value}" x="{x}" y="{y + 14 * line}" text-anchor="{anchor}" font-size="11">'
                f"{escape(kind_name(kind))}</text>"
            )


def _sentences() -> Iterator[str]:
    for (before, after), said in _moves().items():
        kinds = " or ".join(f"{kind_name(kind)} by the {role.value}" for role, kind in said)
        yield f"{before.value} becomes {after.value} with {kinds}."
