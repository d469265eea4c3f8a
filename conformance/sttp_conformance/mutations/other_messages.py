"""Wrong about everything else: commands that mean nothing, or nothing yet, and too many connections."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER
from sttp_conformance.mutants import (
    CLOSE,
    Conversation,
    Item,
    Mutant,
    added_after,
    dropped,
    edited,
    replaced,
)
from sttp_conformance.ways import Direction

_SCHEMAS = (Command.GET_PRIMARY_METADATA_SCHEMA, Command.GET_SIGNAL_SELECTION_SCHEMA)
_CONFIRM = Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE

_smuggled: set[int] = set()
"""Whether measurements have come by command 0x09: they are published along with the next ones."""


def _takes_measurements(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    if frame[0] == Command.CONFIRM_UPDATE_BASE_TIMES and len(frame) > 5:
        _smuggled.add(666)
    return (frame,)


def _publishes_them(request: str, fields: dict[str, Any]) -> dict[str, Any]:
    if request != "publish" or not _smuggled:
        return fields
    signal, ticks, *_ = fields["measurements"][0]
    return {"measurements": [[signal, ticks, float(each), 0] for each in _smuggled] + fields["measurements"]}


def _gives_metadata_for_a_schema(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (b"\1",) if frame[0] == Command.GET_PRIMARY_METADATA_SCHEMA else (frame,)


def _as_a_schema(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    return (b"\x80\x0c" + frame[2:],) if frame[:2] == b"\x80\1" else (frame,)


def _remembers_a_confirm(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    """A confirmation that came before there was a cache counts for the one that comes."""
    memory = conversation.memory
    if frame[0] == _CONFIRM:
        memory["confirmed"] = memory.get("confirmed", False) or not memory.get("subscribed", False)
    if frame[0] == Command.SUBSCRIBE:
        memory["subscribed"] = True
        if memory.get("confirmed"):
            return frame, bytes((_CONFIRM,))
    return (frame,)


def _fails_without_a_subscription(frame: bytes, conversation: Conversation) -> tuple[Item, ...]:
    memory = conversation.memory
    memory["subscribed"] = memory.get("subscribed", False) or frame[0] == Command.SUBSCRIBE
    return (CLOSE,) if frame[0] == Command.UNSUBSCRIBE and not memory["subscribed"] else (frame,)


MUTANTS = (
    Mutant(
        "publisher_gives_its_metadata_for_a_schema",
        PUBLISHER,
        caught_by=("refuses_schema_requests",),
        hears=_gives_metadata_for_a_schema,
        says=_as_a_schema,
    ),
    Mutant(
        "publisher_refuses_schemas_without_a_reason",
        PUBLISHER,
        caught_by=("refuses_schema_requests",),
        says=edited(Response.FAILED, lambda text: b"", answering=Command.GET_SIGNAL_SELECTION_SCHEMA),
    ),
    Mutant(
        "publisher_ends_the_connection_at_a_request_for_a_schema",
        PUBLISHER,
        caught_by=("refuses_schema_requests", "commands_without_a_meaning_cost_nothing"),
        hears=replaced(Command.GET_SIGNAL_SELECTION_SCHEMA, lambda frame: CLOSE),
    ),
    Mutant(
        "publisher_ends_the_connection_at_a_confirmation_of_cipher_keys",
        PUBLISHER,
        caught_by=("commands_without_a_meaning_cost_nothing",),
        hears=replaced(Command.CONFIRM_UPDATE_CIPHER_KEYS, lambda frame: CLOSE),
    ),
    Mutant(
        "publisher_ends_the_subscription_at_a_confirmation_of_cipher_keys",
        PUBLISHER,
        caught_by=("commands_without_a_meaning_cost_nothing",),
        hears=added_after(Command.CONFIRM_UPDATE_CIPHER_KEYS, bytes((Command.UNSUBSCRIBE,))),
    ),
    Mutant(
        "publisher_publishes_what_a_subscriber_sends",
        PUBLISHER,
        caught_by=("takes_no_measurements_from_subscribers",),
        hears=_takes_measurements,
        asked=_publishes_them,
    ),
    Mutant(
        "publisher_that_is_full_closes_without_a_word",
        PUBLISHER,
        caught_by=("refuses_connections_beyond_its_maximum",),
        says=dropped(Response.FAILED, answering=Command.CONNECT),
    ),
    Mutant(
        "publisher_that_is_full_gives_no_reason",
        PUBLISHER,
        caught_by=("refuses_connections_beyond_its_maximum",),
        says=edited(Response.FAILED, lambda text: b"", answering=Command.CONNECT),
    ),
    Mutant(
        "publisher_that_is_full_refuses_the_modes",
        PUBLISHER,
        caught_by=("refuses_connections_beyond_its_maximum",),
        says=replaced(Response.FAILED, lambda frame: frame[:1] + b"\6" + frame[2:], answering=Command.CONNECT),
    ),
    Mutant(
        "publisher_remembers_a_confirmation_that_came_before_its_cache",
        PUBLISHER,
        caught_by=("commands_without_an_object_change_nothing",),
        hears=_remembers_a_confirm,
    ),
    Mutant(
        "publisher_ends_the_connection_at_unsubscribe_without_a_subscription",
        PUBLISHER,
        caught_by=("commands_without_an_object_change_nothing",),
        hears=_fails_without_a_subscription,
    ),
    Mutant(
        "publisher_sends_new_metadata_with_configuration_changed",
        PUBLISHER,
        caught_by=("configuration_changed_and_processing_complete_are_well_formed",),
        says=edited(Response.CONFIGURATION_CHANGED, lambda payload: b"<DataSet></DataSet>"),
    ),
    Mutant(
        "publisher_sends_a_number_with_configuration_changed",
        PUBLISHER,
        caught_by=("configuration_changed_and_processing_complete_are_well_formed",),
        says=edited(Response.CONFIGURATION_CHANGED, lambda payload: b"\0\0\0\1"),
    ),
    *(
        Mutant(
            f"publisher_that_{who}_refuses_schemas_in_other_words",
            PUBLISHER,
            caught_by=("publisher_announces_changes_alike_in_both_directions[refuses_schema_requests]",),
            says=edited(Response.FAILED, lambda text: b"no", answering=Command.GET_PRIMARY_METADATA_SCHEMA),
            only=direction,
        )
        for who, direction in (("dials", Direction.REVERSE), ("is_dialed", Direction.FORWARD))
    ),
)
