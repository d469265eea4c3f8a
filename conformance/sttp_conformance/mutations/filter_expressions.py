"""Wrong about filter expressions."""

from __future__ import annotations

import re
from collections.abc import Callable

from sttp.codes import Command, Response
from sttp.errors import ProtocolError
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.faults import Hears, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Rewrite, harmed, replaced, with_payload

_EVERYTHING = "FILTER ActiveMeasurements WHERE True"
_REFRESH = Command.METADATA_REFRESH


def _means(change: Callable[[str], str]) -> Rewrite:
    """The filter of a Subscribe is taken for another one."""

    def changed(frame: bytes) -> bytes:
        length = int.from_bytes(frame[2:6], "big")
        try:
            options = SubscriptionOptions.from_connection_string(frame[6 : 6 + length].decode())
        except (UnicodeDecodeError, ProtocolError):
            return frame
        filter_expression = change(options.filter_expression)
        if filter_expression == options.filter_expression:
            return frame
        text = SubscriptionOptions(filter_expression=filter_expression).to_connection_string().encode()
        return with_payload(frame, text)

    return replaced(Command.SUBSCRIBE, changed)


def _narrows(change: Callable[[str], str]) -> Rewrite:
    """The filter of a MetadataRefresh is taken for another one."""

    def changed(frame: bytes) -> bytes:
        text = change(frame[5:].decode()).encode()
        return frame[:1] + (len(text).to_bytes(4, "big") + text if text else b"")

    return replaced(_REFRESH, lambda frame: changed(frame) if len(frame) > 5 else frame)


def _cut(text: str) -> str:
    """A filter ends at its first semicolon."""
    return text.partition(";")[0]


def _brackets(text: str) -> str:
    """`1 + 2 * 3` is read as it is in school."""
    return text.replace("1 + 2 * 3", "1 + (2 * 3)")


def _lenient(text: str) -> str:
    """A text that ends too soon is completed."""
    return f"{text}'FREQ'" if text.rstrip().endswith("=") else text


def _ends_at(part: bytes) -> Rewrite:
    """Once it has met something it never hears a word again."""
    return harmed(lambda frame, conversation: frame[0] == Command.SUBSCRIBE and part in frame)


_BOTH = ("selects_what_two_engines_select", "computes_what_two_engines_compute")

MUTANTS = (
    mutant(
        "publisher_lets_every_filter_select_everything",
        PUBLISHER,
        Hears(_means(lambda text: _EVERYTHING)),
        caught_by=(
            *_BOTH,
            "selects_by_portable_expressions",
            "selects_nothing_by_a_wrong_expression",
            "selects_what_is_recommended_where_engines_differ",
        ),
    ),
    *in_each_direction(
        "publisher_that_{dials}_lets_every_filter_select_everything",
        PUBLISHER,
        Hears(_means(lambda text: _EVERYTHING)),
        caught_by=(
            "selects_by_portable_expressions",
            "publisher_hands_over_alike_in_both_directions[selects_by_portable_expressions]",
        ),
    ),
    *in_each_direction(
        "publisher_that_{dials}_ignores_filters_of_metadata",
        PUBLISHER,
        Hears(_narrows(lambda text: "")),
        caught_by=(
            "narrows_metadata_by_any_expression",
            "publisher_gives_metadata_alike_in_both_directions[narrows_metadata_by_any_expression]",
        ),
    ),
    *in_each_direction(
        "subscriber_that_{dials}_folds_the_white_space_of_filters",
        SUBSCRIBER,
        Says(_means(lambda text: " ".join(text.split()))),
        caught_by=("passes_filter_expressions_on",),
    ),
    mutant(
        "publisher_reads_and_for_or",
        PUBLISHER,
        Hears(_means(lambda text: text.replace(" AND ", " OR "))),
        caught_by=("selects_by_portable_expressions", *_BOTH),
    ),
    mutant(
        "publisher_tells_letters_by_their_case",
        PUBLISHER,
        Hears(_means(lambda text: text.replace(" = '", " === '"))),
        caught_by=("selects_by_portable_expressions",),
    ),
    mutant(
        "publisher_cuts_filters_at_a_semicolon",
        PUBLISHER,
        Hears(_means(_cut)),
        caught_by=("selects_what_two_engines_select",),
    ),
    mutant(
        "publisher_multiplies_before_it_adds",
        PUBLISHER,
        Hears(_means(_brackets)),
        caught_by=("computes_what_two_engines_compute",),
    ),
    mutant(
        "publisher_knows_no_functions",
        PUBLISHER,
        Hears(_means(lambda text: re.sub(r"\b(?!IN\b|AND\b|OR\b|NOT\b|WHERE\b|LIKE\b)[A-Z]\w+\(", "NoSuch(", text))),
        caught_by=("computes_what_two_engines_compute",),
    ),
    mutant(
        "publisher_completes_a_filter_that_ends_too_soon",
        PUBLISHER,
        Hears(_means(_lenient)),
        caught_by=("selects_nothing_by_a_wrong_expression",),
    ),
    mutant(
        "publisher_takes_not_like_for_like",
        PUBLISHER,
        Hears(_means(lambda text: text.replace("NOT LIKE", "LIKE"))),
        caught_by=("selects_what_is_recommended_where_engines_differ",),
    ),
    mutant(
        "publisher_does_not_survive_a_division_by_zero",
        PUBLISHER,
        Hears(_ends_at(b"5 / 0")),
        caught_by=("survives_expressions_that_ask_too_much",),
    ),
    mutant(
        "publisher_hangs_at_a_costly_pattern",
        PUBLISHER,
        Hears(_ends_at(b"^(a+)+$")),
        caught_by=("survives_a_costly_pattern",),
    ),
    mutant(
        "publisher_ends_every_connection_after_a_long_filter",
        PUBLISHER,
        Hears(
            replaced(Command.SUBSCRIBE, lambda frame: CLOSE if b"WHERE True" in frame and len(frame) < 1_000 else frame)
        ),
        caught_by=("survives_expressions_that_ask_too_much",),
    ),
    mutant(
        "publisher_ignores_filters_of_metadata",
        PUBLISHER,
        Hears(_narrows(lambda text: "")),
        caught_by=(
            "narrows_metadata_by_any_expression",
            "orders_and_limits_rows_of_metadata",
            "filters_columns_of_every_type",
        ),
    ),
    mutant(
        "publisher_leaves_metadata_in_the_order_of_the_table",
        PUBLISHER,
        Hears(_narrows(lambda text: text.partition(" ORDER BY ")[0])),
        caught_by=("orders_and_limits_rows_of_metadata", "filters_columns_of_every_type"),
    ),
    mutant(
        "publisher_sorts_metadata_before_it_counts",
        PUBLISHER,
        Hears(_narrows(lambda text: text.replace("'SHELBY' ORDER", "'SHELBY' AND PointTag LIKE '%ST%' ORDER"))),
        caught_by=("orders_and_limits_rows_of_metadata",),
    ),
    mutant(
        "publisher_takes_unsigned_numbers_for_signed_ones",
        PUBLISHER,
        Hears(_narrows(lambda text: text.replace("U32 > 0", "U32 < 0"))),
        caught_by=("filters_columns_of_every_type",),
    ),
    mutant(
        "subscriber_folds_the_white_space_of_filters",
        SUBSCRIBER,
        Says(
            lambda frame, conversation: tuple(
                each
                for half in _means(lambda text: " ".join(text.split()))(frame, conversation)
                for each in _narrows(lambda text: " ".join(text.split()))(half, conversation)  # type: ignore[arg-type]
            )
        ),
        caught_by=("passes_filter_expressions_on", "passes_metadata_filters_on"),
    ),
    mutant(
        "publisher_selects_nothing_at_all",
        PUBLISHER,
        Says(replaced(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda frame: b"\x81\x02\0\0\0\x04None", answering=None)),
        caught_by=(*_BOTH, "selects_by_portable_expressions", "selects_what_is_recommended_where_engines_differ"),
    ),
)
