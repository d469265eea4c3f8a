"""The table, cell by cell."""

from __future__ import annotations

import pytest

from sttp.codes import Command, Response, Role
from sttp.errors import SequenceError
from sttp.session.conversation import (
    TOLERATED,
    TRANSITIONS,
    Conversation,
    Kind,
    Phase,
    kind_name,
    speaker,
)

KINDS: list[Kind] = [
    *Command,
    *(response for response in Response if response not in (Response.SUCCEEDED, Response.FAILED)),
    *((response, command) for response in (Response.SUCCEEDED, Response.FAILED) for command in Command),
]

PATHS: dict[Phase, list[Kind]] = {
    Phase.CONNECTED: [],
    Phase.READY: [Command.DEFINE_OPERATIONAL_MODES],
    Phase.SUBSCRIBING: [Command.DEFINE_OPERATIONAL_MODES, Command.SUBSCRIBE],
    Phase.OFFERED: [Command.DEFINE_OPERATIONAL_MODES, Command.SUBSCRIBE, Response.UPDATE_SIGNAL_INDEX_CACHE],
    Phase.STREAMING: [
        Command.DEFINE_OPERATIONAL_MODES,
        Command.SUBSCRIBE,
        Response.UPDATE_SIGNAL_INDEX_CACHE,
        Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE,
    ],
    Phase.UNSUBSCRIBING: [Command.DEFINE_OPERATIONAL_MODES, Command.UNSUBSCRIBE],
    Phase.CLOSED: [(Response.FAILED, Command.CONNECT)],
}


def at(phase: Phase) -> Conversation:
    conversation = Conversation()
    for kind in PATHS[phase]:
        conversation.say(kind)
    assert conversation.phase is phase
    return conversation


@pytest.mark.parametrize("phase", Phase)
def test_every_cell_of_a_phase(phase: Phase) -> None:
    for kind in KINDS:
        key = (phase, speaker(kind), kind)
        saying, hearing = at(phase), at(phase)
        if key in TRANSITIONS:
            saying.say(kind)
            assert hearing.hear(kind)
            assert saying.phase is hearing.phase is TRANSITIONS[key]
            continue
        with pytest.raises(SequenceError, match=kind_name(kind)) as caught:
            saying.say(kind)
        assert caught.value.clause == "9"
        if key in TOLERATED:
            assert not hearing.hear(kind)
        else:
            with pytest.raises(SequenceError):
                hearing.hear(kind)
        assert saying.phase is hearing.phase is phase


def test_the_speaker_follows_from_the_kind() -> None:
    assert {role for (_, role, kind) in TRANSITIONS if isinstance(kind, Command)} == {Role.SUBSCRIBER}
    assert {role for (_, role, kind) in TRANSITIONS if not isinstance(kind, Command)} == {Role.PUBLISHER}


def test_nothing_is_both_allowed_and_merely_tolerated() -> None:
    assert not TRANSITIONS.keys() & TOLERATED.keys()


def test_the_subscriber_speaks_first() -> None:
    first = {kind for (phase, role, kind) in TRANSITIONS if phase is Phase.CONNECTED and role is Role.SUBSCRIBER}
    assert first == {Command.DEFINE_OPERATIONAL_MODES}


def test_a_publisher_is_silent_before_but_for_noop_and_refusal() -> None:
    early = {kind for (phase, role, kind) in TRANSITIONS if phase is Phase.CONNECTED and role is Role.PUBLISHER}
    assert early == {Response.NOOP, (Response.FAILED, Command.CONNECT)}


def test_data_flows_in_one_phase_only() -> None:
    assert {phase for (phase, _, kind) in TRANSITIONS if kind is Response.DATA_PACKET} == {Phase.STREAMING}


def test_streaming_is_entered_by_a_confirm_only() -> None:
    entries = {
        kind
        for (phase, _, kind), after in TRANSITIONS.items()
        if after is Phase.STREAMING and phase is not Phase.STREAMING
    }
    assert entries == {Command.CONFIRM_UPDATE_SIGNAL_INDEX_CACHE}


def test_nothing_is_said_after_the_end() -> None:
    assert not [key for key in (*TRANSITIONS, *TOLERATED) if key[0] is Phase.CLOSED]


def test_every_phase_can_be_reached() -> None:
    reached = {Phase.CONNECTED}
    while more := {after for (phase, _, _), after in TRANSITIONS.items() if phase in reached} - reached:
        reached |= more
    assert reached == set(Phase)


def test_an_unanswered_unsubscribe_is_given_up() -> None:
    conversation = at(Phase.UNSUBSCRIBING)
    conversation.stop_waiting_for_unsubscribe()
    assert conversation.phase is Phase.READY
    conversation = at(Phase.STREAMING)
    conversation.stop_waiting_for_unsubscribe()
    assert conversation.phase is Phase.STREAMING
