"""Wrong about filter expressions."""

from __future__ import annotations

import re
from collections.abc import Callable

from sttp.codes import Command, Response
from sttp.errors import ProtocolError
from sttp.wire.subscription import SubscriptionOptions
from sttp_conformance.checks import PUBLISHER, SUBSCRIBER
from sttp_conformance.mutants import CLOSE, Conversation, Item, Mutant, Rewrite, replaced
from sttp_conformance.ways import Direction

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
        return frame[:2] + len(text).to_bytes(4, "big") + text

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
    """Once it has met something it never hears a word again. The list of numbers is shared by all connections."""

    def rewrite(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
        numbers = conversation.numbers
        if numbers[0] < 0 or (frame[0] == Command.SUBSCRIBE and part in frame):
            numbers[0] = -1
            return ()
        return (frame,)

    return rewrite


_BOTH = ("selects_what_two_engines_select", "computes_what_two_engines_compute")

MUTANTS = (
    Mutant(
        "publisher_lets_every_filter_select_everything",
        PUBLISHER,
        caught_by=(
            *_BOTH,
            "selects_by_portable_expressions",
            "selects_nothing_by_a_wrong_expression",
            "selects_what_is_recommended_where_engines_differ",
        ),
        hears=_means(lambda text: _EVERYTHING),
    ),
    *(
        Mutant(
            f"publisher_that_{does}_lets_every_filter_select_everything",
            PUBLISHER,
            caught_by=(
                "selects_by_portable_expressions",
                "publisher_hands_over_alike_in_both_directions[selects_by_portable_expressions]",
            ),
            hears=_means(lambda text: _EVERYTHING),
            only=direction,
        )
        for does, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
    *(
        Mutant(
            f"publisher_that_{does}_ignores_filters_of_metadata",
            PUBLISHER,
            caught_by=(
                "narrows_metadata_by_any_expression",
                "publisher_gives_metadata_alike_in_both_directions[narrows_metadata_by_any_expression]",
            ),
            hears=_narrows(lambda text: ""),
            only=direction,
        )
        for does, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
    *(
        Mutant(
            f"subscriber_that_{does}_folds_the_white_space_of_filters",
            SUBSCRIBER,
            caught_by=("passes_filter_expressions_on",),
            says=_means(lambda text: " ".join(text.split())),
            only=direction,
        )
        for does, direction in (("listens", Direction.REVERSE), ("dials", Direction.FORWARD))
    ),
    Mutant(
        "publisher_reads_and_for_or",
        PUBLISHER,
        caught_by=("selects_by_portable_expressions", *_BOTH),
        hears=_means(lambda text: text.replace(" AND ", " OR ")),
    ),
    Mutant(
        "publisher_tells_letters_by_their_case",
        PUBLISHER,
        caught_by=("selects_by_portable_expressions",),
        hears=_means(lambda text: text.replace(" = '", " === '")),
    ),
    Mutant(
        "publisher_cuts_filters_at_a_semicolon",
        PUBLISHER,
        caught_by=("selects_what_two_engines_select",),
        hears=_means(_cut),
    ),
    Mutant(
        "publisher_multiplies_before_it_adds",
        PUBLISHER,
        caught_by=("computes_what_two_engines_compute",),
        hears=_means(_brackets),
    ),
    Mutant(
        "publisher_knows_no_functions",
        PUBLISHER,
        caught_by=("computes_what_two_engines_compute",),
        hears=_means(lambda text: re.sub(r"\b(?!IN\b|AND\b|OR\b|NOT\b|WHERE\b|LIKE\b)[A-Z]\w+\(", "NoSuch(", text)),
    ),
    Mutant(
        "publisher_completes_a_filter_that_ends_too_soon",
        PUBLISHER,
        caught_by=("selects_nothing_by_a_wrong_expression",),
        hears=_means(_lenient),
    ),
    Mutant(
        "publisher_takes_not_like_for_like",
        PUBLISHER,
        caught_by=("selects_what_is_recommended_where_engines_differ",),
        hears=_means(lambda text: text.replace("NOT LIKE", "LIKE")),
    ),
    Mutant(
        "publisher_does_not_survive_a_division_by_zero",
        PUBLISHER,
        caught_by=("survives_expressions_that_ask_too_much",),
        hears=_ends_at(b"5 / 0"),
    ),
    Mutant(
        "publisher_hangs_at_a_costly_pattern",
        PUBLISHER,
        caught_by=("survives_a_costly_pattern",),
        hears=_ends_at(b"^(a+)+$"),
    ),
    Mutant(
        "publisher_ends_every_connection_after_a_long_filter",
        PUBLISHER,
        caught_by=("survives_expressions_that_ask_too_much",),
        hears=replaced(
            Command.SUBSCRIBE, lambda frame: CLOSE if b"WHERE True" in frame and len(frame) < 1_000 else frame
        ),
    ),
    Mutant(
        "publisher_ignores_filters_of_metadata",
        PUBLISHER,
        caught_by=(
            "narrows_metadata_by_any_expression",
            "orders_and_limits_rows_of_metadata",
            "filters_columns_of_every_type",
        ),
        hears=_narrows(lambda text: ""),
    ),
    Mutant(
        "publisher_leaves_metadata_in_the_order_of_the_table",
        PUBLISHER,
        caught_by=("orders_and_limits_rows_of_metadata", "filters_columns_of_every_type"),
        hears=_narrows(lambda text: text.partition(" ORDER BY ")[0]),
    ),
    Mutant(
        "publisher_sorts_metadata_before_it_counts",
        PUBLISHER,
        caught_by=("orders_and_limits_rows_of_metadata",),
        hears=_narrows(lambda text: text.replace("'SHELBY' ORDER", "'SHELBY' AND PointTag LIKE '%ST%' ORDER")),
    ),
    Mutant(
        "publisher_takes_unsigned_numbers_for_signed_ones",
        PUBLISHER,
        caught_by=("filters_columns_of_every_type",),
        hears=_narrows(lambda text: text.replace("U32 > 0", "U32 < 0")),
    ),
    Mutant(
        "subscriber_folds_the_white_space_of_filters",
        SUBSCRIBER,
        caught_by=("passes_filter_expressions_on", "passes_metadata_filters_on"),
        says=lambda frame, conversation: tuple(
            each
            for half in _means(lambda text: " ".join(text.split()))(frame, conversation)
            for each in _narrows(lambda text: " ".join(text.split()))(half, conversation)  # type: ignore[arg-type]
        ),
    ),
    Mutant(
        "publisher_selects_nothing_at_all",
        PUBLISHER,
        caught_by=(*_BOTH, "selects_by_portable_expressions", "selects_what_is_recommended_where_engines_differ"),
        says=replaced(Response.UPDATE_SIGNAL_INDEX_CACHE, lambda frame: b"\x81\x02\0\0\0\x04None", answering=None),
    ),
)
