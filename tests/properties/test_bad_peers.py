"""Peers that say anything, in any order and damaged, to a session of either role.

Nothing but documented errors ends a session, it ends once, and whatever it says itself is always right.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from samples import SAMPLES, answer_everything, streaming_publisher
from sttp.codes import OperationalModes
from sttp.errors import ProtocolError, RefusedError, SilenceError
from sttp.session import PublisherSession, SubscriberSession
from sttp.session.base import Session
from sttp.session.events import Ended
from sttp.wire.commands import UnknownCommand, read_command
from sttp.wire.frame import FrameReader, write_frame
from sttp.wire.responses import UnknownResponse, read_responses
from sttp.wire.subscription import SubscriptionOptions

FOR_PUBLISHERS = [frame for begin, frame in SAMPLES.values() if begin is streaming_publisher]
FOR_SUBSCRIBERS = [frame for begin, frame in SAMPLES.values() if begin is not streaming_publisher]


@st.composite
def damaged(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    frame = bytearray(draw(st.sampled_from(frames)))
    frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame)


def said(frames: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """What a peer says: mostly good messages, some of them damaged, now and then bytes that are none."""
    good = st.sampled_from(frames)
    return st.lists(
        st.one_of(good, good, good, damaged(frames), st.binary(max_size=20).map(write_frame), st.binary(max_size=9)),
        max_size=30,
    )


cuts = st.lists(st.integers(1, 50), min_size=1)
waits = st.floats(0, 3)


def endure(session: Session[object], data: bytes, cuts: list[int], wait: float) -> None:
    """Let a session hear everything, in pieces, with time passing; it must behave."""
    now = 0.0
    ends: list[Ended] = []
    output = b""
    turn = 0
    while data:
        piece, data = data[: cuts[turn % len(cuts)]], data[cuts[turn % len(cuts)] :]
        turn += 1
        now += wait
        session.handle_deadline(now=now)
        session.receive_data(piece, now=now)
        ends += [event for event in answer_everything(session) if isinstance(event, Ended)]
        output += b"".join(session.data_to_send())
    session.receive_eof(now=now)
    ends += [event for event in answer_everything(session) if isinstance(event, Ended)]
    assert len(ends) == 1
    assert session.deadline is None
    assert ends[0].error is None or isinstance(ends[0].error, ProtocolError | RefusedError | SilenceError)
    is_right(session, output)


def is_right(session: Session[object], output: bytes) -> None:
    """Whether every message of ours can be read, and has a code that is defined."""
    reader = FrameReader(1 << 20)
    reader.feed(output)
    for frame in reader.frames():
        if isinstance(session, PublisherSession):
            (response,) = read_responses(frame, session.modes or OperationalModes())
            assert not isinstance(response, UnknownResponse)
        else:
            assert not isinstance(read_command(frame, OperationalModes()), UnknownCommand)
    assert reader.pending == 0


@given(said(FOR_PUBLISHERS), cuts, waits)
def test_nothing_that_a_subscriber_says_breaks_a_publisher(said: list[bytes], cuts: list[int], wait: float) -> None:
    endure(PublisherSession(now=0), FOR_PUBLISHERS[0] + b"".join(said), cuts, wait)


@given(said(FOR_SUBSCRIBERS), cuts, waits)
def test_nothing_that_a_publisher_says_breaks_a_subscriber(said: list[bytes], cuts: list[int], wait: float) -> None:
    session = SubscriberSession(now=0)
    session.refresh_metadata()
    session.subscribe(SubscriptionOptions(filter_expression="x"))
    session.unsubscribe()
    session.subscribe(SubscriptionOptions(filter_expression="y"))
    endure(session, b"".join(said), cuts, wait)
