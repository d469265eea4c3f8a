"""Wrong about everything else: commands that mean nothing, or nothing yet, and too many connections."""

from __future__ import annotations

from typing import Any

from sttp.codes import Command, Response
from sttp_conformance.checks import PUBLISHER
from sttp_conformance.faults import Hears, IsAsked, Says
from sttp_conformance.mutants import in_each_direction, mutant
from sttp_conformance.rewrites import CLOSE, Conversation, Item, added_after, dropped, edited, replaced

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
    mutant(
        "publisher_gives_its_metadata_for_a_schema",
        PUBLISHER,
        Hears(_gives_metadata_for_a_schema),
        Says(_as_a_schema),
        caught_by=("refuses_schema_requests",),
    ),
    mutant(
        "publisher_refuses_schemas_without_a_reason",
        PUBLISHER,
        Says(edited(Response.FAILED, lambda text: b"", answering=Command.GET_SIGNAL_SELECTION_SCHEMA)),
        caught_by=("refuses_schema_requests",),
    ),
    mutant(
        "publisher_ends_the_connection_at_a_request_for_a_schema",
        PUBLISHER,
        Hears(replaced(Command.GET_SIGNAL_SELECTION_SCHEMA, lambda frame: CLOSE)),
        caught_by=("refuses_schema_requests", "commands_without_a_meaning_cost_nothing"),
    ),
    mutant(
        "publisher_ends_the_connection_at_a_confirmation_of_cipher_keys",
        PUBLISHER,
        Hears(replaced(Command.CONFIRM_UPDATE_CIPHER_KEYS, lambda frame: CLOSE)),
        caught_by=("commands_without_a_meaning_cost_nothing",),
    ),
    mutant(
        "publisher_ends_the_subscription_at_a_confirmation_of_cipher_keys",
        PUBLISHER,
        Hears(added_after(Command.CONFIRM_UPDATE_CIPHER_KEYS, bytes((Command.UNSUBSCRIBE,)))),
        caught_by=("commands_without_a_meaning_cost_nothing",),
    ),
    mutant(
        "publisher_publishes_what_a_subscriber_sends",
        PUBLISHER,
        Hears(_takes_measurements),
        IsAsked(_publishes_them),
        caught_by=("takes_no_measurements_from_subscribers",),
    ),
    mutant(
        "publisher_that_is_full_closes_without_a_word",
        PUBLISHER,
        Says(dropped(Response.FAILED, answering=Command.CONNECT)),
        caught_by=("refuses_connections_beyond_its_maximum",),
    ),
    mutant(
        "publisher_that_is_full_gives_no_reason",
        PUBLISHER,
        Says(edited(Response.FAILED, lambda text: b"", answering=Command.CONNECT)),
        caught_by=("refuses_connections_beyond_its_maximum",),
    ),
    mutant(
        "publisher_that_is_full_refuses_the_modes",
        PUBLISHER,
        Says(replaced(Response.FAILED, lambda frame: frame[:1] + b"\6" + frame[2:], answering=Command.CONNECT)),
        caught_by=("refuses_connections_beyond_its_maximum",),
    ),
    mutant(
        "publisher_remembers_a_confirmation_that_came_before_its_cache",
        PUBLISHER,
        Hears(_remembers_a_confirm),
        caught_by=("commands_without_an_object_change_nothing",),
    ),
    mutant(
        "publisher_ends_the_connection_at_unsubscribe_without_a_subscription",
        PUBLISHER,
        Hears(_fails_without_a_subscription),
        caught_by=("commands_without_an_object_change_nothing",),
    ),
    mutant(
        "publisher_sends_new_metadata_with_configuration_changed",
        PUBLISHER,
        Says(edited(Response.CONFIGURATION_CHANGED, lambda payload: b"<DataSet></DataSet>")),
        caught_by=("configuration_changed_and_processing_complete_are_well_formed",),
    ),
    mutant(
        "publisher_sends_a_number_with_configuration_changed",
        PUBLISHER,
        Says(edited(Response.CONFIGURATION_CHANGED, lambda payload: b"\0\0\0\1")),
        caught_by=("configuration_changed_and_processing_complete_are_well_formed",),
    ),
    *in_each_direction(
        "publisher_that_{dials}_refuses_schemas_in_other_words",
        PUBLISHER,
        Says(edited(Response.FAILED, lambda text: b"no", answering=Command.GET_PRIMARY_METADATA_SCHEMA)),
        caught_by=("publisher_announces_changes_alike_in_both_directions[refuses_schema_requests]",),
    ),
)
