"""Different, and not wrong: what other implementations, networks and languages do, and every check must let pass."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from sttp.codes import Command, DataPacketFlags, OperationalModes, Response
from sttp.errors import ProtocolError
from sttp.wire.commands import DefineOperationalModes, read_command
from sttp.wire.fields import inflate, is_gzip
from sttp.wire.responses import DataPacket
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.cache_images import gzipped, walk, write_image
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.compact_records import walk_records
from sttp_conformance.faults import Answers, Fault, Gathers, Overhears, Says, is_told, reports
from sttp_conformance.mutants import Mutant, harmless
from sttp_conformance.rewrites import (
    Conversation,
    Delay,
    Item,
    Raw,
    Rewrite,
    added_after,
    added_before,
    edited,
    replaced,
    with_payload,
)
from sttp_conformance.violation import Violation
from sttp_conformance.ways import Direction

_NOOP = b"\xff\x02\x00\x00\x00\x00"
_MOMENT = 0.001
_LARGEST = 2**28
_CACHE, _DATA, _SUCCEEDED = Response.UPDATE_SIGNAL_INDEX_CACHE, Response.DATA_PACKET, Response.SUCCEEDED
_SUBSCRIBE, _REFRESH = Command.SUBSCRIBE, Command.METADATA_REFRESH

_FRAMES = 300
"""Frames of a connection that come late or in pieces; of thousands that takes long, and says nothing more."""

# --- how bytes travel


def _at_first(rewrite: Rewrite) -> Rewrite:
    """The first frames of a connection are rewritten."""
    return lambda frame, conversation: rewrite(frame, conversation) if conversation.said < _FRAMES else (frame,)


def _in_pieces(frame: bytes) -> tuple[Item, ...]:
    """A frame in three segments: two bytes, half of it, and the rest; a long one is not worth it."""
    data = len(frame).to_bytes(4, "big") + frame
    if len(data) > 4096:
        return (frame,)
    half = len(data) // 2 + 1
    return Raw(data[:2]), Delay(_MOMENT), Raw(data[2:half]), Delay(_MOMENT), Raw(data[half:])


# --- metadata


def _rewritten(change: Callable[[bytes], bytes], *, level: int = 6, name: bytes = b"") -> Rewrite:
    """Metadata come as another document that means the same, compressed where it was."""

    def changed(payload: bytes) -> bytes:
        text = change(inflate(payload, limit=_LARGEST, name="metadata"))
        return gzipped(text, level=level, name=name) if is_gzip(payload) else text

    return edited(_SUCCEEDED, changed, answering=_REFRESH)


def _in_another_order(text: bytes) -> bytes:
    """Tables come the other way round, columns too; the order of rows stays, because ORDER BY is about it."""
    for prefix, name in re.findall(rb'xmlns:(\w+)="([^"]+)"', text):
        ElementTree.register_namespace(prefix.decode(), name.decode())
    root = ElementTree.fromstring(text)
    schema, *rows = root
    tables = list(dict.fromkeys(row.tag for row in rows))
    for row in rows:
        row[:] = reversed(row)
    root[:] = [schema, *(row for table in reversed(tables) for row in rows if row.tag == table)]
    other: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return other


def _commented(text: bytes) -> bytes:
    """A comment, and white space between elements."""
    declared, end, rest = text.partition(b"?>")
    body = (rest if end else text).replace(b"><", b">\r\n  <")
    return declared + b"?>\n<!-- made by somebody else -->\n" + body if end else body


# --- caches and data


def _remembers(frame: bytes, conversation: Conversation) -> None:
    """What a subscriber has asked for."""
    try:
        match read_command(frame, OperationalModes()):
            case DefineOperationalModes(modes=modes):
                conversation.memory["version"] = modes.version
            case _ if frame[0] == _SUBSCRIBE:
                text = frame[6:].decode("utf-8", "replace")
                conversation.memory["asked"] = SubscriptionOptions.from_connection_string(text)
    except (ProtocolError, ValueError, IndexError):
        pass  # the implementation will say so


def _backwards(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """The references of a cache come in another order; each keeps its signal index."""
    if frame[0] != _CACHE:
        return (frame,)
    start = 6 if conversation.memory.get("version") == 1 else 7
    packed = is_gzip(frame[start:])
    image = inflate(frame[start:], limit=_LARGEST, name="signal index cache")
    walked = walk(image)
    body = write_image(list(reversed(walked.references)), unauthorised=None)[24:]
    other = image[:24] + body + walked.rest
    payload = frame[6:start] + (gzipped(other) if packed else other)
    return (with_payload(frame, payload),)


def _packed(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A compressed cache comes from another compressor, which writes a file name into its head."""
    if frame[0] != _CACHE:
        return (frame,)
    start = next((start for start in (6, 7) if is_gzip(frame[start:])), 0)
    if not start:
        return (frame,)
    image = inflate(frame[start:], limit=_LARGEST, name="signal index cache")
    payload = frame[6:start] + gzipped(image, level=1, name=b"cache")
    return (with_payload(frame, payload),)


def _one_by_one(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """Compact measurements come in packets of their own."""
    if frame[0] != _DATA or not frame[6] & DataPacketFlags.COMPACT or frame[6] & DataPacketFlags.COMPRESSED:
        return (frame,)
    asked = conversation.memory.get("asked", SubscriptionOptions())
    count = int.from_bytes(frame[7:11], "big")
    packet = DataPacket(flags=DataPacketFlags(frame[6]), count=count, body=frame[11:])
    try:
        records = walk_records(packet, include_time=asked.include_time, milliseconds=asked.milliseconds)
    except Violation:
        return (frame,)  # a subscription of before, in another form
    if not 1 < count <= 64:
        return (frame,)
    return tuple(
        frame[:2] + struct.pack(">iBi", 5 + len(body), frame[6], 1) + body
        for body in (each.written() for each in records)
    )


# --- what subscribers say


def _spelt_otherwise(frame: bytes) -> bytes:
    """A connection string in another order, with blanks, empty pieces, other capitals and a key of somebody's own."""
    length = int.from_bytes(frame[2:6], "big")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        text = frame[6 : 6 + length].decode(encoding, "replace")
        if "filterExpression" in text:
            break
    else:
        return frame
    head, brace, expression = text.partition("filterExpression={")
    pieces = [piece for piece in head.split(";") if piece.strip()]
    spelt = "; ".join(
        f" {key.upper()} = {value} " for key, _, value in (each.partition("=") for each in reversed(pieces))
    )
    whole = f"; ;{brace}{expression}; {spelt};nobodyKnowsThis={{a; b=c}};".encode(encoding)
    return with_payload(frame, whole)


def _with_an_empty_filter(frame: bytes) -> bytes:
    return frame + bytes(4) if len(frame) == 1 else frame


# --- what applications report


_NOTED = Answers(lambda request, answer: {**answer, "note": "more than was asked for"})


def _times_as_text(rows: list[list[Any]]) -> list[list[Any]]:
    return [[row[0], str(row[1]), *row[2:]] for row in rows]


def _with_news(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    news = [{"event": "weather", "text": "fair"}]
    return [{**event, "more": 1} for event in news + events]


def _publisher(name: str, *faults: Fault, only: Direction | None = None) -> Mutant:
    return harmless(f"publisher_{name}", PUBLISHER, *faults, only=only)


def _subscriber(name: str, *faults: Fault, only: Direction | None = None) -> Mutant:
    return harmless(f"subscriber_{name}", SUBSCRIBER, *faults, only=only)


def _both(name: str, *faults: Fault) -> tuple[Mutant, Mutant]:
    """The same of either role."""
    return _publisher(name, *faults), _subscriber(name, *faults)


MUTANTS = (
    _publisher("says_noop_all_the_time", Says(added_after(None, _NOOP, _NOOP))),
    _publisher("gives_tables_and_columns_in_another_order", Says(_rewritten(_in_another_order))),
    _publisher("comments_its_metadata", Says(_rewritten(_commented))),
    _publisher("compresses_metadata_hardly", Says(_rewritten(lambda text: text, level=1, name=b"metadata.xml"))),
    _publisher("lists_signals_backwards", Says(_backwards), Overhears(_remembers)),
    _publisher("compresses_caches_otherwise", Says(_packed)),
    _publisher("sends_compact_measurements_one_by_one", Says(_one_by_one), Overhears(_remembers)),
    _publisher("repeats_its_base_times", Says(replaced(Response.UPDATE_BASE_TIMES, lambda frame: (frame, frame)))),
    _publisher("succeeds_in_more_words", Says(edited(_SUCCEEDED, lambda text: text + text, answering=_SUBSCRIBE))),
    _publisher("fails_in_more_words", Says(edited(Response.FAILED, lambda text: text + text))),
    _publisher(
        "announces_a_change_after_subscribing",
        Says(added_after(_SUCCEEDED, b"\x8a\x02\0\0\0\0", answering=_SUBSCRIBE)),
    ),
    _subscriber("spells_connection_strings_otherwise", Says(replaced(_SUBSCRIBE, _spelt_otherwise))),
    _subscriber("asks_for_metadata_with_an_empty_filter", Says(replaced(_REFRESH, _with_an_empty_filter))),
    _subscriber("reports_times_as_text", reports(_times_as_text), _NOTED),
    _subscriber("is_told_more", is_told(_with_news), _NOTED),
    _publisher("that_dials_says_noop_all_the_time", Says(added_after(None, _NOOP)), only=Direction.REVERSE),
    _publisher("that_is_dialed_is_slow", Says(added_before(None, Delay(2 * _MOMENT))), only=Direction.FORWARD),
    _subscriber("that_listens_is_slow", Says(added_before(None, Delay(2 * _MOMENT))), only=Direction.REVERSE),
    # whole frames are no more behind these
    *_both("is_a_little_slow", Says(_at_first(added_before(None, Delay(_MOMENT))))),
    *_both("gathers_what_it_says", Gathers(0.005)),
    *_both("sends_frames_in_pieces", Says(_at_first(replaced(None, _in_pieces)))),
)
